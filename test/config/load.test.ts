import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import type { FlagValues } from '../../src/config/flags.ts';
import { formatFault, loadConfig } from '../../src/config/load.ts';
import type { LoadedConfig } from '../../src/config/load.ts';
import { scheduleFault } from '../../src/scheduler.ts';
import { BAD_CONFIGURATIONS, GOOD_JIM } from './bad-configurations.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-config-'));
  mkdirSync(join(folder, 'credentials'));
  write('key', 'jim_ak_from_file\n');
  write('other', 'jim_ak_other');
  write('empty', '\n');
  for (const name of ['key.pem', 'other.pem']) {
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    const out = ['-nodes', '-days', '2', '-subj', '/CN=jim', '-keyout', name, '-out', 'cert.pem'];
    execFileSync('openssl', [...request, ...(name === 'key.pem' ? out : replaced(out))], {
      cwd: folder,
      stdio: 'ignore',
    });
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The second key gets a certificate of its own, which nobody uses. */
function replaced(out: readonly string[]): readonly string[] {
  return out.map((word) => (word === 'cert.pem' ? 'unused.pem' : word));
}

function write(name: string, content: string): void {
  writeFileSync(join(folder, name), content);
}

interface Sources {
  readonly yaml?: string;
  readonly flags?: FlagValues;
  readonly environment?: Readonly<Record<string, string>>;
}

function load({ yaml, flags = {}, environment = {} }: Sources): LoadedConfig {
  if (yaml !== undefined) write('jim.yaml', yaml);
  const file = yaml === undefined ? {} : { 'config.file': 'jim.yaml' };
  return loadConfig({
    flags: { ...file, ...flags },
    environment,
    workingFolder: folder,
    scheduleFault,
  });
}

/** The configuration, which must be good. */
function good(sources: Sources): Config {
  const loaded = load(sources);
  expect(loaded.ok ? [] : loaded.faults.map(formatFault)).toEqual([]);
  if (!loaded.ok) throw new Error('unreachable');
  return loaded.config;
}

/** What must be there for anything to start. */
const JIM = { JIM_URL: 'https://jim.example.com', JIM_API_KEY: 'jim_ak_0123456789' };

describe('a bad configuration', () => {
  it('is told in at least 60 ways', () => {
    expect(BAD_CONFIGURATIONS.length).toBeGreaterThanOrEqual(60);
  });

  it.each(BAD_CONFIGURATIONS)('$rule: $faults.0', ({ yaml, flags, environment, faults }) => {
    const loaded = load({
      ...(yaml === undefined ? {} : { yaml }),
      flags: flags ?? {},
      environment: environment ?? {},
    });
    const told = loaded.ok ? [] : loaded.faults.map(formatFault);
    expect(told.map((line) => line.replaceAll(folder, 'FOLDER'))).toEqual(faults);
    expect(told.join('\n')).not.toMatch(/secret(?! into it)/);
  });
});

describe('a good configuration', () => {
  it('has these defaults', () => {
    const { jim, ...rest } = good({ environment: JIM });
    expect({ ...jim, apiKey: jim.apiKey.read() }).toEqual({
      url: 'https://jim.example.com',
      apiKey: 'jim_ak_0123456789',
      externalUrl: 'https://jim.example.com',
      timeoutMs: 30_000,
      requestsPerMinute: 120,
      tls: {
        caFile: null,
        certFile: null,
        keyFile: null,
        serverName: null,
        insecureSkipVerify: false,
      },
      proxyUrl: null,
    });
    expect(rest).toEqual({
      poll: {
        schedule: '*/15 * * * * *',
        settleMs: 5_000,
        overlapMs: 900_000,
        lookbackMs: 691_200_000,
        lookbackPages: 50,
        openLimitMs: 604_800_000,
        zeroHoldMs: 120_000,
        seriesRetentionMs: 3_024_000_000,
        maxLabelSets: 500,
      },
      collectors: {
        progress: { enabled: true },
        workerTasks: { enabled: true },
        health: { enabled: true },
        runStats: 'auto',
        errorTypes: { enabled: true },
        failureCauses: { enabled: true },
        schedules: { enabled: true, schedule: '0 * * * * *' },
        inventory: { enabled: true, schedule: '0 */10 * * * *' },
        certificates: { enabled: true, schedule: '0 0 * * * *' },
      },
      storage: { path: join(folder, 'data') },
      alerting: {
        alertmanagers: [],
        severities: { FailedWithError: 'critical', CompleteWithError: 'warning' },
        resendIntervalMs: 60_000,
        resolveAfterMs: null,
        includeErrorMessage: false,
        labels: { source: 'jim-exporter' },
      },
      web: {
        listenAddresses: [{ text: ':10190', host: null, port: 10190 }],
        telemetryPath: '/metrics',
        configFile: null,
        maxRequests: 40,
        disableExporterMetrics: false,
        enableLifecycle: false,
      },
      log: { level: 'info', format: 'logfmt' },
    });
  });

  it('can set everything that the design lists', () => {
    const config = good({
      yaml: `
jim:
  url: https://jim.example.com/base/
  api_key_file: key
  external_url: https://jim.example.org/
  timeout: 1m30s
  requests_per_minute: 60
  tls_config: { ca_file: cert.pem, cert_file: cert.pem, key_file: key.pem, server_name: jim, insecure_skip_verify: false }
  proxy_url: http://me:pw@proxy:3128
poll:
  { schedule: "0 * * * * *", settle: 300ms, overlap: 1h, lookback: 1w, lookback_pages: 7,
    open_limit: 1d12h, zero_hold: 0, series_retention: 1y, max_label_sets: 10 }
collectors:
  progress: { enabled: false }
  worker_tasks: { enabled: false }
  health: { enabled: false }
  run_stats: never
  error_types: { enabled: false }
  failure_causes: { enabled: false }
  schedules: { enabled: false }
  inventory: { enabled: true, schedule: "0 */20 * * * *" }
  certificates: { schedule: "0 30 6 * * *" }
storage: { path: state }
alerting:
  alertmanagers:
    - { url: "http://am:9093/path/", timeout: 5s, basic_auth: { username: me, password_file: key } }
    - { url: "https://other", authorization: { credentials: token }, proxy_url: "http://proxy:3128" }
  severities: { FailedWithError: page, Cancelled: info }
  resend_interval: 30s
  resolve_after: 2d
  include_error_message: true
  labels: { team: identity }
`,
      flags: {
        'web.listen-address': ['127.0.0.1:0', '[::1]:9000'],
        'web.telemetry-path': '/jim/metrics',
        'web.config.file': 'key',
        'web.max-requests': '0',
        'web.disable-exporter-metrics': true,
        'web.enable-lifecycle': true,
        'log.level': 'debug',
        'log.format': 'json',
      },
    });
    expect(config.jim).toMatchObject({
      url: 'https://jim.example.com/base',
      externalUrl: 'https://jim.example.org',
      timeoutMs: 90_000,
      requestsPerMinute: 60,
      tls: {
        caFile: join(folder, 'cert.pem'),
        certFile: join(folder, 'cert.pem'),
        keyFile: join(folder, 'key.pem'),
        serverName: 'jim',
        insecureSkipVerify: false,
      },
    });
    expect(config.jim.proxyUrl?.read()).toBe('http://me:pw@proxy:3128/');
    expect(config.poll).toEqual({
      schedule: '0 * * * * *',
      settleMs: 300,
      overlapMs: 3_600_000,
      lookbackMs: 604_800_000,
      lookbackPages: 7,
      openLimitMs: 129_600_000,
      zeroHoldMs: 0,
      seriesRetentionMs: 31_536_000_000,
      maxLabelSets: 10,
    });
    expect(config.collectors).toEqual({
      progress: { enabled: false },
      workerTasks: { enabled: false },
      health: { enabled: false },
      runStats: 'never',
      errorTypes: { enabled: false },
      failureCauses: { enabled: false },
      schedules: { enabled: false, schedule: '0 * * * * *' },
      inventory: { enabled: true, schedule: '0 */20 * * * *' },
      certificates: { enabled: true, schedule: '0 30 6 * * *' },
    });
    expect(config.storage).toEqual({ path: join(folder, 'state') });
    const [first, second] = config.alerting.alertmanagers;
    expect(first).toMatchObject({
      url: 'http://am:9093/path',
      timeoutMs: 5_000,
      authorization: null,
    });
    expect(first?.basicAuth?.username).toBe('me');
    expect(first?.basicAuth?.password.read()).toBe('jim_ak_from_file');
    expect(second).toMatchObject({ url: 'https://other', timeoutMs: 10_000, basicAuth: null });
    expect(second?.authorization?.type).toBe('Bearer');
    expect(second?.authorization?.credentials.read()).toBe('token');
    expect(config.alerting).toMatchObject({
      severities: { FailedWithError: 'page', Cancelled: 'info' },
      resendIntervalMs: 30_000,
      resolveAfterMs: 172_800_000,
      includeErrorMessage: true,
      labels: { team: 'identity' },
    });
    expect(config.web).toEqual({
      listenAddresses: [
        { text: '127.0.0.1:0', host: '127.0.0.1', port: 0 },
        { text: '[::1]:9000', host: '::1', port: 9000 },
      ],
      telemetryPath: '/jim/metrics',
      configFile: join(folder, 'key'),
      maxRequests: 0,
      disableExporterMetrics: true,
      enableLifecycle: true,
    });
    expect(config.log).toEqual({ level: 'debug', format: 'json' });
  });

  it('may be an empty file, or sections with nothing below them', () => {
    expect(good({ yaml: '', environment: JIM }).poll.maxLabelSets).toBe(500);
    expect(good({ yaml: 'jim:\npoll:\nalerting:\n', environment: JIM }).alerting.labels).toEqual({
      source: 'jim-exporter',
    });
  });
});

describe('precedence', () => {
  const yaml = `jim:\n  url: https://file\n  api_key: jim_ak_file\npoll: { schedule: "3 * * * * *" }\n`;

  it('is flag, environment, file, default', () => {
    expect(good({ yaml }).jim.url).toBe('https://file');
    const environment = { JIM_URL: 'https://environment' };
    expect(good({ yaml, environment }).jim.url).toBe('https://environment');
    const flags = { 'jim.url': 'https://flag' };
    expect(good({ yaml, environment, flags }).jim.url).toBe('https://flag');
    expect(good({ yaml }).poll.schedule).toBe('3 * * * * *');
    const long = { JIM_EXPORTER_POLL_SCHEDULE: '7 * * * * *' };
    expect(good({ yaml, environment: long }).poll.schedule).toBe('7 * * * * *');
  });

  it('holds for the key as a whole, whichever of its forms is used', () => {
    const key = (sources: Sources): string => good({ yaml, ...sources }).jim.apiKey.read();
    expect(key({})).toBe('jim_ak_file');
    expect(key({ environment: { JIM_API_KEY: 'jim_ak_variable' } })).toBe('jim_ak_variable');
    expect(key({ environment: { JIM_API_KEY_FILE: 'key' } })).toBe('jim_ak_from_file');
    const flags = { 'jim.api-key-file': 'other' };
    expect(key({ flags, environment: { JIM_API_KEY: 'jim_ak_variable' } })).toBe('jim_ak_other');
    const file = yaml.replace('api_key: jim_ak_file', 'api_key_file: key');
    expect(key({ yaml: file, environment: { JIM_API_KEY: 'jim_ak_variable' } })).toBe(
      'jim_ak_variable',
    );
  });

  it('hides a bad value of the file behind a good one before it', () => {
    const bad = yaml.replace('https://file', 'nonsense');
    expect(good({ yaml: bad, environment: { JIM_URL: 'https://a' } }).jim.url).toBe('https://a');
  });
});

describe('the environment', () => {
  it('may say the same twice, or nothing', () => {
    const environment = { ...JIM, JIM_EXPORTER_JIM_URL: JIM.JIM_URL, JIM_API_KEY_FILE: '' };
    expect(good({ environment }).jim.url).toBe(JIM.JIM_URL);
  });

  it('can ask for no storage, which an empty variable of any other name cannot', () => {
    expect(
      good({ environment: { ...JIM, JIM_EXPORTER_STORAGE_PATH: '' } }).storage.path,
    ).toBeNull();
    expect(
      good({ environment: { ...JIM, JIM_EXPORTER_WEB_TELEMETRY_PATH: '' } }).web.telemetryPath,
    ).toBe('/metrics');
  });

  it('is not misread where Kubernetes describes a Service named jim-exporter in it', () => {
    const environment = {
      ...JIM,
      JIM_EXPORTER_SERVICE_HOST: '10.0.0.1',
      JIM_EXPORTER_SERVICE_PORT: '10190',
      JIM_EXPORTER_SERVICE_PORT_METRICS: '10190',
      JIM_EXPORTER_PORT: 'tcp://10.0.0.1:10190',
      JIM_EXPORTER_PORT_10190_TCP: 'tcp://10.0.0.1:10190',
      JIM_EXPORTER_PORT_10190_TCP_ADDR: '10.0.0.1',
      JIM_EXPORTER_WEB_SERVICE_HOST: '10.0.0.2',
    };
    expect(good({ environment }).web.listenAddresses).toHaveLength(1);
  });

  it("gives systemd's credential jim_api_key where no other key is set", () => {
    write('credentials/jim_api_key', 'jim_ak_systemd');
    const environment = {
      JIM_URL: JIM.JIM_URL,
      CREDENTIALS_DIRECTORY: join(folder, 'credentials'),
    };
    expect(good({ environment }).jim.apiKey.read()).toBe('jim_ak_systemd');
    expect(
      good({ environment: { ...environment, JIM_API_KEY: 'jim_ak_variable' } }).jim.apiKey.read(),
    ).toBe('jim_ak_variable');
  });
});

describe('secrets', () => {
  it('are read anew each time from a file', () => {
    write('rotating', 'jim_ak_first\n');
    const { apiKey } = good({
      environment: { ...JIM, JIM_API_KEY: '' },
      flags: { 'jim.api-key-file': 'rotating' },
    }).jim;
    expect(apiKey.read()).toBe('jim_ak_first');
    write('rotating', 'jim_ak_second\n');
    expect(apiKey.read()).toBe('jim_ak_second');
    rmSync(join(folder, 'rotating'));
    expect(() => apiKey.read()).toThrow(
      `${join(folder, 'rotating')} cannot be read (there is no such file)`,
    );
  });

  it('show nowhere, however a configuration is printed', () => {
    const config = good({
      yaml: `jim:\n  url: https://jim\n  api_key: jim_ak_hidden\n  proxy_url: http://u:hidden@proxy\nalerting:\n  alertmanagers: [{ url: "http://am", basic_auth: { username: u, password: hidden } }]\n`,
    });
    const printed = [
      JSON.stringify(config),
      inspect(config, { depth: 9, showHidden: true, getters: true }),
      String(config.jim.apiKey),
      String(config.jim.proxyUrl),
    ].join('\n');
    expect(printed).not.toContain('hidden');
    expect(JSON.parse(JSON.stringify(config)).jim.apiKey).toBe('<secret>');
  });
});

describe('warnings', () => {
  const warnings = (sources: Sources): readonly string[] => {
    const loaded = load(sources);
    return loaded.ok ? loaded.warnings.map(formatFault) : ['faults'];
  };

  it.each<[string, Sources, readonly string[]]>([
    ['nothing unusual', { yaml: GOOD_JIM }, []],
    [
      'a key over plain HTTP',
      { yaml: GOOD_JIM, flags: { 'jim.url': 'http://jim' } },
      ["jim.url: is http://, so the API key, which is an Administrator's, travels unencrypted"],
    ],
    ['within the machine', { yaml: GOOD_JIM, flags: { 'jim.url': 'http://127.0.0.1:5200' } }, []],
    [
      'no verification',
      {
        yaml: `${GOOD_JIM}  tls_config: { insecure_skip_verify: true }\nalerting:\n  alertmanagers: [{ url: "https://am", tls_config: { insecure_skip_verify: true } }]\n`,
      },
      [
        'jim.tls_config.insecure_skip_verify: is on: anybody in between can read the API key',
        'alerting.alertmanagers[0].tls_config.insecure_skip_verify: is on: anybody in between can read the alerts',
      ],
    ],
    [
      'no storage',
      { yaml: `${GOOD_JIM}storage: { path: "" }\n` },
      ['storage.path: is empty: a restart forgets all counts'],
    ],
    [
      'no storage for alerts',
      {
        yaml: `${GOOD_JIM}storage: { path: "" }\nalerting: { alertmanagers: [{ url: "http://am" }] }\n`,
      },
      ['storage.path: is empty: a restart forgets all counts and what alerts were firing'],
    ],
  ])('%s', (_, sources, expected) => {
    expect(warnings(sources)).toEqual(expected);
  });
});

describe('the demo', () => {
  it('puts its own JIM before everything, and its storage behind everything', () => {
    const demo = {
      url: 'http://jim.demo.invalid',
      apiKey: 'jim_ak_demo',
      storagePath: 'demo-data',
    };
    const sources = {
      flags: {},
      environment: { ...JIM },
      workingFolder: folder,
      scheduleFault,
      demo,
    };
    const loaded = loadConfig(sources);
    expect(loaded.ok && loaded.config.jim.url).toBe(demo.url);
    expect(loaded.ok && loaded.config.jim.apiKey.read()).toBe(demo.apiKey);
    expect(loaded.ok && loaded.config.storage.path).toBe(join(folder, 'demo-data'));
    expect(loaded.ok && loaded.warnings).toEqual([]);
    const own = loadConfig({
      ...sources,
      flags: { 'storage.path': 'mine', 'jim.api-key-file': 'key' },
    });
    expect(own.ok && own.config.storage.path).toBe(join(folder, 'mine'));
    expect(own.ok && own.config.jim.apiKey.read()).toBe(demo.apiKey);
  });
});
