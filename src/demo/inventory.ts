/** What JIM keeps beside its Activities, as values: systems, schedules, executions, tasks, certificates, settings. */

export const RUN_TYPES = [
  'FullImport',
  'DeltaImport',
  'FullSynchronisation',
  'DeltaSynchronisation',
  'Export',
] as const;
export type RunType = (typeof RUN_TYPES)[number];

export interface RunProfile {
  readonly id: number;
  readonly name: string;
  readonly runType: RunType;
}

export interface ConnectedSystem {
  readonly id: number;
  readonly name: string;
  /** Microseconds, as all instants of JIM. */
  readonly created: number;
  readonly connectorName: string;
  readonly connectorId: number;
  readonly objectCount: number;
  /** Objects joined to the metaverse. */
  readonly joinedCount: number;
  readonly pendingExports: number;
  readonly runProfiles: readonly RunProfile[];
}

export interface ScheduleStep {
  readonly id: string;
  /** Steps with the same index run in parallel. */
  readonly index: number;
  /** Null, as the run profile, for the built-in reconciliation. */
  readonly connectedSystemId: number | null;
  readonly runProfileId: number | null;
  readonly continueOnFailure: boolean;
}

export interface Schedule {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly cronExpression: string | null;
  readonly pattern: 'Interval' | 'SpecificTimes' | 'Custom';
  readonly isEnabled: boolean;
  readonly lastRunTime: number | null;
  readonly nextRunTime: number | null;
  readonly steps: readonly ScheduleStep[];
  readonly created: number;
  readonly lastUpdated: number;
}

export interface ScheduleExecution {
  readonly id: string;
  readonly scheduleId: string;
  readonly scheduleName: string;
  /** `Complete` here; the simulator says `Completed` where the dialect does. */
  readonly status: 'Queued' | 'InProgress' | 'Complete' | 'Failed' | 'Cancelled' | 'Paused';
  readonly currentStepIndex: number;
  readonly queuedAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly errorMessage: string | null;
  readonly steps: readonly ExecutionStep[];
}

export interface ExecutionStep {
  readonly step: ScheduleStep;
  readonly activityId: string;
  readonly taskId: string;
}

export interface WorkerTask {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly timestamp: number;
  readonly status: 'Queued' | 'Processing' | 'CancellationRequested' | 'WaitingForPreviousStep';
  readonly activityId: string;
  readonly executionId: string | null;
  readonly stepIndex: number | null;
}

export interface Certificate {
  readonly id: string;
  readonly name: string;
  readonly validFrom: number;
  readonly validTo: number;
  readonly isEnabled: boolean;
}

export interface ServiceSetting {
  readonly key: string;
  readonly displayName: string;
  readonly category: string;
  readonly valueType: string;
  readonly defaultValue: string | null;
  readonly value: string | null;
}

export interface ApiKey {
  readonly key: string;
  readonly role: 'Administrator' | 'none';
  /** Infrastructure keys survive a factory reset and are not rate limited. */
  readonly isInfrastructure: boolean;
}
