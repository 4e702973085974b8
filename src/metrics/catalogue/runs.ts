/** Counters of runs: one label set per run profile. Only what was published is shown, never what zero hold keeps back. */
import { FINISHED_STATUSES, OUTCOMES, toSeconds } from '../../jim/activity.ts';
import type { CellName, RunAccount, RunLabels, RunTotals } from '../../ledger/ledger.ts';
import { CONFIRMATION_RESULTS, DURATION_BOUNDS_SECONDS } from '../../ledger/ledger.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Sample, SampleExemplar, SnapshotFamily } from './family.ts';
import { bucketBound, family, sample } from './family.ts';
import { ZERO_HOLD_HELP } from './help.ts';

/** `R` of the design: the labels of everything about a run profile. */
export const RUN_LABELS = ['connected_system', 'run_profile', 'run_type'] as const;

export function runLabelValues(labels: RunLabels): readonly string[] {
  return [labels.connectedSystem, labels.runProfile, labels.runType];
}

function accounts({ ledger }: Snapshot): Iterable<RunAccount> {
  return ledger.runs.values();
}

function runCounter(
  name: string,
  help: string,
  value: (totals: RunTotals) => number,
): SnapshotFamily {
  return family(name, {
    type: 'counter',
    labels: RUN_LABELS,
    help: `${help} ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: ({ labels, published }) => [sample(runLabelValues(labels), value(published))],
  });
}

/** A cell's line; none before the cell is born. */
function cellSample({ cells, labels }: RunAccount, name: CellName): readonly Sample[] {
  const cell = cells.get(name);
  return cell === undefined ? [] : [sample(runLabelValues(labels), cell.value)];
}

/** The lines of several cells, each with its word behind the labels of the run profile. */
function cellSamples<Word extends string>(
  { cells, labels }: RunAccount,
  words: readonly Word[],
  nameOf: (word: Word) => CellName,
): readonly Sample[] {
  const values = runLabelValues(labels);
  const samples: Sample[] = [];
  for (const word of words) {
    const cell = cells.get(nameOf(word));
    if (cell !== undefined) samples.push(sample([...values, word], cell.value));
  }
  return samples;
}

const FROM_LIST: readonly SnapshotFamily[] = [
  family('jim_runs_total', {
    type: 'counter',
    labels: [...RUN_LABELS, 'status'],
    help: `Finished runs by JIM's status, polled from its Activities list. ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: ({ labels, published }) => {
      const values = runLabelValues(labels);
      return FINISHED_STATUSES.map((status) => ({
        suffix: '',
        labels: [...values, status],
        value: published.statuses[status],
        exemplar: published.exemplars[status] ?? null,
      }));
    },
  }),
  runCounter(
    'jim_run_errors_total',
    "Objects with errors in finished runs: totalErrors, polled from JIM's Activities list.",
    ({ errors }) => errors,
  ),
  family('jim_run_objects_total', {
    type: 'counter',
    labels: [...RUN_LABELS, 'outcome'],
    help: `Objects of finished runs by outcome: totalAdded, totalUpdated and so on, polled from JIM's Activities list. One object can have several outcomes, so a sum over them means nothing. ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: (account) => cellSamples(account, OUTCOMES, (outcome) => `outcome:${outcome}`),
  }),
  family('jim_run_duration_seconds', {
    type: 'histogram',
    labels: RUN_LABELS,
    help: `Execution time of finished runs that ran: executionTime, polled from JIM's Activities list. ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: durationSamples,
  }),
  runCounter(
    'jim_run_queue_seconds_total',
    "Time that finished runs waited: totalActivityTime less executionTime, all of it where a run never ran; polled from JIM's Activities list.",
    ({ queue }) => toSeconds(queue),
  ),
];

/** Cumulative buckets, sum and count. */
function durationSamples({ labels, published }: RunAccount): readonly Sample[] {
  const values = runLabelValues(labels);
  const samples: Sample[] = [];
  let count = 0;
  for (const [index, inBucket] of published.durationBuckets.entries()) {
    count += inBucket;
    const bound = DURATION_BOUNDS_SECONDS[index] ?? Number.POSITIVE_INFINITY;
    samples.push({
      suffix: '_bucket',
      labels: [...values, bucketBound(bound)],
      value: count,
      exemplar: exemplarInside(published, index),
    });
  }
  samples.push({
    suffix: '_sum',
    labels: values,
    value: toSeconds(published.durationSum),
    exemplar: null,
  });
  samples.push({ suffix: '_count', labels: values, value: count, exemplar: null });
  return samples;
}

/** An exemplar outside its bucket makes Prometheus refuse the scrape's exemplars: better none. */
function exemplarInside({ durationExemplars }: RunTotals, index: number): SampleExemplar | null {
  const exemplar = durationExemplars[index];
  if (exemplar === undefined) return null;
  const lower = DURATION_BOUNDS_SECONDS[index - 1] ?? Number.NEGATIVE_INFINITY;
  const upper = DURATION_BOUNDS_SECONDS[index] ?? Number.POSITIVE_INFINITY;
  return exemplar.value > lower && exemplar.value <= upper ? exemplar : null;
}

const FROM_STATS: readonly SnapshotFamily[] = [
  family('jim_run_objects_processed_total', {
    type: 'counter',
    labels: RUN_LABELS,
    help: `Objects that finished runs went through: totalObjectsProcessed, polled from the run's /stats; for imports only where JIM counts what it read. ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: (account) => cellSample(account, 'processed'),
  }),
  family('jim_run_objects_unchanged_total', {
    type: 'counter',
    labels: RUN_LABELS,
    help: `Objects that finished runs left as they were: totalUnchanged, polled from the run's /stats; for imports only where JIM counts what it read. ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: (account) => cellSample(account, 'unchanged'),
  }),
  family('jim_run_export_confirmations_total', {
    type: 'counter',
    labels: [...RUN_LABELS, 'result'],
    help: `Earlier exports that finished runs looked for: totalPendingExportsConfirmed, Retrying and Failed, polled from the run's /stats. ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: (account) =>
      cellSamples(account, CONFIRMATION_RESULTS, (result) => `confirmation:${result}`),
  }),
];

export const RUN_COUNTER_FAMILIES: readonly SnapshotFamily[] = [...FROM_LIST, ...FROM_STATS];
