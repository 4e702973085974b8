/**
 * Everything one publication shows, as values: the committed ledger, and what was last read of JIM's
 * current state. The catalogue turns it into samples; the poll and the collectors fill it.
 */
import type { Instant } from '../jim/activity.ts';
import type { Ledger, RunLabels } from '../ledger/ledger.ts';

export interface Snapshot {
  readonly ledger: Ledger;
  readonly nowMs: number;
  readonly jim: JimState;
  readonly poll: PollState;
  readonly readings: Readings;
  readonly stateSizeBytes: number;
  readonly build: {
    readonly version: string;
    readonly revision: string;
    readonly nodeVersion: string;
  };
}

export interface JimState {
  /** The last poll was answered completely. */
  readonly up: boolean;
  readonly version: string | null;
  /** JIM's Date less our clock, seconds. */
  readonly clockOffsetSeconds: number | null;
}

export interface PollState {
  readonly lastPollMs: number | null;
  readonly lastSuccessfulPollMs: number | null;
  readonly intervalSeconds: number;
  readonly caughtUp: boolean;
}

/** What the collectors last read; null where never read, switched off, or stale. */
export interface Readings {
  readonly health: { readonly ready: boolean; readonly maintenance: boolean } | null;
  readonly workerTasks: readonly WorkerTask[] | null;
  readonly progress: readonly RunProgress[] | null;
  readonly schedules: readonly ScheduleReading[] | null;
  readonly connectedSystems: readonly ConnectedSystemReading[] | null;
  readonly certificates: readonly { readonly name: string; readonly expiry: Instant }[] | null;
}

export const WORKER_TASK_STATUSES = [
  'Queued',
  'Processing',
  'CancellationRequested',
  'WaitingForPreviousStep',
] as const;

export interface WorkerTask {
  readonly activityId: string | null;
  readonly status: string;
  readonly timestamp: Instant;
}

export interface RunProgress {
  readonly activityId: string;
  readonly run: RunLabels;
  readonly objectsProcessed: number;
  readonly objectsToProcess: number;
  readonly percentComplete: number | null;
  readonly objectsPerSecond: number | null;
  readonly estimatedSecondsRemaining: number | null;
  /** Our clock when the progress last changed. */
  readonly changedAtMs: number;
}

export const SCHEDULE_EXECUTION_STATUSES = ['Complete', 'Failed', 'Cancelled'] as const;
export type ScheduleExecutionStatus = (typeof SCHEDULE_EXECUTION_STATUSES)[number];

export interface ScheduleReading {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly lastRun: Instant | null;
  readonly nextRun: Instant | null;
  readonly steps: readonly RunLabels[];
  readonly lastExecution: { readonly status: ScheduleExecutionStatus } | null;
  readonly inProgressSince: Instant | null;
}

export interface ConnectedSystemReading {
  readonly name: string;
  readonly objects: number;
  readonly joinedObjects: number;
  readonly pendingExports: number;
  readonly runProfiles: readonly { readonly name: string; readonly runType: string }[];
}

export const NO_READINGS: Readings = {
  health: null,
  workerTasks: null,
  progress: null,
  schedules: null,
  connectedSystems: null,
  certificates: null,
};
