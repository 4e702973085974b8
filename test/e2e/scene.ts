/** The built program beside a simulated JIM on a port of its own, in a folder of its own; every test ends what it started. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startSimulatorServer } from '../../src/demo/server.ts';
import type { Simulator } from '../../src/demo/simulator.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import type { ExporterOptions, ExporterProcess } from '../exporter-process.ts';
import { runExporter, startExporter } from '../exporter-process.ts';
import { HR_SYSTEM, RUN } from '../poll/rows.ts';

const CONFIGURATION =
  'jim: { requests_per_minute: 6000 }\npoll: { schedule: "*/1 * * * * *", settle: 200ms, zero_hold: 1s }\nstorage: { path: ./data }\n';

export interface Scene {
  readonly folder: string;
  /** Where its state is. */
  readonly data: string;
  readonly stateFile: string;
  readonly world: World;
  readonly simulator: Simulator;
  start(environment?: Readonly<Record<string, string>>): ExporterProcess;
  /** One whole life, for those that must refuse to serve. */
  run(): ReturnType<typeof runExporter>;
  /** Serves until JIM was read once, then ends cleanly. */
  firstLook(): Promise<void>;
  /** Runs that ended ten seconds ago. */
  finishRuns(count: number): void;
  close(): Promise<void>;
}

export async function createScene(name: string): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), `jim-exporter-${name}-`));
  const world = new World({ seed: name, startMs: Date.now(), dialect: '0.14' });
  world.systems = [HR_SYSTEM];
  const simulator = createSimulator({ world, now: () => Date.now(), quirks: { rateLimit: false } });
  const server = await startSimulatorServer(simulator);
  writeFileSync(join(folder, 'jim.yaml'), CONFIGURATION);
  const started: ExporterProcess[] = [];
  const options = (environment: Readonly<Record<string, string>>): ExporterOptions => ({
    folder,
    args: ['--config.file=jim.yaml', '--web.listen-address=127.0.0.1:0'],
    environment: { JIM_URL: server.url, ...environment },
  });
  const scene: Scene = {
    folder,
    data: join(folder, 'data'),
    stateFile: join(folder, 'data', 'ledger.state'),
    world,
    simulator,
    start: (environment = { JIM_API_KEY: DEMO_API_KEY }) => {
      const exporter = startExporter(options(environment));
      started.push(exporter);
      return exporter;
    },
    run: () => runExporter(options({ JIM_API_KEY: DEMO_API_KEY })),
    firstLook: async () => {
      const exporter = scene.start();
      await eventually(exporter, (metrics) => metrics.includes('\njim_up 1'));
      exporter.kill('SIGTERM');
      await exporter.ended;
    },
    finishRuns: (count) => {
      const times = { executionTime: 1e6, totalActivityTime: 2e6 };
      for (let run = 0; run < count; run += 1)
        world.insert({ ...RUN, created: world.jimNow - 10e6, status: 'Complete', ...times });
    },
    close: async () => {
      for (const exporter of started) exporter.kill('SIGKILL');
      await Promise.all(started.map(({ ended }) => ended));
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return scene;
}

export async function scrape(exporter: ExporterProcess): Promise<string> {
  const [, address = ''] = await exporter.waitFor(/msg="Listening on" address=(\S+)/);
  return (await fetch(`http://${address}/metrics`)).text();
}

/** The sum over a family's series. */
export function sum(metrics: string, name: string): number {
  return [...metrics.matchAll(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'gm'))].reduce(
    (all, [, value]) => all + Number(value),
    0,
  );
}

/** Scrapes until one is right, or a minute has passed. */
export async function eventually(
  exporter: ExporterProcess,
  isRight: (metrics: string) => boolean,
): Promise<string> {
  let metrics = '';
  for (let attempt = 0; attempt < 400; attempt += 1) {
    metrics = await scrape(exporter);
    if (isRight(metrics)) return metrics;
    await wait(150);
  }
  return metrics;
}
