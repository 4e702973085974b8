/** The built program, killed without warning at random instants while Activities stream: the totals stay exact. */
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Random } from '../../src/demo/random.ts';
import { createRandom } from '../../src/demo/random.ts';
import { NO_TOTALS } from '../../src/demo/row.ts';
import { RUN } from '../poll/rows.ts';
import type { Scene } from './scene.ts';
import { createScene, eventually, scrape, sum } from './scene.ts';

/** Exporters killed side by side, each with a JIM and a folder of its own: two, as CI has two cores. */
const LANES = [1, 2];
const KILLS_PER_LANE = 50;
/** A kill falls so soon after the start: into reading the state, taking the lock, listening. */
const LONGEST_START_MS = 400;
/** Or so soon after the first request: into polls, commits and publications. */
const LONGEST_WORK_MS = 250;

test(
  `kill -9 at ${LANES.length * KILLS_PER_LANE} random instants loses nothing and counts nothing twice`,
  { timeout: 600_000 },
  async () => {
    const seed = Date.now() % 1_000_000;
    const outcomes = await Promise.all(LANES.map((lane) => killOften(`kill-${seed}-${lane}`)));
    for (const { shown, true: truth } of outcomes)
      expect({ seed, ...shown }).toEqual({ seed, ...truth });
  },
);

interface Totals {
  readonly runs: number;
  readonly errors: number;
}

async function killOften(name: string): Promise<{ readonly shown: Totals; readonly true: Totals }> {
  const scene = await createScene(name);
  try {
    const random = createRandom(name);
    await scene.firstLook();
    const ended = { runs: 0, errors: 0 };
    for (let kill = 0; kill < KILLS_PER_LANE; kill += 1) {
      const isInWork = random.chance(0.6);
      const asked = firstRequest(scene);
      const exporter = scene.start();
      for (let runs = random.int(1, 4); runs > 0; runs -= 1) {
        ended.runs += 1;
        ended.errors += beginRun(scene, random);
      }
      // Whoever never asks is killed all the same.
      if (isInWork) await Promise.race([asked, wait(5_000, undefined, { ref: false })]);
      await wait(random.int(0, isInWork ? LONGEST_WORK_MS : LONGEST_START_MS));
      exporter.kill('SIGKILL');
      await exporter.ended;
    }
    const last = scene.start();
    await eventually(last, (text) => sum(text, 'jim_runs_total') >= ended.runs);
    // What was counted twice would show in the next polls.
    await wait(2_500);
    const metrics = await scrape(last);
    const shown = {
      runs: sum(metrics, 'jim_runs_total'),
      errors: sum(metrics, 'jim_run_errors_total'),
    };
    return { shown, true: ended };
  } finally {
    await scene.close();
  }
}

function firstRequest({ simulator }: Scene): Promise<void> {
  return new Promise((resolve) => {
    const unhook = simulator.onRequest(() => {
      unhook();
      resolve();
    });
  });
}

/** A run that ends within a second and a half; returns its errors. */
function beginRun({ world }: Scene, random: Random): number {
  const targetName = random.pick(['Full Import', 'Delta Import', 'Export']);
  const status = random.pick(['Complete', 'FailedWithError', 'CompleteWithError']);
  const errors = random.int(0, 9);
  const id = world.insert({ ...RUN, targetName });
  const created = world.row(id)?.created ?? world.jimNow;
  world.after(random.int(0, 1_500), () => {
    const total = world.jimNow - created;
    const times = { executionTime: total, totalActivityTime: total };
    world.update(id, { status, ...times, totals: { ...NO_TOTALS, Errors: errors } });
  });
  return errors;
}
