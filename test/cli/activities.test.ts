/** The terminal client on a simulated JIM: what it prints, and how it ends. */
import { describe, expect, test } from 'vitest';
import { activities } from '../../src/cli/activities.ts';
import type { ActivitiesArguments } from '../../src/cli/arguments.ts';
import { createCompany } from '../../src/demo/company.ts';
import { HR } from '../../src/demo/company-set-up.ts';
import type { DialectName } from '../../src/demo/dialects.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { simulatorTransport } from '../../src/demo/transport.ts';
import type { World } from '../../src/demo/world.ts';
import { DEMO_API_KEY, World as NewWorld } from '../../src/demo/world.ts';
import { createHttp } from '../../src/http.ts';
import { JIM_PEER } from '../../src/jim/ask.ts';
import { createJimClient } from '../../src/jim/client.ts';
import { RUN } from '../poll/rows.ts';

const START_MS = Date.UTC(2026, 10, 23, 6);

function rig(
  world: World,
  isTerminal = false,
): {
  run(asked: ActivitiesArguments): Promise<number>;
  readonly out: string[];
  readonly err: string[];
  readonly drawn: string[];
  /** Paths asked for, each with its query. */
  readonly asked: string[];
} {
  let nowMs = world.nowMs;
  const simulator = createSimulator({ world, now: () => nowMs, quirks: { rateLimit: false } });
  const paths: string[] = [];
  simulator.onRequest(({ path, query }) => paths.push(`${path}?${query.toString()}`));
  const clock = {
    nowMs: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms;
    },
  };
  const http = createHttp({
    transport: simulatorTransport(simulator),
    clock,
    random: () => 0.5,
    peer: JIM_PEER,
    userAgent: 'test',
    timeoutMs: 5_000,
  });
  const jim = createJimClient({ http, baseUrl: 'http://jim.example', apiKey: () => DEMO_API_KEY });
  const [out, err, drawn]: [string[], string[], string[]] = [[], [], []];
  return {
    out,
    err,
    drawn,
    asked: paths,
    run: (asked) =>
      activities(asked, {
        jim,
        externalUrl: 'https://jim.example',
        clock,
        print: (line) => void out.push(line),
        complain: (line) => void err.push(line),
        redraw: isTerminal ? (line) => void drawn.push(line) : null,
      }),
  };
}

function company(dialect: DialectName = '0.14'): World {
  return createCompany({ seed: 'cli', startMs: START_MS, days: 1, dialect }).world;
}

describe('activities list', () => {
  test.each(['0.8', '0.14', 'main'] as const)(
    'filters by itself where JIM %s cannot',
    async (dialect) => {
      const { run, out } = rig(company(dialect));
      const options = {
        type: 'ConnectedSystemRunProfile',
        system: 'hr system',
        name: 'import',
        limit: '5',
        output: 'csv',
      };
      expect(await run({ action: 'list', options })).toBe(0);
      const [head, ...rows] = (out[0] ?? '').split('\n');
      expect(head).toBe(
        'created,status,type,operation,system,name,took_seconds,errors,id,initiated_by,message',
      );
      expect(rows).toHaveLength(5);
      for (const row of rows)
        expect(row).toMatch(/^2026-11-2\dT.*,ConnectedSystemRunProfile,.*,HR System,.*Import,/);
    },
  );

  test.each([
    ['0.8', { type: 'schedule', status: 'Complete' }, []],
    ['0.14', { type: 'schedule', status: 'Complete' }, ['targetType=Schedule']],
    [
      'main',
      { type: 'schedule', status: 'complete', since: '45m' },
      ['createdFrom=', 'status=Complete', 'targetType=Schedule'],
    ],
    ['main', { type: 'no such type' }, []],
  ] as const)('leaves to JIM %s what it can: %o', async (dialect, options, parameters) => {
    const { run, asked } = rig(company(dialect));
    expect(await run({ action: 'list', options })).toBe(0);
    const list = asked.filter((path) => path.includes('sortBy=created')).at(-1) ?? '';
    for (const name of ['createdFrom=', 'status=', 'targetType='])
      expect(list.includes(name), name).toBe(parameters.some((part) => part.startsWith(name)));
    for (const part of parameters) expect(list).toContain(part);
  });

  test('prints a table whose columns line up, by the width of their characters', async () => {
    const world = new NewWorld({ seed: 1, startMs: START_MS });
    for (const targetName of ['Full Import', '全量导入', 'Ünïcode']) {
      world.insert({ ...RUN, targetName });
      world.advanceTo(world.nowMs + 1_000);
    }
    const { run, out } = rig(world);
    await run({ action: 'list', options: {} });
    expect(out).toEqual([
      'CREATED (UTC)        STATUS      TYPE                       OPERATION  SYSTEM     NAME         TOOK  ERRORS  ID',
      ...['Ünïcode    ', '全量导入   ', 'Full Import'].map((name, index) =>
        expect.stringContaining(
          `InProgress  ConnectedSystemRunProfile  Execute    HR System  ${name}        0       ${world.table.rows.at(-1 - index)?.id ?? ''}`,
        ),
      ),
    ]);
  });

  test.each([
    [{}, 3, ['Complete']],
    [{ status: 'failedwitherror' }, 1, ['FailedWithError']],
    [{ type: 'connectedsystemrunprofile', status: 'Complete' }, 1, ['Complete']],
    [{ system: 'badge' }, 1, ['CompleteWithError']],
    [{ name: 'DELTA' }, 1, ['CompleteWithError']],
    [{ since: '45m' }, 2, []],
    [{ since: '2026-11-23T05:15' }, 2, []],
    [{ since: '2026-11-23T06:15+01:00' }, 2, []],
    [{ since: '2026-11-24' }, 0, []],
    [{ limit: '1' }, 1, ['CompleteWithError']],
  ])('keeps what matches %j', async (options, count, statuses) => {
    const { world } = new Three();
    const { run, out } = rig(world);
    expect(await run({ action: 'list', options: { output: 'json', ...options } })).toBe(0);
    const rows = JSON.parse(out.join('\n')) as { status: string }[];
    expect(rows).toHaveLength(count);
    for (const status of statuses) expect(rows.map((row) => row.status)).toContain(status);
  });

  test('says which word it never met, where nothing matches', async () => {
    const { run, out, err } = rig(new Three().world);
    await run({ action: 'list', options: { status: 'CompletWithError', type: 'Nothing' } });
    expect(out).toEqual(['No Activity matches.']);
    expect(err).toEqual([
      'No Activity that was looked at has --type Nothing',
      'No Activity that was looked at has --status CompletWithError; did you mean "CompleteWithError"?',
    ]);
  });

  test('csv is for spreadsheets, and no name is a formula there', async () => {
    const world = new NewWorld({ seed: 1, startMs: START_MS });
    world.insert({ ...RUN, targetName: '=HYPERLINK("http://evil")', targetContext: 'A, "B"' });
    const { run, out } = rig(world);
    await run({ action: 'list', options: { output: 'csv' } });
    expect(out.join('\n')).toContain(',"A, ""B""","\'=HYPERLINK(""http://evil"")",');
  });

  test.each([
    [{ limit: '0' }, '--limit 0 is no whole number above 0'],
    [{ output: 'xml' }, '--output xml is none of table, json and csv'],
    [{ since: 'soon' }, '--since soon is neither a time like 12h or 2d nor a date like 2026-11-23'],
  ])('refuses %j', async (options, sentence) => {
    const { run, err } = rig(company());
    expect(await run({ action: 'list', options })).toBe(1);
    expect(err).toEqual([sentence]);
  });

  test('json is JSON, and since is obeyed', async () => {
    const { run, out } = rig(company());
    await run({ action: 'list', options: { since: '1h', output: 'json', limit: '500' } });
    const rows: unknown = JSON.parse(out.join('\n'));
    expect(Array.isArray(rows) && rows.length > 3 && rows.length < 200).toBe(true);
  });
});

/** A run an hour ago that failed, one half an hour ago, one just now. */
class Three {
  readonly world = new NewWorld({ seed: 1, startMs: START_MS - 3_600_000 });
  constructor() {
    const finished = { ...RUN, executionTime: 1e6, totalActivityTime: 1e6 };
    this.world.insert({ ...finished, status: 'FailedWithError' });
    this.world.advanceTo(START_MS - 1_800_000);
    this.world.insert({ ...finished, status: 'Complete' });
    this.world.advanceTo(START_MS);
    this.world.insert({
      ...finished,
      status: 'CompleteWithError',
      targetName: 'Delta Import',
      targetContext: 'Badge System',
    });
  }
}

/** Clears the screen, sets the title, goes back over the line; the C1 form of it; hidden and turned text. */
const EVIL = 'x\u001B[2J\u001B]0;owned\u0007\r\n\u009B2Jy\u202Egnp\u200B\u{E0041}\u2028z';
const SAFE_OUTPUT = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u;

describe('hostile names', () => {
  function hostile(): { world: World; id: string } {
    const world = new NewWorld({ seed: 1, startMs: START_MS, dialect: 'main' });
    const id = world.insert({
      ...RUN,
      status: 'CompleteWithError',
      targetName: EVIL,
      targetContext: EVIL,
      message: EVIL,
      errorMessage: EVIL,
      warningMessage: EVIL,
      initiatedByName: EVIL,
      scheduleName: EVIL,
      executionTime: 1e6,
      totalActivityTime: 1e6,
      phases: [
        {
          key: 'import',
          name: EVIL,
          status: 'Active',
          order: 1,
          parentKey: null,
          started: world.jimNow,
          ended: null,
        },
      ],
    });
    world.insert({ ...RUN, parentActivityId: id, targetName: EVIL });
    return { world, id };
  }

  test.each(['table', 'csv', 'json'])(
    'cannot reach the terminal by a list as %s',
    async (output) => {
      const { run, out, err } = rig(hostile().world);
      expect(await run({ action: 'list', options: { output } })).toBe(0);
      for (const line of [...out, ...err].flatMap((text) => text.split('\n')))
        expect(line).toMatch(SAFE_OUTPUT);
      expect(out.join('\n')).toContain('gnp');
      if (output === 'json')
        expect(JSON.parse(out.join('\n'))).toMatchObject([{ name: EVIL, message: EVIL }]);
    },
  );

  test('cannot reach it by the detail', async () => {
    const { world, id } = hostile();
    const { run, out } = rig(world);
    expect(await run({ action: 'show', id })).toBe(0);
    for (const line of out) expect(line).toMatch(SAFE_OUTPUT);
    for (const name of ['Name', 'Context', 'Initiated by', 'Message', 'Warning', 'Error', 'Child'])
      expect(
        out.some((line) => line.startsWith(name) && line.includes('gnp')),
        name,
      ).toBe(true);
  });

  test('cannot reach it by watching', async () => {
    for (const isTerminal of [true, false]) {
      const { world, id } = hostile();
      world.update(id, { status: 'InProgress' });
      world.update(id, { status: 'Complete' }, { atMs: START_MS + 9_000 });
      const { run, out, drawn } = rig(world, isTerminal);
      expect(await run({ action: 'watch', id })).toBe(0);
      expect([...out, ...drawn].length).toBeGreaterThan(1);
      for (const line of [...out, ...drawn]) expect(line).toMatch(SAFE_OUTPUT);
    }
  });

  test('cannot reach it by an id that was typed', async () => {
    const { run, err } = rig(hostile().world);
    expect(await run({ action: 'show', id: EVIL })).toBe(1);
    expect(err).toEqual([expect.stringMatching(SAFE_OUTPUT)]);
  });
});

describe('activities show', () => {
  test('tells the statistics and the first objects that failed', async () => {
    const { world, incidents } = createCompany({
      seed: 'show',
      startMs: START_MS,
      days: 1,
      dialect: '0.14',
    });
    incidents.failNextRun(HR, 'some_objects', 'FullImport');
    const id = incidents.run(HR, 'FullImport');
    world.advanceTo(START_MS + 3_600_000);
    const { run, out } = rig(world);
    expect(await run({ action: 'show', id })).toBe(0);
    expect(out.join('\n')).toMatch(/Status +CompleteWithWarning/);
    const errors = world.row(id)?.totals.Errors ?? 0;
    const told = /Errors by type +(.*)/.exec(out.join('\n'))?.[1] ?? '';
    const counts = [...told.matchAll(/\d+/g)].map(Number);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(errors);
    expect(errors).toBeGreaterThan(0);
    expect(out.filter((line) => line.startsWith('  ')).length).toBe(
      Math.min(errors, 10) + Number(errors > 10),
    );
    expect(out).toContain(`Page in JIM       https://jim.example/activity/${id}`);
  });

  test('says that there is no such Activity', async () => {
    const { run, err } = rig(company());
    expect(await run({ action: 'show', id: '11111111-1111-1111-1111-111111111111' })).toBe(1);
    expect(err).toEqual(['JIM has no Activity 11111111-1111-1111-1111-111111111111.']);
  });

  test.each([
    ['show', 1],
    ['watch', 3],
  ] as const)('%s refuses what is no id', async (action, code) => {
    const { run, err, asked } = rig(company());
    expect(await run({ action, id: 'last' })).toBe(code);
    expect(err).toEqual([
      'last is no id of an Activity; activities list shows them in its last column.',
    ]);
    expect(asked).toEqual([]);
  });
});

describe('activities watch', () => {
  function hour(status: string, dialect: DialectName = '0.14'): { world: World; id: string } {
    const world = new NewWorld({ seed: 2, startMs: START_MS, dialect });
    const id = world.insert({ ...RUN, executed: world.jimNow + 100_000, objectsToProcess: 3_600 });
    for (let second = 60; second < 3_600; second += 60)
      world.update(id, { objectsProcessed: second }, { atMs: START_MS + second * 1_000 });
    world.update(
      id,
      { status, objectsProcessed: 3_600, executionTime: 3_600e6, totalActivityTime: 3_600e6 },
      { atMs: START_MS + 3_600_000 },
    );
    return { world, id };
  }

  test.each([
    ['Complete', 0],
    ['CompleteWithWarning', 0],
    ['FailedWithError', 1],
    ['CompleteWithError', 1],
    ['Cancelled', 2],
  ])(
    'an hour-long import that ends %s ends with %i: plain lines in a pipe',
    async (status, code) => {
      const { world, id } = hour(status);
      const { run, out, drawn } = rig(world);
      expect(await run({ action: 'watch', id })).toBe(code);
      expect(out.length).toBeGreaterThan(50);
      expect(out.at(-1)).toBe(`${status}: 100 %, 3600 of 3600 objects`);
      expect(drawn).toEqual([]);
    },
  );

  test('moves a bar on a terminal', async () => {
    const { world, id } = hour('Complete');
    const { run, drawn } = rig(world, true);
    expect(await run({ action: 'watch', id })).toBe(0);
    const bars = [...new Set(drawn.map((line) => line.slice(0, 22)))];
    expect(bars).toEqual(
      Array.from(
        { length: 21 },
        (_, filled) => `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}]`,
      ),
    );
    expect(drawn[900]).toMatch(
      /^\[#{10}\.{10}\] 50 %, \d+ min left, 1 a second, 1800 of 3600 objects$/,
    );
  });

  test.each(['0.8', '0.12', '0.13'] as const)(
    'on JIM %s, which tells no progress, reckons rate and remaining time from cheap lists',
    async (dialect) => {
      const { world, id } = hour('Complete', dialect);
      const { run, drawn, asked } = rig(world, true);
      expect(await run({ action: 'watch', id })).toBe(0);
      expect(drawn.at(-1)).toMatch(
        /^\[#{20}\] 98 %, \d+ s left, 1 a second, 3540 of 3600 objects$/,
      );
      expect(asked.filter((path) => path.endsWith(id))).toEqual([]);
      expect(asked.filter((path) => path.endsWith('/progress'))).toEqual([]);
    },
  );

  test('survives a restart of JIM, and ends with 3 for what is not there', async () => {
    const { world, id } = hour('Complete');
    world.at(START_MS + 600_000, () => {
      world.listening = false;
    });
    world.at(START_MS + 900_000, () => {
      world.listening = true;
    });
    const { run, out } = rig(world);
    expect(await run({ action: 'watch', id })).toBe(0);
    expect(out.filter((line) => line.startsWith('JIM does not'))).toEqual([
      'JIM does not answer (unreachable); waiting for it.',
    ]);
    expect(
      await rig(world).run({ action: 'watch', id: '11111111-1111-1111-1111-111111111111' }),
    ).toBe(3);
  });

  test('ends with 3 where JIM stays away for more than ten minutes', async () => {
    const { world, id } = hour('Complete');
    world.at(START_MS + 600_000, () => {
      world.listening = false;
    });
    const { run, err } = rig(world);
    expect(await run({ action: 'watch', id })).toBe(3);
    expect(err).toEqual([expect.stringContaining('Check jim.url and that JIM is running')]);
    expect(world.nowMs).toBeLessThan(START_MS + 1_300_000);
  });

  test('ends with 3 at once where the key is refused', async () => {
    const { world, id } = hour('Complete');
    world.apiKeys = [];
    const { run, err, asked } = rig(world);
    expect(await run({ action: 'watch', id })).toBe(3);
    expect(err).toEqual([expect.stringContaining('(401)')]);
    expect(asked.length).toBeLessThan(4);
  });
});
