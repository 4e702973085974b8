/** What a run is going to do, decided when a worker picks it up, and how JIM words and judges it (jim-api, 5.3). */
import type { Dialect } from './dialects.ts';
import type { ConnectedSystem, RunProfile, RunType } from './inventory.ts';
import {
  NO_STATS,
  NO_TOTALS,
  type ItemGroup,
  type RowPhase,
  type TotalName,
  type Totals,
  type WorldRow,
} from './row.ts';

export interface RunPlan {
  readonly durationMs: number;
  /** Objects it reads, synchronises or exports, changed or not. */
  readonly objects: number;
  readonly totals: Readonly<Partial<Record<Exclude<TotalName, 'Errors'>, number>>>;
  /** Objects that fail, by JIM's error type. */
  readonly errors?: Readonly<Record<string, number>>;
  /** Ends it at once, FailedWithError, with this message and nothing counted: a connector that cannot connect. */
  readonly exception?: string;
  /** Something that the connector wants to be known: CompleteWithWarning. */
  readonly warning?: string;
  /** What became of pending exports that an import looked at again. */
  readonly confirmed?: number;
  readonly retrying?: number;
  readonly failed?: number;
  /** Metaverse objects that a synchronisation deletes: in totalDeleted, not in `/stats`. */
  readonly metaverseDeleted?: number;
  /** How a final status changes after it was written (jim-api, 5.4). */
  readonly afterwards?: 'failed_then_complete' | 'failed_then_cancelled';
  /** What it does to object counts, once it ends well. */
  readonly effects?: readonly Effect[];
}

export interface Effect {
  readonly connectedSystemId: number;
  readonly objects?: number;
  readonly joined?: number;
  readonly pendingExports?: number;
}

export interface PlannedRun {
  readonly system: ConnectedSystem;
  readonly profile: RunProfile;
}

export type Planner = (run: PlannedRun) => RunPlan;

interface PhasePlan {
  readonly key: string;
  readonly name: string;
  readonly parentKey: string | null;
  /** Part of the run's time; parents take none of their own. */
  readonly share: number;
}

const IMPORT_PHASES: readonly PhasePlan[] = [
  { key: 'import.fetch', name: 'Importing objects', parentKey: null, share: 0 },
  { key: 'connector:read', name: 'Reading the file', parentKey: 'import.fetch', share: 0.2 },
  {
    key: 'import.process',
    name: 'Processing imported objects',
    parentKey: 'import.fetch',
    share: 0.35,
  },
  { key: 'import.deletions', name: 'Processing deletions', parentKey: null, share: 0.05 },
  { key: 'import.references', name: 'Resolving references', parentKey: null, share: 0.1 },
  { key: 'import.save', name: 'Saving changes', parentKey: null, share: 0.2 },
  { key: 'import.reconcile', name: 'Reconciling Pending Exports', parentKey: null, share: 0.05 },
  { key: 'import.record', name: 'Recording results', parentKey: null, share: 0.05 },
];

const SYNCHRONISATION_PHASES: readonly PhasePlan[] = [
  { key: 'sync.prepare', name: 'Preparing', parentKey: null, share: 0.05 },
  {
    key: 'sync.process',
    name: 'Processing Connected System Objects',
    parentKey: null,
    share: 0.75,
  },
  {
    key: 'sync.crosspagereferences',
    name: 'Resolving cross-page references',
    parentKey: null,
    share: 0.1,
  },
  { key: 'sync.scopereview', name: 'Reviewing export scope', parentKey: null, share: 0.1 },
];

const EXPORT_PHASES: readonly PhasePlan[] = [
  { key: 'export.prepare', name: 'Preparing export', parentKey: null, share: 0.1 },
  { key: 'export.execute', name: 'Exporting', parentKey: null, share: 0.7 },
  { key: 'export.deferred', name: 'Exporting deferred changes', parentKey: null, share: 0.1 },
  {
    key: 'export.references',
    name: 'Resolving change history references',
    parentKey: null,
    share: 0.1,
  },
];

const PHASES: Readonly<Record<RunType, readonly PhasePlan[]>> = {
  FullImport: IMPORT_PHASES,
  DeltaImport: IMPORT_PHASES,
  FullSynchronisation: SYNCHRONISATION_PHASES,
  DeltaSynchronisation: SYNCHRONISATION_PHASES,
  Export: EXPORT_PHASES,
};

/** A moment within a run at which its row changes without ending. */
export interface Milestone {
  /** Part of the duration that has passed. */
  readonly at: number;
  readonly objectsToProcess: number;
  readonly objectsProcessed: number;
  readonly message: string;
  /** Index of the phase under way. */
  readonly phase: number;
}

/** Counters start again in every phase that works on objects, and the message names the phase. */
export function milestones(runType: RunType, plan: RunPlan, stepsPerPhase: number): Milestone[] {
  const found: Milestone[] = [];
  let passed = 0;
  PHASES[runType].forEach((phase, index) => {
    for (let step = 0; step < (phase.share === 0 ? 0 : stepsPerPhase); step += 1) {
      const done = Math.floor((plan.objects * step) / stepsPerPhase);
      found.push({
        at: passed + (phase.share * step) / stepsPerPhase,
        objectsToProcess: plan.objects,
        objectsProcessed: done,
        message:
          done === 0 ? phase.name : `${phase.name} (${grouped(done)} / ${grouped(plan.objects)})`,
        phase: index,
      });
    }
    passed += phase.share;
  });
  return found;
}

/** The phases of a run while one of them is under way, or all through. `at` are microseconds of JIM's clock. */
export function phasesAt(
  runType: RunType,
  at: { readonly started: number; readonly now: number; readonly active: number | 'all_done' },
): readonly RowPhase[] {
  const plans = PHASES[runType];
  const active = at.active === 'all_done' ? plans.length : at.active;
  const length = at.now - at.started;
  const shareBefore = (index: number): number =>
    plans.slice(0, index).reduce((sum, phase) => sum + phase.share, 0);
  const all = at.active === 'all_done' ? 1 : Math.max(shareBefore(active), 0.01);
  const moment = (index: number): number =>
    Math.round(at.started + (length * Math.min(shareBefore(index), all)) / all);
  const activeParent = plans[active]?.parentKey ?? null;
  return plans.map((phase, order) => {
    const isActive = order === active || phase.key === activeParent;
    const isDone = !isActive && order < active;
    return {
      key: phase.key,
      name: phase.name,
      parentKey: phase.parentKey,
      order,
      status: isActive ? 'Active' : isDone ? 'Completed' : 'Pending',
      started: isActive || isDone ? moment(order) : null,
      ended: isDone ? moment(order + 1) : null,
    };
  });
}

/** Everything that the one write at a run's end sets, but for its times. */
export function ending(
  run: PlannedRun,
  plan: RunPlan,
  dialect: Dialect,
): Pick<
  WorldRow,
  | 'status'
  | 'objectsToProcess'
  | 'objectsProcessed'
  | 'totals'
  | 'stats'
  | 'items'
  | 'message'
  | 'errorMessage'
  | 'warningMessage'
> {
  if (plan.exception !== undefined) {
    return {
      status: 'FailedWithError',
      objectsToProcess: 0,
      objectsProcessed: 0,
      totals: NO_TOTALS,
      stats: NO_STATS,
      items: [],
      message: PHASES[run.profile.runType][0]?.name ?? null,
      errorMessage: plan.exception,
      warningMessage: null,
    };
  }
  const errors = Object.values(plan.errors ?? {}).reduce((sum, count) => sum + count, 0);
  const totals: Totals = { ...NO_TOTALS, ...plan.totals, Errors: errors };
  const items = itemsOf(run.profile.runType, plan, errors);
  const changes = items.reduce((sum, group) => sum + group.count, 0);
  const isImport = run.profile.runType.endsWith('Import');
  const objects = isImport && !dialect.importsCountReads ? errors : plan.objects;
  return {
    ...judged(plan, errors, changes),
    objectsToProcess: objects,
    objectsProcessed: objects,
    totals,
    stats: {
      changes,
      objectTypes: changes === 0 ? 0 : 1,
      metaverseDeleted: plan.metaverseDeleted ?? 0,
      confirmed: plan.confirmed ?? 0,
      retrying: plan.retrying ?? 0,
      failed: plan.failed ?? 0,
    },
    items,
    message: messageOf(run.profile.runType, plan, errors, dialect),
    warningMessage: plan.warning ?? null,
  };
}

/** All items failed: Failed. Some unhandled: WithError. Other errors, or a connector's warning: WithWarning. */
function judged(
  plan: RunPlan,
  errors: number,
  changes: number,
): Pick<WorldRow, 'status' | 'errorMessage'> {
  const unhandled = plan.errors?.['UnhandledError'] ?? 0;
  if (errors > 0 && errors === changes) {
    return {
      status: 'FailedWithError',
      errorMessage:
        'All Run Profile execution items experienced an error. Review the items for more information.',
    };
  }
  if (unhandled > 0) {
    return {
      status: 'CompleteWithError',
      errorMessage: `${unhandled} unhandled error(s) occurred during processing. Review the items for more information.`,
    };
  }
  const isWarned = errors > 0 || plan.warning !== undefined;
  return { status: isWarned ? 'CompleteWithWarning' : 'Complete', errorMessage: null };
}

/** How a changed object shows among the items: what happened to it, and the summary of its outcomes. */
const CHANGES: Readonly<
  Partial<Record<TotalName, { readonly type: string; readonly outcome: string }>>
> = {
  Added: { type: 'Added', outcome: 'CsoAdded:1' },
  Updated: { type: 'Updated', outcome: 'CsoUpdated:1' },
  Deleted: { type: 'Deleted', outcome: 'DeletionDetected:1' },
  Projected: { type: 'Projected', outcome: 'Projected:1,AttributeFlow:1' },
  Joined: { type: 'Joined', outcome: 'Joined:1,AttributeFlow:1' },
  AttributeFlows: { type: 'AttributeFlow', outcome: 'AttributeFlow:1' },
  Disconnected: { type: 'Disconnected', outcome: 'CsoDeleted:1,AttributeFlow:1,Disconnected:1' },
  DriftCorrections: { type: 'DriftCorrection', outcome: 'DriftCorrection:1' },
  Exported: { type: 'Exported', outcome: 'Exported:1' },
  Deprovisioned: { type: 'Deprovisioned', outcome: 'Deprovisioned:1' },
};

/** One item for each changed or failed object. In synchronisations every projected object also has attribute flows: one item. */
function itemsOf(runType: RunType, plan: RunPlan, errors: number): readonly ItemGroup[] {
  const groups: ItemGroup[] = [];
  const isSynchronisation = runType.endsWith('Synchronisation');
  const covered =
    (plan.totals.Projected ?? 0) + (plan.totals.Joined ?? 0) + (plan.totals.Disconnected ?? 0);
  for (const [total, change] of Object.entries(CHANGES)) {
    let count = countOf(plan, total);
    if (isSynchronisation && total === 'AttributeFlows') count = Math.max(0, count - covered);
    if (isSynchronisation && total === 'Deleted') count = 0;
    if (count === 0) continue;
    groups.push({
      count,
      objectChangeType: change.type,
      errorType: 'NotSet',
      outcomeSummary: change.outcome,
      connectedSystemObjectType: 'person',
    });
  }
  if (errors > 0) {
    for (const [errorType, count] of Object.entries(plan.errors ?? {})) {
      groups.push({
        count,
        objectChangeType: 'NotSet',
        errorType,
        outcomeSummary: null,
        connectedSystemObjectType: null,
      });
    }
  }
  return groups;
}

function countOf(plan: RunPlan, total: string): number {
  const entry = Object.entries(plan.totals).find(([name]) => name === total);
  return entry?.[1] ?? 0;
}

/** Before main an import's message stays at its last phase. */
function messageOf(runType: RunType, plan: RunPlan, errors: number, dialect: Dialect): string {
  if (runType === 'Export') {
    if (plan.objects === 0) return 'No exports to process';
    return `Export complete: ${grouped(plan.objects - errors)} succeeded, ${grouped(errors)} failed, 0 deferred`;
  }
  if (runType.endsWith('Synchronisation')) {
    return plan.objects === 0 && runType === 'DeltaSynchronisation'
      ? 'No changes to process'
      : `Sync complete: ${grouped(plan.objects)} objects`;
  }
  if (!dialect.importsCountReads) return 'Creating activity Run Profile execution items';
  const created = plan.totals.Added ?? 0;
  const updated = (plan.totals.Updated ?? 0) + (plan.totals.Deleted ?? 0);
  const unchanged = Math.max(0, plan.objects - created - updated - errors);
  const parts = [`${grouped(created)} created`, `${grouped(updated)} updated`];
  if (unchanged > 0) parts.push(`${grouped(unchanged)} unchanged`);
  if (errors > 0) parts.push(`${grouped(errors)} errors`);
  return `Import complete: ${grouped(plan.objects)} objects (${parts.join(', ')})`;
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
