import { describe, expect, test } from 'vitest';
import { createCompany, type Company } from '../../src/demo/company.ts';
import {
  BADGES,
  CLOUD,
  DELTA,
  DIRECTORY,
  HR,
  NIGHTLY,
  PHONE_BOOK,
} from '../../src/demo/company-set-up.ts';
import { DIALECTS } from '../../src/demo/dialects.ts';
import type { Misfortune } from '../../src/demo/incidents.ts';
import { isFinished, isRun, type WorldRow } from '../../src/demo/row.ts';

/** A Wednesday. */
const START = Date.parse('2026-11-25T12:05:00Z');
const HOUR = 3_600_000;

function companyOf(options: { readonly quiet?: boolean; readonly days?: number } = {}): Company {
  return createCompany({ seed: 1, startMs: START, days: 0.2, quiet: true, ...options });
}

const runsOf = (company: Company): readonly WorldRow[] => company.world.table.rows.filter(isRun);

describe.each(DIALECTS)('the company on %s', (dialect) => {
  const company = createCompany({ seed: 1, startMs: START, days: 1, dialect });

  test('runs every profile of its five systems by its schedules', () => {
    const { world } = company;
    expect(world.systems.map((system) => system.name)).toEqual([
      HR,
      BADGES,
      DIRECTORY,
      CLOUD,
      PHONE_BOOK,
    ]);
    const scheduled = new Set(
      world.schedules
        .flatMap((schedule) => schedule.steps)
        .flatMap((step) => (step.runProfileId === null ? [] : [step.runProfileId])),
    );
    const ran = new Set(runsOf(company).map((run) => run.connectedSystemRunProfileId));
    expect(ran).toEqual(scheduled);
  });

  test('has a delta cycle every quarter of an hour, and a full one every night', () => {
    const started = (name: string): number =>
      company.world.executions.filter((execution) => execution.scheduleName === name).length;
    // One quarter falls into the full cycle's night and waits for it.
    expect(started(DELTA)).toBeGreaterThanOrEqual(95);
    expect(started(NIGHTLY)).toBe(1);
  });

  test('has rows that its version knows', () => {
    const types = new Set(company.world.table.rows.map((row) => row.targetType));
    const isLater = dialect !== '0.8' && dialect !== '0.12';
    const isLatest = dialect === '0.14' || dialect === 'main';
    expect(types.has('TemporalScopeReconciliation')).toBe(isLater);
    expect(types.has('SystemInitialisation')).toBe(isLater);
    expect(types.has('Authentication')).toBe(isLatest);
    expect(types.has('MetaverseObjectHousekeeping')).toBe(isLatest);
    expect(types.has('HistoryRetentionCleanup')).toBe(true);
  });

  test('moves objects: what is imported is exported, and system counts follow', () => {
    const sum = (name: 'Added' | 'Exported' | 'Provisioned'): number =>
      runsOf(company).reduce((total, run) => total + run.totals[name], 0);
    expect(sum('Added')).toBeGreaterThan(0);
    expect(sum('Provisioned')).toBeGreaterThan(0);
    expect(sum('Exported')).toBeGreaterThan(0);
    expect(company.world.systems.find((system) => system.name === HR)?.objectCount).not.toBe(
      12_410,
    );
  });
});

describe('the company', () => {
  test('is quieter at weekends', () => {
    const week = createCompany({ seed: 1, startMs: START, days: 6, quiet: true });
    const changedOn = (weekday: number): number =>
      runsOf(week)
        .filter((run) => new Date(run.created / 1000).getUTCDay() === weekday)
        .reduce((total, run) => total + run.totals.Updated, 0);
    expect(changedOn(0)).toBeLessThan(changedOn(1) / 3);
  });

  test('succeeds at everything when it is quiet, and not always otherwise', () => {
    const statuses = (quiet: boolean): ReadonlySet<string> =>
      new Set(
        runsOf(companyOf({ quiet, days: 3 }))
          .filter((run) => isFinished(run.status))
          .map((run) => run.status),
      );
    expect(statuses(true)).toEqual(new Set(['Complete']));
    expect(statuses(false)).toContain('CompleteWithWarning');
  });

  test('has schedules that know when they ran and will run', () => {
    const { world } = companyOf({ days: 1 });
    const nightly = world.schedules.find((schedule) => schedule.name === NIGHTLY);
    expect((nightly?.nextRunTime ?? 0) / 1000).toBe(Date.parse('2026-11-26T01:00:00Z'));
    expect((nightly?.lastRunTime ?? 0) / 1000 - Date.parse('2026-11-25T01:00:00Z')).toBeLessThan(
      25_000,
    );
  });
});

describe('incidents', () => {
  const ENDS: readonly (readonly [Misfortune, readonly string[]])[] = [
    ['connector', ['FailedWithError']],
    ['all_objects', ['FailedWithError']],
    ['unhandled', ['CompleteWithError']],
    ['some_objects', ['CompleteWithWarning']],
    ['warning', ['CompleteWithWarning']],
    ['flips_to_complete', ['FailedWithError', 'Complete']],
    ['flips_to_cancelled', ['FailedWithError', 'Cancelled']],
  ];

  test.each(ENDS)(
    'make the next run of a system end by %s, and the one after it well',
    (how, ends) => {
      const { world, incidents } = companyOf();
      incidents.failNextRun(DIRECTORY, how, 'FullImport');
      const first = incidents.run(DIRECTORY, 'FullImport');
      const second = incidents.run(DIRECTORY, 'FullImport');
      world.advanceTo(START + 9 * 60_000);
      const endings = (id: string): readonly string[] =>
        world
          .truth()
          .find((row) => row.id === id)
          ?.endings.map((ending) => ending.status) ?? [];
      expect(endings(first)).toEqual(ends);
      expect(endings(second)).toEqual(['Complete']);
    },
  );

  test('stop a connector until it is started again', () => {
    const { world, incidents } = companyOf();
    const runNow = (): string => {
      const id = incidents.run(HR, 'DeltaImport');
      world.advanceTo(world.nowMs + 60_000);
      return world.row(id)?.status ?? '';
    };
    incidents.stopConnector(HR);
    expect([runNow(), runNow()]).toEqual(['FailedWithError', 'FailedWithError']);
    incidents.startConnector(HR);
    expect(runNow()).toBe('Complete');
  });

  test('slow a system down', () => {
    const { world, incidents } = companyOf();
    incidents.slowDown(HR, 1000);
    const id = incidents.run(HR, 'DeltaImport');
    world.advanceTo(START + HOUR);
    expect(world.row(id)?.status).toBe('InProgress');
    expect(world.tasks.some((task) => task.status === 'Queued')).toBe(true);
  });

  test('switch a schedule off and on', () => {
    const { world, incidents } = companyOf();
    const started = (): number =>
      world.executions.filter((execution) => execution.scheduleName === DELTA).length;
    incidents.setScheduleEnabled(DELTA, false);
    const before = started();
    world.advanceTo(START + HOUR);
    expect(started()).toBe(before);
    expect(world.schedules.find(({ name }) => name === DELTA)).toMatchObject({
      isEnabled: false,
      nextRunTime: null,
    });
    incidents.setScheduleEnabled(DELTA, true);
    world.advanceTo(START + 2 * HOUR);
    expect(started()).toBe(before + 4);
  });

  test('crash the worker in the midst of what it does, and start it again', () => {
    const { world, incidents } = companyOf();
    const id = incidents.run(HR, 'FullImport');
    world.advanceTo(START + 10_000);
    incidents.crashWorker();
    world.advanceTo(START + 120_000);
    expect(world.row(id)?.status).toBe('InProgress');
    incidents.restartWorker();
    world.advanceTo(START + 130_000);
    expect(world.row(id)?.status).toBe('FailedWithError');
  });

  test('cancel what runs, orphan what is changed, refuse people, end certificates, close the port', () => {
    const { world, incidents } = companyOf();
    const running = incidents.run(HR, 'FullImport');
    world.advanceTo(START + 10_000);
    expect(incidents.cancelRunning()).toEqual([running]);
    const orphan = incidents.orphan();
    incidents.failSignIns(3);
    incidents.setCertificateExpiry('Directory CA', -1);
    incidents.goDown(60_000);
    incidents.setMaintenance(true);
    expect([world.listening, world.maintenance]).toEqual([false, true]);
    world.advanceTo(START + HOUR);
    expect(world.row(running)?.status).toBe('Cancelled');
    expect(world.row(orphan)?.status).toBe('InProgress');
    expect(
      world.table.rows.filter((row) => row.targetName === 'Interactive sign-in failed'),
    ).toHaveLength(3);
    expect(world.certificates.find(({ name }) => name === 'Directory CA')?.validTo).toBeLessThan(
      START * 1000,
    );
    expect(world.listening).toBe(true);
  });

  test('say which system, schedule or run profile they do not know', () => {
    const { incidents } = companyOf();
    expect(() => incidents.run('Payroll', 'Export')).toThrow('no connected system Payroll');
    expect(() => incidents.run(HR, 'Export')).toThrow('HR System has no Export');
    expect(() => {
      incidents.startSchedule('Weekly');
    }).toThrow('no schedule Weekly');
  });
});
