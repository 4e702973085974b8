/**
 * `npm run bench`: measures against goals and peers in one run and prints a Markdown table.
 * Ratios hold from machine to machine, absolutes do not. BENCH_QUICK=1 takes seconds.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeLedger, encodeLedger } from '../../src/ledger/encoding.ts';
import { openStateFile } from '../../src/ledger/state-file.ts';
import type { Publication } from '../../src/metrics/publication.ts';
import { createPublication } from '../../src/metrics/publication.ts';
import { createRuntime } from '../../src/metrics/runtime.ts';
import { createRoutes } from '../../src/web/routes.ts';
import { startServer } from '../../src/web/server.ts';
import { busyRunAccount, largeLedger, ledgerOf, NOW_MS, snapshotOf } from '../metrics/snapshots.ts';
import { silentLog } from '../web/fakes.ts';
import { startNginx, startPushgateway } from './peers.ts';

const QUICK = process.env['BENCH_QUICK'] === '1';
const REPEATS = 5;
const LOAD_MS = QUICK ? 300 : 3_000;
const CONNECTIONS = 10;
const SIZES = [1_000, 10_000, 100_000] as const;
const run = promisify(execFile);

interface Line {
  readonly what: string;
  readonly result: string;
  readonly goal: string;
  /** Null where no goal was set. */
  readonly met: boolean | null;
}

interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const [task, size] = process.argv.slice(2);
if (task === 'rss') process.stdout.write(String(await rssAfterPublishing(Number(size))));
else
  printTable([
    ...(await scrapes()),
    ...(await publications()),
    ...(await commits()),
    ...(await memory()),
  ]);

/** (a) Text with gzip at 10,000 series while a changed publication is made every 250 ms. */
async function scrapes(): Promise<Line[]> {
  const publication = newPublication();
  await publication.publish(snapshotOf(largeLedger(10_000)));
  const shown = publication.current();
  if (shown?.text.gzip == null) throw new Error('nothing was published');
  const nginx = await startNginx(shown.text.gzip);
  const pushgateway = await startPushgateway(shown.text.plain).catch(async (error: unknown) => {
    await nginx.stop();
    throw error;
  });
  const server = await serve(publication);
  let version = 0;
  const publishing = setInterval(() => void publication.publish(changed(10_000, ++version)), 250);
  try {
    const ours: LoadResult[] = [];
    const fromFile: LoadResult[] = [];
    const pushed: LoadResult[] = [];
    for (let round = 0; round < REPEATS; round += 1) {
      ours.push(await load(server.url));
      fromFile.push(await load(nginx.url));
      pushed.push(await load(pushgateway.url));
    }
    const rate = medianOf(ours, 'perSecond');
    const ofNginx = rate / medianOf(fromFile, 'perSecond');
    const ofPushgateway = rate / medianOf(pushed, 'perSecond');
    const p99Ms = medianOf(ours, 'p99Ms');
    const what = `(a) scrapes at 10,000 series, gzip, ${CONNECTIONS} connections`;
    return [
      { what, result: `${rate.toFixed(0)}/s`, goal: '–', met: null },
      {
        what: '(a) against nginx static',
        result: `${ofNginx.toFixed(2)} ×`,
        goal: '≥ 0.6 ×',
        met: ofNginx >= 0.6,
      },
      {
        what: '(a) against pushgateway',
        result: `${ofPushgateway.toFixed(0)} ×`,
        goal: '≥ 100 ×',
        met: ofPushgateway >= 100,
      },
      { what: '(a) p50', result: ms(medianOf(ours, 'p50Ms')), goal: '–', met: null },
      atMost('(a) p99 while publishing', p99Ms, 5),
    ];
  } finally {
    clearInterval(publishing);
    await server.stop();
    await nginx.stop();
    await pushgateway.stop();
  }
}

/** (b) Every run profile changed, so nothing can be reused: both formats, compressed. */
async function publications(): Promise<Line[]> {
  const goals = { 1_000: [20, 10], 10_000: [20, 10], 100_000: [250, 50] } as const;
  const lines: Line[] = [];
  for (const series of SIZES) {
    const publication = newPublication();
    const times: number[] = [];
    const blocks: number[] = [];
    for (let version = 0; version <= REPEATS; version += 1) {
      const snapshot = changed(series, version);
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const before = performance.now();
      await publication.publish(snapshot);
      const took = performance.now() - before;
      delay.disable();
      // The first one compiles; it is the start's business.
      if (version === 0) continue;
      times.push(took);
      blocks.push(delay.max / 1e6);
    }
    const [timeMs, blockMs] = goals[series];
    lines.push(atMost(`(b) publication at ${series} series`, median(times), timeMs));
    lines.push(atMost(`(b) longest block at ${series} series`, median(blocks), blockMs));
  }
  return lines;
}

/** (f) and the loading part of (h), by size of the state file. */
async function commits(): Promise<Line[]> {
  const lines: Line[] = [];
  for (const series of SIZES) {
    const folder = await mkdtemp(join(tmpdir(), 'jim-bench-'));
    const store = await openStateFile(folder, Date.now);
    const ledger = largeLedger(series);
    const text = encodeLedger(ledger);
    const megabytes = `${(text.length / 1e6).toFixed(2)} MB (${series} series)`;
    const commitMs = await medianTime(() => store.commit(ledger));
    const decodeMs = await medianTime(async () => decodeLedger(text, 'bench'));
    await store.close();
    await rm(folder, { recursive: true });
    const judged = text.length <= 1.1e6;
    lines.push(
      judged
        ? atMost(`(f) commit of ${megabytes}`, commitMs, 15)
        : { what: `(f) commit of ${megabytes}`, result: ms(commitMs), goal: '–', met: null },
    );
    lines.push({ what: `(h) decode of ${megabytes}`, result: ms(decodeMs), goal: '–', met: null });
  }
  return lines;
}

/** (g) A process of its own for each size, without a web server or a poller, after 20 changed publications. */
async function memory(): Promise<Line[]> {
  const goals = { 1_000: 120, 10_000: 120, 100_000: 300 } as const;
  const lines: Line[] = [];
  for (const series of SIZES) {
    const { stdout } = await run(process.execPath, [
      fileURLToPath(import.meta.url),
      'rss',
      String(series),
    ]);
    const megabytes = Number(stdout);
    lines.push({
      what: `(g) RSS at ${series} series`,
      result: `${megabytes.toFixed(0)} MB`,
      goal: `≤ ${goals[series]} MB`,
      met: megabytes <= goals[series],
    });
  }
  return lines;
}

async function rssAfterPublishing(series: number): Promise<number> {
  const publication = newPublication();
  for (let version = 0; version < 20; version += 1)
    await publication.publish(changed(series, version));
  return process.memoryUsage.rss() / 1e6;
}

function newPublication(): Publication {
  return createPublication({ runtime: createRuntime({ disableExporterMetrics: false }) });
}

/**
 * The same series with other values: equal text would keep its bytes, and so its compressed bytes too.
 */
function changed(series: number, version: number) {
  const runs = [...largeLedger(series).runs.values()].map(({ labels }, index) =>
    busyRunAccount(labels, index + 1 + version * 1_000_003),
  );
  return snapshotOf(ledgerOf({ runs }), { nowMs: NOW_MS + version, stateSizeBytes: version });
}

async function serve(publication: Publication) {
  const log = silentLog;
  const server = await startServer({
    addresses: [{ text: '127.0.0.1:0', host: '127.0.0.1', port: 0 }],
    fetch: createRoutes({
      publication,
      telemetryPath: '/metrics',
      lifecycle: { enabled: false, reload: async () => ({ ok: true }) },
      ready: () => true,
      maxRequests: 0,
      page: () => ({ html: '', contentSecurityPolicy: '' }),
      nowMs: Date.now,
      log,
    }),
    webConfig: null,
    nowMs: Date.now,
    log,
  });
  return { url: `http://${server.addresses[0] ?? ''}/metrics`, stop: () => server.close(0) };
}

async function load(url: string): Promise<LoadResult> {
  const script = fileURLToPath(new URL('load.js', import.meta.url));
  const { stdout } = await run(process.execPath, [
    script,
    url,
    String(CONNECTIONS),
    String(LOAD_MS),
  ]);
  return JSON.parse(stdout);
}

async function medianTime(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < REPEATS; round += 1) {
    const before = performance.now();
    await work();
    times.push(performance.now() - before);
  }
  return median(times);
}

function medianOf(results: readonly LoadResult[], field: keyof LoadResult): number {
  return median(results.map((result) => result[field]));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function atMost(what: string, valueMs: number, goalMs: number): Line {
  return { what, result: ms(valueMs), goal: `≤ ${goalMs} ms`, met: valueMs <= goalMs };
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function printTable(lines: readonly Line[]): void {
  const verdict = (met: boolean | null) => (met === null ? '' : met ? 'met' : '**falls short**');
  const rows = lines.map(
    (line) => `| ${line.what} | ${line.result} | ${line.goal} | ${verdict(line.met)} |`,
  );
  console.log(['| measured | result | goal | |', '| --- | --- | --- | --- |', ...rows].join('\n'));
}
