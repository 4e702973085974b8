import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf, get, listen, serve, wire, withoutPort } from './http-rig.ts';
import { type Authority, type Certificate, createCertificateFolder } from './web/certificates.ts';

describe('TLS', () => {
  const folder = createCertificateFolder();
  let authority: Authority;
  let server: Certificate;
  let client: Certificate;
  beforeAll(() => {
    authority = folder.authority('test-ca');
    server = authority.issue('localhost', 'DNS:localhost', 'server');
    client = authority.issue('exporter', 'DNS:exporter', 'client');
  });
  afterAll(() => folder.remove());

  async function serveTls(options: https.ServerOptions = {}): Promise<string> {
    const { cert, key } = server;
    const port = await listen(
      https.createServer({ cert, key, ...options }, (_request, response) =>
        response.end('{"tls":1}'),
      ),
    );
    return `https://localhost:${port}/`;
  }

  it('an authority of our own, from ca_file', async () => {
    const { http: tls } = wire({ tls: { ca: authority.cert } });
    expect((await tls.request(get(await serveTls()))).body).toBe('{"tls":1}');
  });

  it('a client certificate', async () => {
    const url = await serveTls({ ca: authority.cert, requestCert: true, rejectUnauthorized: true });
    const { cert, key } = client;
    const { http: known } = wire({ tls: { ca: authority.cert, cert, key } });
    expect((await known.request(get(url))).status).toBe(200);
    const { http: unknown } = wire({ tls: { ca: authority.cert } });
    expect((await failureOf(unknown.request(get(url, { maxAttempts: 1 })))).reason).toBe(
      'unreachable',
    );
  });

  it('an authority nobody knows', async () => {
    const { http: tls } = wire();
    const failure = await failureOf(tls.request(get(await serveTls(), { maxAttempts: 1 })));
    expect(failure.reason).toBe('unreachable');
    expect(withoutPort(failure.message)).toBe(
      'GET https://localhost:PORT/ failed: the certificate of localhost:PORT is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE). Set ca_file in jim.tls_config to the authority that signed it.',
    );
  });

  it('insecure_skip_verify trusts anybody', async () => {
    const { http: tls } = wire({ tls: { rejectUnauthorized: false } });
    expect((await tls.request(get(await serveTls()))).status).toBe(200);
  });

  it('a certificate for another name, and server_name that mends it', async () => {
    const url = (await serveTls()).replace('localhost', '127.0.0.1');
    const { http: tls } = wire({ tls: { ca: authority.cert } });
    const failure = await failureOf(tls.request(get(url, { maxAttempts: 1 })));
    expect(withoutPort(failure.message)).toBe(
      'GET https://127.0.0.1:PORT/ failed: the certificate of 127.0.0.1:PORT is for another name (ERR_TLS_CERT_ALTNAME_INVALID). Use a name from the certificate in jim.url, or set server_name in jim.tls_config.',
    );
    const { http: named } = wire({ tls: { ca: authority.cert, servername: 'localhost' } });
    expect((await named.request(get(url))).status).toBe(200);
  });

  it('https where only http is spoken', async () => {
    const url = (await serve((_request, response) => response.end('{}'))).replace(
      'http:',
      'https:',
    );
    const { http: tls } = wire();
    const failure = await failureOf(tls.request(get(url, { maxAttempts: 1 })));
    expect(failure.reason).toBe('unreachable');
    expect(withoutPort(failure.message)).toMatch(
      /^GET https:\/\/127\.0\.0\.1:PORT\/ failed: no TLS connection to 127\.0\.0\.1:PORT could be agreed on \((ERR_SSL_\w+|EPROTO)\)\. Check whether jim\.url should begin with http instead of https, and jim\.tls_config\.$/,
    );
  });

  it('http where only https is spoken', async () => {
    const url = (await serveTls()).replace('https:', 'http:');
    const { http: plain } = wire();
    const failure = await failureOf(plain.request(get(url, { maxAttempts: 1 })));
    expect(['unreachable', 'bad_response']).toContain(failure.reason);
  });

  describe('through a proxy', () => {
    /** A minimal HTTP proxy: tunnels, and absolute-form requests. */
    async function proxy(
      credentials?: string,
    ): Promise<{ readonly url: string; readonly seen: string[] }> {
      const seen: string[] = [];
      const isRefused = (request: http.IncomingMessage): boolean =>
        credentials !== undefined &&
        request.headers['proxy-authorization'] !==
          `Basic ${Buffer.from(credentials).toString('base64')}`;
      const relay = http.createServer((request, response) => {
        seen.push(`${request.method} ${request.url}`);
        if (isRefused(request)) return void response.writeHead(407).end();
        const { 'proxy-authorization': _left, ...headers } = request.headers;
        const onward = http.request(
          request.url ?? '',
          { headers, method: request.method },
          (answer) => {
            response.writeHead(answer.statusCode ?? 500, answer.headers);
            answer.pipe(response);
          },
        );
        onward.on('error', () => response.writeHead(502).end());
        request.pipe(onward);
      });
      relay.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
        seen.push(`CONNECT ${request.url}`);
        if (isRefused(request))
          return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
        const [host = '', port = ''] = (request.url ?? '').split(':');
        const onward = net.connect(Number(port), host, () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          onward.pipe(socket).pipe(onward);
        });
        for (const end of [onward, socket]) {
          end.on('error', () => undefined);
          end.on('close', () => [onward, socket].map((each) => each.destroy()));
        }
      });
      return { url: `http://127.0.0.1:${await listen(relay)}`, seen };
    }

    it('http goes by the whole URL, as curl does, not through a tunnel', async () => {
      const target = await serve((_request, response) => response.end('{"far":1}'));
      const { url, seen } = await proxy();
      const { http: far } = wire({ proxyUrl: url });
      expect((await far.request(get(`${target}/a?b=c`))).body).toBe('{"far":1}');
      expect(seen).toEqual([`GET ${target}/a?b=c`]);
    });

    it('https goes through a tunnel, and the certificate is checked', async () => {
      const target = await serveTls();
      const { url, seen } = await proxy();
      const { http: far } = wire({ proxyUrl: url, tls: { ca: authority.cert } });
      expect((await far.request(get(target))).body).toBe('{"tls":1}');
      expect(seen).toEqual([`CONNECT ${new URL(target).host}`]);
      const { http: distrustful } = wire({ proxyUrl: url });
      const failure = await failureOf(distrustful.request(get(target, { maxAttempts: 1 })));
      expect(failure.message).toContain('is not trusted');
    });

    it('with a user name and password', async () => {
      const { url } = await proxy('user:p@ss');
      const proxyUrl = url.replace('://', '://user:p%40ss@');
      const { http: plain } = wire({ proxyUrl });
      const target = await serve((_request, response) => response.end('{}'));
      expect((await plain.request(get(target))).status).toBe(200);
      const { http: tls } = wire({ proxyUrl, tls: { ca: authority.cert } });
      expect((await tls.request(get(await serveTls()))).status).toBe(200);
    });

    it.each(['http', 'https'])('that refuses %s', async (scheme) => {
      const { url } = await proxy('user:secret');
      const target = scheme === 'https' ? await serveTls() : await serve(() => undefined);
      const { http: far } = wire({
        proxyUrl: url.replace('://', '://user:wrong@'),
        tls: { ca: authority.cert },
      });
      const failure = await failureOf(far.request(get(target, { maxAttempts: 1 })));
      expect(failure.reason).toBe('unreachable');
      expect(withoutPort(failure.message)).toContain(
        ' failed: the proxy 127.0.0.1:PORT refused to connect (407). Check jim.proxy_url, its user name and password, and what the proxy allows.',
      );
      expect(failure.message).not.toMatch(/wrong|secret/);
    });

    it('that is not there', async () => {
      const gone = net.createServer();
      const port = await listen(gone);
      gone.close();
      const { http: far } = wire({
        proxyUrl: `http://127.0.0.1:${port}`,
      });
      const failure = await failureOf(far.request(get('http://jim.example/', { maxAttempts: 1 })));
      expect(withoutPort(failure.message)).toBe(
        'GET http://jim.example/ failed: nothing listens on 127.0.0.1:PORT (ECONNREFUSED). Check jim.proxy_url and that the proxy is running.',
      );
    });
  });
});
