/** The panels on runs that the overview shows for all connected systems and the second dashboard for one. */
import { RUN_STATES, bars, table, timeline } from './panels.ts';
import type { Column, PanelSource, Query } from './panels.ts';
import {
  BY_RUN,
  RUN_LEGEND,
  eventsPerStep,
  jimState,
  lastStatus,
  ours,
  runState,
} from './promql.ts';
import { THRESHOLDS } from './thresholds.ts';

/** A link to one connected system's dashboard, from a table's row. */
const OPEN_SYSTEM = {
  title: 'Open this connected system',
  url: '/d/jim-connected-system?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${jim_url:queryparam}&var-connected_system=${__data.fields.connected_system:percentencode}&${__url_time_range}',
};
const OPEN_IN_JIM = { title: 'Activities in JIM', url: '${jim_url}/activity' };

export const SYSTEM_COLUMN: Column = {
  label: 'connected_system',
  title: 'Connected system',
  links: [OPEN_SYSTEM],
};

export function runTimeline(
  size: { readonly width: number; readonly height: number },
  matchers = '',
): PanelSource {
  return timeline({
    ...size,
    title: 'Run profiles over time',
    description:
      'The result of the last run of each run profile, and blue while it runs. Red or orange that stays means that ' +
      'nothing has gone well since: that system is out of date until the next green. A run shorter than the scrape ' +
      'interval shows only by its result. While JIM itself is unreachable, the others stay as they were last known.',
    mappings: RUN_STATES,
    queries: [
      { expr: jimState(), legend: 'JIM itself' },
      { expr: runState(matchers), legend: RUN_LEGEND },
    ],
  });
}

/** One row for each run profile: how its last run ended, when, and since when it fails. */
export function lastRuns(
  size: { readonly width: number; readonly height: number },
  matchers = '',
): PanelSource {
  const of = (family: string) => `max by (${BY_RUN}) (${ours(family, matchers)})`;
  return table({
    ...size,
    title: 'Last run of every run profile',
    description:
      'One row for each run profile, worst result first. Bad are a red result, a last success long ago, and ' +
      `failures in a row: from ${THRESHOLDS.repeated_failures} on it will not mend by itself. The cause says where to look: object_errors at the ` +
      'objects, exception and worker_crash at the server, previous_step_failed at the step before. ' +
      'The link opens the list of Activities in JIM.',
    sortBy: 'Last result',
    queries: [
      { expr: lastStatus(matchers) },
      {
        expr: `max by (${BY_RUN}, cause) (${ours('jim_run_last_failure_info', matchers)})`,
        emptyWhen: 'no run profile is failing',
      },
      { expr: `1000 * ${of('jim_run_last_completion_timestamp_seconds')}` },
      {
        expr: `1000 * ${of('jim_run_last_success_timestamp_seconds')}`,
        emptyWhen: 'no run profile has ever succeeded',
      },
      { expr: of('jim_run_consecutive_failures') },
      { expr: of('jim_run_last_errors') },
      { expr: of('jim_run_last_duration_seconds') },
      {
        expr: of('jim_run_last_objects_processed'),
        emptyWhen: 'the run_stats collector is off or has not read a run yet',
      },
    ],
    columns: [
      SYSTEM_COLUMN,
      { label: 'run_profile', title: 'Run profile', links: [OPEN_IN_JIM] },
      { label: 'run_type', title: 'Type' },
      { title: 'Last result', query: 0, unit: 'none', mappings: RUN_STATES },
      { label: 'cause', title: 'Cause' },
      { title: 'Ended', query: 2, unit: 'dateTimeFromNow' },
      { title: 'Last success', query: 3, unit: 'dateTimeFromNow' },
      {
        title: 'Failures in a row',
        query: 4,
        unit: 'short',
        steps: [
          { from: 1, colour: 'orange' },
          { from: THRESHOLDS.repeated_failures, colour: 'red' },
        ],
      },
      {
        title: 'Objects with errors',
        query: 5,
        unit: 'short',
        steps: [{ from: 1, colour: 'yellow' }],
      },
      { title: 'Duration', query: 6, unit: 's' },
      { title: 'Objects processed', query: 7, unit: 'short' },
      { label: 'instance', title: 'Exporter' },
    ],
  });
}

export function errorsOverTime(
  size: { readonly width: number; readonly height: number },
  matchers = '',
): PanelSource {
  return bars({
    ...size,
    title: 'Objects with errors over time',
    description:
      'How many objects each run could not handle. A steady small bar is the same few objects failing every time: ' +
      'somebody should look at them once. A tall one is a fault of the system or of a rule.',
    unit: 'short',
    stacked: true,
    queries: [
      {
        expr: `${eventsPerStep('connected_system, run_profile', 'jim_run_errors_total', matchers)} > 0`,
        legend: RUN_LEGEND,
        emptyWhen: 'no object had an error',
      },
    ],
  });
}

/** Runs by how they ended; their exemplars are the single runs. */
export function endedRuns(matchers: string, emptyWhen: string): Query {
  return {
    expr: `${eventsPerStep('connected_system, run_profile, status', 'jim_runs_total', matchers)} > 0`,
    legend: `${RUN_LEGEND}: {{status}}`,
    exemplars: true,
    emptyWhen,
  };
}
