/** The company's configuration: its systems, run profiles, schedules, certificates and settings. */
import type { Dialect } from './dialects.ts';
import type {
  Certificate,
  ConnectedSystem,
  RunProfile,
  RunType,
  Schedule,
  ScheduleStep,
  ServiceSetting,
} from './inventory.ts';
import type { Random } from './random.ts';
import { MICROS_PER_SECOND } from './row.ts';
import { dailyAt, everyMinutes, type Timetable } from './timetable.ts';

export const HR = 'HR System';
export const DIRECTORY = 'Directory';
/** Quotes and a backslash: what a label must survive. */
export const BADGES = 'Badge "Office" \\ System';
export const CLOUD = 'Cloud Directory';
export const PHONE_BOOK = 'Phone Book';

interface SystemSetUp {
  readonly name: string;
  readonly connectorName: string;
  readonly objects: number;
  readonly runTypes: readonly RunType[];
}

const SOURCE: readonly RunType[] = [
  'FullImport',
  'DeltaImport',
  'FullSynchronisation',
  'DeltaSynchronisation',
];

const SYSTEMS: readonly SystemSetUp[] = [
  { name: HR, connectorName: 'JIM SQL Connector', objects: 12_410, runTypes: SOURCE },
  {
    name: BADGES,
    connectorName: 'JIM File Connector',
    objects: 11_872,
    runTypes: [...SOURCE, 'Export'],
  },
  {
    name: DIRECTORY,
    connectorName: 'JIM LDAP Connector',
    objects: 13_096,
    runTypes: [...SOURCE, 'Export'],
  },
  {
    name: CLOUD,
    connectorName: 'JIM LDAP Connector',
    objects: 12_954,
    runTypes: [...SOURCE, 'Export'],
  },
  {
    name: PHONE_BOOK,
    connectorName: 'JIM File Connector',
    objects: 11_508,
    runTypes: ['FullImport', 'FullSynchronisation', 'Export'],
  },
];

const PROFILE_NAMES: Readonly<Record<RunType, string>> = {
  FullImport: 'Full Import',
  DeltaImport: 'Delta Import',
  FullSynchronisation: 'Full Synchronisation',
  DeltaSynchronisation: 'Delta Synchronisation',
  Export: 'Export',
};

/** Ids count from 1, as after a factory reset. */
export function companySystems(created: number): readonly ConnectedSystem[] {
  let profileId = 0;
  return SYSTEMS.map((setUp, place): ConnectedSystem => {
    const runProfiles = setUp.runTypes.map((runType): RunProfile => {
      profileId += 1;
      return { id: profileId, name: PROFILE_NAMES[runType], runType };
    });
    return {
      id: place + 1,
      name: setUp.name,
      created: created + place * 340_000,
      connectorName: setUp.connectorName,
      connectorId: place + 1,
      objectCount: setUp.objects,
      joinedCount: Math.round(setUp.objects * 0.97),
      pendingExports: 0,
      runProfiles,
    };
  });
}

export const NIGHTLY = 'Nightly Full Cycle';
export const DELTA = 'Delta Cycle';
const RECONCILIATION = 'Temporal Scope Reconciliation';

/** A step: run profiles that run in parallel. */
type Step = readonly (readonly [system: string, runType: RunType])[];

interface ScheduleSetUp {
  readonly name: string;
  readonly description: string | null;
  readonly timetable: Timetable;
  /** Null for the built-in reconciliation. */
  readonly steps: readonly Step[] | null;
}

const SCHEDULES: readonly ScheduleSetUp[] = [
  {
    name: RECONCILIATION,
    description: 'Built-in schedule that re-evaluates relative-date scoping.',
    timetable: everyMinutes(60),
    steps: null,
  },
  {
    name: NIGHTLY,
    description: null,
    timetable: dailyAt(1, 0),
    steps: [
      [HR, BADGES, DIRECTORY, CLOUD, PHONE_BOOK].map((name) => [name, 'FullImport']),
      [[HR, 'FullSynchronisation']],
      [[BADGES, 'FullSynchronisation']],
      [[DIRECTORY, 'FullSynchronisation']],
      [[CLOUD, 'FullSynchronisation']],
      [BADGES, DIRECTORY, CLOUD, PHONE_BOOK].map((name) => [name, 'Export']),
    ],
  },
  {
    name: DELTA,
    description: null,
    timetable: everyMinutes(15),
    steps: [
      [HR, BADGES, DIRECTORY, CLOUD].map((name) => [name, 'DeltaImport']),
      [[HR, 'DeltaSynchronisation']],
      [[DIRECTORY, 'DeltaSynchronisation']],
      [DIRECTORY, CLOUD, BADGES].map((name) => [name, 'Export']),
    ],
  },
];

export interface TimedSchedule {
  readonly schedule: Schedule;
  readonly timetable: Timetable;
}

/** The schedules that a version of JIM can have, all enabled. */
export function companySchedules(
  systems: readonly ConnectedSystem[],
  random: Random,
  dialect: Dialect,
  created: number,
): readonly TimedSchedule[] {
  return SCHEDULES.filter(({ steps }) => steps !== null || dialect.temporalReconciliation).map(
    ({ name, description, timetable, steps }) => ({
      timetable,
      schedule: {
        id: random.guid(),
        name,
        description,
        cronExpression: timetable.cronExpression,
        pattern: timetable.pattern,
        isEnabled: true,
        lastRunTime: null,
        nextRunTime: null,
        steps: steps === null ? [reconciliationStep(random)] : stepsOf(steps, systems, random),
        created,
        lastUpdated: created,
      },
    }),
  );
}

function reconciliationStep(random: Random): ScheduleStep {
  return {
    id: random.guid(),
    index: 0,
    connectedSystemId: null,
    runProfileId: null,
    continueOnFailure: false,
  };
}

function stepsOf(
  steps: readonly Step[],
  systems: readonly ConnectedSystem[],
  random: Random,
): readonly ScheduleStep[] {
  return steps.flatMap((parallel, index) =>
    parallel.map(([name, runType]): ScheduleStep => {
      const system = systems.find((candidate) => candidate.name === name);
      const profile = system?.runProfiles.find((candidate) => candidate.runType === runType);
      return {
        id: random.guid(),
        index,
        connectedSystemId: system?.id ?? null,
        runProfileId: profile?.id ?? null,
        continueOnFailure: runType === 'Export' || name === PHONE_BOOK,
      };
    }),
  );
}

const DAY = 86_400 * MICROS_PER_SECOND;

export function companyCertificates(random: Random, now: number): readonly Certificate[] {
  const lasting = (name: string, days: number): Certificate => ({
    id: random.guid(),
    name,
    validFrom: now - 300 * DAY,
    validTo: now + days * DAY + 3_600_000_000,
    isEnabled: true,
  });
  return [lasting('Directory CA', 1480), lasting('Cloud Directory', 64)];
}

export const COMPANY_SETTINGS: readonly ServiceSetting[] = [
  setting('History.RetentionPeriod', 'History retention period', 'TimeSpan', '90.00:00:00'),
  setting('History.CleanupBatchSize', 'History cleanup batch size', 'Integer', '100'),
  setting('Worker.StaleTaskTimeout', 'Stale task timeout', 'TimeSpan', '00:05:00'),
  setting('Maintenance.Enabled', 'Maintenance mode', 'Boolean', 'false'),
];

function setting(
  key: string,
  displayName: string,
  valueType: string,
  defaultValue: string,
): ServiceSetting {
  return { key, displayName, category: 'Maintenance', valueType, defaultValue, value: null };
}
