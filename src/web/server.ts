/**
 * Listens and stops listening. How a connection speaks is the business of `protocols`, what is answered that
 * of `routes`; hostile or merely slow clients cost no more than a connection, which has a deadline.
 */
import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Log } from '../log.ts';
import { createConnections } from './connections.ts';
import { WEB_LIMITS } from './limits.ts';
import type { WebLimits } from './limits.ts';
import { createProtocolServer } from './protocols.ts';
import { protect } from './protection.ts';
import { createRequestListener } from './request-listener.ts';
import type { Fetch } from './routes.ts';
import type { TlsSetup } from './tls-section.ts';
import type { WebConfigFile } from './web-config-file.ts';

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
  /** The routes; what the web configuration file asks for is put before them here. */
  readonly fetch: Fetch;
  readonly webConfig: WebConfigFile | null;
  readonly nowMs: () => number;
  readonly log: Log;
  /** Default `WEB_LIMITS`. */
  readonly limits?: WebLimits;
}

export interface RunningServer {
  /** Where it listens in the end, as `host:port` (`[::]:10190`), in the order asked. */
  readonly addresses: readonly string[];
  /** Stops listening, drops idle connections at once and the others after `withinMs`. */
  close(withinMs: number): Promise<void>;
}

/** An address that cannot be listened on; the message says what to do. */
class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Listens on all addresses, or on none: throws a `ListenError` for the first that fails. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { limits = WEB_LIMITS, log } = options;
  const connections = createConnections(limits.maxConnections);
  const tls = followTls(options.webConfig, () => connections.retire());
  const listener = createRequestListener({
    fetch: protect(options.fetch, options),
    connections,
    requiresTls: () => tls() !== null,
    responseTimeoutMs: limits.responseTimeoutMs,
    log,
  });
  const servers: Server[] = [];
  try {
    for (const address of options.addresses) {
      const server = createProtocolServer({ connections, listener, tls, limits, log });
      await listen(server, address);
      // Accepting can fail later (no file descriptors left): that must not end the process.
      server.on('error', (err) => log.warn('Could not accept a connection', { err }));
      servers.push(server);
      log.info('Listening on', {
        address: actualAddress(server),
        tls: tls() !== null,
        http2: tls()?.options.ALPNProtocols.includes('h2') ?? false,
      });
    }
  } catch (error) {
    await closeAll(servers);
    throw error;
  }
  return {
    addresses: servers.map(actualAddress),
    async close(withinMs) {
      const closed = closeAll(servers);
      connections.retire();
      const deadline = setTimeout(() => connections.destroyAll(), withinMs);
      await closed;
      clearTimeout(deadline);
    },
  };
}

/** The TLS setup that counts now. Connections made under another are closed as soon as they are idle. */
function followTls(webConfig: WebConfigFile | null, onChange: () => void): () => TlsSetup | null {
  const read = (): TlsSetup | null => webConfig?.current().config.tls ?? null;
  let current = read();
  return () => {
    const next = read();
    if (next !== current) {
      current = next;
      onChange();
    }
    return current;
  };
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
  await Promise.all(servers.map(closeGently));
}

/**
 * Resolves when the last connection is gone. The HTTP server's own `close` would cut off answers that are
 * written but not yet read, which it takes for idle; so it only clears up when there are none left.
 */
function closeGently(server: Server): Promise<void> {
  return new Promise((resolve) => {
    Reflect.apply(NetServer.prototype.close, server, [
      () => {
        server.close();
        resolve();
      },
    ]);
  });
}
