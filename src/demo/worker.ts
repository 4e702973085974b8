/**
 * JIM's worker and the part of its scheduler that moves executions on (jim-api, section 5): tasks wait, are
 * picked up one step at a time, report progress that resets, and end in one write; or are cancelled, or die
 * with the worker.
 */
import type { ExecutionStep, ScheduleExecution, Schedule, WorkerTask } from './inventory.ts';
import {
  ending,
  milestones,
  phasesAt,
  type PlannedRun,
  type Planner,
  type RunPlan,
} from './run-plan.ts';
import type { Random } from './random.ts';
import { isFinished, MICROS_PER_MS, NO_STATS, NO_TOTALS, type WorldRow } from './row.ts';
import type { World } from './world.ts';

/** Who asked for a run. Steps of a schedule carry whoever started it. */
export interface Initiator {
  readonly type: 'User' | 'ApiKey' | 'System';
  readonly id: string | null;
  readonly name: string;
}

export const SYSTEM_INITIATOR: Initiator = { type: 'System', id: null, name: 'System' };

export interface WorkerOptions {
  readonly world: World;
  readonly random: Random;
  readonly plan: Planner;
  /** Rows report progress from this moment on: histories need none. */
  readonly progressFromMs?: number;
}

export const ABANDONED =
  'Task was abandoned due to worker crash or restart. The task was in progress when the worker stopped responding. This does not indicate a data integrity issue - the next sync run will process from the current state.';
export const PREVIOUS_STEP_FAILED = 'Cancelled: previous step failed or execution was cancelled.';

const POLL_MS = 2000;
/** Never seen below: what was picked up has executed at least this much later than created. */
const LEAST_WAIT_MS = 62;
/** The scheduler fails tasks whose worker has been silent for five minutes, looking every 30 s. */
const STALE_AFTER_MS = 300_000;
const STALE_CHECK_MS = 30_000;
/** Progress of one phase is written so many times. */
const STEPS_PER_PHASE = 4;

export interface StartedSchedule {
  readonly executionId: string;
  readonly activityIds: readonly string[];
}

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
    const activityId = this.#bornRun(systemId, profileId, initiator, {});
    this.#addTask(activityId, 'Queued', null);
    this.#pollSoon();
    return activityId;
  }

  /** All rows of all steps are born at once; the first group is queued, the rest wait. */
  startSchedule(schedule: Schedule, initiator: Initiator): StartedSchedule {
    const { jimNow } = this.#world;
    const executionId = this.#random.timeOrderedGuid(jimNow / MICROS_PER_MS);
    const steps = this.#bearSteps(schedule, executionId, initiator);
    const first = Math.min(...steps.map(({ step }) => step.index));
    this.#world.executions = [
      ...this.#world.executions,
      {
        id: executionId,
        scheduleId: schedule.id,
        scheduleName: schedule.name,
        status: 'InProgress',
        currentStepIndex: first,
        queuedAt: jimNow,
        startedAt: jimNow + this.#random.int(80, 200),
        completedAt: null,
        errorMessage: null,
        steps,
      },
    ];
    this.#world.tasks = this.#world.tasks.map((task) =>
      task.executionId === executionId && task.stepIndex === first
        ? { ...task, status: 'Queued' }
        : task,
    );
    this.#pollSoon();
    return { executionId, activityIds: steps.map((step) => step.activityId) };
  }

  /**
   * Cancels at once what has not begun, and within two seconds what has. A processor that still runs may
   * write its own state afterwards: `reopens` leaves the row InProgress for ever, `ends` finishes it after all.
   */
  cancel(activityId: string, afterwards: 'stays' | 'reopens' | 'ends' = 'stays'): void {
    const task = this.#taskOf(activityId);
    if (task === undefined) return;
    if (task.status !== 'Processing') {
      this.#cancelled(task, 'stays');
      return;
    }
    this.#setTask(task.id, { status: 'CancellationRequested' });
    this.#world.afterInEpoch(this.#random.int(200, POLL_MS), () => {
      const still = this.#taskOf(activityId);
      if (still?.status === 'CancellationRequested') this.#cancelled(still, afterwards);
    });
  }

  /** kill -9: running rows stay as they are; recovered when the worker starts again, or by the scheduler. */
  crash(): void {
    this.#isAlive = false;
    this.#life += 1;
    this.#running.clear();
    const check = Math.ceil((this.#world.nowMs + STALE_AFTER_MS) / STALE_CHECK_MS) * STALE_CHECK_MS;
    const life = this.#life;
    this.#world.at(check, () => {
      if (!this.#isAlive && this.#life === life) this.#recover();
    });
  }

  /** The worker comes back; what it was processing has failed. Nothing happens while it is alive. */
  restart(): void {
    if (this.#isAlive) return;
    this.#world.after(this.#random.int(7000, 9000), () => {
      this.#isAlive = true;
      this.#recover();
      this.#pollSoon();
    });
  }

  /** After a restore or reset the process forgets what it did, and finds the tasks that the database has. */
  rejoin(): void {
    this.#running.clear();
    this.#life += 1;
    this.#isPollDue = false;
    this.#recover();
    this.#pollSoon();
  }

  #bearSteps(schedule: Schedule, executionId: string, initiator: Initiator): ExecutionStep[] {
    const steps: ExecutionStep[] = [];
    let created = this.#world.jimNow;
    for (const step of schedule.steps) {
      created += this.#random.int(400, Math.floor(36_000 / schedule.steps.length));
      const fields: Partial<WorldRow> = {
        created,
        executed: created + this.#random.int(4, 690),
        scheduleExecutionId: executionId,
        scheduleStepIndex: step.index,
        scheduleId: schedule.id,
        scheduleName: schedule.name,
      };
      const activityId =
        step.connectedSystemId === null || step.runProfileId === null
          ? this.#world.insert({ ...RECONCILIATION, ...initiated(initiator), ...fields })
          : this.#bornRun(step.connectedSystemId, step.runProfileId, initiator, fields);
      const taskId = this.#addTask(activityId, 'WaitingForPreviousStep', {
        executionId,
        stepIndex: step.index,
      });
      steps.push({ step, activityId, taskId });
    }
    return steps;
  }

  #bornRun(
    systemId: number,
    profileId: number,
    initiator: Initiator,
    fields: Partial<WorldRow>,
  ): string {
    const { system, profile } = this.#runOf(systemId, profileId);
    return this.#world.insert({
      targetType: 'ConnectedSystemRunProfile',
      targetOperationType: 'Execute',
      targetName: profile.name,
      targetContext: system.name,
      runType: profile.runType,
      connectedSystemId: system.id,
      connectedSystemRunProfileId: profile.id,
      ...initiated(initiator),
      ...fields,
    });
  }

  #addTask(
    activityId: string,
    status: WorkerTask['status'],
    of: { readonly executionId: string; readonly stepIndex: number } | null,
  ): string {
    const row = this.#world.row(activityId);
    const timestamp = this.#world.jimNow;
    const id = this.#random.timeOrderedGuid(timestamp / MICROS_PER_MS);
    const isRun = row?.connectedSystemId !== null;
    const task: WorkerTask = {
      id,
      name: isRun ? `${row?.targetContext} - ${row?.targetName}` : (row?.targetName ?? ''),
      type: isRun ? 'Synchronisation Worker Task' : 'Temporal Scope Reconciliation Worker Task',
      timestamp,
      status,
      activityId,
      executionId: of?.executionId ?? null,
      stepIndex: of?.stepIndex ?? null,
    };
    this.#world.tasks = [...this.#world.tasks, task];
    return id;
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
      this.#removeTask(task.id);
      return;
    }
    const run =
      row.connectedSystemId === null || row.connectedSystemRunProfileId === null
        ? null
        : this.#runOf(row.connectedSystemId, row.connectedSystemRunProfileId);
    const plan = run === null ? reconciliationPlan(this.#random) : this.#plan(run);
    const executed = Math.max(
      this.#world.jimNow + this.#random.int(0, 9000),
      row.created + LEAST_WAIT_MS * MICROS_PER_MS,
    );
    this.#setTask(task.id, { status: 'Processing' });
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
      this.#removeTask(task.id);
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
    else this.#endTwice(rowId, written, plan.afterwards);
    if (plan.exception === undefined) this.#apply(plan);
    this.#removeTask(task.id);
    this.#stepEnded(task);
    this.#pollSoon();
  }

  #endTwice(
    rowId: string,
    written: Partial<WorldRow>,
    afterwards: NonNullable<RunPlan['afterwards']>,
  ): void {
    this.#world.update(rowId, {
      ...written,
      status: 'FailedWithError',
      errorMessage: 'The connector does not support this operation.',
    });
    if (afterwards === 'failed_then_complete') {
      this.#world.afterInEpoch(this.#random.int(3, 40), () => {
        const row = this.#world.row(rowId);
        if (row === undefined) return;
        const times = timesAt(row, this.#world.jimNow);
        this.#world.update(rowId, { ...written, errorMessage: row.errorMessage, ...times });
      });
      return;
    }
    // An operator cancels the task that a database conflict left behind; its stale copy of the row is written.
    this.#world.afterInEpoch(this.#random.int(33_000, 37_000), () => {
      const row = this.#world.row(rowId);
      if (row === undefined) return;
      const executed = row.created + this.#random.int(4, 12);
      const times = timesAt({ created: row.created, executed }, this.#world.jimNow);
      this.#world.update(rowId, { ...CANCELLED, executed, ...times });
    });
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
  #cancelled(task: WorkerTask, afterwards: 'stays' | 'reopens' | 'ends'): void {
    const row = this.#world.row(task.activityId);
    const running = this.#running.get(task.id);
    this.#running.delete(task.id);
    this.#removeTask(task.id);
    if (row !== undefined) {
      this.#world.update(row.id, { status: 'Cancelled', ...timesAt(row, this.#world.jimNow) });
      const isOverwritten = this.#world.dialect.name === '0.8' && running !== undefined;
      if (running !== undefined && (afterwards !== 'stays' || isOverwritten)) {
        this.#writtenOver(row, running, isOverwritten ? 'ends_at_once' : afterwards);
      }
    }
    this.#stepEnded(task);
    this.#pollSoon();
  }

  /** The processor's own copy of the row is still InProgress when it writes it back (0.9 and later). */
  #writtenOver(
    row: WorldRow,
    running: Running,
    how: 'stays' | 'reopens' | 'ends' | 'ends_at_once',
  ): void {
    const { run, plan } = running;
    const end = (): void => {
      const now = this.#world.row(row.id);
      if (now === undefined || run === null) return;
      const final = ending(run, plan, this.#world.dialect);
      this.#world.update(row.id, { ...final, ...timesAt(now, this.#world.jimNow) });
    };
    if (how === 'ends_at_once') {
      this.#world.afterInEpoch(this.#random.int(500, 4000), end);
      return;
    }
    this.#world.afterInEpoch(this.#random.int(800, 3000), () => {
      this.#world.update(row.id, {
        status: 'InProgress',
        executionTime: null,
        totalActivityTime: null,
      });
      if (how === 'ends') this.#world.afterInEpoch(this.#random.int(5000, 20_000), end);
    });
  }

  /** Every task in Processing is abandoned: failed, all totals 0, times up to now. */
  #recover(): void {
    const processing = this.#world.tasks.filter(
      (task) => task.status === 'Processing' || task.status === 'CancellationRequested',
    );
    for (const task of processing) {
      const row = this.#world.row(task.activityId);
      this.#removeTask(task.id);
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
      this.#stepEnded(task);
    }
  }

  /** A step's task is gone: the next group is queued, or the execution has ended. */
  #stepEnded(task: WorkerTask): void {
    const execution = this.#world.executions.find((other) => other.id === task.executionId);
    if (execution === undefined || execution.status !== 'InProgress') return;
    const isGroupBusy = this.#world.tasks.some(
      (other) => other.executionId === execution.id && other.stepIndex === task.stepIndex,
    );
    if (isGroupBusy) return;
    const group = execution.steps.filter(({ step }) => step.index === task.stepIndex);
    if (group.some((entry) => this.#stops(entry))) {
      this.#failExecution(execution, task.stepIndex ?? 0);
      return;
    }
    const waiting = this.#world.tasks.filter((other) => other.executionId === execution.id);
    if (waiting.length === 0) {
      this.#setExecution(execution.id, { status: 'Complete', completedAt: this.#world.jimNow });
      return;
    }
    const next = Math.min(...waiting.map((other) => other.stepIndex ?? 0));
    for (const other of waiting) {
      if (other.stepIndex === next) this.#setTask(other.id, { status: 'Queued' });
    }
    this.#setExecution(execution.id, { currentStepIndex: next });
  }

  /** What stops a schedule (jim-api, 5.5): a warning does not. */
  #stops({ step, activityId }: ExecutionStep): boolean {
    const status = this.#world.row(activityId)?.status ?? 'Cancelled';
    const isBad = status !== 'Complete' && status !== 'CompleteWithWarning';
    return isBad && !step.continueOnFailure;
  }

  #failExecution(execution: ScheduleExecution, stepIndex: number): void {
    const waiting = this.#world.tasks.filter((task) => task.executionId === execution.id);
    for (const task of waiting) {
      const row = this.#world.row(task.activityId);
      this.#removeTask(task.id);
      if (row === undefined) continue;
      this.#world.update(row.id, {
        status: 'Cancelled',
        message: PREVIOUS_STEP_FAILED,
        executionTime: null,
        totalActivityTime: this.#world.jimNow - row.created,
      });
    }
    this.#setExecution(execution.id, {
      status: 'Failed',
      completedAt: this.#world.jimNow,
      errorMessage: `Step 'Step ${stepIndex}' failed and ContinueOnFailure is false.`,
    });
  }

  /** Something of a task's processing: void once the process has died or the task is no longer its own. */
  #later(ms: number, task: WorkerTask, action: () => void): void {
    const life = this.#life;
    this.#world.afterInEpoch(ms, () => {
      if (this.#life === life && this.#running.has(task.id)) action();
    });
  }

  #runOf(systemId: number, profileId: number): PlannedRun {
    const system = this.#world.systems.find((candidate) => candidate.id === systemId);
    const profile = system?.runProfiles.find((candidate) => candidate.id === profileId);
    if (system === undefined || profile === undefined) {
      throw new Error(`no run profile ${profileId} of connected system ${systemId}`);
    }
    return { system, profile };
  }

  #taskOf(activityId: string): WorkerTask | undefined {
    return this.#world.tasks.find((task) => task.activityId === activityId);
  }

  #setTask(id: string, changes: Partial<WorkerTask>): void {
    this.#world.tasks = this.#world.tasks.map((task) =>
      task.id === id ? { ...task, ...changes } : task,
    );
  }

  #removeTask(id: string): void {
    this.#world.tasks = this.#world.tasks.filter((task) => task.id !== id);
  }

  #setExecution(id: string, changes: Partial<ScheduleExecution>): void {
    this.#world.executions = this.#world.executions.map((execution) =>
      execution.id === id ? { ...execution, ...changes } : execution,
    );
  }
}

const RECONCILIATION: Partial<WorldRow> = {
  targetType: 'TemporalScopeReconciliation',
  targetOperationType: 'Execute',
  targetName: 'Temporal Scope Reconciliation',
};

const CANCELLED: Partial<WorldRow> = {
  status: 'Cancelled',
  message: null,
  errorMessage: null,
  objectsToProcess: 0,
  objectsProcessed: 0,
  totals: NO_TOTALS,
};

function reconciliationPlan(random: Random): RunPlan {
  return { durationMs: random.int(300, 2500), objects: 0, totals: {} };
}

function initiated(initiator: Initiator): Partial<WorldRow> {
  return {
    initiatedByType: initiator.type,
    initiatedById: initiator.id,
    initiatedByName: initiator.name,
  };
}

/** executionTime since executed, totalActivityTime since created. */
function timesAt(
  row: Pick<WorldRow, 'created' | 'executed'>,
  jimNow: number,
): Pick<WorldRow, 'executionTime' | 'totalActivityTime'> {
  const end = Math.max(jimNow, row.executed);
  return { executionTime: end - row.executed, totalActivityTime: end - row.created + 1 };
}
