/** One connected system in depth: how long its runs take, what they do, what fails, what waits. */
import type { DashboardSource } from './dashboard.ts';
import { labelVariable } from './dashboard.ts';
import { STATUS_COLOURS, bars, lines, ranking, stat } from './panels.ts';
import type { PanelSource } from './panels.ts';
import { BY_RUN, CHOSEN_RUNS, CHOSEN_SYSTEM, RUN_LEGEND, eventsPerStep, ours } from './promql.ts';
import { endedRuns, errorsOverTime, lastRuns, runTimeline } from './runs.ts';
import { THRESHOLDS } from './thresholds.ts';

const system = (family: string) => ours(family, CHOSEN_SYSTEM);
const runs = (family: string, matchers = '') =>
  ours(family, matchers === '' ? CHOSEN_RUNS : `${CHOSEN_RUNS}, ${matchers}`);
const IMPORTS = 'run_type=~"FullImport|DeltaImport"';
const SYNCHRONISATIONS = 'run_type=~"FullSynchronisation|DeltaSynchronisation"';
const NO_INVENTORY = 'the inventory collector is off or has not read yet';

const now: readonly PanelSource[] = [
  stat({
    title: 'Run profiles failing',
    description:
      'Run profiles of this system without a success since their last failure. Anything but 0 is work for today.',
    width: 4,
    height: 4,
    unit: 'short',
    base: 'green',
    steps: [{ from: 1, colour: 'red' }],
    queries: [{ expr: `sum(${runs('jim_run_consecutive_failures')} > bool 0)` }],
  }),
  stat({
    title: 'Longest without success',
    description:
      'Time since the last success of the run profile that has gone longest without one. Compare it with how often that run profile ' +
      'should run.',
    width: 4,
    height: 4,
    unit: 's',
    queries: [
      {
        expr: `time() - min(${runs('jim_run_last_success_timestamp_seconds')})`,
        emptyWhen: 'no run profile of this system has ever succeeded',
      },
    ],
  }),
  stat({
    title: 'Objects with errors, last runs',
    description:
      'Objects that the last run of each run profile could not handle, added up. They stay wrong until a run handles them.',
    width: 4,
    height: 4,
    unit: 'short',
    base: 'green',
    steps: [{ from: 1, colour: 'yellow' }],
    queries: [{ expr: `sum(${runs('jim_run_last_errors')})` }],
  }),
  stat({
    title: 'Objects held',
    description:
      'Objects of this connected system that JIM knows. A sudden loss is a broken import until proven otherwise.',
    width: 4,
    height: 4,
    unit: 'short',
    queries: [{ expr: `sum(${system('jim_connected_system_objects')})`, emptyWhen: NO_INVENTORY }],
  }),
  stat({
    title: 'Joined',
    description:
      'Share of those objects that are joined to a person or thing in JIM. A fall means that matching rules no longer match.',
    width: 4,
    height: 4,
    unit: 'percentunit',
    queries: [
      {
        expr: `sum(${system('jim_connected_system_joined_objects')}) / sum(${system('jim_connected_system_objects')})`,
        emptyWhen: NO_INVENTORY,
      },
    ],
  }),
  stat({
    title: 'Pending exports',
    description:
      'Changes that JIM has decided on and not yet written to this system. They come and go; a number that stays is a failing export.',
    width: 4,
    height: 4,
    unit: 'short',
    base: 'green',
    steps: [{ from: THRESHOLDS.pending_exports, colour: 'orange' }],
    queries: [
      { expr: `sum(${system('jim_connected_system_pending_exports')})`, emptyWhen: NO_INVENTORY },
    ],
  }),
];

const happened: readonly PanelSource[] = [
  runTimeline({ width: 24, height: 8 }, CHOSEN_RUNS),
  lastRuns({ width: 24, height: 8 }, CHOSEN_RUNS),
  bars({
    title: 'Runs by status',
    description:
      'Runs as they ended; the diamonds are single runs and open JIM’s page of their Activity. Bad is anything but Complete, and ' +
      'a gap where runs should be.',
    width: 12,
    height: 8,
    unit: 'short',
    stacked: true,
    colours: STATUS_COLOURS,
    queries: [endedRuns(CHOSEN_RUNS, 'no run ended')],
  }),
  lines({
    title: 'Duration of runs',
    description:
      'How long the last run took, and below what 95 % of the last day’s runs stayed (by the histogram’s buckets); the ' +
      'diamonds are single runs. A slow rise is growth; a jump is a source that answers slowly or a full run in place of a delta.',
    width: 12,
    height: 8,
    unit: 's',
    queries: [
      {
        expr: `max by (connected_system, run_profile) (${runs('jim_run_last_duration_seconds')})`,
        legend: RUN_LEGEND,
      },
      {
        expr: `histogram_quantile(0.95, sum by (le, connected_system, run_profile) (increase(${runs('jim_run_duration_seconds_bucket')}[1d])))`,
        legend: `${RUN_LEGEND}: 95 % of a day`,
        exemplars: true,
      },
    ],
  }),
];

const objects: readonly PanelSource[] = [
  bars({
    title: 'Objects by outcome',
    description:
      'What the runs did to objects. One object can have several outcomes, so the bars do not add up. Missing bars at the usual time ' +
      'mean that no data arrived.',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [
      {
        expr: `${eventsPerStep('run_profile, outcome', 'jim_run_objects_total', CHOSEN_RUNS)} > 0`,
        legend: '{{run_profile}}: {{outcome}}',
        emptyWhen: 'no run changed anything',
      },
    ],
  }),
  ranking({
    title: 'Outcomes of the last runs',
    description:
      'What the last run of each run profile did. Compare Deleted, Deprovisioned and Disconnected with what you expect today.',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [
      {
        expr: `sort_desc(sum by (run_profile, outcome) (${runs('jim_run_last_objects')}) > 0)`,
        legend: '{{run_profile}}: {{outcome}}',
        emptyWhen: 'the last runs changed nothing',
      },
    ],
  }),
  bars({
    title: 'Objects processed and unchanged',
    description:
      'How many objects the runs looked at, and how many of them needed nothing. A synchronisation that processes 0 after an import ' +
      'had nothing to work on: look at the import.',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [
      {
        expr: `${eventsPerStep('run_profile', 'jim_run_objects_processed_total', CHOSEN_RUNS)} > 0`,
        legend: '{{run_profile}}: processed',
        emptyWhen: 'no run processed anything or the run_stats collector is off',
      },
      {
        expr: `${eventsPerStep('run_profile', 'jim_run_objects_unchanged_total', CHOSEN_RUNS)} > 0`,
        legend: '{{run_profile}}: unchanged',
        emptyWhen: 'no object was unchanged or the run_stats collector is off',
      },
    ],
  }),
  lines({
    title: 'Objects held and joined',
    description:
      'Objects of this system that JIM knows, and how many are joined. The lines should move together and slowly; a cliff is a broken ' +
      'import or rule.',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [
      {
        expr: `sum(${system('jim_connected_system_objects')})`,
        legend: 'objects',
        emptyWhen: NO_INVENTORY,
      },
      {
        expr: `sum(${system('jim_connected_system_joined_objects')})`,
        legend: 'joined',
        emptyWhen: NO_INVENTORY,
      },
    ],
  }),
];

const errors: readonly PanelSource[] = [
  errorsOverTime({ width: 8, height: 8 }, CHOSEN_RUNS),
  ranking({
    title: 'Errors of the last runs, by type',
    description:
      'Which errors the last runs met. One type with many objects is one cause; “(unread)” means that there were too many to read or ' +
      'that JIM is older than 0.14.',
    width: 8,
    height: 8,
    unit: 'short',
    base: 'orange',
    queries: [
      {
        expr: `sort_desc(sum by (run_profile, error_type) (${runs('jim_run_last_errors_by_type')}))`,
        legend: '{{run_profile}}: {{error_type}}',
        emptyWhen: 'the last runs had no errors',
      },
    ],
  }),
  lines({
    title: 'Share of objects with errors',
    description:
      'For imports, the objects with errors of the last one as a share of the objects held; for synchronisations, those of 6 hours ' +
      'as a share of the objects processed. Below the line it is single objects; above it a fault of the system or of a rule.',
    width: 8,
    height: 8,
    unit: 'percentunit',
    steps: [{ from: THRESHOLDS.synchronisation_error_ratio, colour: 'orange' }],
    softMax: THRESHOLDS.synchronisation_error_ratio * 2,
    queries: [
      {
        expr: `max by (${BY_RUN}) (${runs('jim_run_last_errors', IMPORTS)}) / on (instance, connected_system) group_left () (max by (instance, connected_system) (${system('jim_connected_system_objects')}) > 0)`,
        legend: RUN_LEGEND,
        emptyWhen: `no import has ended or ${NO_INVENTORY}`,
      },
      {
        expr: `sum by (${BY_RUN}) (increase(${runs('jim_run_errors_total', SYNCHRONISATIONS)}[6h])) / (sum by (${BY_RUN}) (increase(${runs('jim_run_objects_processed_total', SYNCHRONISATIONS)}[6h])) > 0)`,
        legend: RUN_LEGEND,
        emptyWhen:
          'no synchronisation processed anything within 6 hours or the run_stats collector is off',
      },
    ],
  }),
];

const waiting: readonly PanelSource[] = [
  lines({
    title: 'Pending exports over time',
    description:
      'Changes not yet written, and the fewest of three days: what never goes away. When the lower line rises, exports fail for the same ' +
      'objects again and again.',
    width: 8,
    height: 8,
    unit: 'short',
    steps: [{ from: THRESHOLDS.pending_exports, colour: 'orange' }],
    queries: [
      {
        expr: `sum(${system('jim_connected_system_pending_exports')})`,
        legend: 'pending',
        emptyWhen: NO_INVENTORY,
      },
      {
        expr: `sum(min_over_time(${system('jim_connected_system_pending_exports')}[3d:10m]))`,
        legend: 'fewest of three days',
        emptyWhen: NO_INVENTORY,
      },
    ],
  }),
  bars({
    title: 'Export confirmations',
    description:
      'What the next import said of exported changes: Confirmed, still Retrying, or Failed. Failed means that the system refuses or ' +
      'reverts what JIM writes.',
    width: 8,
    height: 8,
    unit: 'short',
    queries: [
      {
        expr: `${eventsPerStep('run_profile, result', 'jim_run_export_confirmations_total', CHOSEN_RUNS)} > 0`,
        legend: '{{run_profile}}: {{result}}',
        emptyWhen: 'no export was confirmed or the run_stats collector is off',
      },
    ],
  }),
  lines({
    title: 'Wait and run, share of the time',
    description:
      'Seconds of every second that runs of this system spend waiting for the worker and running. Waiting above running means that ' +
      'other systems are in the way.',
    width: 8,
    height: 8,
    unit: 'percentunit',
    queries: [
      {
        expr: `sum by (connected_system) (rate(${runs('jim_run_queue_seconds_total')}[6h]))`,
        legend: 'waiting',
      },
      {
        expr: `sum by (connected_system) (rate(${runs('jim_run_duration_seconds_sum')}[6h]))`,
        legend: 'running',
      },
    ],
  }),
];

const KNOWN_RUNS = ours('jim_run_errors_total');

export const connectedSystem: DashboardSource = {
  uid: 'jim-connected-system',
  title: 'JIM / Connected system',
  description: 'One connected system in depth: its runs, their objects and errors, and what waits.',
  from: 'now-7d',
  variables: [
    labelVariable('connected_system', 'Connected system', KNOWN_RUNS, 'one'),
    labelVariable(
      'run_profile',
      'Run profile',
      ours('jim_run_errors_total', CHOSEN_SYSTEM),
      'many',
    ),
  ],
  rows: [
    { title: 'Now', panels: now },
    { title: 'Runs', panels: happened },
    { title: 'Objects', panels: objects },
    { title: 'Errors', panels: errors },
    { title: 'Waiting', panels: waiting },
  ],
};
