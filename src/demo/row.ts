/**
 * One row of the simulated JIM's Activities table, with what its other endpoints tell of it.
 * The words are JIM's (jim-api, section 4); instants are whole microseconds since 1970 by JIM's clock.
 */

export const MICROS_PER_MS = 1000;
export const MICROS_PER_SECOND = 1_000_000;

/** In the order in which JIM's list row writes its `total…` counters. */
export const TOTALS = [
  'Added',
  'Updated',
  'Deleted',
  'Projected',
  'Joined',
  'AttributeFlows',
  'Disconnected',
  'DisconnectedOutOfScope',
  'OutOfScopeRetainJoin',
  'DriftCorrections',
  'Provisioned',
  'Exported',
  'Deprovisioned',
  'Created',
  'PendingExports',
  'Errors',
] as const;
export type TotalName = (typeof TOTALS)[number];
export type Totals = Readonly<Record<TotalName, number>>;

/** Statuses in storage order: `sortBy=status` sorts by this. */
export const STATUSES = [
  'NotSet',
  'InProgress',
  'Complete',
  'CompleteWithWarning',
  'CompleteWithError',
  'FailedWithError',
  'Cancelled',
] as const;
const FINISHED: ReadonlySet<string> = new Set(STATUSES.slice(2));

/** Target types in storage order, under their newest names. */
export const TARGET_TYPES = [
  'NotSet',
  'ExampleDataTemplate',
  'ConnectedSystem',
  'ConnectedSystemRunProfile',
  'SynchronisationRule',
  'MetaverseObject',
  'TrustedCertificate',
  'ObjectMatchingRule',
  'MetaverseAttribute',
  'ServiceSetting',
  'HistoryRetentionCleanup',
  'MetaverseObjectType',
  'System',
  'Schedule',
  'TemporalScopeReconciliation',
  'ApiKey',
  'Role',
  'PredefinedSearch',
  'ConnectorDefinition',
  'ExampleDataSet',
  'SystemInitialisation',
  'DataGeneration',
  'Authentication',
  'MetaverseObjectHousekeeping',
  'ConnectedSystemObject',
  'PasswordSynchronisation',
] as const;

export const OPERATIONS = [
  'Create',
  'Read',
  'Update',
  'Delete',
  'Clear',
  'Execute',
  'ImportHierarchy',
  'ImportSchema',
  'Revert',
  'Reset',
  'Authenticate',
  'Preview',
  'SetPassword',
  'SchemaRefreshRemoval',
] as const;

export const INITIATOR_TYPES = ['NotSet', 'User', 'ApiKey', 'System', 'Anonymous'] as const;

/** What `/stats` knows beyond the list row's counters. */
export interface RowStats {
  /** Objects with an item: changed or failed. */
  readonly changes: number;
  readonly objectTypes: number;
  /** Metaverse objects deleted: in the row's totalDeleted from 0.14, never in `/stats`. */
  readonly metaverseDeleted: number;
  readonly confirmed: number;
  readonly retrying: number;
  readonly failed: number;
}

/** Execution items that look alike; `/items` spells them out. */
export interface ItemGroup {
  readonly count: number;
  readonly objectChangeType: string;
  readonly errorType: string;
  readonly outcomeSummary: string | null;
  readonly connectedSystemObjectType: string | null;
}

export interface WorldRow {
  /** Lower-case GUID. */
  readonly id: string;
  readonly created: number;
  readonly executed: number;
  /** One of `STATUSES`, or a word of a JIM yet to come. */
  readonly status: string;
  /** The newest name; the simulator says SyncRule where the dialect does. */
  readonly targetType: string;
  readonly targetOperationType: string;
  readonly targetName: string | null;
  readonly targetContext: string | null;
  readonly message: string | null;
  readonly initiatedByType: string;
  readonly initiatedById: string | null;
  readonly initiatedByName: string | null;
  readonly objectsToProcess: number;
  readonly objectsProcessed: number;
  /** Microseconds. */
  readonly executionTime: number | null;
  /** Microseconds. */
  readonly totalActivityTime: number | null;
  readonly runType: string;
  readonly totals: Totals;
  readonly parentActivityId: string | null;
  readonly connectedSystemId: number | null;
  readonly connectedSystemRunProfileId: number | null;
  /** Called so before and after the rename of rules. */
  readonly syncRuleId: number | null;
  readonly warningMessage: string | null;
  readonly errorMessage: string | null;
  readonly stats: RowStats;
  readonly items: readonly ItemGroup[];
  readonly phases: readonly RowPhase[];
  readonly scheduleExecutionId: string | null;
  readonly scheduleStepIndex: number | null;
  readonly scheduleId: string | null;
  readonly scheduleName: string | null;
  /** Set on changes of configuration: they are kept ten years. */
  readonly configurationChangeVersion: number | null;
}

/** A phase of a run, which main reports. */
export interface RowPhase {
  readonly key: string;
  readonly name: string;
  readonly parentKey: string | null;
  readonly order: number;
  readonly status: 'Pending' | 'Active' | 'Completed' | 'Skipped' | 'Failed';
  readonly started: number | null;
  readonly ended: number | null;
}

export const NO_TOTALS: Totals = {
  Added: 0,
  Updated: 0,
  Deleted: 0,
  Projected: 0,
  Joined: 0,
  AttributeFlows: 0,
  Disconnected: 0,
  DisconnectedOutOfScope: 0,
  OutOfScopeRetainJoin: 0,
  DriftCorrections: 0,
  Provisioned: 0,
  Exported: 0,
  Deprovisioned: 0,
  Created: 0,
  PendingExports: 0,
  Errors: 0,
};

export const NO_STATS: RowStats = {
  changes: 0,
  objectTypes: 0,
  metaverseDeleted: 0,
  confirmed: 0,
  retrying: 0,
  failed: 0,
};

/** What every row has in common when JIM makes it: in progress, by the system, nothing done yet. */
export const BLANK_ROW: Omit<WorldRow, 'id' | 'created' | 'executed'> = {
  status: 'InProgress',
  targetType: 'NotSet',
  targetOperationType: 'Create',
  targetName: null,
  targetContext: null,
  message: null,
  initiatedByType: 'System',
  initiatedById: null,
  initiatedByName: 'System',
  objectsToProcess: 0,
  objectsProcessed: 0,
  executionTime: null,
  totalActivityTime: null,
  runType: 'NotSet',
  totals: NO_TOTALS,
  parentActivityId: null,
  connectedSystemId: null,
  connectedSystemRunProfileId: null,
  syncRuleId: null,
  warningMessage: null,
  errorMessage: null,
  stats: NO_STATS,
  items: [],
  phases: [],
  scheduleExecutionId: null,
  scheduleStepIndex: null,
  scheduleId: null,
  scheduleName: null,
  configurationChangeVersion: null,
};

export function isFinished(status: string): boolean {
  return FINISHED.has(status);
}

export function isRun(row: Pick<WorldRow, 'targetType' | 'targetOperationType'>): boolean {
  return row.targetType === 'ConnectedSystemRunProfile' && row.targetOperationType === 'Execute';
}

/** executionTime since executed, totalActivityTime since created, as a row has them that ends now. */
export function timesAt(
  row: Pick<WorldRow, 'created' | 'executed'>,
  jimNow: number,
): Pick<WorldRow, 'executionTime' | 'totalActivityTime'> {
  const end = Math.max(jimNow, row.executed);
  return { executionTime: end - row.executed, totalActivityTime: end - row.created + 1 };
}

/** Sign-ins and refused keys: born complete, and Complete even when what they tell of failed. */
export function authenticationRow(event: string, created: number): Partial<WorldRow> {
  const executed = created + 4;
  return {
    created,
    executed,
    status: 'Complete',
    targetType: 'Authentication',
    targetOperationType: 'Authenticate',
    targetName: event,
    message: event,
    initiatedByType: 'Anonymous',
    initiatedByName: 'Anonymous',
    executionTime: 0,
    totalActivityTime: 4,
  };
}
