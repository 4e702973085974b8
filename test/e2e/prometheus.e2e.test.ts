/** A real Prometheus scrapes the built program: up, hostile names, both formats, exemplars, and the first failure ever is seen. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../free-port.ts';
import { startSimulatorServer } from '../../src/demo/server.ts';
import type { SimulatorServer } from '../../src/demo/server.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import type { ExporterProcess } from '../exporter-process.ts';
import { startExporter } from '../exporter-process.ts';
import { RUN } from '../poll/rows.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';

/** A quote, a backslash and a newline. */
const HOSTILE = 'Badge "Office" \\ System\nEast';

let folder: string;
let server: SimulatorServer;
let world: World;
let exporter: ExporterProcess;
let prometheus: ChildProcess | null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jim-exporter-scrape-'));
  world = new World({ seed: 'scrape', startMs: Date.now(), dialect: '0.14' });
  server = await startSimulatorServer(
    createSimulator({ world, now: () => Date.now(), quirks: { rateLimit: false } }),
  );
  // Its inventory would show the run profile before it ran, or let go of it at a full ten minutes.
  writeFileSync(
    join(folder, 'jim.yaml'),
    'jim: { requests_per_minute: 6000 }\npoll: { schedule: "*/1 * * * * *", settle: 200ms, zero_hold: 4s }\nstorage: { path: ./data }\ncollectors: { inventory: { enabled: false } }\n',
  );
  exporter = startExporter({
    folder,
    args: ['--config.file=jim.yaml', '--web.listen-address=127.0.0.1:0'],
    environment: { JIM_URL: server.url, JIM_API_KEY: DEMO_API_KEY },
  });
  prometheus = null;
});

afterEach(async () => {
  if (prometheus !== null) {
    const child = prometheus;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  exporter.kill('SIGKILL');
  await exporter.ended;
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function scrapeWith(
  program: string,
  target: string,
  protocols: string,
): Promise<(query: string) => Promise<readonly Answer[]>> {
  const port = await freePort();
  const config = join(folder, 'prometheus.yaml');
  const job = `{ job_name: jim, scrape_interval: 1s, ${protocols} static_configs: [{ targets: ['${target}'] }] }`;
  writeFileSync(config, `scrape_configs:\n  - ${job}\n`);
  prometheus = spawn(
    program,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  return async (query) => {
    const answer = await fetch(
      `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`,
    ).catch(() => null);
    if (answer === null || !answer.ok) return [];
    const body = (await answer.json()) as { readonly data: { readonly result: readonly Answer[] } };
    return body.data.result;
  };
}

interface Answer {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function until<T>(ask: () => Promise<T>, isRight: (answer: T) => boolean): Promise<T> {
  let answer = await ask();
  for (let attempt = 0; attempt < 160 && !isRight(answer); attempt += 1) {
    await wait(250);
    answer = await ask();
  }
  return answer;
}

const run = { ...RUN, targetContext: HOSTILE };

describe.each(PROGRAM_VERSIONS)('Prometheus %i', (version) => {
  test.skipIf(lacksProgram('prometheus', version))(
    'sees us up, the hostile name intact, and the first failure ever of a run profile as one',
    { timeout: 120_000 },
    async () => {
      const [, target = ''] = await exporter.waitFor(/msg="Listening on" address=(\S+)/);
      const ask = await scrapeWith(findProgram('prometheus', version) ?? '', target, '');
      expect(
        await until(
          () => ask('up{job="jim"}'),
          ([answer]) => answer?.value[1] === '1',
        ),
      ).toMatchObject([{ value: [expect.anything(), '1'] }]);
      await until(
        () => ask('jim_up'),
        ([answer]) => answer?.value[1] === '1',
      );

      const id = world.insert(run);
      await wait(300);
      world.advanceTo(Date.now());
      world.update(id, {
        status: 'FailedWithError',
        executionTime: 200_000,
        totalActivityTime: 250_000,
      });
      const failed = 'jim_runs_total{status="FailedWithError"}';
      const [counted] = await until(
        () => ask(failed),
        ([answer]) => answer?.value[1] === '1',
      );
      expect(counted?.metric['connected_system']).toBe(HOSTILE);
      await wait(2_000);
      // Two samples a second apart surround the step, so Prometheus extrapolates by at most a sample at either end of
      // the minute: a little above one, never nothing and never two.
      const [increase] = await ask('increase(jim_runs_total{status="FailedWithError"}[1m])');
      expect(Number(increase?.value[1])).toBeGreaterThanOrEqual(1);
      expect(Number(increase?.value[1])).toBeLessThan(1.5);
      const [resets] = await ask(
        'max(max_over_time(jim_runs_total{status="FailedWithError"}[1m]) - min_over_time(jim_runs_total{status="FailedWithError"}[1m]))',
      );
      expect(resets?.value[1]).toBe('1');
    },
  );

  test.skipIf(lacksProgram('promtool', version))(
    'promtool finds nothing on the live output',
    { timeout: 60_000 },
    async () => {
      const [, target = ''] = await exporter.waitFor(/msg="Listening on" address=(\S+)/);
      const live = await until(
        async () => (await fetch(`http://${target}/metrics`)).text(),
        (text) => text.includes('\njim_up 1'),
      );
      const said = execFileSync(findProgram('promtool', version) ?? '', ['check', 'metrics'], {
        input: live,
        encoding: 'utf8',
      });
      expect(said).toBe('');
    },
  );
});

describe.skipIf(lacksProgram('prometheus', 3))(
  'Prometheus 3, asked for one format at a time',
  () => {
    test.each(['PrometheusText0.0.4', 'OpenMetricsText1.0.0'])(
      'scrapes %s',
      { timeout: 60_000 },
      async (protocol) => {
        const [, target = ''] = await exporter.waitFor(/msg="Listening on" address=(\S+)/);
        const ask = await scrapeWith(
          findProgram('prometheus', 3) ?? '',
          target,
          `scrape_protocols: ['${protocol}'],`,
        );
        expect(
          await until(
            () => ask('up{job="jim"}'),
            ([answer]) => answer?.value[1] === '1',
          ),
        ).toMatchObject([{ value: [expect.anything(), '1'] }]);
        const [series] = await until(
          () => ask('count({__name__=~"jim_.*"})'),
          ([answer]) => Number(answer?.value[1] ?? 0) > 50,
        );
        expect(Number(series?.value[1])).toBeGreaterThan(50);
      },
    );
  },
);
