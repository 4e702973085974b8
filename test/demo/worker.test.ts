import { describe, expect, test } from 'vitest';
import type { DialectName } from '../../src/demo/dialects.ts';
import type { Schedule, ScheduleStep } from '../../src/demo/inventory.ts';
import { createRandom } from '../../src/demo/random.ts';
import { NO_TOTALS, type WorldRow } from '../../src/demo/row.ts';
import type { RunPlan } from '../../src/demo/run-plan.ts';
import { SYSTEM_INITIATOR } from '../../src/demo/births.ts';
import { Worker } from '../../src/demo/worker.ts';
import { World } from '../../src/demo/world.ts';

const START = Date.parse('2026-11-23T12:00:00Z');
const HR = 1;
const FULL_IMPORT = 1;
const FULL_SYNCHRONISATION = 2;
const EXPORT = 3;

interface Plant {
  readonly world: World;
  readonly worker: Worker;
  row(id: string): WorldRow;
  pass(ms: number): void;
  run(profileId?: number): string;
}

/** One system with three run profiles, and every run goes as planned. */
function plant(plan: Partial<RunPlan> = {}, dialect: DialectName = '0.14'): Plant {
  const world = new World({ seed: 1, startMs: START, dialect });
  world.systems = [
    {
      id: HR,
      name: 'HR System',
      created: START * 1000,
      connectorName: 'JIM File Connector',
      connectorId: 1,
      objectCount: 100,
      joinedCount: 90,
      pendingExports: 5,
      runProfiles: [
        { id: FULL_IMPORT, name: 'Full Import', runType: 'FullImport' },
        { id: FULL_SYNCHRONISATION, name: 'Full Synchronisation', runType: 'FullSynchronisation' },
        { id: EXPORT, name: 'Export', runType: 'Export' },
      ],
    },
  ];
  const worker = new Worker({
    world,
    random: createRandom(2),
    plan: () => ({ durationMs: 60_000, objects: 100, totals: { Added: 40 }, ...plan }),
  });
  let now = START;
  return {
    world,
    worker,
    row: (id) => {
      const row = world.row(id);
      if (row === undefined) throw new Error(`no row ${id}`);
      return row;
    },
    pass: (ms) => {
      now += ms;
      world.advanceTo(now);
    },
    run: (profileId = FULL_IMPORT) => worker.queueRun(HR, profileId, SYSTEM_INITIATOR),
  };
}

function scheduleOf(groups: ReadonlyArray<readonly number[]>, continueOnFailure = false): Schedule {
  const steps = groups.flatMap((profiles, index) =>
    profiles.map((runProfileId, place): ScheduleStep => ({
      id: `00000000-0000-4000-8000-0000000000${index}${place}`,
      index,
      connectedSystemId: HR,
      runProfileId,
      continueOnFailure,
    })),
  );
  return {
    id: 'c4577fe9-bc59-4229-96ba-d397dd4eaae6',
    name: 'Nightly',
    description: null,
    cronExpression: null,
    pattern: 'Custom',
    isEnabled: true,
    lastRunTime: null,
    nextRunTime: null,
    steps,
    created: START * 1000,
    lastUpdated: START * 1000,
  };
}

describe('a run', () => {
  test('waits with executed as created, and is picked up at least 62 ms and about two seconds later', () => {
    const { row, pass, run } = plant();
    const id = run();
    expect(row(id).executed - row(id).created).toBeLessThan(700);
    pass(2200);
    expect(row(id).executed - row(id).created).toBeGreaterThanOrEqual(62_000);
    expect(row(id).executed - row(id).created).toBeLessThan(2_200_000);
    expect(row(id)).toMatchObject({ status: 'InProgress', executionTime: null });
  });

  test('runs alone: the next one waits until it has ended', () => {
    const { row, pass, run, world } = plant();
    const first = run();
    const second = run();
    pass(30_000);
    expect(world.tasks.map((task) => task.status)).toEqual(['Processing', 'Queued']);
    pass(40_000);
    expect(row(first).status).toBe('Complete');
    expect(row(second).executed).toBeGreaterThan(row(first).executed + 60_000_000);
  });

  test('starts to count again in every phase', () => {
    const { row, pass, run } = plant();
    const id = run();
    const seen: number[] = [];
    for (let second = 0; second < 58; second += 1) {
      pass(1000);
      seen.push(row(id).objectsProcessed);
    }
    const restarts = seen.filter((count, place) => count < (seen[place - 1] ?? 0)).length;
    expect(restarts).toBeGreaterThanOrEqual(4);
    expect(Math.max(...seen)).toBeLessThanOrEqual(100);
  });

  test('of an import shows a part of its totals while it runs, of a synchronisation none', () => {
    const partial = (profileId: number): readonly number[] => {
      const { row, pass, run } = plant();
      const id = run(profileId);
      pass(55_000);
      expect(row(id).status).toBe('InProgress');
      const during = row(id).totals.Added;
      pass(20_000);
      return [during, row(id).totals.Added];
    };
    expect(partial(FULL_IMPORT)).toEqual([20, 40]);
    expect(partial(FULL_SYNCHRONISATION)).toEqual([0, 40]);
  });

  test('ends in one write: status, both times and all totals together', () => {
    const { world, row, pass, run } = plant({ totals: { Added: 40, Updated: 2 } });
    const id = run();
    for (let step = 0; step < 900; step += 1) {
      pass(100);
      const { status, executionTime, totalActivityTime, totals } = row(id);
      const isEnded = status !== 'InProgress';
      expect(executionTime !== null).toBe(isEnded);
      expect(totalActivityTime !== null).toBe(isEnded);
      expect(totals.Added === 40 && totals.Updated === 2).toBe(isEnded);
    }
    const { created, executed, executionTime, totalActivityTime } = row(id);
    expect(totalActivityTime).toBe((executionTime ?? 0) + executed - created + 1);
    expect(world.truth()[0]?.endings).toHaveLength(1);
    expect(world.tasks).toEqual([]);
  });

  test.each<[DialectName, number]>([
    ['0.12', 3],
    ['0.14', 3],
    ['main', 100],
  ])('of an import has processed on %s what that version counts', (dialect, processed) => {
    const { row, pass, run } = plant({ errors: { DuplicateObject: 3 } }, dialect);
    const id = run();
    pass(90_000);
    expect(row(id).objectsProcessed).toBe(processed);
  });

  test.each<[string, Partial<RunPlan>, string, number]>([
    ['nothing wrong', {}, 'Complete', 0],
    ['some ordinary errors', { errors: { DuplicateObject: 3 } }, 'CompleteWithWarning', 3],
    [
      'an unhandled error',
      { errors: { UnhandledError: 1, DuplicateObject: 2 } },
      'CompleteWithError',
      3,
    ],
    ['a warning of the connector', { warning: 'fell back' }, 'CompleteWithWarning', 0],
    ['every item wrong', { totals: {}, errors: { DuplicateObject: 9 } }, 'FailedWithError', 9],
    ['no connection', { exception: 'no answer' }, 'FailedWithError', 0],
  ])('with %s ends as JIM judges', (_, plan, status, errors) => {
    const { row, pass, run } = plant(plan);
    const id = run();
    pass(90_000);
    expect(row(id).status).toBe(status);
    expect(row(id).totals.Errors).toBe(errors);
  });

  test('changes the counts of systems only when it ends well', () => {
    const effects = [{ connectedSystemId: HR, objects: 40, pendingExports: -9 }];
    const good = plant({ effects });
    good.run();
    good.pass(90_000);
    expect(good.world.systems[0]).toMatchObject({ objectCount: 140, pendingExports: 0 });
    const bad = plant({ effects, exception: 'no answer' });
    bad.run();
    bad.pass(90_000);
    expect(bad.world.systems[0]).toMatchObject({ objectCount: 100, pendingExports: 5 });
  });
});

describe('a final status that changes', () => {
  test('within milliseconds: failed, then complete, with the message kept', () => {
    const { world, row, pass, run } = plant({ afterwards: 'failed_then_complete' });
    const id = run(EXPORT);
    pass(90_000);
    const endings = world.truth()[0]?.endings ?? [];
    expect(endings.map((ending) => ending.status)).toEqual(['FailedWithError', 'Complete']);
    expect((endings[0]?.toMs ?? 0) - (endings[0]?.fromMs ?? 0)).toBeLessThan(50);
    expect(row(id).errorMessage).not.toBeNull();
  });

  test('half a minute later: failed, then cancelled, with executed and times rewritten', () => {
    const { world, row, pass, run } = plant({ afterwards: 'failed_then_cancelled' });
    const id = run(FULL_SYNCHRONISATION);
    pass(120_000);
    const endings = world.truth()[0]?.endings ?? [];
    expect(endings.map((ending) => ending.status)).toEqual(['FailedWithError', 'Cancelled']);
    expect((endings[0]?.toMs ?? 0) - (endings[0]?.fromMs ?? 0)).toBeGreaterThan(32_000);
    expect(row(id).executed - row(id).created).toBeLessThan(700);
    expect(row(id).totals).toEqual(NO_TOTALS);
  });
});

describe('cancelling', () => {
  test('ends what is queued at once: executed as created, and all its time was waiting', () => {
    const { row, pass, run, worker } = plant();
    run();
    const queued = run();
    pass(20_000);
    worker.cancel(queued);
    expect(row(queued).status).toBe('Cancelled');
    expect(row(queued).executed - row(queued).created).toBeLessThan(700);
    expect(row(queued).executionTime).toBeGreaterThan(19_000_000);
  });

  test('ends what runs within two seconds, with what was last written', () => {
    const { world, row, pass, run, worker } = plant();
    const id = run();
    pass(55_000);
    worker.cancel(id);
    expect(row(id).status).toBe('InProgress');
    expect(world.tasks[0]?.status).toBe('CancellationRequested');
    pass(2000);
    expect(row(id)).toMatchObject({ status: 'Cancelled', totals: { Added: 20 } });
    expect(world.tasks).toEqual([]);
  });

  test('may be written over: in progress again, for ever', () => {
    const { world, row, pass, run, worker } = plant();
    const id = run();
    pass(20_000);
    worker.cancel(id, 'reopens');
    pass(3_600_000);
    expect(row(id)).toMatchObject({ status: 'InProgress', executionTime: null });
    expect(world.truth()[0]?.endings.map((ending) => ending.status)).toEqual(['Cancelled']);
  });

  test('may be written over, and ended after all', () => {
    const { world, pass, run, worker } = plant();
    const id = run();
    pass(20_000);
    worker.cancel(id, 'ends');
    pass(60_000);
    expect(world.truth()[0]?.endings.map((ending) => ending.status)).toEqual([
      'Cancelled',
      'Complete',
    ]);
  });

  test('is always written over by 0.8', () => {
    const { world, pass, run, worker } = plant({}, '0.8');
    const id = run();
    pass(20_000);
    worker.cancel(id);
    pass(10_000);
    expect(world.truth()[0]?.endings.map((ending) => ending.status)).toEqual([
      'Cancelled',
      'Complete',
    ]);
  });
});

describe('a crash of the worker', () => {
  test('leaves the row as it was; 7 to 9 s after the restart it has failed, with all totals 0', () => {
    const { world, row, pass, run, worker } = plant();
    const id = run();
    pass(55_000);
    const before = row(id);
    worker.crash();
    pass(60_000);
    expect(row(id)).toEqual(before);
    worker.restart();
    pass(6900);
    expect(row(id).status).toBe('InProgress');
    pass(2200);
    expect(row(id)).toMatchObject({ status: 'FailedWithError', totals: NO_TOTALS });
    expect(row(id).errorMessage).toMatch(/^Task was abandoned due to worker crash or restart\./);
    expect(row(id).objectsProcessed).toBe(before.objectsProcessed);
    expect(world.tasks).toEqual([]);
  });

  test('is found by the scheduler after five minutes, if nobody restarts the worker', () => {
    const { row, pass, run, worker } = plant();
    const id = run();
    const waiting = run();
    pass(10_000);
    worker.crash();
    pass(299_000);
    expect(row(id).status).toBe('InProgress');
    pass(31_000);
    expect(row(id).status).toBe('FailedWithError');
    expect(row(waiting).status).toBe('InProgress');
  });

  test('while it was about to look for work does not keep it from looking after the restart', () => {
    const { row, pass, run, worker } = plant();
    const id = run();
    worker.crash();
    worker.restart();
    pass(90_000);
    expect(row(id).status).toBe('Complete');
  });

  test('again, before the restart was through, needs another restart', () => {
    const { row, pass, run, worker } = plant();
    const id = run();
    pass(10_000);
    worker.crash();
    worker.restart();
    pass(1000);
    worker.crash();
    pass(20_000);
    expect(row(id).status).toBe('InProgress');
    worker.restart();
    pass(9000);
    expect(row(id).status).toBe('FailedWithError');
  });

  test('lets what was queued run after the restart', () => {
    const { row, pass, run, worker } = plant();
    run();
    const waiting = run();
    pass(10_000);
    worker.crash();
    worker.restart();
    pass(90_000);
    expect(row(waiting).status).toBe('Complete');
  });
});

describe('a schedule', () => {
  const NIGHTLY = scheduleOf([[FULL_IMPORT, EXPORT], [FULL_SYNCHRONISATION], [EXPORT]]);

  test('bears the rows of all its steps within 40 ms, before any of them runs', () => {
    const { world, row, worker } = plant();
    const { activityIds, executionId } = worker.startSchedule(NIGHTLY, SYSTEM_INITIATOR);
    const created = activityIds.map((id) => row(id).created);
    expect(activityIds).toHaveLength(4);
    expect(Math.max(...created) - Math.min(...created)).toBeLessThan(40_000);
    expect(activityIds.map((id) => row(id).status)).toEqual(Array(4).fill('InProgress'));
    expect(activityIds.map((id) => row(id).scheduleStepIndex)).toEqual([0, 0, 1, 2]);
    expect(activityIds.map((id) => row(id).scheduleExecutionId)).toEqual(
      Array(4).fill(executionId),
    );
    expect(world.tasks.map((task) => task.status)).toEqual([
      'Queued',
      'Queued',
      'WaitingForPreviousStep',
      'WaitingForPreviousStep',
    ]);
  });

  test('runs the steps of a group side by side, and the groups in turn', () => {
    const { world, row, pass, worker } = plant();
    const { activityIds } = worker.startSchedule(NIGHTLY, SYSTEM_INITIATOR);
    pass(30_000);
    expect(world.tasks.map((task) => task.status).toSorted()).toEqual([
      'Processing',
      'Processing',
      'WaitingForPreviousStep',
      'WaitingForPreviousStep',
    ]);
    pass(200_000);
    expect(activityIds.map((id) => row(id).status)).toEqual(Array(4).fill('Complete'));
    expect(world.executions).toMatchObject([{ status: 'Complete', currentStepIndex: 2 }]);
  });

  test('stops at a failure: what still waits is cancelled, having never run', () => {
    const { world, row, pass, worker } = plant({ errors: { UnhandledError: 1 } });
    const { activityIds } = worker.startSchedule(NIGHTLY, SYSTEM_INITIATOR);
    pass(80_000);
    expect(activityIds.map((id) => row(id).status)).toEqual([
      'CompleteWithError',
      'CompleteWithError',
      'Cancelled',
      'Cancelled',
    ]);
    const last = row(activityIds[3] ?? '');
    expect(last).toMatchObject({
      executionTime: null,
      message: 'Cancelled: previous step failed or execution was cancelled.',
    });
    expect(last.totalActivityTime).toBeGreaterThan(60_000_000);
    expect(world.executions).toMatchObject([{ status: 'Failed' }]);
    expect(world.tasks).toEqual([]);
  });

  test('goes on after a failure where the step says so, and after a warning', () => {
    for (const [plan, continues] of [
      [{ exception: 'no answer' }, true],
      [{ warning: 'fell back' }, false],
    ] as const) {
      const { world, pass, worker } = plant(plan);
      worker.startSchedule(scheduleOf([[FULL_IMPORT], [EXPORT]], continues), SYSTEM_INITIATOR);
      pass(200_000);
      expect(world.executions).toMatchObject([{ status: 'Complete' }]);
    }
  });

  test('fails with the worker that crashes in its midst', () => {
    const { world, row, pass, worker } = plant();
    const { activityIds } = worker.startSchedule(NIGHTLY, SYSTEM_INITIATOR);
    pass(30_000);
    worker.crash();
    worker.restart();
    pass(10_000);
    expect(activityIds.map((id) => row(id).status)).toEqual([
      'FailedWithError',
      'FailedWithError',
      'Cancelled',
      'Cancelled',
    ]);
    expect(world.executions).toMatchObject([{ status: 'Failed' }]);
  });
});
