/** What polls cost JIM in requests (design, section 2, rule 5), printed as measured. */
import { describe, expect, test } from 'vitest';
import { World } from '../../src/demo/world.ts';
import type { Rig, RigOptions } from './rig.ts';
import { createRig as createAnyRig, runsCounted, START_MS } from './rig.ts';
import { insertOpen, loadFinished } from './rows.ts';

const IDLE_POLLS = 40;

/** On a world that remembers no truth: nobody asks it, and it would take as much memory as the rows. */
function createRig({
  dialect,
  ...options
}: RigOptions & Required<Pick<RigOptions, 'dialect'>>): Promise<Rig> {
  const world = new World({ seed: 1, startMs: START_MS, dialect, keepsTruth: false });
  return createAnyRig({ world, ...options });
}

async function requestsPerPoll(
  rig: Rig,
  polls: number,
): Promise<{ readonly mean: number; readonly most: number }> {
  const costs: number[] = [];
  for (let poll = 0; poll < polls; poll += 1) {
    const before = rig.simulator.requestCount;
    await rig.poll();
    costs.push(rig.simulator.requestCount - before);
    rig.pass(15_000);
  }
  return { mean: costs.reduce((a, b) => a + b, 0) / polls, most: Math.max(...costs) };
}

describe.each(['0.14', 'main'] as const)('JIM %s', (dialect) => {
  test.each([
    { rows: 1, open: 0 },
    { rows: 1_000, open: 0 },
    { rows: 100_000, open: 0 },
    { rows: 1_000, open: 1_000 },
  ])(
    'an idle poll of $rows rows, $open of them open, costs at most two requests',
    async ({ rows, open }) => {
      const rig = await createRig({ dialect, publish: false });
      rig.simulator.quirks = { rateLimit: false, shuffledTies: false };
      loadFinished(rig.world, rows);
      insertOpen(rig.world, open, 60_000);
      await rig.poll();
      rig.pass(15_000);
      await rig.poll();
      const { mean, most } = await requestsPerPoll(rig, IDLE_POLLS);
      console.info(
        `${dialect}: ${rows} rows, ${open} open: ${mean.toFixed(2)} requests an idle poll, at most ${most}`,
      );
      expect(rig.ledger().open.size).toBe(open);
      expect(mean).toBeLessThanOrEqual(2);
      expect(most).toBeLessThanOrEqual(2);
    },
  );

  test.each([1_000, 10_000, 90_000])(
    'a finish %i rows deep is found within the bound',
    async (depth) => {
      const rig = await createRig({
        dialect,
        publish: false,
      });
      const [deep = ''] = insertOpen(rig.world, 1, depth * 60 + 600);
      loadFinished(rig.world, depth);
      await rig.poll();
      rig.pass(15_000);
      rig.world.update(deep, {
        status: 'FailedWithError',
        executionTime: 1e6,
        totalActivityTime: 1e6,
      });
      const before = rig.simulator.requestCount;
      await rig.poll();
      const cost = rig.simulator.requestCount - before;
      const bound = dialect === 'main' ? 3 : 2 + Math.log2(depth / 100) + 1;
      console.info(
        `${dialect}: a finish ${depth} rows deep: ${cost} requests (bound ${bound.toFixed(1)})`,
      );
      expect(runsCounted(rig)).toBe(1);
      expect(cost).toBeLessThanOrEqual(bound);
    },
  );

  test('a position that is all wrong still costs no more than a search', async () => {
    const rig = await createRig({ dialect, publish: false });
    const [deep = ''] = insertOpen(rig.world, 1, 20_000 * 60);
    loadFinished(rig.world, 19_000);
    await rig.poll();
    // A restored database: thousands of rows are gone that lay below.
    const older = rig.world.table.rows
      .filter(({ id }) => id !== deep)
      .toSorted((a, b) => a.created - b.created);
    rig.world.removeAll(older.slice(0, 9_000).map(({ id }) => id));
    rig.pass(15_000);
    rig.world.update(deep, { status: 'Complete', executionTime: 1e6, totalActivityTime: 1e6 });
    const before = rig.simulator.requestCount;
    await rig.poll();
    const cost = rig.simulator.requestCount - before;
    console.info(`${dialect}: a finish at an unknown place among 10,000 rows: ${cost} requests`);
    expect(runsCounted(rig)).toBe(1);
    expect(cost).toBeLessThanOrEqual(2 + Math.log2(20_000 / 100) + 1);
  });

  test('catching up on 20,000 rows costs little more than their pages, in committed batches', async () => {
    const rig = await createRig({ dialect, requestsPerMinute: 120 });
    loadFinished(rig.world, 50);
    await rig.poll();
    rig.pass(20_000 * 60_000);
    loadFinished(rig.world, 20_000, { everySeconds: 59 });
    const before = rig.simulator.requestCount;
    const beganMs = rig.nowMs();
    const commits = rig.disk.commits;
    let sawCatchingUp = false;
    for (let poll = 0; poll < 60 && !(poll > 0 && rig.poller.seen().caughtUp); poll += 1) {
      await rig.poll();
      sawCatchingUp ||= !rig.poller.seen().caughtUp;
      rig.pass(1_000);
    }
    const cost = rig.simulator.requestCount - before;
    const minutes = (rig.nowMs() - beganMs) / 60_000;
    console.info(
      `${dialect}: 20,000 rows: ${cost} requests (${(cost / 200).toFixed(3)} × rows/100) in ${minutes.toFixed(1)} minutes`,
    );
    expect(runsCounted(rig)).toBe(20_000);
    expect(cost).toBeLessThanOrEqual(220);
    expect(cost / minutes).toBeLessThanOrEqual(120 * 1.1);
    expect(sawCatchingUp).toBe(true);
    expect(rig.disk.commits - commits).toBeGreaterThan(15);
    const told = rig.lines.filter(({ msg }) => msg === 'catching up with JIM');
    expect(told[0]?.fields).toMatchObject({ rows_read: 0, percent: 0, rows_in_jim: 20_050 });
    expect(told.at(-1)?.fields).toMatchObject({
      rows_read: expect.toSatisfy((rows: number) => rows > 15_000),
      percent: expect.toSatisfy((percent: number) => percent > 75),
      seconds: expect.toSatisfy((seconds: number) => seconds > 60),
    });
    expect(told.length).toBeGreaterThan(5);
    expect(rig.lines.some(({ msg }) => msg === 'caught up with JIM')).toBe(true);
  });

  test('a catch-up of a few pages tells that it began and that it is over', async () => {
    const rig = await createRig({ dialect });
    loadFinished(rig.world, 50);
    await rig.poll();
    rig.pass(1_500 * 60_000);
    loadFinished(rig.world, 1_500, { everySeconds: 59 });
    await rig.poll();
    const told = rig.lines.filter(({ msg }) => msg.includes('with JIM'));
    expect(told.map(({ msg }) => msg)).toEqual(['catching up with JIM', 'caught up with JIM']);
    expect(told[0]?.fields).toMatchObject({
      rows_read: 0,
      percent: 0,
      seconds: expect.any(Number),
    });
    expect(runsCounted(rig)).toBe(1_500);
  });

  test('a crash in the middle of a long catch-up neither repeats nor loses', async () => {
    const rig = await createRig({ dialect });
    loadFinished(rig.world, 50);
    await rig.poll();
    rig.pass(3_000 * 60_000);
    loadFinished(rig.world, 3_000, { everySeconds: 59 });
    for (let crash = 0; crash < 6; crash += 1) {
      rig.crashAfter(13);
      await rig.poll().catch(() => undefined);
      await rig.restart();
    }
    await rig.pollFor(120_000);
    expect(runsCounted(rig)).toBe(3_000);
  });
});

describe('rows past JIM 0.14’s page ceiling', () => {
  test('are read from the other end while they can be', async () => {
    const rig = await createRig({ dialect: '0.14', publish: false });
    loadFinished(rig.world, 50);
    await rig.poll();
    rig.pass(101_000 * 60_000);
    loadFinished(rig.world, 101_000, { everySeconds: 60 });
    for (let poll = 0; poll < 30 && !(poll > 0 && rig.poller.seen().caughtUp); poll += 1)
      await rig.poll();
    expect(runsCounted(rig)).toBe(101_000);
    expect(rig.ledger().lastHistoryGapMs).toBeNull();
  });

  test('are reported when they cannot be read from either end', async () => {
    const rig = await createRig({ dialect: '0.14', publish: false });
    loadFinished(rig.world, 50);
    await rig.poll();
    rig.pass(201_000 * 60_000);
    loadFinished(rig.world, 201_000, { everySeconds: 60 });
    for (let poll = 0; poll < 60 && !(poll > 0 && rig.poller.seen().caughtUp); poll += 1)
      await rig.poll();
    expect(rig.poller.seen().caughtUp).toBe(true);
    expect(runsCounted(rig)).toBe(200_000 - 50);
    expect(rig.ledger().lastHistoryGapMs).not.toBeNull();
    expect(rig.lines.map(({ msg }) => msg)).toContain(
      'JIM refuses pages this deep, so some Activities of this gap cannot be counted',
    );
  });
});
