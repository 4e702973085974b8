/** JIM's schedules: when they are due, what they run and how their last execution ended. */
import type { Instant } from '../../jim/activity.ts';
import { earlier, later, toSeconds } from '../../jim/activity.ts';
import type { RunLabels, ScheduleDues } from '../../ledger/ledger.ts';
import { OTHER, runKey } from '../../ledger/ledger.ts';
import type { ScheduleReading, Snapshot } from '../snapshot.ts';
import { SCHEDULE_EXECUTION_STATUSES } from '../snapshot.ts';
import type { Sample, SnapshotFamily } from './family.ts';
import { family, sample, sampleIfKnown } from './family.ts';
import { RUN_LABELS, runLabelValues } from './runs.ts';

type Schedule = Omit<ScheduleReading, 'id'>;

function laterOf(a: Instant | null, b: Instant | null): Instant | null {
  return a === null || b === null ? (a ?? b) : later(a, b);
}
function earlierOf(a: Instant | null, b: Instant | null): Instant | null {
  return a === null || b === null ? (a ?? b) : earlier(a, b);
}

/** Two schedules whose names became equal are one label set: it tells of whatever needs attention. */
function merged(a: Schedule, b: Schedule): Schedule {
  const newest = (b.lastRun ?? 0) > (a.lastRun ?? 0) ? b : a;
  return {
    name: a.name,
    enabled: a.enabled || b.enabled,
    lastRun: laterOf(a.lastRun, b.lastRun),
    nextRun: earlierOf(a.nextRun, b.nextRun),
    steps: [...a.steps, ...b.steps],
    lastExecution: newest.lastExecution ?? a.lastExecution ?? b.lastExecution,
    inProgressSince: earlierOf(a.inProgressSince, b.inProgressSince),
  };
}

function byName<Named extends { readonly name: string }>(
  all: Iterable<Named>,
  merge: (a: Named, b: Named) => Named,
): readonly Named[] {
  const named = new Map<string, Named>();
  for (const one of all) {
    if (one.name === OTHER) continue;
    const known = named.get(one.name);
    named.set(one.name, known === undefined ? one : merge(known, one));
  }
  return [...named.values()];
}

function schedules({ readings }: Snapshot): readonly Schedule[] {
  return byName<Schedule>(readings.schedules ?? [], merged);
}

function dues({ ledger }: Snapshot): readonly ScheduleDues[] {
  return byName(ledger.schedules.values(), (a, b) => ({
    name: a.name,
    next: earlierOf(a.next, b.next),
    lastDue: laterOf(a.lastDue, b.lastDue),
    previousDue: laterOf(a.previousDue, b.previousDue),
  }));
}

function momentGauge<Named extends { readonly name: string }>(
  name: string,
  help: string,
  from: (snapshot: Snapshot) => readonly Named[],
  moment: (of: Named) => Instant | null,
): SnapshotFamily {
  return family(name, {
    type: 'gauge',
    labels: ['schedule'],
    help,
    from,
    samples: (of) => {
      const at = moment(of);
      return sampleIfKnown([of.name], at === null ? null : toSeconds(at));
    },
  });
}

function stepSamples({ name, steps }: Schedule): readonly Sample[] {
  const distinct = new Map<string, RunLabels>();
  for (const step of steps) if (step.runProfile !== OTHER) distinct.set(runKey(step), step);
  return [...distinct.values()].map((step) => sample([name, ...runLabelValues(step)], 1));
}

export const SCHEDULE_FAMILIES: readonly SnapshotFamily[] = [
  family('jim_schedule_enabled', {
    type: 'gauge',
    labels: ['schedule'],
    help: 'Whether the schedule is enabled (1) or not (0): isEnabled of the last polled /schedules.',
    from: schedules,
    samples: ({ name, enabled }) => [sample([name], enabled ? 1 : 0)],
  }),
  momentGauge(
    'jim_schedule_last_run_timestamp_seconds',
    'When the schedule last ran: lastRunTime of the last polled /schedules; absent before it ever did.',
    schedules,
    ({ lastRun }) => lastRun,
  ),
  momentGauge(
    'jim_schedule_next_run_timestamp_seconds',
    'When the schedule runs next: nextRunTime of the last polled /schedules; absent where JIM plans none.',
    schedules,
    ({ nextRun }) => nextRun,
  ),
  momentGauge(
    'jim_schedule_last_due_timestamp_seconds',
    'The last polled nextRunTime of the schedule that passed while it was enabled; remembered over restarts.',
    dues,
    ({ lastDue }) => lastDue,
  ),
  momentGauge(
    'jim_schedule_previous_due_timestamp_seconds',
    'The polled nextRunTime of the schedule that passed before the last one, while it was enabled; remembered over restarts.',
    dues,
    ({ previousDue }) => previousDue,
  ),
  family('jim_schedule_run_profile_info', {
    type: 'gauge',
    labels: ['schedule', ...RUN_LABELS],
    help: 'Always 1, for each run profile that is a step of the schedule, as last polled.',
    from: schedules,
    samples: stepSamples,
  }),
  family('jim_schedule_last_execution_status', {
    type: 'gauge',
    labels: ['schedule', 'status'],
    help: '1 for the status of the newest execution of the schedule that ended, 0 for the other two, from the last polled /schedule-executions; absent before the first.',
    from: schedules,
    samples: ({ name, lastExecution }) =>
      lastExecution === null
        ? []
        : SCHEDULE_EXECUTION_STATUSES.map((status) =>
            sample([name, status], status === lastExecution.status ? 1 : 0),
          ),
  }),
  momentGauge(
    'jim_schedule_in_progress_since_timestamp_seconds',
    'When the execution in progress of the schedule started, from the last polled /schedule-executions; absent where there is none.',
    schedules,
    ({ inProgressSince }) => inProgressSince,
  ),
];
