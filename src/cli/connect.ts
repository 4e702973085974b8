/** `jim-exporter check-config --connect`: what an operator wants to know of JIM before going live. */
import type { Config } from '../config/config.ts';
import { createHttp } from '../http.ts';
import type { Clock, Transport } from '../http.ts';
import { JIM_PEER } from '../jim/ask.ts';
import type { JimClient } from '../jim/client.ts';
import { createJimClient } from '../jim/client.ts';
import type { Dialect } from '../jim/dialect.ts';
import { dialectOf } from '../jim/dialect.ts';
import { RequestError } from '../request-error.ts';

export interface JimAccess {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly userAgent: string;
}

/** The JIM client as the commands use it: the exporter's own, without its rate ceiling. */
export function commandClient({ jim }: Config, access: JimAccess): JimClient {
  const http = createHttp({ ...access, peer: JIM_PEER, timeoutMs: jim.timeoutMs });
  return createJimClient({ http, baseUrl: jim.url, apiKey: () => jim.apiKey.read() });
}

/** Series a run profile costs, about; measured in `test/metrics`. */
const SERIES_PER_RUN_PROFILE = 50;
/** Clocks farther apart than this make times on dashboards hard to read. */
const MAX_CLOCK_OFFSET_SECONDS = 30;
const POLLS_PER_MINUTE = 4;

/** Asks and prints; resolves to whether JIM can be watched like this. */
export async function tryJim(
  jim: JimClient,
  config: Config,
  print: (line: string) => void,
): Promise<boolean> {
  const advice: string[] = [];
  try {
    const version = await jim.version();
    print(`  JIM answers:    version ${version}`);
    const list = await jim.list({ sortBy: 'created', direction: 'desc', page: 1, pageSize: 1 });
    print('  the key:        may read Activities (role Administrator)');
    const dialect = dialectOf(version, await jim.probeFilters());
    print(`  it can do:      ${abilitiesOf(dialect)}`);
    const apart = Math.round(list.date / 1_000_000 + 0.5 - list.receivedAtMs / 1_000);
    print(
      `  clocks:         ${apart === 0 ? 'equal' : `JIM's is ${Math.abs(apart)} s ${apart > 0 ? 'ahead' : 'behind'}`}`,
    );
    if (Math.abs(apart) > MAX_CLOCK_OFFSET_SECONDS)
      advice.push('Set both machines to network time: counting does not mind, people do.');
    print(
      `  rate limit:     ${dialect.hasAuthentication ? '300 requests a minute by default in JIM' : 'none in this version'}, ${config.jim.requestsPerMinute} set here`,
    );
    print(`  Activities:     ${list.totalCount}`);
    const { systems, profiles } = await countInventory(jim);
    print(`  inventory:      ${systems} connected systems, ${profiles} run profiles`);
    print(
      `  to expect:      some ${profiles * SERIES_PER_RUN_PROFILE + 200} series, ${POLLS_PER_MINUTE * 2} to ${POLLS_PER_MINUTE * 4} requests a minute when idle`,
    );
    if (profiles > config.poll.maxLabelSets) {
      advice.push(
        `Raise poll.max_label_sets above ${profiles}: further run profiles are folded into (other).`,
      );
    }
    if (!dialect.hasRunStats && config.collectors.runStats === 'auto') {
      advice.push(
        'Statistics of runs are off, since they are costly before JIM 0.14; collectors.run_stats: always asks nevertheless.',
      );
    }
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    print(`  JIM:            ${error.message}`);
    return false;
  }
  for (const line of advice) print(`  change:         ${line}`);
  return true;
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

async function countInventory(
  jim: JimClient,
): Promise<{ readonly systems: number; readonly profiles: number }> {
  let [systems, profiles] = [0, 0];
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { rows, hasNextPage } = await jim.connectedSystems({ page });
    systems += rows.length;
    for (const { id } of rows) profiles += (await jim.runProfiles(id)).length;
    if (!hasNextPage) break;
  }
  return { systems, profiles };
}
