/**
 * A Prometheus in which everything has happened: each family of the catalogue with each value that its labels can
 * have, counters rising. A query that finds nothing here asks for what can never be.
 */
import { FINISHED_STATUSES, OUTCOMES } from '../../src/jim/activity.ts';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import {
  COMMIT_RESULTS,
  NOTIFICATION_RESULTS,
  POLL_FAILURE_REASONS,
  PROCESS_DEFAULTS,
} from '../../src/metrics/catalogue/process.ts';
import { SCHEDULE_EXECUTION_STATUSES, WORKER_TASK_STATUSES } from '../../src/metrics/snapshot.ts';
import type { Night } from './night.ts';
import { TARGET } from './night.ts';
import type { RecordedSeries } from './remote-write.ts';

/** Longer than the longest window of a rate that a panel needs to show anything. */
const HOURS = 2;
const INTERVAL_MS = 60_000;

/** What a label can say; of those that are names, one. Where it depends on the family, the family is given. */
const LABEL_VALUES: Readonly<
  Record<string, readonly string[] | ((family: string) => readonly string[])>
> = {
  connected_system: ['HR System'],
  run_profile: ['Some run profile'],
  run_type: ['FullImport', 'DeltaImport', 'FullSynchronisation', 'DeltaSynchronisation', 'Export'],
  outcome: OUTCOMES,
  state: ['queued', 'running'],
  event: ['sign_in_succeeded', 'sign_in_failed', 'api_key_failed'],
  target_type: ['ConnectedSystemRunProfile', 'TemporalScopeReconciliation'],
  status: (family) => {
    if (family.startsWith('jim_worker_tasks')) return WORKER_TASK_STATUSES;
    return family === 'jim_schedule_last_execution_status'
      ? SCHEDULE_EXECUTION_STATUSES
      : FINISHED_STATUSES;
  },
  reason: POLL_FAILURE_REASONS,
  result: (family) => {
    if (family === 'jim_run_export_confirmations_total') return ['Confirmed', 'Retrying', 'Failed'];
    return family === 'jim_exporter_state_commits_total' ? COMMIT_RESULTS : NOTIFICATION_RESULTS;
  },
  le: ['1.0', '10.0', '+Inf'],
};

export function everythingHappened(endMs: number): Night {
  const ours = CATALOGUE.flatMap(({ name, type, labels }) =>
    type === 'histogram'
      ? [
          ...seriesOf(`${name}_bucket`, [...labels, 'le'], endMs),
          ...seriesOf(`${name}_sum`, labels, endMs),
          ...seriesOf(`${name}_count`, labels, endMs),
        ]
      : seriesOf(name, labels, endMs),
  );
  const ofTheProcess = PROCESS_DEFAULTS.flatMap((name) => seriesOf(name, [], endMs));
  const alerts = seriesOf('ALERTS', [], endMs).map((series) => ({
    ...series,
    labels: { ...series.labels, alertname: 'JimRunFailed', alertstate: 'firing' },
  }));
  return { endMs, series: [...ours, ...ofTheProcess, ...alerts] };
}

/** One series for each combination of the labels' values. */
function seriesOf(name: string, labels: readonly string[], endMs: number): RecordedSeries[] {
  let combinations: Record<string, string>[] = [{}];
  for (const label of labels) {
    const known = LABEL_VALUES[label] ?? [`some ${label}`];
    const all = typeof known === 'function' ? known(name) : known;
    combinations = combinations.flatMap((one) => all.map((value) => ({ ...one, [label]: value })));
  }
  return combinations.map((one) => ({
    labels: { ...one, ...TARGET, __name__: name },
    points: pointsOf(name, endMs),
    exemplars: [],
  }));
}

/** Counters rise by one a minute; moments lie ten minutes back, gauges are 1. */
function pointsOf(name: string, endMs: number): [number, number][] {
  const count = (HOURS * 3_600_000) / INTERVAL_MS;
  const isCounter = /_(total|bucket|sum|count)$/.test(name);
  const level = name.endsWith('_timestamp_seconds') ? endMs / 1_000 - 600 : 1;
  return Array.from({ length: count }, (_, index) => [
    endMs - (count - 1 - index) * INTERVAL_MS,
    isCounter ? index : level,
  ]);
}
