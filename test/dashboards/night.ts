/**
 * A bad night at the demo's company, played through the real exporter in virtual time and recorded as
 * Prometheus would have scraped it. Only the network, the clock and the scraper are stand-ins: the app is wired
 * by `startApp`, polls on its own schedule, and is asked for `/metrics` over HTTP.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { vi } from 'vitest';
import type { App } from '../../src/app.ts';
import { startApp } from '../../src/app.ts';
import type { Config } from '../../src/config/config.ts';
import { formatFault, loadConfig } from '../../src/config/load.ts';
import { BADGES, CLOUD, DIRECTORY, HR, PHONE_BOOK } from '../../src/demo/company-set-up.ts';
import type { Company } from '../../src/demo/company.ts';
import { createCompany } from '../../src/demo/company.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { simulatorTransport } from '../../src/demo/transport.ts';
import { DEMO_API_KEY } from '../../src/demo/world.ts';
import type { Transport } from '../../src/http.ts';
import { createLog } from '../../src/log.ts';
import type { RecordedExemplar, RecordedSeries } from './remote-write.ts';
import { STALE } from './remote-write.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The morning after, a Tuesday at 07:00: when people look. */
const MORNING_MS = Date.UTC(2026, 2, 3, 7);
/** From nine in the evening: the day before was quiet, and playing it took two thirds of the time. */
export const HOURS = 10;
/** One poll and one scrape a minute: the panels need no more, and the night is over in seconds. */
export const SCRAPE_INTERVAL_SECONDS = 60;

export interface Night {
  /** Our clock in the night when it ends. */
  readonly endMs: number;
  readonly series: readonly RecordedSeries[];
}

/** What went wrong, by the clock. A reader of the dashboards should find out all of it. */
const STORY: readonly (readonly [
  hour: number,
  minute: number,
  what: (company: Company) => void,
])[] = [
  // The nightly cycle begins at 01:00: the very first import cannot reach its source, so the schedule stops.
  [0, 50, ({ incidents }) => incidents.failNextRun(HR, 'connector', 'FullImport')],
  // The cloud is away until the morning; its delta runs fail again and again.
  [2, 20, ({ incidents }) => incidents.stopConnector(CLOUD)],
  [3, 5, ({ incidents }) => incidents.failNextRun(BADGES, 'unhandled')],
  [3, 50, ({ incidents }) => incidents.failNextRun(DIRECTORY, 'some_objects')],
  // The worker dies; what it was doing is found failed when it is started again.
  [4, 1, ({ incidents }) => incidents.crashWorker()],
  [4, 25, ({ incidents }) => incidents.restartWorker()],
  [4, 40, ({ incidents }) => incidents.goDown(12 * MINUTE_MS)],
  [5, 30, ({ incidents }) => incidents.failSignIns(5)],
  [5, 40, ({ incidents }) => incidents.setCertificateExpiry('Directory LDAPS', 2)],
  [6, 10, ({ incidents }) => void incidents.run(PHONE_BOOK, 'FullImport')],
  [6, 58, ({ incidents }) => incidents.slowDown(DIRECTORY, 40)],
];

/** Plays the night. Takes over the clock of the test process until it is done. */
export async function playNight(): Promise<Night> {
  const startMs = MORNING_MS - HOURS * HOUR_MS;
  const folder = mkdtempSync(join(tmpdir(), 'jim-night-'));
  vi.useFakeTimers({
    now: startMs,
    // Intervals stay real: they only publish between polls what nobody scrapes, and that cost a quarter of the night.
    toFake: ['setTimeout', 'clearTimeout', 'Date'],
  });
  try {
    const company = createCompany({ seed: 'a bad night', startMs, days: 2, quiet: true });
    const midnight = Date.UTC(2026, 2, 3);
    for (const [hour, minute, what] of STORY) {
      company.world.at(midnight + hour * HOUR_MS + minute * MINUTE_MS, () => what(company));
    }
    const transport = networkOf(company);
    const app = await startApp({
      config: configIn(folder),
      build: { version: '0.1.0', revision: 'abcdef0', nodeVersion: process.version },
      log: createLog({ level: 'error', format: 'logfmt', source: 'main', write: () => undefined }),
      loadConfig: () => ({ ok: false, faults: [] }),
      clock: { nowMs: Date.now, sleep: virtualSleep },
      random: () => 0.5,
      transportFor: () => transport,
    });
    const recorder = createRecorder();
    try {
      await recordUntil(MORNING_MS, app, recorder);
    } finally {
      await stop(app);
    }
    return { endMs: MORNING_MS, series: recorder.series() };
  } finally {
    vi.useRealTimers();
    rmSync(folder, { recursive: true });
  }
}

/** A poll is due at each full minute; the scrape that is recorded shows what it found. */
async function recordUntil(endMs: number, app: App, recorder: Recorder): Promise<void> {
  const address = app.addresses[0] ?? '';
  let polls = 0;
  while (Date.now() < endMs) {
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    let exposition: Buffer = Buffer.alloc(0);
    for (let turn = 0; turn < PATIENT_TURNS; turn += 1) {
      await compressed();
      exposition = await scrape(address);
      const done = pollsIn(exposition);
      if (done > polls) {
        polls = done;
        break;
      }
    }
    recorder.record(Date.now(), exposition.toString('utf8'));
  }
}

/**
 * What was polled is published once zlib's threads have compressed it, in real time. To ask again and again
 * meanwhile, for 200 kB each, took as long as to play the night.
 */
function compressed(): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      clearInterval(timer);
      resolve();
    }, COMPRESSION_MS);
  });
}
const COMPRESSION_MS = 12;

function pollsIn(exposition: Buffer): number {
  const sample = '\njim_exporter_polls_total ';
  const at = exposition.indexOf(sample);
  return at === -1
    ? 0
    : Number.parseInt(
        exposition.toString('latin1', at + sample.length, at + sample.length + 20),
        10,
      );
}

/** Scrapes until a poll is given up for this minute: while JIM is down it waits for its next attempt. */
const PATIENT_TURNS = 25;

/** Stopping waits in the app's clock, which somebody must move. */
async function stop(app: App): Promise<void> {
  const progress = { stopped: false };
  const stopping = app.stop().finally(() => {
    progress.stopped = true;
  });
  while (!progress.stopped) {
    await vi.advanceTimersByTimeAsync(100);
    await nextTurn();
  }
  await stopping;
}

function configIn(folder: string): Config {
  const file = join(folder, 'jim-exporter.yaml');
  writeFileSync(
    file,
    [
      'jim: { url: "http://jim.example.org", external_url: "https://jim.example.org" }',
      'poll: { schedule: "0 * * * * *" }',
      'storage: { path: "" }',
      'alerting: { alertmanagers: [{ url: "http://alertmanager.example.org:9093" }] }',
      '',
    ].join('\n'),
  );
  const loaded = loadConfig({
    flags: { 'config.file': file, 'web.listen-address': ['127.0.0.1:0'] },
    environment: { JIM_API_KEY: DEMO_API_KEY },
    workingFolder: folder,
    scheduleFault: () => null,
  });
  if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join('\n'));
  return loaded.config;
}

/** JIM, and an Alertmanager that takes everything. */
function networkOf(company: Company): Transport {
  const simulator = createSimulator({ world: company.world, now: Date.now });
  const jim = simulatorTransport(simulator, { sleep: virtualSleep });
  return async (request) =>
    request.url.hostname === 'alertmanager.example.org'
      ? { status: 200, headers: {}, body: nothing() }
      : jim(request);
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An empty body.
}

function virtualSleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort);
  });
}

function scrape(address: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const accept = 'application/openmetrics-text; version=1.0.0';
    get(`http://${address}/metrics`, { headers: { accept }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks)));
      response.on('error', reject);
    }).on('error', reject);
  });
}

interface Recorder {
  record(timeMs: number, exposition: string): void;
  series(): readonly RecordedSeries[];
}

interface Recording {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: (readonly [number, number | typeof STALE])[];
  readonly exemplars: RecordedExemplar[];
  seen: number;
}

/**
 * What Prometheus makes of scrapes: samples by series with the target's labels, and a mark where one has left.
 * The exposition is taken as correct, which the strict parser of test/metrics proves: here are millions of lines.
 */
function createRecorder(): Recorder {
  const recordings = new Map<string, Recording>();

  const recordingOf = (series: string): Recording => {
    const known = recordings.get(series);
    if (known !== undefined) return known;
    const born = { labels: labelsOf(series), points: [], exemplars: [], seen: 0 };
    recordings.set(series, born);
    return born;
  };
  const add = (series: string, timeMs: number, value: number): Recording => {
    const recording = recordingOf(series);
    recording.points.push([timeMs, value]);
    recording.seen = timeMs;
    return recording;
  };

  return {
    record(timeMs, exposition) {
      add('up', timeMs, 1);
      for (const line of exposition.split('\n')) {
        const match = SAMPLE_LINE.exec(line);
        if (match === null) continue;
        const [, series = '', value = '', activityId, exemplarValue, exemplarSeconds] = match;
        const { exemplars } = add(series, timeMs, Number(value.replace('Inf', 'Infinity')));
        if (activityId === undefined) continue;
        const exemplarMs = Math.round(Number(exemplarSeconds) * 1_000);
        if (exemplars.at(-1)?.timeMs === exemplarMs) continue;
        const labels = { activity_id: activityId };
        exemplars.push({ labels, value: Number(exemplarValue), timeMs: exemplarMs });
      }
      for (const recording of recordings.values()) {
        if (recording.seen === timeMs - SCRAPE_INTERVAL_SECONDS * 1_000) {
          recording.points.push([timeMs, STALE]);
        }
      }
    },
    series: () => [...recordings.values()],
  };
}

/** Series, value, and what of an exemplar we write. */
const SAMPLE_LINE = /^([a-z]\w*(?:\{.*?\})?) (\S+)(?: # \{activity_id="([^"]*)"\} (\S+) (\S+))?$/;

/** The labels as Prometheus stores them: an exposition escapes like JSON, and an empty label is no label. */
export function labelsOf(series: string): Record<string, string> {
  const name = series.replace(/\{.*$/s, '');
  const pairs = [...series.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g)].map(
    ([, label = '', value = '']) => [label, JSON.parse(value) as string] as const,
  );
  const present = pairs.filter(([, value]) => value !== '');
  return { ...Object.fromEntries(present), ...TARGET, __name__: name };
}

/** As the scrape job of the examples has them. */
export const TARGET = { job: 'jim-exporter', instance: 'exporter:10190' };

/** The same night ending at another moment, moments in values included: Prometheus evaluates alerts only now. */
export function endingAt(night: Night, endMs: number): Night {
  const shiftMs = endMs - night.endMs;
  const moved = (series: RecordedSeries): RecordedSeries => {
    const isMoment = /_time(stamp)?_seconds$/.test(series.labels['__name__'] ?? '');
    const shift = isMoment ? shiftMs / 1_000 : 0;
    return {
      labels: series.labels,
      points: series.points.map(([timeMs, value]) => [
        timeMs + shiftMs,
        value === STALE ? STALE : value + shift,
      ]),
      exemplars: series.exemplars.map((exemplar) => ({
        ...exemplar,
        timeMs: exemplar.timeMs + shiftMs,
      })),
    };
  };
  return { endMs, series: night.series.map(moved) };
}
