/** What goes wrong in the company: by chance where it is not quiet, and by command at any moment. */
import { changeConfiguration, renameSystem, signIn } from './administration.ts';
import type { ConnectedSystem, RunType } from './inventory.ts';
import type { Random } from './random.ts';
import { MICROS_PER_SECOND } from './row.ts';
import type { PlannedRun, RunPlan } from './run-plan.ts';
import type { Initiator } from './births.ts';
import type { AfterCancelling } from './rewrites.ts';
import type { Worker } from './worker.ts';
import type { Troubles } from './workload.ts';
import type { World } from './world.ts';

/** How a run can go wrong. */
export type Misfortune =
  /** The connector cannot connect: FailedWithError, nothing counted. */
  | 'connector'
  /** Every changed object fails: FailedWithError. */
  | 'all_objects'
  /** Some unhandled errors: CompleteWithError. */
  | 'unhandled'
  /** Some ordinary errors: CompleteWithWarning. */
  | 'some_objects'
  /** A tenth of the objects, and at least one, fail in an ordinary way: CompleteWithWarning. */
  | 'a_tenth_fails'
  /** The connector has something to say: CompleteWithWarning, without errors. */
  | 'warning'
  /** An import finds a fifth of the system's objects deleted, and all is well with it: Complete. */
  | 'mass_deletion'
  /** An import gives up on most of the exports that it looks for: Complete. */
  | 'unconfirmed_exports'
  /** FailedWithError, Complete milliseconds later. */
  | 'flips_to_complete'
  /** FailedWithError, Cancelled half a minute later. */
  | 'flips_to_cancelled';

export interface Incidents {
  /** The next run of a system, of one run type or any, goes wrong in this way. */
  failNextRun(systemName: string, how: Misfortune, runType?: RunType): void;
  /** From now on the system's imports and exports cannot connect. */
  stopConnector(systemName: string): void;
  startConnector(systemName: string): void;
  /** Runs of a system that begin from now on take so many times as long; 1 ends it. */
  slowDown(systemName: string, factor: number): void;
  crashWorker(): void;
  restartWorker(): void;
  /** A configuration change that nobody will ever end; returns its id. */
  orphan(): string;
  /** Cancels every run that is being processed; returns their ids. */
  cancelRunning(afterwards?: AfterCancelling): readonly string[];
  /** Queues a run profile by hand; returns its id. */
  run(systemName: string, runType: RunType): string;
  /** Starts a schedule by hand, now. */
  startSchedule(name: string): void;
  setScheduleEnabled(name: string, isEnabled: boolean): void;
  failSignIns(count: number): void;
  /** A certificate's end, in days from now; negative has passed. */
  setCertificateExpiry(name: string, days: number): void;
  rename(systemName: string, newName: string): void;
  setMaintenance(isOn: boolean): void;
  /** JIM's port is closed for so long; what the worker does goes on. */
  goDown(ms: number): void;
}

interface Arranged {
  readonly systemId: number;
  readonly how: Misfortune;
  readonly runType: RunType | null;
}

export interface IncidentOptions {
  readonly world: World;
  readonly random: Random;
  readonly operator: Initiator;
  /** Nothing goes wrong by chance. */
  readonly quiet: boolean;
  /** Late, because the worker's plans ask for troubles first. */
  readonly worker: () => Worker;
  readonly enableSchedule: (name: string, isEnabled: boolean) => void;
}

const DAY = 86_400 * MICROS_PER_SECOND;

export function createIncidents(options: IncidentOptions): {
  readonly incidents: Incidents;
  readonly troubles: Troubles;
} {
  const { world, random, operator } = options;
  let arranged: readonly Arranged[] = [];
  const stopped = new Set<number>();
  const slowness = new Map<number, number>();

  const systemNamed = (name: string): ConnectedSystem => {
    const system = world.systems.find((candidate) => candidate.name === name);
    if (system === undefined) throw new Error(`the company has no connected system ${name}`);
    return system;
  };

  const arrangedFor = ({ system, profile }: PlannedRun): Misfortune | null => {
    const found = arranged.find(
      (entry) =>
        entry.systemId === system.id &&
        (entry.runType === null || entry.runType === profile.runType),
    );
    arranged = arranged.filter((entry) => entry !== found);
    return found?.how ?? null;
  };

  const byChance = ({ profile }: PlannedRun, plan: RunPlan): Misfortune | null => {
    if (options.quiet) return null;
    if (plan.objects < FEWEST_OBJECTS_IN_TROUBLE) return null;
    if (random.chance(CHANCE_OF_CONNECTOR) && !profile.runType.endsWith('Synchronisation')) {
      return 'connector';
    }
    if (random.chance(CHANCE_OF_UNHANDLED)) return 'unhandled';
    return random.chance(CHANCE_OF_ERRORS) ? 'some_objects' : null;
  };

  const troubles: Troubles = {
    afflict(run, plan) {
      const { system, profile } = run;
      const slower = { ...plan, durationMs: plan.durationMs * (slowness.get(system.id) ?? 1) };
      const isConnecting = !profile.runType.endsWith('Synchronisation');
      if (stopped.has(system.id) && isConnecting)
        return afflicted(slower, run, 'connector', random);
      const misfortune = arrangedFor(run) ?? byChance(run, plan);
      return misfortune === null ? slower : afflicted(slower, run, misfortune, random);
    },
  };

  const incidents: Incidents = {
    failNextRun(systemName, how, runType) {
      const systemId = systemNamed(systemName).id;
      arranged = [...arranged, { systemId, how, runType: runType ?? null }];
    },
    stopConnector(systemName) {
      stopped.add(systemNamed(systemName).id);
    },
    startConnector(systemName) {
      stopped.delete(systemNamed(systemName).id);
    },
    slowDown(systemName, factor) {
      slowness.set(systemNamed(systemName).id, factor);
    },
    crashWorker() {
      options.worker().crash();
    },
    restartWorker() {
      options.worker().restart();
    },
    orphan() {
      const change = {
        targetType: 'ConnectedSystem',
        operation: 'ImportSchema',
        targetName: world.systems[0]?.name ?? 'Unknown',
      };
      return changeConfiguration(world, random, change, operator, 'never_ends');
    },
    cancelRunning(afterwards = 'stays') {
      const running = world.tasks.filter((task) => task.status === 'Processing');
      for (const task of running) options.worker().cancel(task.activityId, afterwards);
      return running.map((task) => task.activityId);
    },
    run(systemName, runType) {
      const system = systemNamed(systemName);
      const profile = system.runProfiles.find((candidate) => candidate.runType === runType);
      if (profile === undefined) throw new Error(`${systemName} has no ${runType}`);
      return options.worker().queueRun(system.id, profile.id, operator);
    },
    startSchedule(name) {
      const schedule = world.schedules.find((candidate) => candidate.name === name);
      if (schedule === undefined) throw new Error(`the company has no schedule ${name}`);
      options.worker().startSchedule(schedule, operator);
    },
    setScheduleEnabled(name, isEnabled) {
      options.enableSchedule(name, isEnabled);
      changeConfiguration(
        world,
        random,
        { targetType: 'Schedule', operation: 'Update', targetName: name },
        operator,
      );
    },
    failSignIns(count) {
      for (let attempt = 0; attempt < count; attempt += 1) signIn(world, 'failed');
    },
    setCertificateExpiry(name, days) {
      world.certificates = world.certificates.map((certificate) =>
        certificate.name === name
          ? { ...certificate, validTo: Math.round(world.jimNow + days * DAY) }
          : certificate,
      );
    },
    rename(systemName, newName) {
      renameSystem(world, random, systemNamed(systemName).id, newName, operator);
    },
    setMaintenance(isOn) {
      world.maintenance = isOn;
    },
    goDown(ms) {
      world.listening = false;
      world.after(ms, () => {
        world.listening = true;
      });
    },
  };
  return { incidents, troubles };
}

const CHANCE_OF_CONNECTOR = 0.004;
const CHANCE_OF_UNHANDLED = 0.003;
const CHANCE_OF_ERRORS = 0.02;
/** Few objects and one error would fail the whole run: JIM's rule, but not a company's every day. */
const FEWEST_OBJECTS_IN_TROUBLE = 8;

const ORDINARY_ERRORS: Readonly<Record<RunType, string>> = {
  FullImport: 'DuplicateObject',
  DeltaImport: 'MissingExternalIdAttributeValue',
  FullSynchronisation: 'UnresolvedReference',
  DeltaSynchronisation: 'AmbiguousMatch',
  Export: 'ExportNotConfirmed',
};

const CONNECTOR_TIMEOUT_MS = 11_000;

function afflicted(plan: RunPlan, run: PlannedRun, how: Misfortune, random: Random): RunPlan {
  switch (how) {
    case 'connector':
      return {
        durationMs: random.int(300, CONNECTOR_TIMEOUT_MS),
        objects: 0,
        totals: {},
        exception: 'The connector could not connect: the remote host did not answer in time.',
      };
    case 'all_objects':
      return {
        ...plan,
        totals: {},
        errors: { [ORDINARY_ERRORS[run.profile.runType]]: Math.max(1, Math.min(plan.objects, 40)) },
        effects: [],
      };
    case 'unhandled':
      return withErrors(plan, { UnhandledError: random.int(1, 12) });
    case 'some_objects':
      return withErrors(plan, { [ORDINARY_ERRORS[run.profile.runType]]: random.int(1, 5) });
    case 'a_tenth_fails':
      return withErrors(plan, {
        [ORDINARY_ERRORS[run.profile.runType]]: Math.max(1, Math.ceil(plan.objects / 10)),
      });
    case 'mass_deletion': {
      const deleted = Math.floor(run.system.objectCount / 5);
      return {
        ...plan,
        totals: { ...plan.totals, Deleted: deleted },
        effects: [{ connectedSystemId: run.system.id, objects: -deleted }],
      };
    }
    case 'unconfirmed_exports':
      return { ...plan, confirmed: 20, failed: 60 };
    case 'warning':
      return { ...plan, warning: 'The connector fell back to a full import.' };
    case 'flips_to_complete':
      return { ...plan, afterwards: 'failed_then_complete' };
    case 'flips_to_cancelled':
      break;
  }
  return { ...plan, afterwards: 'failed_then_cancelled' };
}

/** Errors beside at least one object that went well: else the whole run would have failed. */
function withErrors(plan: RunPlan, errors: Readonly<Record<string, number>>): RunPlan {
  const changes = Object.values(plan.totals).reduce((sum, count) => sum + count, 0);
  const totals = changes > 0 ? plan.totals : { AttributeFlows: 3, Updated: 3 };
  return { ...plan, objects: Math.max(plan.objects, 20), totals, errors };
}
