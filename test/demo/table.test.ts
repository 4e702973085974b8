import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BLANK_ROW, STATUSES, type WorldRow } from '../../src/demo/row.ts';
import { ActivityTable, type RowFilter, type RowQuery } from '../../src/demo/table.ts';

/** Few instants, statuses and names, so that ties are the norm. */
const someRow = fc
  .record({
    id: fc.uuid(),
    created: fc.integer({ min: 0, max: 12 }),
    status: fc.constantFrom(...STATUSES, 'Paused'),
    targetType: fc.constantFrom('ConnectedSystem', 'Authentication', 'Zebra'),
    targetName: fc.constantFrom('b', 'a', null),
  })
  .map((fields): WorldRow => ({ ...BLANK_ROW, executed: fields.created, ...fields }));
const someRows = fc.uniqueArray(someRow, { selector: (row) => row.id, maxLength: 60 });

const someFilter: fc.Arbitrary<RowFilter | null> = fc.option(
  fc.record(
    {
      createdFrom: fc.integer({ min: -1, max: 13 }),
      createdTo: fc.integer({ min: -1, max: 13 }),
      statuses: fc.subarray([...STATUSES]).map((statuses) => new Set<string>(statuses)),
      matches: fc.constant((row: WorldRow) => row.targetName === 'a'),
    },
    { requiredKeys: [] },
  ),
);

const someQuery: fc.Arbitrary<RowQuery> = fc.record({
  sortBy: fc.constantFrom('created', 'status', 'targetType', 'targetName'),
  descending: fc.boolean(),
  ties: fc.oneof(
    fc.constantFrom('id' as const, 'unspecified' as const),
    fc.record({ shuffledBy: fc.nat() }),
  ),
  filter: someFilter,
  offset: fc.nat({ max: 30 }),
  limit: fc.integer({ min: 1, max: 20 }),
});

/** The slow way, which needs no index. */
function naively(rows: readonly WorldRow[], query: RowQuery): readonly WorldRow[] {
  const { filter } = query;
  return rows
    .filter(
      (row) =>
        filter === null ||
        (row.created >= (filter.createdFrom ?? -Infinity) &&
          row.created <= (filter.createdTo ?? Infinity) &&
          filter.statuses?.has(row.status) !== false &&
          filter.matches?.(row) !== false),
    )
    .toSorted((a, b) => {
      const order = keyOf(a, query) < keyOf(b, query) ? -1 : 1;
      if (keyOf(a, query) !== keyOf(b, query)) return query.descending ? -order : order;
      return a.id < b.id ? -1 : 1;
    });
}

function keyOf(row: WorldRow, query: RowQuery): number | string {
  switch (query.sortBy) {
    case 'created':
      return row.created;
    case 'status':
      return [...STATUSES, 'Paused'].indexOf(row.status);
    case 'targetType':
      return ['ConnectedSystem', 'Authentication', 'Zebra'].indexOf(row.targetType);
    case 'targetName':
      break;
  }
  return row.targetName ?? 'z';
}

function tableOf(rows: readonly WorldRow[]): ActivityTable {
  const table = new ActivityTable();
  for (const row of rows) table.insert(row);
  return table;
}

describe('the table of Activities', () => {
  test('answers every page as a plain sort by key and id would', () => {
    fc.assert(
      fc.property(someRows, someQuery, (rows, query) => {
        const expected = naively(rows, query);
        const page = tableOf(rows).page({ ...query, ties: 'id' });
        expect(page.total).toBe(expected.length);
        expect(page.rows).toEqual(expected.slice(query.offset, query.offset + query.limit));
      }),
    );
  });

  test('keeps keys in order however ties lie, and shows every row once within one request', () => {
    fc.assert(
      fc.property(someRows, someQuery, (rows, query) => {
        const expected = naively(rows, query);
        const page = tableOf(rows).page({ ...query, offset: 0, limit: rows.length + 1 });
        expect(page.rows.map((row) => keyOf(row, query))).toEqual(
          expected.map((row) => keyOf(row, query)),
        );
        expect(new Set(page.rows)).toEqual(new Set(expected));
      }),
    );
  });

  test('answers the same after loading as after inserting', () => {
    fc.assert(
      fc.property(someRows, someQuery, (rows, query) => {
        const loaded = new ActivityTable();
        loaded.load(rows);
        expect(loaded.page(query)).toEqual(tableOf(rows).page(query));
      }),
    );
  });

  test('answers the same after replacing and removing as without what is gone', () => {
    fc.assert(
      fc.property(someRows, someQuery, (rows, query) => {
        const table = tableOf(rows);
        const kept = rows.filter((_, place) => place % 3 !== 0);
        for (const row of rows) if (!kept.includes(row)) table.remove(row.id);
        const changed = kept.map((row): WorldRow => ({ ...row, status: 'Cancelled' }));
        for (const row of changed) table.replace(row);
        expect(table.page(query)).toEqual(tableOf(changed).page(query));
      }),
    );
  });

  test('answers the same after removing many at once as after removing each', () => {
    fc.assert(
      fc.property(someRows, fc.integer({ min: 1, max: 20 }), someQuery, (rows, every, query) => {
        const goes = (_row: WorldRow, place: number): boolean => place % every === 0;
        const gone = rows.filter(goes);
        const [table, other] = [tableOf(rows), tableOf(rows)];
        for (const { id } of gone) other.remove(id);
        const removed = table.removeAll(new Set([...gone.map(({ id }) => id), 'never there']));
        expect(removed).toEqual(gone);
        expect(table.page(query)).toEqual(other.page(query));
        expect([table.listed, table.get(gone[0]?.id ?? '')]).toEqual([other.listed, undefined]);
      }),
    );
  });

  test('refuses a second row with the same id', () => {
    const row: WorldRow = { ...BLANK_ROW, id: 'x', created: 0, executed: 0 };
    const table = tableOf([row]);
    expect(() => {
      table.insert(row);
    }).toThrow('row x exists already');
    expect(() => {
      table.load([row]);
    }).toThrow('row x exists already');
  });
});
