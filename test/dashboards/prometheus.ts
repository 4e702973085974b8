/** A real Prometheus for a test: fed by remote write, evaluating our rules, asked over its API. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../free-port.ts';
import type { Night } from './night.ts';
import type { RecordedSeries } from './remote-write.ts';
import { REMOTE_WRITE_HEADERS, encodeWriteRequest } from './remote-write.ts';

export interface Prometheus {
  readonly url: string;
  write(night: Night): Promise<void>;
  /** One remote-write request; what it writes must be in the head's reach. */
  send(request: Buffer): Promise<void>;
  /**
   * Evaluates rule files each second from now on, and waits for the first alert to fire. Only after `write`: what rules record is of now, and nothing
   * much older is taken after that.
   */
  evaluate(ruleFiles: readonly string[]): Promise<void>;
  /** The vector at one moment. */
  instant(expr: string, timeMs: number): Promise<readonly InstantSample[]>;
  range(expr: string, window: Window): Promise<readonly RangeSeries[]>;
  /** Exemplars of the series that the query names. */
  exemplars(expr: string, window: Window): Promise<readonly ExemplarSeries[]>;
  stop(): Promise<void>;
}
export interface Window {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepSeconds: number;
}
export interface InstantSample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [seconds: number, value: string];
}
export interface RangeSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [seconds: number, value: string])[];
}
export interface ExemplarSeries {
  readonly seriesLabels: Readonly<Record<string, string>>;
  readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[];
}

export async function startPrometheus(
  program: string,
  flags: readonly string[] = [],
): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'jim-prometheus-'));
  mkdirSync(join(folder, 'data'));
  const config = join(folder, 'prometheus.yaml');
  const configure = (ruleFiles: readonly string[]): void => {
    const rules = JSON.stringify(ruleFiles);
    writeFileSync(config, `global: { evaluation_interval: 1s }\nrule_files: ${rules}\n`);
  };
  configure([]);
  const port = await freePort();
  const child = spawn(
    program,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      '--web.enable-lifecycle',
      '--enable-feature=exemplar-storage',
      '--log.level=warn',
      ...flags,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true });
  };

  const patientUntil = Date.now() + START_DEADLINE_MS;
  while (!(await isReady(url))) {
    if (child.exitCode !== null || Date.now() > patientUntil) {
      await stop();
      throw new Error(`${program} did not start: ${said}`);
    }
    await wait(50);
  }

  const ask = async (path: string, parameters: Record<string, string>): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
    });
    const answer = (await response.json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== 'success') {
      throw new Error(`${answer.error ?? response.status} in ${parameters['query'] ?? path}`);
    }
    return answer.data;
  };
  const windowOf = ({ startMs, endMs }: Window) => ({
    start: String(startMs / 1_000),
    end: String(endMs / 1_000),
  });

  return {
    url,
    write: (night) => write(url, night),
    send: (request) => send(url, request),
    evaluate: async (ruleFiles) => {
      configure(ruleFiles);
      const response = await fetch(`${url}/-/reload`, { method: 'POST' });
      if (!response.ok) throw new Error(`reload: ${await response.text()}`);
      const deadline = Date.now() + ALERTS_DEADLINE_MS;
      while (!(await hasFiringAlerts(url))) {
        if (Date.now() > deadline) throw new Error('no rule fires');
        await wait(200);
      }
      // Groups are spread over the interval of a second: let the last of them have its second evaluation.
      await wait(2_000);
    },
    instant: async (query, timeMs) => {
      const data = (await ask('query', { query, time: String(timeMs / 1_000) })) as {
        resultType: string;
        result: readonly InstantSample[];
      };
      if (data.resultType !== 'vector') throw new Error(`${query} is a ${data.resultType}`);
      return data.result;
    },
    range: async (query, window) => {
      const step = String(window.stepSeconds);
      const data = await ask('query_range', { query, ...windowOf(window), step });
      return (data as { result: readonly RangeSeries[] }).result;
    },
    exemplars: async (query, window) =>
      (await ask('query_exemplars', { query, ...windowOf(window) })) as readonly ExemplarSeries[],
    stop,
  };
}

const START_DEADLINE_MS = 20_000;
const ALERTS_DEADLINE_MS = 20_000;

async function hasFiringAlerts(url: string): Promise<boolean> {
  const response = await fetch(`${url}/api/v1/alerts`);
  const { data } = (await response.json()) as {
    data: { alerts: { labels: { alertname: string }; state: string }[] };
  };
  return data.alerts.some(
    ({ labels, state }) => state === 'firing' && labels.alertname !== 'JimWatchdog',
  );
}

/** The head of Prometheus takes samples at most an hour older than its newest: slices of less go in order. */
const SLICE_MS = 30 * 60_000;

async function write(url: string, night: Night): Promise<void> {
  for (const series of slices(night)) await send(url, encodeWriteRequest(series));
}

async function send(url: string, body: Buffer): Promise<void> {
  const headers = REMOTE_WRITE_HEADERS;
  const response = await fetch(`${url}/api/v1/write`, { method: 'POST', headers, body });
  if (!response.ok) throw new Error(`remote write: ${response.status} ${await response.text()}`);
}

/** The night by half hours, in order. */
function slices({ series, endMs }: Night): readonly (readonly RecordedSeries[])[] {
  const firstMs = Math.min(...series.map(({ points }) => points[0]?.[0] ?? endMs));
  const sliceOf = (timeMs: number): number => Math.floor((timeMs - firstMs) / SLICE_MS);
  const result = Array.from({ length: sliceOf(endMs) + 1 }, (): RecordedSeries[] => []);
  for (const { labels, points, exemplars } of series) {
    const parts = new Map<number, RecordedSeries['points'][number][]>();
    for (const point of points) {
      const part = parts.get(sliceOf(point[0]));
      if (part === undefined) parts.set(sliceOf(point[0]), [point]);
      else part.push(point);
    }
    for (const [slice, its] of parts) {
      const theirs = exemplars.filter(({ timeMs }) => sliceOf(timeMs) === slice);
      result[slice]?.push({ labels, points: its, exemplars: theirs });
    }
  }
  return result;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/-/ready`)).ok;
  } catch {
    return false;
  }
}
