/**
 * The whole story with the real program: a run fails, a person is paged, the exporter is stopped, started and
 * killed, the run succeeds while it is down, it starts again, and the person is told that it is over. And a storm.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
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
import { RUN } from '../poll/rows.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import { freePort } from '../free-port.ts';
import { RealAlertmanager, plainConfig, startReceiver, until } from './real.ts';
import type { Receiver } from './real.ts';
import { MINUTE } from './world.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PROGRAM = 'prometheus-alertmanager';
/** An alert ends by itself after four of these, which a restart on busy cores must not outlast. */
const RESEND_MS = 5_000;
/** What has not been told by then is not told twice: a resend interval and the group interval after it. */
const NOTHING_MORE_MS = RESEND_MS + 1_500;

/** Sets the process's clock, and nobody else's, ahead. */
function clockAhead(ms: number): string {
  return `const now = Date.now; Date.now = () => now() + ${ms};`;
}
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

  /** So many run profiles whose run failed, at once. */
  fail(profiles: number): void {
    const { world } = this.company;
    // Newer than all else that happened: rows that become visible late are read a page a poll.
    const created = world.jimNow - 5_000_000;
    for (let index = 0; index < profiles; index += 1) {
      world.insert({
        ...RUN,
        targetName: `Import ${index}`,
        status: 'FailedWithError',
        created: created + index,
        executed: created + index + 70_000,
        executionTime: 1_000_000,
        totalActivityTime: 2_000_000,
      });
    }
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
poll: { schedule: '* * * * * *', settle: 1s, max_label_sets: 2000 }
storage: { path: data }
alerting:
  resend_interval: ${RESEND_MS}ms
  alertmanagers: [${alertmanagerUrls.map((url) => `{ url: '${url}', timeout: 2s }`).join(', ')}]
`,
    );
    cleanups.push(async () => {
      await this.end('SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /** `preload` is code that the process runs before the program. */
  async start(preload = ''): Promise<void> {
    this.#child = this.#spawn(['--web.listen-address', `127.0.0.1:${this.#port}`], preload);
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString('utf8');
    });
    await until(
      () => `the exporter sees JIM: ${this.#log}`,
      async () => (await this.metrics()).includes('\njim_up 1\n'),
      40_000,
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
    const child = this.#spawn([command], '');
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
    });
    const exitCode = await new Promise<number | null>((resolve) => {
      child.once('close', resolve);
    });
    return { exitCode, out };
  }

  #spawn(args: readonly string[], preload: string): ChildProcess {
    return spawn(
      process.execPath,
      [
        ...(preload === '' ? [] : ['--import', `data:text/javascript,${preload}`]),
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
    await reachAllTold(alertmanagers, { firing: 1, resolved: 0 });
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

    // A clean stop and a start resolve nothing and tell nothing anew.
    expect(await exporter.end('SIGTERM')).toBe(0);
    await exporter.start();
    await expectAllTold(alertmanagers, { firing: 1, resolved: 0 });

    await exporter.end('SIGKILL');
    jim.import('succeeds');
    // The minimum hold has passed when it starts again; nobody else's clock has moved.
    await exporter.start(clockAhead(MINIMUM_HOLD_MS + MINUTE));
    await expectAllTold(alertmanagers, { firing: 1, resolved: 1 });
  }, 120_000);

  test('1,000 run profiles failing at once are delivered in batches within a resend interval, whatever hangs beside', async () => {
    const jim = await SimulatedJim.start();
    const well = await serveAlertmanager('answers');
    const hung = await serveAlertmanager('hangs');
    const exporter = new ExporterProcess(jim.url, [hung.url, well.url], await freePort());
    await exporter.start();
    jim.fail(1_000);
    const names = (): ReadonlySet<string | undefined> =>
      new Set(well.batches.flatMap(({ alerts }) => alerts.map(({ labels }) => labels.run_profile)));
    await until(
      () => `${names().size} of 1,000 are delivered`,
      () => names().size === 1_000,
      40_000,
    );
    const [first] = well.batches;
    const all = well.batches.find((_, index) => {
      const sent = well.batches.slice(0, index + 1).flatMap(({ alerts }) => alerts);
      return new Set(sent.map(({ labels }) => labels.run_profile)).size === 1_000;
    });
    expect((all?.atMs ?? Infinity) - (first?.atMs ?? 0)).toBeLessThan(RESEND_MS);
    expect(Math.max(...well.batches.map(({ alerts }) => alerts.length))).toBeLessThanOrEqual(256);
    // Rendering so many series takes a moment longer than delivering their alerts.
    await until('/metrics tells it, too', async () => {
      const metrics = await exporter.metrics();
      return (
        metrics.includes('jim_exporter_alerts_firing{alert="JimRunUnsuccessful"} 1000\n') &&
        count(metrics, new URL(well.url).host, 'sent') >= 1_000 &&
        count(metrics, new URL(hung.url).host, 'sent') === 0
      );
    });
  }, 120_000);

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
  }, 120_000);
});

type Told = { readonly firing: number; readonly resolved: number };

async function reachAllTold(
  alertmanagers: readonly { readonly told: Receiver }[],
  expected: Told,
): Promise<void> {
  for (const { told } of alertmanagers) {
    await until(
      () => `${JSON.stringify(told.told())} is ${JSON.stringify(expected)}`,
      () => told.told().firing >= expected.firing && told.told().resolved >= expected.resolved,
    );
  }
}

/** Exactly so many, now and after all that could still come has come. */
async function expectAllTold(
  alertmanagers: readonly { readonly told: Receiver }[],
  expected: Told,
): Promise<void> {
  await reachAllTold(alertmanagers, expected);
  await sleep(NOTHING_MORE_MS);
  for (const { told } of alertmanagers) expect(told.told()).toEqual(expected);
}

interface Batch {
  readonly atMs: number;
  readonly alerts: readonly { readonly labels: { readonly run_profile?: string } }[];
}

/** One that keeps what it is sent. */
async function serveAlertmanager(
  how: 'answers' | 'hangs',
): Promise<{ readonly url: string; readonly batches: readonly Batch[] }> {
  const batches: Batch[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      batches.push({ atMs: Date.now(), alerts: JSON.parse(body) as Batch['alerts'] });
      if (how === 'answers') response.end();
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}`, batches };
}

function count(metrics: string, alertmanager: string, result: string): number {
  const series = `jim_exporter_notifications_total{alertmanager="${alertmanager}",result="${result}"} `;
  const line = metrics.split('\n').find((candidate) => candidate.startsWith(series));
  return line === undefined ? 0 : Number(line.slice(series.length));
}
