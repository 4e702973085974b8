/** What the simulator says of JIM's state, where nothing was recorded: by what JIM's code has (jim-api, section 10). */
import { describe, expect, test } from 'vitest';
import { createCompany } from '../../src/demo/company.ts';
import { BADGES, DELTA, HR, NIGHTLY, PHONE_BOOK } from '../../src/demo/company-set-up.ts';
import type { DialectName } from '../../src/demo/dialects.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { ask, askJson, type Page } from './ask.ts';

const START = Date.parse('2026-11-25T12:05:00Z');
const NO_SUCH = '11111111-1111-1111-1111-111111111111';

function companyOn(dialect: DialectName) {
  const company = createCompany({ seed: 1, startMs: START, days: 0.1, dialect, quiet: true });
  const simulator = createSimulator({ world: company.world, now: () => company.world.nowMs });
  const get = <T>(path: string): Promise<T> => askJson<T>(simulator, `/api/v1${path}`);
  const fail = async (path: string): Promise<readonly unknown[]> => {
    const { status, text } = await ask(simulator, `/api/v1${path}`);
    return [status, JSON.parse(text)];
  };
  return { ...company, get, fail };
}

describe('certificates', () => {
  interface Certificate {
    readonly name: string;
    readonly validTo: string;
    readonly isExpired: boolean;
    readonly isExpiringSoon: boolean;
    readonly daysUntilExpiry: number;
  }

  test('say when they end, and whether that is soon or past', async () => {
    const { get, incidents } = companyOn('0.14');
    const told = async (): Promise<readonly unknown[]> => {
      const { items } = await get<Page<Certificate>>('/certificates');
      return items.map(({ name, isExpired, isExpiringSoon, daysUntilExpiry }) => [
        name,
        isExpired,
        isExpiringSoon,
        daysUntilExpiry,
      ]);
    };
    expect(await told()).toEqual([
      ['Directory CA', false, false, 1479],
      ['Cloud Directory', false, false, 63],
    ]);
    incidents.setCertificateExpiry('Directory CA', -1.5);
    incidents.setCertificateExpiry('Cloud Directory', 12);
    expect(await told()).toEqual([
      ['Directory CA', true, false, -1],
      ['Cloud Directory', false, true, 12],
    ]);
    const { items } = await get<Page<Certificate>>('/certificates?page=2&pageSize=1');
    expect(items.map((item) => item.validTo)).toEqual(['2026-12-07T12:05:00+00:00']);
  });
});

describe('service settings', () => {
  test('are told with what counts in the end, all or by key', async () => {
    const { get, fail, world } = companyOn('0.14');
    world.settings = world.settings.map((setting) =>
      setting.key === 'History.RetentionPeriod' ? { ...setting, value: '30.00:00:00' } : setting,
    );
    expect(await get('/service-settings')).toHaveLength(4);
    expect(await get('/service-settings/History.RetentionPeriod')).toMatchObject({
      defaultValue: '90.00:00:00',
      value: '30.00:00:00',
      effectiveValue: '30.00:00:00',
      isOverridden: true,
    });
    expect(await get('/service-settings/History.CleanupBatchSize')).toMatchObject({
      value: null,
      effectiveValue: '100',
      isOverridden: false,
    });
    expect(await fail('/service-settings/Nothing')).toMatchObject([404, { code: '' }]);
  });
});

describe('connected systems', () => {
  test('come by name, with counts that follow what runs do', async () => {
    const { get, incidents, world } = companyOn('0.14');
    interface System {
      readonly name: string;
      readonly pendingExportObjectsCount: number;
    }
    const systems = async (): Promise<readonly System[]> =>
      (await get<Page<System>>('/synchronisation/connected-systems')).items;
    const names = (await systems()).map((system) => system.name);
    expect(names).toEqual(names.toSorted());
    expect(names).toContain(BADGES);
    world.systems = world.systems.map((system) => ({ ...system, pendingExports: 7 }));
    const { id } = world.systems.find((system) => system.name === BADGES) ?? { id: 0 };
    const count = `/synchronisation/connected-systems/${id}/pending-exports/count`;
    expect(await get(count)).toBe(7);
    incidents.run(BADGES, 'Export');
    world.advanceTo(START + 60_000);
    expect(await get(count)).toBe(0);
    const badges = (await systems()).find((system) => system.name === BADGES);
    expect(badges?.pendingExportObjectsCount).toBe(0);
  });

  test('have run profiles, or are not there', async () => {
    const { get, fail } = companyOn('0.14');
    expect(await get('/synchronisation/connected-systems/5/run-profiles')).toMatchObject([
      { name: 'Full Import', runType: 'FullImport', connectedSystemId: 5 },
      { name: 'Full Synchronisation', runType: 'FullSynchronisation' },
      { name: 'Export', runType: 'Export' },
    ]);
    expect(await fail('/synchronisation/connected-systems/9/run-profiles')).toMatchObject([
      404,
      { code: 'NOT_FOUND' },
    ]);
  });
});

describe('schedules', () => {
  test('tell their steps, and which of them run in parallel', async () => {
    const { get, world } = companyOn('0.14');
    const nightly = world.schedules.find((schedule) => schedule.name === NIGHTLY);
    interface Detail {
      readonly stepCount: number;
      readonly steps: ReadonlyArray<Readonly<Record<string, unknown>>>;
    }
    const { steps, stepCount } = await get<Detail>(`/schedules/${nightly?.id}`);
    expect(stepCount).toBe(13);
    expect(steps.map((step) => step['stepIndex'])).toEqual([0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 5, 5, 5]);
    expect(steps.map((step) => step['executionMode'] === 'Sequential')).toEqual(
      [0, 5, 6, 7, 8, 9].reduce(
        (all, place) => all.with(place, true),
        Array<boolean>(13).fill(false),
      ),
    );
    expect(steps[4]).toMatchObject({
      stepType: 'RunProfile',
      connectedSystemId: world.systems.find((system) => system.name === PHONE_BOOK)?.id,
      continueOnFailure: true,
    });
  });

  test('built into JIM have a step that is no run profile', async () => {
    const { get, world } = companyOn('main');
    const [builtIn] = world.schedules;
    expect(await get(`/schedules/${builtIn?.id}`)).toMatchObject({
      name: 'Temporal Scope Reconciliation',
      steps: [{ stepType: 'TemporalScopeReconciliation', runProfileId: null }],
      lastExecutionId: null,
    });
  });

  test('that are not there are missed without a code', async () => {
    const { fail } = companyOn('0.14');
    expect(await fail(`/schedules/${NO_SUCH}`)).toMatchObject([404, { code: '' }]);
    expect(await fail(`/schedule-executions/${NO_SUCH}`)).toMatchObject([404, { code: '' }]);
  });

  test.each([
    ['0.14', 'Completed'],
    ['main', 'Complete'],
  ] as const)('on %s end %s', async (dialect, word) => {
    const { get, world } = companyOn(dialect);
    const delta = world.schedules.find((schedule) => schedule.name === DELTA);
    const newest = `/schedule-executions?scheduleId=${delta?.id}&pageSize=1`;
    expect(await get(newest)).toMatchObject({ items: [{ scheduleName: DELTA, status: word }] });
    const oldest = await get<Page<{ readonly queuedAt: string }>>(
      `/schedule-executions?scheduleId=${delta?.id}&sortDescending=false&pageSize=2`,
    );
    const [first, second] = oldest.items.map((execution) => execution.queuedAt);
    expect(Date.parse(second ?? '') - Date.parse(first ?? '')).toBeGreaterThan(14 * 60_000);
  });

  test('show a step that waits, one that runs and one that is through', async () => {
    const { get, incidents, world } = companyOn('0.14');
    incidents.startSchedule(DELTA);
    world.advanceTo(START + 20_000);
    const [active] = await get<readonly { readonly id: string }[]>('/schedule-executions/active');
    interface Step {
      readonly status: string;
      readonly taskId: string | null;
    }
    const { steps } = await get<{ readonly steps: readonly Step[] }>(
      `/schedule-executions/${active?.id}`,
    );
    expect(steps.map((step) => step.status)).toEqual([
      ...Array<string>(4).fill('Completed'),
      'Processing',
      ...Array<string>(4).fill('Waiting'),
    ]);
    expect(steps.map((step) => step.taskId === null)).toEqual([
      ...Array<boolean>(4).fill(true),
      ...Array<boolean>(5).fill(false),
    ]);
  });
});

describe('worker tasks', () => {
  test('come newest first, fifty a page', async () => {
    const { get, incidents } = companyOn('0.14');
    const queued = Array.from({ length: 55 }, () => incidents.run(HR, 'DeltaImport'));
    const page = await get<Page<{ readonly activityId: string }>>('/worker-tasks');
    expect(page).toMatchObject({ totalCount: 55, pageSize: 50, totalPages: 2 });
    expect(page.items.map((task) => task.activityId)).toEqual(queued.toReversed().slice(0, 50));
  });
});
