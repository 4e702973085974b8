import { EventEmitter, once } from 'node:events';
import type * as http from 'node:http';
import { createServer } from 'node:http';
import * as net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Clock, createRateLimiter, decideRetry, type Transport } from '../src/http.ts';
import { type FailureReason, retryAfterOf } from '../src/request-error.ts';
import { failureOf, get, listen, serve, wire, withoutPort } from './http-rig.ts';

describe('whether a failed request is sent again', () => {
  const decide = (failure: {
    reason: FailureReason;
    retryAfterMs?: number;
    attempt?: number;
    random?: number;
  }): ReturnType<typeof decideRetry> =>
    decideRetry({
      failure: { reason: failure.reason, retryAfterMs: failure.retryAfterMs },
      attempt: failure.attempt ?? 1,
      maxAttempts: 3,
      nowMs: 1_000,
      retryUntilMs: 11_000,
      random: () => failure.random ?? 0,
    });

  it.each([
    ['a refused key', { reason: 'unauthorized' }, { retry: false, because: 'key_refused' }],
    ['a missing role', { reason: 'forbidden' }, { retry: false, because: 'key_refused' }],
    ['a wrong answer', { reason: 'bad_response' }, { retry: false, because: 'same_answer' }],
    ['a slow server', { reason: 'timeout' }, { retry: false, because: 'slow_peer' }],
    ['a dropped connection', { reason: 'unreachable' }, { retry: true, waitMs: 125 }],
    [
      'the same, most jitter',
      { reason: 'unreachable', random: 0.999 },
      { retry: true, waitMs: 249.875 },
    ],
    ['its second time', { reason: 'unreachable', attempt: 2 }, { retry: true, waitMs: 250 }],
    [
      'its third time',
      { reason: 'unreachable', attempt: 3 },
      { retry: false, because: 'attempts_used' },
    ],
    ['a server error', { reason: 'server_error' }, { retry: true, waitMs: 125 }],
    [
      'a server error with Retry-After',
      { reason: 'server_error', retryAfterMs: 5_000 },
      { retry: true, waitMs: 5_000 },
    ],
    ['Retry-After 0', { reason: 'rate_limited', retryAfterMs: 0 }, { retry: true, waitMs: 0 }],
    [
      'Retry-After just before the next poll',
      { reason: 'rate_limited', retryAfterMs: 10_000 },
      { retry: true, waitMs: 10_000 },
    ],
    [
      'Retry-After past the next poll',
      { reason: 'rate_limited', retryAfterMs: 10_001 },
      { retry: false, because: 'too_long_to_wait' },
    ],
    ['a limit without Retry-After', { reason: 'rate_limited' }, { retry: true, waitMs: 125 }],
  ] as const)('%s', (_rule, failure, decision) => {
    expect(decide(failure)).toEqual(decision);
  });
});

describe('Retry-After', () => {
  const date = 'Mon, 23 Nov 2026 20:22:30 GMT';

  it.each([
    ['seconds', { 'retry-after': '60' }, 60_000],
    ['zero', { 'retry-after': '0' }, 0],
    [
      'a date, by the server’s own clock',
      { 'retry-after': 'Mon, 23 Nov 2026 20:22:37 GMT', date },
      7_000,
    ],
    [
      'a date without Date, by our clock',
      { 'retry-after': 'Thu, 01 Jan 1970 00:00:09 GMT' },
      8_000,
    ],
    ['a date in the past', { 'retry-after': 'Mon, 23 Nov 2026 20:00:00 GMT', date }, 0],
    ['more than a day', { 'retry-after': '999999999' }, 86_400_000],
    ['absent', {}, undefined],
    ['empty', { 'retry-after': '' }, undefined],
    ['words', { 'retry-after': 'soon' }, undefined],
    ['a negative number', { 'retry-after': '-5' }, undefined],
  ])('%s', (_rule, headers, expected) => {
    expect(retryAfterOf({ headers, receivedAtMs: 1_000 })).toBe(expected);
  });
});

describe('the rate ceiling', () => {
  /** Sleeping moves the clock; each sleep is written down. */
  function virtualClock(): Clock & { now: number; readonly slept: number[] } {
    const clock = {
      now: 0,
      slept: [] as number[],
      nowMs: () => clock.now,
      sleep: async (ms: number) => {
        clock.slept.push(ms);
        clock.now += ms;
      },
    };
    return clock;
  }

  it('lets a tenth of a minute’s requests through at once, then spaces them', async () => {
    const clock = virtualClock();
    const limiter = createRateLimiter(120, clock);
    for (let taken = 0; taken < 15; taken += 1) await limiter.take();
    expect(clock.slept).toEqual([500, 500, 500]);
  });

  it('never lets more than the ceiling plus a burst through in any minute', async () => {
    const clock = virtualClock();
    const limiter = createRateLimiter(60, clock);
    const times: number[] = [];
    for (let taken = 0; taken < 300; taken += 1) {
      await limiter.take();
      times.push(clock.now);
    }
    for (const [index, start] of times.entries()) {
      expect(times.slice(index).filter((at) => at < start + 60_000).length).toBeLessThanOrEqual(66);
    }
    expect(clock.now).toBe(294_000);
  });

  it('fills up again while nothing is asked', async () => {
    const clock = virtualClock();
    const limiter = createRateLimiter(120, clock);
    for (let taken = 0; taken < 12; taken += 1) await limiter.take();
    clock.now += 60_000;
    for (let taken = 0; taken < 12; taken += 1) await limiter.take();
    expect(clock.slept).toEqual([]);
  });

  it('a ceiling below ten still lets one through at a time', async () => {
    const clock = virtualClock();
    const limiter = createRateLimiter(6, clock);
    await limiter.take();
    await limiter.take();
    expect(clock.slept).toEqual([10_000]);
  });

  it('asked by many at once, serves them in order', async () => {
    const waits: number[] = [];
    const limiter = createRateLimiter(60, {
      nowMs: () => 0,
      sleep: async (ms) => {
        waits.push(ms);
      },
    });
    await Promise.all(Array.from({ length: 10 }, () => limiter.take()));
    expect(waits).toEqual([1_000, 2_000, 3_000, 4_000]);
  });

  it('a clock set back by hours stops nobody for longer than a minute', async () => {
    const clock = virtualClock();
    clock.now = 10 * 3_600_000;
    const limiter = createRateLimiter(60, clock);
    for (let taken = 0; taken < 7; taken += 1) await limiter.take();
    clock.now = 0;
    clock.slept.length = 0;
    for (let taken = 0; taken < 5; taken += 1) await limiter.take();
    expect(Math.max(...clock.slept)).toBeLessThanOrEqual(60_000);
    expect(clock.slept.filter((ms) => ms > 1_000)).toHaveLength(1);
  });
});

describe('an answer', () => {
  it('arrives whole, chunked or not, with lower-case headers', async () => {
    const url = await serve((_request, response) => {
      response.setHeader('X-Twice', ['a', 'b']);
      response.write('{"a":');
      setImmediate(() => response.end('"ä€😀"}'));
    });
    const { http: client, attempts } = wire();
    const answer = await client.request(get(url));
    expect(answer.status).toBe(200);
    expect(answer.body).toBe('{"a":"ä€😀"}');
    expect(answer.headers).toMatchObject({ 'x-twice': 'a, b', 'transfer-encoding': 'chunked' });
    expect(attempts).toEqual([
      { endpoint: '/thing/{id}', code: 200, seconds: expect.any(Number) as number },
    ]);
  });

  it('the request says who asks, for JSON, and keeps no cookie', async () => {
    const seen: http.IncomingHttpHeaders[] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers);
      response.setHeader('set-cookie', 'session=1; Path=/');
      response.end('{}');
    });
    const { http: client } = wire();
    await client.request(get(url, { headers: { 'x-api-key': 'k' } }));
    await client.request(get(url));
    expect(seen[0]).toMatchObject({
      'user-agent': 'jim-exporter/1',
      accept: 'application/json',
      'x-api-key': 'k',
    });
    expect(seen[1]).not.toHaveProperty('cookie');
    expect(seen[1]).not.toHaveProperty('x-api-key');
    expect(seen[1]).not.toHaveProperty('accept-encoding');
  });

  it('a POST carries its body', async () => {
    const url = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => response.end(`${request.method} ${body}`));
    });
    const { http: client } = wire();
    const answer = await client.request(get(url, { method: 'POST', body: '[1]' }));
    expect(answer.body).toBe('POST [1]');
  });

  it('connections are kept alive', async () => {
    let connections = 0;
    const server = createServer((_request, response) => response.end('{}'));
    server.on('connection', () => (connections += 1));
    const url = `http://127.0.0.1:${await listen(server)}`;
    const { http: client } = wire();
    for (let count = 0; count < 5; count += 1) await client.request(get(url));
    // undici may open a second one while the first is on its way back to its pool.
    expect(connections).toBeLessThanOrEqual(2);
  });

  it('an expected status is an answer', async () => {
    const url = await serve((_request, response) => {
      response.statusCode = 404;
      response.end('{"code":"NOT_FOUND"}');
    });
    const { http: client } = wire();
    expect((await client.request(get(url, { expected: [404] }))).status).toBe(404);
  });
});

describe('failures, each with its reason and one sentence', () => {
  it('nothing listens there', async () => {
    const server = net.createServer();
    const port = await listen(server);
    server.close();
    const { http: client } = wire();
    const failure = await failureOf(client.request(get(`http://127.0.0.1:${port}/a/b?key=secret`)));
    expect(failure.reason).toBe('unreachable');
    expect(withoutPort(failure.message)).toBe(
      'GET http://127.0.0.1:PORT/a/b failed: nothing listens on 127.0.0.1:PORT (ECONNREFUSED). Check jim.url and that JIM is running.',
    );
  });

  it('no such host', async () => {
    const { http: client } = wire();
    const failure = await failureOf(
      client.request(get('http://user:pass@jim.invalid/', { maxAttempts: 1 })),
    );
    expect(failure.reason).toBe('unreachable');
    expect(failure.message).toMatch(
      /^GET http:\/\/jim\.invalid\/ failed: the name jim\.invalid cannot be resolved \((ENOTFOUND|EAI_AGAIN)\)\. Check the host in jim\.url and the DNS of this machine\.$/,
    );
  });

  // What no machine can be made to cause at will, as Node and undici name it.
  it.each([
    [
      'EHOSTUNREACH',
      'unreachable',
      'there is no route to jim.example:8443 (EHOSTUNREACH). Check jim.url, the network and the firewall.',
    ],
    [
      'UND_ERR_CONNECT_TIMEOUT',
      'timeout',
      'no connection to jim.example:8443 (UND_ERR_CONNECT_TIMEOUT). Check jim.url, the network and the firewall.',
    ],
    [
      'ETIMEDOUT',
      'timeout',
      'no connection to jim.example:8443 (ETIMEDOUT). Check jim.url, the network and the firewall.',
    ],
    [
      'CERT_HAS_EXPIRED',
      'unreachable',
      'the certificate of jim.example:8443 is out of its time (CERT_HAS_EXPIRED). Renew it, and check the clocks of both machines.',
    ],
    [
      'EWHATEVER',
      'unreachable',
      'the connection to jim.example:8443 failed (EWHATEVER). Check jim.url and the network.',
    ],
  ])('%s', async (code, reason, sentence) => {
    const { http: client } = wire({
      transport: async () => {
        throw Object.assign(new Error('in words of its own'), { code });
      },
    });
    const failure = await failureOf(
      client.request(get('https://jim.example:8443/a', { maxAttempts: 1 })),
    );
    expect(failure.reason).toBe(reason);
    expect(failure.message).toBe(`GET https://jim.example:8443/a failed: ${sentence}`);
  });

  it('closed before an answer', async () => {
    const port = await listen(
      net.createServer((socket) => socket.once('data', () => socket.destroy())),
    );
    const { http: client, attempts, retries } = wire();
    const failure = await failureOf(client.request(get(`http://127.0.0.1:${port}/`)));
    expect(failure.reason).toBe('unreachable');
    expect(withoutPort(failure.message)).toMatch(
      /^GET http:\/\/127\.0\.0\.1:PORT\/ failed: the connection was closed before the answer was complete \((UND_ERR_SOCKET|ECONNRESET)\)\. Look into the logs of JIM and of any proxy before it\.$/,
    );
    expect(attempts.map(({ code }) => code)).toEqual(['error', 'error', 'error']);
    expect(retries).toEqual([
      { endpoint: '/thing/{id}', reason: 'unreachable', waitMs: 125 },
      { endpoint: '/thing/{id}', reason: 'unreachable', waitMs: 250 },
    ]);
  });

  it.each([
    ['chunked', { 'transfer-encoding': 'chunked' }],
    ['of a promised length', { 'content-length': '1000' }],
  ])('truncated in the middle of a body %s', async (_how, headers) => {
    const url = await serve((_request, response) => {
      response.writeHead(200, headers);
      response.write('{"items":[');
      setImmediate(() => response.destroy());
    });
    const { http: client, attempts } = wire();
    const failure = await failureOf(client.request(get(url, { maxAttempts: 1 })));
    expect(failure.reason).toBe('unreachable');
    expect(failure.message).toContain('the connection was closed before the answer was complete');
    expect(attempts.map(({ code }) => code)).toEqual(['error']);
  });

  it.each([
    ['no headers', (): void => undefined],
    [
      'half a body',
      (response: http.ServerResponse): void => {
        response.write('{"items":[');
      },
    ],
  ])('hanging with %s', async (_how, respond) => {
    const url = await serve((_request, response) => respond(response));
    const { http: client, attempts, retries } = wire({ timeoutMs: 100 });
    const failure = await failureOf(client.request(get(url)));
    expect(failure.reason).toBe('timeout');
    expect(failure.cause).toBeUndefined();
    expect(withoutPort(failure.message)).toBe(
      'GET http://127.0.0.1:PORT/ failed: no complete answer within 0.1 s. JIM or the network is too slow, or the timeout is too short.',
    );
    expect(retries).toEqual([]);
    expect(attempts[0]?.seconds).toBeGreaterThanOrEqual(0.09);
    expect(attempts[0]?.seconds).toBeLessThan(3);
  });

  it('trickling for ever does not outlast the deadline', async () => {
    const url = await serve((_request, response) => {
      const timer = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(timer));
    });
    const { http: client } = wire({ timeoutMs: 150 });
    expect((await failureOf(client.request(get(url)))).reason).toBe('timeout');
  });

  it('an endless body ends at the limit, and so does the connection', async () => {
    const closed = new EventEmitter();
    const url = await serve((_request, response) => {
      const more = (): void => {
        while (response.write('x'.repeat(1024))) if (response.destroyed) return;
      };
      response.on('drain', more);
      response.on('close', () => closed.emit('close'));
      more();
    });
    const { http: client, attempts } = wire({ maxBodyBytes: 100_000 });
    const serverSawClose = once(closed, 'close');
    const failure = await failureOf(client.request(get(url)));
    await serverSawClose;
    expect(failure.reason).toBe('bad_response');
    expect(withoutPort(failure.message)).toBe(
      "GET http://127.0.0.1:PORT/ failed: the answer is larger than 100000 bytes. Check that jim.url is JIM's address.",
    );
    expect(attempts.map(({ code }) => code)).toEqual([200]);
  });

  it('a body of exactly the limit is an answer', async () => {
    const url = await serve((_request, response) => response.end('x'.repeat(1000)));
    const { http: client } = wire({ maxBodyBytes: 1000 });
    expect((await client.request(get(url))).body).toHaveLength(1000);
  });

  it('a redirect is not followed, and only the origin of its target is told', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      response.writeHead(307, { location: 'https://user:pw@sso.example/login?state=secret' });
      response.end();
    });
    const { http: client } = wire();
    const failure = await failureOf(client.request(get(url)));
    expect(failure.reason).toBe('bad_response');
    expect(withoutPort(failure.message)).toBe(
      'GET http://127.0.0.1:PORT/ failed: the answer was 307, a redirect to https://sso.example, which is never followed, since the key would travel with it. Set jim.url to the final address.',
    );
    expect(requests).toBe(1);
  });

  it.each([
    [500, 'server_error', 3],
    [502, 'server_error', 3],
    [503, 'server_error', 3],
    [429, 'rate_limited', 3],
    [401, 'unauthorized', 1],
    [403, 'forbidden', 1],
    [400, 'bad_response', 1],
    [404, 'bad_response', 1],
    [410, 'bad_response', 1],
  ] as const)('%d is %s, tried %d times', async (status, reason, times) => {
    const url = await serve((_request, response) => {
      response.statusCode = status;
      response.end('{"message":"Ada Lovelace was here"}');
    });
    const { http: client, attempts } = wire();
    const failure = await failureOf(client.request(get(url)));
    expect(failure.reason).toBe(reason);
    expect(failure.status).toBe(status);
    expect(failure.message).not.toContain('Ada');
    expect(attempts.map(({ code }) => code)).toEqual(Array.from({ length: times }, () => status));
  });

  it('who speaks no HTTP', async () => {
    const port = await listen(
      net.createServer((socket) => socket.end('220 mail.example ESMTP\r\n')),
    );
    const { http: client } = wire();
    const failure = await failureOf(client.request(get(`http://127.0.0.1:${port}/`)));
    expect(failure.reason).toBe('bad_response');
    expect(failure.message).toMatch(
      /127\.0\.0\.1:\d+ does not answer in HTTP \(HPE_\w+\)\. Check the port in jim\.url, and whether it should begin with https instead of http\.$/,
    );
  });

  it('a bug of ours is no failure of the network', async () => {
    const transport: Transport = async () => {
      throw new TypeError('undefined is not a function');
    };
    const { http: client } = wire({ transport });
    await expect(client.request(get('http://x.example/'))).rejects.toThrow(TypeError);
  });

  it('an error without a code is one of the network', async () => {
    const transport: Transport = async () => {
      throw new Error('odd');
    };
    const { http: client } = wire({ transport });
    const failure = await failureOf(client.request(get('http://x.example/')));
    expect(failure.reason).toBe('unreachable');
    expect(failure.message).toBe(
      'GET http://x.example/ failed: the connection to x.example failed (no error code). Check jim.url and the network.',
    );
  });
});

describe('retries', () => {
  it('a restart of a proxy is outlasted', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      if (requests < 3) response.statusCode = 502;
      response.end(String(requests));
    });
    const { http: client, retries, slept } = wire();
    expect((await client.request(get(url))).body).toBe('3');
    expect(retries.map(({ reason }) => reason)).toEqual(['server_error', 'server_error']);
    expect(slept).toEqual([125, 250]);
  });

  it('Retry-After is waited as told', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      if (requests === 1) response.writeHead(503, { 'retry-after': '5' });
      response.end('{}');
    });
    const { http: client, slept } = wire();
    await client.request(get(url, { retryUntilMs: performance.now() + 15_000 }));
    expect(slept).toEqual([5_000]);
  });

  it('longer than to the next poll is not waited, but told', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(429, { 'retry-after': '60' });
      response.end();
    });
    const { http: client, slept, attempts } = wire();
    const failure = await failureOf(
      client.request(get(url, { retryUntilMs: performance.now() + 15_000 })),
    );
    expect(failure.reason).toBe('rate_limited');
    expect(failure.retryAfterMs).toBe(60_000);
    expect(slept).toEqual([]);
    expect(attempts).toHaveLength(1);
  });

  it('every attempt passes the rate ceiling', async () => {
    let taken = 0;
    const url = await serve((_request, response) => {
      response.statusCode = 500;
      response.end();
    });
    const { http: client } = wire({
      limiter: {
        take: async () => {
          taken += 1;
        },
      },
    });
    await failureOf(client.request(get(url)));
    expect(taken).toBe(3);
  });
});

describe('stopped by the caller', () => {
  const reason = new Error('the exporter stops');
  const realSleep: Clock = {
    nowMs: () => performance.now(),
    sleep: (ms, signal) => wait(ms, undefined, signal === undefined ? {} : { signal }),
  };

  it('while JIM hangs', async () => {
    const stop = new AbortController();
    const url = await serve(() => stop.abort(reason));
    const { http: client, attempts } = wire();
    await expect(client.request(get(url, { signal: stop.signal }))).rejects.toBe(reason);
    expect(attempts.map(({ code }) => code)).toEqual(['error']);
  });

  it('while a body arrives', async () => {
    const stop = new AbortController();
    const url = await serve((_request, response) => {
      response.write('{');
      setTimeout(() => stop.abort(reason), 20);
    });
    const { http: client } = wire();
    await expect(client.request(get(url, { signal: stop.signal }))).rejects.toBe(reason);
  });

  it('while waiting to retry, with Node’s own timers', async () => {
    const stop = new AbortController();
    const url = await serve((_request, response) => {
      response.statusCode = 500;
      response.end();
      setTimeout(() => stop.abort(reason), 20);
    });
    const { http: client } = wire({ clock: realSleep, random: () => 0.999, timeoutMs: 60_000 });
    await expect(client.request(get(url, { signal: stop.signal }))).rejects.toBe(reason);
  });

  it('while waiting for the rate ceiling', async () => {
    const stop = new AbortController();
    const limiter = createRateLimiter(1, realSleep);
    await limiter.take();
    setTimeout(() => stop.abort(reason), 20);
    const { http: client, attempts } = wire({ limiter });
    await expect(client.request(get('http://127.0.0.1:9/', { signal: stop.signal }))).rejects.toBe(
      reason,
    );
    expect(attempts).toEqual([]);
  });

  it('before it began', async () => {
    const { http: client, attempts } = wire();
    const signal = AbortSignal.abort(reason);
    await expect(client.request(get('http://127.0.0.1:9/', { signal }))).rejects.toBe(reason);
    expect(attempts).toEqual([]);
  });

  it('leaves no listener behind on a long-lived signal', async () => {
    const url = await serve((_request, response) => response.end('{}'));
    const { http: client } = wire();
    const { signal } = new AbortController();
    let listeners = 0;
    const counted = new Proxy(signal, {
      get: (target, name) => {
        if (name === 'addEventListener') listeners += 1;
        if (name === 'removeEventListener') listeners -= 1;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    await client.request(get(url, { signal: counted }));
    expect(listeners).toBe(0);
  });
});
