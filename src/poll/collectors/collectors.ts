/**
 * The collectors and their turns: who is on, when each takes a turn, how long what it read is shown. They
 * run beside the poll; what goes wrong in them shows in their own metric and in one log line.
 */
import type { ActivityId } from '../../jim/activity.ts';
import type { JimClient } from '../../jim/client.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { CollectorName } from '../../metrics/catalogue/process.ts';
import type { Readings } from '../../metrics/snapshot.ts';
import { NO_READINGS } from '../../metrics/snapshot.ts';
import { RequestError } from '../../request-error.ts';
import type { Keeper } from '../keeper.ts';
import { StorageFailure } from '../keeper.ts';
import type { JimSeen } from '../poller.ts';
import type { PollFailure, PollLog } from '../report.ts';
import { createCertificates } from './certificates.ts';
import type { Collected, Collector, EnrichmentTelemetry } from './collector.ts';
import { createErrorTypes } from './error-types.ts';
import { createFailureCauses } from './failure-causes.ts';
import { createHealth } from './health.ts';
import { createInventory } from './inventory.ts';
import { createProgress } from './progress.ts';
import { createRunStats } from './run-stats.ts';
import { createSchedules, schedulesByRun } from './schedules.ts';
import { createWorkerTasks } from './worker-tasks.ts';

export const SCHEDULED_COLLECTORS = ['inventory', 'schedules', 'certificates'] as const;
/** Those with a schedule of their own, in the order of their first turns: steps of schedules need the inventory's names. */
export type ScheduledCollector = (typeof SCHEDULED_COLLECTORS)[number];

export interface CollectorSettings {
  readonly enabled: Readonly<Record<CollectorName, boolean>>;
  readonly runStats: 'auto' | 'always' | 'never';
  /** The bridge tells JIM's error messages. */
  readonly messagesWanted: boolean;
}

export interface CollectorTelemetry extends EnrichmentTelemetry {
  collectorEnded(
    collector: CollectorName,
    turn: { readonly success: boolean; readonly seconds: number },
  ): void;
  collectorStopped(collector: CollectorName): void;
}

export interface CollectorsOptions {
  readonly jim: JimClient;
  readonly keeper: Keeper;
  readonly settings: () => CollectorSettings;
  /** What the last poll said of JIM. */
  readonly seen: () => JimSeen;
  readonly nowMs: () => number;
  /** Aborts after so many milliseconds of real time. */
  readonly deadline: (ms: number) => AbortSignal;
  readonly telemetry: CollectorTelemetry;
  readonly log: PollLog;
  readonly alertsAfter: (ledger: Ledger) => Ledger;
  readonly publish: () => Promise<void>;
}

export interface Collectors {
  /** After a poll: the collectors that go with it, and scheduled ones that still wait for their first turn. */
  afterPoll(options: { readonly signal?: AbortSignal }): Promise<void>;
  /** A turn of its own schedule. */
  turn(name: ScheduledCollector, options: { readonly signal?: AbortSignal }): Promise<void>;
  /** What was last read and is still fresh. */
  readings(): Readings;
  /** For the status page. */
  states(): readonly CollectorState[];
  /** For the bridge. */
  news(): {
    readonly schedules: ReadonlyMap<string, readonly string[]> | null;
    readonly messages: ReadonlyMap<ActivityId, string>;
  };
}

export interface CollectorState {
  readonly name: CollectorName;
  readonly state: 'on' | 'disabled' | 'lacking' | 'failing';
  /** Why it fails: the word of its log line. */
  readonly reason: string | null;
}

/** A reading leaves after so many missed turns while JIM is up. */
const MAX_MISSED_TURNS = 3;
/** One turn of any collector; the inventory's counts can take JIM half a minute each page. */
const TURN_DEADLINE_MS = 120_000;

/** Reasons for which JIM is not asked again before the next poll: a bad key must not be tried on, a silent or busy server not be pressed. */
const NOT_NOW: ReadonlySet<PollFailure> = new Set([
  'unauthorized',
  'forbidden',
  'rate_limited',
  'unreachable',
  'timeout',
]);

interface State {
  readonly collector: Collector;
  collected: Collected;
  missed: number;
  /** A scheduled collector that has not had a turn yet, or could not take its last one. */
  owed: boolean;
  running: boolean;
  /** Reason of the failure that lasts. */
  failing: string | null;
  off: 'disabled' | 'lacking' | null;
}

export function createCollectors(options: CollectorsOptions): Collectors {
  const { keeper, nowMs, telemetry, log } = options;
  const inventory = createInventory();
  const failureCauses = createFailureCauses(() => options.settings().messagesWanted);
  const states = new Map<CollectorName, State>(
    [
      createHealth(),
      createWorkerTasks(),
      createProgress(),
      failureCauses.collector,
      createErrorTypes(),
      createRunStats(() => options.settings().runStats),
      inventory.collector,
      createSchedules(inventory.labelsOf),
      createCertificates(),
    ].map((collector) => [collector.name, newState(collector)]),
  );

  /** Whether there is something new to show. */
  async function turn(state: State, signal: AbortSignal | undefined): Promise<boolean> {
    const { collector, off } = state;
    const { dialect, failure } = options.seen();
    if (signal?.aborted) return false;
    if (isOff(state)) return state.off !== off;
    const held = failure !== null && NOT_NOW.has(failure) && collector.needsKey;
    if (dialect === null || held) {
      state.owed = true;
      return false;
    }
    if (state.running) {
      miss(state);
      return true;
    }
    state.running = true;
    state.owed = false;
    const begunMs = nowMs();
    const deadline = options.deadline(TURN_DEADLINE_MS);
    const ends = endOfAny(signal === undefined ? [deadline] : [signal, deadline]);
    try {
      const collected = await collector.collect({
        jim: options.jim,
        dialect,
        call: {
          signal: ends.signal,
          retryUntilMs: failure === null ? begunMs + TURN_DEADLINE_MS : begunMs,
        },
        nowMs,
        ledger: keeper.current,
        move: (step) => keeper.move((ledger) => options.alertsAfter(step(ledger))),
        telemetry,
      });
      if (collected === 'waiting') return false;
      state.collected = collected;
      succeed(state);
    } catch (error) {
      if (signal?.aborted) return false;
      fail(state, error, deadline);
    } finally {
      ends.unlink();
      state.running = false;
    }
    const seconds = (nowMs() - begunMs) / 1_000;
    telemetry.collectorEnded(collector.name, { success: state.failing === null, seconds });
    return true;
  }

  /** Whether it is off now; says so once. */
  function isOff(state: State): boolean {
    const { name, lacking } = state.collector;
    const { dialect } = options.seen();
    const missing = dialect === null ? null : lacking(dialect);
    const isEnabled = options.settings().enabled[name];
    const off = !isEnabled ? 'disabled' : missing === null ? null : 'lacking';
    if (off !== state.off && off !== null) {
      telemetry.collectorStopped(name);
      Object.assign(state, newState(state.collector), { running: state.running });
      if (off === 'lacking')
        log.info('a collector is off, since this JIM lacks what it reads', {
          collector: name,
          lacks: missing,
        });
    }
    state.off = off;
    return off !== null;
  }

  function succeed(state: State): void {
    state.missed = 0;
    if (state.failing !== null)
      log.info('a collector succeeds again', { collector: state.collector.name });
    state.failing = null;
  }

  function fail(state: State, error: unknown, deadline: AbortSignal): void {
    const reason = reasonOf(error, deadline);
    const fields = { collector: state.collector.name, reason, err: error };
    if (state.failing === reason) log.debug('a collector failed again', fields);
    else log.warn('a collector failed', fields);
    state.failing = reason;
    miss(state);
    if (state.collector.leavesAtOnce) state.collected = {};
  }

  /** Missed turns count only while JIM is up: while it is down, what was read stays, with its age. */
  function miss(state: State): void {
    if (options.seen().up) state.missed += 1;
    if (state.missed >= MAX_MISSED_TURNS) state.collected = {};
  }

  function readings(): Readings {
    let all = NO_READINGS;
    for (const { collected } of states.values()) all = { ...all, ...collected };
    return all;
  }

  return {
    readings,
    states: () =>
      Array.from(states.values(), ({ collector, off, failing }) => ({
        name: collector.name,
        state: off ?? (failing === null ? 'on' : 'failing'),
        reason: off === null ? failing : null,
      })),
    news: () => ({
      schedules: schedulesByRun(readings().schedules),
      messages: failureCauses.messages,
    }),
    turn: async (name, { signal }) => {
      const state = states.get(name);
      if (state !== undefined && (await turn(state, signal))) await options.publish();
    },
    afterPoll: async ({ signal }) => {
      const each = async (state: State): Promise<void> => {
        if (await turn(state, signal)) await options.publish();
      };
      const owedInOrder = async (): Promise<void> => {
        for (const name of SCHEDULED_COLLECTORS) {
          const state = states.get(name);
          if (state?.owed === true && !state.running) await each(state);
        }
      };
      const withPoll = [...states.values()].filter(({ collector }) => !isScheduled(collector.name));
      await Promise.all([...withPoll.map(each), owedInOrder()]);
    },
  };
}

function newState(collector: Collector): State {
  return {
    collector,
    collected: {},
    missed: 0,
    owed: isScheduled(collector.name),
    running: false,
    failing: null,
    off: null,
  };
}

function isScheduled(name: CollectorName): name is ScheduledCollector {
  return (SCHEDULED_COLLECTORS as readonly CollectorName[]).includes(name);
}

/** As AbortSignal.any, which on Node 20 leaves something behind at a signal that lives as long as the process. */
function endOfAny(signals: readonly AbortSignal[]): {
  readonly signal: AbortSignal;
  unlink(): void;
} {
  const ends = new AbortController();
  const listeners = signals.map((signal) => {
    const end = (): void => ends.abort(signal.reason);
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    return () => signal.removeEventListener('abort', end);
  });
  return { signal: ends.signal, unlink: () => listeners.forEach((unlink) => unlink()) };
}

/** An error that is none of ours is a bug: it is not caught here and ends the process. */
function reasonOf(error: unknown, deadline: AbortSignal): string {
  if (error instanceof RequestError) return error.reason;
  if (error instanceof StorageFailure) return 'storage';
  if (deadline.aborted) return 'timeout';
  throw error;
}
