/**
 * One poll, from JIM to the publication: observe, account, commit, publish, notify. The steps and their
 * order are those of counting.md, "One poll"; each `look` is an observation that succeeds or fails alone.
 */
import type { ActivityId, Instant, Micros } from '../jim/activity.ts';
import { MICROS_PER_SECOND } from '../jim/activity.ts';
import type { JimClient } from '../jim/client.ts';
import type { Dialect } from '../jim/dialect.ts';
import { dialectOf } from '../jim/dialect.ts';
import type { RejectReason } from '../jim/row.ts';
import type { AccountEvent, CountingLimits, Observation } from '../ledger/account.ts';
import { RECHECK_MS, account } from '../ledger/account.ts';
import type { LastRun, Ledger, RunLabels } from '../ledger/ledger.ts';
import type { HeadRead } from '../ledger/reading.ts';
import {
  abandonPart,
  firstReading,
  headStop,
  isCaughtUp,
  noteTotal,
  prune,
  readHead,
  readPart,
  windowEnd,
} from '../ledger/reading.ts';
import { retire } from '../ledger/retire.ts';
import { releaseHolds, withAuthentication } from '../ledger/zero-hold.ts';
import type { FailureReason } from '../request-error.ts';
import { RequestError } from '../request-error.ts';
import { firstLook } from './first-start.ts';
import type { Keeper } from './keeper.ts';
import { StorageFailure } from './keeper.ts';
import type { JimReader, Wanted } from './observe.ts';
import {
  isListedByStatus,
  knownInWindow,
  lookAtHead,
  lookAtInProgress,
  lookAtStatus,
  lookUpAll,
  partReadOf,
  readPartSlices,
} from './observe.ts';
import type { Slice } from './walk.ts';
import { BeyondCeiling, PAGE_SIZE, WalkVoid } from './walk.ts';

export interface PollSettings {
  readonly settle: Micros;
  readonly overlap: Micros;
  readonly lookback: Micros;
  readonly lookbackPages: number;
  readonly openLimitMs: number;
  readonly zeroHoldMs: number;
  readonly seriesRetentionMs: number;
  readonly runStats: 'auto' | 'always' | 'never';
}

export type PollFailure = FailureReason | 'storage';

/** What the poll reports of its work; the metrics and tests implement it. */
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

/** A run counted in a move: the bridge tells of it even if a success followed. */
export interface FinishedRun {
  readonly labels: RunLabels;
  readonly run: LastRun;
}

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
  readonly servedSince: (bornAtMs: number) => boolean;
  /** Alerts of the bridge that follow from a move: part of the same commit. */
  readonly alertsAfter: (ledger: Ledger, finished: readonly FinishedRun[]) => Ledger;
  /** Shows the last committed ledger. Called after each commit of a catch-up, and at the end of the poll. */
  readonly publish: () => Promise<void>;
}

export interface Poller {
  /** One poll; never rejects but for a bug. Retries inside it end at `retryUntilMs`, the next poll. */
  poll(options: { readonly signal?: AbortSignal; readonly retryUntilMs?: number }): Promise<void>;
  seen(): JimSeen;
}

/** The version is asked again this often, and after every reconnect. */
const VERSION_MAX_AGE_MS = 3_600_000;
/** Pages of a gap read and committed together. */
const BATCH_PAGES = 10;
/** Pages of gaps read in one poll, so that newer rows are not kept waiting. */
const MAX_GAP_PAGES = 100;
/** Pages beyond its turn that a reading may take to get past rows of one instant. */
const MAX_EXTRA_PAGES = 3;
/** JIM's default retention of the rows we count (jim-api, section 7): a longer outage may have lost some unseen. */
const RETENTION: number = 90 * 86_400 * MICROS_PER_SECOND;
/** Rejected rows remembered, to log and count each once. */
const MAX_REJECTED = 1_000;

export function createPoller(options: PollerOptions): Poller {
  const { jim, keeper, log, telemetry, nowMs } = options;
  let dialect: Dialect | null = null;
  let dialectAtMs = 0;
  let up = false;
  let failure: PollFailure | null = null;
  let failingSinceMs: number | null = null;
  let clockOffsetSeconds: number | null = null;
  let lastPollMs: number | null = null;
  let lastSuccessfulPollMs: number | null = null;
  let spareIsTurn = false;
  let statusFull = false;
  let inProgressCursor: Instant | null = null;
  let catchingUp: { readonly sinceMs: number; rows: number } | null = null;
  const lastSeenMs = new Map<ActivityId, number>();
  const rejectedBefore = new Set<string>();

  /** One poll's own facts. */
  interface Turn {
    readonly pollMs: number;
    readonly reader: JimReader;
    readonly dialect: Dialect;
    readonly settings: PollSettings;
    totalCount: number;
    readonly seen: Set<ActivityId>;
  }

  async function poll(call: {
    readonly signal?: AbortSignal;
    readonly retryUntilMs?: number;
  }): Promise<void> {
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

  function endOfPoll(ledger: Ledger, complete: boolean): Ledger {
    const { zeroHoldMs, seriesRetentionMs } = options.settings();
    const released = releaseHolds(ledger, {
      nowMs: nowMs(),
      zeroHoldMs,
      servedSince: options.servedSince,
    });
    const kept = complete ? retire(released, nowMs(), seriesRetentionMs) : released;
    return options.alertsAfter(kept, []);
  }

  async function observe(pollMs: number, call: Parameters<Poller['poll']>[0]): Promise<void> {
    const known = await knowDialect(pollMs, call);
    const settings = options.settings();
    const turn: Turn = {
      pollMs,
      dialect: known,
      settings,
      totalCount: 0,
      seen: new Set(),
      reader: {
        filters: known.filters,
        maxPage: known.maxPage,
        list: (query) => jim.list(query, call),
        hasActivity: async (id) => (await jim.detail(id, call)) !== 'not_found',
      },
    };
    if (known.hasAuthentication) await keeper.move((ledger) => withAuthentication(ledger, nowMs()));
    if (!keeper.current().started) return start(turn);
    await head(turn);
    await lookUps(turn);
    await gaps(turn);
  }

  async function knowDialect(
    pollMs: number,
    call: Parameters<Poller['poll']>[0],
  ): Promise<Dialect> {
    const fresh =
      dialect !== null && pollMs - dialectAtMs < VERSION_MAX_AGE_MS && pollMs >= dialectAtMs;
    if (dialect !== null && fresh && failure === null) return dialect;
    const version = await versionOrUnknown(call);
    const next = dialectOf(version, await jim.probeFilters(call));
    if (dialect === null || dialect.version !== next.version || dialect.filters !== next.filters) {
      log.info('JIM answers', { version: next.version, filters_by_created: next.filters });
      if (!next.versionKnown) {
        log.warn('JIM’s version is no number; only the abilities of the oldest version are used', {
          version,
        });
      }
    }
    dialect = next;
    dialectAtMs = pollMs;
    return next;
  }

  /** A server that does not tell its version is treated as the oldest. */
  async function versionOrUnknown(call: Parameters<Poller['poll']>[0]): Promise<string> {
    try {
      return await jim.version(call);
    } catch (error) {
      if (error instanceof RequestError && error.reason === 'bad_response') return 'unknown';
      throw error;
    }
  }

  async function start(turn: Turn): Promise<void> {
    const { lookback, lookbackPages } = turn.settings;
    const look = await firstLook(turn.reader, { lookback, pages: lookbackPages }, turn.pollMs);
    noteDate(look.head.date);
    await move((ledger) => {
      const step = account(ledger, { ...look.observation, nowMs: nowMs() }, limitsOf(turn));
      return {
        ledger: {
          ...step.ledger,
          started: true,
          reading: firstReading(look.head, look.enumerated),
        },
        events: step.events,
      };
    });
    const ledger = keeper.current();
    log.info(
      'first observation complete: finished Activities in it are history and are not counted',
      {
        history: ledger.counted.size,
        open: ledger.open.size,
        run_profiles: ledger.runs.size,
      },
    );
  }

  /** The head of the list and, with the spare request, the status page or one turn of slow re-reading. */
  async function head(turn: Turn): Promise<void> {
    const before = keeper.current();
    const { slices, head: read } = await lookAtHead(turn.reader, before);
    turn.totalCount = read.totalCount;
    noteDate(read.date);
    see(turn, slices);
    const spare = await spareRequest(turn, before);
    const gapFound = historyGap(before, slices, read, turn);
    await move((ledger) => {
      const sightings = [...slices.flatMap((slice) => slice.sightings), ...spare.sightings];
      const newRows = slices
        .flatMap(({ sightings: rows }) => rows)
        .filter(({ activity }) => isNews(ledger, activity)).length;
      const step = account(ledger, observationOf(turn, sightings, slices), limitsOf(turn));
      const withRows: HeadRead = { ...read, newRows };
      const reading = noteTotal(
        readHead(ledger.reading, withRows, turn.settings.overlap),
        withRows,
      );
      const lastHistoryGapMs = gapFound === null ? ledger.lastHistoryGapMs : nowMs();
      return { ledger: { ...step.ledger, reading, lastHistoryGapMs }, events: step.events };
    });
    if (gapFound !== null) log.warn(gapFound);
    suspects = spare.absent;
  }

  let suspects: readonly ActivityId[] = [];

  /** An idle poll costs two requests: this is the second. None is spent when the head showed every open Activity. */
  async function spareRequest(
    turn: Turn,
    ledger: Ledger,
  ): Promise<{ sightings: Observation['sightings']; absent: readonly ActivityId[] }> {
    const unseen = [...ledger.open].filter(([id]) => !turn.seen.has(id));
    const statusWanted = unseen.some(([, open]) => isListedByStatus(open));
    const windowDue = ledger.reading.unread.length > 0 && isCaughtUp(ledger.reading);
    const recheckDue =
      dueRechecks(ledger, turn).length > 0 ||
      statusFull ||
      unseen.some(([, open]) => !isListedByStatus(open));
    const turnDue = windowDue || recheckDue;
    if (spareDebt > 0) {
      spareDebt -= 1;
      plannedTurn = null;
      return { sightings: [], absent: [] };
    }
    const takeTurn = turnDue && (spareIsTurn || !statusWanted);
    spareIsTurn = !takeTurn;
    if (takeTurn) {
      plannedTurn = windowDue && (windowTurn || !recheckDue) ? 'window' : 'recheck';
      windowTurn = !windowTurn;
      return { sightings: [], absent: [] };
    }
    plannedTurn = null;
    if (!statusWanted) return { sightings: [], absent: [] };
    return statusPage(turn, ledger);
  }

  let plannedTurn: 'window' | 'recheck' | null = null;
  let windowTurn = true;
  /** Requests that a turn took beyond its one: later polls do without their spare one. */
  let spareDebt = 0;

  async function statusPage(
    turn: Turn,
    ledger: Ledger,
  ): Promise<{ sightings: Observation['sightings']; absent: readonly ActivityId[] }> {
    if (statusFull && turn.reader.filters) {
      const look = await lookAtInProgress(turn.reader, ledger, inProgressCursor);
      statusFull = !(look.conclusive && inProgressCursor === null);
      inProgressCursor = look.next;
      seeSightings(turn, look.sightings);
      return look;
    }
    const look = await lookAtStatus(turn.reader, ledger);
    statusFull = !look.conclusive;
    inProgressCursor = null;
    seeSightings(turn, look.sightings);
    return look;
  }

  /** Rows that must have ended, rows not settled yet, and one turn of those that are looked at now and then. */
  async function lookUps(turn: Turn): Promise<void> {
    const ledger = keeper.current();
    if (plannedTurn === 'window') await windowPage(turn, ledger);
    const wanted = new Map<ActivityId, Wanted>();
    const want = (
      id: ActivityId,
      row: { readonly created: Instant; readonly fromOldest: number } | undefined,
    ): void => {
      if (row !== undefined && !turn.seen.has(id))
        wanted.set(id, { id, created: row.created, fromOldest: row.fromOldest });
    };
    for (const id of suspects) want(id, ledger.open.get(id));
    for (const [id, open] of ledger.open) if (open.sighting !== null) want(id, open);
    if (plannedTurn === 'recheck') {
      const [due] = dueRechecks(ledger, turn);
      const id = due ?? longestUnseen(ledger, turn);
      if (id !== null) want(id, ledger.missing.get(id) ?? ledger.open.get(id));
    }
    if (wanted.size === 0) return;
    const newestFirst = [...wanted.values()].toSorted((a, b) => b.created - a.created);
    const found = await lookUpAll(turn.reader, newestFirst, turn.totalCount);
    see(turn, found.slices);
    for (const { id } of newestFirst) lastSeenMs.set(id, turn.pollMs);
    await move((current) => {
      const sightings = found.slices.flatMap((slice) => slice.sightings);
      const observation = observationOf(turn, sightings, found.slices);
      return account(current, { ...observation, gone: found.gone }, limitsOf(turn));
    });
  }

  /** Vanished, unreadable and orphaned rows are looked at once an hour. */
  function dueRechecks(ledger: Ledger, turn: Turn): readonly ActivityId[] {
    const due: ActivityId[] = [];
    for (const [id, { nextCheckMs }] of ledger.missing)
      if (isDue(nextCheckMs, turn.pollMs)) due.push(id);
    for (const [id, open] of ledger.open) {
      if (open.orphaned && isDue(open.nextCheckMs, turn.pollMs) && !turn.seen.has(id)) due.push(id);
    }
    return due;
  }

  /** The open Activity that was not looked at for longest. */
  function longestUnseen(ledger: Ledger, turn: Turn): ActivityId | null {
    let longest: ActivityId | null = null;
    for (const [id, open] of ledger.open) {
      if (turn.seen.has(id) || open.orphaned) continue;
      if (longest === null || (lastSeenMs.get(id) ?? 0) < (lastSeenMs.get(longest) ?? 0))
        longest = id;
    }
    return longest;
  }

  /** A second look at one page of the window, for rows that became visible late. */
  async function windowPage(turn: Turn, ledger: Ledger): Promise<void> {
    const [part] = ledger.reading.unread;
    if (part === undefined) return;
    const pages = await readDown(turn, part, 1, () => false);
    spareDebt += pages - 1;
  }

  /** Catches up on what lies between the rows read now and those known before, in committed batches. */
  async function gaps(turn: Turn): Promise<void> {
    let pages = MAX_GAP_PAGES;
    while (pages > 0) {
      const [part] = keeper.current().reading.unread;
      if (part === undefined || part.high < part.knownBelow) break;
      catchingUp ??= { sinceMs: turn.pollMs, rows: 0 };
      pages -= await readDown(turn, part, pages, (ledger) => {
        const [next] = ledger.reading.unread;
        return next === undefined || next.high < next.knownBelow || next.low !== part.low;
      });
      reportCatchUp(turn);
    }
    if (catchingUp !== null && isCaughtUp(keeper.current().reading)) {
      log.info('caught up with JIM', {
        rows: catchingUp.rows,
        seconds: (nowMs() - catchingUp.sinceMs) / 1_000,
      });
      catchingUp = null;
    }
  }

  function reportCatchUp(turn: Turn): void {
    const [part] = keeper.current().reading.unread;
    if (catchingUp === null || part === undefined || part.high < part.knownBelow) return;
    log.info('catching up with JIM', {
      rows_read: catchingUp.rows,
      reached: new Date(part.high / 1_000).toISOString(),
      until: new Date(part.knownBelow / 1_000).toISOString(),
      seconds: (nowMs() - catchingUp.sinceMs) / 1_000,
      rows_in_jim: turn.totalCount,
    });
  }

  /** Reads down a part, at most so many pages, and commits every few; returns the pages read. */
  async function readDown(
    turn: Turn,
    part: Ledger['reading']['unread'][number],
    maxPages: number,
    enough: (ledger: Ledger) => boolean,
  ): Promise<number> {
    let pages = 0;
    let batch: Slice[] = [];
    let met = false;
    const known = knownInWindow(keeper.current(), part.low, part.knownBelow);
    const commit = async (): Promise<void> => {
      const slices = batch;
      batch = [];
      if (slices.length === 0) return;
      see(turn, slices);
      met ||= slices.some(({ sightings }) =>
        sightings.some(({ activity }) => known.has(activity.id)),
      );
      if (catchingUp !== null)
        catchingUp.rows += slices.reduce((rows, { sightings }) => rows + sightings.length, 0);
      await move((ledger) => readBatch(ledger, slices, turn));
      if (pages < maxPages) await options.publish();
    };
    try {
      for await (const slice of readPartSlices(turn.reader, part, turn.totalCount)) {
        batch.push(slice);
        pages += 1;
        const preview = batch.reduce(
          (ledger, { last, lastFromOldest, ended }) => ({
            ...ledger,
            reading: readPart(ledger.reading, {
              deepest: last,
              deepestFromOldest: lastFromOldest,
              ended,
            }),
          }),
          keeper.current(),
        );
        // A page that ends where the part begins brought nothing: the next one does.
        const progressed = preview.reading.unread[0]?.high !== part.high;
        if (
          enough(preview) ||
          (pages >= maxPages && progressed) ||
          pages >= maxPages + MAX_EXTRA_PAGES
        )
          break;
        if (batch.length >= BATCH_PAGES) await commit();
      }
      await commit();
    } catch (error) {
      if (!(error instanceof BeyondCeiling)) throw error;
      await commit();
      await abandon();
      return pages + 1;
    }
    const closed = catchingUp !== null && isCaughtUp(keeper.current().reading);
    if (closed && known.size > 0 && !met) await noteHistoryGap(NO_KNOWN_ROW);
    return Math.max(1, pages);
  }

  function readBatch(
    ledger: Ledger,
    slices: readonly Slice[],
    turn: Turn,
  ): ReturnType<typeof account> {
    let current = ledger;
    const events: AccountEvent[] = [];
    for (const slice of slices) {
      const step = account(current, observationOf(turn, slice.sightings, [slice]), limitsOf(turn));
      events.push(...step.events);
      current = { ...step.ledger, reading: readPart(step.ledger.reading, partReadOf(slice)) };
    }
    return { ledger: current, events };
  }

  async function abandon(): Promise<void> {
    await noteHistoryGap(
      'JIM refuses pages this deep, so older Activities of this gap cannot be counted',
    );
    await keeper.move((ledger) => ({ ...ledger, reading: abandonPart(ledger.reading) }));
  }

  async function noteHistoryGap(sentence: string): Promise<void> {
    log.warn(sentence);
    await keeper.move((ledger) => ({ ...ledger, lastHistoryGapMs: nowMs() }));
  }

  /** Whether rows may have been deleted unseen: counting.md, rule 15. */
  function historyGap(
    ledger: Ledger,
    slices: readonly Slice[],
    read: HeadRead,
    turn: Turn,
  ): string | null {
    const { reading } = ledger;
    if (reading.lastDate !== null && read.date - reading.lastDate > RETENTION) {
      return 'JIM was not read for longer than it keeps Activities: some may have been deleted unseen';
    }
    const from = windowEnd(reading, read.date, turn.settings.overlap);
    const stop = headStop(reading, read.date);
    if (from === null || stop === null || reading.top === null) return null;
    const reached = read.ended || (read.deepest !== null && read.deepest < stop);
    if (!reached) return null;
    const known = knownInWindow(ledger, from, reading.top);
    const met = slices.some(({ sightings }) =>
      sightings.some(({ activity }) => known.has(activity.id)),
    );
    return known.size > 0 && !met ? NO_KNOWN_ROW : null;
  }

  /** Every move of counting: accounts, forgets what need not be remembered, commits, and reports. */
  async function move(step: (ledger: Ledger) => ReturnType<typeof account>): Promise<void> {
    let events: readonly AccountEvent[] = [];
    await keeper.move((ledger) => {
      const stepped = step(ledger);
      events = stepped.events;
      const finished = events.flatMap((event) => (event.kind === 'run_finished' ? [event] : []));
      return prune(options.alertsAfter(stepped.ledger, finished), options.settings().overlap);
    });
    report(events);
  }

  function report(events: readonly AccountEvent[]): void {
    for (const event of events) {
      switch (event.kind) {
        case 'verdict':
          if (event.verdict === 'altered') telemetry.activityAltered();
          if (event.verdict !== 'already_counted' && event.verdict !== 'unknown_and_old') {
            log.debug('account', { activity_id: event.id, verdict: event.verdict });
          }
          break;
        case 'vanished':
          telemetry.activityVanished();
          log.info('an open Activity vanished from JIM', { activity_id: event.id });
          break;
        case 'orphaned':
          log.warn(
            'an Activity is open longer than poll.open_limit; it is looked at once an hour from now on',
            {
              activity_id: event.id,
            },
          );
          break;
        case 'unrecognised':
          telemetry.valueUnrecognised(event.field);
          log.warn('JIM uses a word that this version does not know', {
            field: event.field,
            word: event.word.slice(0, 64),
          });
          break;
        case 'run_finished':
          break;
        case 'folded':
          telemetry.labelSetsFolded(event.count);
          log.warn(
            'more label sets than poll.max_label_sets: further ones are folded into (other)',
            { count: event.count },
          );
          break;
      }
    }
  }

  function observationOf(
    turn: Turn,
    sightings: Observation['sightings'],
    slices: readonly Slice[],
  ): Observation {
    const rejected = slices.flatMap((slice) => slice.rejected);
    for (const row of rejected) noteRejected(row);
    return {
      nowMs: nowMs(),
      pollMs: turn.pollMs,
      sightings,
      rejected: rejected.flatMap(({ id, created, fromOldest }) =>
        id === null || created === null ? [] : [{ id, created, fromOldest }],
      ),
      gone: [],
      first: false,
    };
  }

  function noteRejected(row: Slice['rejected'][number]): void {
    const key = row.id ?? `${String(row.created)}/${row.reason}`;
    if (rejectedBefore.has(key)) return;
    if (rejectedBefore.size >= MAX_REJECTED) rejectedBefore.clear();
    rejectedBefore.add(key);
    telemetry.activityRejected(row.reason);
    log.warn('a row of JIM’s list cannot be read and was left out; it is looked at again', {
      activity_id: row.id ?? '(unreadable)',
      reason: row.reason,
    });
  }

  function see(turn: Turn, slices: readonly Slice[]): void {
    for (const { sightings } of slices) seeSightings(turn, sightings);
  }

  function seeSightings(turn: Turn, sightings: Observation['sightings']): void {
    const { open } = keeper.current();
    for (const { activity } of sightings) {
      turn.seen.add(activity.id);
      if (open.has(activity.id)) lastSeenMs.set(activity.id, turn.pollMs);
    }
    if (lastSeenMs.size > 2 * open.size + PAGE_SIZE) {
      for (const id of lastSeenMs.keys()) if (!open.has(id)) lastSeenMs.delete(id);
    }
  }

  /** Date says whole seconds: half a second is the best guess at the rest. */
  function noteDate(date: Instant): void {
    clockOffsetSeconds = (date / 1_000 + 500 - nowMs()) / 1_000;
  }

  function limitsOf(turn: Turn): CountingLimits {
    const { settle, openLimitMs, runStats } = turn.settings;
    const wanted = runStats === 'always' || (runStats === 'auto' && turn.dialect.hasRunStats);
    return { settleMicros: settle, openLimitMs, runStats: wanted };
  }

  function noteFailure(reason: PollFailure, error: unknown): void {
    if (error instanceof RequestError && error.filterViolated) dialect = null;
    const fields = { reason, err: error };
    if (failure === reason) {
      log.debug('poll failed again', fields);
      return;
    }
    failingSinceMs ??= nowMs();
    log.error('poll failed', fields);
  }

  function noteSuccess(): void {
    lastSuccessfulPollMs = nowMs();
    if (failingSinceMs === null) return;
    log.info('polls succeed again', {
      failed_for_seconds: Math.round((nowMs() - failingSinceMs) / 1_000),
    });
    failingSinceMs = null;
  }

  return {
    poll,
    seen: () => ({
      up,
      dialect,
      clockOffsetSeconds,
      lastPollMs,
      lastSuccessfulPollMs,
      caughtUp: keeper.current().started && isCaughtUp(keeper.current().reading),
      failure,
    }),
  };
}

const NO_KNOWN_ROW =
  'JIM’s list holds none of the Activities known before (factory reset, restored backup, or long outage): some may have been deleted unseen';

function isDue(nextCheckMs: number, nowMs: number): boolean {
  // A clock set back must not put a check off for longer than an hour.
  return nextCheckMs <= nowMs || nextCheckMs - nowMs > 2 * RECHECK_MS;
}

/** A row that no ledger knew: what `totalCount` should have risen by. */
function isNews(
  ledger: Ledger,
  activity: { readonly id: ActivityId; readonly created: Instant },
): boolean {
  const known =
    ledger.counted.has(activity.id) ||
    ledger.open.has(activity.id) ||
    ledger.missing.has(activity.id);
  const { horizon } = ledger.reading;
  return !known && (horizon === null || activity.created > horizon);
}

/** An error that is none of ours is a bug: it is not caught here and ends the process. */
function reasonOf(error: unknown): PollFailure {
  if (error instanceof RequestError) return error.reason;
  if (error instanceof WalkVoid || error instanceof BeyondCeiling) return 'bad_response';
  if (error instanceof StorageFailure) return 'storage';
  throw error;
}
