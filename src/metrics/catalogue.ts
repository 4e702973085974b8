/**
 * Every metric this exporter has, in the order of the design's table: the one place where the exposition,
 * the README's reference, the dashboards' and the alert rules' checks look.
 */
import { ACTIVITY_FAMILIES } from './catalogue/activities.ts';
import { EXPORTER_STATE_FAMILIES } from './catalogue/exporter.ts';
import type { Family, RuntimeFamily, SnapshotFamily } from './catalogue/family.ts';
import { JIM_SERVER_FAMILIES, JIM_STATE_FAMILIES } from './catalogue/jim.ts';
import { LAST_RUN_FAMILIES } from './catalogue/last-runs.ts';
import { OPEN_RUN_FAMILIES } from './catalogue/open-runs.ts';
import { PROCESS } from './catalogue/process.ts';
import { RUN_COUNTER_FAMILIES } from './catalogue/runs.ts';
import { SCHEDULE_FAMILIES } from './catalogue/schedules.ts';

/** Computed from the snapshot at each publication. */
export const SNAPSHOT_FAMILIES: readonly SnapshotFamily[] = [
  ...JIM_SERVER_FAMILIES,
  ...ACTIVITY_FAMILIES,
  ...RUN_COUNTER_FAMILIES,
  ...LAST_RUN_FAMILIES,
  ...OPEN_RUN_FAMILIES,
  ...SCHEDULE_FAMILIES,
  ...JIM_STATE_FAMILIES,
  ...EXPORTER_STATE_FAMILIES,
];

/** Counted while the process lives. */
export const RUNTIME_FAMILIES: readonly RuntimeFamily[] = Object.values(PROCESS);

export const CATALOGUE: readonly Family[] = [...SNAPSHOT_FAMILIES, ...RUNTIME_FAMILIES];
