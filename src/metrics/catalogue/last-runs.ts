/** Gauges of the last finished run of each run profile: what an alert fires on and what a person asks first. */
import { FINISHED_STATUSES, OUTCOMES, toSeconds } from '../../jim/activity.ts';
import type { LastRun, Ledger, RunAccount } from '../../ledger/ledger.ts';
import { OTHER, consecutiveFailures, runKey } from '../../ledger/ledger.ts';
import type { Sample, SnapshotFamily } from './family.ts';
import { family, sample, sampleIfKnown } from './family.ts';
import { RUN_LABELS, runLabelValues } from './runs.ts';

/** `(other)` label sets have counters only; gauges of a retired run profile have left. */
export function hasRunGauges(account: RunAccount, { inventory }: Ledger): boolean {
  if (account.labels.runProfile === OTHER) return false;
  if (account.last !== null || inventory.runs === null) return true;
  return inventory.runs.has(runKey(account.labels));
}

/** A gauge of what is known of the last run; absent before the first run is known. */
function lastRunFamily(
  name: string,
  labels: readonly string[],
  help: string,
  samples: (last: LastRun, account: RunAccount) => readonly Sample[],
): SnapshotFamily {
  return family(name, {
    type: 'gauge',
    labels: [...RUN_LABELS, ...labels],
    help,
    from: ({ ledger }) => ledger.runs.values(),
    samples: (account) =>
      account.last === null || account.labels.runProfile === OTHER
        ? []
        : samples(account.last, account),
  });
}

function lastRunGauge(
  name: string,
  help: string,
  value: (last: LastRun, account: RunAccount) => number | null,
): SnapshotFamily {
  return lastRunFamily(name, [], help, (last, account) =>
    sampleIfKnown(runLabelValues(account.labels), value(last, account)),
  );
}

const LAST: readonly SnapshotFamily[] = [
  lastRunFamily(
    'jim_run_last_status',
    ['status'],
    "1 for the polled status of the run that ended last, 0 for JIM's other four.",
    (last, { labels }) =>
      FINISHED_STATUSES.map((status) =>
        sample([...runLabelValues(labels), status], status === last.status ? 1 : 0),
      ),
  ),
  lastRunGauge(
    'jim_run_last_completion_timestamp_seconds',
    'When the last finished run ended: created plus totalActivityTime, as polled, since JIM sends no end time.',
    ({ end }) => toSeconds(end),
  ),
  lastRunGauge(
    'jim_run_last_success_timestamp_seconds',
    'When the last run ended whose polled status is Complete or CompleteWithWarning, which do not stop a JIM schedule; absent until there is one.',
    (_, { lastSuccess }) => (lastSuccess === null ? null : toSeconds(lastSuccess.end)),
  ),
  lastRunGauge(
    'jim_run_last_duration_seconds',
    'Polled executionTime of the last finished run; absent where it never ran.',
    ({ duration }) => (duration === null ? null : toSeconds(duration)),
  ),
  lastRunGauge(
    'jim_run_last_errors',
    'Objects with errors in the last finished run: totalErrors, as polled.',
    ({ errors }) => errors,
  ),
  lastRunGauge(
    'jim_run_last_objects_processed',
    "Objects that the last finished run went through: totalObjectsProcessed, polled from the run's /stats; for imports only where JIM counts what it read.",
    ({ processed }) => processed,
  ),
  lastRunGauge(
    'jim_run_last_success_duration_seconds',
    'Polled executionTime of the last run whose status is Complete or CompleteWithWarning.',
    (_, { lastSuccess }) =>
      lastSuccess === null || lastSuccess.duration === null
        ? null
        : toSeconds(lastSuccess.duration),
  ),
  lastRunFamily(
    'jim_run_last_failure_info',
    ['cause'],
    'Always 1; why the last unsuccessful run ended, from its polled detail; absent after the next success and while the cause is unread.',
    (_, { labels, lastFailure }) =>
      lastFailure === null || lastFailure.cause === null
        ? []
        : [sample([...runLabelValues(labels), lastFailure.cause], 1)],
  ),
  lastRunFamily(
    'jim_run_last_objects',
    ['outcome'],
    'Objects of the last finished run by outcome, as polled (totalAdded and so on), for outcomes this run profile has ever had. One object can have several.',
    (last, { labels, cells }) =>
      OUTCOMES.filter(
        (outcome) => cells.has(`outcome:${outcome}`) || last.outcomes[outcome] !== undefined,
      ).map((outcome) => sample([...runLabelValues(labels), outcome], last.outcomes[outcome] ?? 0)),
  ),
  lastRunFamily(
    'jim_run_last_errors_by_type',
    ['error_type'],
    "Objects with errors in the last finished run by JIM's errorType, polled from the run's /items; (unread) where those were not read; absent when it had no errors.",
    ({ errorsByType }, { labels }) =>
      Object.entries(errorsByType ?? {}).map(([errorType, count]) =>
        sample([...runLabelValues(labels), errorType], count),
      ),
  ),
];

const CONSECUTIVE_FAILURES = family('jim_run_consecutive_failures', {
  type: 'gauge',
  labels: RUN_LABELS,
  help: 'Runs that ended CompleteWithError or FailedWithError since the last success (at most 100), as polled; Cancelled neither adds nor clears.',
  from: ({ ledger }) =>
    [...ledger.runs.values()].filter((account) => hasRunGauges(account, ledger)),
  samples: (account) => [sample(runLabelValues(account.labels), consecutiveFailures(account))],
});

export const LAST_RUN_FAMILIES: readonly SnapshotFamily[] = [...LAST, CONSECUTIVE_FAILURES];
