/** What the status page shows, from the same values that `/metrics` is made of. */
import type { Config } from './config/config.ts';
import type { Micros } from './jim/activity.ts';
import { activityUrl, MICROS_PER_MILLI, OUTCOMES, wasPickedUp } from './jim/activity.ts';
import type { Dialect } from './jim/dialect.ts';
import type { LastRun, Ledger, Open, RunAccount, RunLabels } from './ledger/ledger.ts';
import { OTHER, consecutiveFailures, runKey } from './ledger/ledger.ts';
import type { RunProgress, Snapshot } from './metrics/snapshot.ts';
import type { CollectorState } from './poll/collectors/collectors.ts';
import type { JimSeen } from './poll/poller.ts';
import type { PollFailure } from './poll/report.ts';
import type {
  Count,
  EarlierFailureView,
  ExporterView,
  LastRunView,
  PageView,
  ProgressView,
  RunProfileView,
  ScheduleView,
} from './web/page-view.ts';

export interface PageSource {
  readonly snapshot: Snapshot;
  readonly seen: JimSeen;
  readonly config: Config;
  readonly collectors: readonly CollectorState[];
  readonly requestsLastMinute: number;
  /** The file on disk was refused at the last reload. */
  readonly reloadFailed: boolean;
}

/** Smaller differences of clocks are the seconds of the Date header and the way. */
const MAX_CLOCK_OFFSET_SECONDS = 10;
const DAY_MS = 24 * 3_600_000;

export function pageViewOf(source: PageSource): PageView {
  const { snapshot, seen, config } = source;
  const { ledger, readings, nowMs } = snapshot;
  return {
    nowMs,
    jimNowMs: nowMs + (seen.clockOffsetSeconds ?? 0) * 1_000,
    telemetryPath: config.web.telemetryPath,
    jim: {
      // Neither up nor failed: no poll has ended yet, though one may have read for a while.
      up: !seen.up && seen.failure === null ? null : seen.up,
      version: seen.dialect?.version ?? null,
      failure: seen.failure,
      lastSuccessfulPollMs: seen.lastSuccessfulPollMs,
      ready: readings.health?.ready ?? null,
      maintenance: readings.health?.maintenance ?? null,
      url: config.jim.externalUrl,
    },
    warnings: warningsOf(source),
    runProfiles: runProfilesOf(ledger, config, nowMs),
    progress: progressOf(snapshot, config),
    queue: readings.workerTasks && tallyOf(readings.workerTasks.map(({ status }) => status)),
    schedules: readings.schedules && readings.schedules.map(scheduleOf),
    exporter: exporterOf(source),
  };
}

/** Of a poll that failed. */
const WHAT_TO_DO: Readonly<Record<PollFailure, string>> = {
  unreachable: 'JIM cannot be reached: see that it runs, and check jim.url.',
  timeout: 'JIM takes too long to answer: see how it does, or raise jim.timeout.',
  unauthorized: 'JIM refuses the API key: check jim.api_key_file.',
  forbidden: 'The API key lacks the role Administrator in JIM.',
  rate_limited:
    'JIM limits the requests of this key: lower jim.requests_per_minute, or give us a key of our own.',
  server_error: 'JIM answers with errors of its own: its log says why.',
  bad_response: 'What answers is not JIM, or is none that we understand: check jim.url.',
  storage: 'The state file cannot be written: nothing more is counted until it can.',
};

/** Each says what is wrong and what to do; none repeats the headline. */
function warningsOf({ snapshot, seen, config, collectors, ...source }: PageSource): string[] {
  const { ledger, nowMs } = snapshot;
  const { labels, lastHistoryGapMs } = ledger;
  const offset = Math.round(Math.abs(seen.clockOffsetSeconds ?? 0));
  const failing = collectors.filter(({ state }) => state === 'failing').map(({ name }) => name);
  const warnings: readonly (readonly [boolean, string])[] = [
    [seen.failure !== null, seen.failure === null ? '' : WHAT_TO_DO[seen.failure]],
    [source.reloadFailed, 'The configuration on disk is bad: the one before is still in use.'],
    [
      offset > MAX_CLOCK_OFFSET_SECONDS,
      `The clocks of JIM and of this machine differ by ${offset} s.`,
    ],
    [
      lastHistoryGapMs !== null && nowMs - lastHistoryGapMs < DAY_MS,
      'In the last 24 hours JIM deleted Activities before they could be read: they are not counted.',
    ],
    [
      labels.folded.size > 0,
      `Names beyond poll.max_label_sets (${labels.limit}) are counted as (other).`,
    ],
    // While JIM is down they all fail: the headline says so.
    [
      seen.up && failing.length > 0,
      `Collectors fail, and their metrics grow old: ${failing.join(', ')}.`,
    ],
    [
      config.storage.path === null,
      'The state is in memory only: a restart forgets what was counted (storage.path).',
    ],
    [
      config.jim.tls.insecureSkipVerify,
      'JIM’s certificate is not verified: whoever stands between can read the API key.',
    ],
  ];
  return warnings.filter(([applies]) => applies).map(([, sentence]) => sentence);
}

/** Every run profile that is known: counted, listed by the inventory, or running for the first time. */
function runProfilesOf(ledger: Ledger, config: Config, nowMs: number): readonly RunProfileView[] {
  const running = runningOf(ledger).map(({ run }) => run);
  const firstTime = new Map(running.map((run) => [runKey(run), run]));
  for (const key of ledger.runs.keys()) firstTime.delete(key);
  const unknown = Array.from(firstTime.values(), (labels) => ({ labels, account: null }));
  const known = Array.from(ledger.runs.values(), (account) => ({
    labels: account.labels,
    account,
  }));
  return [...known, ...unknown]
    .filter(({ labels }) => labels.runProfile !== OTHER)
    .map(({ labels, account }): RunProfileView => ({
      ...namesOf(labels),
      runType: labels.runType,
      last: account?.last ? lastRunOf(account, account.last, config) : null,
      failuresInARow: account === null ? 0 : consecutiveFailures(account),
      earlierFailure: account === null ? null : earlierFailureOf(account, ledger, config, nowMs),
      inProgress: running.filter((run) => runKey(run) === runKey(labels)).length,
    }));
}

function lastRunOf({ lastFailure }: RunAccount, last: LastRun, config: Config): LastRunView {
  return {
    status: last.status,
    endedMs: last.end / MICROS_PER_MILLI,
    durationSeconds: last.duration === null ? null : secondsOf(last.duration),
    outcomes: OUTCOMES.map((word) => ({ word, count: last.outcomes[word] ?? 0 })).filter(
      ({ count }) => count > 0,
    ),
    errors: last.errors,
    errorTypes: Object.entries(last.errorsByType ?? {}).map(([word, count]) => ({ word, count })),
    cause: lastFailure?.id === last.id ? lastFailure.cause : null,
    link: activityUrl(config.jim.externalUrl, last.id),
  };
}

/** What failed last night shows in the morning, even if it has succeeded since. */
function earlierFailureOf(
  account: RunAccount,
  { counted }: Ledger,
  config: Config,
  nowMs: number,
): EarlierFailureView | null {
  if (consecutiveFailures(account) > 0) return null;
  const exemplars = { ...account.published.exemplars, ...account.held.exemplars };
  const failures = (['FailedWithError', 'CompleteWithError'] as const).flatMap((status) => {
    const exemplar = exemplars[status];
    if (exemplar === undefined) return [];
    // After a pause of ours it was counted later than it happened; its row's time says when that was.
    const created = counted.get(exemplar.activityId)?.created;
    const beganMs = created === undefined ? exemplar.atMs : created / MICROS_PER_MILLI;
    if (nowMs - beganMs > DAY_MS) return [];
    return [{ status, beganMs, link: activityUrl(config.jim.externalUrl, exemplar.activityId) }];
  });
  return failures.toSorted((a, b) => b.beganMs - a.beganMs)[0] ?? null;
}

/** What runs stands before what waits; else as JIM made them. */
function progressOf({ ledger, readings }: Snapshot, config: Config): readonly ProgressView[] {
  const told = new Map(readings.progress?.map((progress) => [progress.activityId, progress]));
  const tasks = new Map(readings.workerTasks?.map((task) => [task.activityId, task.status]));
  return runningOf(ledger)
    .toSorted((a, b) => Number(wasPickedUp(b)) - Number(wasPickedUp(a)) || a.created - b.created)
    .map(({ id, run, status, ...times }): ProgressView => ({
      ...namesOf(run),
      status: tasks.get(id) ?? status,
      startedMs:
        times.executed !== null && wasPickedUp(times) ? times.executed / MICROS_PER_MILLI : null,
      objects: objectsOf(told.get(id)),
      link: activityUrl(config.jim.externalUrl, id),
    }));
}

function objectsOf(progress: RunProgress | undefined): ProgressView['objects'] {
  if (progress === undefined) return null;
  return {
    processed: progress.objectsProcessed,
    toProcess: progress.objectsToProcess,
    percent: progress.percentComplete,
    remainingSeconds: progress.estimatedSecondsRemaining,
  };
}

/** Runs that JIM has not finished; orphans are none any more. */
function runningOf({ open }: Ledger): readonly (Open & { id: string; run: RunLabels })[] {
  return [...open].flatMap(([id, activity]) => {
    const { run, sighting, orphaned } = activity;
    return run === null || sighting !== null || orphaned ? [] : [{ ...activity, id, run }];
  });
}

function scheduleOf(
  schedule: NonNullable<Snapshot['readings']['schedules']>[number],
): ScheduleView {
  return {
    name: schedule.name,
    enabled: schedule.enabled,
    nextMs: schedule.nextRun === null ? null : schedule.nextRun / MICROS_PER_MILLI,
    lastMs: schedule.lastRun === null ? null : schedule.lastRun / MICROS_PER_MILLI,
    lastStatus: schedule.lastExecution?.status ?? null,
    inProgress: schedule.inProgressSince !== null,
  };
}

function exporterOf(source: PageSource): ExporterView {
  const { snapshot, seen, config } = source;
  const { ledger, poll, build } = snapshot;
  return {
    version: build.version,
    lastPollMs: poll.lastPollMs,
    pollIntervalSeconds: poll.intervalSeconds,
    caughtUp: seen.caughtUp,
    abilities: abilitiesOf(seen.dialect),
    collectors: source.collectors,
    openActivities: ledger.open.size,
    labelSets: ledger.labels.runs.size,
    maxLabelSets: config.poll.maxLabelSets,
    requestsLastMinute: source.requestsLastMinute,
    requestsPerMinute: config.jim.requestsPerMinute,
    stateBytes: config.storage.path === null ? null : snapshot.stateSizeBytes,
    alertmanagers: config.alerting.alertmanagers.length,
    alertsFiring: [...ledger.alerts.values()].filter(({ resolvedAtMs }) => resolvedAtMs === null)
      .length,
  };
}

function abilitiesOf(dialect: Dialect | null): ExporterView['abilities'] {
  if (dialect === null) return [];
  return [
    { name: 'rows by time and status', has: dialect.filters },
    { name: 'the worker’s queue', has: dialect.hasWorkerTasks },
    { name: 'progress', has: dialect.hasProgress },
    { name: 'run statistics', has: dialect.hasRunStats },
    { name: 'sign-ins', has: dialect.hasAuthentication },
  ];
}

function namesOf({ connectedSystem, runProfile }: RunLabels): {
  readonly connectedSystem: string;
  readonly runProfile: string;
} {
  return { connectedSystem, runProfile };
}

function tallyOf(words: readonly string[]): readonly Count[] {
  return Array.from(new Set(words), (word) => ({
    word,
    count: words.filter((other) => other === word).length,
  }));
}

function secondsOf(duration: Micros): number {
  return duration / MICROS_PER_MILLI / 1_000;
}
