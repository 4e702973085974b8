/** The compose stack needs nothing edited: all that it mounts, starts and points at is really there. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DASHBOARDS } from '../../dashboards/all.ts';
import { parseArguments } from '../../src/cli/arguments.ts';
import { environmentName } from '../../src/config/flags.ts';
import { formatFault, loadConfig } from '../../src/config/load.ts';
import { DEMO_JIM } from '../../src/demo/demo.ts';
import { PROGRAM_VERSIONS, requireProgram } from '../programs.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname;
const FOLDER = join(REPOSITORY, 'deploy', 'compose');

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly ports: readonly string[];
}
interface Compose {
  readonly services: Readonly<
    Record<'exporter' | 'prometheus' | 'alertmanager' | 'grafana', Service>
  >;
  readonly volumes: Readonly<Record<string, null>>;
}
const compose = readYaml('compose.yaml') as Compose;
const services = Object.entries(compose.services);

function readYaml(...path: string[]): unknown {
  return parse(readFileSync(join(FOLDER, ...path), 'utf8'), { strict: true, uniqueKeys: true });
}

interface Mount {
  readonly source: string;
  readonly target: string;
  readonly mode: string | undefined;
}
function mountsOf(service: Service): Mount[] {
  return service.volumes.map((volume) => {
    const [source = '', target = '', mode] = volume.split(':');
    return { source, target, mode };
  });
}
/** Files and folders of ours, that the container may only read. */
function bindMounts(service: Service): Mount[] {
  return mountsOf(service).filter(({ source }) => source.startsWith('.'));
}

describe('each service', () => {
  test.each(services)('%s is built here or comes as one fixed version', (_, { image, build }) => {
    expect(image ?? `${build?.context}:0.0`).toMatch(/:v?\d+\.\d+/);
  });

  test.each(services)(
    '%s mounts files that exist, to be read only, and volumes that are declared',
    (_, service) => {
      const binds = bindMounts(service);
      expect(binds.filter(({ source }) => !existsSync(resolve(FOLDER, source)))).toEqual([]);
      expect(binds.filter(({ mode }) => mode !== 'ro')).toEqual([]);
      const volumes = mountsOf(service).filter(
        (mount) => !binds.some(({ target }) => target === mount.target),
      );
      expect(Object.keys(compose.volumes)).toEqual(
        expect.arrayContaining(volumes.map(({ source }) => source)),
      );
    },
  );

  test.each(services)('%s can be reached from this machine only', (_, { ports }) => {
    expect(ports).not.toEqual([]);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test.each(services)('%s finds every file that its flags name', (_, service) => {
    const targets = mountsOf(service).map(({ target }) => target);
    const files = (service.command ?? []).flatMap((flag) => /=(\/etc\/.*)$/.exec(flag)?.[1] ?? []);
    expect(targets).toEqual(expect.arrayContaining(files));
  });
});

describe('the exporter', () => {
  const { exporter } = compose.services;

  test('is built from the Dockerfile, and knows its flags and variables', () => {
    expect(existsSync(resolve(FOLDER, exporter.build?.context ?? '', 'Dockerfile'))).toBe(true);
    const parsed = parseArguments([...(exporter.command ?? [])], '');
    expect(parsed).toMatchObject({ command: 'demo', flags: { 'web.enable-lifecycle': true } });
    expect(Object.keys(exporter.environment ?? {})).toEqual([environmentName('storage.path')]);
  });

  test('has a configuration without faults that names the Alertmanager beside it', () => {
    const loaded = loadConfig({
      flags: { 'config.file': join(FOLDER, 'jim-exporter.yaml') },
      environment: {},
      workingFolder: FOLDER,
      scheduleFault: () => null,
      demo: { ...DEMO_JIM, storagePath: tmpdir() },
    });
    if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join('\n'));
    expect(loaded.warnings).toEqual([]);
    expect(loaded.config.alerting.alertmanagers.map(({ url }) => url)).toEqual([
      'http://alertmanager:9093',
    ]);
  });
});

describe('Grafana', () => {
  const mounts = mountsOf(compose.services.grafana);
  const provider = (
    readYaml('grafana', 'provisioning', 'dashboards', 'jim.yaml') as {
      providers: { type: string; allowUiUpdates: boolean; options: { path: string } }[];
    }
  ).providers[0];

  test('is given every dashboard of ours, where its provider looks, and nothing to change', () => {
    expect(provider).toMatchObject({ type: 'file', allowUiUpdates: false });
    const json = mounts.filter(({ target }) => target.endsWith('.json'));
    expect(json.map(({ target }) => posix.dirname(target))).toEqual(
      DASHBOARDS.map(() => provider?.options.path),
    );
    expect(json.map(({ source }) => resolve(FOLDER, source))).toEqual(
      DASHBOARDS.map(({ uid }) => join(REPOSITORY, 'dashboards', `${uid}.json`)),
    );
    expect(json.map(({ target }) => target)).toContain(
      compose.services.grafana.environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'],
    );
  });

  test('opens JIM’s page of an Activity from an exemplar, where the dashboards and the demo have JIM', () => {
    const [source] = (
      readYaml('grafana', 'provisioning', 'datasources', 'prometheus.yaml') as {
        datasources: {
          type: string;
          url: string;
          jsonData: {
            timeInterval: string;
            exemplarTraceIdDestinations: { name: string; url: string }[];
          };
        }[];
      }
    ).datasources;
    const dashboard = JSON.parse(
      readFileSync(join(REPOSITORY, 'dashboards', 'jim-overview.json'), 'utf8'),
    ) as { templating: { list: { name: string; query: string }[] } };
    const jimUrl = dashboard.templating.list.find(({ name }) => name === 'jim_url')?.query;
    expect(jimUrl).toBe(DEMO_JIM.url);
    expect(source?.jsonData.exemplarTraceIdDestinations).toEqual([
      expect.objectContaining({ name: 'activity_id', url: `${jimUrl}/activity/$\${__value.raw}` }),
    ]);
    expect(source).toMatchObject({ type: 'prometheus', url: 'http://prometheus:9090' });
    const prometheus = readYaml('prometheus.yaml') as { global: { scrape_interval: string } };
    expect(source?.jsonData.timeInterval).toBe(prometheus.global.scrape_interval);
  });
});

describe.each(PROGRAM_VERSIONS)('with the programs of Prometheus %d', (version) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'jim-compose-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('promtool accepts the configuration with our rules in their place', (context) => {
    const promtool = requireProgram(context, 'promtool', version);
    const config = readFileSync(join(FOLDER, 'prometheus.yaml'), 'utf8').replace(
      '/etc/prometheus/rules/*.yaml',
      join(REPOSITORY, 'alerts', '*.rules.yaml'),
    );
    writeFileSync(join(folder, 'prometheus.yaml'), config);
    const said = execFileSync(promtool, ['check', 'config', join(folder, 'prometheus.yaml')], {
      encoding: 'utf8',
    });
    expect(said).toMatch(/SUCCESS: \d+ rules found/);
  });

  test('Prometheus and Alertmanager know their flags', (context) => {
    const programs = [
      ['prometheus', compose.services.prometheus],
      ['prometheus-alertmanager', compose.services.alertmanager],
    ] as const;
    for (const [program, { command = [] }] of programs) {
      const help = helpOf(requireProgram(context, program, version));
      // Prometheus 3 lists a switch as --[no-]web.enable-lifecycle.
      const flags = command.map((flag) => flag.replace(/^--(.*?)(=.*)?$/s, '$1'));
      expect(flags.filter((flag) => !help.includes(flag))).toEqual([]);
    }
  });

  test('amtool accepts the Alertmanager’s configuration', (context) => {
    const amtool = requireProgram(context, 'amtool', version);
    const mount = bindMounts(compose.services.alertmanager)[0];
    const file = resolve(FOLDER, mount?.source ?? '');
    expect(execFileSync(amtool, ['check-config', file], { encoding: 'utf8' })).toContain('SUCCESS');
  });
});

/** Some programs end `--help` with 0 and write to stdout, others to stderr. */
function helpOf(program: string): string {
  return execFileSync('sh', ['-c', '"$0" --help 2>&1 || true', program], { encoding: 'utf8' });
}
