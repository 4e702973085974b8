/**
 * The whole story with the real program: a run fails, a person is paged, the exporter is killed, the run
 * succeeds while it is down, it starts again, and the person is told that it is over.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { MINIMUM_HOLD_MS } from '../../src/alertmanager/alerts.ts';
import { DELTA, HR, NIGHTLY } from '../../src/demo/company-set-up.ts';
import type { Company } from '../../src/demo/company.ts';
import { createCompany } from '../../src/demo/company.ts';
import { startSimulatorServer } from '../../src/demo/server.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { DEMO_API_KEY } from '../../src/demo/world.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import { RealAlertmanager, freePort, plainConfig, startReceiver, until } from './real.ts';
import type { Receiver } from './real.ts';
import { MINUTE } from './world.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PROGRAM = 'prometheus-alertmanager';
/** What has not been told by then is not told twice: two group intervals and a resend interval. */
const NOTHING_MORE_MS = 4_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A JIM on a real port, in which nothing happens but what the test says. */
class SimulatedJim {
  readonly company: Company;
  readonly url: string;
  /** How far its time was pushed ahead of ours. */
  #aheadMs: number;

  private constructor(company: Company, url: string, aheadMs: number) {
    this.company = company;
    this.url = url;
    this.#aheadMs = aheadMs;
  }

  static async start(): Promise<SimulatedJim> {
    const company = createCompany({
      seed: 'bridge',
      startMs: Date.now(),
      days: 1,
      dialect: '0.14',
      quiet: true,
    });
    for (const name of [NIGHTLY, DELTA]) company.incidents.setScheduleEnabled(name, false);
    const simulator = createSimulator({
      world: company.world,
      now: () => Date.now() + jim.#aheadMs,
    });
    const server = await startSimulatorServer(simulator);
    cleanups.push(() => server.close());
    const jim = new SimulatedJim(company, server.url, 0);
    jim.#pass();
    return jim;
  }

  /** Runs the import of HR System by hand, to its end. */
  import(how: 'fails' | 'succeeds'): void {
    const { incidents } = this.company;
    if (how === 'fails') incidents.failNextRun(HR, 'connector', 'FullImport');
    incidents.run(HR, 'FullImport');
    this.#pass();
  }

  /** Time enough for any run to end. */
  #pass(): void {
    this.#aheadMs += 60 * MINUTE;
    this.company.world.advanceTo(Date.now() + this.#aheadMs);
  }
}

/** The program under test, started from one configuration file. */
class ExporterProcess {
  readonly #folder = mkdtempSync(join(tmpdir(), 'jim-exporter-bridge-'));
  readonly #port: number;
  #child: ChildProcess | null = null;
  #log = '';

  constructor(jimUrl: string, alertmanagerUrls: readonly string[], port: number) {
    this.#port = port;
    writeFileSync(join(this.#folder, 'jim.key'), DEMO_API_KEY);
    writeFileSync(
      join(this.#folder, 'config.yaml'),
      `
jim: { url: '${jimUrl}', api_key_file: jim.key, external_url: 'https://jim.example/identity', requests_per_minute: 6000 }
poll: { schedule: '* * * * * *', settle: 1s }
storage: { path: data }
alerting:
  resend_interval: 5s
  alertmanagers: [${alertmanagerUrls.map((url) => `{ url: '${url}', timeout: 2s }`).join(', ')}]
`,
    );
    cleanups.push(async () => {
      await this.end('SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /** `clockAheadMs` sets the process's clock, and nobody else's, ahead. */
  async start(clockAheadMs = 0): Promise<void> {
    this.#child = this.#spawn(['--web.listen-address', `127.0.0.1:${this.#port}`], clockAheadMs);
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString('utf8');
    });
    await until(
      () => `the exporter sees JIM: ${this.#log}`,
      async () => (await this.metrics()).includes('\njim_up 1\n'),
    );
  }

  /** The exit code, or null for a killed process. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return null;
    const exited = new Promise<number | null>((resolve) => {
      child.once('exit', resolve);
    });
    child.kill(signal);
    return exited;
  }

  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#port}/metrics`)).text();
  }

  /** Another command of the program with the same configuration: its exit code and what it printed. */
  async run(command: string): Promise<{ readonly exitCode: number | null; readonly out: string }> {
    const child = this.#spawn([command], 0);
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
    });
    const exitCode = await new Promise<number | null>((resolve) => {
      child.once('close', resolve);
    });
    return { exitCode, out };
  }

  #spawn(args: readonly string[], clockAheadMs: number): ChildProcess {
    const shiftedClock = `const now = Date.now; Date.now = () => now() + ${clockAheadMs};`;
    return spawn(
      process.execPath,
      [
        ...(clockAheadMs === 0 ? [] : ['--import', `data:text/javascript,${shiftedClock}`]),
        MAIN,
        ...args,
        `--config.file=${join(this.#folder, 'config.yaml')}`,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '' } },
    );
  }
}

async function startAlertmanager(
  program: string,
): Promise<{ readonly alertmanager: RealAlertmanager; readonly told: Receiver }> {
  const told = await startReceiver();
  cleanups.push(() => told.close());
  const alertmanager = await RealAlertmanager.create(program, plainConfig(told.url));
  cleanups.push(() => alertmanager.dispose());
  await alertmanager.start();
  return { alertmanager, told };
}

const programs = PROGRAM_VERSIONS.filter((version) => !lacksProgram(PROGRAM, version)).map(
  (version) => findProgram(PROGRAM, version) ?? '',
);
const isBuilt = existsSync(MAIN);
if (!isBuilt && process.env['REQUIRE_E2E'] === '1')
  throw new Error(`${MAIN} is missing: npm run build`);

describe.skipIf(programs.length === 0 || !isBuilt)('the exporter as a process', () => {
  test('fails, pages, is killed, recovers while down, starts again, resolves: each told once, by every Alertmanager that lives', async () => {
    const alertmanagers = await Promise.all(programs.map(startAlertmanager));
    const deadPort = await freePort();
    const urls = alertmanagers.map(({ alertmanager }) => alertmanager.url);
    const jim = await SimulatedJim.start();
    const exporter = new ExporterProcess(
      jim.url,
      [`http://127.0.0.1:${deadPort}`, ...urls],
      await freePort(),
    );
    await exporter.start();

    jim.import('fails');
    await expectAllTold(alertmanagers, { firing: 1, resolved: 0 });
    for (const { told } of alertmanagers) {
      expect(told.notifications[0]?.alerts[0]).toMatchObject({
        labels: {
          alertname: 'JimRunUnsuccessful',
          jim: 'jim.example',
          connected_system: 'HR System',
          run_type: 'FullImport',
          severity: 'critical',
          source: 'jim-exporter',
        },
        annotations: {
          summary: 'Full Import of HR System failed',
          status: 'FailedWithError',
          activity_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        },
        generatorURL: expect.stringMatching(
          /^https:\/\/jim\.example\/identity\/activity\/[0-9a-f-]{36}$/,
        ),
      });
      expect(JSON.stringify(told.notifications)).not.toContain('error_message');
    }
    await until('the dead one is counted', async () => {
      const metrics = await exporter.metrics();
      return (
        metrics.includes('jim_exporter_alerts_firing{alert="JimRunUnsuccessful"} 1\n') &&
        urls.every((url) => count(metrics, new URL(url).host, 'sent') > 0) &&
        count(metrics, `127.0.0.1:${deadPort}`, 'failed') > 0
      );
    });

    await exporter.end('SIGKILL');
    jim.import('succeeds');
    // The minimum hold has passed when it starts again; nobody else's clock has moved.
    await exporter.start(MINIMUM_HOLD_MS + MINUTE);
    await expectAllTold(alertmanagers, { firing: 1, resolved: 1 });

    expect(await exporter.end('SIGTERM')).toBe(0);
    await expectAllTold(alertmanagers, { firing: 1, resolved: 1 });
  }, 90_000);

  test('a clean stop and a start resolve nothing and tell nothing anew', async () => {
    const alertmanagers = await Promise.all(programs.map(startAlertmanager));
    const jim = await SimulatedJim.start();
    const urls = alertmanagers.map(({ alertmanager }) => alertmanager.url);
    const exporter = new ExporterProcess(jim.url, urls, await freePort());
    await exporter.start();
    jim.import('fails');
    await expectAllTold(alertmanagers, { firing: 1, resolved: 0 });
    expect(await exporter.end('SIGTERM')).toBe(0);
    await exporter.start();
    await expectAllTold(alertmanagers, { firing: 1, resolved: 0 });
  }, 90_000);

  test('test-alert arrives at every Alertmanager, and says so', async () => {
    const alertmanagers = await Promise.all(programs.map(startAlertmanager));
    const urls = alertmanagers.map(({ alertmanager }) => alertmanager.url);
    const exporter = new ExporterProcess('http://127.0.0.1:9', urls, 0);
    const { exitCode, out } = await exporter.run('test-alert');
    for (const url of urls) expect(out).toContain(`${new URL(url).host}: accepted\n`);
    expect(exitCode).toBe(0);
    for (const { told } of alertmanagers) {
      await until('it was told', () => told.told().firing === 1);
      expect(told.notifications[0]?.alerts[0]?.labels).toMatchObject({
        alertname: 'JimExporterTest',
        test: 'true',
      });
    }
  }, 60_000);
});

async function expectAllTold(
  alertmanagers: readonly { readonly told: Receiver }[],
  expected: { readonly firing: number; readonly resolved: number },
): Promise<void> {
  for (const { told } of alertmanagers) {
    await until(
      () => `${JSON.stringify(told.told())} is ${JSON.stringify(expected)}`,
      () => told.told().firing >= expected.firing && told.told().resolved >= expected.resolved,
    );
  }
  await sleep(NOTHING_MORE_MS);
  for (const { told } of alertmanagers) expect(told.told()).toEqual(expected);
}

function count(metrics: string, alertmanager: string, result: string): number {
  const series = `jim_exporter_notifications_total{alertmanager="${alertmanager}",result="${result}"} `;
  const line = metrics.split('\n').find((candidate) => candidate.startsWith(series));
  return line === undefined ? 0 : Number(line.slice(series.length));
}
