/**
 * JIM's current state beside its Activities, from unknown JSON to exact values: worker tasks, schedules,
 * connected systems and their run profiles, certificates, health and version.
 */
import * as z from 'zod';
import type { ActivityId, Instant } from './activity.ts';
import {
  count,
  idOrNull,
  moment,
  momentOrNull,
  number,
  read,
  type Reading,
  readPageOf,
  text,
  word,
} from './wire-schema.ts';

/** One task of JIM's worker, 0.13 and later. */
export interface WorkerTask {
  readonly activityId: ActivityId | null;
  readonly status: string;
  readonly timestamp: Instant;
}

const workerTask = z.object({ activityId: idOrNull, status: word, timestamp: moment });
export const readWorkerTasks = readPageOf<WorkerTask>(workerTask);

export interface Schedule {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly lastRun: Instant | null;
  readonly nextRun: Instant | null;
  readonly stepCount: number;
}

const schedule = z
  .object({
    id: z.string(),
    name: z.string(),
    isEnabled: z.boolean(),
    lastRunTime: momentOrNull,
    nextRunTime: momentOrNull,
    stepCount: count,
  })
  .transform((row): Schedule => ({
    id: row.id,
    name: row.name,
    enabled: row.isEnabled,
    lastRun: row.lastRunTime,
    nextRun: row.nextRunTime,
    stepCount: row.stepCount,
  }));
export const readSchedules = readPageOf(schedule);

/** What one step of a schedule runs; both null for steps that run no run profile. */
export interface PlannedStep {
  readonly stepIndex: number;
  readonly connectedSystemId: number | null;
  readonly runProfileId: number | null;
}

const scheduleSteps = z
  .object({
    steps: z.array(z.object({ stepIndex: count, connectedSystemId: number, runProfileId: number })),
  })
  .transform(({ steps }): readonly PlannedStep[] => steps);

/** `/schedules/{id}`, for its steps: the list has only their number. */
export function readScheduleSteps(value: unknown): Reading<readonly PlannedStep[]> {
  return read(scheduleSteps, value);
}

export interface ScheduleExecution {
  readonly id: string;
  readonly scheduleId: string | null;
  readonly scheduleName: string | null;
  /** main's `Complete` for both words. */
  readonly status: string;
  readonly queuedAt: Instant;
  readonly startedAt: Instant | null;
  readonly completedAt: Instant | null;
  readonly currentStepIndex: number;
  readonly totalSteps: number;
}

export interface ScheduleStep {
  readonly stepIndex: number;
  readonly stepType: string;
  readonly connectedSystemId: number | null;
  /** Null before the step was queued, and for steps that are no Activities. */
  readonly activityId: ActivityId | null;
}

const executionFields = {
  id: z.string(),
  scheduleId: text,
  scheduleName: text,
  status: word.transform((status) => (status === 'Completed' ? 'Complete' : status)),
  queuedAt: moment,
  startedAt: momentOrNull,
  completedAt: momentOrNull,
  currentStepIndex: count,
  totalSteps: count,
};
const scheduleExecution = z.object(executionFields);
export const readScheduleExecutions = readPageOf<ScheduleExecution>(scheduleExecution);

const scheduleExecutionDetail = z.object({
  ...executionFields,
  steps: z.array(
    z.object({
      stepIndex: count,
      stepType: word,
      connectedSystemId: number,
      activityId: idOrNull,
    }),
  ),
});
export type ScheduleExecutionDetail = ScheduleExecution & {
  readonly steps: readonly ScheduleStep[];
};

export function readScheduleExecution(value: unknown): Reading<ScheduleExecutionDetail> {
  return read(scheduleExecutionDetail, value);
}

export interface ConnectedSystem {
  readonly id: number;
  readonly name: string;
  readonly objects: number;
  /** Objects joined to the metaverse: the wire's odd `connectorsCount`. */
  readonly joinedObjects: number;
  readonly pendingExports: number;
}

const connectedSystem = z
  .object({
    id: z.number(),
    name: z.string(),
    objectCount: count,
    connectorsCount: count,
    pendingExportObjectsCount: count,
  })
  .transform((row): ConnectedSystem => ({
    id: row.id,
    name: row.name,
    objects: row.objectCount,
    joinedObjects: row.connectorsCount,
    pendingExports: row.pendingExportObjectsCount,
  }));
export const readConnectedSystems = readPageOf(connectedSystem);

export interface RunProfile {
  readonly id: number;
  readonly name: string;
  readonly runType: string;
}

const runProfiles = z.array(z.object({ id: z.number(), name: z.string(), runType: word }));

/** A plain array in every version. */
export function readRunProfiles(value: unknown): Reading<readonly RunProfile[]> {
  return read(runProfiles, value);
}

export interface Certificate {
  readonly name: string;
  /** Null where it never expires (year 9999). */
  readonly expiry: Instant | null;
}

const certificate = z
  .object({ name: z.string(), validTo: momentOrNull })
  .transform((row): Certificate => ({ name: row.name, expiry: row.validTo }));
export const readCertificates = readPageOf(certificate);

const version = z.object({ version: z.string() });

/** `/health/version`: a release, a development version, or anything else; `dialectOf` decides. */
export function readVersion(value: unknown): Reading<string> {
  const result = read(version, value);
  return result.ok ? { ok: true, value: result.value.version } : result;
}

export interface Health {
  readonly ready: boolean;
  readonly maintenance: boolean;
}

const health = z.object({ status: word, reason: text });

/** `/health/ready`, whose 503 is an answer too. */
export function readHealth(value: unknown): Reading<Health> {
  const result = read(health, value);
  if (!result.ok) return result;
  const { status, reason } = result.value;
  return {
    ok: true,
    value: { ready: status === 'ready', maintenance: reason === 'maintenance_mode' },
  };
}
