/** Live progress of running runs (0.14 and later): at most three a poll, in turns. */
import type { ActivityId } from '../../jim/activity.ts';
import { isFinishedStatus, wasPickedUp } from '../../jim/activity.ts';
import type { Progress } from '../../jim/wire.ts';
import type { Ledger, RunLabels } from '../../ledger/ledger.ts';
import type { RunProgress } from '../../metrics/snapshot.ts';
import type { Collector } from './collector.ts';

const MAX_RUNS = 3;

interface Watched {
  readonly reading: RunProgress;
  /** What decides whether it moved. */
  readonly mark: string;
}

export function createProgress(): Collector {
  const watched = new Map<ActivityId, Watched>();
  const askedMs = new Map<ActivityId, number>();
  return {
    name: 'progress',
    lacking: ({ hasProgress }) => (hasProgress ? null : '/progress, which came with JIM 0.14'),
    needsKey: true,
    leavesAtOnce: false,
    collect: async ({ jim, call, ledger, nowMs }) => {
      const running = runningRuns(ledger());
      for (const id of askedMs.keys()) {
        if (running.has(id)) continue;
        watched.delete(id);
        askedMs.delete(id);
      }
      const inTurn = [...running].toSorted(
        ([a], [b]) => (askedMs.get(a) ?? 0) - (askedMs.get(b) ?? 0),
      );
      for (const [id, run] of inTurn.slice(0, MAX_RUNS)) {
        // Asked even if it fails: one that always fails must not keep the others waiting.
        askedMs.set(id, nowMs());
        const progress = await jim.progress(id, call);
        if (progress === 'not_found') watched.delete(id);
        else watched.set(id, watch(progress, run, watched.get(id), nowMs()));
      }
      return { progress: [...watched.values()].map(({ reading }) => reading) };
    },
  };
}

function runningRuns(ledger: Ledger): ReadonlyMap<ActivityId, RunLabels> {
  const running = new Map<ActivityId, RunLabels>();
  for (const [id, open] of ledger.open) {
    const isRunning = !open.orphaned && !isFinishedStatus(open.status) && wasPickedUp(open);
    if (open.run !== null && isRunning) running.set(id, open.run);
  }
  return running;
}

function watch(
  progress: Progress,
  run: RunLabels,
  before: Watched | undefined,
  nowMs: number,
): Watched {
  const { objectsProcessed, objectsToProcess, phase, errors } = progress;
  // Counters begin anew with each phase, so any change is movement, a fall too.
  const mark = JSON.stringify([objectsProcessed, objectsToProcess, phase, errors]);
  const changedAtMs = before?.mark === mark ? before.reading.changedAtMs : nowMs;
  return {
    mark,
    reading: {
      activityId: progress.id,
      run,
      objectsProcessed,
      objectsToProcess,
      percentComplete: progress.percentComplete,
      objectsPerSecond: progress.objectsPerSecond,
      estimatedSecondsRemaining: progress.estimatedSecondsRemaining,
      changedAtMs,
    },
  };
}
