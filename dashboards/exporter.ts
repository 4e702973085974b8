/** The exporter itself: does it read JIM completely, in time, within its budget, and keep what it counts? */
import type { DashboardSource } from './dashboard.ts';
import { lines, stat, table, timeline, words } from './panels.ts';
import type { PanelSource } from './panels.ts';
import { ours } from './promql.ts';
import { DEFAULTS, STALE_SECONDS, THRESHOLDS } from './thresholds.ts';

const YES = words({ 0: ['No', 'red'], 1: ['Yes', 'green'] });
const NO_BRIDGE = 'no Alertmanager is configured: the bridge is off';
const NO_PROCESS = 'the exporter runs with --web.disable-exporter-metrics';

/** A counter's speed by labels. */
const speed = (by: string, family: string) =>
  `sum by (${by}) (rate(${ours(family)}[$__rate_interval]))`;
/** A histogram's mean. */
const mean = (by: string, family: string) =>
  `${speed(by, `${family}_sum`)} / ${speed(by, `${family}_count`)}`;
const quantile = (share: number, by: string, family: string) =>
  `histogram_quantile(${share}, ${speed(`le, ${by}`, `${family}_bucket`)})`;

const now: readonly PanelSource[] = [
  stat({
    title: 'JIM',
    description:
      'Whether JIM answered the last poll completely. Down: see the reasons under “Failed polls”.',
    width: 3,
    height: 4,
    unit: 'none',
    mappings: [words({ 0: ['Down', 'red'], 1: ['Up', 'green'] })],
    queries: [{ expr: `min(${ours('jim_up')})` }],
  }),
  stat({
    title: 'JIM’s version',
    description:
      'As JIM reports it. After an upgrade the exporter learns anew what this JIM can do; a version that is no number is treated as the oldest.',
    width: 3,
    height: 4,
    unit: 'string',
    showsName: true,
    queries: [
      {
        expr: `group by (version) (${ours('jim_info')})`,
        legend: '{{version}}',
        emptyWhen: 'JIM has not told its version yet',
      },
    ],
  }),
  stat({
    title: 'JIM is ready',
    description:
      'JIM’s own readiness. No outside of maintenance means that it starts, migrates or has lost its database.',
    width: 3,
    height: 4,
    unit: 'none',
    mappings: [YES],
    queries: [
      {
        expr: `min(${ours('jim_ready')})`,
        emptyWhen: 'JIM cannot be asked or the health collector is off',
      },
    ],
  }),
  stat({
    title: 'Maintenance',
    description:
      'Whether JIM is in maintenance mode: it runs nothing, and alerts on readiness keep quiet.',
    width: 3,
    height: 4,
    unit: 'none',
    mappings: [words({ 0: ['No', 'green'], 1: ['Yes', 'blue'] })],
    queries: [
      {
        expr: `max(${ours('jim_maintenance_mode')})`,
        emptyWhen: 'JIM cannot be asked or the health collector is off',
      },
    ],
  }),
  stat({
    title: 'Age of the data',
    description: 'Time since the last complete poll. Above the threshold all that is shown is old.',
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
  stat({
    title: 'Caught up',
    description:
      'No while finished Activities of an outage are still being read: counters lag behind until then. Hours of No mean that the request ' +
      'ceiling is too low or that JIM is too slow.',
    width: 3,
    height: 4,
    unit: 'none',
    mappings: [YES],
    queries: [{ expr: `min(${ours('jim_exporter_caught_up')})` }],
  }),
  stat({
    title: 'Configuration in force',
    description:
      'No: the last reload met a bad file, and the exporter goes on with the configuration before it.',
    width: 3,
    height: 4,
    unit: 'none',
    mappings: [YES],
    queries: [{ expr: `min(${ours('jim_exporter_config_last_reload_successful')})` }],
  }),
  stat({
    title: 'Exporter’s version',
    description:
      'What is running. Two versions at once in one JIM’s view may be two exporters on one JIM: they count twice.',
    width: 3,
    height: 4,
    unit: 'string',
    showsName: true,
    queries: [
      {
        expr: `group by (version) (${ours('jim_exporter_build_info')})`,
        legend: '{{version}}',
      },
    ],
  }),
];

const polls: readonly PanelSource[] = [
  lines({
    title: 'Polls and failed polls',
    description:
      'Polls a minute, and failed ones by reason. A failed poll publishes nothing new and loses nothing; it becomes bad when it is the ' +
      'rule. unauthorized and forbidden need a new key, the others a look at JIM or the network.',
    width: 8,
    height: 8,
    unit: 'cpm',
    queries: [
      { expr: `60 * ${speed('instance', 'jim_exporter_polls_total')}`, legend: 'polls' },
      {
        expr: `60 * ${speed('instance, reason', 'jim_exporter_poll_failures_total')}`,
        legend: 'failed: {{reason}}',
      },
    ],
  }),
  lines({
    title: 'Age of the data over time',
    description:
      'Time since the last complete poll beside the configured interval. A saw tooth at the interval’s height is health; a ramp is an outage.',
    width: 8,
    height: 8,
    unit: 's',
    steps: [{ from: STALE_SECONDS, colour: 'red' }],
    queries: [
      {
        expr: `time() - ${ours('jim_exporter_last_successful_poll_timestamp_seconds')}`,
        legend: 'age on {{instance}}',
      },
      { expr: ours('jim_exporter_poll_interval_seconds'), legend: 'interval on {{instance}}' },
    ],
  }),
  lines({
    title: 'Duration of a poll',
    description:
      'Mean, and what 95 % stay below. Near the poll interval, polls are skipped: JIM is slow or the interval too short.',
    width: 8,
    height: 8,
    unit: 's',
    queries: [
      {
        expr: mean('instance', 'jim_exporter_poll_duration_seconds'),
        legend: 'mean on {{instance}}',
      },
      {
        expr: quantile(0.95, 'instance', 'jim_exporter_poll_duration_seconds'),
        legend: '95 % on {{instance}}',
      },
    ],
  }),
];

const requests: readonly PanelSource[] = [
  lines({
    title: 'Requests to JIM, by endpoint',
    description:
      `Requests a minute. The dashed line is the default ceiling (jim.requests_per_minute, ${DEFAULTS.requestsPerMinute}); touching it for hours means ` +
      'catching up is slow. An idle exporter needs a few a minute.',
    width: 8,
    height: 8,
    unit: 'cpm',
    stacked: true,
    steps: [{ from: DEFAULTS.requestsPerMinute, colour: 'orange' }],
    queries: [
      {
        expr: `60 * ${speed('endpoint', 'jim_exporter_api_requests_total')}`,
        legend: '{{endpoint}}',
      },
    ],
  }),
  lines({
    title: 'Answers of JIM, by code',
    description:
      'Requests a minute by status; “error” had no answer. 401 and 403 are the key, 429 is JIM’s own limit (another client may use it up), ' +
      '5xx is JIM.',
    width: 8,
    height: 8,
    unit: 'cpm',
    stacked: true,
    queries: [
      { expr: `60 * ${speed('code', 'jim_exporter_api_requests_total')}`, legend: '{{code}}' },
      {
        expr: `60 * ${speed('reason', 'jim_exporter_api_retries_total')}`,
        legend: 'tried again: {{reason}}',
        emptyWhen: 'no request was tried again',
      },
    ],
  }),
  lines({
    title: 'Time of a request',
    description:
      'Mean, and what 95 % stay below. JIM needs 40 ms to 200 ms for a page; seconds mean that its database is busy.',
    width: 8,
    height: 8,
    unit: 's',
    queries: [
      {
        expr: mean('instance', 'jim_exporter_api_request_duration_seconds'),
        legend: 'mean on {{instance}}',
      },
      {
        expr: quantile(0.95, 'instance', 'jim_exporter_api_request_duration_seconds'),
        legend: '95 % on {{instance}}',
      },
    ],
  }),
];

const inRange = (by: string, family: string) =>
  `round(sum by (${by}) (increase(${ours(family)}[$__range])))`;

const counting: readonly PanelSource[] = [
  table({
    title: 'Rows that were no plain sailing',
    description:
      'Within the time range: rows that could not be read (not counted until they can), rows that vanished while open or changed after they were ' +
      'counted, words of JIM unknown to this version, label sets folded into “(other)”, statistics given up. All may be 0 for ever; rejected and ' +
      'folded are the ones that hide runs.',
    width: 16,
    height: 7,
    sortBy: 'Rejected',
    queries: [
      { expr: inRange('instance', 'jim_exporter_activities_rejected_total') },
      { expr: inRange('instance', 'jim_exporter_activities_vanished_total') },
      { expr: inRange('instance', 'jim_exporter_activities_altered_total') },
      { expr: inRange('instance', 'jim_exporter_unrecognised_values_total') },
      { expr: inRange('instance', 'jim_exporter_label_sets_folded_total') },
      { expr: inRange('instance', 'jim_exporter_run_stats_missing_total') },
      {
        expr: `1000 * max by (instance) (${ours('jim_exporter_last_history_gap_timestamp_seconds')})`,
        emptyWhen: 'no gap was ever found',
      },
    ],
    columns: [
      { label: 'instance', title: 'Exporter' },
      { title: 'Rejected', query: 0, unit: 'short', steps: [{ from: 1, colour: 'red' }] },
      { title: 'Vanished', query: 1, unit: 'short' },
      { title: 'Altered', query: 2, unit: 'short' },
      { title: 'Unknown words', query: 3, unit: 'short', steps: [{ from: 1, colour: 'yellow' }] },
      { title: 'Folded', query: 4, unit: 'short', steps: [{ from: 1, colour: 'orange' }] },
      { title: 'Statistics missing', query: 5, unit: 'short' },
      { title: 'Last history gap', query: 6, unit: 'dateTimeFromNow' },
    ],
  }),
  lines({
    title: 'JIM’s clock less ours',
    description:
      'Seconds by which JIM’s clock is ahead. It changes no count, but ages and “running since” are wrong by as much, and certificates and ' +
      'tokens fail when it is large.',
    width: 8,
    height: 7,
    unit: 's',
    signed: true,
    base: 'orange',
    steps: [
      { from: -THRESHOLDS.clock_offset_seconds, colour: 'text' },
      { from: THRESHOLDS.clock_offset_seconds, colour: 'orange' },
    ],
    queries: [
      {
        expr: ours('jim_clock_offset_seconds'),
        legend: '{{instance}}',
        emptyWhen: 'JIM has not answered yet',
      },
    ],
  }),
  lines({
    title: 'Open Activities',
    description:
      'Activities followed until they finish. It rises with a night’s work and falls with it; a level that stays is orphans.',
    width: 6,
    height: 7,
    unit: 'short',
    queries: [{ expr: ours('jim_exporter_open_activities'), legend: '{{instance}}' }],
  }),
  lines({
    title: 'Label sets',
    description:
      `Run-profile label sets published. Beyond max_label_sets (default ${DEFAULTS.maxLabelSets}, the dashed line) further run profiles are folded into “(other)”. ` +
      'Steady growth means that names change: each old name stays for series_retention.',
    width: 6,
    height: 7,
    unit: 'short',
    steps: [{ from: DEFAULTS.maxLabelSets, colour: 'orange' }],
    queries: [{ expr: ours('jim_exporter_label_sets'), legend: '{{instance}}' }],
  }),
  lines({
    title: 'Commits of the state file',
    description:
      'Commits a minute by result. A failed one means that nothing new is counted until the disk can be written again: space, permissions, ' +
      'a read-only volume.',
    width: 6,
    height: 7,
    unit: 'cpm',
    queries: [
      {
        expr: `60 * ${speed('result', 'jim_exporter_state_commits_total')}`,
        legend: '{{result}}',
      },
    ],
  }),
  lines({
    title: 'Size of the state file',
    description:
      'It grows with the Activities remembered and the label sets, up to a few megabytes, and then stays. Growth without end would be a fault of the exporter.',
    width: 6,
    height: 7,
    unit: 'bytes',
    queries: [{ expr: ours('jim_exporter_state_size_bytes'), legend: '{{instance}}' }],
  }),
];

const collectors: readonly PanelSource[] = [
  timeline({
    title: 'Collectors',
    description:
      'Whether the last turn of each collector was good. No makes only its own panels old; what it last read leaves after three missed turns.',
    width: 12,
    height: 8,
    mappings: [YES],
    queries: [
      {
        expr: `min by (collector) (${ours('jim_exporter_collector_success')})`,
        legend: '{{collector}}',
        emptyWhen: 'every collector is off',
      },
    ],
  }),
  lines({
    title: 'Duration of the collectors',
    description:
      'How long the last turn of each took. inventory counts objects and is costly for JIM: when it takes minutes, give it a rarer schedule.',
    width: 12,
    height: 8,
    unit: 's',
    queries: [
      {
        expr: `max by (collector) (${ours('jim_exporter_collector_duration_seconds')})`,
        legend: '{{collector}}',
        emptyWhen: 'every collector is off',
      },
    ],
  }),
];

const bridge: readonly PanelSource[] = [
  lines({
    title: 'Alerts sent, by Alertmanager',
    description:
      'Alerts a minute, re-sent ones included. failed and dropped mean that this Alertmanager may not know of a failed run.',
    width: 6,
    height: 7,
    unit: 'cpm',
    queries: [
      {
        expr: `60 * ${speed('alertmanager, result', 'jim_exporter_notifications_total')}`,
        legend: '{{alertmanager}}: {{result}}',
        emptyWhen: NO_BRIDGE,
      },
    ],
  }),
  lines({
    title: 'Queue to each Alertmanager',
    description:
      'Share of the queue in use. A queue that fills is an Alertmanager that does not answer; when it is full, the oldest alerts are dropped.',
    width: 6,
    height: 7,
    unit: 'percentunit',
    steps: [{ from: THRESHOLDS.notification_queue_ratio, colour: 'orange' }],
    softMax: 1,
    queries: [
      {
        expr: `${ours('jim_exporter_notification_queue_length')} / ${ours('jim_exporter_notification_queue_capacity')}`,
        legend: '{{alertmanager}}',
        emptyWhen: NO_BRIDGE,
      },
    ],
  }),
  lines({
    title: 'Time of a sending',
    description:
      'Mean time until an Alertmanager answered. Seconds mean that it is overloaded or far away; alerts are then late.',
    width: 6,
    height: 7,
    unit: 's',
    queries: [
      {
        expr: mean('alertmanager', 'jim_exporter_notification_duration_seconds'),
        legend: '{{alertmanager}}',
        emptyWhen: NO_BRIDGE,
      },
    ],
  }),
  lines({
    title: 'Alerts held firing by the bridge',
    description:
      'Run profiles whose failure the bridge reports until their next success. It should follow “Run profiles failing” of the overview.',
    width: 6,
    height: 7,
    unit: 'short',
    queries: [
      {
        expr: `sum by (alert) (${ours('jim_exporter_alerts_firing')})`,
        legend: '{{alert}}',
        emptyWhen: NO_BRIDGE,
      },
    ],
  }),
];

const runtime: readonly PanelSource[] = [
  lines({
    title: 'CPU',
    description:
      'Share of one CPU. More than a few percent for long is catching up or a very large history.',
    width: 8,
    height: 7,
    unit: 'percentunit',
    queries: [
      {
        expr: `rate(${ours('process_cpu_seconds_total')}[$__rate_interval])`,
        legend: '{{instance}}',
        emptyWhen: NO_PROCESS,
      },
    ],
  }),
  lines({
    title: 'Memory',
    description:
      'Resident memory and the JavaScript heap in use. A saw tooth is health; a line that only rises for days is a leak.',
    width: 8,
    height: 7,
    unit: 'bytes',
    queries: [
      {
        expr: ours('process_resident_memory_bytes'),
        legend: 'resident on {{instance}}',
        emptyWhen: NO_PROCESS,
      },
      {
        expr: ours('nodejs_heap_size_used_bytes'),
        legend: 'heap on {{instance}}',
        emptyWhen: NO_PROCESS,
      },
    ],
  }),
  lines({
    title: 'File descriptors',
    description:
      'Open files and connections. Growth means that connections of scrapers or to JIM are not closed.',
    width: 8,
    height: 7,
    unit: 'short',
    queries: [
      {
        expr: ours('process_open_fds'),
        legend: '{{instance}}',
        emptyWhen: `${NO_PROCESS}, or not on Linux`,
      },
    ],
  }),
];

export const exporter: DashboardSource = {
  uid: 'jim-exporter',
  title: 'JIM / Exporter',
  description:
    'jim-exporter itself: polls, requests against the budget, what was counted, the state file, collectors, the bridge, the process.',
  from: 'now-6h',
  variables: [],
  rows: [
    { title: 'Now', panels: now },
    { title: 'Polls', panels: polls },
    { title: 'Requests to JIM', panels: requests },
    { title: 'Counting', panels: counting },
    { title: 'Collectors', panels: collectors },
    { title: 'Bridge to Alertmanager', panels: bridge },
    { title: 'Process', panels: runtime },
  ],
};
