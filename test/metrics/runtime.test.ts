import { describe, expect, it } from 'vitest';
import { CATALOGUE, RUNTIME_FAMILIES } from '../../src/metrics/catalogue.ts';
import { COLLECTORS, PROCESS_DEFAULTS } from '../../src/metrics/catalogue/process.ts';
import { OPEN_METRICS_END, writeHead, writeSamples } from '../../src/metrics/exposition.ts';
import type { Runtime, Telemetry } from '../../src/metrics/runtime.ts';
import { createRuntime } from '../../src/metrics/runtime.ts';
import { parseExposition } from './strict-parser.ts';

/** What one use of the telemetry leaves: sample lines, without HELP and TYPE, of the families named. */
async function linesAfter(use: (telemetry: Telemetry) => void, ...names: readonly string[]) {
  const runtime = createRuntime({ disableExporterMetrics: true });
  use(runtime.telemetry);
  return linesOf(runtime, ...names);
}

async function linesOf(runtime: Runtime, ...names: readonly string[]): Promise<readonly string[]> {
  for (const name of names) asserted.add(name);
  return (await runtime.read())
    .filter(({ definition }) => names.includes(definition.name))
    .flatMap(({ definition, samples }) => writeSamples(definition, samples).text.split('\n'))
    .filter((line) => line !== '');
}
const asserted = new Set<string>();
const nothing = (): void => undefined;

describe('polls', () => {
  it('count attempts, failures by reason, and how long they took', async () => {
    const use = (telemetry: Telemetry): void => {
      telemetry.pollEnded({ seconds: 0.2, failure: null });
      telemetry.pollEnded({ seconds: 31, failure: 'timeout' });
    };
    expect(await linesAfter(use, 'jim_exporter_polls_total')).toEqual([
      'jim_exporter_polls_total 2',
    ]);
    const failures = await linesAfter(use, 'jim_exporter_poll_failures_total');
    expect(failures).toEqual([
      'jim_exporter_poll_failures_total{reason="unreachable"} 0',
      'jim_exporter_poll_failures_total{reason="timeout"} 1',
      'jim_exporter_poll_failures_total{reason="unauthorized"} 0',
      'jim_exporter_poll_failures_total{reason="forbidden"} 0',
      'jim_exporter_poll_failures_total{reason="rate_limited"} 0',
      'jim_exporter_poll_failures_total{reason="server_error"} 0',
      'jim_exporter_poll_failures_total{reason="bad_response"} 0',
      'jim_exporter_poll_failures_total{reason="storage"} 0',
    ]);
    expect(await linesAfter(use, 'jim_exporter_poll_duration_seconds')).toEqual([
      'jim_exporter_poll_duration_seconds_bucket{le="0.05"} 0',
      'jim_exporter_poll_duration_seconds_bucket{le="0.1"} 0',
      'jim_exporter_poll_duration_seconds_bucket{le="0.25"} 1',
      'jim_exporter_poll_duration_seconds_bucket{le="0.5"} 1',
      'jim_exporter_poll_duration_seconds_bucket{le="1.0"} 1',
      'jim_exporter_poll_duration_seconds_bucket{le="2.5"} 1',
      'jim_exporter_poll_duration_seconds_bucket{le="5.0"} 1',
      'jim_exporter_poll_duration_seconds_bucket{le="10.0"} 1',
      'jim_exporter_poll_duration_seconds_bucket{le="30.0"} 1',
      'jim_exporter_poll_duration_seconds_bucket{le="60.0"} 2',
      'jim_exporter_poll_duration_seconds_bucket{le="120.0"} 2',
      'jim_exporter_poll_duration_seconds_bucket{le="+Inf"} 2',
      'jim_exporter_poll_duration_seconds_sum 31.2',
      'jim_exporter_poll_duration_seconds_count 2',
    ]);
  });

  it('never make a sum fall or NaN, whatever the clock does', async () => {
    const lines = await linesAfter((telemetry) => {
      telemetry.pollEnded({ seconds: -5, failure: null });
      telemetry.pollEnded({ seconds: Number.NaN, failure: null });
    }, 'jim_exporter_poll_duration_seconds');
    expect(lines.slice(-2)).toEqual([
      'jim_exporter_poll_duration_seconds_sum 0',
      'jim_exporter_poll_duration_seconds_count 2',
    ]);
  });

  it.each<
    readonly [name: string, use: (telemetry: Telemetry) => void, before: string, after: string]
  >([
    [
      'jim_exporter_activities_rejected_total',
      (t) => t.activityRejected('times'),
      '{reason="times"} 0',
      '{reason="times"} 1',
    ],
    ['jim_exporter_activities_vanished_total', (t) => t.activityVanished(), ' 0', ' 1'],
    ['jim_exporter_activities_altered_total', (t) => t.activityAltered(), ' 0', ' 1'],
    [
      'jim_exporter_unrecognised_values_total',
      (t) => t.valueUnrecognised('status'),
      '{field="status"} 0',
      '{field="status"} 1',
    ],
    ['jim_exporter_label_sets_folded_total', (t) => t.labelSetsFolded(3), ' 0', ' 3'],
    ['jim_exporter_run_stats_missing_total', (t) => t.runStatsMissing(2), ' 0', ' 2'],
    [
      'jim_exporter_state_commits_total',
      (t) => t.stateCommitted('failure'),
      '{result="failure"} 0',
      '{result="failure"} 1',
    ],
    [
      'jim_exporter_api_retries_total',
      (t) => t.requestRetried('rate_limited'),
      '{reason="rate_limited"} 0',
      '{reason="rate_limited"} 1',
    ],
  ])('%s is there at 0 and counts', async (name, use, before, after) => {
    expect(await linesAfter(nothing, name)).toContain(name + before);
    expect(await linesAfter(use, name)).toContain(name + after);
  });
});

describe('requests', () => {
  it('count by endpoint and code; the usual codes of an endpoint appear with its first request', async () => {
    const use = (telemetry: Telemetry): void => {
      telemetry.requestEnded({ endpoint: '/api/v1/activities', code: 200, seconds: 0.04 });
      telemetry.requestEnded({ endpoint: '/api/v1/activities', code: 503, seconds: 0.01 });
    };
    expect(await linesAfter(nothing, 'jim_exporter_api_requests_total')).toEqual([]);
    expect(await linesAfter(use, 'jim_exporter_api_requests_total')).toEqual([
      'jim_exporter_api_requests_total{endpoint="/api/v1/activities",code="200"} 1',
      'jim_exporter_api_requests_total{endpoint="/api/v1/activities",code="error"} 0',
      'jim_exporter_api_requests_total{endpoint="/api/v1/activities",code="503"} 1',
    ]);
    const durations = await linesAfter(use, 'jim_exporter_api_request_duration_seconds');
    expect(durations.slice(-1)).toEqual(['jim_exporter_api_request_duration_seconds_count 2']);
  });
});

describe('collectors', () => {
  it.each(COLLECTORS)('%s shows its last turn, and nothing while it is off', async (collector) => {
    const runtime = createRuntime({ disableExporterMetrics: true });
    const names = ['jim_exporter_collector_success', 'jim_exporter_collector_duration_seconds'];
    expect(await linesOf(runtime, ...names)).toEqual([]);
    runtime.telemetry.collectorEnded(collector, { success: true, seconds: 0.5 });
    runtime.telemetry.collectorEnded(collector, { success: false, seconds: 0.25 });
    expect(await linesOf(runtime, ...names)).toEqual([
      `jim_exporter_collector_success{collector="${collector}"} 0`,
      `jim_exporter_collector_duration_seconds{collector="${collector}"} 0.25`,
    ]);
    runtime.telemetry.collectorStopped(collector);
    expect(await linesOf(runtime, ...names)).toEqual([]);
  });
});

describe('notifications', () => {
  const NAMES = [
    'jim_exporter_notifications_total',
    'jim_exporter_notification_queue_length',
    'jim_exporter_notification_queue_capacity',
  ];

  it('are there at 0 for every configured Alertmanager, and count', async () => {
    expect(await linesAfter(nothing, ...NAMES)).toEqual([]);
    const lines = await linesAfter(
      (telemetry) => {
        telemetry.alertmanagersConfigured(['am:9093'], 10_000);
        telemetry.notificationsEnded('am:9093', 'sent', 7);
        telemetry.notificationsQueued('am:9093', 3);
      },
      ...NAMES,
    );
    expect(lines).toEqual([
      'jim_exporter_notifications_total{alertmanager="am:9093",result="sent"} 7',
      'jim_exporter_notifications_total{alertmanager="am:9093",result="failed"} 0',
      'jim_exporter_notifications_total{alertmanager="am:9093",result="dropped"} 0',
      'jim_exporter_notification_queue_length{alertmanager="am:9093"} 3',
      'jim_exporter_notification_queue_capacity{alertmanager="am:9093"} 10000',
    ]);
  });

  it('leave with their Alertmanager, while the counters of those that stay go on', async () => {
    const name = 'jim_exporter_notification_duration_seconds';
    const use = (telemetry: Telemetry): void => {
      telemetry.alertmanagersConfigured(['a:9093', 'b:9093'], 10);
      telemetry.notificationsEnded('b:9093', 'failed', 2);
      telemetry.notificationTook('b:9093', 0.2);
      telemetry.alertmanagersConfigured(['b:9093'], 20);
      // What the former bridge still had to say.
      telemetry.notificationsEnded('a:9093', 'dropped', 1);
      telemetry.notificationTook('a:9093', 3);
      telemetry.notificationsQueued('a:9093', 0);
    };
    const lines = await linesAfter(use, ...NAMES, name);
    expect(lines.filter((line) => line.includes('a:9093'))).toEqual([]);
    expect(lines).toContain(
      'jim_exporter_notifications_total{alertmanager="b:9093",result="failed"} 2',
    );
    expect(lines).toContain('jim_exporter_notification_queue_capacity{alertmanager="b:9093"} 20');
    expect(lines).toContain(`${name}_count{alertmanager="b:9093"} 1`);
  });
});

describe('the configuration', () => {
  const NAMES = [
    'jim_exporter_config_last_reload_successful',
    'jim_exporter_config_last_reload_success_timestamp_seconds',
  ];

  it('shows its last load, and keeps the time of the last good one', async () => {
    expect(await linesAfter(nothing, ...NAMES)).toEqual([]);
    const lines = await linesAfter(
      (telemetry) => {
        telemetry.configLoaded({ success: true, atMs: 1_500 });
        telemetry.configLoaded({ success: false, atMs: 9_000 });
      },
      ...NAMES,
    );
    expect(lines).toEqual([
      'jim_exporter_config_last_reload_successful 0',
      'jim_exporter_config_last_reload_success_timestamp_seconds 1.5',
    ]);
  });
});

describe('the process', () => {
  it('shows the safe ones of process_* and nodejs_*, which a strict parser reads in both formats', async () => {
    const families = await createRuntime({ disableExporterMetrics: false }).read();
    const names = families.map(({ definition }) => definition.name);
    for (const name of PROCESS_DEFAULTS) expect(names).toContain(name);
    const known = new Set([...CATALOGUE.map(({ name }) => name), ...PROCESS_DEFAULTS]);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    const shown = families.filter(({ samples }) => samples.length > 0);
    const pageOf = (format: 'text' | 'openMetrics'): string =>
      shown
        .map(({ definition, samples }) =>
          writeHead(definition)[format].concat(writeSamples(definition, samples)[format]),
        )
        .join('');
    const text = parseExposition(pageOf('text'), 'text');
    const openMetrics = parseExposition(pageOf('openMetrics') + OPEN_METRICS_END, 'openmetrics');
    expect([...openMetrics.series.keys()]).toEqual([...text.series.keys()]);
  });

  it('shows none of them with --web.disable-exporter-metrics, but all of its own', async () => {
    const families = await createRuntime({ disableExporterMetrics: true }).read();
    const names = families.map(({ definition }) => definition.name);
    expect(names.toSorted()).toEqual(RUNTIME_FAMILIES.map(({ name }) => name).toSorted());
  });

  it('has definitions that are the catalogue’s own', async () => {
    for (const { definition } of await createRuntime({ disableExporterMetrics: true }).read())
      expect(RUNTIME_FAMILIES).toContain(definition);
  });
});

it('every family of the process is asserted above', () => {
  expect(RUNTIME_FAMILIES.map(({ name }) => name).filter((name) => !asserted.has(name))).toEqual(
    [],
  );
});
