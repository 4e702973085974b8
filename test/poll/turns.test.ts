/** What is only looked at now and then takes turns at one request of a poll: no kind of it may starve another. */
import { describe, expect, test } from 'vitest';
import type { DialectName } from '../../src/demo/dialects.ts';
import type { World } from '../../src/demo/world.ts';
import type { Rig } from './rig.ts';
import { createRig, runsCounted } from './rig.ts';
import { RUN, insertOpen, loadFinished } from './rows.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const VANISHED = 90;
/** More than two pages: what lies below them is in no page that shows what lies above. */
const BETWEEN = 300;
const ENDED = { status: 'Complete', executionTime: 1e6, totalActivityTime: 2e6 };

/** An exporter whose JIM lost many rows in progress, as in a reset or by a restored backup. */
async function rigOfVanished(
  dialect: DialectName,
  before: (world: World) => void = () => undefined,
): Promise<Rig> {
  const rig = await createRig({ dialect, publish: false });
  before(rig.world);
  await rig.poll();
  rig.pass(15_000);
  const ids = insertOpen(rig.world, VANISHED, 300);
  await rig.poll();
  rig.world.removeAll(ids);
  await rig.pollFor(MINUTE_MS);
  expect(rig.ledger().missing.size).toBe(VANISHED);
  return rig;
}

/** An orphan, left behind before the exporter came, deep below the newest rows. */
function leaveBehind(world: World): string {
  const created = world.jimNow - 7.5 * 86_400e6;
  const id = world.insert({ ...RUN, created, executed: created + 100_000 });
  loadFinished(world, BETWEEN);
  return id;
}

test('rows that vanished do not keep those waiting that end below a page of open ones', async () => {
  const rig = await rigOfVanished('0.14');
  rig.pass(HOUR_MS);
  loadFinished(rig.world, BETWEEN, { everySeconds: 2, endsAgoSeconds: 300 });
  const ids = insertOpen(rig.world, 140, 200);
  await rig.pollFor(2 * MINUTE_MS);
  rig.pass(HOUR_MS);
  // A newer row: the window no longer reaches down to those.
  rig.world.insert(RUN);
  await rig.pollFor(5 * MINUTE_MS);
  const before = runsCounted(rig);
  for (const id of ids.slice(0, 5)) rig.world.update(id, ENDED);
  await rig.pollFor(5 * MINUTE_MS);
  expect(runsCounted(rig) - before).toBe(5);
});

test('rows that vanished do not keep an orphan waiting', async () => {
  let orphan = '';
  const rig = await rigOfVanished('0.14', (world) => {
    orphan = leaveBehind(world);
  });
  // More than a page is in progress: that the status page lacks the orphan proves nothing.
  insertOpen(rig.world, 140, 200);
  await rig.pollFor(2 * MINUTE_MS);
  rig.pass(HOUR_MS);
  rig.world.update(orphan, ENDED);
  await rig.pollFor(5 * MINUTE_MS);
  expect(runsCounted(rig)).toBe(1);
});

test('rows that vanished while they were orphans do not keep another orphan waiting', async () => {
  const rig = await createRig({ dialect: '0.14', publish: false });
  const { world } = rig;
  const DAY_SECONDS = 86_400;
  const lost = insertOpen(world, VANISHED, 8.5 * DAY_SECONDS);
  loadFinished(world, BETWEEN, { endsAgoSeconds: 8 * DAY_SECONDS });
  const [orphan = ''] = insertOpen(world, 1, 7.5 * DAY_SECONDS);
  loadFinished(world, BETWEEN);
  await rig.poll();
  // More than a page is in progress: that the status page lacks them proves nothing.
  insertOpen(world, 140, 200);
  await rig.pollFor(2 * MINUTE_MS);
  world.removeAll(lost);
  world.update(orphan, ENDED);
  rig.pass(HOUR_MS);
  await rig.pollFor(10 * MINUTE_MS);
  expect(runsCounted(rig)).toBe(1);
  expect(rig.ledger().missing.size).toBe(VANISHED);
});

describe.each(['0.14', 'main'] as const)('JIM %s', (dialect) => {
  test('each row that vanished has its turn, not the first of them again and again', async () => {
    const rig = await rigOfVanished(dialect);
    const before = new Map(rig.ledger().missing);
    // More of them fall due in an hour than there are polls in it.
    await rig.pollFor(3 * HOUR_MS, MINUTE_MS);
    const waiting = [...before].filter(
      ([id, { nextCheckMs }]) => rig.ledger().missing.get(id)?.nextCheckMs === nextCheckMs,
    );
    expect(waiting).toHaveLength(0);
  });
});

test('an orphan is asked for once an hour, though our clock was set back', async () => {
  const rig = await createRig({ dialect: '0.14', publish: false });
  // A word of a JIM yet to come: no status page is asked for it.
  rig.world.update(leaveBehind(rig.world), { status: 'Suspended' });
  await rig.poll();
  expect([...rig.ledger().open.values()].map(({ orphaned }) => orphaned)).toEqual([true]);
  rig.pass(6 * HOUR_MS);
  await rig.poll();
  rig.setOurClock(-5 * HOUR_MS);
  rig.pass(15_000);
  await rig.pollFor(MINUTE_MS);
  const before = rig.simulator.requestCount;
  await rig.pollFor(5 * MINUTE_MS);
  // The head alone, each time.
  expect(rig.simulator.requestCount - before).toBe(20);
});

test('a row that ends below a page of open ones is counted soon, though our clock was set back', async () => {
  const rig = await createRig({ dialect: '0.14', publish: false });
  await rig.poll();
  rig.pass(15_000);
  const ids = insertOpen(rig.world, 500, 550);
  await rig.pollFor(MINUTE_MS);
  rig.pass(HOUR_MS);
  // A newer row: the window no longer reaches down to those.
  rig.world.insert(RUN);
  await rig.pollFor(5 * MINUTE_MS);
  rig.setOurClock(-5 * HOUR_MS);
  await rig.pollFor(5 * MINUTE_MS);
  const before = runsCounted(rig);
  const ended = ids.filter((_, index) => index % 50 === 25);
  for (const id of ended) rig.world.update(id, ENDED);
  // Five pages, one of them at every fourth poll at worst: the window has its turns as well.
  await rig.pollFor(5 * MINUTE_MS);
  expect(runsCounted(rig) - before).toBe(ended.length);
});
