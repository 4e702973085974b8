/** What the status page shows, from the same values that `/metrics` is made of. */
import type { Config } from './config/config.ts';
import { activityUrl, MICROS_PER_MILLI, OUTCOMES } from './jim/activity.ts';
import type { Dialect } from './jim/dialect.ts';
import type { Ledger, RunAccount } from './ledger/ledger.ts';
import { consecutiveFailures, runKey } from './ledger/ledger.ts';
import type { Snapshot } from './metrics/snapshot.ts';
import type { JimSeen } from './poll/poller.ts';
import type { PageView, ProgressView, RunProfileView, ScheduleView } from './web/page.ts';

export function pageViewOf(snapshot: Snapshot, seen: JimSeen, config: Config): PageView {
  const { ledger, readings } = snapshot;
  return {
    version: snapshot.build.version,
    nowMs: snapshot.nowMs,
    telemetryPath: config.web.telemetryPath,
    jim: {
      up: seen.lastPollMs === null ? null : seen.up,
      version: seen.dialect?.version ?? null,
      failure: seen.failure,
      lastSuccessfulPollMs: seen.lastSuccessfulPollMs,
      ready: readings.health?.ready ?? null,
      maintenance: readings.health?.maintenance ?? null,
      url: config.jim.externalUrl,
      abilities: abilitiesOf(seen.dialect),
    },
    runProfiles: [...ledger.runs.values()].flatMap((account) =>
      runProfileOf(account, ledger, config),
    ),
    progress: (readings.progress ?? []).map((progress): ProgressView => ({
      connectedSystem: progress.run.connectedSystem,
      runProfile: progress.run.runProfile,
      percent: progress.percentComplete,
      objects: `${progress.objectsProcessed} of ${progress.objectsToProcess === 0 ? 'an unknown number' : progress.objectsToProcess} objects`,
      remainingSeconds: progress.estimatedSecondsRemaining,
      link: activityUrl(config.jim.externalUrl, progress.activityId),
    })),
    queue: queueOf(snapshot),
    schedules: (readings.schedules ?? []).map((schedule): ScheduleView => ({
      name: schedule.name,
      enabled: schedule.enabled,
      nextMs: schedule.nextRun === null ? null : schedule.nextRun / MICROS_PER_MILLI,
      lastStatus: schedule.lastExecution?.status ?? null,
      inProgress: schedule.inProgressSince !== null,
    })),
    exporter: {
      caughtUp: seen.caughtUp,
      openActivities: ledger.open.size,
      labelSets: ledger.labels.runs.size,
      maxLabelSets: config.poll.maxLabelSets,
      requestsPerMinute: config.jim.requestsPerMinute,
      storage:
        config.storage.path === null
          ? 'kept in memory only: a restart begins anew'
          : 'kept in one file',
      stateBytes: snapshot.stateSizeBytes,
      alertsFiring: [...ledger.alerts.values()].filter(({ resolvedAtMs }) => resolvedAtMs === null)
        .length,
    },
  };
}

function runProfileOf(
  account: RunAccount,
  ledger: Ledger,
  config: Config,
): readonly RunProfileView[] {
  const { last, labels, lastFailure } = account;
  if (last === null) return [];
  const key = runKey(labels);
  const inProgress = [...ledger.open.values()].filter(
    ({ run, sighting, orphaned }) =>
      run !== null && sighting === null && !orphaned && runKey(run) === key,
  );
  return [
    {
      connectedSystem: labels.connectedSystem,
      runProfile: labels.runProfile,
      status: last.status,
      endedMs: last.end / MICROS_PER_MILLI,
      durationSeconds: last.duration === null ? null : last.duration / MICROS_PER_MILLI / 1_000,
      objects: OUTCOMES.flatMap((outcome) => {
        const count = last.outcomes[outcome] ?? 0;
        return count === 0 ? [] : [{ outcome, count }];
      }),
      errors: last.errors,
      errorTypes: Object.entries(last.errorsByType ?? {}).map(([type, count]) => ({ type, count })),
      cause: lastFailure?.id === last.id ? lastFailure.cause : null,
      failuresInARow: consecutiveFailures(account),
      inProgress: inProgress.length,
      link: activityUrl(config.jim.externalUrl, last.id),
    },
  ];
}

function queueOf({ readings }: Snapshot): PageView['queue'] {
  if (readings.workerTasks === null) return null;
  const counts = new Map<string, number>();
  for (const { status } of readings.workerTasks) counts.set(status, (counts.get(status) ?? 0) + 1);
  return Array.from(counts, ([status, count]) => ({ status, count }));
}

function abilitiesOf(dialect: Dialect | null): string {
  if (dialect === null) return 'not known yet';
  const abilities = [
    dialect.filters ? 'filtering by time' : 'no filters by time',
    dialect.hasWorkerTasks ? 'the worker’s queue' : null,
    dialect.hasProgress ? 'live progress' : null,
    dialect.hasRunStats ? 'run statistics and error types' : null,
    dialect.hasAuthentication ? 'sign-ins' : null,
  ];
  return abilities.filter((ability) => ability !== null).join(', ');
}
