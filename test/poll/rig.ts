/**
 * The real poll cycle on a simulated JIM in virtual time: the JIM client, the ledger, its encoding and the
 * publication are the product's own; the network, the disk and the clock are values.
 */
import type { Transport } from '../../src/http.ts';
import { createHttp, createRateLimiter } from '../../src/http.ts';
import { DeadlinePassed } from '../../src/network-failure.ts';
import { JIM_PEER } from '../../src/jim/ask.ts';
import { createJimClient } from '../../src/jim/client.ts';
import type { ActivityId } from '../../src/jim/activity.ts';
import { micros } from '../../src/jim/activity.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { emptyLedger } from '../../src/ledger/ledger.ts';
import { decodeLedger } from '../../src/ledger/encoding.ts';
import { violations } from '../../src/ledger/invariants.ts';
import { prune } from '../../src/ledger/reading.ts';
import type { LedgerStore } from '../../src/ledger/state-file.ts';
import { withLimit } from '../../src/ledger/labels.ts';
import type { Publication } from '../../src/metrics/publication.ts';
import { createPublication } from '../../src/metrics/publication.ts';
import type { Snapshot } from '../../src/metrics/snapshot.ts';
import { createRuntime } from '../../src/metrics/runtime.ts';
import type { CollectorSettings, Collectors } from '../../src/poll/collectors/collectors.ts';
import { createCollectors } from '../../src/poll/collectors/collectors.ts';
import type { Keeper } from '../../src/poll/keeper.ts';
import { createKeeper } from '../../src/poll/keeper.ts';
import type { Poller } from '../../src/poll/poller.ts';
import type { PollSettings } from '../../src/poll/turn.ts';
import { createPoller } from '../../src/poll/poller.ts';
import type { DialectName } from '../../src/demo/dialects.ts';
import type { Simulator } from '../../src/demo/simulator.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { simulatorTransport } from '../../src/demo/transport.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import { bytesOf } from '../ledger/bytes-of.ts';

const SECOND_MICROS = 1_000_000;
/** Deadline of a request. */
const TIMEOUT_MS = 5_000;

const DEFAULT_SETTINGS: PollSettings = {
  settle: micros(5 * SECOND_MICROS),
  overlap: micros(15 * 60 * SECOND_MICROS),
  lookback: micros(8 * 86_400 * SECOND_MICROS),
  lookbackPages: 50,
  openLimitMs: 7 * 86_400_000,
  zeroHoldMs: 120_000,
  seriesRetentionMs: 35 * 86_400_000,
  runStats: 'never',
};

export const ALL_COLLECTORS: CollectorSettings = {
  enabled: {
    progress: true,
    worker_tasks: true,
    health: true,
    run_stats: true,
    error_types: true,
    failure_causes: true,
    schedules: true,
    inventory: true,
    certificates: true,
  },
  runStats: 'auto',
  messagesWanted: false,
};

/** A commit that fails before, in or after the rename (only then is the new file there); or the process dies there. */
export type DiskFault = 'before' | 'during' | 'after' | 'crash before' | 'crash after';

const DISK_ERRORS = {
  before: 'ENOSPC: no space left on device, write',
  during: 'EIO: i/o error, rename',
  after: 'EIO: i/o error, fsync',
} as const;

/** A copy of the state file, with the ids that it counted and forgot since. */
export interface StateBackup {
  readonly ledger: Ledger;
  readonly forgotten: ReadonlySet<ActivityId>;
}

/** A disk that keeps a ledger, and can be told to fail. */
export interface VirtualDisk extends LedgerStore {
  /** What the next commits do; `ok` from then on. */
  fail(...outcomes: readonly DiskFault[]): void;
  /** Every commit fails while it is. */
  full: boolean;
  /** The process died in a commit. */
  crashed: boolean;
  /** What a restart would load; null before the first commit. */
  readonly durable: Ledger | null;
  readonly commits: number;
  /** Whether the durable counters hold an Activity, though its id may be forgotten since. */
  hasCounted(id: ActivityId): boolean;
  backup(): StateBackup | null;
  /** Puts an older state file in the place of the newest. */
  restore(backup: StateBackup): void;
}

/** A disk, and a way to tell it which ids the next commit no longer remembers. */
interface WatchedDisk extends VirtualDisk {
  forgets(ids: Iterable<ActivityId>): void;
}

/** As in the state file. Texts of parts are kept from commit to commit: a copy of the ledger has none of them. */
async function provenBytesOf(ledger: Ledger): Promise<Buffer> {
  const bytes = await bytesOf(ledger);
  const copy = structuredClone({ ...ledger, counted: new Map(ledger.counted) });
  if (!(await bytesOf(copy)).equals(bytes))
    throw new Error('what is written of the ledger is not what it holds');
  return bytes;
}

const COMMITS_PER_WRITTEN = 8;

/** A ledger never changes, so it is turned into bytes only when somebody reads them: a restart. */
function virtualDisk(): WatchedDisk {
  let durable: StateBackup | null = null;
  let commits = 0;
  /** Ids forgotten by the ledger in memory, and those that the next commit forgets. */
  let forgotten: ReadonlySet<ActivityId> = new Set();
  let forgetting: readonly ActivityId[] = [];
  const planned: DiskFault[] = [];
  const disk: WatchedDisk = {
    full: false,
    crashed: false,
    load: async () => {
      forgotten = durable?.forgotten ?? new Set();
      return durable === null ? null : decodeLedger(await provenBytesOf(durable.ledger), 'virtual');
    },
    commit: async (ledger) => {
      const broken = violations(ledger);
      if (broken.length > 0) throw new Error(`The ledger breaks its own rules: ${broken.join()}`);
      // Now and then, so that a restart meets texts that were kept of an older ledger.
      if (commits % COMMITS_PER_WRITTEN === 0) await bytesOf(ledger);
      const outcome = disk.full ? 'before' : planned.shift();
      const next = forgetting.length === 0 ? forgotten : new Set([...forgotten, ...forgetting]);
      forgetting = [];
      if (outcome === undefined || outcome === 'after' || outcome === 'crash after')
        durable = { ledger, forgotten: next };
      if (outcome === 'crash before' || outcome === 'crash after') {
        disk.crashed = true;
        throw new Crash('killed');
      }
      if (outcome !== undefined) throw new Error(DISK_ERRORS[outcome]);
      forgotten = next;
      commits += 1;
    },
    sizeBytes: () => durable?.ledger.counted.size ?? 0,
    close: async () => undefined,
    fail: (...outcomes) => {
      planned.push(...outcomes);
    },
    forgets: (ids) => {
      forgetting = [...ids];
    },
    hasCounted: (id) =>
      durable !== null && (durable.ledger.counted.has(id) || durable.forgotten.has(id)),
    backup: () => durable,
    restore: (backup) => {
      durable = backup;
    },
    get durable() {
      return durable?.ledger ?? null;
    },
    get commits() {
      return commits;
    },
  };
  return disk;
}

export interface RigOptions {
  readonly world?: World;
  readonly dialect?: DialectName;
  readonly startMs?: number;
  readonly seed?: number | string;
  readonly settings?: Partial<PollSettings>;
  readonly maxLabelSets?: number;
  /**
   * 'when asked': a snapshot's values do not change, so its text can be written when somebody scrapes. False: only
   * `publish` of the rig does; most of a long life's time would go into what nobody reads.
   */
  readonly publish?: boolean | 'when asked';
  /** Ids of counted Activities kept beyond those the rules need; the product keeps 10,000. */
  readonly rememberIds?: number;
  /** They take turns only when a test says so. */
  readonly collectors?: Partial<CollectorSettings>;
  /** Ends a collector's turn; never unless said. */
  readonly deadline?: (ms: number) => AbortSignal;
  /** Our own ceiling; none unless said. */
  readonly requestsPerMinute?: number;
  /** A deliberate defect: the suite must notice it. */
  readonly mutant?: Mutant;
}

/** Where a defect can be put in without touching the product. */
export interface Mutant {
  readonly settings?: Partial<PollSettings>;
  /** After every move of the ledger. */
  readonly step?: (before: Ledger, after: Ledger) => Ledger;
  readonly keeper?: (keeper: Keeper) => Keeper;
  readonly store?: (store: LedgerStore) => LedgerStore;
  readonly servedSince?: () => boolean;
  readonly transport?: (transport: Transport) => Transport;
}

/** The process ended here: nothing in memory is left. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

export interface Rig {
  readonly world: World;
  readonly simulator: Simulator;
  readonly disk: VirtualDisk;
  readonly publication: Publication;
  readonly lines: readonly {
    readonly level: string;
    readonly msg: string;
    readonly fields: unknown;
  }[];
  keeper: Keeper;
  poller: Poller;
  collectors: Collectors;
  ledger(): Ledger;
  /** The true time; every request takes a millisecond of it. */
  nowMs(): number;
  /** The clock of the exporter's machine: the true time unless it was set wrong. */
  ourMs(): number;
  /** Somebody sets the exporter's clock. */
  setOurClock(aheadMs: number): void;
  /** Lets time pass; nobody polls meanwhile. */
  pass(ms: number): void;
  poll(): Promise<void>;
  /** Polls every `everyMs` until so much time has passed. */
  pollFor(ms: number, everyMs?: number): Promise<void>;
  /** A crash and a restart: only the disk remains. */
  restart(
    settings?: Partial<PollSettings>,
    limits?: { readonly maxLabelSets?: number },
  ): Promise<void>;
  /** The process dies at the request after so many. */
  crashAfter(requests: number): void;
  /** Makes what was published last ready to be scraped, where `publish` is 'when asked'. */
  render(): Promise<void>;
  /** Shows what is known now, as each poll and collector does unless told not to. */
  publish(): Promise<void>;
  /** What Prometheus would read now, and that it did. */
  scrape(): string | null;
  /** As `scrape`, as it is sent. */
  scrapeBytes(): Uint8Array | null;
}

export const START_MS = Date.UTC(2026, 10, 23, 6, 0, 0);

export async function createRig(options: RigOptions = {}): Promise<Rig> {
  let nowMs = options.startMs ?? options.world?.nowMs ?? START_MS;
  const world =
    options.world ??
    new World({ seed: options.seed ?? 1, startMs: nowMs, dialect: options.dialect ?? '0.14' });
  const simulator = createSimulator({ world, now: () => nowMs, quirks: { rateLimit: false } });
  let aheadMs = 0;
  const ourMs = (): number => nowMs + aheadMs;
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
  };
  const inner = simulatorTransport(withDeadline(simulator, pass), { sleep: pass });
  const disk = virtualDisk();
  const { mutant = {} } = options;
  const transport = mutant.transport?.(inner) ?? inner;
  let crashIn = Number.POSITIVE_INFINITY;
  const clock = { nowMs: ourMs, sleep: pass };
  const http = createHttp({
    transport: async (request) => {
      if (crashIn === 0) disk.crashed = true;
      if (disk.crashed) throw new Crash('killed');
      crashIn -= 1;
      nowMs += 1;
      return transport(request);
    },
    clock,
    random: () => 0.5,
    peer: JIM_PEER,
    userAgent: 'jim-exporter/test',
    timeoutMs: TIMEOUT_MS,
    ...(options.requestsPerMinute === undefined
      ? {}
      : { limiter: createRateLimiter(options.requestsPerMinute, clock) }),
  });
  const jim = createJimClient({ http, baseUrl: 'http://jim.example', apiKey: () => DEMO_API_KEY });
  const lines: { level: string; msg: string; fields: unknown }[] = [];
  const line =
    (level: string) =>
    (msg: string, fields?: unknown): void => {
      lines.push({ level, msg, fields });
    };
  const log = {
    debug: () => undefined,
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
  };
  let settings: PollSettings = { ...DEFAULT_SETTINGS, ...options.settings, ...mutant.settings };

  let maxLabelSets = options.maxLabelSets ?? 500;
  let unrendered: Snapshot | null = null;
  let shown: Publication;
  const render = async (): Promise<void> => {
    const snapshot = unrendered;
    unrendered = null;
    if (snapshot !== null) await shown.publish(snapshot);
  };

  async function boot(): Promise<
    Pick<Rig, 'keeper' | 'poller' | 'publication' | 'collectors' | 'publish'>
  > {
    const runtime = createRuntime({ disableExporterMetrics: true });
    const publication = createPublication({
      runtime,
      gzip: false,
      yieldToLoop: async () => undefined,
    });
    shown = publication;
    const store = mutant.store?.(disk) ?? disk;
    const loaded = (await store.load()) ?? emptyLedger(maxLabelSets);
    const initial = { ...loaded, labels: withLimit(loaded.labels, maxLabelSets) };
    const committed = runtime.telemetry.stateCommitted;
    const kept = createKeeper({ store, initial, committed });
    const sound = options.rememberIds === undefined ? kept : forgetful(kept, options.rememberIds);
    const stepped = mutant.step === undefined ? sound : mutatedKeeper(sound, mutant.step);
    const keeper = mutant.keeper?.(stepped) ?? stepped;
    const publishNow = async (): Promise<void> => {
      const seen = poller.seen();
      unrendered = {
        ledger: keeper.current(),
        nowMs: ourMs(),
        jim: {
          up: seen.up,
          version: seen.dialect?.version ?? null,
          clockOffsetSeconds: seen.clockOffsetSeconds,
        },
        poll: {
          lastPollMs: seen.lastPollMs,
          lastSuccessfulPollMs: seen.lastSuccessfulPollMs,
          intervalSeconds: 15,
          caughtUp: seen.caughtUp,
        },
        readings: collectors.readings(),
        stateSizeBytes: store.sizeBytes(),
        build: { version: 'test', revision: 'test', nodeVersion: 'test' },
      };
      if (options.publish !== 'when asked') await render();
    };
    const publish = async (): Promise<void> => {
      if (options.publish !== false) await publishNow();
    };
    const poller: Poller = createPoller({
      jim,
      keeper,
      settings: () => settings,
      nowMs: ourMs,
      telemetry: runtime.telemetry,
      log,
      servedSince: mutant.servedSince ?? publication.servedSince,
      alertsAfter: (ledger) => ledger,
      publish,
    });
    const collectors = createCollectors({
      jim,
      keeper,
      settings: () => ({ ...ALL_COLLECTORS, ...options.collectors }),
      seen: () => poller.seen(),
      nowMs: ourMs,
      deadline: options.deadline ?? (() => new AbortController().signal),
      telemetry: runtime.telemetry,
      log,
      alertsAfter: (ledger) => ledger,
      publish,
    });
    await publish();
    return { keeper, poller, publication, collectors, publish: publishNow };
  }

  /** Forgets sooner than the product does, so that lives of a few hundred rows meet the horizon. */
  function forgetful(keeper: Keeper, ids: number): Keeper {
    const step = (ledger: Ledger): Ledger => {
      const pruned = prune(ledger, settings.overlap, { ids, slack: 0 });
      if (pruned !== ledger) disk.forgets(ledger.counted.keys());
      return pruned;
    };
    return { ...keeper, move: (move) => keeper.move((before) => step(move(before))) };
  }

  const parts = await boot();
  const rig: Rig = {
    world,
    simulator,
    disk,
    lines,
    ...parts,
    ledger: () => rig.keeper.current(),
    nowMs: () => nowMs,
    ourMs,
    setOurClock: (ms) => {
      aheadMs = ms;
    },
    pass: (ms) => {
      nowMs += ms;
      world.advanceTo(nowMs);
    },
    poll: () => rig.poller.poll({ retryUntilMs: ourMs() + 15_000 }),
    pollFor: async (ms, everyMs = 15_000) => {
      const until = nowMs + ms;
      while (nowMs < until) {
        const begun = nowMs;
        await rig.poll();
        rig.pass(Math.max(1, begun + everyMs - nowMs));
      }
    },
    restart: async (changed = {}, limits = {}) => {
      disk.crashed = false;
      crashIn = Number.POSITIVE_INFINITY;
      settings = { ...settings, ...changed, ...mutant.settings };
      maxLabelSets = limits.maxLabelSets ?? maxLabelSets;
      Object.assign(rig, await boot());
    },
    crashAfter: (requests) => {
      crashIn = requests;
    },
    render,
    scrape: () => {
      const bytes = rig.scrapeBytes();
      return bytes === null ? null : new TextDecoder().decode(bytes);
    },
    scrapeBytes: () => {
      const current = rig.publication.current();
      if (current === null) return null;
      rig.publication.served(current.publishedAtMs, ourMs());
      return current.text.plain;
    },
  };
  return rig;
}

/** A request that hangs ends by its deadline, and no test waits for that. */
function withDeadline(simulator: Simulator, pass: (ms: number) => Promise<void>): Simulator {
  return {
    ...simulator,
    serve: async (request) => {
      const served = await simulator.serve(request);
      if (served.kind !== 'hung') return served;
      await pass(TIMEOUT_MS);
      throw new DeadlinePassed();
    },
  };
}

function mutatedKeeper(keeper: Keeper, step: NonNullable<Mutant['step']>): Keeper {
  return { ...keeper, move: (move) => keeper.move((before) => step(before, move(before))) };
}

/** Runs counted so far, held back or not. */
export function runsCounted(rig: Pick<Rig, 'ledger'>): number {
  return [...rig.ledger().runs.values()]
    .flatMap(({ published, held }) => [published, held])
    .flatMap(({ statuses }) => Object.values(statuses))
    .reduce((a, b) => a + b, 0);
}
