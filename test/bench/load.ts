/**
 * A process of its own that scrapes as fast as it can over keep-alive connections, so that the server under measure
 * keeps its event loop. The same generator measures every peer. Takes a `LoadJob` as message, answers with a
 * `LoadResult`.
 */
import { connect } from 'node:net';
import { Pool } from 'undici';

export interface LoadJob {
  readonly url: string;
  readonly connections: number;
  readonly durationMs: number;
  readonly openMetrics: boolean;
  readonly gzip: boolean;
  /**
   * 'counting': each connection reads into one buffer of its own and counts. 'undici': as an HTTP client hands the body
   * over, half a gigabyte of buffers a second: to collect them takes nginx, alone on this machine, to a fifth of its
   * rate and to a 99th percentile of 9 ms, so that no server seems much faster than another.
   */
  readonly client: 'counting' | 'undici';
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
  const scrapers = job.client === 'undici' ? pooled(job) : await connections(job);
  const latenciesMs: number[] = [];
  const client = async (
    { scrape }: Scraper,
    endMs: number,
    note: (ms: number) => void,
  ): Promise<void> => {
    while (performance.now() < endMs) {
      const before = performance.now();
      await scrape();
      note(performance.now() - before);
    }
  };
  const all = (ms: number, note: (ms: number) => void): Promise<unknown> => {
    const endMs = performance.now() + ms;
    return Promise.all(scrapers.map((scraper) => client(scraper, endMs, note)));
  };
  try {
    // What compiles here is no part of it.
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
    for (const { close } of scrapers) close();
  }
}

interface Scraper {
  /** Resolves once an answer of 200 has come whole. */
  scrape(): Promise<void>;
  close(): void;
}

function pooled({ url, connections: count, gzip, openMetrics }: LoadJob): readonly Scraper[] {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: count, pipelining: 1 });
  const headers = {
    ...(gzip ? { 'accept-encoding': 'gzip' } : {}),
    ...(openMetrics ? { accept: OPEN_METRICS } : {}),
  };
  const scrape = (): Promise<void> =>
    new Promise((resolve, reject) => {
      pool.dispatch(
        { path: pathname, method: 'GET', headers },
        {
          onRequestStart: () => undefined,
          onResponseStart: (_controller, status) => {
            if (status !== 200) throw new Error(`${url} answered ${status}`);
          },
          onResponseData: () => undefined,
          onResponseEnd: () => resolve(),
          onResponseError: (_controller, error) => reject(error),
        },
      );
    });
  return Array.from({ length: count }, () => ({ scrape, close: () => void pool.destroy() }));
}

function connections(job: LoadJob): Promise<readonly Scraper[]> {
  const { hostname, port, pathname, host } = new URL(job.url);
  const request = [
    `GET ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    ...(job.gzip ? ['Accept-Encoding: gzip'] : []),
    ...(job.openMetrics ? [`Accept: ${OPEN_METRICS}`] : []),
    '',
    '',
  ].join('\r\n');
  const one = (): Promise<Scraper> => connected(Number(port), hostname, request);
  return Promise.all(Array.from({ length: job.connections }, one));
}

const BUFFER_BYTES = 262_144;
const ANSWER_TIMEOUT_MS = 60_000;
const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Told of each piece of a body: whether it was the last. */
type AnswerEnd = (piece: Buffer) => boolean;

function endOf(head: string): AnswerEnd {
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  if (length === undefined) {
    // The last chunk may come in two pieces.
    let tail: Buffer = Buffer.alloc(0);
    return (piece) => {
      tail = Buffer.concat([tail, piece.subarray(-LAST_CHUNK.length)]).subarray(-LAST_CHUNK.length);
      return tail.equals(LAST_CHUNK);
    };
  }
  let missing = Number(length);
  return (piece) => (missing -= piece.length) <= 0;
}

/** One connection, reading only as much of an answer as its end needs. */
async function connected(port: number, hostname: string, request: string): Promise<Scraper> {
  let waiting: { resolve(): void; reject(error: Error): void } | null = null;
  let isWhole: AnswerEnd | null = null;
  const fail = (why: string): void => {
    waiting?.reject(new Error(why));
    waiting = null;
  };
  const read = (size: number, buffer: Uint8Array): boolean => {
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, size);
    let body = bytes;
    if (isWhole === null) {
      const end = bytes.indexOf(HEAD_END);
      const head = bytes.toString('latin1', 0, end === -1 ? 200 : end);
      if (end === -1 || !head.startsWith('HTTP/1.1 200 ')) fail(`unexpected answer: ${head}`);
      isWhole = endOf(head);
      body = bytes.subarray(end + HEAD_END.length);
    }
    if (!isWhole(body)) return true;
    isWhole = null;
    waiting?.resolve();
    waiting = null;
    return true;
  };
  const socket = connect({
    port,
    host: hostname,
    noDelay: true,
    onread: { buffer: Buffer.alloc(BUFFER_BYTES), callback: read },
  });
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => fail(`no whole answer in ${ANSWER_TIMEOUT_MS} ms`));
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('the connection was closed'));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  return {
    close: () => void socket.destroy(),
    scrape: () =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(request);
      }),
  };
}
