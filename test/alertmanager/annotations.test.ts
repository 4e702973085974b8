import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { RUNBOOK_URL, annotationsOf } from '../../src/alertmanager/annotations.ts';
import type { Telling } from '../../src/alertmanager/annotations.ts';
import { micros } from '../../src/jim/activity.ts';
import type { LastRun } from '../../src/ledger/ledger.ts';
import { lastRunOf } from '../../src/ledger/totals.ts';
import { HR_IMPORT, run } from './world.ts';

const RUN = lastRunOf(run({ id: 'a' }));

function told(change: Partial<Telling> = {}, ofRun: Partial<LastRun> = {}): Record<string, string> {
  return {
    ...annotationsOf({
      labels: HR_IMPORT,
      run: { ...RUN, ...ofRun },
      failuresInARow: 1,
      schedules: null,
      before: {},
      message: 'none',
      ...change,
    }),
  };
}

describe('the summary', () => {
  test.each([
    ['FailedWithError', 'Full Import of HR System failed'],
    ['CompleteWithError', 'Full Import of HR System completed with errors'],
    ['CompleteWithWarning', 'Full Import of HR System completed with warnings'],
    ['Cancelled', 'Full Import of HR System was cancelled'],
    ['Complete', 'Full Import of HR System completed'],
  ] as const)('of %s is "%s"', (status, summary) => {
    expect(told({}, { status })['summary']).toBe(summary);
  });

  test.each([
    [{ connectedSystem: '' }, 'Full Import failed'],
    [{ runProfile: '' }, 'FullImport of HR System failed'],
    [{ connectedSystem: '', runProfile: '', runType: '' }, 'A run failed'],
  ])('does without names that are missing: %j', (change, summary) => {
    expect(told({ labels: { ...HR_IMPORT, ...change } })['summary']).toBe(summary);
  });
});

describe('the description', () => {
  test('says all that is known, in this order', () => {
    const { description } = told(
      { failuresInARow: 3, schedules: ['Nightly'] },
      {
        errors: 12,
        errorsByType: { DuplicateObject: 10, UnresolvedReference: 2 },
        outcomes: { Added: 5 },
      },
    );
    expect(description).toBe(
      'FailedWithError, 12 objects with errors (10 DuplicateObject, 2 UnresolvedReference). ' +
        'Ended 2026-11-23 06:00:00 UTC after running for 3m 10s, having waited 4s. ' +
        'Changed: 5 Added. 3 failures in a row. Schedule: Nightly.',
    );
  });

  test('of a run that never ran says so', () => {
    const { description, duration } = told({}, { duration: null, status: 'Cancelled' });
    expect(description).toBe(
      'Cancelled, no objects with errors. Ended 2026-11-23 06:00:00 UTC without having run, having waited 4s. Nothing was changed.',
    );
    expect(duration).toBeUndefined();
  });

  test('names one object as one, and ten kinds of errors at most', () => {
    expect(told({}, { errors: 1 })['description']).toContain('1 object with errors.');
    const errorsByType = Object.fromEntries(
      Array.from({ length: 14 }, (_, index) => [
        `Kind${String(index).padStart(2, '0')}`,
        20 - index,
      ]),
    );
    expect(told({}, { errors: 1, errorsByType })['error_types']).toBe(
      '20 Kind00, 19 Kind01, 18 Kind02, 17 Kind03, 16 Kind04, 15 Kind05, 14 Kind06, 13 Kind07, 12 Kind08, 11 Kind09, 34 of 4 other kinds',
    );
  });

  test('knows failures in a row up to a hundred', () => {
    expect(told({ failuresInARow: 99 })['failures_in_a_row']).toBe('99');
    expect(told({ failuresInARow: 100 })['description']).toContain(
      '100 or more failures in a row.',
    );
    expect(told({ failuresInARow: 0 })['failures_in_a_row']).toBeUndefined();
  });
});

test.each([
  [0, '0s'],
  [0.04, '0s'],
  [0.25, '0.3s'],
  [9.94, '9.9s'],
  [9.96, '10s'],
  [59.6, '1m'],
  [61, '1m 1s'],
  [3_600, '1h'],
  [3_661, '1h 1m 1s'],
  [90_061, '1d 1h 1m 1s'],
])('%d seconds are told as %s', (seconds, text) => {
  expect(told({}, { duration: micros(seconds * 1_000_000) })['duration']).toBe(text);
});

test('what the schedule was stays while schedules are unknown, and leaves when it has none', () => {
  const before = told({ schedules: ['Nightly', 'Weekend'] });
  expect(told({ before })['schedule']).toBe('Nightly, Weekend');
  expect(told({ before, schedules: [] })['schedule']).toBeUndefined();
});

test('half a surrogate pair in any text becomes the replacement character', () => {
  expect(told({ schedules: ['\uDC00'] })['schedule']).toBe('\uFFFD');
});

test('the runbook that an alert links has its heading', () => {
  const [, file = '', heading = ''] = /\/blob\/main\/(.+)#(.+)$/.exec(RUNBOOK_URL) ?? [];
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  const headings = [...text.matchAll(/^### (.+)$/gm)].map(([, name]) => name?.toLowerCase());
  expect(headings).toContain(heading);
});
