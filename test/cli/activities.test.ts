/** The terminal client on a simulated JIM: what it prints, and how it ends. */
import { describe, expect, test } from 'vitest';
import { activities } from '../../src/cli/activities.ts';
import type { ActivitiesArguments } from '../../src/cli/arguments.ts';
import { tryJim } from '../../src/cli/connect.ts';
import { createCompany } from '../../src/demo/company.ts';
import { HR } from '../../src/demo/company-set-up.ts';
import type { DialectName } from '../../src/demo/dialects.ts';
import { DIALECTS } from '../../src/demo/dialects.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { simulatorTransport } from '../../src/demo/transport.ts';
import type { World } from '../../src/demo/world.ts';
import { DEMO_API_KEY, World as NewWorld } from '../../src/demo/world.ts';
import { loadConfig } from '../../src/config/load.ts';
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
  readonly jim: ReturnType<typeof createJimClient>;
} {
  let nowMs = world.nowMs;
  const simulator = createSimulator({ world, now: () => nowMs, quirks: { rateLimit: false } });
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
    jim,
    run: (asked) =>
      activities(asked, {
        jim,
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
  test.each(DIALECTS)('filters by itself where JIM %s cannot', async (dialect) => {
    const { run, out } = rig(company(dialect));
    const options = {
      type: 'ConnectedSystemRunProfile',
      system: 'hr system',
      name: 'import',
      limit: '5',
      output: 'csv',
    };
    expect(await run({ action: 'list', options })).toBe(0);
    expect(out[0]).toBe('created,status,type,operation,system,name,took,errors,id');
    expect(out).toHaveLength(6);
    for (const row of out.slice(1))
      expect(row).toMatch(/^2026-11-2\d .*,ConnectedSystemRunProfile,.*,HR System,.*Import,/);
  });

  test('prints a table whose columns line up, without characters that move the cursor', async () => {
    const world = new NewWorld({ seed: 1, startMs: START_MS });
    world.insert({
      ...RUN,
      targetName: 'evil\u001B[2J\nname',
      status: 'Complete',
      executionTime: 1e6,
      totalActivityTime: 1e6,
    });
    const { run, out } = rig(world);
    await run({ action: 'list', options: {} });
    expect(out).toHaveLength(2);
    expect(out[1]).toContain('evil [2J name');
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
    expect(out.join('\n')).toMatch(/Errors by type +\d+ \w+/);
  });

  test('says that there is no such Activity', async () => {
    const { run, err } = rig(company());
    expect(await run({ action: 'show', id: '11111111-1111-1111-1111-111111111111' })).toBe(1);
    expect(err).toEqual(['JIM has no Activity 11111111-1111-1111-1111-111111111111.']);
  });

  test.each([
    ['show', 1],
    ['watch', 3],
  ] as const)('says that a word is no id: %s', async (action, code) => {
    const { run, err } = rig(company());
    expect(await run({ action, id: 'nightly' })).toBe(code);
    expect(err).toEqual([
      'nightly is no id of an Activity; activities list shows them in its last column.',
    ]);
  });
});

describe('activities watch', () => {
  function hour(status: string): { world: World; id: string } {
    const world = new NewWorld({ seed: 2, startMs: START_MS });
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
      expect(out.at(-1)).toMatch(new RegExp(`^${status}: 3600 of 3600 objects`));
      expect(drawn).toEqual([]);
    },
  );

  test('moves a bar on a terminal', async () => {
    const { world, id } = hour('Complete');
    const { run, drawn } = rig(world, true);
    expect(await run({ action: 'watch', id })).toBe(0);
    expect(new Set(drawn.map((line) => line.slice(0, 32))).size).toBeGreaterThan(25);
    expect(drawn[0]).toMatch(/^\[\.{30}\]/);
  });

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
    expect(out).toContain('JIM does not answer; waiting for it.');
    expect(
      await rig(world).run({ action: 'watch', id: '11111111-1111-1111-1111-111111111111' }),
    ).toBe(3);
  });
});

describe('check-config --connect', () => {
  const loaded = loadConfig({
    flags: {},
    environment: { JIM_URL: 'https://jim.example', JIM_API_KEY: DEMO_API_KEY },
    workingFolder: '/',
    scheduleFault: () => null,
  });
  if (!loaded.ok) throw new Error('the configuration of this test is bad');

  test('tells what JIM is and what to expect', async () => {
    const lines: string[] = [];
    expect(await tryJim(rig(company()).jim, loaded.config, (line) => void lines.push(line))).toBe(
      true,
    );
    expect(lines.join('\n')).toContain('version 0.14.0');
    expect(lines.join('\n')).toMatch(/inventory: +5 connected systems, \d+ run profiles/);
    expect(lines.join('\n')).toContain('shows at most 100000 Activities from either end');
  });

  test('fails with a sentence for a key without the role', async () => {
    const world = company();
    world.apiKeys = world.apiKeys.map((key) => ({ ...key, role: 'none' }));
    const lines: string[] = [];
    expect(await tryJim(rig(world).jim, loaded.config, (line) => void lines.push(line))).toBe(
      false,
    );
    expect(lines.at(-1)).toContain("JIM's Administrator role");
  });
});
