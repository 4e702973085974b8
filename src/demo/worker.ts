/**
 * JIM's worker (jim-api, section 5): tasks wait, are picked up one step at a time, report progress that
 * resets, and end in one write; or are cancelled, or die with the worker.
 */
import { bearRun, runOf, type Initiator } from './births.ts';
import { startExecution, stepEnded, type StartedExecution } from './executions.ts';
import type { Schedule, WorkerTask } from './inventory.ts';
import type { Random } from './random.ts';
import { endTwice, writeBack, type AfterCancelling } from './rewrites.ts';
import { isFinished, MICROS_PER_MS, NO_STATS, NO_TOTALS, timesAt, type WorldRow } from './row.ts';
import {
  ending,
  milestones,
  phasesAt,
  type PlannedRun,
  type Planner,
  type RunPlan,
} from './run-plan.ts';
import { addTask, removeTask, setTaskStatus } from './tasks.ts';
import type { World } from './world.ts';

export interface WorkerOptions {
  readonly world: World;
  readonly random: Random;
  readonly plan: Planner;
  /** Rows report progress from this moment on: histories need none. */
  readonly progressFromMs?: number;
}

const ABANDONED =
  'Task was abandoned due to worker crash or restart. The task was in progress when the worker stopped responding. This does not indicate a data integrity issue - the next sync run will process from the current state.';

const POLL_MS = 2000;
/** Never seen below: what was picked up has executed at least this much later than created. */
const LEAST_WAIT_MS = 62;
/** The scheduler fails tasks whose worker has been silent for five minutes, looking every 30 s. */
const STALE_AFTER_MS = 300_000;
const STALE_CHECK_MS = 30_000;
/** Progress of one phase is written so many times. */
const STEPS_PER_PHASE = 4;

interface Running {
  readonly run: PlannedRun | null;
  readonly plan: RunPlan;
}

export class Worker {
  readonly #world: World;
  readonly #random: Random;
  readonly #plan: Planner;
  readonly #progressFromMs: number;
  readonly #running = new Map<string, Running>();
  #isAlive = true;
  #isPollDue = false;
  /** Grows with every crash: what the dead process had in hand is void. */
  #life = 0;

  constructor(options: WorkerOptions) {
    this.#world = options.world;
    this.#random = options.random;
    this.#plan = options.plan;
    this.#progressFromMs = options.progressFromMs ?? -Infinity;
  }

  get isIdle(): boolean {
    return this.#world.tasks.length === 0;
  }

  /** Queues one run profile; returns its Activity. */
  queueRun(systemId: number, profileId: number, initiator: Initiator): string {
    const activityId = bearRun(this.#world, systemId, profileId, initiator);
    addTask(this.#world, this.#random, activityId, 'Queued', null);
    this.#pollSoon();
    return activityId;
  }

  /** All rows of all steps are born at once; the first group is queued, the rest wait. */
  startSchedule(schedule: Schedule, initiator: Initiator): StartedExecution {
    const started = startExecution(this.#world, this.#random, schedule, initiator);
    this.#pollSoon();
    return started;
  }

  /**
   * Cancels at once what has not begun, and within two seconds what has. A processor that still runs may
   * write its own state afterwards.
   */
  cancel(activityId: string, afterwards: AfterCancelling = 'stays'): void {
    const task = this.#taskOf(activityId);
    if (task === undefined) return;
    if (task.status !== 'Processing') {
      this.#cancelled(task, 'stays');
      return;
    }
    setTaskStatus(this.#world, task.id, 'CancellationRequested');
    this.#world.afterInEpoch(this.#random.int(200, POLL_MS), () => {
      const still = this.#taskOf(activityId);
      if (still?.status === 'CancellationRequested') this.#cancelled(still, afterwards);
    });
  }

  /** kill -9: running rows stay as they are; recovered when the worker starts again, or by the scheduler. */
  crash(): void {
    this.#isAlive = false;
    this.#forget();
    const check = Math.ceil((this.#world.nowMs + STALE_AFTER_MS) / STALE_CHECK_MS) * STALE_CHECK_MS;
    const life = this.#life;
    this.#world.at(check, () => {
      if (!this.#isAlive && this.#life === life) this.#recover();
    });
  }

  /** The worker comes back; what it was processing has failed. Nothing happens while it is alive. */
  restart(): void {
    const life = this.#life;
    this.#world.after(this.#random.int(7000, 9000), () => {
      if (this.#isAlive || this.#life !== life) return;
      this.#isAlive = true;
      this.#recover();
      this.#pollSoon();
    });
  }

  /** After a restore or reset the process forgets what it did, and finds the tasks that the database has. */
  rejoin(): void {
    this.#forget();
    this.#recover();
    this.#pollSoon();
  }

  /** A process has died: nothing that it meant to do will happen. */
  #forget(): void {
    this.#running.clear();
    this.#life += 1;
    this.#isPollDue = false;
  }

  /** The worker looks every two seconds, and not while it is busy. */
  #pollSoon(): void {
    if (this.#isPollDue || !this.#isAlive) return;
    this.#isPollDue = true;
    const life = this.#life;
    const next = Math.ceil((this.#world.nowMs + LEAST_WAIT_MS) / POLL_MS) * POLL_MS;
    this.#world.at(next + this.#random.int(0, 40), () => {
      if (this.#life !== life) return;
      this.#isPollDue = false;
      this.#pickUp();
    });
  }

  /** The oldest queued task, and those that run in parallel with it. */
  #pickUp(): void {
    if (!this.#isAlive || this.#running.size > 0) return;
    const first = this.#world.tasks.find((task) => task.status === 'Queued');
    if (first === undefined) return;
    const group = this.#world.tasks.filter(
      (task) =>
        task === first ||
        (task.status === 'Queued' &&
          first.executionId !== null &&
          task.executionId === first.executionId &&
          task.stepIndex === first.stepIndex),
    );
    for (const task of group) this.#begin(task);
  }

  #begin(task: WorkerTask): void {
    const row = this.#world.row(task.activityId);
    if (row === undefined) {
      removeTask(this.#world, task.id);
      return;
    }
    const run =
      row.connectedSystemId === null || row.connectedSystemRunProfileId === null
        ? null
        : runOf(this.#world, row.connectedSystemId, row.connectedSystemRunProfileId);
    const plan = run === null ? reconciliationPlan(this.#random) : this.#plan(run);
    const executed = Math.max(
      this.#world.jimNow + this.#random.int(0, 9000),
      row.created + LEAST_WAIT_MS * MICROS_PER_MS,
    );
    setTaskStatus(this.#world, task.id, 'Processing');
    this.#world.update(row.id, { executed });
    this.#running.set(task.id, { run, plan });
    if (run !== null) this.#reportProgress(task, row.id, run, plan);
    this.#later(plan.durationMs + LEAST_WAIT_MS, task, () => {
      this.#end(task, row.id, run, plan);
    });
  }

  /** Progress resets with each phase; imports also show part of their totals while they save. */
  #reportProgress(task: WorkerTask, rowId: string, run: PlannedRun, plan: RunPlan): void {
    if (this.#world.nowMs < this.#progressFromMs || plan.exception !== undefined) return;
    const { runType } = run.profile;
    for (const milestone of milestones(runType, plan, STEPS_PER_PHASE)) {
      const { at, phase, ...shown } = milestone;
      this.#later(plan.durationMs * at + 1, task, () => {
        const row = this.#world.row(rowId);
        if (row === undefined || isFinished(row.status)) return;
        const phases = phasesAt(runType, {
          started: row.executed,
          now: this.#world.jimNow,
          active: phase,
        });
        this.#world.update(rowId, { ...shown, phases });
      });
    }
    if (runType.endsWith('Import')) {
      this.#later(plan.durationMs * 0.8, task, () => {
        const { totals } = ending(run, plan, this.#world.dialect);
        this.#world.update(rowId, {
          totals: { ...NO_TOTALS, Added: Math.floor(totals.Added / 2) },
        });
      });
    }
  }

  /** One write: status, times, totals. */
  #end(task: WorkerTask, rowId: string, run: PlannedRun | null, plan: RunPlan): void {
    const row = this.#world.row(rowId);
    this.#running.delete(task.id);
    if (row === undefined) {
      removeTask(this.#world, task.id);
      this.#pollSoon();
      return;
    }
    const final =
      run === null
        ? { status: 'Complete', message: 'Temporal scope reconciliation complete' }
        : ending(run, plan, this.#world.dialect);
    const phases =
      run === null || plan.exception !== undefined
        ? row.phases
        : phasesAt(run.profile.runType, {
            started: row.executed,
            now: this.#world.jimNow,
            active: 'all_done',
          });
    const written = { ...final, phases, ...timesAt(row, this.#world.jimNow) };
    if (plan.afterwards === undefined) this.#world.update(rowId, written);
    else endTwice(this.#world, this.#random, rowId, written, plan.afterwards);
    if (plan.exception === undefined) this.#apply(plan);
    removeTask(this.#world, task.id);
    stepEnded(this.#world, task);
    this.#pollSoon();
  }

  #apply(plan: RunPlan): void {
    for (const effect of plan.effects ?? []) {
      this.#world.systems = this.#world.systems.map((system) =>
        system.id === effect.connectedSystemId
          ? {
              ...system,
              objectCount: Math.max(0, system.objectCount + (effect.objects ?? 0)),
              joinedCount: Math.max(0, system.joinedCount + (effect.joined ?? 0)),
              pendingExports: Math.max(0, system.pendingExports + (effect.pendingExports ?? 0)),
            }
          : system,
      );
    }
  }

  /** Cancelled: whatever was last written stays, and the true totals never come. */
  #cancelled(task: WorkerTask, afterwards: AfterCancelling): void {
    const row = this.#world.row(task.activityId);
    const running = this.#running.get(task.id);
    this.#running.delete(task.id);
    removeTask(this.#world, task.id);
    if (row !== undefined) {
      this.#world.update(row.id, { status: 'Cancelled', ...timesAt(row, this.#world.jimNow) });
      if (running !== undefined) this.#writeBack(row.id, running, afterwards);
    }
    stepEnded(this.#world, task);
    this.#pollSoon();
  }

  #writeBack(rowId: string, { run, plan }: Running, afterwards: AfterCancelling): void {
    if (run === null) return;
    const final = (): Partial<WorldRow> => ending(run, plan, this.#world.dialect);
    writeBack(this.#world, this.#random, rowId, final, afterwards);
  }

  /** Every task in Processing is abandoned: failed, all totals 0, times up to now. */
  #recover(): void {
    const processing = this.#world.tasks.filter(
      (task) => task.status === 'Processing' || task.status === 'CancellationRequested',
    );
    for (const task of processing) {
      const row = this.#world.row(task.activityId);
      removeTask(this.#world, task.id);
      if (row !== undefined && !isFinished(row.status)) {
        this.#world.update(row.id, {
          status: 'FailedWithError',
          errorMessage: ABANDONED,
          totals: NO_TOTALS,
          stats: NO_STATS,
          items: [],
          ...timesAt(row, this.#world.jimNow),
        });
      }
      stepEnded(this.#world, task);
    }
  }

  /** Something of a task's processing: void once the process has died or the task is no longer its own. */
  #later(ms: number, task: WorkerTask, action: () => void): void {
    const life = this.#life;
    this.#world.afterInEpoch(ms, () => {
      if (this.#life === life && this.#running.has(task.id)) action();
    });
  }

  #taskOf(activityId: string): WorkerTask | undefined {
    return this.#world.tasks.find((task) => task.activityId === activityId);
  }
}

function reconciliationPlan(random: Random): RunPlan {
  return { durationMs: random.int(300, 2500), objects: 0, totals: {} };
}
