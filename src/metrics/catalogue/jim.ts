/** JIM itself: whether it answers, its version, readiness, clock, worker queue, connected systems and certificates. */
import type { Instant } from '../../jim/activity.ts';
import { earlier, toSeconds } from '../../jim/activity.ts';
import { OTHER } from '../../ledger/ledger.ts';
import type { ConnectedSystemReading, Readings, Snapshot, WorkerTask } from '../snapshot.ts';
import { WORKER_TASK_STATUSES } from '../snapshot.ts';
import type { SnapshotFamily } from './family.ts';
import { family, sample, sampleIfKnown, singleGauge } from './family.ts';

/** A reading that was never made, is switched off or went stale has no samples. */
function present<Value extends object>(value: Value | null): readonly Value[] {
  return value === null ? [] : [value];
}

const SERVER: readonly SnapshotFamily[] = [
  singleGauge(
    'jim_up',
    "Whether JIM answered the last poll of its Activities completely (1) or not (0). The exporter's own disk has its own metrics.",
    ({ jim }) => jim,
    ({ up }) => (up ? 1 : 0),
  ),
  family('jim_info', {
    type: 'gauge',
    labels: ['version'],
    help: "Always 1; the version is JIM's own answer of /health/version, asked hourly and after each reconnect.",
    from: ({ jim }) => [jim],
    samples: ({ version }) => (version === null ? [] : [sample([version], 1)]),
  }),
  family('jim_ready', {
    type: 'gauge',
    labels: [],
    help: 'Whether the last polled /health/ready of JIM said ready (1) or not (0); absent while it cannot be asked.',
    from: ({ readings }) => present(readings.health),
    samples: ({ ready }) => [sample([], ready ? 1 : 0)],
  }),
  family('jim_maintenance_mode', {
    type: 'gauge',
    labels: [],
    help: 'Whether the last polled /health/ready of JIM gave the reason maintenance_mode (1) or not (0); absent while it cannot be asked.',
    from: ({ readings }) => present(readings.health),
    samples: ({ maintenance }) => [sample([], maintenance ? 1 : 0)],
  }),
  singleGauge(
    'jim_clock_offset_seconds',
    "JIM's Date header of the last poll, in whole seconds, less the exporter's clock: positive where JIM's clock is ahead.",
    ({ jim }) => jim,
    ({ clockOffsetSeconds }) => clockOffsetSeconds,
  ),
];

const WORKER: readonly SnapshotFamily[] = [
  family('jim_worker_tasks', {
    type: 'gauge',
    labels: ['status'],
    help: "Tasks in the worker's queue by status, from the last polled /worker-tasks (JIM 0.13 and later).",
    from: ({ readings }) => present(readings.workerTasks),
    samples: (tasks) =>
      WORKER_TASK_STATUSES.map((status) =>
        sample([status], tasks.filter((task) => task.status === status).length),
      ),
  }),
  family('jim_worker_tasks_oldest_timestamp_seconds', {
    type: 'gauge',
    labels: ['status'],
    help: "The timestamp of the oldest task in the worker's queue by status, from the last polled /worker-tasks; absent where there is none.",
    from: ({ readings }) => present(readings.workerTasks),
    samples: (tasks) =>
      WORKER_TASK_STATUSES.flatMap((status) => sampleIfKnown([status], oldest(tasks, status))),
  }),
];

function oldest(tasks: readonly WorkerTask[], status: string): number | null {
  const moments = tasks.filter((task) => task.status === status).map((task) => task.timestamp);
  return moments.length === 0 ? null : toSeconds(moments.reduce(earlier));
}

/** Two connected systems whose names became equal are one label set: their numbers add up. */
function systemsByName(
  systems: NonNullable<Readings['connectedSystems']>,
  count: (system: ConnectedSystemReading) => number,
): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const system of systems) {
    if (system.name === OTHER) continue;
    sums.set(system.name, (sums.get(system.name) ?? 0) + count(system));
  }
  return sums;
}

function connectedSystemGauge(
  name: string,
  help: string,
  count: (system: ConnectedSystemReading) => number,
): SnapshotFamily {
  return family(name, {
    type: 'gauge',
    labels: ['connected_system'],
    help: `${help} of the last polled /synchronisation/connected-systems (collector inventory).`,
    from: ({ readings }) => present(readings.connectedSystems),
    samples: (systems) =>
      [...systemsByName(systems, count)].map(([system, value]) => sample([system], value)),
  });
}

const CONNECTED_SYSTEMS: readonly SnapshotFamily[] = [
  connectedSystemGauge(
    'jim_connected_system_objects',
    'Objects held of the connected system: objectCount',
    ({ objects }) => objects,
  ),
  connectedSystemGauge(
    'jim_connected_system_joined_objects',
    'Objects joined to an identity: connectorsCount',
    ({ joinedObjects }) => joinedObjects,
  ),
  connectedSystemGauge(
    'jim_connected_system_pending_exports',
    'Changes waiting to be exported: pendingExportObjectsCount',
    ({ pendingExports }) => pendingExports,
  ),
];

const CERTIFICATES: readonly SnapshotFamily[] = [
  family('jim_certificate_expiry_timestamp_seconds', {
    type: 'gauge',
    labels: ['certificate'],
    help: 'When a certificate trusted by JIM expires, from the last polled /certificates; of several with one name, the first to expire.',
    from: ({ readings }: Snapshot) => present(readings.certificates),
    samples: (certificates) =>
      [...firstExpiries(certificates)].map(([name, expiry]) => sample([name], toSeconds(expiry))),
  }),
];

function firstExpiries(
  certificates: NonNullable<Readings['certificates']>,
): ReadonlyMap<string, Instant> {
  const expiries = new Map<string, Instant>();
  for (const { name, expiry } of certificates) {
    if (name === OTHER) continue;
    expiries.set(name, earlier(expiry, expiries.get(name) ?? expiry));
  }
  return expiries;
}

export const JIM_SERVER_FAMILIES = SERVER;
export const JIM_STATE_FAMILIES: readonly SnapshotFamily[] = [
  ...WORKER,
  ...CONNECTED_SYSTEMS,
  ...CERTIFICATES,
];
