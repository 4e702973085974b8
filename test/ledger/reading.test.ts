/** How far JIM's list was read, where it meets what was forgotten (counting.md, rules 7, 8 and 16). */
import { describe, expect, test } from 'vitest';
import { instant } from '../../src/jim/activity.ts';
import type { Reading } from '../../src/ledger/ledger.ts';
import { emptyLedger } from '../../src/ledger/ledger.ts';
import { noteTotal, readHead } from '../../src/ledger/reading.ts';
import { createRig, runsCounted } from '../poll/rig.ts';
import { loadFinished } from '../poll/rows.ts';

const HORIZON = instant(1_000);
const READING: Reading = {
  ...emptyLedger(1).reading,
  top: instant(5_000),
  base: instant(5_000),
  horizon: HORIZON,
  total: { base: 10, newRows: 0, disagreed: 1 },
};

describe('what is left unread', () => {
  test('never reaches the horizon: rows there were counted and forgotten', () => {
    const { unread } = noteTotal(READING, { totalCount: 12, newRows: 0, newest: instant(5_000) });
    expect(unread).toEqual([{ low: 1_001, high: 5_000, fromOldest: 11, knownBelow: 5_001 }]);
  });

  test.each([
    ['of a head that stopped above it', 1_002, [{ low: 1_001, high: 1_002 }]],
    ['of a head that stopped at it', 1_000, []],
    ['of a head that stopped below it', 900, []],
  ])('%s', (_rule, deepest, parts) => {
    const head = {
      newest: instant(9_000),
      deepest: instant(deepest),
      deepestFromOldest: 3,
      ended: false,
      date: instant(9_000),
      totalCount: 100,
      newRows: 0,
    };
    const { unread } = readHead({ ...READING, top: instant(500) }, head, 100 as never);
    expect(unread.map(({ low, high }) => ({ low, high }))).toEqual(parts);
  });
});

test('a list that grew inexplicably is read again without counting the newest forgotten Activity twice', async () => {
  const rig = await createRig({ publish: false, rememberIds: 20 });
  await rig.poll();
  rig.pass(86_400_000);
  loadFinished(rig.world, 300);
  await rig.pollFor(60_000);
  expect(runsCounted(rig)).toBe(300);
  const { horizon } = rig.ledger().reading;
  expect(rig.world.table.rows.some(({ created }) => created === horizon)).toBe(true);
  // Rows that lie before everything known: JIM's count tells of them, and nothing else.
  loadFinished(rig.world, 3, { endsAgoSeconds: 10 * 86_400 });
  await rig.pollFor(600_000);
  expect(rig.ledger().reading.unread).toEqual([]);
  expect(runsCounted(rig)).toBe(300);
});
