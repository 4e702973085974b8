import { describe, expect, it } from 'vitest';
import { type Activity, isRun, OUTCOMES, timesOf } from '../../src/jim/activity.ts';
import { readEnvelope } from '../../src/jim/wire-schema.ts';
import { readRows } from '../../src/jim/wire.ts';
import {
  recording,
  recordingNames,
  RECORDED_VERSIONS,
  type RecordedVersion,
} from './recordings.ts';

function recordedActivities(version: RecordedVersion, lists: readonly string[]): Activity[] {
  const byId = new Map<string, Activity>();
  for (const name of lists) {
    const page = readEnvelope(recording(version, name));
    if (!page.ok) throw new Error(`${version}/${name}: ${page.fault}`);
    const rows = readRows(page.value.rows);
    expect(rows.rejected, `${version}/${name}`).toEqual([]);
    for (const activity of rows.activities) byId.set(activity.id, activity);
  }
  return [...byId.values()];
}

describe('every recorded list row parses', () => {
  it.each(RECORDED_VERSIONS)('%s', (version) => {
    expect(recordedActivities(version, recordingNames(version, 'list-')).length).toBeGreaterThan(
      60,
    );
  });
});

describe('totals of the distinct rows of a recording', () => {
  const counted = [
    'list-desc-page-1.json',
    'list-desc-page-2.json',
    'list-with-CompleteWithWarning.json',
  ];

  it.each([
    {
      version: '0.14' as const,
      ids: 86,
      runs: {
        Complete: 15,
        CompleteWithWarning: 1,
        CompleteWithError: 2,
        FailedWithError: 5,
        Cancelled: 3,
      },
      errors: 305,
      durations: 23,
      durationMicros: 40_779_177,
      queueMicros: 155_321_626,
    },
    {
      version: 'main' as const,
      ids: 84,
      runs: undefined,
      errors: undefined,
      durations: 23,
      durationMicros: 42_450_228,
      queueMicros: 160_709_318,
    },
    {
      version: '0.12' as const,
      ids: 66,
      runs: { Complete: 11, CompleteWithError: 1, FailedWithError: 1 },
      errors: 153,
      durations: 13,
      durationMicros: 17_387_799,
      queueMicros: 48_577_246,
    },
  ])('$version', ({ version, ids, runs, errors, durations, durationMicros, queueMicros }) => {
    const names = counted.filter((name) => recordingNames(version, name).length > 0);
    const activities = recordedActivities(version, names);
    expect(activities).toHaveLength(ids);
    expect(activities.filter((one) => one.targetType === 'SyncRule')).toEqual([]);
    const finished = activities.filter(isRun);
    const statuses: Record<string, number> = {};
    for (const { status } of finished) statuses[status] = (statuses[status] ?? 0) + 1;
    if (runs !== undefined) expect(statuses).toEqual(runs);
    if (errors !== undefined) expect(sum(finished.map((run) => run.errors))).toBe(errors);
    const times = finished.map(timesOf);
    const ran = times.flatMap(({ duration }) => (duration === null ? [] : [duration]));
    expect(ran).toHaveLength(durations);
    expect(sum(ran)).toBe(durationMicros);
    expect(sum(times.map(({ queue }) => queue))).toBe(queueMicros);
  });

  it('0.14: objects by outcome', () => {
    const runs = recordedActivities('0.14', counted).filter(isRun);
    const totals = Object.fromEntries(
      OUTCOMES.map((outcome) => [outcome, sum(runs.map((run) => run.outcomes[outcome]))]),
    );
    expect(totals).toEqual({
      Added: 12400,
      Updated: 325,
      Deleted: 750,
      Projected: 300,
      Joined: 100,
      AttributeFlows: 570,
      Disconnected: 150,
      DisconnectedOutOfScope: 0,
      OutOfScopeRetainJoin: 0,
      DriftCorrections: 0,
      Provisioned: 300,
      Exported: 450,
      Deprovisioned: 0,
      Created: 0,
      PendingExports: 300,
    });
  });
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
