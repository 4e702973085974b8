/** `jim-exporter check-config --connect`: what an operator wants to know of JIM before going live. */
import type { Config } from '../config/config.ts';
import { createHttp } from '../http.ts';
import type { Clock, Transport } from '../http.ts';
import { JIM_PEER } from '../jim/ask.ts';
import type { ActivityPage, JimClient } from '../jim/client.ts';
import { createJimClient } from '../jim/client.ts';
import type { Dialect } from '../jim/dialect.ts';
import { dialectOf } from '../jim/dialect.ts';
import { RequestError } from '../request-error.ts';
import { plain } from './terminal.ts';

export interface JimAccess {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly userAgent: string;
  /** A request has ended. */
  readonly onRequest?: () => void;
}

/** The JIM client as the commands use it: the exporter's own, without its rate ceiling. */
export function commandClient({ jim }: Config, access: JimAccess): JimClient {
  const http = createHttp({ ...access, peer: JIM_PEER, timeoutMs: jim.timeoutMs });
  return createJimClient({ http, baseUrl: jim.url, apiKey: () => jim.apiKey.read() });
}

export interface TrialOptions {
  readonly jim: JimClient;
  readonly config: Config;
  /** Requests that went to JIM so far. */
  readonly requests: () => number;
  /** Seconds between two turns of a schedule. */
  readonly intervalSecondsOf: (schedule: string) => number;
  readonly print: (line: string) => void;
}

/** Series a run profile costs, about, and those there are without any; measured in `test/metrics`. */
const SERIES_PER_RUN_PROFILE = 50;
const SERIES_OF_OUR_OWN = 200;
/** Clocks farther apart than this make times on dashboards hard to read. */
const MAX_CLOCK_OFFSET_SECONDS = 30;
/** What JIM allows a key unless its settings say otherwise (0.14 and later). */
const JIM_REQUESTS_PER_MINUTE = 300;
/** Requests of an idle poll. */
const POLL_REQUESTS = 2;
/** A turn of the schedules collector: the schedules, the steps of one, the newest executions. */
const SCHEDULES_REQUESTS = 3;
/** Connected systems of one turn of the inventory, and the request that lists them. */
const INVENTORY_SYSTEMS = 10;

/** Asks and prints; resolves to whether JIM can be watched like this. */
export async function tryJim(options: TrialOptions): Promise<boolean> {
  const { jim, config, print } = options;
  const fact = (name: string, text: string): void => print(`  ${`${name}:`.padEnd(16)}${text}`);
  try {
    const version = await jim.version();
    fact('JIM answers', `version ${plain(version)}`);
    const list = await jim.list({ sortBy: 'created', direction: 'desc', page: 1, pageSize: 1 });
    fact('the key', 'may read Activities (role Administrator)');
    const dialect = dialectOf(version, await jim.probeFilters());
    fact('it can do', abilitiesOf(dialect));
    const clocks = secondsApart(list);
    fact('clocks', clocksOf(clocks));
    fact('Activities', String(list.totalCount));
    const inventory = await countInventory(jim);
    fact('inventory', inventoryOf(inventory));
    const limit = dialect.hasAuthentication
      ? `JIM allows a key ${JIM_REQUESTS_PER_MINUTE} requests a minute, unless set otherwise there`
      : 'this version of JIM has none';
    fact('rate limit', `none was met in ${options.requests()} requests; ${limit}`);
    const perMinute = requestsPerMinute(options, dialect, inventory);
    const series = inventory.profiles * SERIES_PER_RUN_PROFILE + SERIES_OF_OUR_OWN;
    fact(
      'to expect',
      `about ${series} series, and ${perMinute} requests a minute when idle, of the ${config.jim.requestsPerMinute} allowed here`,
    );
    const advice = adviceFor({ config, dialect, inventory, clocks, perMinute });
    for (const sentence of advice) fact('to change', sentence);
    if (advice.length === 0) fact('to change', 'nothing');
    return true;
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    fact('JIM', plain(error.message));
    return false;
  }
}

interface InventoryCount {
  readonly systems: number;
  readonly profiles: number;
  /** Not all were counted. */
  readonly isPart: boolean;
}

function inventoryOf({ systems, profiles, isPart }: InventoryCount): string {
  return `${isPart ? 'at least ' : ''}${systems} connected systems, ${profiles} run profiles`;
}

/** The Date header tells whole seconds, so less than one is none. */
function secondsApart({ date, receivedAtMs }: Pick<ActivityPage, 'date' | 'receivedAtMs'>): number {
  const apart = date / 1_000_000 + 0.5 - receivedAtMs / 1_000;
  return Math.abs(apart) < 1 ? 0 : Math.round(apart);
}

function clocksOf(apartSeconds: number): string {
  if (apartSeconds === 0) return 'equal';
  return `JIM's is ${Math.abs(apartSeconds)} s ${apartSeconds > 0 ? 'ahead' : 'behind'}`;
}

/** By the schedules that are set; what runs and what finishes costs more. */
function requestsPerMinute(
  { config, intervalSecondsOf }: TrialOptions,
  dialect: Dialect,
  { systems }: InventoryCount,
): number {
  const { collectors, poll } = config;
  const each = (schedule: string, requests: number): number =>
    (requests * 60) / Math.max(1, intervalSecondsOf(schedule));
  const withPoll =
    POLL_REQUESTS +
    Number(collectors.health.enabled) +
    Number(collectors.workerTasks.enabled && dialect.hasWorkerTasks);
  const scheduled = [
    [collectors.schedules, SCHEDULES_REQUESTS],
    [collectors.inventory, 1 + Math.min(systems, INVENTORY_SYSTEMS)],
    [collectors.certificates, 1],
  ] as const;
  const all = scheduled.flatMap(([{ enabled, schedule }, requests]) =>
    enabled ? [each(schedule, requests)] : [],
  );
  return Math.ceil(all.reduce((sum, one) => sum + one, each(poll.schedule, withPoll)));
}

function adviceFor(facts: {
  readonly config: Config;
  readonly dialect: Dialect;
  readonly inventory: InventoryCount;
  readonly clocks: number;
  readonly perMinute: number;
}): readonly string[] {
  const { config, dialect, inventory, clocks, perMinute } = facts;
  const { requestsPerMinute: ceiling } = config.jim;
  const { maxLabelSets } = config.poll;
  const advice: readonly (readonly [boolean, string])[] = [
    [
      !dialect.versionKnown,
      'JIM tells no version that we understand, so the oldest abilities are assumed: check what stands before JIM.',
    ],
    [
      Math.abs(clocks) > MAX_CLOCK_OFFSET_SECONDS,
      'Set both machines to network time: counting does not mind, people do.',
    ],
    [
      inventory.profiles > maxLabelSets,
      `Raise poll.max_label_sets (${maxLabelSets}) above ${inventory.profiles}: further run profiles are folded into (other).`,
    ],
    [
      perMinute > ceiling,
      `Raise jim.requests_per_minute (${ceiling}) above ${perMinute}, or poll less often: polls would wait for their turn.`,
    ],
    [
      dialect.hasAuthentication && ceiling > JIM_REQUESTS_PER_MINUTE,
      `Lower jim.requests_per_minute (${ceiling}) to what JIM allows a key, ${JIM_REQUESTS_PER_MINUTE} by default: beyond it JIM refuses.`,
    ],
    [
      !dialect.hasRunStats && config.collectors.runStats === 'auto',
      'Statistics of runs are off, since they are costly before JIM 0.14; collectors.run_stats: always asks nevertheless.',
    ],
  ];
  return advice.filter(([applies]) => applies).map(([, sentence]) => sentence);
}

function abilitiesOf(dialect: Dialect): string {
  const can = [
    dialect.filters ? 'filters by time' : null,
    dialect.hasWorkerTasks ? 'worker queue' : null,
    dialect.hasProgress ? 'live progress' : null,
    dialect.hasRunStats ? 'run statistics and error types' : null,
    dialect.hasAuthentication ? 'sign-ins' : null,
  ].filter((ability) => ability !== null);
  const ceiling =
    dialect.maxPage === null
      ? ''
      : `; shows at most ${dialect.maxPage * 100} Activities from either end`;
  return `${can.length === 0 ? 'Activities only' : can.join(', ')}${ceiling}`;
}

/** Pages of connected systems counted. */
const MAX_PAGES = 20;

async function countInventory(jim: JimClient): Promise<InventoryCount> {
  let [systems, profiles, isPart] = [0, 0, false];
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { rows, hasNextPage } = await jim.connectedSystems({ page });
    systems += rows.length;
    for (const { id } of rows) profiles += (await jim.runProfiles(id)).length;
    isPart = hasNextPage;
    if (!hasNextPage) break;
  }
  return { systems, profiles, isPart };
}
