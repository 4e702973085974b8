/** The built program, killed without warning at random instants while Activities stream: the totals stay exact. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NO_TOTALS } from '../../src/demo/row.ts';
import { createRandom } from '../../src/demo/random.ts';
import type { SimulatorServer } from '../../src/demo/server.ts';
import { startSimulatorServer } from '../../src/demo/server.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import type { ExporterProcess } from '../exporter-process.ts';
import { runExporter, startExporter } from '../exporter-process.ts';
import { RUN } from '../poll/rows.ts';

const KILLS = 100;
/** A kill falls somewhere into the first so many milliseconds of a life: start, poll, commit, publication. */
const LONGEST_LIFE_MS = 900;

let folder: string;
let server: SimulatorServer;
let world: World;
const started: ExporterProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jim-exporter-kill-'));
  world = new World({ seed: 'kill', startMs: Date.now(), dialect: '0.14' });
  const simulator = createSimulator({ world, now: () => Date.now(), quirks: { rateLimit: false } });
  server = await startSimulatorServer(simulator);
  writeFileSync(
    join(folder, 'jim.yaml'),
    'jim: { requests_per_minute: 6000 }\npoll: { schedule: "*/1 * * * * *", settle: 200ms, zero_hold: 1s }\nstorage: { path: ./data }\n',
  );
});

afterEach(async () => {
  for (const exporter of started.splice(0)) {
    exporter.kill('SIGKILL');
    await exporter.ended;
  }
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const options = (): Parameters<typeof startExporter>[0] => ({
  folder,
  args: ['--config.file=jim.yaml', '--web.listen-address=127.0.0.1:0'],
  environment: { JIM_URL: server.url, JIM_API_KEY: DEMO_API_KEY },
});

function start(): ExporterProcess {
  const exporter = startExporter(options());
  started.push(exporter);
  return exporter;
}

async function scrape(exporter: ExporterProcess): Promise<string> {
  const [, address = ''] = await exporter.waitFor(/msg="Listening on" address=(\S+)/);
  return (await fetch(`http://${address}/metrics`)).text();
}

function sum(metrics: string, name: string): number {
  return [...metrics.matchAll(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'gm'))].reduce(
    (all, [, value]) => all + Number(value),
    0,
  );
}

/** Polls until a scrape says so, or a minute has passed. */
async function eventually(
  exporter: ExporterProcess,
  isRight: (metrics: string) => boolean,
): Promise<string> {
  let metrics = '';
  for (let attempt = 0; attempt < 240; attempt += 1) {
    metrics = await scrape(exporter);
    if (isRight(metrics)) return metrics;
    await wait(250);
  }
  return metrics;
}

async function firstLook(): Promise<void> {
  const exporter = start();
  await eventually(exporter, (metrics) => metrics.includes('\njim_up 1'));
  exporter.kill('SIGTERM');
  expect(await exporter.ended).toBe(0);
}

describe('kill -9', () => {
  test(
    `at ${KILLS} random instants loses nothing and counts nothing twice`,
    { timeout: 300_000 },
    async () => {
      const seed = Date.now() % 1_000_000;
      const random = createRandom(seed);
      await firstLook();
      let ended = 0;
      let errors = 0;
      for (let kill = 0; kill < KILLS; kill += 1) {
        const exporter = start();
        const lifeMs = random.int(50, LONGEST_LIFE_MS);
        for (let runs = random.int(1, 4); runs > 0; runs -= 1) {
          const id = world.insert({
            ...RUN,
            targetName: random.pick(['Full Import', 'Delta Import', 'Export']),
          });
          const failed = random.int(0, 9);
          errors += failed;
          ended += 1;
          const row = world.row(id);
          world.at(Date.now() + random.int(0, 1_500), () => {
            const total = world.jimNow - (row?.created ?? world.jimNow);
            world.update(id, {
              status: random.pick(['Complete', 'FailedWithError', 'CompleteWithError']),
              executionTime: total,
              totalActivityTime: total,
              totals: { ...NO_TOTALS, Errors: failed },
            });
          });
        }
        await wait(lifeMs);
        exporter.kill('SIGKILL');
        await exporter.ended;
      }
      const last = start();
      const metrics = await eventually(last, (text) => sum(text, 'jim_runs_total') >= ended);
      await wait(3_000);
      const after = await scrape(last);
      expect({
        seed,
        runs: sum(after, 'jim_runs_total'),
        errors: sum(after, 'jim_run_errors_total'),
      }).toEqual({ seed, runs: ended, errors });
      expect(sum(metrics, 'jim_runs_total')).toBe(ended);
    },
  );
});

describe('a state file', () => {
  async function makeState(): Promise<{ readonly file: string; readonly text: string }> {
    await firstLook();
    const file = join(folder, 'data', 'ledger.state');
    return { file, text: readFileSync(file, 'utf8') };
  }

  test(
    'cut off anywhere, or with any byte changed, is refused and left alone',
    { timeout: 120_000 },
    async () => {
      const { file, text } = await makeState();
      const lengths = [0, 1, 30, Math.floor(text.length / 2), text.length - 1];
      const damaged = [
        ...lengths.map((length) => text.slice(0, length)),
        `${text.slice(0, 200)}${text[200] === '0' ? '1' : '0'}${text.slice(201)}`,
        text.replace('"version":1', '"version":2'),
      ];
      for (const bad of damaged) {
        writeFileSync(file, bad);
        const { code, stderr } = await runExporter(options());
        expect({
          code,
          says: /The (state )?file .* (is damaged|was written by another version|is not a state file)/.test(
            stderr,
          ),
        }).toEqual({ code: 1, says: true });
        expect(readFileSync(file, 'utf8')).toBe(bad);
      }
    },
  );

  test(
    'of a backup goes on from there: what finished since is counted once',
    { timeout: 120_000 },
    async () => {
      const { file, text } = await makeState();
      const finish = (): void => {
        for (let run = 0; run < 3; run += 1) {
          world.insert({
            ...RUN,
            created: world.jimNow - 10e6,
            status: 'Complete',
            executionTime: 1e6,
            totalActivityTime: 2e6,
          });
        }
      };
      finish();
      const first = start();
      await eventually(first, (metrics) => sum(metrics, 'jim_runs_total') === 3);
      first.kill('SIGTERM');
      await first.ended;
      finish();
      writeFileSync(file, text);
      const second = start();
      await eventually(second, (metrics) => sum(metrics, 'jim_runs_total') >= 6);
      await wait(2_500);
      expect(sum(await scrape(second), 'jim_runs_total')).toBe(6);
    },
  );

  test(
    'whose folder is removed fails polls with a sentence, and the exporter goes on serving',
    { timeout: 60_000 },
    async () => {
      const exporter = start();
      await eventually(exporter, (metrics) => metrics.includes('\njim_up 1'));
      rmSync(join(folder, 'data'), { recursive: true });
      world.insert({
        ...RUN,
        created: world.jimNow - 10e6,
        status: 'Complete',
        executionTime: 1e6,
        totalActivityTime: 2e6,
      });
      const metrics = await eventually(exporter, (text) =>
        /jim_exporter_poll_failures_total\{reason="storage"\} [1-9]/.test(text),
      );
      expect(metrics).toMatch(/jim_exporter_poll_failures_total\{reason="storage"\} [1-9]/);
      expect(sum(metrics, 'jim_runs_total')).toBe(0);
      expect(exporter.stderr()).toContain('nothing was counted');
    },
  );
});

describe('a key that JIM refuses', () => {
  test(
    'is told in the metric and the log, and healed by a new file without a restart',
    { timeout: 60_000 },
    async () => {
      writeFileSync(join(folder, 'jim.key'), 'jim_ak_wrong');
      const exporter = startExporter({
        ...options(),
        environment: { JIM_URL: server.url, JIM_API_KEY_FILE: 'jim.key' },
      });
      started.push(exporter);
      const refused = await eventually(exporter, (text) =>
        /poll_failures_total\{reason="unauthorized"\} [1-9]/.test(text),
      );
      expect(refused).toContain('\njim_up 0');
      expect(exporter.stderr()).toMatch(
        /level=error source=poll msg="poll failed" reason=unauthorized/,
      );
      expect(exporter.stderr()).not.toContain('jim_ak_wrong');
      writeFileSync(join(folder, 'jim.key'), DEMO_API_KEY);
      expect(await eventually(exporter, (text) => text.includes('\njim_up 1'))).toContain(
        '\njim_up 1',
      );
    },
  );
});
