/** `activities watch ID`: follows one Activity until it ends; a bar on a terminal, lines elsewhere. */
import type { ActivityId, FinishedStatus } from '../jim/activity.ts';
import { isFailure, isFinishedStatus, isSuccess } from '../jim/activity.ts';
import type { JimClient } from '../jim/client.ts';
import { dialectOf } from '../jim/dialect.ts';
import { RequestError } from '../request-error.ts';
import type { ActivitiesOptions } from './activities-command.ts';
import { EXIT } from './activities-command.ts';
import { duration, plain } from './terminal.ts';

const INTERVAL_MS = 2_000;
/** Where JIM has no /progress, a list or the detail is read, which costs it more. */
const SLOW_INTERVAL_MS = 5_000;
/** Lines for a log: each whole percent, and else what changed in this time. */
const LINE_INTERVAL_MS = 10_000;
/** JIM may restart while we watch; an answer of any kind within this time is waited for. */
const PATIENCE_MS = 600_000;
/** Our own rate is none before so much time has been seen. */
const MIN_RATE_MS = 4_000;
const BAR_WIDTH = 20;
const PAGE_SIZE = 100;

export async function watch(id: ActivityId, options: ActivitiesOptions): Promise<number> {
  const { clock, print, complain, redraw } = options;
  const look = createLook(options.jim, id);
  const pace = createPace();
  let lastAnswerMs = clock.nowMs();
  let printed = { line: '', percent: -1, atMs: 0 };
  const printChanged = (line: string, percent = -1): void => {
    const isSoon = clock.nowMs() - printed.atMs < LINE_INTERVAL_MS;
    if (line === printed.line || (percent >= 0 && percent === printed.percent && isSoon)) return;
    print(line);
    printed = { line, percent, atMs: clock.nowMs() };
  };
  for (;;) {
    const answer = await look.again().catch(unlessKeyRefused);
    if (answer === 'not_found') {
      complain(`JIM has no Activity ${id}.`);
      return EXIT.unknown;
    }
    if (answer instanceof RequestError) {
      if (clock.nowMs() - lastAnswerMs > PATIENCE_MS) throw answer;
      printChanged(`JIM does not answer (${answer.reason.replaceAll('_', ' ')}); waiting for it.`);
    } else {
      lastAnswerMs = clock.nowMs();
      const line = lineOf(pace.of(answer, lastAnswerMs));
      if (isFinishedStatus(answer.status)) {
        print(`${answer.status}: ${line}`);
        return exitOf(answer.status);
      }
      if (redraw === null) printChanged(line, percentOf(answer));
      else redraw(`${barOf(answer)} ${line}`);
    }
    await clock.sleep(look.intervalMs());
  }
}

/** A refused key stays refused; all else may be JIM's restart. */
function unlessKeyRefused(error: unknown): RequestError {
  if (!(error instanceof RequestError)) throw error;
  if (error.reason === 'unauthorized' || error.reason === 'forbidden') throw error;
  return error;
}

function exitOf(status: FinishedStatus): number {
  if (isSuccess(status)) return EXIT.done;
  return isFailure(status) ? EXIT.unsuccessful : EXIT.cancelled;
}

/** How far it is. */
interface Stage {
  readonly status: string;
  readonly done: number;
  /** 0 where it is not known. */
  readonly all: number;
  readonly errors: number;
  readonly phase: string | null;
  /** Objects a second, and seconds; null where JIM does not tell. */
  readonly rate: number | null;
  readonly remaining: number | null;
}

interface Look {
  again(): Promise<Stage | 'not_found'>;
  intervalMs(): number;
}

/** By `/progress`; before JIM 0.14, which has none, by the rows in progress, and by the detail of what is not among them. */
function createLook(jim: JimClient, id: ActivityId): Look {
  let hasProgress: boolean | null = null;
  return {
    intervalMs: () => (hasProgress === false ? SLOW_INTERVAL_MS : INTERVAL_MS),
    again: async () => {
      hasProgress ??= dialectOf(await jim.version()).hasProgress;
      return hasProgress ? byProgress(jim, id) : byRow(jim, id);
    },
  };
}

async function byProgress(jim: JimClient, id: ActivityId): Promise<Stage | 'not_found'> {
  const progress = await jim.progress(id);
  if (progress === 'not_found') return progress;
  return {
    status: progress.status,
    done: progress.objectsProcessed,
    all: progress.objectsToProcess,
    errors: progress.errors,
    phase: progress.phase,
    rate: progress.objectsPerSecond,
    remaining: progress.estimatedSecondsRemaining,
  };
}

/** The detail of a run makes old versions add up all its items: not every few seconds, while it is growing. */
async function byRow(jim: JimClient, id: ActivityId): Promise<Stage | 'not_found'> {
  const page = { sortBy: 'status', direction: 'asc', page: 1, pageSize: PAGE_SIZE } as const;
  const { activities } = await jim.list(page);
  const row = activities.find((activity) => activity.id === id) ?? (await jim.detail(id));
  if (row === 'not_found') return row;
  return {
    status: row.status,
    done: row.objectsProcessed,
    all: row.objectsToProcess,
    errors: 'errors' in row ? row.errors : (row.stats?.errors ?? 0),
    phase: null,
    rate: null,
    remaining: null,
  };
}

/** Rate and remaining time where JIM does not tell them: from what was seen of this phase. */
function createPace(): { of(stage: Stage, nowMs: number): Stage } {
  let start: { readonly stage: Stage; readonly atMs: number } | null = null;
  let last = 0;
  return {
    of: (stage, nowMs) => {
      // Each phase counts anew.
      if (start === null || stage.done < last || stage.phase !== start.stage.phase)
        start = { stage, atMs: nowMs };
      last = stage.done;
      if (stage.rate !== null || isFinishedStatus(stage.status)) return stage;
      const seenMs = nowMs - start.atMs;
      const rate = (stage.done - start.stage.done) / (seenMs / 1_000);
      if (seenMs < MIN_RATE_MS || rate <= 0) return stage;
      const left = stage.all - stage.done;
      return { ...stage, rate, remaining: stage.remaining ?? (left > 0 ? left / rate : null) };
    },
  };
}

function lineOf({ done, all, errors, phase, rate, remaining }: Stage): string {
  // What matters most first: a narrow terminal cuts the end.
  const parts = [
    all > 0 ? `${percentOf({ done, all })} %` : null,
    remaining === null ? null : `${duration(remaining)} left`,
    rate === null ? null : `${Math.round(rate)} a second`,
    all > 0 ? `${done} of ${all} objects` : `${done} objects`,
    errors === 0 ? null : `${errors} with errors`,
    phase === null ? null : plain(phase),
  ];
  return parts.filter((part) => part !== null).join(', ');
}

function barOf({ done, all }: Stage): string {
  const filled = Math.round(shareOf({ done, all }) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
}

function percentOf(stage: Pick<Stage, 'done' | 'all'>): number {
  return Math.floor(shareOf(stage) * 100);
}

/** Counts may run past what was announced. */
function shareOf({ done, all }: Pick<Stage, 'done' | 'all'>): number {
  return all > 0 ? Math.min(1, done / all) : 0;
}
