/** The poll cycle on a simulated JIM: what is counted, when, and at what cost in requests. */
import { beforeEach, describe, expect, test } from 'vitest';
import { micros } from '../../src/jim/activity.ts';
import type { WorldRow } from '../../src/demo/row.ts';
import { DIALECTS } from '../../src/demo/dialects.ts';
import type { Rig } from './rig.ts';
import { createRig, runsCounted } from './rig.ts';
import { RUN, loadFinished } from './rows.ts';

function ended(rig: Rig, status = 'Complete', seconds = 30): Partial<WorldRow> {
  return {
    ...RUN,
    status,
    executed: rig.world.jimNow + 100_000,
    executionTime: seconds * 1e6,
    totalActivityTime: seconds * 1e6 + 100_000,
  };
}

describe.each(DIALECTS)('dialect %s', (dialect) => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await createRig({ dialect });
  });

  test('history of the first start is not counted, later ends are', async () => {
    rig.world.insert({ ...ended(rig), created: rig.world.jimNow - 3_600e6 });
    await rig.poll();
    expect(rig.ledger().started).toBe(true);
    expect(runsCounted(rig)).toBe(0);
    const id = rig.world.insert(RUN);
    await rig.pollFor(60_000);
    expect(rig.ledger().open.size).toBe(1);
    rig.world.update(id, ended(rig));
    await rig.pollFor(60_000);
    expect(runsCounted(rig)).toBe(1);
    expect(rig.ledger().open.size).toBe(0);
  });

  test('what was left open before the first start is an orphan at once, and counts if it ends', async () => {
    const created = rig.world.jimNow - 8 * 86_400e6;
    const id = rig.world.insert({ ...RUN, created, executed: created + 100_000 });
    await rig.poll();
    const open = (): boolean[] => [...rig.ledger().open.values()].map(({ orphaned }) => orphaned);
    expect(open()).toEqual([true]);
    const totalActivityTime = rig.world.jimNow - created;
    rig.world.update(id, { status: 'FailedWithError', executionTime: 1e6, totalActivityTime });
    await rig.pollFor(60_000);
    expect(open()).toEqual([]);
    expect(runsCounted(rig)).toBe(1);
  });

  test('a restart after downtime counts what finished meanwhile, once', async () => {
    await rig.poll();
    for (let index = 0; index < 350; index += 1) {
      rig.pass(10_000);
      rig.world.insert({ ...RUN, status: 'Complete', executionTime: 1e6, totalActivityTime: 2e6 });
    }
    await rig.restart();
    await rig.pollFor(120_000);
    expect(rig.ledger().reading.unread).toEqual([]);
    expect(runsCounted(rig)).toBe(350);
  });

  test('an idle poll costs at most two requests', async () => {
    for (let index = 0; index < 250; index += 1)
      rig.world.insert({ ...ended(rig), created: rig.world.jimNow - index * 60e6 });
    for (let index = 0; index < 30; index += 1)
      rig.world.insert({ ...RUN, created: rig.world.jimNow - index * 600e6 - 3600e6 });
    await rig.pollFor(60_000);
    const before = rig.simulator.requestCount;
    await rig.pollFor(10 * 60_000);
    expect((rig.simulator.requestCount - before) / 40).toBeLessThanOrEqual(2);
  });

  test('a finish many rows deep is found', async () => {
    await rig.poll();
    const deep = rig.world.insert(RUN);
    for (let index = 0; index < 1_000; index += 1) {
      rig.pass(30_000);
      rig.world.insert({ ...RUN, status: 'Complete', executionTime: 1e6, totalActivityTime: 2e6 });
      if (index % 10 === 0) await rig.poll();
    }
    rig.world.update(deep, {
      status: 'FailedWithError',
      executionTime: 1e6,
      totalActivityTime: 1e6,
    });
    rig.pass(60_000);
    const before = rig.simulator.requestCount;
    await rig.poll();
    expect(runsCounted(rig)).toBe(1_001);
    expect(rig.simulator.requestCount - before).toBeLessThanOrEqual(4);
  });
});

test('a first look that takes minutes does not set the clocks apart', async () => {
  const rig = await createRig({
    requestsPerMinute: 12,
    settings: { lookback: micros(30 * 86_400e6) },
  });
  loadFinished(rig.world, 3_000);
  const begunMs = rig.nowMs();
  await rig.poll();
  expect(rig.nowMs() - begunMs).toBeGreaterThan(60_000);
  expect(Math.abs(rig.poller.seen().clockOffsetSeconds ?? Number.NaN)).toBeLessThan(1);
});
