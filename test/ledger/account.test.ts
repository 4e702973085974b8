/** The counting rules one by one, on the pure function: a row, what was known of it, and what becomes of the ledger. */
import { describe, expect, test } from 'vitest';
import type { Activity } from '../../src/jim/activity.ts';
import { OUTCOMES, instant, micros } from '../../src/jim/activity.ts';
import type { Accounted, Observation } from '../../src/ledger/account.ts';
import { RECHECK_MS, account } from '../../src/ledger/account.ts';
import type { Ledger, Unread } from '../../src/ledger/ledger.ts';
import { emptyLedger } from '../../src/ledger/ledger.ts';
import { violations } from '../../src/ledger/invariants.ts';
import { activityIdOf } from '../metrics/snapshots.ts';
import { runsCounted } from '../poll/rig.ts';

const SECOND = 1_000_000;
const LIMITS = { settleMicros: micros(5 * SECOND), openLimitMs: 86_400_000, runStats: true };
const NOW_MS = Date.UTC(2026, 10, 23);
/** JIM's clock, which is not ours. */
const DATE = instant(NOW_MS * 1_000 + 77 * SECOND);
const HORIZON = instant(DATE - 7_200 * SECOND);

const STARTED: Ledger = {
  ...emptyLedger(10),
  started: true,
  reading: {
    ...emptyLedger(10).reading,
    horizon: HORIZON,
    firstHorizon: HORIZON,
    enumerated: true,
  },
};

/** A run that ended a minute ago and took one. */
function run(more: Partial<Activity> = {}): Activity {
  return {
    id: activityIdOf(1),
    created: instant(DATE - 120 * SECOND),
    executed: instant(DATE - 119 * SECOND),
    status: 'Complete',
    targetType: 'ConnectedSystemRunProfile',
    operation: 'Execute',
    targetName: 'Full Import',
    targetContext: 'HR',
    runType: 'FullImport',
    objectsToProcess: 10,
    objectsProcessed: 10,
    executionTime: micros(59 * SECOND),
    totalActivityTime: micros(60 * SECOND),
    outcomes: Object.fromEntries(OUTCOMES.map((name) => [name, 0])) as Activity['outcomes'],
    errors: 0,
    ...more,
  };
}

const OPEN = { status: 'InProgress', executionTime: null, totalActivityTime: null } as const;
/** Ended just now: JIM may still change its word. */
const FRESH = { totalActivityTime: micros(119 * SECOND) };

function step(
  ledger: Ledger,
  rows: readonly Activity[],
  more: Partial<Observation> & { readonly afterMs?: number } = {},
): Accounted {
  const { afterMs = 0, ...observed } = more;
  const nowMs = NOW_MS + afterMs;
  const date = instant(DATE + afterMs * 1_000);
  const after = account(
    ledger,
    {
      nowMs,
      pollMs: nowMs,
      sightings: rows.map((activity) => ({ activity, date, fromOldest: 7 })),
      rejected: [],
      gone: [],
      lookedUp: [],
      first: false,
      ...observed,
    },
    LIMITS,
  );
  // That the first observation is over is for the poll to say.
  expect(violations({ ...after.ledger, started: true })).toEqual([]);
  return after;
}

const verdictsOf = ({ events }: Accounted): readonly string[] =>
  events.flatMap((event) => (event.kind === 'verdict' ? [event.verdict] : []));

const countedIn = (ledger: Ledger): number => runsCounted({ ledger: () => ledger });

const before = (row: Activity): Activity => ({ ...row, created: instant(HORIZON - SECOND) });

describe('a row that was not known', () => {
  const unread = (low: number, high: number): Unread => ({
    low: instant(low),
    high: instant(high),
    fromOldest: 3,
    knownBelow: instant(high + 1),
  });
  const partly = (part: Unread): Ledger => ({
    ...STARTED,
    reading: { ...STARTED.reading, unread: [part] },
  });
  const unlisted: Ledger = { ...STARTED, reading: { ...STARTED.reading, enumerated: false } };

  test.each([
    ['ended longer ago than settle: counted', STARTED, run(), 'counted', 1],
    ['ended less than settle ago: it settles', STARTED, run(FRESH), 'settling', 0],
    ['is in progress: opened', STARTED, run(OPEN), 'opened', 0],
    [
      'has a status unknown to us: opened',
      STARTED,
      run({ ...OPEN, status: 'Paused' }),
      'opened',
      0,
    ],
    ['says no end: it settles by sight', STARTED, run({ totalActivityTime: null }), 'settling', 0],
    ['is at the horizon: history', STARTED, run({ created: HORIZON }), 'unknown_and_old', 0],
    [
      'is after the horizon: counted',
      STARTED,
      run({ created: instant(HORIZON + 1) }),
      'counted',
      1,
    ],
    [
      'is below the horizon in a part still unread: counted',
      partly(unread(HORIZON - 2 * SECOND, HORIZON)),
      before(run()),
      'counted',
      1,
    ],
    [
      'is below the horizon and below that part: history',
      partly(unread(HORIZON - SECOND + 1, HORIZON)),
      before(run()),
      'unknown_and_old',
      0,
    ],
    ['is open below the horizon: history', STARTED, before(run(OPEN)), 'unknown_and_old', 0],
    [
      'is open below the horizon and the first start listed not all: adopted',
      unlisted,
      before(run(OPEN)),
      'opened',
      0,
    ],
    ['is finished there: history all the same', unlisted, before(run()), 'unknown_and_old', 0],
  ] as const)('%s', (_rule, ledger, row, verdict, counted) => {
    const after = step(ledger, [row]);
    expect(verdictsOf(after)).toEqual([verdict]);
    expect(countedIn(after.ledger)).toBe(counted);
    expect(after.ledger.counted.size).toBe(counted);
    expect(after.ledger.owedStats.size).toBe(counted);
  });

  test('of no run is counted without a run profile, and owes no statistics', () => {
    const { ledger } = step(STARTED, [
      run({ targetType: 'ConnectedSystem', operation: 'Update', targetName: 'HR' }),
    ]);
    expect([...ledger.activities.values()].map(({ held }) => held.statuses.Complete)).toEqual([1]);
    expect([ledger.runs.size, ledger.owedStats.size]).toEqual([0, 0]);
  });
});

describe('the first observation', () => {
  test('shows history, which is known from then on and not counted', () => {
    const first = step(emptyLedger(10), [run()], { first: true });
    expect(verdictsOf(first)).toEqual(['history']);
    expect(countedIn(first.ledger)).toBe(0);
    const [profile] = first.ledger.runs.values();
    expect(profile?.last?.id).toBe(activityIdOf(1));
    expect(verdictsOf(step(first.ledger, [run()]))).toEqual(['already_counted']);
  });

  test('follows what is in progress, and counts it when it ends', () => {
    const first = step(emptyLedger(10), [run(OPEN)], { first: true });
    const { ledger } = step({ ...first.ledger, started: true }, [run()]);
    expect(countedIn(ledger)).toBe(1);
  });

  test('that takes several polls counts what it saw in progress before', () => {
    const { ledger } = step(emptyLedger(10), [run(OPEN)], { first: true });
    const after = step(ledger, [run()], { first: true, afterMs: 60_000 });
    expect(verdictsOf(after)).toEqual(['counted']);
  });
});

describe('settling', () => {
  const waiting = step(STARTED, [run({ totalActivityTime: null })]).ledger;
  const again = (more: Partial<Activity>, afterMs: number, ledger = waiting): Accounted =>
    step(ledger, [run({ totalActivityTime: null, ...more })], { afterMs });

  test.each([
    ['seen alike once more, settle later: counted', {}, 5_000, 'counted'],
    ['seen alike once more, sooner: it settles on', {}, 4_999, 'settling'],
    ['seen otherwise, however late: it settles anew', { errors: 1 }, 60_000, 'settling'],
    ['in progress once more: still open', OPEN, 60_000, 'still_open'],
    ['our clock was set back: it settles on', {}, -60_000, 'settling'],
  ])('%s', (_rule, more, afterMs, verdict) => {
    expect(verdictsOf(again(more, afterMs))).toEqual([verdict]);
  });

  test('begins anew with each change, from the poll that saw it', () => {
    const changed = again({ errors: 1 }, 60_000).ledger;
    expect(verdictsOf(again({ errors: 1 }, 64_999, changed))).toEqual(['settling']);
    expect(verdictsOf(again({ errors: 1 }, 65_000, changed))).toEqual(['counted']);
  });

  test('begins anew when our clock was set back', () => {
    const later = again({}, -60_000).ledger;
    expect(verdictsOf(again({}, -55_000, later))).toEqual(['counted']);
  });

  test('is not over because one poll saw a row twice', () => {
    const row = run({ totalActivityTime: null });
    const after = step(STARTED, [row, row]);
    expect(verdictsOf(after)).toEqual(['settling']);
  });
});

describe('a row that was counted', () => {
  const { ledger } = step(STARTED, [run()]);

  test('and is met as it was changes nothing at all', () => {
    const again = step(ledger, [run()], { afterMs: 60_000 });
    expect(verdictsOf(again)).toEqual(['already_counted']);
    expect(again.ledger).toBe(ledger);
  });

  test.each([
    ['another status', { status: 'Cancelled' }],
    ['more errors', { errors: 3 }],
    ['in progress again', OPEN],
  ])('with %s is altered, once, and stays counted once', (_what, more) => {
    const altered = step(ledger, [run(more)]);
    expect(verdictsOf(altered)).toEqual(['altered']);
    expect(verdictsOf(step(altered.ledger, [run(more)]))).toEqual(['already_counted']);
    expect(countedIn(altered.ledger)).toBe(1);
    expect(altered.ledger.open.size).toBe(0);
  });

  test('and runs again is altered once, whatever its numbers are from poll to poll', () => {
    const running = step(ledger, [run({ ...OPEN, objectsProcessed: 1 })]);
    const further = step(running.ledger, [run({ ...OPEN, objectsProcessed: 2 })]);
    expect(verdictsOf(further)).toEqual(['already_counted']);
  });
});

describe('several sightings in one poll', () => {
  test('of one id are one: the last is right, a position is kept from one that had it', () => {
    const [newer, older] = [run(OPEN), run({ ...OPEN, status: 'NotSet' })];
    const after = step(STARTED, [], {
      sightings: [
        { activity: older, date: DATE, fromOldest: 12 },
        { activity: newer, date: DATE, fromOldest: null },
      ],
    });
    expect(verdictsOf(after)).toEqual(['opened']);
    expect(after.ledger.open.get(activityIdOf(1))).toMatchObject({
      status: 'InProgress',
      fromOldest: 12,
    });
  });

  test('of other ids are counted each', () => {
    const rows = [1, 2, 3].map((index) => run({ id: activityIdOf(index) }));
    expect(countedIn(step(STARTED, rows).ledger)).toBe(3);
  });
});

describe('a row that cannot be read', () => {
  const created = instant(DATE - 60 * SECOND);
  const unreadable = { id: activityIdOf(1), created, fromOldest: 7 };
  const rejecting = (ledger: Ledger, row = unreadable, first = false): Ledger =>
    step(ledger, [], { rejected: [row], first }).ledger;

  test('is missing, looked for in an hour, and counted when it can be read', () => {
    const ledger = rejecting(STARTED);
    expect(ledger.missing.get(activityIdOf(1))).toEqual({
      created,
      fromOldest: 7,
      why: 'rejected',
      nextCheckMs: NOW_MS + RECHECK_MS,
    });
    const healed = step(ledger, [run()]).ledger;
    expect([countedIn(healed), healed.missing.size]).toEqual([1, 0]);
  });

  test.each([
    ['counted', step(STARTED, [run()]).ledger],
    ['in progress', step(STARTED, [run(OPEN)]).ledger],
  ])('and is known as %s is no news', (_what, ledger) => {
    expect(rejecting(ledger)).toBe(ledger);
  });

  test('and is history is left alone', () => {
    expect(rejecting(STARTED, { ...unreadable, created: HORIZON })).toBe(STARTED);
    const first = emptyLedger(10);
    expect(rejecting(first, unreadable, true)).toBe(first);
  });

  test('of a missing one stays missing, though the horizon has passed it', () => {
    const missing = rejecting(STARTED);
    const passed = { ...missing, reading: { ...missing.reading, horizon: DATE } };
    expect(rejecting(passed).missing.size).toBe(1);
    // And when it can be read it is counted: its id was never forgotten.
    expect(countedIn(step(passed, [run()]).ledger)).toBe(1);
  });
});

describe('a row that is gone', () => {
  const open = step(STARTED, [run(OPEN)]).ledger;
  const gone = step(open, [], { gone: [activityIdOf(1)] });

  test('is missing, once, and said so', () => {
    expect(gone.events).toEqual([{ kind: 'vanished', id: activityIdOf(1) }]);
    expect(gone.ledger.open.size).toBe(0);
    expect(gone.ledger.missing.get(activityIdOf(1))?.why).toBe('vanished');
    const again = step(gone.ledger, [], { gone: [activityIdOf(1)], afterMs: RECHECK_MS });
    expect(again.events).toEqual([]);
    expect(again.ledger.missing.get(activityIdOf(1))?.nextCheckMs).toBe(NOW_MS + 2 * RECHECK_MS);
  });

  test('and comes back finished is counted', () => {
    expect(countedIn(step(gone.ledger, [run()]).ledger)).toBe(1);
  });

  test('of which nothing was known is nothing', () => {
    expect(step(STARTED, [], { gone: [activityIdOf(1)] }).ledger).toBe(STARTED);
  });

  test('waits another hour when it was looked for and not found', () => {
    const looked = step(gone.ledger, [], { lookedUp: [activityIdOf(1)], afterMs: 1_000 }).ledger;
    expect(looked.missing.get(activityIdOf(1))?.nextCheckMs).toBe(NOW_MS + 1_000 + RECHECK_MS);
  });

  test('of more than a thousand the oldest is forgotten', () => {
    const rows = Array.from({ length: 1_001 }, (_, index) =>
      // The oldest is neither the first nor the last that is met.
      run({
        ...OPEN,
        id: activityIdOf(index),
        created: instant(DATE - ((index * 17 + 3) % 1_001) * SECOND),
      }),
    );
    const many = step(STARTED, rows).ledger;
    const { missing } = step(many, [], { gone: rows.map(({ id }) => id) }).ledger;
    const oldest = rows.toSorted((a, b) => a.created - b.created)[0];
    expect(missing.size).toBe(1_000);
    expect(rows.filter(({ id }) => !missing.has(id))).toEqual([oldest]);
  });
});

describe('a row that stays in progress', () => {
  const { ledger } = step(STARTED, [run(OPEN)]);
  const overdue = step(ledger, [], { afterMs: LIMITS.openLimitMs + 1 });

  test('is an orphan past open_limit, once', () => {
    expect(step(ledger, [], { afterMs: LIMITS.openLimitMs }).ledger).toBe(ledger);
    expect(overdue.events).toEqual([{ kind: 'orphaned', id: activityIdOf(1) }]);
    expect(step(overdue.ledger, [], { afterMs: LIMITS.openLimitMs + 2 }).ledger).toBe(
      overdue.ledger,
    );
  });

  test('and was left behind before we came is one at first sight, by JIM’s clock', () => {
    const created = instant(DATE - LIMITS.openLimitMs * 1_000 - 1);
    const old = { ...STARTED, reading: { ...STARTED.reading, horizon: null } };
    const { events } = step(old, [run({ ...OPEN, created })]);
    expect(events.map(({ kind }) => kind)).toContain('orphaned');
  });

  test('waits another hour when it was looked for, and counts when it ends', () => {
    const afterMs = LIMITS.openLimitMs + RECHECK_MS;
    const looked = step(overdue.ledger, [], { lookedUp: [activityIdOf(1)], afterMs }).ledger;
    expect(looked.open.get(activityIdOf(1))?.nextCheckMs).toBe(NOW_MS + afterMs + RECHECK_MS);
    expect(countedIn(step(looked, [run()], { afterMs }).ledger)).toBe(1);
  });
});
