/** The exporter itself, as far as it is a value: its build, polls, ledger and alerts. Its counters are in `process.ts`. */
import type { Snapshot } from '../snapshot.ts';
import type { SnapshotFamily } from './family.ts';
import { family, sample, secondsOf, singleGauge } from './family.ts';

/** The bridge's own alert is always shown, so that "holds none" is 0 and not absent. */
const BRIDGE_ALERT = 'JimRunUnsuccessful';

function firingByAlert({ ledger }: Snapshot): Iterable<{ alert: string; firing: number }> {
  const firing = new Map([[BRIDGE_ALERT, 0]]);
  for (const { labels, resolvedAtMs } of ledger.alerts.values()) {
    const alert = labels['alertname'] ?? BRIDGE_ALERT;
    firing.set(alert, (firing.get(alert) ?? 0) + (resolvedAtMs === null ? 1 : 0));
  }
  return Array.from(firing, ([alert, count]) => ({ alert, firing: count }));
}

export const EXPORTER_STATE_FAMILIES: readonly SnapshotFamily[] = [
  family('jim_exporter_build_info', {
    type: 'gauge',
    labels: ['version', 'revision', 'node_version'],
    help: 'Always 1; the version and the source revision of this exporter, and the Node.js it runs on.',
    from: ({ build }) => [build],
    samples: ({ version, revision, nodeVersion }) => [sample([version, revision, nodeVersion], 1)],
  }),
  singleGauge(
    'jim_exporter_last_poll_timestamp_seconds',
    'When the exporter last ended a poll of JIM, successful or not.',
    ({ poll }) => poll,
    ({ lastPollMs }) => secondsOf(lastPollMs),
  ),
  singleGauge(
    'jim_exporter_last_successful_poll_timestamp_seconds',
    'When the exporter last polled JIM completely: the age of everything that is polled.',
    ({ poll }) => poll,
    ({ lastSuccessfulPollMs }) => secondsOf(lastSuccessfulPollMs),
  ),
  singleGauge(
    'jim_exporter_poll_interval_seconds',
    'Seconds between two polls, from poll.schedule.',
    ({ poll }) => poll,
    ({ intervalSeconds }) => intervalSeconds,
  ),
  singleGauge(
    'jim_exporter_caught_up',
    'Whether all Activities that JIM lists as finished were read (1), or older ones are still being read (0).',
    ({ poll }) => poll,
    ({ caughtUp }) => (caughtUp ? 1 : 0),
  ),
  singleGauge(
    'jim_exporter_open_activities',
    'Activities that the ledger follows until they finish, orphans and those that still settle among them.',
    ({ ledger }) => ledger.open,
    ({ size }) => size,
  ),
  singleGauge(
    'jim_exporter_label_sets',
    'Run-profile label sets that were admitted, of at most poll.max_label_sets.',
    ({ ledger }) => ledger.labels.runs,
    ({ size }) => size,
  ),
  singleGauge(
    'jim_exporter_last_history_gap_timestamp_seconds',
    'When the exporter last found that JIM may have deleted rows before they were read; absent if it never did.',
    ({ ledger }) => ledger,
    ({ lastHistoryGapMs }) => secondsOf(lastHistoryGapMs),
  ),
  singleGauge(
    'jim_exporter_state_size_bytes',
    'Size of the state file; 0 without one.',
    (snapshot) => snapshot,
    ({ stateSizeBytes }) => stateSizeBytes,
  ),
  family('jim_exporter_alerts_firing', {
    type: 'gauge',
    labels: ['alert'],
    help: 'Alerts that the bridge to Alertmanager holds firing, by alert name.',
    from: firingByAlert,
    samples: ({ alert, firing }) => [sample([alert], firing)],
  }),
];
