import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { AlertmanagerSettings, Verdict } from '../../src/alertmanager/client.ts';
import { alertmanagerName, connectAlertmanager } from '../../src/alertmanager/client.ts';
import type { WireAlert } from '../../src/alertmanager/wire.ts';
import { toWire } from '../../src/alertmanager/wire.ts';
import { SecretError, secretFile, secretValue } from '../../src/config/secret.ts';
import type { TransportTls, UndiciTransport } from '../../src/http.ts';
import { undiciTransport } from '../../src/http.ts';
import { MINUTE, SIX_MS, held } from './world.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const ALERT: WireAlert = toWire(held('Import'), {
  nowMs: SIX_MS,
  resendIntervalMs: MINUTE,
  offsetMs: 0,
});

interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

function listen(server: Server): Promise<number> {
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** A server that remembers what came, and answers as told. */
async function serve(
  answer: (response: ServerResponse, request: Received) => void,
): Promise<{ readonly port: number; readonly received: Received[] }> {
  const received: Received[] = [];
  const port = await listen(createServer(remember(received, answer)));
  return { port, received };
}

function remember(
  received: Received[],
  answer: (response: ServerResponse, request: Received) => void,
): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const seen = { path: request.url ?? '', headers: request.headers, body };
      received.push(seen);
      answer(response, seen);
    });
  };
}

function send(
  settings: Partial<AlertmanagerSettings> & { readonly url: string },
  alerts: readonly WireAlert[] = [ALERT],
  network: { readonly tls?: TransportTls; readonly proxyUrl?: string } = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Verdict> {
  const transport: UndiciTransport = undiciTransport(network);
  cleanups.push(() => transport.close());
  const alertmanager = connectAlertmanager(
    { timeoutMs: 5_000, basicAuth: null, authorization: null, ...settings },
    {
      transport,
      clock: { nowMs: () => SIX_MS, sleep: (ms, stop) => sleep(ms, undefined, { signal: stop }) },
      random: () => 0,
      userAgent: 'jim-exporter/test',
    },
  );
  return alertmanager.send(alerts, signal);
}

describe('a batch', () => {
  test('is posted as JSON below the path of the url', async () => {
    const { port, received } = await serve((response) => response.end());
    const verdict = await send({ url: `http://127.0.0.1:${port}/am/` });
    expect(verdict.kind).toBe('accepted');
    expect(received).toHaveLength(1);
    expect(received[0]?.path).toBe('/am/api/v2/alerts');
    expect(received[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'jim-exporter/test',
    });
    expect(received[0]?.headers.authorization).toBeUndefined();
    expect(JSON.parse(received[0]?.body ?? '')).toEqual([ALERT]);
  });

  test('accepted tells the Date of the answer, the clock of that Alertmanager', async () => {
    const { port } = await serve((response) => {
      response.setHeader('Date', 'Mon, 23 Nov 2026 06:10:00 GMT').end();
    });
    expect(await send({ url: `http://127.0.0.1:${port}` })).toEqual({
      kind: 'accepted',
      dateMs: SIX_MS + 10 * MINUTE,
    });
  });

  test('carries text of all kinds unharmed', async () => {
    const { port, received } = await serve((response) => response.end());
    const name = 'Größe "1" \\ \n 🦒 \u2028';
    await send({ url: `http://127.0.0.1:${port}` }, [{ ...ALERT, labels: { alertname: name } }]);
    expect(JSON.parse(received[0]?.body ?? '')[0].labels.alertname).toBe(name);
  });
});

describe('an answer', () => {
  const JSON_TYPE = 'application/json';
  test.each([
    [200, '', '', 'accepted'],
    [202, JSON_TYPE, '{}', 'accepted'],
    [200, 'text/html; charset=utf-8', '<html>Sign in</html>', 'misdirected'],
    [302, 'text/html', 'elsewhere', 'misdirected'],
    [400, JSON_TYPE, '"at least one label pair required"', 'refused'],
    [400, 'text/html', '<html>400 Bad Request</html>', 'misdirected'],
    [401, JSON_TYPE, '', 'misdirected'],
    [403, 'text/html', '<html>Forbidden</html>', 'misdirected'],
    [404, 'text/plain', '404 page not found', 'misdirected'],
    [405, '', '', 'misdirected'],
    [408, '', '', 'retry'],
    [413, 'text/plain', 'too large', 'refused'],
    [413, 'text/html', '<html>413 Request Entity Too Large</html>', 'refused'],
    [415, JSON_TYPE, '"unsupported media type"', 'refused'],
    [422, JSON_TYPE, '{"code":601}', 'refused'],
    [429, '', '', 'retry'],
    [500, JSON_TYPE, '"not ready"', 'retry'],
    [502, 'text/html', '<html>Bad Gateway</html>', 'retry'],
    [503, '', '', 'retry'],
  ])('%d %s %j means %s', async (status, type, body, kind) => {
    const { port, received } = await serve((response) => {
      if (type !== '') response.setHeader('Content-Type', type);
      response.writeHead(status).end(body);
    });
    const verdict = await send({ url: `http://127.0.0.1:${port}` });
    expect(verdict.kind).toBe(kind);
    expect(received).toHaveLength(1);
  });

  test('never has its body quoted: it may repeat what was sent', async () => {
    const { port } = await serve((response, { body }) => response.writeHead(422).end(body));
    const verdict = await send({ url: `http://127.0.0.1:${port}` });
    expect(verdict).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining(`POST http://127.0.0.1:${port}/api/v2/alerts was answered 422`),
    });
    expect(JSON.stringify(verdict)).not.toContain('Import');
  });

  test('with Retry-After says when to come again', async () => {
    const { port } = await serve((response) => {
      response.writeHead(429, { 'Retry-After': '7' }).end();
    });
    expect(await send({ url: `http://127.0.0.1:${port}` })).toMatchObject({
      kind: 'retry',
      retryAfterMs: 7_000,
    });
  });

  test('that never comes is retried, after the timeout', async () => {
    const { port } = await serve(() => undefined);
    expect(await send({ url: `http://127.0.0.1:${port}`, timeoutMs: 50 })).toMatchObject({
      kind: 'retry',
      why: expect.stringContaining('no complete answer within 0.05 s'),
    });
  });

  test('that never comes is given up at once when the exporter stops', async () => {
    const stop = new AbortController();
    const { port } = await serve(() => stop.abort());
    const verdict = await send({ url: `http://127.0.0.1:${port}` }, [ALERT], {}, stop.signal);
    expect(verdict).toMatchObject({ kind: 'retry', why: 'The exporter is stopping.' });
  });

  test('of nobody (nothing listens) is retried', async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await send({ url: `http://127.0.0.1:${port}` })).toMatchObject({
      kind: 'retry',
      why: expect.stringContaining(`nothing listens on 127.0.0.1:${port}`),
    });
  });
});

describe('credentials', () => {
  test('basic_auth is sent in UTF-8', async () => {
    const { port, received } = await serve((response) => response.end());
    const basicAuth = { username: 'jim', password: secretValue('pässwörd') };
    await send({ url: `http://127.0.0.1:${port}`, basicAuth });
    const [, encoded = ''] = received[0]?.headers.authorization?.split(' ') ?? [];
    expect(Buffer.from(encoded, 'base64').toString('utf8')).toBe('jim:pässwörd');
  });

  test('a bearer token is read from its file for each request', async () => {
    const { port, received } = await serve((response) => response.end());
    const folder = mkdtempSync(join(tmpdir(), 'jim-exporter-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'token');
    const authorization = { type: 'Bearer', credentials: secretFile(file) };
    for (const token of ['first', 'second']) {
      writeFileSync(file, `${token}\n`);
      await send({ url: `http://127.0.0.1:${port}`, authorization });
    }
    expect(received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer second',
    ]);
  });

  test('that cannot be read are told of without a request', async () => {
    const { port, received } = await serve((response) => response.end());
    const password = {
      read: (): string => {
        throw new SecretError('/run/secrets/am cannot be read (no permission)');
      },
    };
    const basicAuth = { username: 'jim', password };
    expect(await send({ url: `http://127.0.0.1:${port}`, basicAuth })).toEqual({
      kind: 'misdirected',
      why: '/run/secrets/am cannot be read (no permission)',
    });
    expect(received).toEqual([]);
  });

  test('are in no sentence', async () => {
    const { port } = await serve((response) => response.writeHead(401).end());
    const verdict = await send({
      url: `http://127.0.0.1:${port}`,
      basicAuth: { username: 'jim', password: secretValue('s3cret-w0rd') },
    });
    expect(JSON.stringify(verdict)).not.toMatch(/s3cret|Basic /);
  });
});

describe('the way', () => {
  test('over TLS verifies the certificate, and takes one whose authority is configured', async () => {
    const { key, cert } = selfSigned();
    const received: Received[] = [];
    const port = await listen(
      createTlsServer(
        { key, cert },
        remember(received, (response) => response.end()),
      ),
    );
    const url = `https://localhost:${port}`;
    expect(await send({ url })).toMatchObject({
      kind: 'retry',
      why: expect.stringContaining('is not trusted'),
    });
    expect((await send({ url }, [ALERT], { tls: { ca: cert } })).kind).toBe('accepted');
    expect((await send({ url }, [ALERT], { tls: { rejectUnauthorized: false } })).kind).toBe(
      'accepted',
    );
    expect(received).toHaveLength(2);
  });

  test('through a proxy that cannot reach the Alertmanager is retried', async () => {
    const { port: proxy } = await serve((response) => response.writeHead(502).end());
    const verdict = await send({ url: 'http://am.invalid:9093' }, [ALERT], {
      proxyUrl: `http://127.0.0.1:${proxy}`,
    });
    expect(verdict.kind).toBe('retry');
  });
});

test.each([
  ['http://am.example:9093', 'am.example:9093'],
  ['http://am.example', 'am.example:80'],
  ['https://am.example/path', 'am.example:443'],
  ['https://user:secret@am.example/', 'am.example:443'],
  ['http://[::1]:9093', '[::1]:9093'],
])('%s is called %s in labels and logs', (url, name) => {
  expect(alertmanagerName(url)).toBe(name);
});

function selfSigned(): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'jim-exporter-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    [
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1',
      `-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`,
    ].flatMap((line) => line.split(' ')),
    { stdio: 'ignore' },
  );
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}
