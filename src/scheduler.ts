/** Schedules in six fields (second, minute, hour, day, month, weekday). The only place that knows node-cron. */
import { createTask, schedule, validateDetailed } from 'node-cron';

const FIELDS: Readonly<Record<string, string>> = {
  dayOfMonth: 'day of the month',
  dayOfWeek: 'weekday',
};

/** What is wrong with a schedule of six fields, as the rest of a sentence; null where nothing is. */
export function scheduleFault(expression: string): string | null {
  const { valid, errors } = validateDetailed(expression);
  if (valid) return null;
  const parts = errors.map(({ field, value }) => `${FIELDS[field] ?? field} "${value ?? ''}"`);
  return `it cannot have ${parts.join(' and ')}`;
}

export interface Turns {
  /** Our clock when the next turn is due; null when it is stopped. */
  nextMs(): number | null;
  stop(): void;
}

/** Calls `turn` on a schedule of six fields; a turn that is due while the one before still runs is left out. */
export function onSchedule(expression: string, turn: () => Promise<void>): Turns {
  // A turn that rejects is a bug: it must end the process, where node-cron would only log it.
  const run = (): Promise<void> =>
    turn().catch((error: unknown) => void setImmediate(() => rethrow(error)));
  const task = schedule(expression, run, {
    noOverlap: true,
    suppressMissedWarning: true,
    logger: SILENT,
  });
  return {
    nextMs: () => task.getNextRun()?.getTime() ?? null,
    stop: () => void task.destroy(),
  };
}

/** Seconds between two turns of a schedule: the longest of the next few, for schedules that are not even. */
export function intervalSecondsOf(expression: string): number {
  const task = createTask(expression, () => undefined, { logger: SILENT });
  const runs = task.getNextRuns(RUNS_COMPARED).map((date) => date.getTime());
  void task.destroy();
  const gaps = runs.slice(1).map((at, index) => (at - (runs[index] ?? at)) / 1_000);
  return Math.max(0, ...gaps);
}

const RUNS_COMPARED = 10;

/** As `intervalSecondsOf`, looked at again once a minute: node-cron takes milliseconds to find ten turns, and every publication asks. */
export function rememberedInterval(
  nowMs: () => number,
  find: (expression: string) => number = intervalSecondsOf,
): (expression: string) => number {
  let known: {
    readonly expression: string;
    readonly atMs: number;
    readonly seconds: number;
  } | null = null;
  return (expression) => {
    const ageMs = known?.expression === expression ? nowMs() - known.atMs : Number.NaN;
    if (known === null || !(ageMs >= 0 && ageMs < INTERVAL_KEPT_MS))
      known = { expression, atMs: nowMs(), seconds: find(expression) };
    return known.seconds;
  };
}

const INTERVAL_KEPT_MS = 60_000;

/** Our own log says what matters; node-cron's would be a second voice on stdout. */
const SILENT = { info: ignore, warn: ignore, error: ignore, debug: ignore };
function ignore(): void {
  // Nothing to say.
}

function rethrow(error: unknown): never {
  throw error;
}
