/**
 * A process of its own that scrapes as fast as it can over keep-alive connections, so that the server under
 * measure keeps its event loop. The same generator, undici without reading more than it must, measures every
 * peer. Takes a `LoadJob` as message, answers with a `LoadResult`.
 */
import { Pool } from 'undici';

export interface LoadJob {
  readonly url: string;
  readonly connections: number;
  readonly durationMs: number;
  readonly openMetrics: boolean;
  readonly gzip: boolean;
}

export interface LoadResult {
  readonly scrapes: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0';

process.on('message', (job: LoadJob) => {
  void run(job).then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});

async function run(job: LoadJob): Promise<LoadResult> {
  const { origin, pathname } = new URL(job.url);
  const pool = new Pool(origin, { connections: job.connections, pipelining: 1 });
  const headers = {
    ...(job.gzip ? { 'accept-encoding': 'gzip' } : {}),
    ...(job.openMetrics ? { accept: OPEN_METRICS } : {}),
  };
  const latenciesMs: number[] = [];
  const scrape = (): Promise<void> =>
    new Promise((resolve, reject) => {
      pool.dispatch(
        { path: pathname, method: 'GET', headers },
        {
          onRequestStart: () => undefined,
          onResponseStart: (_controller, status) => {
            if (status !== 200) throw new Error(`${job.url} answered ${status}`);
          },
          onResponseData: () => undefined,
          onResponseEnd: () => resolve(),
          onResponseError: (_controller, error) => reject(error),
        },
      );
    });
  const client = async (endMs: number, note: (ms: number) => void): Promise<void> => {
    while (performance.now() < endMs) {
      const before = performance.now();
      await scrape();
      note(performance.now() - before);
    }
  };
  const all = (ms: number, note: (ms: number) => void): Promise<unknown> => {
    const endMs = performance.now() + ms;
    return Promise.all(Array.from({ length: job.connections }, () => client(endMs, note)));
  };
  try {
    // Connecting is no part of it.
    await all(20, () => undefined);
    const begunMs = performance.now();
    await all(job.durationMs, (ms) => void latenciesMs.push(ms));
    const seconds = (performance.now() - begunMs) / 1_000;
    const sorted = latenciesMs.toSorted((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
    return {
      scrapes: sorted.length,
      perSecond: sorted.length / seconds,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
    };
  } finally {
    await pool.destroy();
  }
}
