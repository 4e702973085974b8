import { describe, expect, test } from 'vitest';
import type { DialectName } from '../../src/demo/dialects.ts';
import { createSimulator, type Simulator } from '../../src/demo/simulator.ts';
import { World } from '../../src/demo/world.ts';
import { ACTIVITIES, ask, askJson, NEWEST_FIRST, type Page, type Row } from './ask.ts';

const START = Date.parse('2026-11-23T12:00:00Z');
const ALL: readonly DialectName[] = ['0.8', '0.12', '0.13', '0.14', 'main'];
const OLD: readonly DialectName[] = ['0.8', '0.12', '0.13', '0.14'];

function simulatorOf(dialect: DialectName, rows = 0): Simulator {
  const world = new World({ seed: 1, startMs: START, dialect });
  for (let row = 0; row < rows; row += 1) {
    world.insert({ created: START * 1000 + row * 1_000_000, status: 'Complete' });
  }
  return createSimulator({ world, now: () => START });
}

function tied(dialect: DialectName): Simulator {
  const simulator = simulatorOf(dialect);
  for (let row = 0; row < 40; row += 1) simulator.world.insert({ created: START * 1000 });
  return simulator;
}

const ids = (page: Page<Row>): readonly string[] => page.items.map((row) => row.id);

describe.each(ALL)('the list of Activities in %s', (dialect) => {
  test('is oldest first, 25 a page, unless asked otherwise', async () => {
    const simulator = simulatorOf(dialect, 60);
    const page = await askJson<Page<Row>>(simulator, ACTIVITIES);
    expect(page.items.map((row) => row.created).toSorted()).toEqual(
      page.items.map((row) => row.created),
    );
    expect({ ...page, items: page.items.length }).toEqual({
      items: 25,
      totalCount: 60,
      page: 1,
      pageSize: 25,
      totalPages: 3,
      hasNextPage: true,
      hasPreviousPage: false,
    });
  });

  test('clamps page and pageSize instead of refusing them', async () => {
    const simulator = simulatorOf(dialect, 120);
    const sizes = await Promise.all(
      ['pageSize=0', 'pageSize=-3', 'pageSize=5000', 'page=-7', 'PAGESIZE=2'].map((query) =>
        askJson<Page<Row>>(simulator, `${ACTIVITIES}?${query}`),
      ),
    );
    expect(sizes.map(({ page, pageSize }) => [page, pageSize])).toEqual([
      [1, 25],
      [1, 25],
      [1, 100],
      [1, 25],
      [1, 2],
    ]);
  });

  test('claims to be empty past the last page', async () => {
    const page = await askJson(simulatorOf(dialect, 30), `${ACTIVITIES}?page=3`);
    expect(page).toEqual({
      items: [],
      totalCount: 0,
      page: 3,
      pageSize: 25,
      totalPages: 0,
      hasNextPage: false,
      hasPreviousPage: true,
    });
  });

  test('pages through everything once, newest first', async () => {
    const simulator = simulatorOf(dialect, 230);
    const pages = await Promise.all(
      [1, 2, 3].map((page) =>
        askJson<Page<Row>>(simulator, `${NEWEST_FIRST}&pageSize=100&page=${page}`),
      ),
    );
    const rows = pages.flatMap((page) => page.items);
    expect(new Set(rows.map((row) => row.id)).size).toBe(230);
    expect(rows.map((row) => row.created)).toEqual(
      rows
        .map((row) => row.created)
        .toSorted()
        .toReversed(),
    );
  });

  test('sorts executed as created', async () => {
    const simulator = simulatorOf(dialect);
    const early = simulator.world.insert({ created: START * 1000, executed: START * 1000 + 9e9 });
    const late = simulator.world.insert({ created: START * 1000 + 5 });
    const page = await askJson<Page<Row>>(
      simulator,
      `${ACTIVITIES}?sortBy=executed&sortDirection=desc`,
    );
    expect(ids(page)).toEqual([late, early]);
  });

  test('sorts status by its number, so that unfinished rows come first', async () => {
    const simulator = simulatorOf(dialect);
    for (const status of [
      'Cancelled',
      'Complete',
      'InProgress',
      'NotSet',
      'FailedWithError',
      'Paused',
    ]) {
      simulator.world.insert({ status });
    }
    const page = await askJson<Page<Row>>(simulator, `${ACTIVITIES}?sortBy=status`);
    expect(page.items.map((row) => row.status)).toEqual([
      'NotSet',
      'InProgress',
      'Complete',
      'FailedWithError',
      'Cancelled',
      'Paused',
    ]);
  });

  test('refuses a sort direction in capitals', async () => {
    const answer = await ask(simulatorOf(dialect), `${ACTIVITIES}?sortDirection=DESC`);
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
      400,
      { errors: { SortDirection: ["Sort direction must be 'asc' or 'desc'."] } },
    ]);
  });

  test('never shows children', async () => {
    const simulator = simulatorOf(dialect);
    const parent = simulator.world.insert({ status: 'Complete' });
    const child = simulator.world.insert({ status: 'Complete', parentActivityId: parent });
    expect(ids(await askJson<Page<Row>>(simulator, ACTIVITIES))).toEqual([parent]);
    expect((await ask(simulator, `${ACTIVITIES}/${child}`)).status).toBe(200);
    const answer = await askJson<Page<Row> | readonly Row[]>(
      simulator,
      `${ACTIVITIES}/${parent}/children`,
    );
    const isPage = dialect !== '0.8' && dialect !== '0.12';
    expect(isPage).toBe('items' in answer);
    expect(('items' in answer ? answer.items : answer).map((row) => row.id)).toEqual([child]);
  });

  test('calls rules as the version does', async () => {
    const simulator = simulatorOf(dialect);
    simulator.world.insert({ targetType: 'SynchronisationRule' });
    const page = await askJson<Page<Row>>(simulator, ACTIVITIES);
    expect(page.items[0]?.targetType).toBe(
      dialect === '0.8' || dialect === '0.12' ? 'SyncRule' : 'SynchronisationRule',
    );
  });

  test('shows a row only once its INSERT has committed, with the earlier created', async () => {
    let now = START;
    const world = new World({ seed: 1, startMs: START, dialect });
    const simulator = createSimulator({ world, now: () => now });
    const late = world.insert({ status: 'Complete' }, { visibleAtMs: START + 4000 });
    const early = world.insert({ created: START * 1000 + 1_000_000, status: 'Complete' });
    expect(ids(await askJson<Page<Row>>(simulator, NEWEST_FIRST))).toEqual([early]);
    now += 4000;
    expect(ids(await askJson<Page<Row>>(simulator, NEWEST_FIRST))).toEqual([early, late]);
  });
});

describe('filters', () => {
  test.each(OLD)('%s ignores the filters of main, and answers everything', async (dialect) => {
    const page = await askJson<Page<Row>>(
      simulatorOf(dialect, 3),
      `${ACTIVITIES}?status=InProgress&createdFrom=9999-01-01T00:00:00Z&scheduledOnly=true`,
    );
    expect(page.totalCount).toBe(3);
  });

  test.each(['0.8', '0.12', '0.13'] as const)('%s ignores even a target type', async (dialect) => {
    const page = await askJson<Page<Row>>(
      simulatorOf(dialect, 3),
      `${ACTIVITIES}?targetType=Bogus`,
    );
    expect(page.totalCount).toBe(3);
  });

  test.each(['0.14', 'main'] as const)(
    '%s filters by target type, any of several',
    async (dialect) => {
      const simulator = simulatorOf(dialect);
      for (const targetType of ['Authentication', 'ConnectedSystem', 'System']) {
        simulator.world.insert({ targetType });
      }
      const found = async (query: string): Promise<readonly string[]> =>
        (await askJson<Page<Row>>(simulator, `${ACTIVITIES}?${query}`)).items
          .map((row) => row.targetType)
          .toSorted();
      expect(await found('targetType=authentication&targetType=12')).toEqual([
        'Authentication',
        'System',
      ]);
      // .NET ORs the numbers of a comma-separated list: 2 | 20 = 22.
      expect(await found('targetType=ConnectedSystem,20')).toEqual(['Authentication']);
    },
  );

  test.each([
    ['targetType=SyncRule', 'targetType', "The value 'SyncRule' is not valid."],
    ['targetType=Bogus', 'targetType', "The value 'Bogus' is not valid."],
    ['page=x', 'Page', "The value 'x' is not valid for Page."],
  ])('0.14 refuses %s', async (query, field, message) => {
    const answer = await ask(simulatorOf('0.14'), `${ACTIVITIES}?${query}`);
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
      400,
      { title: 'One or more validation errors occurred.', errors: { [field]: [message] } },
    ]);
  });

  test('main filters by created, both ends inclusive, to the microsecond', async () => {
    const simulator = simulatorOf('main');
    const at = (micros: number): string =>
      simulator.world.insert({ created: Date.parse('2026-11-23T12:00:00Z') * 1000 + micros });
    const [, second, third] = [at(1), at(2), at(3), at(4)];
    const page = await askJson<Page<Row>>(
      simulator,
      `${ACTIVITIES}?createdFrom=2026-11-23T12:00:00.000002Z&createdTo=2026-11-23T14:00:00.000003%2B02:00`,
    );
    expect([ids(page), page.totalCount]).toEqual([[second, third], 2]);
  });

  test('main refuses an offset whose plus was not encoded', async () => {
    const answer = await ask(
      simulatorOf('main'),
      `${ACTIVITIES}?createdFrom=2026-11-23T12:00:00+00:00`,
    );
    expect(answer.status).toBe(400);
  });

  test('main finds the few unfinished among many, newest first', async () => {
    const simulator = simulatorOf('main', 500);
    const first = simulator.world.insert({ created: START * 1000 + 7 });
    const second = simulator.world.insert({ created: START * 1000 + 400_000_000 });
    const page = await askJson<Page<Row>>(simulator, `${NEWEST_FIRST}&status=InProgress`);
    expect([ids(page), page.totalCount]).toEqual([[second, first], 2]);
  });

  test('main combines filters, and each means what its name says', async () => {
    const simulator = simulatorOf('main');
    const { world } = simulator;
    const run = world.insert({
      targetType: 'ConnectedSystemRunProfile',
      targetOperationType: 'Execute',
      targetName: 'Full Import',
      targetContext: 'HR System',
      scheduleId: 'c4577fe9-bc59-4229-96ba-d397dd4eaae6',
      initiatedByName: 'First1 Last1',
    });
    world.insert({ targetName: 'Full Import', targetContext: 'HR System (old)' });
    const found = async (query: string): Promise<number> =>
      (await askJson<Page<Row>>(simulator, `${ACTIVITIES}?${query}`)).totalCount;
    expect(await found('connectedSystem=HR%20System')).toBe(1);
    expect(await found('runProfile=Full%20Import')).toBe(2);
    expect(await found('runProfile=Full%20Import&scheduledOnly=false')).toBe(1);
    expect(await found('operation=Execute&outcome=Errors')).toBe(0);
    expect(await found('scheduleId=C4577FE9-BC59-4229-96BA-D397DD4EAAE6')).toBe(1);
    expect(await found('initiatedBy=last1')).toBe(1);
    expect(await found('search=(OLD)')).toBe(1);
    expect(await found('hasChildActivities=true')).toBe(0);
    world.insert({ parentActivityId: run });
    expect(await found('hasChildActivities=true')).toBe(1);
  });
});

describe('page ceilings', () => {
  test.each([
    ['0.13', 'page=100000&pageSize=100', 200],
    ['0.14', 'page=1000&pageSize=1', 200],
    ['0.14', 'page=1001&pageSize=1', 400],
    ['main', 'page=10001&pageSize=100', 200],
    ['main', 'page=10002&pageSize=100', 400],
    ['main', 'page=10002&pageSize=10', 200],
  ] as const)('%s answers %s with %i', async (dialect, query, status) => {
    expect((await ask(simulatorOf(dialect), `${ACTIVITIES}?${query}`)).status).toBe(status);
  });
});

describe('rows with equal created', () => {
  test('are ordered by id on main, in either direction', async () => {
    for (const direction of ['asc', 'desc']) {
      const page = await askJson<Page<Row>>(
        tied('main'),
        `${ACTIVITIES}?sortDirection=${direction}&pageSize=100`,
      );
      expect(ids(page)).toEqual(ids(page).toSorted());
    }
  });

  test('come in a new order at every request before main, where that was asked for', async () => {
    const simulator = tied('0.14');
    simulator.quirks = { shuffledTies: true };
    const first = ids(await askJson<Page<Row>>(simulator, `${NEWEST_FIRST}&pageSize=100`));
    const second = ids(await askJson<Page<Row>>(simulator, `${NEWEST_FIRST}&pageSize=100`));
    expect(first).not.toEqual(second);
    expect(first.toSorted()).toEqual(second.toSorted());
  });

  test('may so be repeated and skipped over two pages', async () => {
    const simulator = tied('0.14');
    simulator.quirks = { shuffledTies: true };
    const pages = await Promise.all(
      [1, 2].map((page) =>
        askJson<Page<Row>>(simulator, `${NEWEST_FIRST}&pageSize=20&page=${page}`),
      ),
    );
    expect(new Set(pages.flatMap(ids)).size).toBeLessThan(40);
  });
});

describe('a count that is another statement than its page', () => {
  test('is off by no more than was asked for, and never below what is shown', async () => {
    const simulator = simulatorOf('0.14', 30);
    simulator.quirks = { countDrift: 2 };
    const seen = new Set<number>();
    for (let request = 0; request < 40; request += 1) {
      seen.add((await askJson<Page<Row>>(simulator, ACTIVITIES)).totalCount);
    }
    expect(seen).toEqual(new Set([28, 29, 30, 31, 32]));
  });
});
