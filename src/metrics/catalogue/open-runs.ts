/** Gauges of runs that are not finished: queued or running, since when, and whether they move. */
import type { Instant } from '../../jim/activity.ts';
import { earlier, isFinishedStatus, toSeconds, wasPickedUp } from '../../jim/activity.ts';
import type { Open, RunLabels } from '../../ledger/ledger.ts';
import { OTHER, runKey } from '../../ledger/ledger.ts';
import type { RunProgress, Snapshot } from '../snapshot.ts';
import type { SnapshotFamily } from './family.ts';
import { family, sample, sampleIfKnown } from './family.ts';
import { hasRunGauges } from './last-runs.ts';
import { RUN_LABELS, runLabelValues } from './runs.ts';

/** What is open of one run profile. */
interface OpenRuns {
  readonly labels: readonly string[];
  queued: number;
  running: number;
  runningSince: Instant | null;
}

/**
 * Open runs by run profile; those that the ledger knows show 0. Orphans are shown elsewhere, and a run seen
 * finished that still settles is no longer in progress.
 */
function openRuns({ ledger, readings }: Snapshot): Iterable<OpenRuns> {
  const groups = new Map<string, OpenRuns>();
  const groupOf = (run: RunLabels): OpenRuns => {
    const known = groups.get(runKey(run));
    if (known !== undefined) return known;
    const born = { labels: runLabelValues(run), queued: 0, running: 0, runningSince: null };
    groups.set(runKey(run), born);
    return born;
  };
  for (const account of ledger.runs.values()) {
    if (hasRunGauges(account, ledger)) groupOf(account.labels);
  }
  const processing = new Set(
    (readings.workerTasks ?? [])
      .filter(({ status }) => status === 'Processing')
      .map(({ activityId }) => activityId?.toLowerCase()),
  );
  for (const [id, open] of ledger.open) {
    if (!isInProgress(open) || open.run === null || open.run.runProfile === OTHER) continue;
    const group = groupOf(open.run);
    // A worker task that is Processing says it outright (0.13 and later); the row's own times lag behind.
    if (processing.has(id) || wasPickedUp(open)) {
      const since = open.executed ?? open.created;
      group.running += 1;
      group.runningSince = earlier(since, group.runningSince ?? since);
    } else {
      group.queued += 1;
    }
  }
  return groups.values();
}

function isInProgress(open: Open): boolean {
  return !open.orphaned && !isFinishedStatus(open.status);
}

/** Of several runs of one run profile, the one whose progress stands still the longest. */
function slowestProgress(progress: readonly RunProgress[]): Iterable<RunProgress> {
  const slowest = new Map<string, RunProgress>();
  for (const reading of progress) {
    if (reading.run.runProfile === OTHER) continue;
    const known = slowest.get(runKey(reading.run));
    if (known === undefined || reading.changedAtMs < known.changedAtMs)
      slowest.set(runKey(reading.run), reading);
  }
  return slowest.values();
}

export const OPEN_RUN_FAMILIES: readonly SnapshotFamily[] = [
  family('jim_run_in_progress', {
    type: 'gauge',
    labels: [...RUN_LABELS, 'state'],
    help: 'Runs that JIM has not finished, as of the last poll: running where a worker task says Processing or executed is later than created, else queued.',
    from: openRuns,
    samples: ({ labels, queued, running }) => [
      sample([...labels, 'queued'], queued),
      sample([...labels, 'running'], running),
    ],
  }),
  family('jim_run_running_since_timestamp_seconds', {
    type: 'gauge',
    labels: RUN_LABELS,
    help: "JIM's executed time of the oldest running run, as of the last poll; absent where none runs.",
    from: openRuns,
    samples: ({ labels, runningSince }) =>
      sampleIfKnown(labels, runningSince === null ? null : toSeconds(runningSince)),
  }),
  family('jim_run_progress_timestamp_seconds', {
    type: 'gauge',
    labels: RUN_LABELS,
    help: "When the exporter last saw the live progress of a running run change, by its own clock; polled from the run's /progress (JIM 0.14 and later).",
    from: ({ readings }) => slowestProgress(readings.progress ?? []),
    samples: ({ run, changedAtMs }) => [sample(runLabelValues(run), changedAtMs / 1_000)],
  }),
];
