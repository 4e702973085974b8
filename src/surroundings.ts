/** The real world: the clock, chance and the network. Everything else gets them as arguments. */
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Surroundings } from './app.ts';
import type { TlsConfig } from './config/config.ts';
import { undiciTransport } from './http.ts';
import type { TransportTls } from './http.ts';

export function realSurroundings(): Surroundings {
  return {
    clock: {
      nowMs: Date.now,
      sleep: (ms, signal) => wait(ms, undefined, signal ? { signal } : {}),
    },
    random: Math.random,
    transportFor: ({ tls, proxyUrl }) =>
      undiciTransport({
        tls: transportTls(tls),
        ...(proxyUrl === null ? {} : { proxyUrl: proxyUrl.read() }),
      }),
  };
}

/** The files' contents now; they could be read a moment ago, when the configuration was checked. */
function transportTls(tls: TlsConfig): TransportTls {
  const content = (path: string): string => readFileSync(path, 'utf8');
  return {
    ...(tls.caFile === null ? {} : { ca: content(tls.caFile) }),
    ...(tls.certFile === null ? {} : { cert: content(tls.certFile) }),
    ...(tls.keyFile === null ? {} : { key: content(tls.keyFile) }),
    ...(tls.serverName === null ? {} : { servername: tls.serverName }),
    rejectUnauthorized: !tls.insecureSkipVerify,
  };
}
