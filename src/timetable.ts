/** When what happens: one poll soon after the start, then polls and collectors on their schedules, never two of a kind at a time. */
import type { Config } from './config/config.ts';
import type { Clock } from './http.ts';
import type { CallOptions } from './jim/ask.ts';
import type { Collectors } from './poll/collectors/collectors.ts';
import { SCHEDULED_COLLECTORS } from './poll/collectors/collectors.ts';
import type { Poller } from './poll/poller.ts';
import type { Turns } from './scheduler.ts';
import { onSchedule } from './scheduler.ts';

export interface TimetableOptions {
  readonly config: () => Config;
  readonly poller: Pick<Poller, 'poll'>;
  readonly collectors: Pick<Collectors, 'afterPoll' | 'turn'>;
  readonly clock: Clock;
}

export interface Timetable {
  /** Takes the schedules of the configuration as it is now. */
  restart(): void;
  /** Lets the poll under way end its requests for so long, then aborts it: what it had committed stays. */
  stop(patienceMs: number): Promise<void>;
}

/** Collectors that go with the poll may retry for so long where the next poll is not known. */
const DEFAULT_PATIENCE_MS = 15_000;
/**
 * What a first poll loads and compiles keeps everybody else waiting for some 50 ms: whoever waited for us to listen, a
 * readiness probe or a scraper, has its answer before.
 */
const FIRST_POLL_AFTER_MS = 50;

export function startTimetable({ config, poller, collectors, clock }: TimetableOptions): Timetable {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let polling: Promise<void> | null = null;
  let polls: Turns | null = null;
  let others: readonly Turns[] = [];

  function track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => running.delete(tracked));
    running.add(tracked);
    return tracked;
  }

  function callUntilNext(turns: Turns | null): CallOptions {
    const retryUntilMs = turns?.nextMs() ?? clock.nowMs() + DEFAULT_PATIENCE_MS;
    return { signal: stopping.signal, retryUntilMs };
  }

  /** A poll, and after it the collectors that go with it: they run beside the next poll if they must. */
  async function poll(): Promise<void> {
    if (polling !== null || stopping.signal.aborted) return;
    polling = track(poller.poll(callUntilNext(polls)));
    try {
      await polling;
    } finally {
      polling = null;
    }
    void track(collect(() => collectors.afterPoll({ signal: stopping.signal })));
  }

  async function collect(turn: () => Promise<void>): Promise<void> {
    if (!stopping.signal.aborted) await turn();
  }

  function start(): void {
    polls = onSchedule(config().poll.schedule, poll);
    const settings = config().collectors;
    others = SCHEDULED_COLLECTORS.map((name) => {
      return onSchedule(settings[name].schedule, () =>
        track(collect(() => collectors.turn(name, { signal: stopping.signal }))),
      );
    });
  }

  function end(): void {
    polls?.stop();
    for (const turns of others) turns.stop();
  }

  start();
  // The collectors' first turns follow the first poll, which finds out which JIM it is.
  void clock
    .sleep(FIRST_POLL_AFTER_MS, stopping.signal)
    .catch(() => undefined)
    .then(poll);
  return {
    restart: () => {
      end();
      start();
    },
    stop: async (patienceMs) => {
      end();
      const patience = new AbortController();
      const timeout = clock.sleep(patienceMs, patience.signal).catch(() => undefined);
      await Promise.race([polling ?? Promise.resolve(), timeout]);
      patience.abort();
      stopping.abort();
      await Promise.all(running);
    },
  };
}
