/** The rows of real servers, counted: the numbers are those of the recordings, added up by hand. */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { activityId } from '../../src/jim/activity.ts';
import { account } from '../../src/ledger/account.ts';
import { emptyLedger } from '../../src/ledger/ledger.ts';
import type { Ledger, RunTotals } from '../../src/ledger/ledger.ts';
import { NO_RUN_TOTALS, runKey } from '../../src/ledger/ledger.ts';
import { parseRow } from '../../src/jim/row.ts';
import { instant, micros } from '../../src/jim/activity.ts';
import type { Sighting } from '../../src/ledger/account.ts';
import { releaseHolds } from '../../src/ledger/zero-hold.ts';

const RECORDINGS = new URL('../recordings/', import.meta.url);
const LATER = instant(Date.UTC(2026, 10, 24) * 1_000);
const NOW_MS = Date.UTC(2026, 10, 24);

function recordedRows(version: string): readonly Sighting[] {
  const folder = new URL(`${version}/`, RECORDINGS);
  return readdirSync(folder)
    .filter((name) => /^list-(desc|with)-.*\.json$/.test(name))
    .flatMap((name) => {
      const page: unknown = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
      if (
        typeof page !== 'object' ||
        page === null ||
        !('items' in page) ||
        !Array.isArray(page.items)
      )
        return [];
      return page.items.map((item: unknown): Sighting => {
        const row = parseRow(item);
        if (!row.ok) throw new Error(`a recorded row was rejected: ${row.rejected.reason}`);
        return { activity: row.activity, date: LATER, fromOldest: null };
      });
    });
}

function replay(version: string): Ledger {
  const limits = { settleMicros: micros(5_000_000), openLimitMs: 7 * 86_400_000, runStats: false };
  const started: Ledger = { ...emptyLedger(500), started: true };
  const observation = {
    nowMs: NOW_MS,
    pollMs: NOW_MS,
    sightings: recordedRows(version),
    rejected: [],
    gone: [],
    lookedUp: [],
    first: false,
  };
  const { ledger } = account(started, observation, limits);
  const again = account(ledger, observation, limits).ledger;
  expect(again).toBe(ledger);
  return releaseHolds(ledger, {
    nowMs: NOW_MS + 600_000,
    zeroHoldMs: 120_000,
    servedSince: () => false,
  });
}

function allRuns(ledger: Ledger): RunTotals {
  return [...ledger.runs.values()].reduce<RunTotals>(
    (sum, { published }) => ({
      ...sum,
      statuses: {
        Complete: sum.statuses.Complete + published.statuses.Complete,
        CompleteWithWarning:
          sum.statuses.CompleteWithWarning + published.statuses.CompleteWithWarning,
        CompleteWithError: sum.statuses.CompleteWithError + published.statuses.CompleteWithError,
        FailedWithError: sum.statuses.FailedWithError + published.statuses.FailedWithError,
        Cancelled: sum.statuses.Cancelled + published.statuses.Cancelled,
      },
      errors: sum.errors + published.errors,
      durationBuckets: sum.durationBuckets.map(
        (count, index) => count + (published.durationBuckets[index] ?? 0),
      ),
      durationSum: micros(sum.durationSum + published.durationSum),
      queue: micros(sum.queue + published.queue),
    }),
    NO_RUN_TOTALS,
  );
}

function outcomes(ledger: Ledger): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { cells } of ledger.runs.values()) {
    for (const [name, { value }] of cells) if (value > 0) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

const EXPECTED = [
  {
    version: '0.14',
    ids: 86,
    statuses: {
      Complete: 15,
      CompleteWithWarning: 1,
      CompleteWithError: 2,
      FailedWithError: 5,
      Cancelled: 3,
    },
    errors: 305,
    durations: 23,
    durationSum: 40_779_177,
    queue: 155_321_626,
  },
  {
    version: 'main',
    ids: 84,
    statuses: {
      Complete: 15,
      CompleteWithWarning: 1,
      CompleteWithError: 2,
      FailedWithError: 5,
      Cancelled: 3,
    },
    errors: 305,
    durations: 23,
    durationSum: 42_450_228,
    queue: 160_709_318,
  },
  {
    version: '0.12',
    ids: 66,
    statuses: {
      Complete: 11,
      CompleteWithWarning: 0,
      CompleteWithError: 1,
      FailedWithError: 1,
      Cancelled: 0,
    },
    errors: 153,
    durations: 13,
    durationSum: 17_387_799,
    queue: 48_577_246,
  },
] as const;

describe('every recorded row is counted once', () => {
  test.each(EXPECTED)('$version', (expected) => {
    const ledger = replay(expected.version);
    const totals = allRuns(ledger);
    expect(new Set(recordedRows(expected.version).map(({ activity }) => activity.id)).size).toBe(
      expected.ids,
    );
    expect(ledger.counted.size).toBe(expected.ids);
    expect(totals.statuses).toEqual(expected.statuses);
    expect(totals.errors).toBe(expected.errors);
    expect(totals.durationBuckets.reduce((a, b) => a + b, 0)).toBe(expected.durations);
    expect(totals.durationSum).toBe(expected.durationSum);
    expect(totals.queue).toBe(expected.queue);
  });

  test('0.14: objects by outcome, and six full imports of HR System', () => {
    const ledger = replay('0.14');
    expect(outcomes(ledger)).toEqual({
      'outcome:Added': 12_400,
      'outcome:Updated': 325,
      'outcome:Deleted': 750,
      'outcome:Projected': 300,
      'outcome:Joined': 100,
      'outcome:AttributeFlows': 570,
      'outcome:Disconnected': 150,
      'outcome:Provisioned': 300,
      'outcome:Exported': 450,
      'outcome:PendingExports': 300,
    });
    const key = runKey({
      connectedSystem: 'HR System',
      runProfile: 'Full Import',
      runType: 'FullImport',
    });
    const statuses = ledger.runs.get(key)?.published.statuses;
    expect(Object.values(statuses ?? {}).reduce((a, b) => a + b, 0)).toBe(6);
  });

  test('0.12: SyncRule rows are counted under the later name', () => {
    const types = new Set(
      [...replay('0.12').activities.values()].map(({ targetType }) => targetType),
    );
    expect(types).toContain('SynchronisationRule');
    expect(types).not.toContain('SyncRule');
  });

  test('an id is the same in any case', () => {
    expect(activityId('01A20A19-7C65-7C56-97D9-CA6B6D9E2E10')).toBe(
      '01a20a19-7c65-7c56-97d9-ca6b6d9e2e10',
    );
  });
});
