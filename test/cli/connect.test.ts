/** `check-config --connect` against JIMs of every kind: all that an operator wants to know, or one sentence that says why not. */
import { describe, expect, test } from 'vitest';
import { commandClient, tryJim } from '../../src/cli/connect.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/config.ts';
import { createCompany } from '../../src/demo/company.ts';
import type { DialectName } from '../../src/demo/dialects.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import type { Simulator } from '../../src/demo/simulator.ts';
import { simulatorTransport } from '../../src/demo/transport.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import { intervalSecondsOf } from '../../src/scheduler.ts';

const START_MS = Date.UTC(2026, 10, 23, 6);

function configOf(flags: Readonly<Record<string, string>> = {}): Config {
  const loaded = loadConfig({
    flags,
    environment: { JIM_URL: 'https://jim.example', JIM_API_KEY: DEMO_API_KEY },
    workingFolder: '/',
    scheduleFault: () => null,
  });
  if (!loaded.ok) throw new Error('the configuration of this test is bad');
  return loaded.config;
}

async function connect(
  world: World,
  {
    config = configOf(),
    prepare = () => undefined,
  }: { readonly config?: Config; readonly prepare?: (simulator: Simulator) => unknown } = {},
): Promise<{ readonly isWell: boolean; readonly lines: readonly string[] }> {
  let nowMs = world.nowMs;
  let requests = 0;
  const simulator = createSimulator({ world, now: () => nowMs, quirks: { rateLimit: false } });
  prepare(simulator);
  const jim = commandClient(config, {
    transport: simulatorTransport(simulator),
    clock: {
      nowMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    random: () => 0.5,
    userAgent: 'test',
    onRequest: () => {
      requests += 1;
    },
  });
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const isWell = await tryJim({ jim, config, requests: () => requests, intervalSecondsOf, print });
  return { isWell, lines };
}

/** The demo's systems and run profiles, without its history. */
function company(dialect: DialectName): World {
  return createCompany({ seed: 'cli', startMs: START_MS, days: 0, dialect }).world;
}

describe('a JIM that can be watched', () => {
  test('0.14: says what it is, what it can, and what to expect of it', async () => {
    const world = company('0.14');
    const { isWell, lines } = await connect(world);
    expect(isWell).toBe(true);
    expect(lines).toEqual([
      '  JIM answers:    version 0.14.0',
      '  the key:        may read Activities (role Administrator)',
      '  it can do:      worker queue, live progress, run statistics and error types, sign-ins; shows at most 100000 Activities from either end',
      '  clocks:         equal',
      `  Activities:     ${world.table.listed}`,
      '  inventory:      5 connected systems, 22 run profiles',
      '  rate limit:     none was met in 9 requests; JIM allows a key 300 requests a minute, unless set otherwise there',
      // 4 of each poll 4 times, 3 of the schedules, 6 of the inventory in ten minutes, and the certificates.
      '  to expect:      about 1300 series, and 20 requests a minute when idle, of the 120 allowed here',
      '  to change:      nothing',
    ]);
  });

  test.each([
    ['0.8', 'Activities only', 'this version of JIM has none'],
    ['0.13', 'worker queue', 'this version of JIM has none'],
    [
      'main',
      'filters by time, worker queue, live progress, run statistics and error types, sign-ins',
      'JIM allows a key 300 requests a minute',
    ],
  ] as const)('%s: says what it lacks', async (dialect, abilities, limit) => {
    const { isWell, lines } = await connect(company(dialect));
    expect(isWell).toBe(true);
    expect(lines[2]).toBe(`  it can do:      ${abilities}`);
    expect(lines[6]).toContain(limit);
    expect(lines.some((line) => line.includes('collectors.run_stats: always'))).toBe(
      dialect !== 'main',
    );
  });

  test('says what to change', async () => {
    const world = new World({
      seed: 1,
      startMs: START_MS,
      dialect: 'main',
      clockOffsetMs: -47_500,
    });
    world.systems = [...company('main').systems];
    const config = configOf({ 'poll.schedule': '* * * * * *' });
    const small = {
      ...config,
      poll: { ...config.poll, maxLabelSets: 3 },
      jim: { ...config.jim, requestsPerMinute: 60 },
    };
    const { isWell, lines } = await connect(world, { config: small });
    expect(isWell).toBe(true);
    expect(lines).toContain("  clocks:         JIM's is 47 s behind");
    expect(lines.filter((line) => line.startsWith('  to change'))).toEqual([
      '  to change:      Set both machines to network time: counting does not mind, people do.',
      '  to change:      Raise poll.max_label_sets (3) above 22: further run profiles are folded into (other).',
      '  to change:      Raise jim.requests_per_minute (60) above 244, or poll less often: polls would wait for their turn.',
    ]);
    const greedy = { ...config, jim: { ...config.jim, requestsPerMinute: 1_000 } };
    expect((await connect(world, { config: greedy })).lines.at(-1)).toContain(
      'Lower jim.requests_per_minute (1000) to what JIM allows a key',
    );
  });
});

describe('a JIM that cannot be watched so', () => {
  test.each<readonly [string, (world: World, simulator: Simulator) => unknown, string]>([
    [
      'a bad key',
      (world) => {
        world.apiKeys = [];
      },
      'GET https://jim.example/api/v1/activities failed: JIM does not accept the credentials (401). Check jim.api_key or jim.api_key_file: the key may be wrong, disabled, expired or deleted.',
    ],
    [
      'a key without the role',
      (world) => {
        world.apiKeys = world.apiKeys.map((key) => ({ ...key, role: 'none' }));
      },
      "Give them JIM's Administrator role",
    ],
    [
      'nothing that listens',
      (world) => {
        world.listening = false;
      },
      'Check jim.url and that JIM is running',
    ],
    ['a web page', (_, { faults }) => faults.inject({ kind: 'html' }, { times: 99 }), 'jim.url'],
    [
      'a limit that was met',
      (_, { faults }) =>
        faults.inject({ kind: 'status', status: 429 }, { path: /activities$/, times: 99 }),
      '429',
    ],
    [
      'errors of its own',
      (_, { faults }) => faults.inject({ kind: 'status', status: 500 }, { times: 99 }),
      '500',
    ],
  ])('%s', async (_, prepare, sentence) => {
    const world = new World({ seed: 1, startMs: START_MS });
    const { isWell, lines } = await connect(world, {
      prepare: (simulator) => prepare(world, simulator),
    });
    expect(isWell).toBe(false);
    expect(lines.at(-1)).toContain(sentence);
    expect(lines.at(-1)).toMatch(/^ {2}JIM: {12}GET https:/);
  });
});
