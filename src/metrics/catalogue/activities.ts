/** Activities of every target type: how many finished, how many are open, what recurs and fails. */
import type { Instant } from '../../jim/activity.ts';
import { FINISHED_STATUSES, earlier, isFinishedStatus, toSeconds } from '../../jim/activity.ts';
import type { ActivityAccount, Ledger, Open } from '../../ledger/ledger.ts';
import {
  AUTHENTICATION_EVENTS,
  OTHER,
  activityKey,
  consecutiveFailures,
} from '../../ledger/ledger.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Sample, SnapshotFamily } from './family.ts';
import { family, sample, sampleIfKnown } from './family.ts';
import { ZERO_HOLD_HELP } from './help.ts';

const ACTIVITY_LABELS = ['target_type', 'operation', 'connected_system'] as const;

function labelsOf(
  of: Pick<ActivityAccount, 'targetType' | 'operation' | 'connectedSystem'>,
): readonly string[] {
  return [of.targetType, of.operation, of.connectedSystem];
}

function accounts({ ledger }: Snapshot): Iterable<ActivityAccount> {
  return ledger.activities.values();
}

const COUNTERS: readonly SnapshotFamily[] = [
  family('jim_activities_total', {
    type: 'counter',
    labels: ['target_type', 'operation', 'status', 'connected_system'],
    help: `Finished Activities by JIM's targetType, targetOperationType and status, polled from its Activities list. ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: ({ targetType, operation, connectedSystem, published }) =>
      FINISHED_STATUSES.map((status) => ({
        suffix: '',
        labels: [targetType, operation, status, connectedSystem],
        value: published.statuses[status],
        exemplar: published.exemplars[status] ?? null,
      })),
  }),
  family('jim_activity_errors_total', {
    type: 'counter',
    labels: ACTIVITY_LABELS,
    help: `Sum of the totalErrors of finished Activities, polled from JIM's Activities list. ${ZERO_HOLD_HELP}`,
    from: accounts,
    samples: (account) => [sample(labelsOf(account), account.published.errors)],
  }),
];

/** What is open of one label set. */
interface OpenOfLabelSet {
  readonly labels: readonly string[];
  inProgress: number;
  orphaned: number;
  oldestCreated: Instant | null;
}

/**
 * Open Activities by label set. A label set known to the ledger shows 0, `(other)` has no gauges. A row seen
 * finished that still settles is no longer in progress; a status word we do not know is.
 */
function openByLabelSet({ activities, open }: Ledger): Iterable<OpenOfLabelSet> {
  const groups = new Map<string, OpenOfLabelSet>();
  const groupOf = (of: ActivityAccount | Open): OpenOfLabelSet => {
    const key = activityKey(of.targetType, of.operation, of.connectedSystem);
    const known = groups.get(key);
    if (known !== undefined) return known;
    const born = { labels: labelsOf(of), inProgress: 0, orphaned: 0, oldestCreated: null };
    groups.set(key, born);
    return born;
  };
  for (const account of activities.values()) if (hasGauges(account)) groupOf(account);
  for (const activity of open.values()) {
    if (isFinishedStatus(activity.status) || !hasGauges(activity)) continue;
    const group = groupOf(activity);
    if (activity.orphaned) {
      group.orphaned += 1;
      continue;
    }
    group.inProgress += 1;
    group.oldestCreated = earlier(activity.created, group.oldestCreated ?? activity.created);
  }
  return groups.values();
}

function hasGauges({ connectedSystem }: Pick<ActivityAccount, 'connectedSystem'>): boolean {
  return connectedSystem !== OTHER;
}

function openGauge(
  name: string,
  help: string,
  value: (group: OpenOfLabelSet) => number | null,
): SnapshotFamily {
  return family(name, {
    type: 'gauge',
    labels: ACTIVITY_LABELS,
    help,
    from: ({ ledger }) => openByLabelSet(ledger),
    samples: (group) => sampleIfKnown(group.labels, value(group)),
  });
}

const OPEN: readonly SnapshotFamily[] = [
  openGauge(
    'jim_activities_in_progress',
    'Activities that JIM has not finished: running, queued or waiting for an earlier step, as of the last poll of its Activities list.',
    ({ inProgress }) => inProgress,
  ),
  openGauge(
    'jim_activities_orphaned',
    'Activities open longer than open_limit, polled once an hour: JIM leaves some of them InProgress for ever.',
    ({ orphaned }) => orphaned,
  ),
  openGauge(
    'jim_activities_in_progress_since_timestamp_seconds',
    "JIM's created time of the oldest Activity in progress, as of the last poll; absent where there is none.",
    ({ oldestCreated }) => (oldestCreated === null ? null : toSeconds(oldestCreated)),
  ),
];

const RECURRING: readonly SnapshotFamily[] = [
  family('jim_activity_consecutive_failures', {
    type: 'gauge',
    labels: ['target_type', 'operation'],
    help: 'Failures since the last success (at most 100) of Activities that JIM starts by itself and that are no runs, from the polled status; Cancelled neither adds nor clears.',
    from: ({ ledger }) => ledger.recurring.values(),
    samples: (account) => [
      sample([account.targetType, account.operation], consecutiveFailures(account)),
    ],
  }),
  family('jim_activity_last_success_timestamp_seconds', {
    type: 'gauge',
    labels: ['target_type', 'operation'],
    help: 'When the last successful one ended (created plus totalActivityTime) of the Activities that JIM starts by itself and that are no runs, as polled; absent until there is one.',
    from: ({ ledger }) => ledger.recurring.values(),
    samples: ({ targetType, operation, lastSuccessEnd }) =>
      sampleIfKnown(
        [targetType, operation],
        lastSuccessEnd === null ? null : toSeconds(lastSuccessEnd),
      ),
  }),
];

const AUTHENTICATION: readonly SnapshotFamily[] = [
  family('jim_authentication_events_total', {
    type: 'counter',
    labels: ['event'],
    help: `Sign-ins and failed sign-ins, from the polled Activities of target type Authentication (JIM 0.14 and later), which jim_activities_total counts too. JIM folds 15 minutes of equal failures into one. ${ZERO_HOLD_HELP}`,
    from: ({ ledger }) => (ledger.authentication === null ? [] : [ledger.authentication]),
    samples: (events): readonly Sample[] =>
      AUTHENTICATION_EVENTS.map((event) => sample([event], events[event].value)),
  }),
];

export const ACTIVITY_FAMILIES: readonly SnapshotFamily[] = [
  ...COUNTERS,
  ...OPEN,
  ...RECURRING,
  ...AUTHENTICATION,
];
