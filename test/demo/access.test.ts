/** Who may ask the simulator, how often, and what a version does not know. */
import { describe, expect, test } from 'vitest';
import { DIALECTS, type DialectName } from '../../src/demo/dialects.ts';
import { createSimulator, type Simulator } from '../../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import { ACTIVITIES, ask } from './ask.ts';

const START = Date.parse('2026-11-23T12:00:00Z');
const OTHER_KEY = `jim_ak_${'1'.repeat(64)}`;

interface Running {
  readonly simulator: Simulator;
  pass(ms: number): void;
}

function run(dialect: DialectName): Running {
  let now = START;
  const world = new World({ seed: 1, startMs: START, dialect });
  return {
    simulator: createSimulator({ world, now: () => now }),
    pass: (ms) => {
      now += ms;
    },
  };
}

/** How many of so many requests in a row were answered. */
async function answered(
  simulator: Simulator,
  requests: number,
  key: string | null,
  path = ACTIVITIES,
): Promise<number> {
  let good = 0;
  for (let index = 0; index < requests; index += 1) {
    const { status } = await ask(simulator, path, key);
    if (status !== 429) good += 1;
  }
  return good;
}

describe("JIM's rate limit", () => {
  test.each(['0.8', '0.12', '0.13'] as const)('is not there in %s', async (dialect) => {
    expect(await answered(run(dialect).simulator, 400, DEMO_API_KEY)).toBe(400);
  });

  test.each(['0.14', 'main'] as const)(
    'is 300 a minute and key in %s, sliding by ten seconds',
    async (dialect) => {
      const { simulator, pass } = run(dialect);
      expect(await answered(simulator, 200, DEMO_API_KEY)).toBe(200);
      pass(30_000);
      expect(await answered(simulator, 150, DEMO_API_KEY)).toBe(100);
      pass(20_000);
      expect(await answered(simulator, 5, DEMO_API_KEY)).toBe(0);
      // The first 200 are a minute old; the 100 of half a minute later are not.
      pass(10_000);
      expect(await answered(simulator, 250, DEMO_API_KEY)).toBe(200);
    },
  );

  test('is 30 a minute for all who have no good key: then even 401 becomes 429', async () => {
    const { simulator, pass } = run('0.14');
    expect(await answered(simulator, 20, null)).toBe(20);
    expect(await answered(simulator, 20, 'jim_ak_wrong')).toBe(10);
    expect(await answered(simulator, 5, DEMO_API_KEY)).toBe(5);
    pass(60_000);
    expect((await ask(simulator, ACTIVITIES, null)).status).toBe(401);
  });

  test('counts neither health nor infrastructure keys, and each key apart', async () => {
    const { simulator } = run('0.14');
    const { world } = simulator;
    world.apiKeys = [
      ...world.apiKeys,
      { key: OTHER_KEY, role: 'Administrator', isInfrastructure: false },
      { key: 'jim_ak_infrastructure', role: 'Administrator', isInfrastructure: true },
    ];
    expect(await answered(simulator, 301, DEMO_API_KEY)).toBe(300);
    expect(await answered(simulator, 301, OTHER_KEY)).toBe(300);
    expect(await answered(simulator, 301, 'jim_ak_infrastructure')).toBe(301);
    expect(await answered(simulator, 301, DEMO_API_KEY, '/api/v1/health')).toBe(301);
  });

  test('can be switched off', async () => {
    const { simulator } = run('0.14');
    simulator.quirks = { rateLimit: false };
    expect(await answered(simulator, 400, DEMO_API_KEY)).toBe(400);
  });
});

describe('keys', () => {
  test('are refused with 401 when unknown, and with an empty 403 without the role', async () => {
    const { simulator } = run('0.14');
    simulator.world.apiKeys = [{ key: OTHER_KEY, role: 'none', isInfrastructure: false }];
    expect((await ask(simulator, ACTIVITIES, DEMO_API_KEY)).text).toBe(
      '{"error":"Unauthorized","message":"Authentication required"}',
    );
    const { status, text } = await ask(simulator, ACTIVITIES, OTHER_KEY);
    expect([status, text]).toEqual([403, '']);
  });

  test('that are refused leave one row in a quarter of an hour, from 0.14 on', async () => {
    const { simulator, pass } = run('0.14');
    const rows = (): number => simulator.world.table.listed;
    await answered(simulator, 10, 'jim_ak_wrong');
    expect(rows()).toBe(1);
    await answered(simulator, 1, 'jim_ak_mistaken');
    expect(rows()).toBe(2);
    await answered(simulator, 1, null);
    expect(rows()).toBe(2);
    pass(15 * 60_000);
    await answered(simulator, 2, 'jim_ak_wrong');
    expect(rows()).toBe(3);
    expect(simulator.world.table.rows[0]).toMatchObject({
      status: 'Complete',
      targetType: 'Authentication',
      targetName: 'API key authentication failed',
    });
    const old = run('0.13').simulator;
    await answered(old, 3, 'jim_ak_wrong');
    expect(old.world.table.listed).toBe(0);
  });
});

describe('what a version does not know', () => {
  const ID = '01a20a19-c2c4-70a2-8ec8-ee86cfad7430';
  const known: ReadonlyArray<readonly [string, readonly DialectName[]]> = [
    [`/activities/${ID}/progress`, ['0.14', 'main']],
    ['/worker-tasks', ['0.13', '0.14', 'main']],
    ['/service-settings', ['0.12', '0.13', '0.14', 'main']],
    [
      '/synchronisation/connected-systems/1/pending-exports/count',
      ['0.12', '0.13', '0.14', 'main'],
    ],
    ['/schedules', DIALECTS],
    ['/schedule-executions/active', DIALECTS],
  ];

  test.each(known)('%s is a page of HTML to those that lack it', async (path, dialects) => {
    for (const dialect of DIALECTS) {
      const { headers } = await ask(run(dialect).simulator, `/api/v1${path}`);
      const type = dialects.includes(dialect) ? 'application/json' : 'text/html';
      expect([dialect, headers.get('content-type')]).toEqual([dialect, `${type}; charset=utf-8`]);
    }
  });

  test.each([
    ['/api/v1/no-such-thing', 200],
    [`${ACTIVITIES}/not-a-guid`, 200],
    [`${ACTIVITIES}/${ID}/nothing`, 200],
    ['/api/v1/no-such.thing', 404],
    ['/metrics', 302],
  ])('%s answers %i, with or without a key', async (path, status) => {
    for (const key of [DEMO_API_KEY, null]) {
      expect((await ask(run('0.14').simulator, path, key)).status).toBe(status);
    }
  });

  test('security headers came with 0.14', async () => {
    const frames: Array<string | null> = [];
    for (const dialect of DIALECTS) {
      frames.push((await ask(run(dialect).simulator, ACTIVITIES)).headers.get('x-frame-options'));
    }
    expect(frames).toEqual([null, null, null, 'DENY', 'DENY']);
  });

  test('the version is the one reported, which need not be the true one', async () => {
    const { simulator } = run('main');
    const version = async (): Promise<string> =>
      (await ask(simulator, '/api/v1/health/version')).text;
    expect(await version()).toBe('{"product":"JIM","version":"0.15.0"}');
    simulator.quirks = { reportedVersion: '0.14.0' };
    expect(await version()).toBe('{"product":"JIM","version":"0.14.0"}');
  });

  test('maintenance is told by readiness alone', async () => {
    const { simulator } = run('0.14');
    simulator.world.maintenance = true;
    const ready = await ask(simulator, '/api/v1/health/ready', null);
    expect([ready.status, JSON.parse(ready.text)]).toMatchObject([
      503,
      { status: 'not_ready', reason: 'maintenance_mode' },
    ]);
    expect((await ask(simulator, '/api/v1/health', null)).status).toBe(200);
    expect((await ask(simulator, ACTIVITIES)).status).toBe(200);
  });
});

describe('the Date header', () => {
  test("is JIM's clock in whole seconds, unless a proxy puts its own", async () => {
    const { simulator, pass } = run('0.14');
    const date = async (): Promise<string | null> =>
      (await ask(simulator, ACTIVITIES)).headers.get('date');
    pass(900);
    simulator.world.clockOffsetMs = -90_000;
    expect(await date()).toBe('Mon, 23 Nov 2026 11:58:30 GMT');
    simulator.quirks = { proxyDateOffsetMs: 60_000 };
    expect(await date()).toBe('Mon, 23 Nov 2026 12:01:00 GMT');
  });
});
