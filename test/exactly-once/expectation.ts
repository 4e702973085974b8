/**
 * What counters must show, computed from the world's truth by the words of design.md and no code of the ledger:
 * statuses, errors, outcomes, the duration histogram and the time in the queue.
 */
import type { Ending, TruthRow } from '../../src/demo/truth.ts';
import type { ParsedSample } from '../metrics/strict-parser.ts';

export type Shown = readonly ParsedSample[];
type Labels = Readonly<Record<string, string>>;

const BOUNDS_SECONDS = [1, 10, 60, 300, 900, 3_600, 14_400, 43_200];
const OTHER = '(other)';
/** Combinations of endings tried per label set. */
const MAX_COMBINATIONS = 100_000;
/** Microseconds between created and executed of what a worker picked up. */
const PICKED_UP_AFTER = 10_000;
/** Sums of seconds are floats. */
const TOLERANCE = 1e-6;

interface Subject {
  readonly metric: string;
  readonly errors: string;
  /** The labels of an ending; null for what is not counted here. */
  readonly labelsOf: (ending: Ending) => Labels | null;
}

const RUNS: Subject = {
  metric: 'jim_runs_total',
  errors: 'jim_run_errors_total',
  labelsOf: ({ run }) =>
    run === null
      ? null
      : {
          connected_system: run.connectedSystem,
          run_profile: run.runProfile,
          run_type: run.runType,
        },
};
const ACTIVITIES: Subject = {
  metric: 'jim_activities_total',
  errors: 'jim_activity_errors_total',
  labelsOf: ({ targetType, operation, connectedSystem }) => ({
    target_type: targetType,
    operation,
    connected_system: connectedSystem,
  }),
};

/** Sentences on what the rows counted do not explain; none when every counter is as it must be. */
export function unexplained(counted: readonly TruthRow[], shown: Shown): readonly string[] {
  return [...differences(counted, shown, RUNS), ...differences(counted, shown, ACTIVITIES)];
}

function differences(
  counted: readonly TruthRow[],
  shown: Shown,
  subject: Subject,
): readonly string[] {
  // A name that was folded for a while counted in two places: then only all of them together can be told.
  const isFolded = shown.some(
    ({ name, labels }) => name === subject.metric && labels['connected_system'] === OTHER,
  );
  const groups = new Map<string, { labels: Labels; rows: TruthRow[] }>();
  for (const row of counted) {
    const [ending] = row.endings;
    const labels = ending === undefined ? null : subject.labelsOf(ending);
    if (labels === null) continue;
    const key = isFolded ? '' : JSON.stringify(labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels: isFolded ? {} : labels, rows: [row] });
    else group.rows.push(row);
  }
  const sentences = [...groups.values()].flatMap(({ labels, rows }) => {
    const totals = totalsOf(shown, subject, labels);
    const why = whyNot(rows, totals, subject === RUNS);
    return why === null ? [] : [`${subject.metric} of ${JSON.stringify(labels)}: ${why}`];
  });
  const all = sumOf(shown, subject.metric, {});
  const expected = [...groups.values()].reduce((sum, { rows }) => sum + rows.length, 0);
  return all === expected
    ? sentences
    : [...sentences, `${subject.metric} sums to ${all}, but ${expected} Activities were counted`];
}

interface Totals {
  readonly statuses: ReadonlyMap<string, number>;
  readonly errors: number;
  /** Of runs only. */
  readonly added: number;
  readonly queueSeconds: number;
  readonly durationSeconds: number;
  /** Cumulative, +Inf last. */
  readonly buckets: readonly number[];
}

function totalsOf(shown: Shown, subject: Subject, labels: Labels): Totals {
  const its = shown.filter((sample) => belongs(sample, labels));
  const statuses = new Map<string, number>();
  for (const sample of its) {
    if (sample.name !== subject.metric) continue;
    const status = sample.labels['status'] ?? '';
    statuses.set(status, (statuses.get(status) ?? 0) + sample.value);
  }
  return {
    statuses,
    errors: sumOf(its, subject.errors, {}),
    added: sumOf(its, 'jim_run_objects_total', { outcome: 'Added' }),
    queueSeconds: sumOf(its, 'jim_run_queue_seconds_total', {}),
    durationSeconds: sumOf(its, 'jim_run_duration_seconds_sum', {}),
    buckets: [...BOUNDS_SECONDS.map((bound) => bound.toFixed(1)), '+Inf'].map((le) =>
      sumOf(its, 'jim_run_duration_seconds_bucket', { le }),
    ),
  };
}

function sumOf(shown: Shown, name: string, labels: Labels): number {
  return shown
    .filter((sample) => sample.name === name && belongs(sample, labels))
    .reduce((sum, { value }) => sum + value, 0);
}

function belongs(sample: ParsedSample, labels: Labels): boolean {
  return Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
}

/** Null where some choice of one ending per row explains every total. */
function whyNot(rows: readonly TruthRow[], totals: Totals, areRuns: boolean): string | null {
  const chosen = choose(rows, totals, areRuns);
  if (chosen === 'too many to try') return null;
  if (chosen === null) {
    const seen = rows
      .slice(0, 5)
      .map(({ endings }) => endings.map(({ status }) => status).join('→'))
      .join(', ');
    return `${JSON.stringify([...totals.statuses])} with ${totals.errors} errors and ${totals.added} objects added, but ${rows.length} rows ended: ${seen}`;
  }
  if (!areRuns) return null;
  const times = chosen.map(timesOf);
  const durations = times.flatMap(({ duration }) => (duration === null ? [] : [duration]));
  const queue = times.reduce((sum, time) => sum + time.queue, 0);
  const duration = durations.reduce((a, b) => a + b, 0);
  const buckets = [...BOUNDS_SECONDS, Number.POSITIVE_INFINITY].map(
    (bound) => durations.filter((seconds) => seconds <= bound).length,
  );
  if (!isNear(queue, totals.queueSeconds))
    return `${totals.queueSeconds} s in the queue, not ${queue} s`;
  if (!isNear(duration, totals.durationSeconds))
    return `durations of ${totals.durationSeconds} s, not ${duration} s`;
  if (buckets.join() !== totals.buckets.join())
    return `duration buckets ${totals.buckets.join()}, not ${buckets.join()}`;
  return null;
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a));
}

/** In seconds. A run without execution time, or cancelled while queued, never ran: it only waited. */
function timesOf({ executed, executionTime, totalActivityTime, status, created }: Chosen): {
  readonly duration: number | null;
  readonly queue: number;
} {
  const total = (totalActivityTime ?? 0) / 1e6;
  const neverRan =
    executionTime === null || (status === 'Cancelled' && executed - created < PICKED_UP_AFTER);
  if (neverRan) return { duration: null, queue: total };
  const duration = executionTime / 1e6;
  return { duration, queue: totalActivityTime === null ? 0 : Math.max(0, total - duration) };
}

type Chosen = Ending & { readonly created: number };

/** One ending per row, so that statuses, errors and the sum of Added come out; Added differs for every ending. */
function choose(
  rows: readonly TruthRow[],
  totals: Totals,
  areRuns: boolean,
): readonly Chosen[] | 'too many to try' | null {
  const all = rows.map(({ endings, created }) => endings.map((ending) => ({ ...ending, created })));
  const fixed = all.flatMap((endings) => (endings.length === 1 ? endings : []));
  const open = all.filter((endings) => endings.length > 1);
  const left = new Map(totals.statuses);
  for (const { status } of fixed) left.set(status, (left.get(status) ?? 0) - 1);
  const sum = (pick: (ending: Chosen) => number): number =>
    fixed.reduce((before, ending) => before + pick(ending), 0);
  const taken: Chosen[] = [];
  let tried = 0;
  const search = (index: number, added: number, errors: number): boolean => {
    tried += 1;
    if (tried > MAX_COMBINATIONS) return true;
    const endings = open[index];
    if (endings === undefined)
      return (
        (!areRuns || added === 0) &&
        errors === 0 &&
        [...left.values()].every((count) => count === 0)
      );
    for (const ending of endings) {
      const count = left.get(ending.status) ?? 0;
      const { Added, Errors } = ending.totals;
      if (count <= 0 || errors < Errors || (areRuns && added < Added)) continue;
      left.set(ending.status, count - 1);
      taken[index] = ending;
      if (search(index + 1, added - Added, errors - Errors)) return true;
      left.set(ending.status, count);
    }
    return false;
  };
  const found = search(
    0,
    totals.added - sum(({ totals: { Added } }) => Added),
    totals.errors - sum(({ totals: { Errors } }) => Errors),
  );
  if (tried > MAX_COMBINATIONS) return 'too many to try';
  return found ? [...fixed, ...taken] : null;
}
