/** (d), (g), (h): what the built exporter costs as a process, beside a JIM of encoded rows. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { ChunkedMap } from '../../src/ledger/chunked-map.ts';
import { activityId, instant } from '../../src/jim/activity.ts';
import { bytesOf } from '../ledger/bytes-of.ts';
import { largeLedger } from '../metrics/snapshots.ts';
import type { Effort } from './effort.ts';
import type { Exporter, Jim } from './processes.ts';
import { startExporter, startJim } from './processes.ts';
import type { Line, Measured, Point } from './table.ts';
import { line, mean, median } from './table.ts';

const DAY_MS = 86_400_000;
const RUN_PROFILES = 142;
const PAGE_SIZE = 100;

/** (d) From the moment JIM has the rows to `jim_exporter_caught_up 1`; the ceiling is off. */
export async function measureCatchUp({ catchUps }: Effort): Promise<Measured> {
  const lines: Line[] = [];
  const points: Point[] = [];
  for (const rows of catchUps) {
    await withExporter({}, async (exporter, jim) => {
      const requestsBefore = await jim.order({ kind: 'tell' });
      const cpuBefore = await exporter.value('process_cpu_seconds_total');
      // Older than `settle`, newer than what the first observation saw.
      const newestMs = Date.now() - 60_000;
      await jim.order({
        kind: 'add',
        // With the one that JIM had before, which is history: of more than 200,000 its pages do not show the middle.
        count: rows - 1,
        newestMs,
        secondsApart: 1,
        runProfiles: RUN_PROFILES,
      });
      const addedMs = performance.now();
      await untilCounted(exporter, rows - 1);
      const seconds = (performance.now() - addedMs) / 1_000;
      const requests = (await jim.order({ kind: 'tell' })) - requestsBefore;
      const cpuSeconds = (await exporter.value('process_cpu_seconds_total')) - cpuBefore;
      const shown = rows.toLocaleString('en');
      lines.push(
        line(`(d) catch-up of ${shown} rows`, seconds, 's', {
          remark: `${Math.round(rows / seconds).toLocaleString('en')} rows/s, ${cpuSeconds.toFixed(1)} s of CPU; JIM itself gives 500 rows/s`,
        }),
        line(`(d) requests for ${shown} rows`, requests, '', {
          goal: { atMost: (1.1 * rows) / PAGE_SIZE },
          remark: `${((requests * PAGE_SIZE) / rows).toFixed(3)} × rows/100, polls meanwhile included`,
        }),
      );
      points.push(
        { name: 'catch-up CPU seconds', axis: 'rows', size: rows, value: cpuSeconds },
        { name: 'catch-up requests', axis: 'rows', size: rows, value: requests },
      );
    });
  }
  return { lines, points, notes: [] };
}

async function untilCounted(exporter: Exporter, rows: number): Promise<void> {
  const deadlineMs = performance.now() + 600_000;
  for (;;) {
    const text = await (await fetch(`${exporter.url}/metrics`)).text();
    const counted = sumOf(text, 'jim_runs_total');
    if (counted === rows && /^jim_exporter_caught_up 1$/m.test(text)) return;
    if (performance.now() > deadlineMs) throw new Error(`${counted} of ${rows} rows were counted`);
    await sleep(100);
  }
}

function sumOf(text: string, family: string): number {
  const values = [...text.matchAll(new RegExp(`^${family}\\{[^}]*\\} (\\S+)$`, 'gm'))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

/** (g) After twenty polls that each counted a run, and day by day of three months in which a run finishes every minute. */
export async function measureMemory({ sizes, days }: Effort): Promise<Measured> {
  const lines: Line[] = [];
  const points: Point[] = [];
  const goals: Readonly<Record<number, number>> = { 10_000: 120, 100_000: 300 };
  for (const series of sizes) {
    const goal = goals[series];
    const megabytes = await residentAfterPolls(series, []);
    const small = await residentAfterPolls(series, SMALL_HEAP);
    lines.push(
      line(`(g) RSS at ${series.toLocaleString('en')} series`, megabytes, 'MB', {
        ...(goal === undefined ? {} : { goal: { atMost: goal } }),
        remark: `${small.toFixed(0)} MB with node ${SMALL_HEAP.join(' ')}`,
      }),
    );
    points.push({ name: 'RSS', axis: 'series', size: series, value: megabytes });
  }
  lines.push(...(await measureMonths(days)));
  return { lines, points, notes: [] };
}

/** Node's young generation grows to 48 MB by itself, whatever the program needs. */
const SMALL_HEAP = ['--max-semi-space-size=1'];

async function residentAfterPolls(series: number, nodeArgs: readonly string[]): Promise<number> {
  const ledger = largeLedger(series);
  const runProfiles = ledger.runs.size;
  return withExporter({ ledger, nodeArgs }, async (exporter, jim) => {
    const samples: number[] = [];
    for (let second = 0; second < 20; second += 1) {
      const newestMs = Date.now() - 10_000;
      await jim.order({ kind: 'add', count: 1, newestMs, secondsApart: 1, runProfiles });
      await (await fetch(`${exporter.url}/metrics`)).arrayBuffer();
      await sleep(1_000);
      samples.push(await exporter.residentMegabytes());
    }
    return median(samples.slice(-5));
  });
}

async function measureMonths(days: number): Promise<readonly Line[]> {
  const runsPerDay = 1_440;
  return withExporter({ firstRowDaysAgo: days + 2 }, async (exporter, jim) => {
    const begunMs = Date.now() - days * DAY_MS;
    const rss: number[] = [];
    for (let day = 1; day <= days; day += 1) {
      await jim.order({
        kind: 'add',
        count: runsPerDay,
        newestMs: begunMs + day * DAY_MS - 60_000,
        secondsApart: 60,
        runProfiles: RUN_PROFILES,
      });
      await untilCounted(exporter, day * runsPerDay);
      rss.push(await exporter.residentMegabytes());
    }
    // Means: from one collection of the buffers beside V8's heap to the next, some 20 days, it rises by 20 MB.
    const third = Math.max(1, Math.floor(days / 3));
    const early = mean(rss.slice(third, 2 * third));
    const late = mean(rss.slice(-third));
    const remark = `${(days * runsPerDay).toLocaleString('en')} runs of ${RUN_PROFILES} run profiles`;
    return [
      line(`(g) RSS after ${days} simulated days`, late, 'MB', { remark }),
      line('(g) its last third against the one before', late / early, '×', {
        goal: { atMost: 1.1 },
      }),
    ];
  });
}

/** Their state file has one megabyte, for which the goal of (h) is set. */
const SERIES_OF_A_MEGABYTE = 7_350;

/** (h) From `spawn` to the first scrape that was answered, by size of the state file. */
export async function measureStart({ sizes, repeats }: Effort): Promise<Measured> {
  const lines: Line[] = [];
  const points: Point[] = [];
  for (const series of [SERIES_OF_A_MEGABYTE, ...sizes].toSorted((a, b) => a - b)) {
    const ledger = rememberingLedger(series);
    const megabytes = (await bytesOf(ledger)).length / 1e6;
    const times: number[] = [];
    const bare: number[] = [];
    // Twice as often as else: what a start takes depends most on what the machine does meanwhile.
    for (let round = 0; round < 2 * repeats + 1; round += 1) {
      times.push(await withExporter({ ledger }, async ({ startedInMs }) => startedInMs));
      bare.push(await bareStartMs());
    }
    lines.push(
      line(
        `(h) start to first scrape, state of ${megabytes.toFixed(1)} MB`,
        median(times) / 1_000,
        's',
        {
          ...(series <= SERIES_OF_A_MEGABYTE ? { goal: { atMost: 0.5 } } : {}),
          remark: `${series.toLocaleString('en')} series, ${ledger.counted.size.toLocaleString('en')} ids; ${(median(times) / median(bare)).toFixed(1)} × node -e 0, which took ${(median(bare) / 1_000).toFixed(2)} s`,
        },
      ),
    );
    points.push({
      name: 'start',
      axis: 'bytes of state',
      size: megabytes * 1e6,
      value: median(times),
    });
  }
  return { lines, points, notes: [] };
}

/** The peer: Node.js doing nothing. */
async function bareStartMs(): Promise<number> {
  const begunMs = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - begunMs;
}

/** As after weeks: as many counted ids as it keeps. */
export function rememberingLedger(series: number): Ledger {
  const nowMicros = Date.now() * 1_000;
  const counted = Array.from({ length: Math.min(10_000, series) }, (_, index) => {
    const id = activityId(`00000000-0000-7000-8000-${String(index).padStart(12, '0')}`);
    const created = instant(nowMicros - (index + 60) * 60_000_000);
    return [id, { created, fingerprint: (index * 7_919_123_457).toString(36) }] as const;
  });
  return { ...largeLedger(series), started: true, counted: ChunkedMap.of(new Map(counted)) };
}

interface SetUp {
  readonly ledger?: Ledger;
  readonly firstRowDaysAgo?: number;
  readonly nodeArgs?: readonly string[];
}

/** With a JIM that has one finished run of long ago, and an exporter that has polled it once. */
async function withExporter<T>(
  { ledger, firstRowDaysAgo = 5, nodeArgs = [] }: SetUp,
  work: (exporter: Exporter, jim: Jim) => Promise<T>,
): Promise<T> {
  const jim = await startJim();
  try {
    const newestMs = Date.now() - firstRowDaysAgo * DAY_MS;
    await jim.order({ kind: 'add', count: 1, newestMs, secondsApart: 1, runProfiles: 1 });
    const exporter = await startExporter({
      jim,
      nodeArgs,
      ...(ledger === undefined ? {} : { ledger }),
    });
    try {
      await exporter.until('jim_up', 1);
      return await work(exporter, jim);
    } finally {
      await exporter.stop();
    }
  } finally {
    await jim.stop();
  }
}
