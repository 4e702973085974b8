/** Why objects of a last run failed, by JIM's ErrorType: from `/items`, which cannot be filtered and so is read whole, or not at all. */
import type { ActivityId } from '../../jim/activity.ts';
import { UNREAD, applyErrorTypes } from '../../ledger/enrich.ts';
import type { Collector, CollectorTurn } from './collector.ts';
import { MAX_RUNS_PER_TURN, askEach } from './collector.ts';
import { createPatience } from './patience.ts';

const PAGE_SIZE = 100;
/** Items of a run that are read: ten requests. Beyond it all errors are `(unread)`. */
const MAX_ITEMS = 1_000;

interface Wanted {
  readonly run: string;
  readonly id: ActivityId;
  readonly errors: number;
}

export function createErrorTypes(): Collector {
  const patience = createPatience();
  return {
    name: 'error_types',
    lacking: ({ hasRunStats }) => (hasRunStats ? null : 'a cheap /items, which came with JIM 0.14'),
    needsKey: true,
    leavesAtOnce: false,
    collect: async (turn) => {
      const { ledger, nowMs } = turn;
      const wanted = [...ledger().runs].flatMap(([run, { last }]): readonly Wanted[] =>
        last === null || last.errors === 0 || last.errorsByType !== null
          ? []
          : [{ run, id: last.id, errors: last.errors }],
      );
      const due = wanted.filter(({ id }) => patience.isDue(id, nowMs()));
      if (due.length === 0 && wanted.some(({ id }) => patience.isWaiting(id, nowMs())))
        return 'waiting';
      const error = await askEach(
        due.slice(0, MAX_RUNS_PER_TURN),
        (subject) => readErrorTypes(turn, subject),
        ({ id }) => patience.failed(id, nowMs()),
      );
      if (error !== null) throw error;
      return {};
    },
  };
}

async function readErrorTypes(turn: CollectorTurn, { run, id, errors }: Wanted): Promise<void> {
  const counts = (await countByType(turn, id)) ?? new Map([[UNREAD, errors]]);
  let unrecognised: readonly string[] = [];
  await turn.move((ledger) => {
    const applied = applyErrorTypes(ledger, run, id, counts);
    ({ unrecognised } = applied);
    return applied.ledger;
  });
  unrecognised.forEach(() => turn.telemetry.valueUnrecognised('errorType'));
}

/** Null where there are too many items to read, or none to be had. */
async function countByType(
  { jim, call }: CollectorTurn,
  id: ActivityId,
): Promise<ReadonlyMap<string, number> | null> {
  const counts = new Map<string, number>();
  for (let number = 1; number <= MAX_ITEMS / PAGE_SIZE; number += 1) {
    const page = await jim.items(id, number, PAGE_SIZE, call);
    if (page === 'not_found' || page.totalCount > MAX_ITEMS) return null;
    for (const { errorType } of page.rows) {
      if (errorType !== null) counts.set(errorType, (counts.get(errorType) ?? 0) + 1);
    }
    if (!page.hasNextPage) return counts;
  }
  return null;
}
