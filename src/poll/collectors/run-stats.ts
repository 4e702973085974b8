/**
 * `/stats` of runs just counted: processed, unchanged, pending exports. Owed in the ledger, so that a restart forgets
 * none. A last run that is history owes nothing to a counter; it is asked about too, for its gauge alone.
 */
import type { ActivityId } from '../../jim/activity.ts';
import type { Dialect } from '../../jim/dialect.ts';
import type { RunStats as WireStats } from '../../jim/wire.ts';
import type { RunStats } from '../../ledger/enrich.ts';
import { applyLastProcessed, applyStats, deferStats } from '../../ledger/enrich.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Collector } from './collector.ts';
import { MAX_RUNS_PER_TURN, askEach } from './collector.ts';
import { createPatience } from './patience.ts';

interface Wanted {
  readonly id: ActivityId;
  readonly runType: string;
}

export function createRunStats(mode: () => 'auto' | 'always' | 'never'): Collector {
  const patience = createPatience();
  return {
    name: 'run_stats',
    lacking: ({ hasRunStats }) =>
      hasRunStats || mode() === 'always' ? null : 'a cheap /stats, which came with JIM 0.14',
    needsKey: true,
    leavesAtOnce: false,
    collect: async ({ jim, call, dialect, ledger, move, nowMs, telemetry }) => {
      const { owedStats } = ledger();
      const owed = [...owedStats].flatMap(([id, { runType, nextTryMs }]) =>
        nextTryMs <= nowMs() ? [{ id, runType }] : [],
      );
      const unreadHistory = unreadLastRuns(ledger(), dialect);
      const history = unreadHistory.filter(({ id }) => patience.isDue(id, nowMs()));
      const due = [...owed, ...history].slice(0, MAX_RUNS_PER_TURN);
      const waits =
        owedStats.size > 0 || unreadHistory.some(({ id }) => patience.isWaiting(id, nowMs()));
      if (due.length === 0 && waits) return 'waiting';
      const read = new Map<ActivityId, RunStats>();
      const unread: ActivityId[] = [];
      /** JIM has deleted them: nothing will ever tell. */
      const gone = new Set<ActivityId>();
      const error = await askEach(
        due,
        async ({ id, runType }) => {
          const stats = await jim.stats(id, call);
          if (stats === 'not_found') gone.add(id);
          else read.set(id, statsOf(stats, runType, dialect));
        },
        ({ id }) => unread.push(id),
      );
      if (due.length > 0) {
        let missing = 0;
        await move((before) => {
          let after = before;
          missing = 0;
          for (const [id, stats] of read) {
            after = applyStats(after, id, stats, nowMs());
            after = applyLastProcessed(after, id, stats.processed);
          }
          for (const id of [...unread, ...gone]) {
            const deferred = deferStats(after, id, nowMs(), gone.has(id));
            after = deferred.ledger;
            if (deferred.missing) {
              missing += 1;
              patience.giveUp(id);
            }
          }
          return after;
        });
        for (const id of unread) patience.failed(id, nowMs());
        for (const id of gone) patience.giveUp(id);
        if (missing > 0) telemetry.runStatsMissing(missing);
      }
      if (error !== null) throw error;
      return {};
    },
  };
}

/** Last runs of which no counter is owed anything, and whose gauge this server can tell. */
function unreadLastRuns({ runs, owedStats }: Ledger, dialect: Dialect): readonly Wanted[] {
  return [...runs.values()].flatMap(({ last, labels: { runType } }) =>
    last === null ||
    last.processed !== null ||
    owedStats.has(last.id) ||
    !tellsProcessed(runType, dialect)
      ? []
      : [{ id: last.id, runType }],
  );
}

/** Before main, an import's number is that of its errors, whatever was read (jim-api, section 0): it is left out. */
function tellsProcessed(runType: string, dialect: Dialect): boolean {
  const isImport = runType === 'FullImport' || runType === 'DeltaImport';
  return !isImport || dialect.importCountsProcessed;
}

function statsOf(stats: WireStats, runType: string, dialect: Dialect): RunStats {
  const tells = tellsProcessed(runType, dialect);
  return {
    processed: tells ? stats.processed : null,
    unchanged: tells ? stats.unchanged : null,
    confirmations: {
      Confirmed: stats.exportsConfirmed,
      Retrying: stats.exportsRetrying,
      Failed: stats.exportsFailed,
    },
  };
}
