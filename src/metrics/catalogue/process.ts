/**
 * The exporter itself, as it works: counters and durations that start at 0 with the process. `runtime.ts`
 * keeps their values; here are their names and the closed sets of their label values.
 */
import type { RuntimeFamily } from './family.ts';

/** Why a request to JIM failed, and with it a poll, or why it was sent again. */
export const REQUEST_FAILURE_REASONS = [
  'unreachable',
  'timeout',
  'unauthorized',
  'forbidden',
  'rate_limited',
  'server_error',
  'bad_response',
] as const;
export type RequestFailureReason = (typeof REQUEST_FAILURE_REASONS)[number];

/** Why a poll failed: JIM's side first, our own disk last. */
export const POLL_FAILURE_REASONS = [...REQUEST_FAILURE_REASONS, 'storage'] as const;
export type PollFailureReason = (typeof POLL_FAILURE_REASONS)[number];

/** What of a row could not be read. */
export const REJECTION_REASONS = [
  'not_an_object',
  'id',
  'created',
  'status',
  'times',
  'totals',
  'other',
] as const;
export type RejectionReason = (typeof REJECTION_REASONS)[number];

/** Fields whose enum words may be unknown to us. */
export const UNRECOGNISED_FIELDS = [
  'status',
  'targetType',
  'operation',
  'runType',
  'errorType',
] as const;
export type UnrecognisedField = (typeof UNRECOGNISED_FIELDS)[number];

export const COMMIT_RESULTS = ['success', 'failure'] as const;
export type CommitResult = (typeof COMMIT_RESULTS)[number];

export const COLLECTORS = [
  'progress',
  'worker_tasks',
  'health',
  'run_stats',
  'error_types',
  'failure_causes',
  'schedules',
  'inventory',
  'certificates',
] as const;
export type CollectorName = (typeof COLLECTORS)[number];

export const NOTIFICATION_RESULTS = ['sent', 'failed', 'dropped'] as const;
export type NotificationResult = (typeof NOTIFICATION_RESULTS)[number];

const REQUEST_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
const POLL_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120] as const;

/** By the part of the exporter that counts them. */
export const PROCESS = {
  polls: {
    source: 'runtime',
    name: 'jim_exporter_polls_total',
    type: 'counter',
    labels: [],
    help: 'Polls of JIM that were attempted, since the exporter started.',
  },
  pollFailures: {
    source: 'runtime',
    name: 'jim_exporter_poll_failures_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Polls that failed, by reason, since the exporter started; storage is the state file, everything else JIM.',
  },
  pollDuration: {
    source: 'runtime',
    name: 'jim_exporter_poll_duration_seconds',
    type: 'histogram',
    labels: [],
    help: 'How long polls took, successful or not, from the first request to the commit.',
    buckets: POLL_BUCKETS,
  },
  requests: {
    source: 'runtime',
    name: 'jim_exporter_api_requests_total',
    type: 'counter',
    labels: ['endpoint', 'code'],
    help: "Requests sent to JIM's API by endpoint template and HTTP status; error where no status came.",
  },
  requestDuration: {
    source: 'runtime',
    name: 'jim_exporter_api_request_duration_seconds',
    type: 'histogram',
    labels: [],
    help: "How long requests to JIM's API took, from sending to the last byte or the failure.",
    buckets: REQUEST_BUCKETS,
  },
  retries: {
    source: 'runtime',
    name: 'jim_exporter_api_retries_total',
    type: 'counter',
    labels: ['reason'],
    help: "Requests to JIM's API that were sent again, by why the attempt before failed.",
  },
  rejected: {
    source: 'runtime',
    name: 'jim_exporter_activities_rejected_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Polled rows of Activities that could not be read, each counted once, by what was unreadable; the others of their page counted.',
  },
  vanished: {
    source: 'runtime',
    name: 'jim_exporter_activities_vanished_total',
    type: 'counter',
    labels: [],
    help: 'Open Activities that JIM no longer has (a polled detail answered NOT_FOUND): retention or a factory reset.',
  },
  altered: {
    source: 'runtime',
    name: 'jim_exporter_activities_altered_total',
    type: 'counter',
    labels: [],
    help: 'Polled Activities that JIM changed after they were counted; what was counted stays counted.',
  },
  unrecognised: {
    source: 'runtime',
    name: 'jim_exporter_unrecognised_values_total',
    type: 'counter',
    labels: ['field'],
    help: "Words of JIM's enums that this exporter does not know, each counted once, by the polled field.",
  },
  folded: {
    source: 'runtime',
    name: 'jim_exporter_label_sets_folded_total',
    type: 'counter',
    labels: [],
    help: 'Label sets beyond poll.max_label_sets that were folded into (other), each counted once.',
  },
  runStatsMissing: {
    source: 'runtime',
    name: 'jim_exporter_run_stats_missing_total',
    type: 'counter',
    labels: [],
    help: 'Finished runs whose /stats could not be polled within an hour: the counters that come from it lack them.',
  },
  collectorSuccess: {
    source: 'runtime',
    name: 'jim_exporter_collector_success',
    type: 'gauge',
    labels: ['collector'],
    help: 'Whether the last turn of a collector succeeded (1) or not (0); absent while it is off.',
  },
  collectorDuration: {
    source: 'runtime',
    name: 'jim_exporter_collector_duration_seconds',
    type: 'gauge',
    labels: ['collector'],
    help: 'How long the last turn of a collector took; absent while it is off.',
  },
  commits: {
    source: 'runtime',
    name: 'jim_exporter_state_commits_total',
    type: 'counter',
    labels: ['result'],
    help: 'Replacements of the state file, by result (success, failure).',
  },
  notifications: {
    source: 'runtime',
    name: 'jim_exporter_notifications_total',
    type: 'counter',
    labels: ['alertmanager', 'result'],
    help: 'Alerts handed to an Alertmanager (host:port), by result: sent, failed, or dropped because its queue was full.',
  },
  notificationQueueLength: {
    source: 'runtime',
    name: 'jim_exporter_notification_queue_length',
    type: 'gauge',
    labels: ['alertmanager'],
    help: 'Alerts waiting to be sent to an Alertmanager.',
  },
  notificationQueueCapacity: {
    source: 'runtime',
    name: 'jim_exporter_notification_queue_capacity',
    type: 'gauge',
    labels: ['alertmanager'],
    help: 'How many alerts can wait for an Alertmanager before the oldest are dropped.',
  },
  notificationDuration: {
    source: 'runtime',
    name: 'jim_exporter_notification_duration_seconds',
    type: 'histogram',
    labels: ['alertmanager'],
    help: 'How long requests to an Alertmanager took, successful or not.',
    buckets: REQUEST_BUCKETS,
  },
  reloadSuccessful: {
    source: 'runtime',
    name: 'jim_exporter_config_last_reload_successful',
    type: 'gauge',
    labels: [],
    help: 'Whether the last load of the configuration succeeded (1) or the old one was kept (0).',
  },
  reloadSuccessTime: {
    source: 'runtime',
    name: 'jim_exporter_config_last_reload_success_timestamp_seconds',
    type: 'gauge',
    labels: [],
    help: 'When the configuration was last loaded successfully.',
  },
} as const satisfies Readonly<Record<string, RuntimeFamily>>;

/**
 * What prom-client knows of the process and is safe to show: its three `nodejs_active_*_total` gauges
 * fail promtool, its event-loop lag resets whenever somebody looks, and `type` is no label name of ours.
 */
export const PROCESS_DEFAULTS: readonly string[] = [
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_virtual_memory_bytes',
  'process_heap_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_heap_space_size_total_bytes',
  'nodejs_heap_space_size_used_bytes',
  'nodejs_heap_space_size_available_bytes',
  'nodejs_version_info',
  'nodejs_gc_duration_seconds',
];
