/**
 * The living company against what real JIM servers answered, by shape: the same fields in the same order, with
 * the same kinds of values. What its rows say is its own; recordings.test.ts compares recorded rows exactly.
 */
import { describe, expect, test } from 'vitest';
import { createCompany } from '../../src/demo/company.ts';
import { HR } from '../../src/demo/company-set-up.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { askJson } from './ask.ts';
import {
  itemsOf,
  recording,
  recordingsOf,
  RECORDED_DIALECTS,
  textOf,
  type JsonValue,
  type RecordedDialect,
} from './recorded.ts';
import { differences, shapeOf } from './shape.ts';

/** A quarter of an hour has just begun: a delta cycle is under way. */
const START = Date.parse('2026-11-23T23:00:30Z');

/** Fields that JIM may leave null (jim-api, section 2), where what was recorded has a value. */
const NULLABLE: ReadonlySet<string> = new Set([
  'initiatedById',
  'executionTime',
  'totalActivityTime',
  'completedAt',
  'startedAt',
  'errorMessage',
  'progressMessage',
  'taskId',
]);

function companyOn(dialect: RecordedDialect) {
  const company = createCompany({ seed: 3, startMs: START, days: 1, dialect });
  let now = START;
  const simulator = createSimulator({ world: company.world, now: () => now });
  const get = (path: string): Promise<JsonValue> => askJson<JsonValue>(simulator, `/api/v1${path}`);
  const named = (pattern: RegExp): readonly string[] =>
    recordingsOf(dialect).filter((name) => pattern.test(name));
  return {
    ...company,
    get,
    pass: (ms: number): void => {
      now += ms;
      company.world.advanceTo(now);
    },
    /** Where an answer differs from everything recorded under names like this. */
    unlike: async (names: RegExp, path: string): Promise<readonly string[]> => {
      const recorded = shapeOf(named(names).map((name) => recording(dialect, name))).elements;
      if (recorded === null) throw new Error(`nothing is recorded as ${names.source}`);
      return differences(recorded, shapeOf(await get(path)), NULLABLE);
    },
  };
}

describe.each(RECORDED_DIALECTS)('the company on %s answers as recorded', (dialect) => {
  const { unlike, world } = companyOn(dialect);

  test.each([
    'sortBy=created&sortDirection=desc',
    'sortBy=status&sortDirection=asc',
    'sortBy=status&sortDirection=desc',
    'sortBy=type&sortDirection=asc',
    'sortBy=type&sortDirection=desc',
    'sortBy=target&sortDirection=desc',
  ])('the list by %s', async (query) => {
    expect(await unlike(/^list-/, `/activities?${query}&pageSize=100`)).toEqual([]);
  });

  test.each(['FullImport', 'FullSynchronisation', 'DeltaSynchronisation', 'Export'])(
    'detail, stats and items of a %s',
    async (runType) => {
      const run = world.table.rows.findLast(
        (row) => row.runType === runType && row.items.length > 0,
      );
      const path = `/activities/${run?.id}`;
      expect(await unlike(new RegExp(`^detail-.*-${runType}-`), path)).toEqual([]);
      expect(await unlike(new RegExp(`^stats-.*-${runType}-`), `${path}/stats`)).toEqual([]);
      // A delta synchronisation was only recorded with nothing to do; items are alike for all.
      expect(await unlike(/^items-/, `${path}/items?pageSize=3`)).toEqual([]);
    },
  );

  test('the detail of a configuration change', async () => {
    const change = world.table.rows.find((row) => row.targetType === 'ConnectedSystem');
    const path = `/activities/${change?.id}`;
    expect(await unlike(/^detail-ConnectedSystem-Create-/, path)).toEqual([]);
  });

  test.each([
    [/^health-version$/, '/health/version'],
    [/^health-ready$/, '/health/ready'],
    [/^connected-systems$/, '/synchronisation/connected-systems'],
    [/^run-profiles$/, '/synchronisation/connected-systems/2/run-profiles'],
    // Recorded without any: the envelope is what can be compared.
    [/^certificates$/, '/certificates'],
    [/^schedules$/, '/schedules'],
    [/^schedule-executions$/, '/schedule-executions'],
  ])('%s', async (names, path) => {
    expect(await unlike(names, path)).toEqual([]);
  });

  test('children', async () => {
    const parent =
      world.table.rows.find((row) => world.table.children(row.id).length > 0) ??
      world.table.rows[0];
    expect(await unlike(/^children-/, `/activities/${parent?.id}/children?pageSize=3`)).toEqual([]);
  });
});

/** 0.12 was recorded without any schedule, and has neither worker tasks nor live progress. */
const LATER_DIALECTS: readonly RecordedDialect[] = ['0.14', 'main'];

describe.each(LATER_DIALECTS)('the company at work on %s answers as recorded', (dialect) => {
  const { get, pass, unlike, incidents } = companyOn(dialect);

  test('an execution of a schedule, under way and ended', async () => {
    const newest = async (): Promise<string> => {
      const [execution] = itemsOf(await get('/schedule-executions?pageSize=1'));
      return `/schedule-executions/${textOf(execution ?? {}, 'id')}`;
    };
    expect(itemsOf(await get('/schedule-executions?pageSize=1'))).toMatchObject([
      { status: 'InProgress' },
    ]);
    expect(await unlike(/^schedule-executions-active$/, '/schedule-executions/active')).toEqual([]);
    expect(await unlike(/^schedule-execution-detail$/, await newest())).toEqual([]);
    pass(5 * 60_000);
    expect(await unlike(/^schedule-execution-detail$/, await newest())).toEqual([]);
  });

  test('worker tasks and live progress', async () => {
    const running = incidents.run(HR, 'FullImport');
    const queued = incidents.run(HR, 'FullSynchronisation');
    pass(10_000);
    const tasks = itemsOf(await get('/worker-tasks'));
    expect(tasks.map((task) => task['status'])).toEqual(['Queued', 'Processing']);
    expect(await unlike(/^worker-tasks-/, '/worker-tasks')).toEqual([]);
    expect(await unlike(/^progress-queued$/, `/activities/${queued}/progress`)).toEqual([]);
    // JIM names a rate only after a while: none was recorded, and the simulator has one by then.
    expect(await unlike(/^progress-(running|import)$/, `/activities/${running}/progress`)).toEqual(
      [],
    );
  });
});

describe('the comparison of shapes', () => {
  const unlike = (recorded: JsonValue, simulated: JsonValue): readonly string[] =>
    differences(shapeOf(recorded), shapeOf(simulated), new Set(['end']));

  test.each<[string, JsonValue, JsonValue, readonly string[]]>([
    ['another order of fields', { a: 1, b: 2 }, { b: 2, a: 1 }, [' has b, a, recorded a, b']],
    ['a field too many', { a: 1 }, { a: 1, b: 2 }, [' has a, b, recorded a']],
    ['another kind', { a: 1 }, { a: '1' }, ['.a is text, recorded integer']],
    [
      'an untrimmed date',
      '2026-11-23T20:29:32.77996+00:00',
      '2026-11-23T20:29:32.779960+00:00',
      [' is text, recorded date'],
    ],
    [
      'a date with Z',
      '2026-11-23T20:29:32.77996+00:00',
      '2026-11-23T20:29:32.77996Z',
      [' is timestamp, recorded date'],
    ],
    ['a short timespan', '00:00:01.0857790', '00:00:01.085779', [' is text, recorded timespan']],
    ['null where it must not be', { a: 1 }, { a: null }, ['.a is null, recorded integer']],
    ['null where it may be', { end: 1 }, { end: null }, []],
    [
      'rows within a list',
      [{ a: 1 }, { a: null }],
      [{ a: null }, { a: 'x' }],
      ['[].a is text, recorded integer or null'],
    ],
  ])('finds %s', (_, recorded, simulated, found) => {
    expect(unlike(recorded, simulated)).toEqual(found);
  });
});
