/** TLS over real sockets: versions, suites, client certificates, HTTP/2, and following the file while serving. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, constants } from 'node:http2';
import { request } from 'node:https';
import type { RequestOptions } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { hashSync } from '@node-rs/bcrypt';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WEB_LIMITS } from '../../src/web/limits.ts';
import { startServer } from '../../src/web/server.ts';
import type { RunningServer } from '../../src/web/server.ts';
import { followWebConfig } from '../../src/web/web-config-file.ts';
import { createCertificateFolder } from './certificates.ts';
import type { Authority, Certificate, CertificateFolder } from './certificates.ts';
import { fakePublication, silentLog, TEXT, testRoutes } from './fakes.ts';

let made: CertificateFolder;
let ca: Authority;
let stranger: Authority;
let serverCert: Certificate;
let renewedCert: Certificate;
let client: Certificate;
let strangersClient: Certificate;
beforeAll(() => {
  made = createCertificateFolder();
  ca = made.authority('ca');
  stranger = made.authority('stranger');
  serverCert = ca.issue('localhost', 'DNS:localhost,IP:127.0.0.1', 'server');
  renewedCert = ca.issue('renewed', 'DNS:localhost,IP:127.0.0.1', 'server');
  client = ca.issue('scraper', 'DNS:scraper.example.org', 'client');
  strangersClient = stranger.issue('scraper', 'DNS:scraper.example.org', 'client');
});
afterAll(() => made.remove());

let folder: string;
let nowMs: number;
const running: RunningServer[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-exporter-web-'));
  nowMs = 1_000_000;
  install(serverCert);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close(0)));
  rmSync(folder, { recursive: true });
});

function install({ certFile, keyFile }: Certificate): void {
  cpSync(certFile, join(folder, 'server.crt'));
  cpSync(keyFile, join(folder, 'server.key'));
  cpSync(ca.certFile, join(folder, 'ca.crt'));
}

function writeConfig(tls: string, rest = ''): void {
  writeFileSync(
    join(folder, 'web.yml'),
    `tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n${tls.replaceAll(/^(?=.)/gm, '  ')}\n${rest}`,
  );
  nowMs += 1_000;
}

const publication = fakePublication();

/** The port of a server that follows the written configuration. */
async function serve(tls = '', rest = '', routes = testRoutes({ publication })): Promise<number> {
  writeConfig(tls, rest);
  return listen(routes);
}

async function listen(routes = testRoutes({ publication }), limits = WEB_LIMITS): Promise<number> {
  const clock = (): number => nowMs;
  const server = await startServer({
    addresses: [{ text: '127.0.0.1:0', host: '127.0.0.1', port: 0 }],
    fetch: routes,
    webConfig: followWebConfig({ path: join(folder, 'web.yml'), nowMs: clock, log: silentLog }),
    nowMs: clock,
    log: silentLog,
    limits,
  });
  running.push(server);
  return Number(server.addresses[0]?.split(':')[1]);
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly serverName: string | undefined;
}

/** One scrape over a connection of its own (or the agent's); rejects when there is no answer. */
function scrape(port: number, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', path: '/metrics', ca: ca.cert, agent: false, ...options },
      (response) => {
        const { subject } = (response.socket as TLSSocket).getPeerCertificate();
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => (body += text));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body,
            serverName: String(subject?.CN),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

/** What a handshake ends in: the protocol and suite, or the word of its refusal. */
function handshake(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: ca.cert,
      ...options,
    });
    socket.on('error', () => resolve('refused'));
    socket.on('secureConnect', () => {
      resolve(`${socket.getProtocol()} ${socket.getCipher().standardName}`);
      socket.destroy();
    });
  });
}

describe('versions, suites and curves', () => {
  const tls12 = { maxVersion: 'TLSv1.2' } as const;
  const tls11 = {
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL@SECLEVEL=0',
  } as const;
  test.each<readonly [tls: string, client: ConnectionOptions, outcome: string]>([
    ['', {}, 'TLSv1.3 TLS_AES_256_GCM_SHA384'],
    ['', tls11, 'refused'],
    ['min_version: TLS13', tls12, 'refused'],
    ['min_version: TLS13', {}, 'TLSv1.3 TLS_AES_256_GCM_SHA384'],
    ['max_version: TLS12', {}, 'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
    ['min_version: TLS11', tls11, 'TLSv1.1 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA'],
    [
      'cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]',
      tls12,
      'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    ],
    [
      'cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]',
      {},
      'TLSv1.3 TLS_AES_128_GCM_SHA256',
    ],
    [
      'cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]',
      { ...tls12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
      'refused',
    ],
    [
      'cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]',
      { ...tls12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256' },
      'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    ],
    [
      'prefer_server_cipher_suites: false\ncipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]',
      { ...tls12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256' },
      'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    ],
    ['curve_preferences: [CurveP384]', { ecdhCurve: 'X25519' }, 'refused'],
    ['curve_preferences: [CurveP384]', { ecdhCurve: 'P-384' }, 'TLSv1.3 TLS_AES_256_GCM_SHA384'],
  ])('%j and a client with %j → %s', async (tls, options, outcome) => {
    expect(await handshake(await serve(tls), options)).toBe(outcome);
  });
});

describe('client certificates', () => {
  const ours = () => ({ cert: client.cert, key: client.key });
  const strangers = () => ({ cert: strangersClient.cert, key: strangersClient.key });
  test.each<readonly [type: string, none: number, stranger: number, ours: number]>([
    ['NoClientCert', 200, 200, 200],
    ['RequestClientCert', 200, 200, 200],
    ['RequireAnyClientCert', 0, 200, 200],
    ['VerifyClientCertIfGiven\nclient_ca_file: ca.crt', 200, 0, 200],
    ['RequireAndVerifyClientCert\nclient_ca_file: ca.crt', 0, 0, 200],
    [
      'RequireAndVerifyClientCert\nclient_ca_file: ca.crt\nclient_allowed_sans: [other, scraper.example.org]',
      0,
      0,
      200,
    ],
    ['RequireAndVerifyClientCert\nclient_ca_file: ca.crt\nclient_allowed_sans: [other]', 0, 0, 0],
    ['RequireAnyClientCert\nclient_allowed_sans: [other]', 0, 0, 0],
  ])("%j: none %i, a stranger's %i, ours %i (0 is no answer)", async (type, none, theirs, own) => {
    const port = await serve(`client_auth_type: ${type}`);
    const status = (options: RequestOptions): Promise<number> =>
      scrape(port, options).then(
        (answer) => answer.status,
        () => 0,
      );
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      expect([
        maxVersion,
        await status({ maxVersion }),
        await status({ maxVersion, ...strangers() }),
        await status({ maxVersion, ...ours() }),
      ]).toEqual([maxVersion, none, theirs, own]);
    }
  });

  test('a resumed session is judged as the full one was', async () => {
    const port = await serve(
      'client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: ca.crt',
    );
    const resume = (
      session: Buffer | undefined,
    ): Promise<readonly [string, boolean, Buffer | undefined]> =>
      new Promise((resolve, reject) => {
        let latest = session;
        let isReused = false;
        const socket = connect({
          port,
          host: 'localhost',
          ca: ca.cert,
          ...ours(),
          ...(session && { session }),
        });
        socket.on('secureConnect', () => (isReused = socket.isSessionReused()));
        socket.on('session', (ticket: Buffer) => (latest = ticket));
        socket.on('error', reject);
        socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        let text = '';
        socket.on('data', (chunk) => (text += String(chunk)));
        socket.on('close', () => resolve([text.slice(0, 15), isReused, latest]));
      });
    const [first, , session] = await resume(undefined);
    const [second, isReused] = await resume(session);
    expect([first, second, isReused]).toEqual(['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK', true]);
  });
});

describe('HTTP/2', () => {
  function scrapeHttp2(port: number, method = 'GET'): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const session = connectHttp2(`https://localhost:${port}`, { ca: ca.cert });
      session.on('error', reject);
      const stream = session.request({ ':path': '/metrics', ':method': method });
      let body = '';
      stream.setEncoding('utf8');
      stream.on('response', (headers) => {
        stream.on('data', (text: string) => (body += text));
        stream.on('end', () => {
          session.close();
          resolve({ ...headers, body, protocol: session.alpnProtocol });
        });
      });
      stream.on('error', reject);
      stream.end();
    });
  }

  test('serves the same, and tells the publication of a complete scrape', async () => {
    const port = await serve();
    publication.scrapes.length = 0;
    expect(await scrapeHttp2(port)).toMatchObject({
      ':status': 200,
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      'content-length': String(TEXT.length),
      body: TEXT,
      protocol: 'h2',
    });
    expect(await scrapeHttp2(port, 'HEAD')).toMatchObject({ ':status': 200, body: '' });
    expect(await scrapeHttp2(port, 'POST')).toMatchObject({ ':status': 405 });
    await expect.poll(() => publication.scrapes).toHaveLength(1);
  });

  test('a stream that is reset in mid-answer frees its place and is no scrape', async () => {
    const large = fakePublication({ text: 'x'.repeat(20_000_000) });
    const port = await serve('', '', testRoutes({ publication: large, maxRequests: 1 }));
    const session = connectHttp2(`https://localhost:${port}`, { ca: ca.cert });
    const stream = session.request({ ':path': '/metrics' });
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.once('data', resolve));
    expect((await scrape(port, { method: 'HEAD' })).status).toBe(503);
    stream.close(constants.NGHTTP2_CANCEL);
    await expect.poll(async () => (await scrape(port, { method: 'HEAD' })).status).toBe(200);
    session.destroy();
    expect(large.scrapes).toEqual([]);
  });

  test.each([
    ['/../metrics', 400],
    ['/%2e%2e/metrics', 400],
    ['/metrics#x', 400],
    // These Node refuses itself.
    ['*', 'NGHTTP2_PROTOCOL_ERROR'],
    ['http://evil/metrics', 'NGHTTP2_PROTOCOL_ERROR'],
  ])('refuses the path %s', async (path, expected) => {
    const port = await serve();
    const outcome = await new Promise((resolve) => {
      const session = connectHttp2(`https://localhost:${port}`, { ca: ca.cert });
      const stream = session.request({ ':path': path });
      const end = (word: unknown): void => {
        session.destroy();
        resolve(word);
      };
      stream.on('response', (headers) => end(headers[':status']));
      stream.on('error', (error) => end(error.message.split(' ').at(-1)));
    });
    expect(outcome).toBe(expected);
  });

  test('can be switched off, also while serving', async () => {
    const port = await serve('', 'http_server_config: { http2: false }');
    const negotiated = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({
          port,
          host: 'localhost',
          ca: ca.cert,
          ALPNProtocols: ['h2', 'http/1.1'],
        });
        socket.on('error', reject);
        socket.on('secureConnect', () => {
          resolve(String(socket.alpnProtocol));
          socket.destroy();
        });
      });
    expect(await negotiated()).toBe('http/1.1');
    writeConfig('');
    expect(await negotiated()).toBe('h2');
  });
});

describe('following the file', () => {
  test('a renewed certificate is shown to the next connection, and old connections end after their answer', async () => {
    const port = await serve();
    expect((await scrape(port)).serverName).toBe('localhost');
    install(renewedCert);
    nowMs += 1_000;
    expect((await scrape(port)).serverName).toBe('renewed');
  });

  test('a kept-alive connection gets one more answer and is then closed', async () => {
    const port = await serve();
    const socket = connect({ port, host: 'localhost', ca: ca.cert });
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const answers = (): number => text.split('HTTP/1.1 200 OK').length - 1;
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(answers).toBe(1);
    install(renewedCert);
    nowMs += 1_000;
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await closed;
    expect(answers()).toBe(2);
  });

  test('a half-renewed pair is 500 over the old certificate until the other half comes', async () => {
    const port = await serve();
    cpSync(renewedCert.certFile, join(folder, 'server.crt'));
    nowMs += 1_000;
    expect(await scrape(port)).toMatchObject({ status: 500, serverName: 'localhost' });
    cpSync(renewedCert.keyFile, join(folder, 'server.key'));
    nowMs += 1_000;
    expect(await scrape(port)).toMatchObject({ status: 200, serverName: 'renewed' });
  });

  test('a stricter client authentication counts for the next connection', async () => {
    const port = await serve();
    expect((await scrape(port)).status).toBe(200);
    writeConfig('client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: ca.crt');
    expect(await scrape(port).catch(() => 'no answer')).toBe('no answer');
    expect((await scrape(port, { cert: client.cert, key: client.key })).status).toBe(200);
  });

  test('a file that turns bad answers 500, health included, until mended', async () => {
    const port = await serve();
    writeConfig('', 'basic_auth_users: { alice: hunter2 }');
    for (const path of ['/metrics', '/-/healthy', '/']) {
      expect(await scrape(port, { path })).toMatchObject({
        status: 500,
        body: 'Internal Server Error\n',
      });
    }
    writeConfig('');
    expect((await scrape(port)).status).toBe(200);
  });

  test('TLS that appears while serving counts at once, also for connections that were plain', async () => {
    writeFileSync(join(folder, 'web.yml'), '');
    const port = await listen();
    const plain = connectPlain(port, '127.0.0.1');
    let text = '';
    plain.on('data', (chunk) => (text += String(chunk)));
    const closed = new Promise((resolve) => plain.on('close', resolve));
    plain.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => text).toContain(TEXT);
    writeConfig('');
    plain.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await closed;
    expect(text.split('HTTP/1.1 ')[2]).toMatch(
      /^400 Bad Request\r\n[^]*400 Client sent an HTTP request to an HTTPS server\.\n$/,
    );
    expect((await scrape(port)).status).toBe(200);
  });
});

describe('protection, in its order', () => {
  const alice = hashSync('secret', 4);
  const auth = `Basic ${Buffer.from('alice:secret').toString('base64')}`;

  test('basic authentication covers every path', async () => {
    const port = await serve('', `basic_auth_users: { alice: '${alice}' }`);
    for (const path of ['/metrics', '/-/healthy', '/-/ready', '/', '/unknown']) {
      const refused = await scrape(port, { path });
      expect(refused).toMatchObject({ status: 401, body: 'Unauthorized\n' });
      expect(refused.headers['www-authenticate']).toBe('Basic');
    }
    expect((await scrape(port, { headers: { authorization: auth } })).body).toBe(TEXT);
  });

  test('headers go with every answer, a refusal too, and a policy joins that of the page', async () => {
    const port = await serve(
      '',
      `basic_auth_users: { alice: '${alice}' }
http_server_config:
  headers:
    Content-Security-Policy: frame-ancestors 'none'
    Strict-Transport-Security: max-age=3600
    X-Content-Type-Options: nosniff`,
    );
    const headers = { authorization: auth };
    expect((await scrape(port)).headers).toMatchObject({
      'strict-transport-security': 'max-age=3600',
      'content-security-policy': "frame-ancestors 'none'",
    });
    expect((await scrape(port, { path: '/', headers })).headers).toMatchObject({
      'content-security-policy': "default-src 'none', frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    });
  });

  test('the rate limit comes before the passwords, and its change counts', async () => {
    const limited = (burst: number): string =>
      `basic_auth_users: { alice: '${alice}' }\nrate_limit: { interval: 1h, burst: ${burst} }`;
    const port = await serve('', limited(1));
    expect((await scrape(port)).status).toBe(401);
    expect(await scrape(port)).toMatchObject({ status: 429, body: 'Too Many Requests\n' });
    writeConfig('', limited(2));
    expect((await scrape(port)).status).toBe(401);
  });
});

describe('slow and greedy clients', () => {
  const quick = {
    ...WEB_LIMITS,
    headersTimeoutMs: 300,
    keepAliveTimeoutMs: 400,
    deadlineCheckMs: 50,
  };
  const quickly = (): Promise<number> => {
    writeConfig('');
    return listen(testRoutes({ publication }), quick);
  };

  test.each([
    ['says nothing', ''],
    ['stops in the middle of its first message', '\u0016\u0003\u0001\u0002\0\u0001'],
  ])('a handshake that %s is ended', async (_, sent) => {
    const socket = connectPlain(await quickly(), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(sent, 'latin1');
    const start = performance.now();
    await new Promise((resolve) => socket.on('close', resolve));
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test('clients that reset in the middle of a handshake leave the server answering', async () => {
    const port = await serve();
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const socket = connectPlain(port, '127.0.0.1');
        socket.on('error', () => undefined);
        await new Promise((resolve) => socket.once('connect', resolve));
        if (i % 2 === 0) socket.write('\u0016\u0003\u0001\u0002\0\u0001', 'latin1');
        socket.resetAndDestroy();
      }),
    );
    expect((await scrape(port)).status).toBe(200);
  });

  test('plain HTTP on the TLS port ends the connection', async () => {
    const socket = connectPlain(await serve(), '127.0.0.1');
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => socket.on('close', resolve));
    expect(text).not.toContain(TEXT);
  });

  test.each([
    ['never asks', false],
    ['asks once and then idles', true],
  ])('an HTTP/2 connection that %s is ended', async (_, asks) => {
    const session = connectHttp2(`https://localhost:${await quickly()}`, { ca: ca.cert });
    session.on('error', () => undefined);
    const closed = new Promise((resolve) => session.on('close', resolve));
    if (asks) {
      const stream = session.request({ ':path': '/metrics' });
      await new Promise((resolve) => stream.resume().on('end', resolve));
    }
    const start = performance.now();
    await closed;
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test('an endless HTTP/2 body ends its stream', async () => {
    const session = connectHttp2(`https://localhost:${await serve()}`, { ca: ca.cert });
    const stream = session.request({ ':path': '/-/reload', ':method': 'POST' });
    let sent = 0;
    const sender = setInterval(() => {
      if (stream.writable) sent += 1;
      if (stream.writable) stream.write('a'.repeat(1024));
    }, 1);
    stream.on('error', () => undefined);
    stream.resume();
    await new Promise((resolve) => stream.on('close', resolve));
    clearInterval(sender);
    session.destroy();
    expect(sent).toBeLessThan(500);
  });

  test('HTTP/2 headers over 16 KiB are refused, once the client was told of the limit', async () => {
    const session = connectHttp2(`https://localhost:${await serve()}`, { ca: ca.cert });
    const outcome = (headers: Record<string, string>): Promise<unknown> =>
      new Promise((resolve) => {
        const stream = session.request({ ':path': '/metrics', ...headers });
        stream.on('response', (answer) => resolve(answer[':status']));
        stream.on('error', (error) => resolve(error.message));
        stream.resume();
      });
    expect(await outcome({})).toBe(200);
    expect(await outcome({ x: 'a'.repeat(20_000) })).toBe(
      'Stream closed with error code NGHTTP2_ENHANCE_YOUR_CALM',
    );
    session.destroy();
  });

  test('a thousand HTTP/2 streams opened and reset leave the server answering', async () => {
    const port = await serve();
    const quiet = performance.now();
    await scrape(port);
    // On a machine busy with other tests a second is longer.
    const second = Math.max(1_000, 20 * (performance.now() - quiet));
    const session = connectHttp2(`https://localhost:${port}`, { ca: ca.cert });
    session.on('error', () => undefined);
    for (let i = 0; i < 1_000 && !session.destroyed; i += 1) {
      const stream = session.request({ ':path': '/metrics' });
      stream.on('error', () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
    }
    const start = performance.now();
    expect((await scrape(port)).status).toBe(200);
    expect(performance.now() - start).toBeLessThan(second);
    session.destroy();
  });

  test('while passwords are being guessed, a scraper that is known does not wait for them', async () => {
    const port = await serve('', `basic_auth_users: { alice: '${hashSync('secret', 10)}' }`);
    const statusWith = async (password: string): Promise<number> => {
      const credentials = Buffer.from(`alice:${password}`).toString('base64');
      const headers = { authorization: `Basic ${credentials}` };
      return (await scrape(port, { headers })).status;
    };
    expect(await statusWith('secret')).toBe(200);
    let refused = 0;
    const guesses = Array.from({ length: 10 }, async (_, i) => {
      const status = await statusWith(`guess ${i}`);
      refused += 1;
      return status;
    });
    expect(await statusWith('secret')).toBe(200);
    expect(refused).toBeLessThan(guesses.length);
    expect(new Set(await Promise.all(guesses))).toEqual(new Set([401]));
  });
});
