/** The routes of what JIM is doing and has: worker tasks, schedules, connected systems, certificates, settings (jim-api, section 10). */
import { envelope, ok, type Answer } from './answers.ts';
import { bound, GUID, type Call, type Route, type RouteEntry } from './call.ts';
import type {
  Certificate,
  ConnectedSystem,
  RunProfile,
  Schedule,
  ScheduleExecution,
  ScheduleStep,
  ServiceSetting,
  WorkerTask,
} from './inventory.ts';
import { pageOf, writeDate, type Json } from './json.ts';
import { bindPaging, bindPlainPaging } from './query.ts';
import { isFinished, MICROS_PER_SECOND, type WorldRow } from './row.ts';

type Fields = Readonly<Record<string, Json>>;

/** Worker tasks come fifty a page, newest first. */
const TASKS_PER_PAGE = 50;
const SCHEDULES_PER_PAGE = 20;

function paged<T>(
  things: readonly T[],
  defaultSize: number,
  write: (thing: T, call: Call) => Json,
): (call: Call) => Answer {
  return (call) =>
    bound(bindPlainPaging(call.parameters, defaultSize), call, ({ page, pageSize }) => {
      const shown = things.slice((page - 1) * pageSize, page * pageSize);
      const written = shown.map((thing) => write(thing, call));
      return ok(pageOf(written, { total: things.length, page, pageSize }));
    });
}

/** As `paged`, for the controllers that use JIM's PaginationRequest. */
function pagedByRequest<T>(
  things: readonly T[],
  write: (thing: T, call: Call) => Json,
): (call: Call) => Answer {
  return (call) =>
    bound(bindPaging(call.parameters, call.dialect), call, ({ page, pageSize }) => {
      const shown = things.slice((page - 1) * pageSize, page * pageSize);
      const written = shown.map((thing) => write(thing, call));
      return ok(pageOf(written, { total: things.length, page, pageSize }));
    });
}

const dateOrNull = (micros: number | null, call: Call): string | null =>
  micros === null ? null : writeDate(micros, call.dates);

function workerTasks(call: Call): Answer {
  return paged(call.world.tasks.toReversed(), TASKS_PER_PAGE, workerTask)(call);
}

function workerTask(task: WorkerTask, call: Call): Fields {
  const row = call.world.row(task.activityId);
  const execution = call.world.executions.find((other) => other.id === task.executionId);
  const isMain = call.dialect.scheduleFields;
  return {
    id: task.id,
    name: task.name,
    type: task.type,
    timestamp: writeDate(task.timestamp, call.dates),
    status: task.status,
    initiatedByType: row?.initiatedByType ?? 'NotSet',
    initiatedById: row?.initiatedById ?? null,
    initiatedByName: row?.initiatedByName ?? null,
    activityId: task.activityId,
    objectsToProcess: row?.objectsToProcess ?? 0,
    objectsProcessed: row?.objectsProcessed ?? 0,
    progressMessage: task.status === 'Processing' ? (row?.message ?? null) : null,
    ...(isMain ? { steps: row === undefined ? null : taskSteps(row) } : {}),
    scheduleExecutionId: task.executionId,
    scheduleExecutionName: execution?.scheduleName ?? null,
    scheduleStepIndex: task.stepIndex,
    ...(isMain
      ? {
          scheduleTotalSteps: execution === undefined ? null : stepGroups(execution),
          scheduleCurrentStepIndex: execution?.currentStepIndex ?? null,
        }
      : {}),
  };
}

/** Main tells the phases of a running task as steps. */
function taskSteps(row: WorldRow): Json {
  const phases = row.phases.filter((phase) => phase.parentKey === null);
  const active = phases.findIndex((phase) => phase.status === 'Active');
  if (active === -1) return null;
  return {
    currentStepName: phases[active]?.name ?? null,
    currentStepNumber: active + 1,
    totalSteps: phases.length,
    steps: phases.map(({ order, name, status }) => ({ order, name, status })),
  };
}

function schedules(call: Call): Answer {
  return paged(call.world.schedules, SCHEDULES_PER_PAGE, schedule)(call);
}

function schedule(value: Schedule, call: Call): Fields {
  return { ...scheduleFields(value, call), ...lastExecution(value, call) };
}

function scheduleFields(value: Schedule, call: Call): Fields {
  const isInterval = value.pattern === 'Interval';
  return {
    id: value.id,
    name: value.name,
    description: value.description,
    triggerType: value.cronExpression === null ? 'Manual' : 'Cron',
    cronExpression: value.cronExpression,
    patternType: value.pattern,
    daysOfWeek: isInterval ? '0,1,2,3,4,5,6' : null,
    runTimes: null,
    intervalValue: isInterval ? 1 : null,
    intervalUnit: isInterval ? 'Hours' : null,
    intervalWindowStart: null,
    intervalWindowEnd: null,
    isEnabled: value.isEnabled,
    lastRunTime: dateOrNull(value.lastRunTime, call),
    nextRunTime: dateOrNull(value.nextRunTime, call),
    stepCount: value.steps.length,
    created: writeDate(value.created, call.dates),
    lastUpdated: writeDate(value.lastUpdated, call.dates),
  };
}

/** Main tells in the list how each schedule went last. */
function lastExecution(value: Schedule, call: Call): Fields {
  if (!call.dialect.scheduleFields) return {};
  const last = call.world.executions.findLast((execution) => execution.scheduleId === value.id);
  return {
    lastExecutionId: last?.id ?? null,
    lastExecutionStatus: last === undefined ? null : statusWord(last, call),
    lastExecutionCurrentStepIndex: last?.currentStepIndex ?? null,
    lastExecutionTotalSteps: last === undefined ? null : stepGroups(last),
    lastExecutionCompletedAt: dateOrNull(last?.completedAt ?? null, call),
    lastExecutionErrorMessage: last?.errorMessage ?? null,
  };
}

/** A schedule with its steps, which stand before what the list says. */
function scheduleDetail(call: Call): Answer {
  const id = call.param('id').toLowerCase();
  const found = call.world.schedules.find((candidate) => candidate.id === id);
  if (found === undefined) {
    return envelope(404, '', `Schedule not found: ${id}`, call.world.jimNow);
  }
  const fields = scheduleFields(found, call);
  const unknown = call.dialect.scheduleFields
    ? Object.fromEntries(LAST_EXECUTION_FIELDS.map((name) => [name, null]))
    : {};
  return ok({ steps: found.steps.map(scheduleStep), ...fields, ...unknown });
}

const LAST_EXECUTION_FIELDS = [
  'lastExecutionId',
  'lastExecutionStatus',
  'lastExecutionCurrentStepIndex',
  'lastExecutionTotalSteps',
  'lastExecutionCompletedAt',
  'lastExecutionErrorMessage',
] as const;

function scheduleStep(step: ScheduleStep, place: number, steps: readonly ScheduleStep[]): Fields {
  return {
    id: step.id,
    stepIndex: step.index,
    name: null,
    executionMode: executionMode(step, place, steps),
    stepType: stepType(step),
    continueOnFailure: step.continueOnFailure,
    timeoutSeconds: null,
    connectedSystemId: step.connectedSystemId,
    runProfileId: step.runProfileId,
    scriptPath: null,
    executablePath: null,
    workingDirectory: null,
    arguments: null,
    sqlConnectionString: null,
    sqlScriptPath: null,
  };
}

function stepType(step: ScheduleStep): string {
  return step.runProfileId === null ? 'TemporalScopeReconciliation' : 'RunProfile';
}

function executionMode(
  step: ScheduleStep,
  place: number,
  steps: readonly Pick<ScheduleStep, 'index'>[],
): string {
  return steps[place - 1]?.index === step.index ? 'ParallelWithPrevious' : 'Sequential';
}

function scheduleExecutions(call: Call): Answer {
  const wanted = call.parameters.get('scheduleid')?.[0]?.toLowerCase();
  const oldestFirst = call.parameters.get('sortdescending')?.[0]?.toLowerCase() === 'false';
  const matching = call.world.executions.filter(
    (execution) => wanted === undefined || execution.scheduleId === wanted,
  );
  const sorted = oldestFirst ? matching : matching.toReversed();
  return paged(sorted, SCHEDULES_PER_PAGE, scheduleExecution)(call);
}

function activeExecutions(call: Call): Answer {
  const active = call.world.executions.filter(
    ({ status }) => status === 'Queued' || status === 'InProgress' || status === 'Paused',
  );
  return ok(active.map((execution) => scheduleExecution(execution, call)));
}

function scheduleExecution(execution: ScheduleExecution, call: Call): Fields {
  const first = call.world.row(execution.steps[0]?.activityId ?? '');
  return {
    id: execution.id,
    scheduleId: execution.scheduleId,
    scheduleName: execution.scheduleName,
    status: statusWord(execution, call),
    currentStepIndex: execution.currentStepIndex,
    totalSteps: call.dialect.scheduleFields ? stepGroups(execution) : execution.steps.length,
    queuedAt: writeDate(execution.queuedAt, call.dates),
    startedAt: dateOrNull(execution.startedAt, call),
    completedAt: dateOrNull(execution.completedAt, call),
    initiatedByType: first?.initiatedByType ?? 'System',
    initiatedById: first?.initiatedById ?? null,
    initiatedByName: first?.initiatedByName ?? 'System',
    errorMessage: execution.errorMessage,
  };
}

function executionDetail(call: Call): Answer {
  const id = call.param('id').toLowerCase();
  const execution = call.world.executions.find((candidate) => candidate.id === id);
  if (execution === undefined) {
    return envelope(404, '', `Schedule execution not found: ${id}`, call.world.jimNow);
  }
  return ok({
    steps: execution.steps.map((_, place) => executionStep(execution, place, call)),
    ...(call.dialect.scheduleFields ? { progress: executionProgress(execution, call) } : {}),
    ...scheduleExecution(execution, call),
  });
}

function executionStep(execution: ScheduleExecution, place: number, call: Call): Json {
  const entry = execution.steps[place];
  if (entry === undefined) return null;
  const { step } = entry;
  const row = call.world.row(entry.activityId);
  const task = call.world.tasks.find((candidate) => candidate.id === entry.taskId);
  const system = call.world.systems.find((candidate) => candidate.id === step.connectedSystemId);
  const profile = system?.runProfiles.find((candidate) => candidate.id === step.runProfileId);
  const steps = execution.steps.map((other) => other.step);
  const ended = row === undefined || !isFinished(row.status) ? null : endOf(row);
  return {
    stepIndex: step.index,
    name: `Step ${step.index + 1}`,
    stepType: stepType(step),
    executionMode: executionMode(step, place, steps),
    connectedSystemId: step.connectedSystemId,
    status: stepStatus(row, task),
    taskId: task?.id ?? null,
    startedAt:
      row === undefined || task?.status === 'WaitingForPreviousStep'
        ? null
        : writeDate(row.executed, call.dates),
    completedAt: dateOrNull(ended, call),
    errorMessage: row?.errorMessage ?? null,
    activityId: entry.activityId,
    activityStatus: row?.status ?? null,
    ...(call.dialect.scheduleFields
      ? {
          connectedSystemName: system?.name ?? null,
          runProfileId: step.runProfileId,
          runProfileName: profile?.name ?? null,
          continueOnFailure: step.continueOnFailure,
        }
      : {}),
  };
}

function endOf(row: WorldRow): number | null {
  return row.totalActivityTime === null ? null : row.created + row.totalActivityTime;
}

/** Free text in JIM, spelled as its pages show it. */
const STEP_STATUS: Readonly<Record<string, string>> = {
  Complete: 'Completed',
  CompleteWithWarning: 'Completed with Warning',
  CompleteWithError: 'Completed with Error',
  FailedWithError: 'Failed',
  Cancelled: 'Cancelled',
};

function stepStatus(row: WorldRow | undefined, task: WorkerTask | undefined): string {
  if (task?.status === 'WaitingForPreviousStep') return 'Waiting';
  if (task !== undefined) return task.status;
  return STEP_STATUS[row?.status ?? ''] ?? 'Pending';
}

/** Main's account of an execution in groups of parallel steps. */
function executionProgress(execution: ScheduleExecution, call: Call): Json {
  const indices = [...new Set(execution.steps.map(({ step }) => step.index))];
  return {
    currentStepNumber: execution.currentStepIndex + 1,
    totalSteps: indices.length,
    steps: indices.map((index) => {
      const group = execution.steps.filter(({ step }) => step.index === index);
      const statuses = group.map(({ activityId, taskId }) => {
        const task = call.world.tasks.find((candidate) => candidate.id === taskId);
        return stepStatus(call.world.row(activityId), task).replaceAll(' with ', 'With');
      });
      return {
        stepIndex: index,
        name: group.length > 1 ? `${group.length} in parallel` : `Step ${index + 1}`,
        status: statuses.find((status) => status !== 'Completed') ?? 'Completed',
        taskStatuses: statuses,
        isParallel: group.length > 1,
      };
    }),
  };
}

function statusWord(execution: ScheduleExecution, call: Call): string {
  return execution.status === 'Complete' ? call.dialect.completedWord : execution.status;
}

function stepGroups(execution: ScheduleExecution): number {
  return new Set(execution.steps.map(({ step }) => step.index)).size;
}

/** By name, as JIM sorts them. Its `status` is always Active here: the query does not select it. */
function connectedSystems(call: Call): Answer {
  const sorted = call.world.systems.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return pagedByRequest(sorted, connectedSystem)(call);
}

function connectedSystem(system: ConnectedSystem, call: Call): Fields {
  return {
    id: system.id,
    name: system.name,
    description: null,
    created: writeDate(system.created, call.dates),
    status: 'Active',
    objectCount: system.objectCount,
    connectorsCount: system.joinedCount,
    pendingExportObjectsCount: system.pendingExports,
    connectorName: system.connectorName,
    connectorId: system.connectorId,
  };
}

function withSystem(answer: (system: ConnectedSystem, call: Call) => Json): Route {
  return (call) => {
    const id = Number(call.param('system'));
    const system = call.world.systems.find((candidate) => candidate.id === id);
    return system === undefined
      ? envelope(404, 'NOT_FOUND', `Connected System with ID ${id} not found.`, call.world.jimNow)
      : ok(answer(system, call));
  };
}

function runProfile(profile: RunProfile, system: ConnectedSystem, call: Call): Fields {
  const readsFile = /Import|Export/.test(profile.runType);
  return {
    id: profile.id,
    name: profile.name,
    connectedSystemId: system.id,
    runType: profile.runType,
    pageSize: 100,
    partitionName: null,
    ...(call.dialect.scheduleFields ? { targetsDeselectedPartition: false } : {}),
    filePath: readsFile ? `/connector-files/${system.id}.csv` : null,
    ...(call.dialect.importHashes ? { verifyImportContentHashes: false } : {}),
  };
}

function certificates(call: Call): Answer {
  return pagedByRequest(call.world.certificates, certificate)(call);
}

const DAY = 86_400 * MICROS_PER_SECOND;
const EXPIRES_SOON = 30 * DAY;

function certificate(value: Certificate, call: Call): Fields {
  const left = value.validTo - call.world.jimNow;
  return {
    id: value.id,
    name: value.name,
    thumbprint: value.id.replaceAll('-', '').toUpperCase(),
    subject: `CN=${value.name}`,
    issuer: 'CN=Example Root CA',
    validFrom: writeDate(value.validFrom, call.dates),
    validTo: writeDate(value.validTo, call.dates),
    sourceType: 'Uploaded',
    isEnabled: value.isEnabled,
    isExpired: left < 0,
    isExpiringSoon: left >= 0 && left < EXPIRES_SOON,
    daysUntilExpiry: Math.trunc(left / DAY),
  };
}

function serviceSetting(setting: ServiceSetting): Fields {
  return {
    key: setting.key,
    displayName: setting.displayName,
    description: null,
    category: setting.category,
    valueType: setting.valueType,
    defaultValue: setting.defaultValue,
    value: setting.value,
    effectiveValue: setting.value ?? setting.defaultValue,
    isReadOnly: false,
    isOverridden: setting.value !== null,
  };
}

function oneSetting(call: Call): Answer {
  const key = call.param('key');
  const found = call.world.settings.find((setting) => setting.key === key);
  return found === undefined
    ? envelope(404, '', `Service setting not found: ${key}`, call.world.jimNow)
    : ok(serviceSetting(found));
}

const SYSTEM = ':system{[0-9]+}';

export const stateRoutes: readonly RouteEntry[] = [
  { path: '/worker-tasks', answer: workerTasks, isKnown: (dialect) => dialect.workerTasks },
  { path: '/schedules', answer: schedules },
  { path: `/schedules/${GUID}`, answer: scheduleDetail },
  { path: '/schedule-executions', answer: scheduleExecutions },
  { path: '/schedule-executions/active', answer: activeExecutions },
  { path: `/schedule-executions/${GUID}`, answer: executionDetail },
  { path: '/synchronisation/connected-systems', answer: connectedSystems },
  {
    path: `/synchronisation/connected-systems/${SYSTEM}/run-profiles`,
    answer: withSystem((system, call) =>
      system.runProfiles.map((profile) => runProfile(profile, system, call)),
    ),
  },
  {
    path: `/synchronisation/connected-systems/${SYSTEM}/pending-exports/count`,
    answer: withSystem((system) => system.pendingExports),
    isKnown: (dialect) => dialect.pendingExportsCount,
  },
  { path: '/certificates', answer: certificates },
  {
    path: '/service-settings',
    answer: ({ world }) => ok(world.settings.map((setting) => serviceSetting(setting))),
    isKnown: (dialect) => dialect.serviceSettings,
  },
  {
    path: '/service-settings/:key',
    answer: oneSetting,
    isKnown: (dialect) => dialect.serviceSettings,
  },
];
