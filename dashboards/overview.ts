/** The 07:00 view: did last night's imports, synchronisations and exports work, and what needs a person? */
import type { DashboardSource } from './dashboard.ts';
import { STATUS_COLOURS, bars, lines, stat, table, words } from './panels.ts';
import type { PanelSource } from './panels.ts';
import { BY_RUN, RUN_LEGEND, eventsInRange, eventsPerStep, ours } from './promql.ts';
import { SYSTEM_COLUMN, endedRuns, errorsOverTime, lastRuns, runTimeline } from './runs.ts';
import { STALE_SECONDS, THRESHOLDS } from './thresholds.ts';

const UNSUCCESSFUL = 'status=~"CompleteWithError|FailedWithError"';
/** Outcomes that say something changed; AttributeFlows come with each of them, PendingExports are still to do. */
const CHANGES = 'outcome!~"AttributeFlows|PendingExports"';
const REMOVALS = 'outcome=~"Deleted|Deprovisioned|Disconnected|DisconnectedOutOfScope"';

/** As JimRunOverdue: by the due time before the last of an enabled schedule, its run profiles must have succeeded. */
const PREVIOUS_DUE = `max by (${BY_RUN}) (${ours('jim_schedule_run_profile_info')} * on (instance, schedule) group_left () max by (instance, schedule) (${ours('jim_schedule_previous_due_timestamp_seconds')} and on (instance, schedule) ${ours('jim_schedule_enabled')} == 1))`;
const LAST_SUCCESS = `max by (${BY_RUN}) (${ours('jim_run_last_success_timestamp_seconds')})`;
/** 1 where nothing waits or runs: what is at work may still succeed. */
const AT_REST = `(sum by (${BY_RUN}) (${ours('jim_run_in_progress')}) == bool 0)`;

const wrong: readonly PanelSource[] = [
  stat({
    title: 'JIM',
    description:
      'Whether JIM answered the last poll completely. Down: everything below is the last that was known, not what is.',
    width: 3,
    height: 4,
    unit: 'none',
    mappings: [words({ 0: ['Down', 'red'], 1: ['Up', 'green'] })],
    queries: [{ expr: `min(${ours('jim_up')})` }],
  }),
  stat({
    title: 'Run profiles failing',
    description:
      'Run profiles whose last run, or several, failed or ended with errors, without a success since. ' +
      'A cancelled run does not clear a failure. Anything but 0 is work for today.',
    width: 3,
    height: 4,
    unit: 'short',
    base: 'green',
    steps: [{ from: 1, colour: 'red' }],
    queries: [{ expr: `sum(${ours('jim_run_consecutive_failures')} > bool 0)` }],
  }),
  stat({
    title: 'Unsuccessful runs',
    description:
      'Runs in the time range that failed or ended with errors. More than “Run profiles failing” where something ' +
      'failed and mended itself: worth a look, not a call.',
    width: 3,
    height: 4,
    unit: 'short',
    base: 'green',
    steps: [{ from: 1, colour: 'orange' }],
    queries: [{ expr: `round(sum(increase(${ours('jim_runs_total', UNSUCCESSFUL)}[$__range])))` }],
  }),
  stat({
    title: 'Objects with errors',
    description:
      'Objects that runs in the time range could not handle, counted once for each run that met them. Such a run ' +
      'mostly ends with a warning only: look here for people whose account is stuck.',
    width: 3,
    height: 4,
    unit: 'short',
    base: 'green',
    steps: [{ from: 1, colour: 'yellow' }],
    queries: [{ expr: `round(sum(increase(${ours('jim_run_errors_total')}[$__range])))` }],
  }),
  stat({
    title: 'Run profiles overdue',
    description:
      'Run profiles on a schedule without a success since the due time before the last, and not at work now: they missed a ' +
      'whole period. Anything but 0 means that data of that system is older than promised. What never succeeded is not among them.',
    width: 3,
    height: 4,
    unit: 'short',
    base: 'green',
    steps: [{ from: 1, colour: 'red' }],
    queries: [
      {
        expr: `sum((${LAST_SUCCESS} < bool on (${BY_RUN}) ${PREVIOUS_DUE}) * on (${BY_RUN}) ${AT_REST})`,
        emptyWhen: 'no schedule has been due twice since the exporter first started',
      },
    ],
  }),
  stat({
    title: 'Runs now',
    description:
      'Runs that are running and runs that wait. Many waiting with none running means that JIM’s worker has stopped.',
    width: 3,
    height: 4,
    unit: 'short',
    queries: [
      { expr: `sum(${ours('jim_run_in_progress', 'state="running"')})`, legend: 'running' },
      { expr: `sum(${ours('jim_run_in_progress', 'state="queued"')})`, legend: 'waiting' },
    ],
  }),
  stat({
    title: 'Oldest task waiting',
    description:
      'How long the oldest task has waited for JIM’s worker. Long while something runs is a queue; long while nothing ' +
      'runs is a worker that has stopped.',
    width: 3,
    height: 4,
    unit: 's',
    base: 'green',
    steps: [{ from: THRESHOLDS.queue_age_seconds, colour: 'red' }],
    queries: [
      {
        expr: `time() - min(${ours('jim_worker_tasks_oldest_timestamp_seconds', 'status="Queued"')})`,
        emptyWhen: 'no task waits, or JIM is older than 0.13',
      },
    ],
  }),
  stat({
    title: 'Age of the data',
    description:
      'Time since the last complete poll of JIM. When it grows, believe nothing else on this page until it is small again.',
    width: 3,
    height: 4,
    unit: 's',
    base: 'green',
    steps: [{ from: STALE_SECONDS, colour: 'red' }],
    queries: [
      {
        expr: `time() - min(${ours('jim_exporter_last_successful_poll_timestamp_seconds')})`,
      },
    ],
  }),
];

const alertsFiring = table({
  title: 'Alerts firing',
  description:
    'Our rules that fire now, as Prometheus evaluates them; the bridge’s own alerts are not among them. Each alert’s ' +
    'runbook says what to do. Not filtered by job and instance, since an alert on a vanished exporter has neither.',
  width: 8,
  height: 11,
  sortBy: 'Severity',
  queries: [
    {
      expr: 'sum by (alertname, severity, connected_system, run_profile) (ALERTS{alertname=~"Jim.+", alertname!~".*Watchdog", alertstate="firing"})',
      emptyWhen: 'nothing fires, or the rules are evaluated elsewhere',
    },
  ],
  columns: [
    { label: 'alertname', title: 'Alert' },
    { label: 'severity', title: 'Severity' },
    SYSTEM_COLUMN,
    { label: 'run_profile', title: 'Run profile' },
  ],
});

const happened: readonly PanelSource[] = [
  runTimeline({ width: 16, height: 11 }),
  alertsFiring,
  lastRuns({ width: 24, height: 11 }),
  bars({
    title: 'Runs that did not end Complete',
    description:
      'Each bar is runs that ended in that status; the diamonds are single runs and open JIM’s page of their Activity. ' +
      'One red bar followed by silence means the next run was good. The same bar again and again needs a person.',
    width: 12,
    height: 8,
    unit: 'short',
    stacked: true,
    colours: STATUS_COLOURS,
    queries: [endedRuns('status!="Complete"', 'every run ended Complete')],
  }),
  errorsOverTime({ width: 12, height: 8 }),
];

const objectsOf = (outcomes: string) =>
  eventsInRange('instance, connected_system', 'jim_run_objects_total', `outcome=~"${outcomes}"`);

const changed: readonly PanelSource[] = [
  bars({
    title: 'Objects changed, by outcome',
    description:
      'What runs did to objects. One object can have several outcomes, so the bars do not add up. Bad are a night without ' +
      'the usual bars (no data arrived, though all is green) and a tall bar of removals.',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [
      {
        expr: `${eventsPerStep('outcome', 'jim_run_objects_total', CHANGES)} > 0`,
        legend: '{{outcome}}',
        emptyWhen: 'no run changed anything',
      },
    ],
  }),
  bars({
    title: 'Objects removed, by connected system',
    description:
      'Objects deleted, deprovisioned or disconnected. A bar far above the other days may be a broken import that lost ' +
      'its source: stop the exports before accounts go.',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [
      {
        expr: `${eventsPerStep('connected_system, outcome', 'jim_run_objects_total', REMOVALS)} > 0`,
        legend: '{{connected_system}}: {{outcome}}',
        emptyWhen: 'no run removed anything',
      },
    ],
  }),
  table({
    title: 'Connected systems',
    description:
      'What runs in the time range did in each connected system, and what it holds now. Bad are pending exports that ' +
      'do not go down, and a system with zeros where every night brings changes.',
    width: 24,
    height: 8,
    sortBy: 'Objects with errors',
    queries: [
      { expr: objectsOf('Added') },
      { expr: objectsOf('Updated') },
      { expr: objectsOf('Deleted|Deprovisioned') },
      { expr: objectsOf('Exported'), emptyWhen: 'no connected system has an export' },
      { expr: eventsInRange('instance, connected_system', 'jim_run_errors_total') },
      {
        expr: `max by (instance, connected_system) (${ours('jim_connected_system_objects')})`,
        emptyWhen: 'the inventory collector is off or has not read yet',
      },
      {
        expr: `max by (instance, connected_system) (${ours('jim_connected_system_pending_exports')})`,
        emptyWhen: 'the inventory collector is off or has not read yet',
      },
    ],
    columns: [
      SYSTEM_COLUMN,
      { title: 'Added', query: 0, unit: 'short' },
      { title: 'Updated', query: 1, unit: 'short' },
      { title: 'Deleted', query: 2, unit: 'short' },
      { title: 'Exported', query: 3, unit: 'short' },
      {
        title: 'Objects with errors',
        query: 4,
        unit: 'short',
        steps: [{ from: 1, colour: 'yellow' }],
      },
      { title: 'Objects held', query: 5, unit: 'short' },
      {
        title: 'Pending exports',
        query: 6,
        unit: 'short',
        steps: [{ from: THRESHOLDS.pending_exports, colour: 'orange' }],
      },
      { label: 'instance', title: 'Exporter' },
    ],
  }),
];

const BY_SCHEDULE = 'instance, schedule';
const scheduleMoment = (family: string) => `1000 * max by (${BY_SCHEDULE}) (${ours(family)})`;
const longestSuccess = `max by (${BY_RUN}) (max_over_time(${ours('jim_run_last_success_duration_seconds')}[14d:5m]))`;
const runningSince = `min by (${BY_RUN}) (${ours('jim_run_running_since_timestamp_seconds')})`;

const queue: readonly PanelSource[] = [
  table({
    title: 'Schedules',
    description:
      'Each schedule of JIM. Bad are a last execution that Failed (a step stopped it, and the steps after it did not run), a ' +
      'last run before the time it was last due (it was missed), and one that nobody meant to switch off.',
    width: 16,
    height: 8,
    sortBy: 'Last execution',
    queries: [
      {
        expr: `max by (${BY_SCHEDULE}) (${ours('jim_schedule_enabled')})`,
        emptyWhen: 'JIM has no schedules or the schedules collector is off',
      },
      {
        expr: `max by (${BY_SCHEDULE}) (1 * ${ours('jim_schedule_last_execution_status', 'status="Complete"')} or 2 * ${ours('jim_schedule_last_execution_status', 'status="Cancelled"')} or 3 * ${ours('jim_schedule_last_execution_status', 'status="Failed"')})`,
        emptyWhen: 'no execution of a schedule has ended yet',
      },
      {
        expr: scheduleMoment('jim_schedule_last_run_timestamp_seconds'),
        emptyWhen: 'no schedule has ever run',
      },
      {
        expr: scheduleMoment('jim_schedule_last_due_timestamp_seconds'),
        emptyWhen: 'no schedule has been due since the exporter first started',
      },
      {
        expr: scheduleMoment('jim_schedule_next_run_timestamp_seconds'),
        emptyWhen: 'no schedule is enabled',
      },
      {
        expr: scheduleMoment('jim_schedule_in_progress_since_timestamp_seconds'),
        emptyWhen: 'no schedule is in progress',
      },
    ],
    columns: [
      { label: 'schedule', title: 'Schedule' },
      {
        title: 'Enabled',
        query: 0,
        unit: 'none',
        mappings: [words({ 0: ['No', 'text'], 1: ['Yes', 'green'] })],
      },
      {
        title: 'Last execution',
        query: 1,
        unit: 'none',
        mappings: [
          words({
            1: ['Complete', 'green'],
            2: ['Cancelled', 'purple'],
            3: ['Failed', 'red'],
          }),
        ],
      },
      { title: 'Last run', query: 2, unit: 'dateTimeFromNow' },
      { title: 'Last due', query: 3, unit: 'dateTimeFromNow' },
      { title: 'Next run', query: 4, unit: 'dateTimeFromNow' },
      { title: 'In progress since', query: 5, unit: 'dateTimeFromNow' },
      { label: 'instance', title: 'Exporter' },
    ],
  }),
  lines({
    title: 'JIM’s worker queue',
    description:
      'Tasks of JIM’s worker by status. It works through the queue every night; a level of Queued that never falls means ' +
      'that it has stopped or cannot keep up.',
    width: 8,
    height: 8,
    unit: 'short',
    stacked: true,
    queries: [
      {
        expr: `sum by (status) (${ours('jim_worker_tasks')})`,
        legend: '{{status}}',
        emptyWhen: 'JIM is older than 0.13 or the worker_tasks collector is off',
      },
    ],
  }),
  table({
    title: 'Running now',
    description:
      `Runs at work. One that has run for more than ${THRESHOLDS.run_duration_factor} times its longest success of 14 days, and more than ` +
      `${THRESHOLDS.run_duration_floor_seconds / 60} minutes, is probably stuck; so is one whose progress has not changed for long.`,
    width: 16,
    height: 7,
    sortBy: 'Running for',
    queries: [
      { expr: `time() - ${runningSince}`, emptyWhen: 'nothing is running' },
      {
        expr: `${longestSuccess} and on (${BY_RUN}) ${runningSince}`,
        emptyWhen: 'nothing is running',
      },
      {
        expr: `time() - min by (${BY_RUN}) (${ours('jim_run_progress_timestamp_seconds')})`,
        emptyWhen: 'nothing is running, or JIM is older than 0.14',
      },
    ],
    columns: [
      SYSTEM_COLUMN,
      { label: 'run_profile', title: 'Run profile' },
      { label: 'run_type', title: 'Type' },
      {
        title: 'Running for',
        query: 0,
        unit: 's',
        steps: [{ from: THRESHOLDS.run_duration_floor_seconds, colour: 'yellow' }],
      },
      { title: 'Longest success of 14 days', query: 1, unit: 's' },
      {
        title: 'No progress for',
        query: 2,
        unit: 's',
        steps: [{ from: THRESHOLDS.no_progress_seconds, colour: 'orange' }],
      },
      { label: 'instance', title: 'Exporter' },
    ],
  }),
  lines({
    title: 'Mean wait before a run',
    description:
      'How long runs of the last hour waited for the worker, on average. A rise means that runs are started faster than they ' +
      'can be done, or that the worker has been away.',
    width: 8,
    height: 7,
    unit: 's',
    queries: [
      {
        expr: `sum by (connected_system, run_profile) (increase(${ours('jim_run_queue_seconds_total')}[1h])) / (sum by (connected_system, run_profile) (increase(${ours('jim_runs_total')}[1h])) > 0.5)`,
        legend: RUN_LEGEND,
        emptyWhen: 'no run ended within an hour',
      },
    ],
  }),
];

const beside: readonly PanelSource[] = [
  table({
    title: 'Housekeeping',
    description:
      'JIM’s recurring work beside the runs: leavers are processed and history is cleaned here. Bad are failures in a row and a ' +
      'last success long ago: objects whose time has come stay.',
    width: 8,
    height: 7,
    sortBy: 'Failures in a row',
    queries: [
      {
        expr: `max by (instance, target_type, operation) (${ours('jim_activity_consecutive_failures')})`,
      },
      {
        expr: `1000 * max by (instance, target_type, operation) (${ours('jim_activity_last_success_timestamp_seconds')})`,
      },
    ],
    columns: [
      { label: 'target_type', title: 'Activity' },
      { label: 'operation', title: 'Operation' },
      {
        title: 'Failures in a row',
        query: 0,
        unit: 'short',
        steps: [
          { from: 1, colour: 'yellow' },
          { from: THRESHOLDS.housekeeping_failures, colour: 'orange' },
        ],
      },
      { title: 'Last success', query: 1, unit: 'dateTimeFromNow' },
      { label: 'instance', title: 'Exporter' },
    ],
  }),
  bars({
    title: 'Sign-ins and API keys',
    description:
      'Sign-ins to JIM, and those refused. JIM folds 15 minutes of failures into one, so each bar of failures stands for at least ' +
      'one attempt, perhaps many. A row of them is a forgotten key or somebody trying.',
    width: 8,
    height: 7,
    unit: 'short',
    stacked: true,
    colours: { sign_in_succeeded: 'green', sign_in_failed: 'orange', api_key_failed: 'red' },
    queries: [
      {
        expr: eventsPerStep('event', 'jim_authentication_events_total'),
        legend: '{{event}}',
        emptyWhen: 'JIM is older than 0.14',
      },
    ],
  }),
  table({
    title: 'Certificates',
    description:
      'Time left of the certificates that JIM trusts, at the end of the time range. Red is the last week: after that, a connected ' +
      'system can no longer be reached.',
    width: 8,
    height: 7,
    sortBy: 'Expires in',
    queries: [
      {
        expr: `min by (instance, certificate) (${ours('jim_certificate_expiry_timestamp_seconds')}) - time()`,
        emptyWhen: 'JIM has no certificates or the certificates collector is off',
      },
    ],
    columns: [
      { label: 'certificate', title: 'Certificate' },
      {
        title: 'Expires in',
        query: 0,
        unit: 's',
        base: 'red',
        steps: [
          { from: THRESHOLDS.certificate_critical_seconds, colour: 'orange' },
          { from: THRESHOLDS.certificate_warning_seconds, colour: 'green' },
        ],
      },
      { label: 'instance', title: 'Exporter' },
    ],
  }),
  lines({
    title: 'Activities in progress',
    description:
      'Everything that JIM has begun and not finished, by kind. A level that only rises is work that never ends.',
    width: 8,
    height: 7,
    unit: 'short',
    stacked: true,
    queries: [
      {
        expr: `sum by (target_type, operation) (${ours('jim_activities_in_progress')})`,
        legend: '{{target_type}} {{operation}}',
      },
    ],
  }),
  lines({
    title: 'Orphaned Activities',
    description:
      'Activities that JIM has left open for longer than open_limit, a week at first: a worker died over them. They do no harm, but ' +
      'each new one says that something crashed.',
    width: 8,
    height: 7,
    unit: 'short',
    steps: [{ from: 1, colour: 'orange' }],
    queries: [
      {
        expr: `sum by (target_type, operation, connected_system) (${ours('jim_activities_orphaned')}) > 0`,
        legend: '{{target_type}} {{operation}} {{connected_system}}',
        emptyWhen: 'nothing is orphaned',
      },
    ],
  }),
  bars({
    title: 'Other Activities',
    description:
      'What ended beside the runs: configuration changes, housekeeping, sign-ins. A change of configuration just before runs began to ' +
      'fail is the first thing to look at.',
    width: 8,
    height: 7,
    unit: 'short',
    stacked: true,
    queries: [
      {
        expr: `${eventsPerStep('target_type, operation, status', 'jim_activities_total', 'target_type!="ConnectedSystemRunProfile"')} > 0`,
        legend: '{{target_type}} {{operation}}: {{status}}',
        exemplars: true,
        emptyWhen: 'nothing ended beside the runs',
      },
    ],
  }),
];

export const overview: DashboardSource = {
  uid: 'jim-overview',
  title: 'JIM / Synchronisation overview',
  description:
    'How synchronisation went: every run profile of every connected system, what failed, what changed, the schedules and the queue.',
  from: 'now-24h',
  variables: [],
  rows: [
    { title: 'Is anything wrong?', panels: wrong },
    { title: 'What happened', panels: happened },
    { title: 'What changed', panels: changed },
    { title: 'Schedules and the queue', panels: queue },
    { title: 'Beside the runs', panels: beside },
  ],
};
