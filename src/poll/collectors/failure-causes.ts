/** Why the last unsuccessful run of each run profile failed: from its detail, once. */
import type { ActivityId } from '../../jim/activity.ts';
import { applyFailureCause } from '../../ledger/enrich.ts';
import type { Collector, CollectorTurn } from './collector.ts';
import { MAX_RUNS_PER_TURN, askEach, nothingLacking } from './collector.ts';
import { createPatience } from './patience.ts';

/** Error messages kept for the bridge until their alert has told them. */
const MAX_MESSAGES = 500;

export interface FailureCauses {
  readonly collector: Collector;
  /** JIM's error messages by Activity; empty unless they are wanted. */
  readonly messages: ReadonlyMap<ActivityId, string>;
}

export function createFailureCauses(messagesWanted: () => boolean): FailureCauses {
  const patience = createPatience();
  const messages = new Map<ActivityId, string>();

  const tell = (id: ActivityId, message: string | null): void => {
    if (message === null) return;
    messages.set(id, message);
    for (const oldest of messages.keys()) {
      if (messages.size <= MAX_MESSAGES) break;
      messages.delete(oldest);
    }
  };

  const readCause = async (turn: CollectorTurn, run: string, id: ActivityId): Promise<void> => {
    const told = await turn.jim.detailWithText(id, turn.call);
    if (told === 'not_found') return patience.giveUp(id);
    const { detail, text } = told;
    if (messagesWanted()) tell(id, text.errorMessage);
    const { failureCause } = detail;
    // The row changed after it was counted: what was counted stays, and a cause is never guessed.
    if (failureCause === null) return patience.giveUp(id);
    await turn.move((ledger) => applyFailureCause(ledger, run, id, failureCause));
  };

  return {
    messages,
    collector: {
      name: 'failure_causes',
      lacking: nothingLacking,
      needsKey: true,
      leavesAtOnce: false,
      collect: async (turn) => {
        const { ledger, nowMs } = turn;
        const wanted = [...ledger().runs].flatMap(([run, { lastFailure }]) =>
          lastFailure === null || lastFailure.cause !== null ? [] : [{ run, id: lastFailure.id }],
        );
        const due = wanted.filter(({ id }) => patience.isDue(id, nowMs()));
        if (due.length === 0 && wanted.some(({ id }) => patience.isWaiting(id, nowMs())))
          return 'waiting';
        const error = await askEach(
          due.slice(0, MAX_RUNS_PER_TURN),
          ({ run, id }) => readCause(turn, run, id),
          ({ id }) => patience.failed(id, nowMs()),
        );
        if (error !== null) throw error;
        return {};
      },
    },
  };
}
