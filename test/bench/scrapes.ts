/** (a) Scrapes of the built exporter while it polls and publishes every second, beside its peers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { largeLedger } from '../metrics/snapshots.ts';
import type { Effort } from './effort.ts';
import type { LoadJob, LoadResult } from './load.ts';
import type { Peer } from './peers.ts';
import { MissingProgram, startNginx, startPromClient, startPushgateway } from './peers.ts';
import type { Exporter, Jim, Load } from './processes.ts';
import { cpuSecondsOf, startExporter, startJim, startLoad } from './processes.ts';
import type { Line, Measured, Point } from './table.ts';
import { line, median } from './table.ts';

const CONNECTIONS = [1, 10, 50] as const;
/** The size and the way of asking for which the goals are set. */
const JUDGED = { series: 10_000, openMetrics: false, gzip: true, connections: 10 } as const;
/** So much longer than the others, so that 1 % of its scrapes are enough to tell. */
const JUDGED_TIMES = 4;

const NGINX = 'nginx static';

const WARM_UP = { openMetrics: false, gzip: true, connections: 10, client: 'counting' } as const;
const WARM_UP_TIMES = 12;

type Way = Pick<LoadJob, 'openMetrics' | 'gzip' | 'connections'>;

export async function measureScrapes(effort: Effort): Promise<Measured> {
  const lines: Line[] = [];
  const points: Point[] = [];
  const notes: string[] = [];
  const load = startLoad();
  try {
    for (const series of effort.sizes) {
      const measured = await atSize(series, effort, load);
      lines.push(...measured.lines);
      points.push(...measured.points);
      notes.push(...measured.notes);
    }
  } finally {
    await load.stop();
  }
  return { lines, points, notes: [...new Set(notes)] };
}

async function atSize(series: number, effort: Effort, load: Load): Promise<Measured> {
  const runProfiles = largeLedger(series).runs.size;
  const jim = await startJim();
  await jim.order({
    kind: 'add',
    count: 100,
    newestMs: Date.now() - 60_000,
    secondsApart: 1,
    runProfiles,
  });
  const exporter = await startExporter({ jim, ledger: largeLedger(series) });
  const busy = keepBusy(jim, runProfiles);
  try {
    await exporter.until('jim_up', 1);
    const files = await filesOf(exporter);
    const peers = await startPeers(series, files);
    try {
      return await compare(series, effort, load, exporter, peers);
    } finally {
      for (const { peer } of peers.running) await peer.stop();
    }
  } finally {
    busy.stop();
    await exporter.stop();
    await jim.stop();
  }
}

/** A run finishes every half second, so that each poll counts, commits and publishes. */
function keepBusy(jim: Jim, runProfiles: number): { stop(): void } {
  let going = true;
  const run = async (): Promise<void> => {
    while (going) {
      await jim.order({
        kind: 'add',
        count: 1,
        newestMs: Date.now() - 10_000,
        secondsApart: 1,
        runProfiles,
      });
      await sleep(500);
    }
  };
  void run().catch(() => undefined);
  return {
    stop: () => {
      going = false;
    },
  };
}

async function filesOf(exporter: Exporter): Promise<{ gzip: Buffer; plain: Buffer }> {
  // fetch undoes the compression: the bytes as sent are those of undici.
  const { request } = await import('undici');
  const bytes = async (encoding: string): Promise<Buffer> => {
    const answer = await request(`${exporter.url}/metrics`, {
      headers: { 'accept-encoding': encoding },
    });
    return Buffer.from(await answer.body.arrayBuffer());
  };
  return { gzip: await bytes('gzip'), plain: await bytes('identity') };
}

interface Named {
  readonly name: string;
  readonly peer: Peer;
  readonly path: (gzip: boolean) => string;
}

async function startPeers(
  series: number,
  files: { gzip: Buffer; plain: Buffer },
): Promise<{ readonly running: readonly Named[]; readonly notes: readonly string[] }> {
  const running: Named[] = [];
  const notes: string[] = [];
  const add = async (
    name: string,
    start: () => Promise<Peer>,
    path: Named['path'],
  ): Promise<void> => {
    try {
      running.push({ name, peer: await start(), path });
    } catch (error) {
      if (!(error instanceof MissingProgram)) throw error;
      notes.push(`(a) is not compared with ${name}: ${error.message}.`);
    }
  };
  const metrics = (): string => '/metrics';
  await add(
    NGINX,
    () => startNginx(files),
    (gzip) => (gzip ? '/gzip' : '/plain'),
  );
  await add('pushgateway', () => startPushgateway(files.plain), metrics);
  await add('prom-client', () => startPromClient(series), metrics);
  return { running, notes };
}

async function compare(
  series: number,
  effort: Effort,
  load: Load,
  exporter: Exporter,
  { running, notes }: { readonly running: readonly Named[]; readonly notes: readonly string[] },
): Promise<Measured> {
  const lines: Line[] = [];
  const points: Point[] = [];
  const shown = series.toLocaleString('en');
  // What compiles is the start's business.
  await load.run({
    url: `${exporter.url}/metrics`,
    durationMs: effort.loadMs * WARM_UP_TIMES,
    ...WARM_UP,
  });
  for (const openMetrics of [false, true]) {
    for (const gzip of [true, false]) {
      for (const connections of CONNECTIONS) {
        const way: Way = { openMetrics, gzip, connections };
        const compared = !openMetrics && connections === JUDGED.connections ? running : [];
        const judged = compared.length > 0 && gzip && series === JUDGED.series;
        const durationMs = effort.loadMs * (judged ? JUDGED_TIMES : 1);
        const { ours, theirs } = await rounds(effort, load, exporter, compared, {
          ...way,
          durationMs,
          client: 'counting',
        });
        const what = `(a) ${shown} series, ${openMetrics ? 'OpenMetrics' : 'text'}, ${gzip ? 'gzip' : 'plain'}, ${connections} connections`;
        const p99Ms = median(ours.map(({ p99Ms: ms }) => ms));
        const perSecond = rateOf(ours);
        lines.push(
          line(what, perSecond, 'scrapes/s', {
            remark: `p50 ${median(ours.map(({ p50Ms }) => p50Ms)).toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ${cpuMsOf(ours).toFixed(2)} ms of CPU each`,
          }),
        );
        if (judged) lines.push(line(`${what}: p99`, p99Ms, 'ms', { goal: { atMost: 5 } }));
        if (compared.length > 0 && gzip)
          points.push({
            name: 'seconds per scrape, gzip',
            axis: 'series',
            size: series,
            value: 1 / perSecond,
          });
        if (judged) {
          const nginx = compared.filter(({ name }) => name === NGINX);
          const read = await rounds(effort, load, exporter, nginx, {
            ...way,
            durationMs,
            client: 'undici',
          });
          const [their] = read.theirs.map(({ results }) => rateOf(results));
          if (their !== undefined)
            lines.push(
              line(`${what}: against nginx, both read by undici`, rateOf(read.ours) / their, '×', {
                goal: { atLeast: 0.6 },
                remark: `as the goal was set; nginx: ${their.toFixed(0)} scrapes/s`,
              }),
            );
        }
        for (const { name, results } of theirs) {
          const theirRate = rateOf(results);
          const least = judged && name === 'pushgateway' ? 100 : undefined;
          lines.push(
            line(`${what}: against ${name}`, perSecond / theirRate, '×', {
              ...(least === undefined ? {} : { goal: { atLeast: least } }),
              remark: `${name}: ${theirRate.toFixed(theirRate < 100 ? 1 : 0)} scrapes/s, p99 ${median(results.map(({ p99Ms: ms }) => ms)).toFixed(2)} ms, ${cpuMsOf(results).toFixed(2)} ms of CPU each`,
            }),
          );
        }
      }
    }
  }
  return { lines, points, notes };
}

/** Turn by turn, so that whatever else the machine does meets all alike. */
async function rounds(
  { repeats }: Effort,
  load: Load,
  exporter: Exporter,
  peers: readonly Named[],
  job: Omit<LoadJob, 'url'>,
): Promise<{ readonly ours: readonly Turn[]; readonly theirs: readonly Theirs[] }> {
  const ours: Turn[] = [];
  const theirs = peers.map(({ name }) => ({ name, results: [] as Turn[] }));
  for (let round = 0; round < repeats; round += 1) {
    ours.push(await turn(load, exporter.pid, { ...job, url: `${exporter.url}/metrics` }));
    for (const [index, { peer, path }] of peers.entries())
      theirs[index]?.results.push(
        await turn(load, peer.pid, { ...job, url: peer.url + path(job.gzip) }),
      );
  }
  return { ours, theirs };
}

interface Theirs {
  readonly name: string;
  readonly results: readonly Turn[];
}

/** With the CPU time of the server for each scrape: it holds where other programs keep the cores busy. */
type Turn = LoadResult & { readonly cpuMs: number };

async function turn(load: Load, pid: number, job: LoadJob): Promise<Turn> {
  const before = await cpuSecondsOf(pid);
  const result = await load.run(job);
  return { ...result, cpuMs: (((await cpuSecondsOf(pid)) - before) * 1_000) / result.scrapes };
}

function rateOf(turns: readonly Turn[]): number {
  return median(turns.map(({ perSecond }) => perSecond));
}

/** Over all rounds: one alone is too short for the system's ticks. */
function cpuMsOf(turns: readonly Turn[]): number {
  const scrapes = turns.reduce((sum, one) => sum + one.scrapes, 0);
  return turns.reduce((sum, one) => sum + one.cpuMs * one.scrapes, 0) / scrapes;
}
