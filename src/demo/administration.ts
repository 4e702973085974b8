/**
 * What is done to a JIM beside running it: configuration changes, sign-ins, retention, factory reset,
 * upgrade, restore, renames. Each leaves the rows that JIM leaves (jim-api, sections 5 to 8).
 */
import { dialectNamed, type DialectName } from './dialects.ts';
import type { Random } from './random.ts';
import { authenticationRow, MICROS_PER_SECOND, NO_TOTALS, timesAt, type WorldRow } from './row.ts';
import { initiatedBy, type Initiator } from './births.ts';
import type { Worker } from './worker.ts';
import type { Backup, World } from './world.ts';

export interface ConfigurationChange {
  readonly targetType: string;
  readonly operation: string;
  readonly targetName: string | null;
  readonly targetContext?: string | null;
  readonly connectedSystemId?: number | null;
  readonly message?: string | null;
}

/**
 * A change made in JIM's web pages: born InProgress, complete within a moment. One that an exception cut off
 * stays InProgress for ever, since nothing recovers rows of the web process.
 */
export function changeConfiguration(
  world: World,
  random: Random,
  change: ConfigurationChange,
  initiator: Initiator,
  end: 'completes' | 'never_ends' = 'completes',
): string {
  const id = world.insert({
    targetType: change.targetType,
    targetOperationType: change.operation,
    targetName: change.targetName,
    targetContext: change.targetContext ?? null,
    connectedSystemId: change.connectedSystemId ?? null,
    message: change.message ?? null,
    ...initiatedBy(initiator),
    configurationChangeVersion: world.dialect.configurationHistory ? random.int(1, 20) : null,
  });
  if (end === 'completes') completeAfter(world, id, random.int(9, 600));
  return id;
}

/** Sign-ins and refused keys, from 0.14: inserted already complete. */
export function signIn(world: World, how: 'succeeded' | 'failed'): void {
  if (!world.dialect.authenticationActivities) return;
  world.insert(authenticationRow(`Interactive sign-in ${how}`, world.jimNow));
}

const RETENTION_DAYS = { general: 90, configuration: 3650, security: 365 } as const;
const DELETED_PER_CLASS = 100;
const DAY_MICROS = 86_400 * MICROS_PER_SECOND;

type RetentionClass = keyof typeof RETENTION_DAYS;

/** One pass: the 100 oldest rows past their time, of each class; even unfinished ones, and parents without their children. */
export function cleanUp(world: World, random: Random): void {
  for (const retention of Object.keys(RETENTION_DAYS)) {
    if (!isRetentionClass(retention)) continue;
    const before = world.jimNow - RETENTION_DAYS[retention] * DAY_MICROS;
    const doomed: string[] = [];
    for (const row of world.table.rows) {
      if (row.created >= before || doomed.length >= DELETED_PER_CLASS) break;
      if (retentionOf(row) === retention) doomed.push(row.id);
    }
    for (const id of doomed) world.remove(id);
  }
  const id = world.insert({
    id: random.guid(),
    targetType: 'HistoryRetentionCleanup',
    targetOperationType: 'Delete',
    message: 'Change history and activity retention cleanup',
  });
  completeAfter(world, id, random.int(90, 400));
}

function isRetentionClass(name: string): name is RetentionClass {
  return name in RETENTION_DAYS;
}

function retentionOf(row: WorldRow): RetentionClass {
  if (row.targetType === 'Authentication') return 'security';
  return row.configurationChangeVersion === null ? 'general' : 'configuration';
}

/** From 0.14 the worker deletes identities whose time has come, and records it where there were any. */
export function housekeep(world: World, random: Random, deleted: number): void {
  if (!world.dialect.authenticationActivities) return;
  const id = world.insert({
    targetType: 'MetaverseObjectHousekeeping',
    targetOperationType: 'Execute',
    targetName: world.dialect.scheduleFields
      ? 'Scheduled Identity Deletion'
      : 'Metaverse Object Housekeeping',
    objectsToProcess: deleted,
    objectsProcessed: deleted,
    totals: { ...NO_TOTALS, Deleted: deleted },
  });
  completeAfter(world, id, random.int(40, 900));
}

/** From 0.13 JIM records what it builds in as one Activity with a child for each thing. */
export function initialise(world: World, random: Random, things: number): void {
  if (!world.dialect.systemInitialisation) return;
  const parent = world.insert({
    targetType: 'SystemInitialisation',
    targetOperationType: 'Create',
    targetName: 'Built-in configuration',
    message: 'Applied built-in configuration',
  });
  for (let thing = 1; thing <= things; thing += 1) {
    const name = `Built-in attribute ${thing}`;
    const created = world.jimNow + thing * 20_000;
    world.insert({
      created,
      executed: created + 99,
      status: 'Complete',
      targetType: 'MetaverseAttribute',
      targetOperationType: 'Create',
      targetName: name,
      message: `Created built-in Metaverse Attribute '${name}'`,
      parentActivityId: parent,
      executionTime: 12_649,
      totalActivityTime: 12_748,
      configurationChangeVersion: 1,
    });
  }
  completeAfter(world, parent, things * 20 + random.int(200, 2000));
}

const BUILT_IN_THINGS = 155;

/**
 * TRUNCATE: Activities, tasks, schedules, executions and ordinary API keys are gone, connected systems too.
 * JIM refuses while anything is in progress, and false is returned, unless forced.
 */
export function resetToFactory(
  world: World,
  worker: Worker,
  random: Random,
  options: { readonly force?: boolean; readonly keepKeys?: boolean } = {},
): boolean {
  if (!world.dialect.factoryReset) return false;
  const isBusy = world.table.rows.some((row) => row.status === 'InProgress');
  if (isBusy && options.force !== true) return false;
  world.truncate();
  world.systems = [];
  world.schedules = [];
  if (options.keepKeys !== true) {
    world.apiKeys = world.apiKeys.filter((key) => key.isInfrastructure);
  }
  worker.rejoin();
  const id = world.insert({
    targetType: 'System',
    targetOperationType: 'Reset',
    targetName: 'Factory reset',
    message: 'Factory reset',
  });
  completeAfter(world, id, random.int(900, 4000));
  initialise(world, random, BUILT_IN_THINGS);
  return true;
}

/** The port is closed for `downMs`; afterwards another version answers, and has renamed what it stores. */
export function upgrade(
  world: World,
  worker: Worker,
  random: Random,
  to: DialectName,
  downMs: number,
): void {
  const from = world.dialect;
  world.listening = false;
  worker.crash();
  world.after(downMs, () => {
    world.dialect = dialectNamed(to);
    if (!from.laterNames && world.dialect.laterNames) separateDataGeneration(world);
    world.listening = true;
    worker.restart();
    initialise(world, random, UPGRADED_THINGS);
  });
}

const UPGRADED_THINGS = 12;

/** 0.13's migration: what templates did becomes DataGeneration. SyncRule is only called otherwise. */
function separateDataGeneration(world: World): void {
  const renamed = world.table.rows.filter(
    (row) => row.targetType === 'ExampleDataTemplate' && row.targetOperationType === 'Execute',
  );
  for (const row of renamed) world.update(row.id, { targetType: 'DataGeneration' });
}

/** The database as it was when the backup was taken; the worker then abandons what was being processed. */
export function restore(world: World, worker: Worker, backup: Backup): void {
  world.restore(backup);
  worker.rejoin();
}

/** Rows are snapshots: the old ones keep the old name. */
export function renameSystem(
  world: World,
  random: Random,
  systemId: number,
  name: string,
  initiator: Initiator,
): void {
  world.systems = world.systems.map((system) =>
    system.id === systemId ? { ...system, name } : system,
  );
  changeConfiguration(
    world,
    random,
    {
      targetType: 'ConnectedSystem',
      operation: 'Update',
      targetName: name,
      connectedSystemId: systemId,
    },
    initiator,
  );
}

function completeAfter(world: World, id: string, ms: number): void {
  world.afterInEpoch(ms, () => {
    const row = world.row(id);
    if (row === undefined) return;
    world.update(id, { status: 'Complete', ...timesAt(row, world.jimNow) });
  });
}
