/** What a poll reports of its work: counters for Prometheus, lines for people. Each lasting thing is said once. */
import type { RejectReason } from '../jim/row.ts';
import type { AccountEvent } from '../ledger/account.ts';
import type { FailureReason } from '../request-error.ts';
import type { Slice } from './walk.ts';

export type PollFailure = FailureReason | 'storage';

/** What the poll counts of its work; the metrics and tests implement it. */
export interface PollTelemetry {
  pollEnded(poll: { readonly seconds: number; readonly failure: PollFailure | null }): void;
  activityRejected(reason: RejectReason): void;
  activityVanished(): void;
  activityAltered(): void;
  valueUnrecognised(field: string): void;
  labelSetsFolded(count: number): void;
}

/** What the poll tells people. */
export interface PollLog {
  debug(msg: string, fields?: Record<string, unknown>): void;
  info(msg: string, fields?: Record<string, unknown>): void;
  warn(msg: string, fields?: Record<string, unknown>): void;
  error(msg: string, fields?: Record<string, unknown>): void;
}

/** Rejected rows remembered, to log and count each once. */
const MAX_REJECTED = 1_000;
/** Of a word that JIM made up since: enough to recognise it. */
const MAX_LOGGED_WORD = 64;

export interface Reporter {
  accounted(events: readonly AccountEvent[]): void;
  rejected(slices: readonly Slice[]): void;
}

export function createReporter({
  telemetry,
  log,
}: {
  readonly telemetry: PollTelemetry;
  readonly log: PollLog;
}): Reporter {
  const rejectedBefore = new Set<string>();

  function accounted(event: AccountEvent): void {
    switch (event.kind) {
      case 'verdict':
        if (event.verdict === 'altered') telemetry.activityAltered();
        if (event.verdict !== 'already_counted' && event.verdict !== 'unknown_and_old') {
          log.debug('account', { activity_id: event.id, verdict: event.verdict });
        }
        return;
      case 'vanished':
        telemetry.activityVanished();
        log.info('an open Activity vanished from JIM', { activity_id: event.id });
        return;
      case 'orphaned':
        log.warn(
          'an Activity is open longer than poll.open_limit; it is looked at once an hour from now on',
          {
            activity_id: event.id,
          },
        );
        return;
      case 'unrecognised': {
        telemetry.valueUnrecognised(event.field);
        const word = event.word.slice(0, MAX_LOGGED_WORD);
        log.warn('JIM uses a word that this version does not know', { field: event.field, word });
        return;
      }
      case 'folded':
        telemetry.labelSetsFolded(event.count);
        log.warn('more label sets than poll.max_label_sets: further ones are folded into (other)', {
          count: event.count,
        });
        return;
      case 'run_finished':
        // For the bridge alone.
        return;
    }
  }

  function rejected(row: Slice['rejected'][number]): void {
    const key = row.id ?? `${String(row.created)}/${row.reason}`;
    if (rejectedBefore.has(key)) return;
    if (rejectedBefore.size >= MAX_REJECTED) rejectedBefore.clear();
    rejectedBefore.add(key);
    telemetry.activityRejected(row.reason);
    log.warn("a row of JIM's list cannot be read and was left out; it is looked at again", {
      activity_id: row.id ?? '(unreadable)',
      reason: row.reason,
    });
  }

  return {
    accounted: (events) => events.forEach(accounted),
    rejected: (slices) => slices.flatMap((slice) => slice.rejected).forEach(rejected),
  };
}
