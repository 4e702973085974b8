/**
 * Listens, and keeps hostile or merely slow clients from costing more than a connection: every wait has
 * a deadline, every size a bound. What is answered is the business of `routes`.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Log } from '../log.ts';
import { createConnections } from './connections.ts';
import type { Connections } from './connections.ts';
import { discardBody, refuse } from './request-guard.ts';
import type { Refusal } from './request-guard.ts';
import type { Delivery, Fetch } from './routes.ts';

/** A scraper sends its headers in one packet; Node's own default is a minute. */
const HEADERS_TIMEOUT_MS = 10_000;
/** The whole request, with the body that nobody needs. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How long a client may take to read an answer: more than any scrape_timeout that makes sense. */
const RESPONSE_TIMEOUT_MS = 30_000;
/**
 * Longer than two minutes, the longest scrape interval that the default `zero_hold` allows for, so that
 * a scraper keeps its connection and its TLS session from scrape to scrape.
 */
const KEEP_ALIVE_TIMEOUT_MS = 125_000;
/** How often Node looks for requests past their deadline. */
const DEADLINE_CHECK_MS = 1_000;
/** A scrape's headers are half a kilobyte; a client certificate or token in a header fits too. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Far more than the scrapers, probes and browsers of one exporter; the longest idle makes room. */
const MAX_CONNECTIONS = 512;

export interface ListenAddress {
  /** As the user wrote it, for messages. */
  readonly text: string;
  /** Null is every address of the machine. */
  readonly host: string | null;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface ServerOptions {
  readonly addresses: readonly ListenAddress[];
  readonly fetch: Fetch;
  readonly log: Log;
}

export interface RunningServer {
  /** Where it listens in the end, as `host:port` (`[::]:10190`), in the order asked. */
  readonly addresses: readonly string[];
  /** Stops listening, drops idle connections at once and the others after `withinMs`. */
  close(withinMs: number): Promise<void>;
}

/** An address that cannot be listened on; the message says what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Listens on all addresses, or on none: throws a `ListenError` for the first that fails. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const connections = createConnections(MAX_CONNECTIONS);
  const servers: Server[] = [];
  try {
    for (const address of options.addresses) {
      const server = createHttpServer(options.fetch, connections);
      await listen(server, address);
      // Accepting can fail later (no file descriptors left): that must not end the process.
      server.on('error', (err) => options.log.warn('Could not accept a connection', { err }));
      servers.push(server);
    }
  } catch (error) {
    await closeAll(servers);
    throw error;
  }
  return {
    addresses: servers.map(actualAddress),
    async close(withinMs) {
      const closed = closeAll(servers);
      connections.drain();
      const deadline = setTimeout(() => connections.destroyAll(), withinMs);
      await closed;
      clearTimeout(deadline);
    },
  };
}

function createHttpServer(fetch: Fetch, connections: Connections): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: DEADLINE_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    requestListener(fetch, connections),
  );
  server.prependListener('connection', (socket: Socket) => connections.admit(socket));
  return server;
}

type Incoming = IncomingMessage | Http2ServerRequest;
type Outgoing = ServerResponse | Http2ServerResponse;

/** Bounds one request in size and time, then hands it to the routes. */
function requestListener(
  fetch: Fetch,
  connections: Connections,
): (incoming: Incoming, outgoing: Outgoing) => void {
  const deliveries = new WeakMap<Outgoing, Delivery>();
  const answer = getRequestListener(
    (request, { outgoing }) => fetch(request, { delivery: deliveries.get(outgoing) }),
    // HTTP/1.0 probes send no Host.
    { hostname: 'localhost', autoCleanupIncoming: false },
  );
  return (incoming, outgoing) => {
    deliveries.set(outgoing, followDelivery(incoming, outgoing, connections));
    const refusal = refuse(incoming);
    if (refusal !== null) {
      sendRefusal(incoming, outgoing, refusal);
      return;
    }
    discardBody(incoming);
    void answer(incoming, outgoing);
  };
}

/** Sees one answer to its end, which is its own, its connection's (a pipelined answer has no other) or the deadline's. */
function followDelivery(
  incoming: Incoming,
  outgoing: Outgoing,
  connections: Connections,
): Delivery {
  const listeners: ((complete: boolean) => void)[] = [];
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    clearTimeout(deadline);
    finished();
    const complete = isComplete(outgoing);
    for (const listener of listeners) listener(complete);
  };
  const deadline = setTimeout(() => outgoing.destroy(), RESPONSE_TIMEOUT_MS);
  const finished = connections.begin(incoming.socket, end);
  outgoing.once('close', end);
  return { onEnd: (listener) => listeners.push(listener) };
}

function sendRefusal(incoming: Incoming, outgoing: Outgoing, refusal: Refusal): void {
  outgoing.statusCode = refusal.status;
  outgoing.setHeader('Content-Type', 'text/plain; charset=utf-8');
  // Whatever follows on the connection is not to be trusted either. HTTP/2 has no such header.
  if (incoming.httpVersionMajor === 1) outgoing.setHeader('Connection', 'close');
  outgoing.end(`${refusal.status} ${refusal.reason}\n`);
}

/** All of it was handed to the system. */
function isComplete(outgoing: Outgoing): boolean {
  return 'stream' in outgoing
    ? outgoing.writableEnded && !outgoing.stream.aborted && outgoing.stream.rstCode === 0
    : outgoing.writableFinished;
}

function listen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => {
      reject(new ListenError(listenSentence(address, error), { cause: error }));
    };
    server.once('error', refused);
    const host = address.host === null ? {} : { host: address.host };
    server.listen({ port: address.port, ...host }, () => {
      server.off('error', refused);
      resolve();
    });
  });
}

function listenSentence(address: ListenAddress, error: NodeJS.ErrnoException): string {
  const failed = `cannot listen on ${address.text}: `;
  switch (error.code) {
    case 'EADDRINUSE':
      return `${failed}the port is taken; stop the other program or choose another address with --web.listen-address`;
    case 'EACCES':
      return `${failed}not permitted; choose a port above 1023 with --web.listen-address`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${failed}this machine has no such address; choose another with --web.listen-address`;
    case 'EAFNOSUPPORT':
      return `${failed}this machine has no IPv6; choose an IPv4 address with --web.listen-address`;
    default:
      return failed + error.message;
  }
}

function actualAddress(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
}
