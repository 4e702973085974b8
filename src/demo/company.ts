/**
 * A believable company on JIM: five connected systems, a full cycle every night, a delta cycle every quarter of
 * an hour, administrators who change things and people who sign in, mostly well. Tests and the demo can make
 * things go wrong at any moment by `incidents`.
 */
import {
  type ConfigurationChange,
  changeConfiguration,
  cleanUp,
  housekeep,
  initialise,
  signIn,
} from './administration.ts';
import {
  COMPANY_SETTINGS,
  companyCertificates,
  companySchedules,
  companySystems,
} from './company-set-up.ts';
import type { DialectName } from './dialects.ts';
import { createIncidents, type Incidents } from './incidents.ts';
import type { Schedule } from './inventory.ts';
import { createRandom, type Random } from './random.ts';
import { MICROS_PER_MS } from './row.ts';
import { businessAt, type Timetable } from './timetable.ts';
import { SYSTEM_INITIATOR, type Initiator } from './births.ts';
import { Worker } from './worker.ts';
import { createWorkload } from './workload.ts';
import { World } from './world.ts';

export interface CompanyOptions {
  readonly seed: number | string;
  /** Our clock at which the company is handed over; its history lies before. */
  readonly startMs: number;
  /** Days of history; 2 unless said. A day costs about 700 rows. */
  readonly days?: number;
  readonly dialect?: DialectName;
  /** Nothing goes wrong by chance. */
  readonly quiet?: boolean;
  readonly clockOffsetMs?: number;
}

export interface Company {
  readonly world: World;
  readonly worker: Worker;
  readonly incidents: Incidents;
  /** Configures JIM from nothing, as at the start: after a factory reset. */
  setUp(): void;
}

/** An administrator: a made-up person, whose name must never leave JIM. */
const ADMINISTRATOR: Initiator = {
  type: 'User',
  id: 'be51a04c-79ad-4d01-a4fc-2d2d4624ab09',
  name: 'First1 Last1',
};

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 2;

export function createCompany(options: CompanyOptions): Company {
  const historyMs = (options.days ?? DEFAULT_DAYS) * DAY_MS;
  const world = new World({
    seed: options.seed,
    startMs: options.startMs - historyMs,
    ...(options.dialect === undefined ? {} : { dialect: options.dialect }),
    ...(options.clockOffsetMs === undefined ? {} : { clockOffsetMs: options.clockOffsetMs }),
  });
  const random = createRandom(`${options.seed}/company`);
  const timetables = new Map<string, Timetable>();
  const quiet = options.quiet ?? false;

  const { incidents, troubles } = createIncidents({
    world,
    random: random.fork('incidents'),
    operator: ADMINISTRATOR,
    quiet,
    worker: () => worker,
    enableSchedule: (name, isEnabled) => {
      enableSchedule(world, timetables, name, isEnabled);
    },
  });
  const worker = new Worker({
    world,
    random: random.fork('worker'),
    plan: createWorkload(world, random.fork('workload'), troubles),
    progressFromMs: options.startMs - PROGRESS_BEFORE_START_MS,
  });

  const setUp = (): void => {
    configure(world, random.fork('configuration'), timetables);
    for (const schedule of world.schedules) {
      runByTimetable(world, worker, random.fork(schedule.name), schedule.id, timetables);
    }
  };

  initialise(world, random.fork('initialisation'), 155);
  setUp();
  cleanUpWhenIdle(world, worker, random.fork('retention'));
  changeNowAndThen(world, random.fork('changes'));
  signInNowAndThen(world, random.fork('sign-ins'), quiet);
  housekeepNowAndThen(world, random.fork('housekeeping'));
  world.advanceTo(options.startMs);
  return { world, worker, incidents, setUp };
}

/** Runs under way at the handover have reported progress; older ones need none. */
const PROGRESS_BEFORE_START_MS = 3_600_000;

/** Systems, run profiles, rules and schedules, with the rows that making them leaves. */
function configure(world: World, random: Random, timetables: Map<string, Timetable>): void {
  world.systems = companySystems(world.jimNow);
  world.settings = COMPANY_SETTINGS;
  world.certificates = companyCertificates(random, world.jimNow);
  const timed = companySchedules(world.systems, random, world.dialect, world.jimNow);
  timetables.clear();
  for (const { schedule, timetable } of timed) timetables.set(schedule.id, timetable);
  world.schedules = timed.map(({ schedule }) => schedule);

  const change = (
    targetType: string,
    operation: string,
    targetName: string,
    of: Pick<ConfigurationChange, 'targetContext' | 'connectedSystemId'> = {},
  ): void => {
    const named = { targetType, operation, targetName, ...of };
    changeConfiguration(world, random, named, ADMINISTRATOR);
  };
  for (const { id, name, runProfiles } of world.systems) {
    const itself = { connectedSystemId: id };
    const within = { targetContext: name, connectedSystemId: id };
    change('ConnectedSystem', 'Create', name, itself);
    change('ConnectedSystem', 'ImportSchema', name, itself);
    for (const profile of runProfiles) {
      change('ConnectedSystemRunProfile', 'Create', profile.name, within);
    }
    change('SynchronisationRule', 'Create', `${name} Rule`, within);
    change('SynchronisationRule', 'Create', 'Mapping to Display Name', {
      targetContext: `${name} Rule`,
    });
    change('ObjectMatchingRule', 'Create', 'Rule for person', within);
  }
  if (world.dialect.laterNames) {
    for (const schedule of world.schedules) change('Schedule', 'Create', schedule.name);
  }
}

/** JIM's scheduler looks every half minute, and never starts what is still running. */
const SCHEDULER_LAG_MS = 20_000;

function runByTimetable(
  world: World,
  worker: Worker,
  random: Random,
  scheduleId: string,
  timetables: ReadonlyMap<string, Timetable>,
): void {
  const timetable = timetables.get(scheduleId);
  if (timetable === undefined) return;
  const next = timetable.nextAfter(world.jimNow / MICROS_PER_MS);
  setSchedule(world, scheduleId, (schedule) => ({
    ...schedule,
    nextRunTime: schedule.isEnabled ? next * MICROS_PER_MS : null,
  }));
  world.at(next - world.clockOffsetMs + random.int(200, SCHEDULER_LAG_MS), () => {
    const schedule = world.schedules.find((candidate) => candidate.id === scheduleId);
    if (schedule === undefined) return;
    const isActive = world.executions.some(
      (execution) => execution.scheduleId === scheduleId && execution.status === 'InProgress',
    );
    if (schedule.isEnabled && !isActive) {
      setSchedule(world, scheduleId, (before) => ({
        ...before,
        lastRunTime: world.jimNow,
        lastUpdated: world.jimNow,
      }));
      worker.startSchedule(schedule, SYSTEM_INITIATOR);
    }
    runByTimetable(world, worker, random, scheduleId, timetables);
  });
}

function enableSchedule(
  world: World,
  timetables: ReadonlyMap<string, Timetable>,
  name: string,
  isEnabled: boolean,
): void {
  const schedule = world.schedules.find((candidate) => candidate.name === name);
  if (schedule === undefined) throw new Error(`the company has no schedule ${name}`);
  const next = timetables.get(schedule.id)?.nextAfter(world.jimNow / MICROS_PER_MS);
  setSchedule(world, schedule.id, (before) => ({
    ...before,
    isEnabled,
    nextRunTime: isEnabled && next !== undefined ? next * MICROS_PER_MS : null,
    lastUpdated: world.jimNow,
  }));
}

function setSchedule(world: World, id: string, change: (schedule: Schedule) => Schedule): void {
  world.schedules = world.schedules.map((schedule) =>
    schedule.id === id ? change(schedule) : schedule,
  );
}

const CLEAN_UP_EVERY_MS = 6 * 3_600_000;
const IDLE_CHECK_MS = 60_000;

/** Retention waits until the worker is idle, and for six hours since the last time. */
function cleanUpWhenIdle(world: World, worker: Worker, random: Random): void {
  world.after(random.int(5, 30) * IDLE_CHECK_MS, function attempt() {
    if (!worker.isIdle) {
      world.after(IDLE_CHECK_MS, attempt);
      return;
    }
    cleanUp(world, random);
    world.after(CLEAN_UP_EVERY_MS, attempt);
  });
}

const SECONDS_BETWEEN_CHANGES = 2400;
const SECONDS_BETWEEN_SIGN_INS = 500;
/** Of a hundred people who sign in, so many mistype. */
const FAILED_SIGN_INS = 0.06;

function changeNowAndThen(world: World, random: Random): void {
  nowAndThen(world, random, SECONDS_BETWEEN_CHANGES, () => {
    const system = world.systems[random.int(0, world.systems.length - 1)];
    if (system === undefined) return;
    const change = random.pick<Omit<ConfigurationChange, 'operation'>>([
      {
        targetType: 'ConnectedSystem',
        targetName: system.name,
        connectedSystemId: system.id,
        message: 'Update attribute: person.Mail',
      },
      {
        targetType: 'SynchronisationRule',
        targetName: `${system.name} Rule`,
        targetContext: system.name,
        connectedSystemId: system.id,
      },
      { targetType: 'ServiceSetting', targetName: 'History retention period' },
      { targetType: 'MetaverseAttribute', targetName: 'Department' },
    ]);
    changeConfiguration(world, random, { ...change, operation: 'Update' }, ADMINISTRATOR);
  });
}

function signInNowAndThen(world: World, random: Random, quiet: boolean): void {
  nowAndThen(world, random, SECONDS_BETWEEN_SIGN_INS, () => {
    signIn(world, !quiet && random.chance(FAILED_SIGN_INS) ? 'failed' : 'succeeded');
  });
}

const SECONDS_BETWEEN_HOUSEKEEPING = 5400;

function housekeepNowAndThen(world: World, random: Random): void {
  nowAndThen(world, random, SECONDS_BETWEEN_HOUSEKEEPING, () => {
    housekeep(world, random, random.int(1, 6));
  });
}

/** At random moments, so far apart in full business, and rarer at night and on weekends. */
function nowAndThen(world: World, random: Random, seconds: number, action: () => void): void {
  world.after(random.next() * 2000 * seconds, () => {
    if (random.chance(businessAt(world.jimNow / MICROS_PER_MS))) action();
    nowAndThen(world, random, seconds, action);
  });
}
