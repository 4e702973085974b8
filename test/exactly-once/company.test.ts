/** Ten minutes of a believable company in which everything happens that can, in each dialect: the world's truth, exactly. */
import { describe, expect, test } from 'vitest';
import { restore, resetToFactory, upgrade } from '../../src/demo/administration.ts';
import { BADGES, CLOUD, DELTA, DIRECTORY, HR } from '../../src/demo/company-set-up.ts';
import { createCompany } from '../../src/demo/company.ts';
import type { DialectName } from '../../src/demo/dialects.ts';
import { DIALECTS } from '../../src/demo/dialects.ts';
import { createRandom } from '../../src/demo/random.ts';
import { createRig, START_MS } from '../poll/rig.ts';
import { Observer } from './observer.ts';

const MINUTE = 60_000;
const POLL_MS = 10_000;

function nextVersion(dialect: DialectName): DialectName {
  return DIALECTS[DIALECTS.indexOf(dialect) + 1] ?? dialect;
}

describe.each(DIALECTS)('a company on JIM %s', (dialect) => {
  test.each([
    ['counted exactly once', false],
    ['counted exactly once with a kill -9 in the middle', true],
  ])('%s', { timeout: 120_000 }, async (_name, killed) => {
    const { world, worker, incidents } = createCompany({
      seed: `company/${dialect}`,
      startMs: START_MS,
      days: 1,
      dialect,
    });
    const random = createRandom(`incidents/${dialect}`);
    const rig = await createRig({ world });
    rig.simulator.quirks = { rateLimit: false, shuffledTies: true };
    const observer = new Observer();
    const beganMs = rig.nowMs();
    await rig.poll();
    observer.started(beganMs, rig.nowMs());
    await observer.scraped(rig);

    const at = (minutes: number, action: () => void): void =>
      world.at(START_MS + minutes * MINUTE, action);
    at(0.5, () => incidents.startSchedule(DELTA));
    at(1, () => incidents.failNextRun(CLOUD, 'flips_to_complete'));
    at(1.1, () => void incidents.run(CLOUD, 'FullImport'));
    at(1.5, () => incidents.failNextRun(BADGES, 'flips_to_cancelled'));
    at(1.6, () => void incidents.run(BADGES, 'FullImport'));
    at(2, () => void incidents.orphan());
    at(2.2, () => incidents.failSignIns(3));
    at(2.5, () => void incidents.run(HR, 'FullImport'));
    at(2.7, () => void incidents.cancelRunning('ends'));
    at(3, () => void incidents.run(DIRECTORY, 'FullImport'));
    at(3.2, () => incidents.crashWorker());
    at(3.8, () => incidents.restartWorker());
    at(4, () => incidents.rename(CLOUD, 'Cloud (renamed)'));
    at(4.5, () => incidents.startSchedule(DELTA));
    at(5, () => upgrade(world, worker, random, nextVersion(dialect), 20_000));
    const backup = { taken: world.backup() };
    at(6, () => {
      backup.taken = world.backup();
    });
    at(6.5, () => void incidents.run(HR, 'FullImport'));
    at(7.5, () => {
      observer.returning(world, backup.taken);
      restore(world, worker, backup.taken);
    });
    at(8.5, () => void resetToFactory(world, worker, random, { force: true, keepKeys: true }));

    while (rig.nowMs() < START_MS + 10 * MINUTE) {
      if (
        killed &&
        rig.nowMs() > START_MS + 5.5 * MINUTE &&
        rig.disk.durable !== null &&
        !rig.disk.crashed
      ) {
        rig.disk.crashed = true;
      }
      await rig.poll().catch(() => undefined);
      if (rig.disk.crashed) {
        await rig.restart();
      }
      await observer.scraped(rig);
      rig.pass(POLL_MS);
    }
    for (let poll = 0; poll < 60 && !(poll > 20 && observer.isCalm(rig)); poll += 1) {
      await rig.poll();
      rig.pass(MINUTE);
    }
    await observer.scraped(rig);
    const { discrepancies, counted } = observer.judge(rig);
    expect(discrepancies).toEqual([]);
    expect(counted).toBeGreaterThan(20);
  });
});
