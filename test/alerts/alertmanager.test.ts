/** The Alertmanager example: valid, every alert reaches its receiver, and an outage silences what it explains. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { RealAlertmanager, until } from '../alertmanager/real.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram, requireProgram } from '../programs.ts';
import { ALERTS, ALERTS_FOLDER } from './rules-file.ts';

const run = promisify(execFile);
const PATH = join(ALERTS_FOLDER, 'alertmanager.example.yaml');
const TEXT = readFileSync(PATH, 'utf8');
const BRIDGE_ALERT = 'JimRunUnsuccessful';

const RECEIVERS: Readonly<Record<string, string>> = {
  critical: 'pager',
  warning: 'tickets',
  info: 'nobody',
};

/** Every alert of the rules, as a Prometheus with no name for the JIM sends it. */
const ROUTED = ALERTS.map(({ alert, labels: { severity } }) => ({
  alert,
  severity,
  receiver: alert === 'JimWatchdog' ? 'dead-mans-switch' : (RECEIVERS[severity] ?? ''),
}));
/** The same where the bridge tells of the JIM. */
const ROUTED_BESIDE_BRIDGE = [
  { alert: BRIDGE_ALERT, severity: 'critical', receiver: 'pager' },
  { alert: BRIDGE_ALERT, severity: 'warning', receiver: 'tickets' },
  { alert: 'JimRunFailed', severity: 'critical', receiver: 'nobody' },
  { alert: 'JimRunEndedWithErrors', severity: 'warning', receiver: 'nobody' },
  { alert: 'JimRunFailsRepeatedly', severity: 'critical', receiver: 'pager' },
  { alert: 'JimBridgeNotDelivering', severity: 'critical', receiver: 'pager' },
];
type Routed = (typeof ROUTED)[number];
type Labels = Readonly<Record<string, string>>;

function alone({ alert, severity }: Routed): Labels {
  return { alertname: alert, severity, instance: 'routed:10190' };
}
function besideBridge({ alert, severity }: Routed): Labels {
  return { alertname: alert, severity, jim: 'routed.example.com' };
}

describe.each(PROGRAM_VERSIONS)('amtool of Prometheus %d', (version) => {
  test('finds the example valid', async ({ skip }) => {
    const amtool = requireProgram({ skip }, 'amtool', version);
    const { stdout } = await run(amtool, ['check-config', PATH]);
    expect(stdout).toContain('SUCCESS');
  });

  test.for([
    besideBridge({ alert: BRIDGE_ALERT, severity: 'critical', receiver: '' }),
    alone({ alert: 'JimWatchdog', severity: 'info', receiver: '' }),
  ])('routes $alertname as an Alertmanager does', async (labels, { skip }) => {
    const amtool = requireProgram({ skip }, 'amtool', version);
    const { stdout } = await run(amtool, [
      'config',
      'routes',
      'test',
      `--config.file=${PATH}`,
      ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
    ]);
    expect(stdout.trim()).toBe(labels['jim'] === undefined ? 'dead-mans-switch' : 'pager');
  });
});

describe('the inhibitions', () => {
  const { inhibit_rules: rules } = z
    .object({
      inhibit_rules: z.array(
        z.object({
          source_matchers: z.array(z.string()),
          target_matchers: z.array(z.string()),
          equal: z.array(z.string()),
        }),
      ),
    })
    .parse(parse(TEXT));
  const known = [...ALERTS.map(({ alert }) => alert), BRIDGE_ALERT];
  /** The alerts that a list of matchers selects by name. */
  const selected = (matchers: readonly string[]) =>
    known.filter((name) =>
      matchers
        .filter((matcher) => matcher.startsWith('alertname'))
        .every((matcher) => matches(matcher, name)),
    );

  test('name only alerts that exist', () => {
    const words = rules
      .flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers])
      .filter((matcher) => matcher.startsWith('alertname') && !matcher.includes('.+'))
      .flatMap((matcher) => pattern(matcher).split('|'));
    expect(words.length).toBeGreaterThan(30);
    expect(words.filter((word) => !known.includes(word))).toEqual([]);
  });

  test('silence every alert about JIM while JIM is unreachable, and none about the exporter', () => {
    const [outage] = rules;
    expect(outage?.equal).toEqual(['job', 'instance']);
    expect(selected(outage?.source_matchers ?? [])).toContain('JimUnreachable');
    const aboutTheExporter = ALERTS.filter(
      ({ annotations }) => annotations.jim_url === undefined,
    ).map(({ alert }) => alert);
    expect(selected(outage?.target_matchers ?? [])).toEqual(
      ALERTS.map(({ alert }) => alert).filter((name) => !aboutTheExporter.includes(name)),
    );
  });

  test('let no alert silence itself', () => {
    for (const rule of rules) {
      const sources = selected(rule.source_matchers);
      expect(selected(rule.target_matchers).filter((name) => sources.includes(name))).toEqual([]);
    }
  });
});

const TARGET = { job: 'jim-exporter', instance: 'jim:10190' };
const HR_IMPORT = {
  connected_system: 'HR System',
  run_profile: 'Full Import',
  run_type: 'FullImport',
};

const STORIES = [
  {
    story: 'an outage of JIM silences its runs, not those of another JIM',
    alerts: [
      { alertname: 'JimUnreachable', severity: 'critical', ...TARGET },
      { alertname: 'JimRunFailed', severity: 'critical', ...TARGET, ...HR_IMPORT },
      {
        alertname: 'JimScheduledRunMissed',
        severity: 'critical',
        ...TARGET,
        schedule: 'Nightly',
      },
      { alertname: 'JimClocksApart', severity: 'warning', ...TARGET },
      {
        alertname: 'JimRunFailed',
        severity: 'critical',
        job: 'jim-exporter',
        instance: 'other:10190',
        ...HR_IMPORT,
      },
    ],
    silent: [1, 2],
  },
  {
    story: 'the bridge’s alert replaces the rule’s where both name the JIM',
    alerts: [
      {
        alertname: BRIDGE_ALERT,
        severity: 'critical',
        jim: 'jim.example.com',
        source: 'jim-exporter',
        ...HR_IMPORT,
      },
      {
        alertname: 'JimRunFailed',
        severity: 'critical',
        ...TARGET,
        jim: 'jim.example.com',
        ...HR_IMPORT,
      },
      {
        alertname: 'JimRunFailed',
        severity: 'critical',
        ...TARGET,
        jim: 'other.example.com',
        ...HR_IMPORT,
      },
      { alertname: 'JimRunFailed', severity: 'critical', ...TARGET, ...HR_IMPORT },
    ],
    silent: [1],
  },
  {
    story: 'repeated failures replace the single one of the same run profile',
    alerts: [
      { alertname: 'JimRunFailsRepeatedly', severity: 'critical', ...TARGET, ...HR_IMPORT },
      { alertname: 'JimRunFailed', severity: 'critical', ...TARGET, ...HR_IMPORT },
      {
        alertname: 'JimRunFailed',
        severity: 'critical',
        ...TARGET,
        ...HR_IMPORT,
        run_profile: 'Delta Import',
      },
    ],
    silent: [1],
  },
  {
    story: 'a failed import explains the green synchronisation of nothing',
    alerts: [
      { alertname: 'JimRunFailed', severity: 'critical', ...TARGET, ...HR_IMPORT },
      {
        alertname: 'JimSynchronisationFedByNothing',
        severity: 'warning',
        ...TARGET,
        connected_system: 'HR System',
        run_profile: 'Delta Sync',
        run_type: 'DeltaSynchronisation',
      },
      {
        alertname: 'JimSynchronisationFedByNothing',
        severity: 'warning',
        ...TARGET,
        connected_system: 'Badge',
        run_profile: 'Delta Sync',
        run_type: 'DeltaSynchronisation',
      },
    ],
    silent: [1],
  },
];

/** A story's JIMs are its own: all stories are told to one Alertmanager. */
function apart(story: number, labels: Labels): Labels {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => {
      const isOfOneJim = name === 'instance' || name === 'jim';
      return [name, isOfOneJim ? `${story}-${value}` : value];
    }),
  );
}

describe.each(PROGRAM_VERSIONS)('a real Alertmanager of Prometheus %d', (version) => {
  describe.skipIf(lacksProgram('prometheus-alertmanager', version))('is told of alerts', () => {
    let alertmanager: RealAlertmanager;
    const routed = [...ROUTED.map(alone), ...ROUTED_BESIDE_BRIDGE.map(besideBridge)];

    beforeAll(async () => {
      const program = findProgram('prometheus-alertmanager', version) ?? '';
      // Its receivers lead nowhere (the discard port of this host); these tests ask only what it would send.
      alertmanager = await RealAlertmanager.create(program, TEXT);
      await alertmanager.start();
      await post(alertmanager.url, routed);
      await until('it shows what is to be routed', async () =>
        isAllShown(await shown(alertmanager.url), routed),
      );
    });
    afterAll(() => alertmanager.dispose());

    async function expectReceiver(labels: Labels, receiver: string): Promise<void> {
      const alert = found(await shown(alertmanager.url), labels);
      expect(alert?.receivers.map(({ name }) => name)).toEqual([receiver]);
    }

    test.for(ROUTED)('routes $alert, $severity, to $receiver', (alert) =>
      expectReceiver(alone(alert), alert.receiver),
    );

    test.for(ROUTED_BESIDE_BRIDGE)(
      'routes $alert, $severity, where the bridge tells of the JIM, to $receiver',
      (alert) => expectReceiver(besideBridge(alert), alert.receiver),
    );

    test.for(STORIES)('$story', { timeout: 60_000 }, async ({ story, alerts, silent }) => {
      const mine = alerts.map((labels) =>
        apart(
          STORIES.findIndex((one) => one.story === story),
          labels,
        ),
      );
      await post(alertmanager.url, mine);
      let seen: readonly Shown[] = [];
      await until(
        () => `${JSON.stringify(seen, null, 1)} are as expected`,
        async () => {
          seen = await shown(alertmanager.url);
          return mine.every(
            (labels, index) => isInhibited(seen, labels) === silent.includes(index),
          );
        },
      );
      expect(mine.filter((labels) => isInhibited(seen, labels) === true)).toEqual(
        mine.filter((_, index) => silent.includes(index)),
      );
    });
  });
});

interface Shown {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: { readonly inhibitedBy: readonly string[] };
  readonly receivers: readonly { readonly name: string }[];
}

async function post(url: string, alerts: readonly Labels[]): Promise<void> {
  const answer = await fetch(`${url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts.map((labels) => ({ labels }))),
  });
  expect(answer.status).toBe(200);
}

async function shown(url: string): Promise<readonly Shown[]> {
  const answer = await fetch(`${url}/api/v2/alerts?inhibited=true`);
  return z
    .array(
      z.object({
        labels: z.record(z.string(), z.string()),
        status: z.object({ inhibitedBy: z.array(z.string()) }),
        receivers: z.array(z.object({ name: z.string() })),
      }),
    )
    .parse(await answer.json());
}

function found(all: readonly Shown[], labels: Labels): Shown | undefined {
  return all.find((alert) => isDeepStrictEqual(alert.labels, labels));
}
function isAllShown(all: readonly Shown[], alerts: readonly Labels[]): boolean {
  return alerts.every((labels) => found(all, labels) !== undefined);
}

/** Undefined where the alert is not shown at all. */
function isInhibited(all: readonly Shown[], labels: Labels): boolean | undefined {
  const alert = found(all, labels);
  return alert === undefined ? undefined : alert.status.inhibitedBy.length > 0;
}

/** `alertname =~ "A|B"` → `A|B`; `alertname = A` → `A`. */
function pattern(matcher: string): string {
  return matcher.replace(/^alertname\s*[!=~]+\s*/, '').replaceAll('"', '');
}
function matches(matcher: string, name: string): boolean {
  const whole = new RegExp(`^(?:${pattern(matcher)})$`).test(name);
  return matcher.includes('!=') ? !whole : whole;
}
