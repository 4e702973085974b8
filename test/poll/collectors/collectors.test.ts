/** The collectors beside the poll, on a simulated company: what they show is the world's own truth, and what fails in them shows only in their own metric. */
import { describe, expect, test } from 'vitest';
import { CLOUD, DELTA, HR } from '../../../src/demo/company-set-up.ts';
import type { Company } from '../../../src/demo/company.ts';
import { createCompany } from '../../../src/demo/company.ts';
import type { DialectName } from '../../../src/demo/dialects.ts';
import type { CollectorName } from '../../../src/metrics/catalogue/process.ts';
import { activityIdOf } from '../../metrics/snapshots.ts';
import type { Rig, RigOptions } from '../rig.ts';
import { ALL_COLLECTORS, START_MS, createRig } from '../rig.ts';

interface Scene {
  readonly company: Company;
  readonly rig: Rig;
  /** A poll and the turns after it, as the timetable has them. */
  cycle(): Promise<void>;
  /** The value of the one sample whose line begins so; null where there is none. */
  value(series: string): number | null;
}

async function scene(
  dialect: DialectName = 'main',
  { days = 0, ...options }: Omit<RigOptions, 'world'> & { readonly days?: number } = {},
): Promise<Scene> {
  const company = createCompany({ seed: 5, startMs: START_MS, days, dialect, quiet: true });
  const rig = await createRig({ ...options, world: company.world });
  return {
    company,
    rig,
    cycle: async () => {
      await rig.poll();
      await rig.collectors.afterPoll({});
    },
    value: (series) => {
      const lines = (rig.scrape() ?? '')
        .split('\n')
        .filter((line) => line.startsWith(`${series} `));
      expect(lines.length, `${series} stands there at most once`).toBeLessThanOrEqual(1);
      return lines[0] === undefined ? null : Number(lines[0].slice(series.length + 1));
    },
  };
}

/** A label value as the text format writes it. */
function escaped(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}

const seconds = (micros: number | null | undefined): number => (micros ?? Number.NaN) / 1e6;

describe('what is read is what JIM has', () => {
  test('readiness and maintenance', async () => {
    const { company, cycle, value } = await scene();
    await cycle();
    expect([value('jim_ready'), value('jim_maintenance_mode')]).toEqual([1, 0]);
    company.incidents.setMaintenance(true);
    await cycle();
    expect([value('jim_ready'), value('jim_maintenance_mode')]).toEqual([0, 1]);
  });

  test('the worker’s queue, by status and with its oldest task', async () => {
    const { company, rig, cycle, value } = await scene();
    company.incidents.startSchedule(DELTA);
    rig.pass(3_000);
    await cycle();
    const { tasks } = company.world;
    expect(tasks.length).toBeGreaterThan(2);
    for (const status of [
      'Queued',
      'Processing',
      'CancellationRequested',
      'WaitingForPreviousStep',
    ]) {
      const ofStatus = tasks.filter((task) => task.status === status);
      expect(value(`jim_worker_tasks{status="${status}"}`)).toBe(ofStatus.length);
      const oldest = Math.min(...ofStatus.map(({ timestamp }) => timestamp));
      expect(value(`jim_worker_tasks_oldest_timestamp_seconds{status="${status}"}`)).toBe(
        ofStatus.length === 0 ? null : oldest / 1e6,
      );
    }
  });

  test('connected systems, and run profiles at 0 before they ever ran', async () => {
    const { company, rig, cycle, value } = await scene();
    await cycle();
    for (const system of company.world.systems) {
      const labels = `{connected_system="${escaped(system.name)}"}`;
      expect(value(`jim_connected_system_objects${labels}`)).toBe(system.objectCount);
      expect(value(`jim_connected_system_joined_objects${labels}`)).toBe(system.joinedCount);
      expect(value(`jim_connected_system_pending_exports${labels}`)).toBe(system.pendingExports);
      for (const { name, runType } of system.runProfiles) {
        const run = `connected_system="${escaped(system.name)}",run_profile="${name}",run_type="${runType}"`;
        expect(value(`jim_runs_total{${run},status="Complete"}`), run).toBe(0);
      }
    }
    expect(rig.ledger().inventory.runs?.size).toBe(
      company.world.systems.flatMap(({ runProfiles }) => runProfiles).length,
    );
  });

  test('more than ten connected systems are read in turns, and only all of them are an inventory', async () => {
    const { company, rig, cycle } = await scene();
    const [first] = company.world.systems;
    if (first === undefined) throw new Error('the company has no system');
    company.world.systems = Array.from({ length: 23 }, (_, index) => ({
      ...first,
      id: index + 1,
      name: `System ${String(index + 10)}`,
    }));
    await cycle();
    expect(rig.collectors.readings().connectedSystems).toHaveLength(10);
    expect(rig.ledger().inventory.runs).toBeNull();
    await rig.collectors.turn('inventory', {});
    expect(rig.ledger().inventory.runs).toBeNull();
    await rig.collectors.turn('inventory', {});
    expect(rig.collectors.readings().connectedSystems).toHaveLength(23);
    expect(rig.ledger().inventory.connectedSystems.size).toBe(23);
  });

  test.each(['0.8', '0.14', 'main'] as const)(
    'schedules, their steps and executions on %s',
    async (dialect) => {
      const { company, rig, cycle, value } = await scene(dialect);
      company.incidents.startSchedule(DELTA);
      rig.pass(3_000);
      await cycle();
      for (const schedule of company.world.schedules) {
        const labels = `{schedule="${schedule.name}"}`;
        expect(value(`jim_schedule_enabled${labels}`)).toBe(1);
        expect(value(`jim_schedule_last_run_timestamp_seconds${labels}`)).toBe(
          schedule.lastRunTime === null ? null : seconds(schedule.lastRunTime),
        );
        expect(value(`jim_schedule_next_run_timestamp_seconds${labels}`)).toBe(
          seconds(schedule.nextRunTime),
        );
        const own = company.world.executions.filter(({ scheduleId }) => scheduleId === schedule.id);
        const last = own.findLast(
          ({ status }) => !['Queued', 'InProgress', 'Paused'].includes(status),
        );
        for (const status of ['Complete', 'Failed', 'Cancelled']) {
          const series = `jim_schedule_last_execution_status{schedule="${schedule.name}",status="${status}"}`;
          expect(value(series)).toBe(last === undefined ? null : Number(last.status === status));
        }
        const running = own.filter(({ status }) => status === 'InProgress');
        const since = running.map(({ startedAt, queuedAt }) => startedAt ?? queuedAt);
        expect(value(`jim_schedule_in_progress_since_timestamp_seconds${labels}`)).toBe(
          since.length === 0 ? null : seconds(Math.min(...since)),
        );
        const shown = (rig.scrape() ?? '')
          .split('\n')
          .filter((line) =>
            line.startsWith(`jim_schedule_run_profile_info{schedule="${schedule.name}"`),
          );
        const steps = schedule.steps.filter(({ runProfileId }) => runProfileId !== null);
        expect(shown).toHaveLength(new Set(steps.map(({ runProfileId }) => runProfileId)).size);
      }
    },
  );

  test('more than a page of schedules, until they are gone', async () => {
    const { company, rig, cycle, value } = await scene();
    const [first] = company.world.schedules;
    if (first === undefined) throw new Error('the company has no schedule');
    company.world.schedules = Array.from({ length: 150 }, (_, index) => ({
      ...first,
      id: activityIdOf(index),
      name: `Schedule ${index}`,
    }));
    await cycle();
    expect(rig.collectors.readings().schedules).toHaveLength(150);
    expect(value('jim_schedule_enabled{schedule="Schedule 0"}')).toBe(1);
    expect(value('jim_schedule_enabled{schedule="Schedule 149"}')).toBe(1);
    company.world.schedules = company.world.schedules.slice(0, 1);
    await rig.collectors.turn('schedules', {});
    expect(value('jim_schedule_enabled{schedule="Schedule 0"}')).toBe(1);
    expect(value('jim_schedule_enabled{schedule="Schedule 149"}')).toBeNull();
  });

  describe('an execution in progress that newer ones have pushed off the list', () => {
    const since = `jim_schedule_in_progress_since_timestamp_seconds{schedule="${DELTA}"}`;
    const last = (status: string): string =>
      `jim_schedule_last_execution_status{schedule="${DELTA}",status="${status}"}`;

    async function pushedOff(): Promise<Scene & { readonly id: string }> {
      const made = await scene();
      const { company, rig, cycle, value } = made;
      company.incidents.startSchedule(DELTA);
      rig.pass(3_000);
      await cycle();
      const running = company.world.executions.at(-1);
      if (running?.startedAt == null) throw new Error('nothing runs');
      expect(value(since)).toBe(running.startedAt / 1e6);
      const newer = Array.from({ length: 120 }, (_, index) => ({
        ...running,
        id: activityIdOf(index),
        scheduleId: activityIdOf(999),
        status: 'Complete' as const,
        queuedAt: running.queuedAt + index + 1,
      }));
      company.world.executions = [...company.world.executions, ...newer];
      await rig.collectors.turn('schedules', {});
      expect(value(since)).toBe(running.startedAt / 1e6);
      return { ...made, id: running.id };
    }

    test('is seen to end', async () => {
      const { company, rig, value, id } = await pushedOff();
      company.world.executions = company.world.executions.map((execution) =>
        execution.id === id ? { ...execution, status: 'Failed' as const } : execution,
      );
      await rig.collectors.turn('schedules', {});
      expect([value(since), value(last('Failed')), value(last('Complete'))]).toEqual([null, 1, 0]);
    });

    test('is let go when JIM no longer knows it', async () => {
      const { company, rig, value, id } = await pushedOff();
      company.world.executions = company.world.executions.filter((one) => one.id !== id);
      await rig.collectors.turn('schedules', {});
      expect(value(since)).toBeNull();
    });

    test('is let go with its schedule', async () => {
      const { company, rig, value } = await pushedOff();
      company.world.schedules = company.world.schedules.filter(({ name }) => name !== DELTA);
      await rig.collectors.turn('schedules', {});
      expect(value(since)).toBeNull();
    });
  });

  test('the last two due times of a schedule, as JIM’s clock passes them', async () => {
    const { company, rig, cycle, value } = await scene();
    const nextRun = (): number =>
      seconds(company.world.schedules.find(({ name }) => name === DELTA)?.nextRunTime);
    await cycle();
    const labels = `{schedule="${DELTA}"}`;
    expect(value(`jim_schedule_last_due_timestamp_seconds${labels}`)).toBeNull();
    const first = nextRun();
    rig.pass(16 * 60_000);
    await cycle();
    await rig.collectors.turn('schedules', {});
    expect(value(`jim_schedule_last_due_timestamp_seconds${labels}`)).toBe(first);
    const second = nextRun();
    rig.pass(15 * 60_000);
    await rig.collectors.turn('schedules', {});
    expect(value(`jim_schedule_last_due_timestamp_seconds${labels}`)).toBe(second);
    expect(value(`jim_schedule_previous_due_timestamp_seconds${labels}`)).toBe(first);
  });

  test('certificates', async () => {
    const { company, cycle, value } = await scene();
    await cycle();
    expect(company.world.certificates.length).toBeGreaterThan(0);
    for (const { name, validTo } of company.world.certificates) {
      expect(value(`jim_certificate_expiry_timestamp_seconds{certificate="${name}"}`)).toBe(
        Math.floor(validTo) / 1e6,
      );
    }
  });

  test('live progress changes its time only when it moves', async () => {
    const { company, rig, cycle, value } = await scene();
    await cycle();
    company.incidents.slowDown(HR, 50);
    company.incidents.run(HR, 'FullImport');
    rig.pass(20_000);
    await cycle();
    await cycle();
    const series =
      'jim_run_progress_timestamp_seconds{connected_system="HR System",run_profile="Full Import",run_type="FullImport"}';
    const first = value(series);
    expect(first).not.toBeNull();
    rig.simulator.faults.inject(
      { kind: 'edit', edit: (body) => frozen(body) },
      { path: /progress$/, times: Number.POSITIVE_INFINITY },
    );
    rig.pass(15_000);
    await cycle();
    const stopped = value(series);
    rig.pass(60_000);
    await cycle();
    expect(value(series)).toBe(stopped);
    rig.simulator.faults.clear();
    await cycle();
    expect(value(series)).toBeGreaterThan(stopped ?? Number.NaN);
  });
});

function frozen(body: unknown): unknown {
  return typeof body === 'object' && body !== null
    ? { ...body, objectsProcessed: 7, objectsToProcess: 9, totalErrors: 0, currentPhase: null }
    : body;
}

/** Runs until it ended and was counted, and the collectors have read about it. */
async function runToItsEnd({ company, rig, cycle }: Scene, system: string): Promise<string> {
  const id = company.incidents.run(system, 'FullImport');
  for (let turn = 0; turn < 240; turn += 1) {
    rig.pass(15_000);
    await cycle();
    const last = [...rig.ledger().runs.values()].some((account) => account.last?.id === id);
    if (last) break;
  }
  await cycle();
  return id;
}

const HR_RUN = 'connected_system="HR System",run_profile="Full Import",run_type="FullImport"';
const CLOUD_RUN =
  'connected_system="Cloud Directory",run_profile="Full Import",run_type="FullImport"';

describe('what collectors add to finished runs', () => {
  test('statistics are read once, and missing only after an hour', async () => {
    const it = await scene('main', { settings: { runStats: 'auto' } });
    await it.cycle();
    const lift = it.rig.simulator.faults.inject(
      { kind: 'status', status: 500 },
      { path: /stats$/, times: Number.POSITIVE_INFINITY },
    );
    const id = await runToItsEnd(it, HR);
    expect([...it.rig.ledger().owedStats.keys()]).toContain(id);
    expect(it.value('jim_exporter_collector_success{collector="run_stats"}')).toBe(0);
    expect(it.value('jim_up')).toBe(1);
    lift();
    it.rig.pass(61_000);
    await it.cycle();
    expect([...it.rig.ledger().owedStats.keys()]).not.toContain(id);
    expect(it.value('jim_exporter_run_stats_missing_total')).toBe(0);
    const processed = it.company.world.row(id)?.objectsProcessed;
    const account = [...it.rig.ledger().runs.values()].find(({ last }) => last?.id === id);
    expect(account?.last?.processed).toBe(processed);
    expect(processed).toBeGreaterThan(0);

    const asked: string[] = [];
    it.rig.simulator.onRequest(({ path }) => asked.push(path));
    await it.rig.restart();
    for (let minute = 0; minute < 6; minute += 1) {
      it.rig.pass(60_000);
      await it.cycle();
    }
    expect(it.value(`jim_run_objects_processed_total{${HR_RUN}}`)).toBe(processed);
    expect(asked.filter((path) => path.includes(id) && path.endsWith('/stats'))).toEqual([]);
  });

  test('a run that JIM has deleted is asked about once', async () => {
    const it = await scene('main', { settings: { runStats: 'auto' } });
    await it.cycle();
    it.rig.simulator.faults.inject(
      { kind: 'status', status: 500 },
      { path: /stats$/, times: Number.POSITIVE_INFINITY },
    );
    const id = await runToItsEnd(it, HR);
    const owed = it.rig.ledger().owedStats.size;
    for (const each of it.rig.ledger().owedStats.keys()) it.company.world.remove(each);
    expect(it.company.world.row(id)).toBeUndefined();
    it.rig.simulator.faults.clear();
    it.rig.pass(61_000);
    await it.rig.collectors.afterPoll({});
    expect(it.rig.ledger().owedStats.size).toBe(0);
    expect(it.value('jim_exporter_run_stats_missing_total')).toBe(owed);
  });

  test('the last run of a first start has its gauge too, and no counter knows of it', async () => {
    const it = await scene('main', { days: 1, settings: { runStats: 'auto' } });
    await it.cycle();
    await it.cycle();
    const ran = [...it.rig.ledger().runs.values()].filter(({ last }) => last !== null);
    expect(ran.length).toBeGreaterThan(5);
    for (const { labels, last, cells } of ran) {
      const run = `connected_system="${escaped(labels.connectedSystem)}",run_profile="${escaped(labels.runProfile)}",run_type="${labels.runType}"`;
      const processed = last === null ? null : it.company.world.row(last.id)?.objectsProcessed;
      expect(it.value(`jim_run_last_objects_processed{${run}}`)).toBe(processed);
      expect(cells.has('processed')).toBe(false);
    }
    const asked = it.rig.simulator.requestCount;
    await it.cycle();
    await it.cycle();
    expect(it.rig.simulator.requestCount - asked).toBeLessThanOrEqual(12);
    expect(it.value('jim_exporter_run_stats_missing_total')).toBe(0);
  });

  test('statistics that fail for an hour are reported as missing, once', async () => {
    const it = await scene('main', { settings: { runStats: 'auto' } });
    await it.cycle();
    it.rig.simulator.faults.inject(
      { kind: 'status', status: 500 },
      { path: /stats$/, times: Number.POSITIVE_INFINITY },
    );
    await runToItsEnd(it, HR);
    const owed = it.rig.ledger().owedStats.size;
    expect(it.value('jim_exporter_run_stats_missing_total')).toBe(0);
    for (let minute = 0; minute < 63; minute += 1) {
      it.rig.pass(60_000);
      await it.rig.collectors.afterPoll({});
    }
    expect(it.rig.ledger().owedStats.size).toBe(0);
    expect(it.value('jim_exporter_run_stats_missing_total')).toBe(owed);
  });

  test('error types and the cause of a failure', async () => {
    const it = await scene();
    await it.cycle();
    it.company.incidents.failNextRun(CLOUD, 'unhandled', 'FullImport');
    const id = await runToItsEnd(it, CLOUD);
    const row = it.company.world.row(id);
    expect(row?.status).toBe('CompleteWithError');
    const byType = (it.rig.scrape() ?? '')
      .split('\n')
      .filter((line) => line.startsWith(`jim_run_last_errors_by_type{${CLOUD_RUN}`))
      .map((line) => Number(line.split(' ').at(-1)));
    expect(byType.length).toBeGreaterThan(0);
    expect(byType.reduce((sum, count) => sum + count, 0)).toBe(
      it.value(`jim_run_last_errors{${CLOUD_RUN}}`),
    );
    expect(it.value(`jim_run_last_failure_info{${CLOUD_RUN},cause="object_errors"}`)).toBe(1);
  });

  test('error messages are kept for the bridge only where they are wanted', async () => {
    for (const messagesWanted of [true, false]) {
      const it = await scene('0.14', { collectors: { messagesWanted } });
      await it.cycle();
      it.company.incidents.failNextRun(CLOUD, 'connector', 'FullImport');
      const id = await runToItsEnd(it, CLOUD);
      expect(it.value(`jim_run_last_failure_info{${CLOUD_RUN},cause="exception"}`)).toBe(1);
      const told = [...it.rig.collectors.news().messages].filter(([of]) => of === id);
      expect(told).toHaveLength(messagesWanted ? 1 : 0);
    }
  });
});

/** Each collector, the path it cannot do without, and a metric of what it read. */
const FAILURES: readonly (readonly [CollectorName, RegExp, string | null])[] = [
  ['worker_tasks', /worker-tasks$/, 'jim_worker_tasks{status="Queued"}'],
  ['health', /health\/ready$/, 'jim_ready'],
  ['schedules', /schedules$/, `jim_schedule_enabled{schedule="${DELTA}"}`],
  ['inventory', /connected-systems$/, 'jim_connected_system_objects{connected_system="HR System"}'],
  [
    'certificates',
    /certificates$/,
    'jim_certificate_expiry_timestamp_seconds{certificate="Directory CA"}',
  ],
];

describe('a collector that fails', () => {
  test.each(FAILURES)(
    '%s leaves jim_up at 1 and shows in its own metric',
    async (name, path, series) => {
      const { rig, cycle, value } = await scene();
      await cycle();
      const success = `jim_exporter_collector_success{collector="${name}"}`;
      expect(value(success)).toBe(1);
      expect(value(`jim_exporter_collector_duration_seconds{collector="${name}"}`)).not.toBeNull();
      if (series !== null) expect(value(series)).not.toBeNull();
      const lift = rig.simulator.faults.inject(
        { kind: 'html' },
        { path, times: Number.POSITIVE_INFINITY },
      );
      const again = (): Promise<void> =>
        name === 'schedules' || name === 'inventory' || name === 'certificates'
          ? rig.collectors.turn(name, {})
          : cycle();
      for (let turn = 1; turn <= 3; turn += 1) {
        await again();
        expect(value('jim_up')).toBe(1);
        expect(value(success)).toBe(0);
        if (series === null) continue;
        const stays = turn < 3 && name !== 'health';
        expect(value(series) === null, `after ${String(turn)} missed turns`).toBe(!stays);
      }
      const told = rig.lines.filter(({ msg }) => msg === 'a collector failed');
      expect(told, 'said once').toHaveLength(1);
      lift();
      await again();
      expect(value(success)).toBe(1);
      if (series !== null) expect(value(series)).not.toBeNull();
    },
  );

  test.each([
    ['progress', /\/progress$/],
    ['error_types', /\/items$/],
    ['failure_causes', /\/activities\/[0-9a-f-]{36}$/],
  ] as const)('%s, about single runs, leaves jim_up at 1 too', async (name, path) => {
    const it = await scene();
    await it.cycle();
    const success = `jim_exporter_collector_success{collector="${name}"}`;
    expect(it.value(success)).toBe(1);
    it.rig.simulator.faults.inject(
      { kind: 'status', status: 500 },
      { path, times: Number.POSITIVE_INFINITY },
    );
    it.company.incidents.failNextRun(CLOUD, 'unhandled', 'FullImport');
    it.company.incidents.slowDown(CLOUD, 20);
    it.company.incidents.run(CLOUD, 'FullImport');
    const seen: (number | null)[] = [];
    for (let turn = 0; turn < 240 && !seen.includes(0); turn += 1) {
      it.rig.pass(15_000);
      await it.cycle();
      seen.push(it.value(success));
      expect(it.value('jim_up')).toBe(1);
    }
    expect(seen.at(-1)).toBe(0);
    // Until it is asked again nothing has succeeded.
    await it.cycle();
    expect(it.value(success)).toBe(0);
    it.rig.simulator.faults.clear();
    it.rig.pass(61_000);
    await it.cycle();
    expect(it.value(success)).toBe(1);
  });

  test('what was read stays while JIM is down, but readiness', async () => {
    const { company, rig, cycle, value } = await scene();
    await cycle();
    const schedule = value(`jim_schedule_enabled{schedule="${DELTA}"}`);
    company.incidents.goDown(3_600_000);
    for (let turn = 0; turn < 6; turn += 1) {
      rig.pass(60_000);
      await cycle();
      await rig.collectors.turn('schedules', {});
    }
    expect(value('jim_up')).toBe(0);
    expect(value(`jim_schedule_enabled{schedule="${DELTA}"}`)).toBe(schedule);
    expect(value('jim_ready')).toBeNull();
  });

  test('a refused key is not tried by collectors; health needs none', async () => {
    const { company, rig, cycle, value } = await scene();
    await cycle();
    company.world.apiKeys = [];
    const asked: string[] = [];
    rig.pass(60_000);
    await rig.poll();
    rig.simulator.onRequest(({ path }) => asked.push(path));
    await rig.collectors.afterPoll({});
    await rig.collectors.turn('schedules', {});
    expect(asked).toEqual(['/api/v1/health/ready']);
    expect(value('jim_ready')).toBe(1);
  });
});

describe('a collector that hangs', () => {
  test('delays neither the poll, nor the others, nor what is served; its deadline ends it', async () => {
    const deadline = new AbortController();
    const { rig, cycle, value } = await scene('main', { deadline: () => deadline.signal });
    await cycle();
    const schedules = value(`jim_schedule_enabled{schedule="${DELTA}"}`);
    rig.simulator.faults.inject(
      { kind: 'hang' },
      { path: /schedules$/, times: Number.POSITIVE_INFINITY },
    );
    const hanging = rig.collectors.turn('schedules', {});
    const polls = value('jim_exporter_polls_total') ?? Number.NaN;
    rig.pass(15_000);
    await rig.poll();
    await rig.collectors.turn('certificates', {});
    expect(value('jim_exporter_polls_total')).toBe(polls + 1);
    expect(value('jim_up')).toBe(1);
    expect(value('jim_exporter_collector_success{collector="certificates"}')).toBe(1);
    expect(value(`jim_schedule_enabled{schedule="${DELTA}"}`)).toBe(schedules);
    deadline.abort(new DOMException('the turn took too long', 'TimeoutError'));
    await hanging;
    expect(value('jim_exporter_collector_success{collector="schedules"}')).toBe(0);
    expect(value('jim_up')).toBe(1);
    expect(rig.lines.filter(({ msg }) => msg === 'a collector failed')).toMatchObject([
      { fields: { collector: 'schedules', reason: 'timeout' } },
    ]);
  });
});

test('poll and collectors together stay inside requests_per_minute', async () => {
  const { rig, cycle } = await scene('0.14', { requestsPerMinute: 12 });
  const atMs: number[] = [];
  rig.simulator.onRequest(() => atMs.push(rig.nowMs()));
  for (let turn = 0; turn < 16; turn += 1) {
    await cycle();
    rig.pass(15_000);
  }
  expect(atMs.length).toBeGreaterThan(50);
  const inAMinuteFrom = (from: number): number =>
    atMs.filter((at) => at >= from && at < from + 60_000).length;
  // A tenth of it may have been saved up.
  expect(Math.max(...atMs.map(inAMinuteFrom))).toBeLessThanOrEqual(14);
});

describe('a collector that is off', () => {
  test('what a version lacks is said once, asks nothing and has no metric', async () => {
    const { rig, cycle, value } = await scene('0.12');
    const asked: string[] = [];
    rig.simulator.onRequest(({ path }) => asked.push(path));
    await cycle();
    await cycle();
    const off = ['worker_tasks', 'progress', 'run_stats', 'error_types'];
    for (const name of off) {
      expect(value(`jim_exporter_collector_success{collector="${name}"}`), name).toBeNull();
    }
    expect(asked.filter((path) => /worker-tasks|progress|stats|items/.test(path))).toEqual([]);
    const said = rig.lines.filter(({ msg }) => msg.startsWith('a collector is off'));
    expect(said).toHaveLength(off.length);
    expect(rig.lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('a switch turns it off: what it read and its metrics leave', async () => {
    const enabled = { ...ALL_COLLECTORS.enabled };
    const { rig, cycle, value } = await scene('main', { collectors: { enabled } });
    await cycle();
    expect(value('jim_ready')).toBe(1);
    enabled.health = false;
    await cycle();
    expect(value('jim_ready')).toBeNull();
    expect(value('jim_exporter_collector_success{collector="health"}')).toBeNull();
    expect(rig.lines.filter(({ msg }) => msg.startsWith('a collector is off'))).toEqual([]);
  });
});

test('an idle cycle costs one request of each collector that reads with the poll', async () => {
  const { rig, cycle } = await scene();
  await cycle();
  await cycle();
  const asked: string[] = [];
  rig.simulator.onRequest(({ path }) => asked.push(path));
  await rig.collectors.afterPoll({});
  expect(asked.toSorted()).toEqual(['/api/v1/health/ready', '/api/v1/worker-tasks']);
});
