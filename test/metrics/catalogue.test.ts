/** The catalogue against the design's table, written out here by hand, and against the field's conventions. */
import { describe, expect, it } from 'vitest';
import { REJECT_REASONS } from '../../src/jim/row.ts';
import { WORD_FIELDS } from '../../src/jim/words.ts';
import { CATALOGUE, RUNTIME_FAMILIES, SNAPSHOT_FAMILIES } from '../../src/metrics/catalogue.ts';
import { ZERO_HOLD_HELP } from '../../src/metrics/catalogue/help.ts';
import {
  POLL_FAILURE_REASONS,
  PROCESS_DEFAULTS,
  REJECTION_REASONS,
  REQUEST_FAILURE_REASONS,
  UNRECOGNISED_FIELDS,
} from '../../src/metrics/catalogue/process.ts';
import { FAILURE_REASONS } from '../../src/request-error.ts';

const R = 'connected_system,run_profile,run_type';
/** design.md, section 4: name, type, labels. */
const DESIGN: readonly (readonly [name: string, type: string, labels: string])[] = [
  ['jim_up', 'gauge', ''],
  ['jim_info', 'gauge', 'version'],
  ['jim_ready', 'gauge', ''],
  ['jim_maintenance_mode', 'gauge', ''],
  ['jim_clock_offset_seconds', 'gauge', ''],
  ['jim_activities_total', 'counter', 'target_type,operation,status,connected_system'],
  ['jim_activity_errors_total', 'counter', 'target_type,operation,connected_system'],
  ['jim_activities_in_progress', 'gauge', 'target_type,operation,connected_system'],
  ['jim_activities_orphaned', 'gauge', 'target_type,operation,connected_system'],
  ['jim_activity_consecutive_failures', 'gauge', 'target_type,operation'],
  ['jim_activity_last_success_timestamp_seconds', 'gauge', 'target_type,operation'],
  [
    'jim_activities_in_progress_since_timestamp_seconds',
    'gauge',
    'target_type,operation,connected_system',
  ],
  ['jim_authentication_events_total', 'counter', 'event'],
  ['jim_runs_total', 'counter', `${R},status`],
  ['jim_run_errors_total', 'counter', R],
  ['jim_run_objects_total', 'counter', `${R},outcome`],
  ['jim_run_duration_seconds', 'histogram', R],
  ['jim_run_queue_seconds_total', 'counter', R],
  ['jim_run_objects_processed_total', 'counter', R],
  ['jim_run_objects_unchanged_total', 'counter', R],
  ['jim_run_export_confirmations_total', 'counter', `${R},result`],
  ['jim_run_last_status', 'gauge', `${R},status`],
  ['jim_run_last_completion_timestamp_seconds', 'gauge', R],
  ['jim_run_last_success_timestamp_seconds', 'gauge', R],
  ['jim_run_last_duration_seconds', 'gauge', R],
  ['jim_run_last_errors', 'gauge', R],
  ['jim_run_last_objects_processed', 'gauge', R],
  ['jim_run_last_success_duration_seconds', 'gauge', R],
  ['jim_run_last_failure_info', 'gauge', `${R},cause`],
  ['jim_run_last_objects', 'gauge', `${R},outcome`],
  ['jim_run_last_errors_by_type', 'gauge', `${R},error_type`],
  ['jim_run_consecutive_failures', 'gauge', R],
  ['jim_run_in_progress', 'gauge', `${R},state`],
  ['jim_run_running_since_timestamp_seconds', 'gauge', R],
  ['jim_run_progress_timestamp_seconds', 'gauge', R],
  ['jim_worker_tasks', 'gauge', 'status'],
  ['jim_worker_tasks_oldest_timestamp_seconds', 'gauge', 'status'],
  ['jim_schedule_enabled', 'gauge', 'schedule'],
  ['jim_schedule_last_run_timestamp_seconds', 'gauge', 'schedule'],
  ['jim_schedule_next_run_timestamp_seconds', 'gauge', 'schedule'],
  ['jim_schedule_last_due_timestamp_seconds', 'gauge', 'schedule'],
  ['jim_schedule_previous_due_timestamp_seconds', 'gauge', 'schedule'],
  ['jim_schedule_run_profile_info', 'gauge', `schedule,${R}`],
  ['jim_schedule_last_execution_status', 'gauge', 'schedule,status'],
  ['jim_schedule_in_progress_since_timestamp_seconds', 'gauge', 'schedule'],
  ['jim_connected_system_objects', 'gauge', 'connected_system'],
  ['jim_connected_system_joined_objects', 'gauge', 'connected_system'],
  ['jim_connected_system_pending_exports', 'gauge', 'connected_system'],
  ['jim_certificate_expiry_timestamp_seconds', 'gauge', 'certificate'],
  ['jim_exporter_build_info', 'gauge', 'version,revision,node_version'],
  ['jim_exporter_polls_total', 'counter', ''],
  ['jim_exporter_poll_failures_total', 'counter', 'reason'],
  ['jim_exporter_poll_duration_seconds', 'histogram', ''],
  ['jim_exporter_last_poll_timestamp_seconds', 'gauge', ''],
  ['jim_exporter_last_successful_poll_timestamp_seconds', 'gauge', ''],
  ['jim_exporter_caught_up', 'gauge', ''],
  ['jim_exporter_open_activities', 'gauge', ''],
  ['jim_exporter_label_sets', 'gauge', ''],
  ['jim_exporter_api_requests_total', 'counter', 'endpoint,code'],
  ['jim_exporter_api_request_duration_seconds', 'histogram', ''],
  ['jim_exporter_api_retries_total', 'counter', 'reason'],
  ['jim_exporter_activities_rejected_total', 'counter', 'reason'],
  ['jim_exporter_activities_vanished_total', 'counter', ''],
  ['jim_exporter_activities_altered_total', 'counter', ''],
  ['jim_exporter_unrecognised_values_total', 'counter', 'field'],
  ['jim_exporter_label_sets_folded_total', 'counter', ''],
  ['jim_exporter_run_stats_missing_total', 'counter', ''],
  ['jim_exporter_last_history_gap_timestamp_seconds', 'gauge', ''],
  ['jim_exporter_poll_interval_seconds', 'gauge', ''],
  ['jim_exporter_collector_success', 'gauge', 'collector'],
  ['jim_exporter_collector_duration_seconds', 'gauge', 'collector'],
  ['jim_exporter_state_commits_total', 'counter', 'result'],
  ['jim_exporter_state_size_bytes', 'gauge', ''],
  ['jim_exporter_notifications_total', 'counter', 'alertmanager,result'],
  ['jim_exporter_notification_queue_length', 'gauge', 'alertmanager'],
  ['jim_exporter_notification_queue_capacity', 'gauge', 'alertmanager'],
  ['jim_exporter_notification_duration_seconds', 'histogram', 'alertmanager'],
  ['jim_exporter_alerts_firing', 'gauge', 'alert'],
  ['jim_exporter_config_last_reload_successful', 'gauge', ''],
  ['jim_exporter_config_last_reload_success_timestamp_seconds', 'gauge', ''],
];

const byName = (a: readonly string[], b: readonly string[]): number =>
  (a[0] ?? '') < (b[0] ?? '') ? -1 : 1;

describe('the catalogue', () => {
  it('has every metric of the design, with its type and labels, and no other', () => {
    const has = CATALOGUE.map(({ name, type, labels }) => [name, type, labels.join(',')]);
    expect(has.toSorted(byName)).toEqual(DESIGN.map((row) => [...row]).toSorted(byName));
  });

  it('knows the closed sets of those who report: reasons, rejections, fields', () => {
    expect(REQUEST_FAILURE_REASONS).toEqual(FAILURE_REASONS);
    expect(POLL_FAILURE_REASONS).toEqual([...FAILURE_REASONS, 'storage']);
    expect(REJECTION_REASONS).toEqual(REJECT_REASONS);
    expect(UNRECOGNISED_FIELDS).toEqual(WORD_FIELDS);
  });
});

describe.each(CATALOGUE.map((family) => [family.name, family] as const))('%s', (_, family) => {
  it('is named as the field names metrics', () => {
    expect(family.name).toMatch(/^jim_[a-z]+(_[a-z]+)*$/);
    expect(family.name.endsWith('_total')).toBe(family.type === 'counter');
    expect(family.name).not.toMatch(/_(count|sum|bucket)$/);
    // Base units only, and no word for a type.
    expect(family.name).not.toMatch(/(milliseconds|_ms|minutes|hours|days|_kb|percent|gauge)/);
    expect(family.name.includes('timestamp')).toBe(family.name.endsWith('_timestamp_seconds'));
  });

  it('has labels that neither servers, rules nor operators use', () => {
    const taken = ['job', 'instance', 'le', 'quantile', 'type', 'alertname', 'severity'];
    const operators = ['env', 'region', 'zone', 'cluster', 'service', 'owner', 'customer', 'stage'];
    for (const label of family.labels) {
      expect(label).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect([...taken, ...operators]).not.toContain(label);
    }
    expect(new Set(family.labels).size).toBe(family.labels.length);
  });

  it('has a HELP of whole sentences on one line', () => {
    expect(family.help).toMatch(/^[A-Z0-9][^\n"\\]{20,}\.$/);
    expect(family.help).not.toContain('  ');
  });
});

describe('HELP', () => {
  it('says of everything that comes from JIM that it is polled, asked or read', () => {
    const silent = SNAPSHOT_FAMILIES.filter(
      ({ name, help }) =>
        !name.startsWith('jim_exporter_') && !/\b(poll|polled|asked|read)\b/i.test(help),
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('says of every counter of the ledger, and of the durations, that gauges run ahead of it', () => {
    const counted = SNAPSHOT_FAMILIES.filter(({ type }) => type !== 'gauge');
    expect(counted.length).toBe(11);
    for (const { help } of counted) expect(help).toContain(ZERO_HOLD_HELP);
  });

  it('is different for every metric', () => {
    expect(new Set(CATALOGUE.map(({ help }) => help)).size).toBe(CATALOGUE.length);
  });
});

describe('what prom-client adds', () => {
  it('leaves out what fails promtool or spoils itself when two servers scrape', () => {
    const names = PROCESS_DEFAULTS.join(' ');
    expect(names).not.toMatch(/nodejs_active|eventloop/);
    for (const name of PROCESS_DEFAULTS) expect(name).toMatch(/^(process|nodejs)_/);
  });

  it('is kept apart from the snapshot: counters of the process come from nowhere else', () => {
    const snapshotNames = new Set(SNAPSHOT_FAMILIES.map(({ name }) => name));
    expect(RUNTIME_FAMILIES.filter(({ name }) => snapshotNames.has(name))).toEqual([]);
    expect(
      SNAPSHOT_FAMILIES.filter(
        ({ name, type }) => name.startsWith('jim_exporter') && type !== 'gauge',
      ),
    ).toEqual([]);
  });
});
