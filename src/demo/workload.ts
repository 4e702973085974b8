/**
 * What the company's runs have to do: changes flow from the sources through synchronisations into pending
 * exports and out again, more on weekday mornings than on a Sunday night, and now and then something is wrong.
 */
import type { ConnectedSystem } from './inventory.ts';
import type { Random } from './random.ts';
import { MICROS_PER_MS } from './row.ts';
import type { Effect, PlannedRun, Planner, RunPlan } from './run-plan.ts';
import { businessAt } from './timetable.ts';
import type { World } from './world.ts';

/** What has been arranged to go wrong, or happens to. */
export interface Troubles {
  /** Alters the plan of a run that is about to begin. */
  afflict(run: PlannedRun, plan: RunPlan): RunPlan;
}

interface Changes {
  readonly added: number;
  readonly updated: number;
  readonly deleted: number;
}

/** What a system still has to hand on. */
interface Backlog {
  /** Our clock of its last import. */
  importedMs: number;
  /** Imported, not synchronised. */
  imported: Changes;
  /** Accounts to create and remove among its pending exports. */
  toCreate: number;
  toRemove: number;
}

const NONE: Changes = { added: 0, updated: 0, deleted: 0 };

/** Changes a minute in full business, by the part of a thousand that a system's objects are. */
const CHANGES_PER_MINUTE = 0.09;
const LONGEST_GAP_MINUTES = 24 * 60;

/** Objects a second, on the small machine that this company runs JIM on. */
const IMPORTED_PER_SECOND = 420;
const SYNCHRONISED_PER_SECOND = 70;
const EXPORTED_PER_SECOND = 14;

export function createWorkload(world: World, random: Random, troubles: Troubles): Planner {
  const backlogs = new Map<number, Backlog>();
  const backlogOf = (system: ConnectedSystem): Backlog => {
    let backlog = backlogs.get(system.id);
    if (backlog === undefined) {
      backlog = { importedMs: world.nowMs, imported: NONE, toCreate: 0, toRemove: 0 };
      backlogs.set(system.id, backlog);
    }
    return backlog;
  };

  const newChanges = (system: ConnectedSystem, backlog: Backlog): Changes => {
    const minutes = Math.min(LONGEST_GAP_MINUTES, (world.nowMs - backlog.importedMs) / 60_000);
    const busy = businessAt(world.jimNow / MICROS_PER_MS);
    const mean = minutes * busy * CHANGES_PER_MINUTE * (system.objectCount / 1000);
    const updated = around(mean * 0.9, random);
    return { updated, added: around(mean * 0.08, random), deleted: around(mean * 0.05, random) };
  };

  const planImport = ({ system, profile }: PlannedRun): RunPlan => {
    const backlog = backlogOf(system);
    const changes = newChanges(system, backlog);
    backlog.importedMs = world.nowMs;
    backlog.imported = sum(backlog.imported, changes);
    const objects = profile.runType === 'FullImport' ? system.objectCount : total(changes);
    return {
      durationMs: random.int(4000, 14_000) + Math.round((objects / IMPORTED_PER_SECOND) * 1000),
      objects,
      totals: { Added: changes.added, Updated: changes.updated, Deleted: changes.deleted },
      effects: [{ connectedSystemId: system.id, objects: changes.added - changes.deleted }],
    };
  };

  const planSynchronisation = ({ system, profile }: PlannedRun): RunPlan => {
    const backlog = backlogOf(system);
    const { added, updated, deleted } = backlog.imported;
    backlog.imported = NONE;
    const objects =
      profile.runType === 'FullSynchronisation' ? system.objectCount : added + updated + deleted;
    const isSource = !system.runProfiles.some(({ runType }) => runType === 'Export');
    const shared = {
      durationMs: random.int(2500, 9000) + Math.round((objects / SYNCHRONISED_PER_SECOND) * 1000),
      objects,
    };
    if (!isSource) {
      const drift = random.chance(0.1) ? Math.min(updated, random.int(1, 4)) : 0;
      return {
        ...shared,
        totals: { Joined: added, AttributeFlows: added + updated, DriftCorrections: drift },
        effects: [{ connectedSystemId: system.id, joined: added, pendingExports: drift }],
      };
    }
    const targets = world.systems.filter(({ runProfiles }) =>
      runProfiles.some(({ runType }) => runType === 'Export'),
    );
    for (const target of targets) {
      const other = backlogOf(target);
      other.toCreate += added;
      other.toRemove += deleted;
    }
    const pendingExports = added + updated + deleted;
    return {
      ...shared,
      totals: {
        Projected: added,
        AttributeFlows: added + updated,
        Provisioned: added * targets.length,
        Disconnected: deleted,
        Deleted: deleted,
        PendingExports: pendingExports * targets.length,
      },
      effects: [
        { connectedSystemId: system.id, joined: added - deleted },
        ...targets.map((target): Effect => ({ connectedSystemId: target.id, pendingExports })),
      ],
    };
  };

  const planExport = ({ system }: PlannedRun): RunPlan => {
    const backlog = backlogOf(system);
    const objects = system.pendingExports;
    const created = Math.min(backlog.toCreate, objects);
    const removed = Math.min(backlog.toRemove, objects - created);
    backlog.toCreate -= created;
    backlog.toRemove -= removed;
    return {
      durationMs: random.int(3000, 9000) + Math.round((objects / EXPORTED_PER_SECOND) * 1000),
      objects,
      totals: {
        Exported: objects - created - removed,
        Created: created,
        Deprovisioned: removed,
      },
      confirmed: random.int(0, objects),
      effects: [
        { connectedSystemId: system.id, objects: created - removed, pendingExports: -objects },
      ],
    };
  };

  return (run) => {
    const { runType } = run.profile;
    const plan = runType.endsWith('Import')
      ? planImport(run)
      : runType.endsWith('Synchronisation')
        ? planSynchronisation(run)
        : planExport(run);
    return troubles.afflict(run, plan);
  };
}

/** A whole number near `mean`, whose mean it is. */
function around(mean: number, random: Random): number {
  const spread = mean * (0.5 + random.next());
  return Math.floor(spread) + (random.chance(spread - Math.floor(spread)) ? 1 : 0);
}

function sum(a: Changes, b: Changes): Changes {
  return {
    added: a.added + b.added,
    updated: a.updated + b.updated,
    deleted: a.deleted + b.deleted,
  };
}

function total(changes: Changes): number {
  return changes.added + changes.updated + changes.deleted;
}
