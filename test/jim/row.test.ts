import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRow } from '../../src/jim/row.ts';
import { recording } from './recordings.ts';

const ROW = firstRow();

function firstRow(): Record<string, unknown> {
  const page = recording('0.14', 'list-with-CompleteWithWarning.json') as {
    items: Record<string, unknown>[];
  };
  const row = page.items.find((item) => item['status'] === 'CompleteWithWarning');
  if (row === undefined) throw new Error('the recording has no such row');
  return row;
}

describe('a row of 0.14', () => {
  it('becomes an Activity without any person or message', () => {
    const row = parseRow(ROW);
    expect(row).toEqual({
      ok: true,
      activity: {
        id: ROW['id'],
        created: expect.any(Number) as number,
        executed: expect.any(Number) as number,
        status: 'CompleteWithWarning',
        targetType: 'ConnectedSystemRunProfile',
        operation: 'Execute',
        targetName: 'Full Import',
        targetContext: ROW['targetContext'],
        runType: 'FullImport',
        objectsToProcess: ROW['objectsToProcess'],
        objectsProcessed: 2,
        executionTime: 422_470,
        totalActivityTime: expect.any(Number) as number,
        outcomes: expect.objectContaining({ Added: 0, Updated: ROW['totalUpdated'] }) as object,
        errors: 2,
      },
    });
    expect(JSON.stringify(row)).not.toContain(ROW['initiatedByName']);
  });

  it('is read without being changed', () => {
    const before = structuredClone(ROW);
    parseRow(ROW);
    expect(ROW).toEqual(before);
  });
});

describe('tolerated', () => {
  it.each([
    ['an unknown field', { somethingNew: { nested: true } }, {}],
    ['an unknown status', { status: 'Paused' }, { status: 'Paused' }],
    ['an unknown target type', { targetType: 'Robot' }, { targetType: 'Robot' }],
    [
      'SyncRule under its later name',
      { targetType: 'SyncRule' },
      { targetType: 'SynchronisationRule' },
    ],
    ['no run type', { connectedSystemRunType: null }, { runType: 'NotSet' }],
    [
      'no names',
      { targetName: null, targetContext: null },
      { targetName: null, targetContext: null },
    ],
    ['left out names', { targetName: undefined }, { targetName: null }],
    ['an executed of year 1', { executed: '0001-01-01T00:00:00' }, { executed: null }],
    ['no executed', { executed: null }, { executed: null }],
    [
      'no times yet',
      { executionTime: null, totalActivityTime: null },
      { executionTime: null, totalActivityTime: null },
    ],
    [
      'a negative time (shifted time zones)',
      { executionTime: '-01:00:00' },
      { executionTime: -3_600_000_000 },
    ],
    [
      'an upper-case id',
      { id: '01A20A15-6651-7098-ABE0-D963D71E8337' },
      { id: '01a20a15-6651-7098-abe0-d963d71e8337' },
    ],
  ])('%s', (_rule, change, expected) => {
    const row = parseRow({ ...ROW, ...change });
    expect(row.ok && row.activity).toMatchObject(expected);
  });
});

describe('names of people stay behind', () => {
  it.each([
    ['MetaverseObject', { targetName: null, targetContext: 'Directory' }],
    ['ConnectedSystemObject', { targetName: null, targetContext: 'Directory' }],
    ['PasswordSynchronisation', { targetName: null, targetContext: 'Directory' }],
    ['Robot, a type unknown to us', { targetName: null, targetContext: null }],
    ['Schedule', { targetName: 'Ada', targetContext: 'Directory' }],
    ['SyncRule', { targetName: 'Ada', targetContext: 'Directory' }],
    ['ConnectedSystemRunProfile', { targetName: 'Ada', targetContext: 'Directory' }],
  ])('%s', (targetType, expected) => {
    const row = parseRow({ ...ROW, targetType, targetName: 'Ada', targetContext: 'Directory' });
    expect(row.ok && row.activity).toMatchObject(expected);
  });
});

describe('rejected alone, with the first reason that applies', () => {
  it.each([
    ['not_an_object', null],
    ['not_an_object', 'text'],
    ['not_an_object', [ROW]],
    ['id', { ...ROW, id: 7 }],
    ['id', { ...ROW, id: 'not-a-guid' }],
    ['id', { ...ROW, id: undefined }],
    ['created', { ...ROW, created: null }],
    ['created', { ...ROW, created: '0001-01-01T00:00:00' }],
    ['created', { ...ROW, created: '2026-13-01T00:00:00Z' }],
    ['status', { ...ROW, status: 2 }],
    ['status', { ...ROW, status: '' }],
    ['status', { ...ROW, status: null }],
    ['times', { ...ROW, executed: 'soon' }],
    ['times', { ...ROW, executionTime: 'PT1S' }],
    ['times', { ...ROW, totalActivityTime: 12 }],
    ['totals', { ...ROW, totalAdded: -1 }],
    ['totals', { ...ROW, totalAdded: 1.5 }],
    ['totals', { ...ROW, totalAdded: '3' }],
    ['totals', { ...ROW, totalAdded: 2 ** 53 }],
    ['totals', { ...ROW, totalErrors: null }],
    ['totals', { ...ROW, totalPendingExports: undefined }],
    ['totals', { ...ROW, objectsProcessed: null }],
    ['other', { ...ROW, targetType: null }],
    ['other', { ...ROW, targetOperationType: '' }],
    ['other', { ...ROW, targetName: 5 }],
    ['other', { ...ROW, targetContext: {} }],
    ['other', { ...ROW, connectedSystemRunType: 3 }],
  ])('%s', (reason, value) => {
    expect(parseRow(value)).toMatchObject({ ok: false, rejected: { reason } });
  });

  it('tells the id and the created time where they could be read', () => {
    expect(parseRow({ ...ROW, status: null })).toEqual({
      ok: false,
      rejected: { id: ROW['id'], created: expect.any(Number) as number, reason: 'status' },
    });
    expect(parseRow({ ...ROW, id: null })).toMatchObject({
      rejected: { id: null, created: expect.any(Number) as number },
    });
    expect(parseRow({ ...ROW, created: null })).toMatchObject({
      rejected: { id: ROW['id'], created: null },
    });
  });
});

it('no JSON makes it throw, and no row is both', () => {
  const anyField = fc.constantFrom(...Object.keys(ROW));
  const damaged = fc
    .tuple(anyField, fc.jsonValue())
    .map(([name, value]) => ({ ...ROW, [name]: value }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), damaged), (value) => {
      const row = parseRow(value);
      if (!row.ok) return;
      const { outcomes, errors, objectsProcessed } = row.activity;
      for (const count of [...Object.values(outcomes), errors, objectsProcessed]) {
        expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});
