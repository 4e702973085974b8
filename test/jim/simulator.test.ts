/** The client against the simulated JIM of each version: what one says, the other reads. */
import { beforeAll, describe, expect, it } from 'vitest';
import { createCompany } from '../../src/demo/company.ts';
import { DIALECTS, type DialectName } from '../../src/demo/dialects.ts';
import { type Fault, ROW_DAMAGES } from '../../src/demo/faults.ts';
import { createSimulator, type Simulator } from '../../src/demo/simulator.ts';
import { simulatorTransport } from '../../src/demo/transport.ts';
import { DEMO_API_KEY, type World } from '../../src/demo/world.ts';
import { createHttp } from '../../src/http.ts';
import { type Activity, activityId, instant, isRun } from '../../src/jim/activity.ts';
import { JIM_PEER } from '../../src/jim/ask.ts';
import { createJimClient, type JimClient, type ListQuery } from '../../src/jim/client.ts';
import { dialectOf } from '../../src/jim/dialect.ts';
import { REJECT_REASONS } from '../../src/jim/row.ts';
import { FAILURE_REASONS, type FailureReason, RequestError } from '../../src/request-error.ts';

const START_MS = Date.parse('2026-11-23T07:00:00Z');
const NEWEST: ListQuery = { sortBy: 'created', direction: 'desc', page: 1, pageSize: 100 };
const NOBODY = activityId('11111111-1111-1111-1111-111111111111');

interface Meeting {
  readonly jim: JimClient;
  readonly simulator: Simulator;
  readonly world: World;
}

function meet(dialect: DialectName, timeoutMs = 5_000): Meeting {
  const { world } = createCompany({ seed: 7, startMs: START_MS, days: 1, dialect, quiet: true });
  const simulator = createSimulator({ world, now: () => START_MS });
  const jim = createJimClient({
    http: createHttp({
      transport: simulatorTransport(simulator),
      clock: { nowMs: () => START_MS, sleep: async () => undefined },
      random: () => 0,
      peer: JIM_PEER,
      userAgent: 'jim-exporter/test',
      timeoutMs,
    }),
    baseUrl: 'http://jim.example',
    apiKey: () => DEMO_API_KEY,
  });
  return { jim, simulator, world };
}

async function allActivities(jim: JimClient): Promise<readonly Activity[]> {
  const all: Activity[] = [];
  for (let page = 1; ; page += 1) {
    const answer = await jim.list({ ...NEWEST, page });
    expect(answer.rejected).toEqual([]);
    all.push(...answer.activities);
    if (!answer.hasNextPage) return all;
  }
}

/** The value, or the failure as one. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
}

function found<T>(value: T | 'not_found'): T {
  if (value === 'not_found') throw new Error('not found');
  return value;
}

describe.each(DIALECTS)('a JIM of %s', (name) => {
  let meeting: Meeting;
  let activities: readonly Activity[];
  beforeAll(async () => {
    meeting = meet(name);
    activities = await allActivities(meeting.jim);
  });

  it('tells its dialect', async () => {
    const { jim } = meeting;
    const filters = await jim.probeFilters();
    expect(filters).toBe(name === 'main');
    expect(dialectOf(await jim.version(), filters)).toMatchObject({
      versionKnown: true,
      filters: name === 'main',
      tieBreak: name === 'main',
      hasWorkerTasks: ['0.13', '0.14', 'main'].includes(name),
      hasProgress: ['0.14', 'main'].includes(name),
    });
  });

  it('lists every Activity, the newest first', () => {
    const { world } = meeting;
    expect(activities.length).toBeGreaterThan(300);
    expect(new Set(activities.map(({ id }) => id)).size).toBe(activities.length);
    const listed = world.truth().filter((row) => row.listed && row.goneAtMs === null);
    expect(listed.length).toBeGreaterThan(300);
    const ids = new Set<string>(activities.map(({ id }) => id));
    expect(listed.filter(({ id }) => !ids.has(id))).toEqual([]);
    const created = activities.map((one) => one.created);
    expect(created).toEqual(created.toSorted((a, b) => b - a));
    expect(activities.map(({ targetType }) => targetType)).not.toContain('SyncRule');
  });

  it('has details, statistics, items and children of every kind of Activity', async () => {
    const { jim } = meeting;
    const kinds = new Map(
      activities.map((one) => [
        `${one.targetType}/${one.operation}/${one.runType}/${one.status}`,
        one,
      ]),
    );
    expect(kinds.size).toBeGreaterThan(8);
    for (const activity of kinds.values()) {
      const { id, created, status, targetType, targetName, targetContext, totalActivityTime } =
        activity;
      expect(await jim.detail(id)).toMatchObject({
        id,
        created,
        status,
        targetType,
        targetName,
        targetContext,
        totalActivityTime,
      });
      expect(await jim.children(id)).toBeInstanceOf(Array);
      if (!isRun(activity)) continue;
      const stats = found(await jim.stats(id));
      expect(stats.outcomes.Added).toBe(activity.outcomes.Added);
      const items = found(await jim.items(id, 1, 100));
      expect(items.rows.length).toBeLessThanOrEqual(100);
    }
  });

  it('does not know an id that never was', async () => {
    const { jim } = meeting;
    expect(await jim.detail(NOBODY)).toBe('not_found');
    expect(await jim.stats(NOBODY)).toBe('not_found');
    expect(await jim.children(NOBODY)).toBe('not_found');
    expect(await jim.scheduleExecution(NOBODY)).toBe('not_found');
    expect(await jim.scheduleSteps(NOBODY)).toBe('not_found');
  });

  it('has systems, run profiles, schedules, executions and certificates', async () => {
    const { jim, world } = meeting;
    const systems = await jim.connectedSystems();
    expect(systems.rows.map((system) => system.name).toSorted()).toEqual(
      world.systems.map((system) => system.name).toSorted(),
    );
    for (const system of systems.rows) {
      expect(await jim.runProfiles(system.id)).not.toHaveLength(0);
    }
    const schedules = await jim.schedules();
    expect(schedules.rows).toHaveLength(world.schedules.length);
    for (const schedule of schedules.rows) {
      expect(found(await jim.scheduleSteps(schedule.id))).toHaveLength(schedule.stepCount);
    }
    const executions = await jim.scheduleExecutions();
    const queued = executions.rows.map((execution) => execution.queuedAt);
    expect(queued).toEqual(queued.toSorted((a, b) => b - a));
    expect(executions.rows.map(({ status }) => status)).not.toContain('Completed');
    const [newest] = executions.rows;
    expect(newest && found(await jim.scheduleExecution(newest.id)).steps.length).toBeGreaterThan(0);
    expect((await jim.certificates()).rows).toHaveLength(world.certificates.length);
    expect(await jim.healthReady()).toEqual({ ready: true, maintenance: false });
  });

  it('has worker tasks and progress, or says with a web page that it has not', async () => {
    const { jim } = meeting;
    const dialect = dialectOf(await jim.version(), name === 'main');
    const [activity] = activities;
    const webPage = { reason: 'bad_response', message: expect.stringContaining('HTML') as string };
    expect(await outcomeOf(jim.progress(activity?.id ?? NOBODY))).toMatchObject(
      dialect.hasProgress ? { id: activity?.id } : webPage,
    );
    expect(await outcomeOf(jim.workerTasks())).toMatchObject(
      dialect.hasWorkerTasks ? { page: 1 } : webPage,
    );
  });

  it('filters, or is caught not filtering', async () => {
    const { jim } = meeting;
    const some = activities[Math.floor(activities.length / 2)];
    if (some === undefined) throw new Error('no Activities');
    const { created } = some;
    const caught = { filterViolated: true };
    const itself = await outcomeOf(
      jim.list({ ...NEWEST, createdFrom: created, createdTo: created }),
    );
    expect(itself).toMatchObject(
      name === 'main' ? { activities: expect.arrayContaining([some]) as unknown } : caught,
    );
    const before = instant(created - 1);
    const nothing = await outcomeOf(
      jim.list({ ...NEWEST, createdFrom: created, createdTo: before }),
    );
    expect(nothing).toMatchObject(name === 'main' ? { rowCount: 0 } : caught);
  });
});

describe('a build of main that still calls itself 0.14.0', () => {
  it('is known by the probe', async () => {
    const { jim, simulator } = meet('main');
    simulator.quirks = { ...simulator.quirks, reportedVersion: '0.14.0' };
    const dialect = dialectOf(await jim.version(), await jim.probeFilters());
    expect(dialect).toMatchObject({ version: '0.14.0', filters: true, maxOffset: 1_000_000 });
  });
});

describe('an answer that goes wrong becomes one of the closed reasons', () => {
  const expected: ReadonlyArray<readonly [Fault, FailureReason]> = [
    [{ kind: 'status', status: 401, body: 'unauthorized' }, 'unauthorized'],
    [{ kind: 'status', status: 403, body: 'empty' }, 'forbidden'],
    [{ kind: 'status', status: 429, body: 'envelope', retryAfter: 60 }, 'rate_limited'],
    [{ kind: 'status', status: 500, body: 'envelope' }, 'server_error'],
    [{ kind: 'status', status: 502, body: 'html' }, 'server_error'],
    [{ kind: 'status', status: 503, body: 'envelope', retryAfter: 5 }, 'server_error'],
    [{ kind: 'status', status: 400, body: 'problem' }, 'bad_response'],
    [{ kind: 'status', status: 404, body: 'html' }, 'bad_response'],
    [{ kind: 'redirect' }, 'bad_response'],
    [{ kind: 'html' }, 'bad_response'],
    [{ kind: 'garbage' }, 'bad_response'],
    [{ kind: 'oversized' }, 'bad_response'],
    [{ kind: 'refuse' }, 'unreachable'],
    [{ kind: 'reset' }, 'unreachable'],
    [{ kind: 'truncate' }, 'unreachable'],
    [{ kind: 'hang' }, 'timeout'],
  ];

  let meeting: Meeting;
  beforeAll(() => {
    meeting = meet('0.14', 300);
  });

  it.each(expected)('%j is %s', async (fault, reason) => {
    const { jim, simulator } = meeting;
    const lift = simulator.faults.inject(fault, { times: Infinity });
    await expect(jim.list(NEWEST)).rejects.toMatchObject({ name: 'RequestError', reason });
    lift();
    await expect(jim.list(NEWEST)).resolves.toMatchObject({ page: 1 });
  });

  it('and each reason has its fault', () => {
    expect(new Set(expected.map(([, reason]) => reason))).toEqual(new Set(FAILURE_REASONS));
  });

  it.each(ROW_DAMAGES)('a row with %s is rejected alone', async (damage) => {
    const { jim, simulator } = meeting;
    const whole = await jim.list(NEWEST);
    simulator.faults.inject({ kind: 'malformed_row', damage, row: 4 });
    const damaged = await jim.list(NEWEST);
    expect(damaged.rejected).toHaveLength(1);
    expect(REJECT_REASONS).toContain(damaged.rejected[0]?.reason);
    expect(damaged.rowCount).toBe(whole.rowCount);
    expect(damaged.activities).toEqual(whole.activities.filter((_activity, index) => index !== 4));
  });
});
