/**
 * A long life in virtual time: what the exporter keeps must not grow with it. JIM works all day, its retention deletes
 * what is old, Prometheus scrapes. CI lives through a few days; `npm run soak:memory` through a month.
 */
import { expect, test } from 'vitest';
import { createRandom } from '../../src/demo/random.ts';
import { NO_TOTALS } from '../../src/demo/row.ts';
import { World } from '../../src/demo/world.ts';
import { bytesOf } from '../ledger/bytes-of.ts';
import { keptMegabytes } from '../garbage.ts';
import { createRig, runsCounted, START_MS } from '../poll/rig.ts';
import { RUN } from '../poll/rows.ts';

const DAY_MS = 86_400_000;
/** By then the longest memory is full: of the 10,000 counted ids that are kept. */
const WARM_UP_DAYS = 2;
const DAYS = Number(process.env['SOAK_DAYS'] ?? 3);
const POLL_MS = 20 * 60_000;
/** Finished between two polls: 7,200 a day, as a very large JIM may have. */
const RUNS_A_POLL = 100;
/** What differs between two collections of garbage. Twenty bytes left of each run would be more in a month. */
const NOISE_MB = 4;

test(`${DAYS} days leave no more behind than ${WARM_UP_DAYS}`, { timeout: 3_600_000 }, async () => {
  const random = createRandom('soak');
  const world = new World({
    seed: 'soak',
    startMs: START_MS,
    dialect: '0.14',
    keepsTruth: false,
  });
  const rig = await createRig({ world });
  let alive: { readonly id: string; readonly bornMs: number }[] = [];
  const work = (): void => {
    const id = world.insert({
      ...RUN,
      targetName: `Import ${random.int(1, 40)}`,
      created: world.jimNow - 10e6,
      status: random.pick(['Complete', 'Complete', 'CompleteWithError', 'FailedWithError']),
      executionTime: 1e6,
      totalActivityTime: 2e6,
      totals: { ...NO_TOTALS, Added: random.int(0, 50), Errors: random.int(0, 3) },
    });
    alive.push({ id, bornMs: rig.nowMs() });
  };
  const clearUp = (): void => {
    const isOld = ({ bornMs }: { readonly bornMs: number }): boolean =>
      bornMs < rig.nowMs() - DAY_MS;
    for (const { id } of alive.filter(isOld)) world.remove(id);
    alive = alive.filter((run) => !isOld(run));
  };

  await rig.poll();
  const days = [];
  for (let endMs = START_MS + DAY_MS; days.length < DAYS; endMs += DAY_MS) {
    while (rig.nowMs() < endMs) {
      for (let run = 0; run < RUNS_A_POLL; run += 1) work();
      await rig.poll();
      rig.scrape();
      rig.pass(POLL_MS);
    }
    clearUp();
    days.push({
      heapMb: Math.round(keptMegabytes() * 10) / 10,
      rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
      countedIds: rig.ledger().counted.size,
      stateBytes: (await bytesOf(rig.ledger())).length,
      lines: rig.scrape()?.split('\n').length ?? 0,
      runs: runsCounted(rig),
    });
  }
  if (process.env['SOAK_DAYS'] !== undefined) console.table(days);

  const [warm, last] = [days[WARM_UP_DAYS - 1], days.at(-1)];
  if (warm === undefined || last === undefined) throw new Error('SOAK_DAYS is too small');
  expect(last.runs).toBeGreaterThan(DAYS * 7_000);
  // 10,000, and a tenth more until the oldest are forgotten together.
  expect(last.countedIds).toBeLessThanOrEqual(11_000);
  expect(last.heapMb - warm.heapMb).toBeLessThan(NOISE_MB);
  expect(last.stateBytes).toBeLessThan(warm.stateBytes * 1.1);
  expect(last.lines).toBe(warm.lines);
});
