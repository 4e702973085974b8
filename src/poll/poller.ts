/**
 * One poll, from JIM to the publication: observe, account, commit, publish, notify. The steps and their
 * order are those of counting.md, "One poll"; each observation succeeds or fails alone.
 */
import type { FinishedRun } from '../alertmanager/alerts.ts';
import type { ActivityId, Instant } from '../jim/activity.ts';
import type { CallOptions } from '../jim/ask.ts';
import type { ActivityPage, JimClient } from '../jim/client.ts';
import type { Dialect } from '../jim/dialect.ts';
import type { Accounted, AccountEvent } from '../ledger/account.ts';
import { account } from '../ledger/account.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { firstReading, isCaughtUp, noteTotal, prune, readHead } from '../ledger/reading.ts';
import { retire } from '../ledger/retire.ts';
import { releaseHolds, withAuthentication } from '../ledger/zero-hold.ts';
import { RequestError } from '../request-error.ts';
import { createCatchUp } from './catch-up.ts';
import { createDialectWatch } from './dialect-watch.ts';
import { firstLook } from './first-start.ts';
import { historyGap } from './history-gap.ts';
import type { Keeper } from './keeper.ts';
import { StorageFailure } from './keeper.ts';
import type { Wanted } from './observe.ts';
import { lookAtHead, lookUpAll } from './observe.ts';
import type { PollFailure, PollLog, PollTelemetry } from './report.ts';
import { createReporter } from './report.ts';
import type { Spare } from './spare-request.ts';
import { createSpareRequest } from './spare-request.ts';
import type { PollSettings, Turn } from './turn.ts';
import { createSeenMemory, limitsOf, observationOf } from './turn.ts';
import type { Slice } from './walk.ts';
import { BeyondCeiling, WalkVoid } from './walk.ts';

/** What is known of JIM after a poll. */
export interface JimSeen {
  readonly up: boolean;
  readonly dialect: Dialect | null;
  readonly clockOffsetSeconds: number | null;
  readonly lastPollMs: number | null;
  readonly lastSuccessfulPollMs: number | null;
  readonly caughtUp: boolean;
  /** Why the last poll failed: for the status page. */
  readonly failure: PollFailure | null;
}

export interface PollerOptions {
  readonly jim: Pick<JimClient, 'version' | 'probeFilters' | 'list' | 'detail'>;
  readonly keeper: Keeper;
  readonly settings: () => PollSettings;
  readonly nowMs: () => number;
  readonly telemetry: PollTelemetry;
  readonly log: PollLog;
  readonly servedSince: (bornAtMs: number, nowMs: number) => boolean;
  /** Alerts of the bridge that follow from a move: part of the same commit. */
  readonly alertsAfter: (ledger: Ledger, finished: readonly FinishedRun[]) => Ledger;
  /** Shows the last committed ledger. Called after each commit of a catch-up, and at the end of the poll. */
  readonly publish: () => Promise<void>;
}

export interface Poller {
  /** One poll; never rejects but for a bug. Retries inside it end at `retryUntilMs`, the next poll. */
  poll(options: CallOptions): Promise<void>;
  seen(): JimSeen;
}

export function createPoller(options: PollerOptions): Poller {
  const { jim, keeper, log, telemetry, nowMs } = options;
  const reporter = createReporter({ telemetry, log });
  const dialects = createDialectWatch(jim, log);
  const memory = createSeenMemory();
  const spareRequest = createSpareRequest(memory);
  const catchUp = createCatchUp({
    current: keeper.current,
    move,
    see,
    publish: options.publish,
    nowMs,
    log,
  });
  let up = false;
  let failure: PollFailure | null = null;
  let failingSinceMs: number | null = null;
  let clockOffsetSeconds: number | null = null;
  let lastPollMs: number | null = null;
  let lastSuccessfulPollMs: number | null = null;

  async function poll(call: CallOptions): Promise<void> {
    const pollMs = nowMs();
    lastPollMs = pollMs;
    let failed: PollFailure | null = null;
    try {
      await observe(pollMs, call);
    } catch (error) {
      if (call.signal?.aborted) return;
      failed = reasonOf(error);
      noteFailure(failed, error);
    }
    try {
      await keeper.move((ledger) => endOfPoll(ledger, failed === null));
    } catch (error) {
      failed ??= reasonOf(error);
      noteFailure(failed, error);
    }
    up = failed === null || failed === 'storage';
    if (failed === null) noteSuccess();
    failure = failed;
    telemetry.pollEnded({ seconds: (nowMs() - pollMs) / 1_000, failure: failed });
    await options.publish();
  }

  async function observe(pollMs: number, call: CallOptions): Promise<void> {
    const reconnected = failure !== null && failure !== 'storage';
    const dialect = await dialects.know(pollMs, reconnected, call);
    const turn: Turn = {
      pollMs,
      dialect,
      settings: options.settings(),
      totalCount: 0,
      seen: new Set(),
      reader: {
        filters: dialect.filters,
        maxPage: dialect.maxPage,
        list: async (query) => noteDate(await jim.list(query, call)),
        hasActivity: async (id) => (await jim.detail(id, call)) !== 'not_found',
      },
    };
    if (dialect.hasAuthentication)
      await keeper.move((ledger) => withAuthentication(ledger, nowMs()));
    if (!keeper.current().started) return firstStart(turn);
    const spare = await head(turn);
    if (spare.turn === 'window') spareRequest.owe((await catchUp.windowPage(turn)) - 1);
    await lookUps(turn, spare);
    await catchUp.gaps(turn);
  }

  async function firstStart(turn: Turn): Promise<void> {
    const { lookback, lookbackPages } = turn.settings;
    const look = await firstLook(turn.reader, { lookback, pages: lookbackPages }, turn.pollMs);
    await move((ledger) => {
      const step = account(ledger, { ...look.observation, nowMs: nowMs() }, limitsOf(turn));
      const reading = firstReading(look.head, look.enumerated);
      return { ledger: { ...step.ledger, started: true, reading }, events: step.events };
    });
    const { counted, open, runs } = keeper.current();
    log.info(
      'first observation complete: finished Activities in it are history and are not counted',
      {
        history: counted.size,
        open: open.size,
        run_profiles: runs.size,
      },
    );
  }

  /** The head of the list and what the spare request brought: one observation. */
  async function head(turn: Turn): Promise<Spare> {
    const before = keeper.current();
    const { slices, head: read } = await lookAtHead(turn.reader, before);
    turn.totalCount = read.totalCount;
    see(turn, slices);
    const spare = await spareRequest.spend(turn, before);
    memory.note(turn, before.open, spare.sightings);
    const gap = historyGap(before, slices, read, turn);
    if (gap !== null) log.warn(gap);
    await move((ledger) => {
      const observation = observationOf(turn, slices, nowMs());
      const sightings = [...observation.sightings, ...spare.sightings];
      const newRows = observation.sightings.filter(({ activity }) =>
        isNews(ledger, activity),
      ).length;
      const step = account(ledger, { ...observation, sightings }, limitsOf(turn));
      const seen = readHead(ledger.reading, { ...read, newRows }, turn.settings.overlap);
      const reading = noteTotal(seen, { ...read, newRows });
      return {
        ledger: {
          ...step.ledger,
          reading: { ...reading, enumerated: reading.enumerated || spare.sawAllUnfinished },
          lastHistoryGapMs: gap === null ? ledger.lastHistoryGapMs : nowMs(),
        },
        events: step.events,
      };
    });
    return spare;
  }

  /** Rows that must have ended, rows that have not settled, and whatever the spare request was left for. */
  async function lookUps(turn: Turn, spare: Spare): Promise<void> {
    const { open, missing } = keeper.current();
    const wanted = new Map<ActivityId, Wanted>();
    const want = (id: ActivityId): void => {
      const row = open.get(id) ?? missing.get(id);
      if (row !== undefined && !turn.seen.has(id))
        wanted.set(id, { id, created: row.created, fromOldest: row.fromOldest });
    };
    spare.absent.forEach(want);
    for (const [id, { sighting }] of open) if (sighting !== null) want(id);
    if (typeof spare.turn === 'object') want(spare.turn.lookUp);
    if (wanted.size === 0) return;

    const newestFirst = [...wanted.values()].toSorted((a, b) => b.created - a.created);
    const { totalCount } = turn;
    const found = await lookUpAll(turn.reader, newestFirst, { totalCount, open });
    see(turn, found.slices);
    memory.lookedFor(found.lookedUp);
    const { gone, lookedUp } = found;
    await move((ledger) =>
      account(
        ledger,
        { ...observationOf(turn, found.slices, nowMs()), gone, lookedUp },
        limitsOf(turn),
      ),
    );
  }

  /** Releases held increments that are due, and lets label sets go that nobody needs any more. */
  function endOfPoll(ledger: Ledger, complete: boolean): Ledger {
    const { zeroHoldMs, seriesRetentionMs } = options.settings();
    const { servedSince } = options;
    // What is released in this poll retires in a later one: nobody has seen it yet.
    const kept = complete ? retire(ledger, nowMs(), seriesRetentionMs) : ledger;
    const released = releaseHolds(kept, { nowMs: nowMs(), zeroHoldMs, servedSince });
    return options.alertsAfter(released, []);
  }

  /** Every move of counting: accounts, forgets what need not be remembered, commits, and then reports. */
  async function move(step: (ledger: Ledger) => Accounted): Promise<void> {
    let events: readonly AccountEvent[] = [];
    await keeper.move((ledger) => {
      const stepped = step(ledger);
      events = stepped.events;
      const finished = events.flatMap((event) => (event.kind === 'run_finished' ? [event] : []));
      return prune(options.alertsAfter(stepped.ledger, finished), options.settings().overlap);
    });
    reporter.accounted(events);
  }

  function see(turn: Turn, slices: readonly Slice[]): void {
    reporter.rejected(slices);
    for (const { sightings } of slices) memory.note(turn, keeper.current().open, sightings);
  }

  /** Date says whole seconds: half a second is the best guess at the rest. Held against our clock at that very answer, not at the end of a long look. */
  function noteDate(page: ActivityPage): ActivityPage {
    clockOffsetSeconds = (page.date / 1_000 + 500 - page.receivedAtMs) / 1_000;
    return page;
  }

  /** A lasting failure is an error once, and again when its reason changes. */
  function noteFailure(reason: PollFailure, error: unknown): void {
    if (error instanceof RequestError && error.filterViolated) dialects.doubt();
    failingSinceMs ??= nowMs();
    if (failure === reason) log.debug('poll failed again', { reason, err: error });
    else log.error('poll failed', { reason, err: error });
  }

  function noteSuccess(): void {
    lastSuccessfulPollMs = nowMs();
    if (failingSinceMs === null) return;
    const seconds = Math.round((nowMs() - failingSinceMs) / 1_000);
    log.info('polls succeed again', { failed_for_seconds: seconds });
    failingSinceMs = null;
  }

  return {
    poll,
    seen: () => ({
      up,
      dialect: dialects.current(),
      clockOffsetSeconds,
      lastPollMs,
      lastSuccessfulPollMs,
      caughtUp: keeper.current().started && isCaughtUp(keeper.current().reading),
      failure,
    }),
  };
}

/** A row that no ledger knew: what `totalCount` should have risen by. */
function isNews(
  { counted, open, missing, reading }: Ledger,
  { id, created }: { readonly id: ActivityId; readonly created: Instant },
): boolean {
  const isKnown = counted.has(id) || open.has(id) || missing.has(id);
  return !isKnown && (reading.horizon === null || created > reading.horizon);
}

/** An error that is none of ours is a bug: it is not caught here and ends the process. */
function reasonOf(error: unknown): PollFailure {
  if (error instanceof RequestError) return error.reason;
  if (error instanceof WalkVoid || error instanceof BeyondCeiling) return 'bad_response';
  if (error instanceof StorageFailure) return 'storage';
  throw error;
}
