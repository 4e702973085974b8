/** Slow, greedy and malformed clients over real sockets, and that scrapers do not notice them. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectHttp2 } from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { WEB_LIMITS } from '../../src/web/limits.ts';
import { startServer } from '../../src/web/server.ts';
import type { RunningServer, ServerOptions } from '../../src/web/server.ts';
import { fakePublication, silentLog, TEXT, testRoutes } from './fakes.ts';

const running: RunningServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((server) => server.close(0)));
});

const QUICK = {
  ...WEB_LIMITS,
  headersTimeoutMs: 300,
  requestTimeoutMs: 600,
  responseTimeoutMs: 600,
  deadlineCheckMs: 50,
};

async function serve(options: Partial<ServerOptions> = {}): Promise<number> {
  const server = await startServer({
    addresses: [{ text: '127.0.0.1:0', host: '127.0.0.1', port: 0 }],
    fetch: testRoutes(),
    webConfig: null,
    nowMs: Date.now,
    log: silentLog,
    ...options,
  });
  running.push(server);
  return Number(server.addresses[0]?.split(':')[1]);
}

interface Conversation {
  readonly socket: Socket;
  /** All that was received so far. */
  text(): string;
  readonly closed: Promise<void>;
}

/** A connection on which `sent` is written as it stands. */
function open(port: number, sent = ''): Conversation {
  const socket = connect({ port, host: '127.0.0.1' });
  sockets.push(socket);
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => (text += String(chunk)));
  socket.on('error', () => undefined);
  if (sent !== '') socket.write(sent, 'latin1');
  return {
    socket,
    text: () => text,
    closed: new Promise((resolve) => socket.on('close', () => resolve())),
  };
}

/** The statuses of all answers on a connection that the server closes, or that is idle after the last of them. */
async function statusesOf(port: number, sent: string): Promise<readonly number[]> {
  const { socket, text, closed } = open(port, sent);
  socket.end();
  await closed;
  return [...text().matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** Milliseconds that a scrape by a well-behaved client takes. */
async function scrapeTime(port: number): Promise<number> {
  const start = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
    headers: { connection: 'close' },
  });
  expect(await response.text()).toBe(TEXT);
  return performance.now() - start;
}

/** What a second is here and now: on a machine busy with other tests, a scrape of an idle server takes longer too. */
async function aSecond(port: number): Promise<number> {
  await scrapeTime(port); // the first opens more than a connection
  const quiet = [await scrapeTime(port), await scrapeTime(port)];
  return Math.max(1_000, 100 * Math.max(...quiet));
}

const get = (target: string, more = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: exporter\r\n${more}\r\n`;

describe('request targets', () => {
  test.each([
    ['/metrics', [200]],
    ['/metrics?', [200]],
    ['/metrics?a=b&c=%00', [200]],
    ['/metrics/../metrics', [400]],
    ['/./metrics', [400]],
    ['/..', [400]],
    ['/../../etc/passwd', [400]],
    ['/%2e%2e/metrics', [400]],
    ['/.%2E/metrics', [400]],
    ['/x/%2e/', [400]],
    [String.raw`/..\metrics`, [400]],
    [String.raw`/\metrics`, [400]],
    ['/metrics#fragment', [400]],
    ['/metrics%00', [404]],
    ['/metrics%20', [404]],
    ['/%6Detrics', [404]],
    ['/metrics/', [404]],
    ['//metrics', [404]],
    ['//evil.example.org/metrics', [404]],
    ['/metrics/..;/', [404]],
    ['/metr\u00efcs', [400]],
    ['http://exporter/metrics', [400]],
    ['http://evil.example.org/metrics', [400]],
    ['file:///etc/passwd', [400]],
    ['*', [400]],
    ['metrics', [400]],
    ['', [400]],
  ])('GET %s → %j', async (target, statuses) => {
    expect(await statusesOf(await serve(), get(target))).toEqual(statuses);
  });
});

describe('malformed requests', () => {
  const NEXT = get('/-/healthy');
  test.each([
    [
      'both lengths',
      `POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${NEXT}`,
    ],
    [
      'two different lengths',
      `POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n${NEXT}`,
    ],
    [
      'a list of lengths',
      `POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n${NEXT}`,
    ],
    [
      'a negative length',
      `POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n${NEXT}`,
    ],
    [
      'a length with a sign',
      `POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n${NEXT}`,
    ],
    [
      'an unknown coding',
      `POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n${NEXT}`,
    ],
    [
      'chunked not last',
      `POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${NEXT}`,
    ],
    [
      'a space before the colon',
      `POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n${NEXT}`,
    ],
    ['a header that is folded', `GET /metrics HTTP/1.1\r\nHost: a\r\nX: b\r\n c: d\r\n\r\n`],
    ['a header without a colon', `GET /metrics HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n${NEXT}`],
    [
      'a control character in a header',
      `GET /metrics HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n${NEXT}`,
    ],
    ['a bare line feed in a header', `GET /metrics HTTP/1.1\r\nHost: a\nX: b\r\n\r\n${NEXT}`],
    ['no host', `GET /metrics HTTP/1.1\r\n\r\n${NEXT}`],
    ['two hosts', `GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${NEXT}`],
    [
      'a host that is none',
      `GET /metrics HTTP/1.1\r\nHost: a b/c@d\r\nConnection: close\r\n\r\n${NEXT}`,
    ],
    ['an unknown version', `GET /metrics HTTP/3.0\r\nHost: a\r\n\r\n${NEXT}`],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS handshake', '\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003'],
    ['no method', ` /metrics HTTP/1.1\r\nHost: a\r\n\r\n${NEXT}`],
    ['an unknown method', `HACK /metrics HTTP/1.1\r\nHost: a\r\n\r\n${NEXT}`],
    ['junk', 'junk\r\n\r\n'],
  ])('%s: 400, and nothing after it is read', async (_, sent) => {
    expect(await statusesOf(await serve(), sent)).toEqual([400]);
  });

  test('HTTP/0.9: 400, whether or not something follows', async () => {
    const port = await serve();
    expect(await statusesOf(port, 'GET /metrics\r\n')).toEqual([400]);
    // The parser may complain of what follows as well.
    expect(new Set(await statusesOf(port, `GET /metrics\r\n\r\n${NEXT}`))).toEqual(new Set([400]));
  });

  test.each([
    ['a chunk whose size is none', 'zz\r\n'],
    ['a chunk longer than its size', '1\r\nab\r\n0\r\n\r\n'],
    ['a chunk size that overflows', `${'f'.repeat(17)}\r\n`],
    ['a bare line feed after a chunk size', '1\na\r\n0\r\n\r\n'],
  ])('%s ends the connection', async (_, chunk) => {
    const sent = `POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`;
    const statuses = await statusesOf(await serve(), `${sent}${NEXT}${NEXT}`);
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(1);
    expect(statuses).not.toContain(404);
  });

  test('an upgrade is not taken, a proxy request not made', async () => {
    const port = await serve();
    expect(
      await statusesOf(port, get('/metrics', 'Connection: Upgrade\r\nUpgrade: h2c\r\n')),
    ).toEqual([200]);
    expect(await statusesOf(port, 'CONNECT evil:80 HTTP/1.1\r\nHost: evil:80\r\n\r\n')).toEqual([]);
  });

  test('HTTP/1.0 without a host is answered, as probes send it', async () => {
    expect(await statusesOf(await serve(), 'GET /-/healthy HTTP/1.0\r\n\r\n')).toEqual([200]);
  });
});

describe('sizes', () => {
  test('headers over 16 KiB are 431', async () => {
    expect(
      await statusesOf(await serve(), get('/metrics', `X: ${'a'.repeat(17_000)}\r\n`)),
    ).toEqual([431]);
  });

  test('a target over 16 KiB is 431', async () => {
    expect(await statusesOf(await serve(), get(`/metrics?${'a'.repeat(17_000)}`))).toEqual([431]);
  });

  test('a body over a kilobyte is 413, and the connection is closed', async () => {
    const sent = `POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n`;
    expect(await statusesOf(await serve(), sent + get('/-/healthy'))).toEqual([413]);
  });

  test('an endless chunked body ends with its connection', async () => {
    const { socket, closed } = open(
      await serve(),
      'POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const chunk = `400\r\n${'a'.repeat(1024)}\r\n`;
    const sender = setInterval(() => socket.write(chunk), 1);
    await closed;
    clearInterval(sender);
    expect(socket.bytesWritten).toBeLessThan(1024 * 1024);
  });

  test('a small body is read past, and the next request answered', async () => {
    const sent = 'POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b';
    expect(await statusesOf(await serve(), sent + get('/-/healthy'))).toEqual([200, 200]);
  });
});

describe('time', () => {
  test('headers that drip in are cut off at their deadline, with 408', async () => {
    const { socket, text, closed } = open(
      await serve({ limits: QUICK }),
      'GET /metrics HTTP/1.1\r\n',
    );
    const dripper = setInterval(() => socket.write('X: y\r\n'), 20);
    const start = performance.now();
    await closed;
    clearInterval(dripper);
    expect(performance.now() - start).toBeLessThan(2_000);
    expect(text()).toContain('408 Request Timeout');
  });

  test('a connection on which nothing comes is closed too', async () => {
    const { closed } = open(await serve({ limits: QUICK }));
    const start = performance.now();
    await closed;
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test('a body that drips in is cut off, though its answer was sent at once', async () => {
    const { socket, text, closed } = open(
      await serve({ limits: QUICK }),
      'POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n',
    );
    await expect.poll(text).toContain('200 OK');
    const dripper = setInterval(() => socket.write('a'), 20);
    await closed;
    clearInterval(dripper);
  });

  test('an answer that nobody reads is cut off, is no scrape, and frees its place', async () => {
    const publication = fakePublication({ text: 'x'.repeat(20_000_000) });
    const port = await serve({
      limits: QUICK,
      fetch: testRoutes({ publication, maxRequests: 1 }),
    });
    const { socket } = open(port);
    socket.pause();
    socket.write(get('/metrics'));
    const status = async (): Promise<number> => {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'HEAD' });
      return response.status;
    };
    await expect.poll(status).toBe(503);
    await expect.poll(status, { timeout: 5_000 }).toBe(200);
    expect(publication.scrapes).toEqual([]);
  });

  test('a client that leaves in mid-answer frees its place, pipelined ones too', async () => {
    const publication = fakePublication({ text: 'x'.repeat(20_000_000) });
    const port = await serve({ fetch: testRoutes({ publication, maxRequests: 3 }) });
    const { socket } = open(port);
    socket.pause();
    socket.write(get('/metrics').repeat(3));
    await expect.poll(() => socket.readableLength).toBeGreaterThan(0);
    socket.destroy();
    const status = async (): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'HEAD' })).status;
    await expect.poll(status).toBe(200);
    expect(publication.scrapes).toEqual([]);
  });

  test('stopping drops idle connections at once and busy ones after the time given', async () => {
    const publication = fakePublication({ text: 'x'.repeat(20_000_000) });
    const port = await serve({ fetch: testRoutes({ publication }) });
    const idle = open(port, get('/-/healthy'));
    await expect.poll(idle.text).toContain('200 OK');
    const silent = open(port);
    const busy = open(port);
    busy.socket.pause();
    busy.socket.write(get('/metrics'));
    await expect.poll(() => busy.socket.readableLength).toBeGreaterThan(0);
    const start = performance.now();
    const stopped = running.splice(0)[0]?.close(300);
    await Promise.all([idle.closed, silent.closed]);
    expect(performance.now() - start).toBeLessThan(250);
    await stopped;
    expect(performance.now() - start).toBeGreaterThan(290);
  });
});

describe('numbers', () => {
  test('two thousand idle connections: a scrape still takes less than a second', async () => {
    const port = await serve();
    const second = await aSecond(port);
    for (let i = 0; i < 20; i += 1) {
      const batch = Array.from({ length: 100 }, () => open(port).socket);
      await Promise.all(
        batch.map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
      );
    }
    expect(await scrapeTime(port)).toBeLessThan(second);
    const left = (): number => sockets.filter((socket) => !socket.closed).length;
    await expect.poll(left).toBeLessThanOrEqual(WEB_LIMITS.maxConnections);
  });

  test('the longest idle makes room, a busy connection does not', async () => {
    const publication = fakePublication({ text: 'x'.repeat(20_000_000) });
    const port = await serve({
      limits: { ...WEB_LIMITS, maxConnections: 2 },
      fetch: testRoutes({ publication }),
    });
    const busy = open(port);
    busy.socket.pause();
    busy.socket.write(get('/metrics'));
    await expect.poll(() => busy.socket.readableLength).toBeGreaterThan(0);
    const idle = open(port, get('/-/healthy'));
    await expect.poll(idle.text).toContain('200 OK');
    const late = open(port, get('/-/healthy'));
    await expect.poll(late.text).toContain('200 OK');
    await idle.closed;
    expect(busy.socket.closed).toBe(false);
  });

  test('while all are busy, a new connection is refused', async () => {
    const publication = fakePublication({ text: 'x'.repeat(20_000_000) });
    const port = await serve({
      limits: { ...WEB_LIMITS, maxConnections: 1 },
      fetch: testRoutes({ publication }),
    });
    const busy = open(port);
    busy.socket.pause();
    busy.socket.write(get('/metrics'));
    await expect.poll(() => busy.socket.readableLength).toBeGreaterThan(0);
    const late = open(port, get('/-/healthy'));
    await late.closed;
    expect(late.text()).toBe('');
  });

  test('fifty scrapers at once, within the limit of forty: 200 or 503, all in under a second', async () => {
    const port = await serve();
    const second = await aSecond(port);
    const start = performance.now();
    const statuses = await Promise.all(
      Array.from({ length: 50 }, () => statusesOf(port, get('/metrics'))),
    );
    expect(performance.now() - start).toBeLessThan(second);
    for (const [status] of statuses) expect([200, 503]).toContain(status);
    expect(statuses.filter(([status]) => status === 200).length).toBeGreaterThanOrEqual(40);
  });

  test('a thousand pipelined requests are answered in order, beside a scrape in under a second', async () => {
    const port = await serve({ fetch: testRoutes({ maxRequests: 0 }) });
    const second = await aSecond(port);
    const piped = statusesOf(port, `${get('/metrics')}${get('/x')}`.repeat(500));
    expect(await scrapeTime(port)).toBeLessThan(second);
    const statuses = await piped;
    expect(statuses).toHaveLength(1_000);
    expect(statuses.every((status, i) => status === (i % 2 === 0 ? 200 : 404))).toBe(true);
  });

  test('pipelined requests whose answers nobody reads stop being read', async () => {
    const publication = fakePublication({ text: 'x'.repeat(1_000_000) });
    let answered = 0;
    const routes = testRoutes({ publication, maxRequests: 0 });
    const port = await serve({
      fetch: (request, env) => {
        answered += 1;
        return routes(request, env);
      },
    });
    const { socket } = open(port);
    socket.pause();
    socket.write(get('/metrics').repeat(50_000));
    await expect.poll(() => answered).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What came with the packets that were under way: 64 KiB of requests each.
    expect(answered).toBeLessThan(10_000);
  });
});

test('HTTP/2 without TLS is not spoken', async () => {
  const session = connectHttp2(`http://127.0.0.1:${await serve()}`);
  const outcome = await new Promise((resolve) => {
    session.on('error', () => resolve('refused'));
    session.request({ ':path': '/metrics' }).on('error', () => resolve('refused'));
  });
  session.destroy();
  expect(outcome).toBe('refused');
});
