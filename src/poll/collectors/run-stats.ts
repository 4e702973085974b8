/** `/stats` of runs just counted: processed, unchanged, pending exports. Owed in the ledger, so that a restart forgets none. */
import type { ActivityId } from '../../jim/activity.ts';
import type { Dialect } from '../../jim/dialect.ts';
import type { RunStats as WireStats } from '../../jim/wire.ts';
import type { RunStats } from '../../ledger/enrich.ts';
import { applyStats, deferStats } from '../../ledger/enrich.ts';
import type { OwedStats } from '../../ledger/ledger.ts';
import type { Collector } from './collector.ts';
import { MAX_RUNS_PER_TURN, askEach } from './collector.ts';

export function createRunStats(mode: () => 'auto' | 'always' | 'never'): Collector {
  return {
    name: 'run_stats',
    lacking: ({ hasRunStats }) =>
      hasRunStats || mode() === 'always' ? null : 'a cheap /stats, which came with JIM 0.14',
    needsKey: true,
    leavesAtOnce: false,
    collect: async ({ jim, call, dialect, ledger, move, nowMs, telemetry }) => {
      const due = [...ledger().owedStats]
        .filter(([, { nextTryMs }]) => nextTryMs <= nowMs())
        .slice(0, MAX_RUNS_PER_TURN);
      const read = new Map<ActivityId, RunStats>();
      const unread: ActivityId[] = [];
      const error = await askEach(
        due,
        async ([id, owed]) => {
          const stats = await jim.stats(id, call);
          if (stats === 'not_found') unread.push(id);
          else read.set(id, statsOf(stats, owed, dialect));
        },
        ([id]) => unread.push(id),
      );
      if (due.length > 0) {
        let missing = 0;
        await move((before) => {
          let after = before;
          missing = 0;
          for (const [id, stats] of read) after = applyStats(after, id, stats, nowMs());
          for (const id of unread) {
            const deferred = deferStats(after, id, nowMs());
            after = deferred.ledger;
            if (deferred.missing) missing += 1;
          }
          return after;
        });
        if (missing > 0) telemetry.runStatsMissing(missing);
      }
      if (error !== null) throw error;
      return {};
    },
  };
}

/** Before main, an import's number is that of its errors, whatever was read (jim-api, section 0): it is left out. */
function statsOf(stats: WireStats, { runType }: OwedStats, dialect: Dialect): RunStats {
  const isImport = runType === 'FullImport' || runType === 'DeltaImport';
  const tells = !isImport || dialect.importCountsProcessed;
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
