/** The real HTTP layer against real servers on free ports; waiting is written down instead of done. */
import { once } from 'node:events';
import * as http from 'node:http';
import type * as net from 'node:net';
import { afterEach } from 'vitest';
import {
  type Attempt,
  createHttp,
  type Http,
  type HttpCall,
  type HttpOptions,
  type Retry,
  type TransportTls,
  undiciTransport,
} from '../src/http.ts';
import { type Peer, RequestError } from '../src/request-error.ts';

const PEER: Peer = {
  name: 'JIM',
  urlSetting: 'jim.url',
  tlsSetting: 'jim.tls_config',
  credentialsSetting: 'jim.api_key',
  proxySetting: 'jim.proxy_url',
  neededRole: "JIM's Administrator role",
};

/** What a test opened, closed after it. */
const open: Array<() => unknown> = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

export interface Wired {
  readonly http: Http;
  readonly attempts: Attempt[];
  readonly retries: Retry[];
  /** How long it slept, without having slept. */
  readonly slept: number[];
}

/** The real transport, with waiting written down instead of done. */
export function wire(
  options: Partial<HttpOptions> & { readonly tls?: TransportTls; readonly proxyUrl?: string } = {},
): Wired {
  const { tls, proxyUrl, ...overrides } = options;
  const transport = undiciTransport({
    ...(tls === undefined ? {} : { tls }),
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
  });
  open.push(() => transport.close());
  const attempts: Attempt[] = [];
  const retries: Retry[] = [];
  const slept: number[] = [];
  return {
    attempts,
    retries,
    slept,
    http: createHttp({
      transport,
      clock: {
        nowMs: () => performance.now(),
        sleep: async (ms) => {
          slept.push(ms);
        },
      },
      random: () => 0,
      peer: PEER,
      userAgent: 'jim-exporter/1',
      timeoutMs: 5_000,
      onRequest: (attempt) => attempts.push(attempt),
      onRetry: (retry) => retries.push(retry),
      ...overrides,
    }),
  };
}

export function get(url: string | URL, more: Partial<HttpCall> = {}): HttpCall {
  return { method: 'GET', url: new URL(url), endpoint: '/thing/{id}', ...more };
}

export async function listen(server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export async function serve(handler: http.RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(http.createServer(handler))}`;
}

export async function failureOf(promise: Promise<unknown>): Promise<RequestError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** The port stands in sentences; tests write `PORT`. */
export function withoutPort(message: string): string {
  return message
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(/localhost:\d+/g, 'localhost:PORT');
}
