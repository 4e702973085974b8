import { expect, test } from 'vitest';
import { BLANK_ROW } from '../../src/demo/row.ts';
import { ActivityTable, type RowFilter, type RowQuery } from '../../src/demo/table.ts';

test('bears 200,000 rows: any page, of any order, and inserts in their midst', () => {
  const table = new ActivityTable();
  table.load(
    Array.from({ length: 200_000 }, (_, place) => ({
      ...BLANK_ROW,
      id: String(place).padStart(12, '0'),
      created: Math.floor(place / 3) * 10,
      executed: place,
      status: place % 1000 === 0 ? 'InProgress' : 'Complete',
    })),
  );
  const query: RowQuery = {
    sortBy: 'created',
    descending: true,
    ties: { shuffledBy: 12_345 },
    filter: null,
    offset: 0,
    limit: 100,
  };
  const seen = new Set<string>();
  for (let page = 0; page < 2000; page += 1) {
    const { rows } = table.page({ ...query, ties: 'unspecified', offset: page * 100 });
    for (const row of rows) seen.add(row.id);
  }
  expect(seen.size).toBe(200_000);
  for (let insert = 0; insert < 200; insert += 1) {
    table.insert({ ...BLANK_ROW, id: `new-${insert}`, created: insert * 3000 + 5, executed: 0 });
  }
  expect(table.page({ ...query, sortBy: 'status', offset: 300 }).rows).toHaveLength(100);
  const filter: RowFilter = { statuses: new Set(['InProgress']) };
  expect(table.page({ ...query, filter }).total).toBe(400);
}, 120_000);
