/**
 * Which protocol an accepted connection speaks: plain HTTP/1.1, or TLS and in it HTTP/2 or HTTP/1.1, as the
 * web configuration file says at that moment. One HTTP/1.1 server listens; connections with TLS reach it,
 * or its HTTP/2 neighbour, through a TLS server that never listens itself, one for each TLS setup, so that a
 * new certificate, authority or version counts from the next handshake on.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import type { Log } from '../log.ts';
import { judgeClient } from './client-certificate.ts';
import type { Connections } from './connections.ts';
import type { WebLimits } from './limits.ts';
import type { RequestListener } from './request-listener.ts';
import type { TlsSetup } from './tls-section.ts';

export interface ProtocolOptions {
  readonly connections: Connections;
  readonly listener: RequestListener;
  /** What counts now; null is plain HTTP. */
  readonly tls: () => TlsSetup | null;
  readonly limits: WebLimits;
  readonly log: Log;
}

/** A server that does not listen yet. */
export function createProtocolServer(options: ProtocolOptions): Server {
  const { connections, listener, tls, limits } = options;
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: limits.deadlineCheckMs,
      maxHeaderSize: limits.maxHeaderBytes,
    },
    listener,
  );
  const speakHttp1 = takeOverConnections(server);
  const http2 = createHttp2(listener, limits);
  const tlsServers = new WeakMap<TlsSetup, TlsServer>();

  const speakTls = (setup: TlsSetup, socket: Socket): void => {
    const tlsServer =
      tlsServers.get(setup) ??
      createTls(setup, options, (secured) => {
        if (secured.alpnProtocol === 'h2') http2.emit('connection', secured);
        else speakHttp1(secured);
      });
    tlsServers.set(setup, tlsServer);
    tlsServer.emit('connection', socket);
  };

  server.on('connection', (socket: Socket) => {
    // Before it is admitted: a setup that changed closes the connections that are idle at that moment.
    const setup = tls();
    if (!connections.admit(socket)) return;
    if (setup === null) speakHttp1(socket);
    else speakTls(setup, socket);
  });
  return server;
}

/**
 * Node's own handling of a new connection, taken off the event so that we decide first. The server that
 * listens must be the HTTP server: only then does Node watch its connections' deadlines.
 */
function takeOverConnections(server: Server): (socket: Socket) => void {
  const handlers = server.listeners('connection');
  server.removeAllListeners('connection');
  return (socket) => {
    for (const handler of handlers) Reflect.apply(handler, server, [socket]);
  };
}

function createTls(
  setup: TlsSetup,
  { limits, log }: ProtocolOptions,
  onSecured: (socket: TLSSocket) => void,
): TlsServer {
  const server = createTlsServer({ ...setup.options, handshakeTimeout: limits.headersTimeoutMs });
  server.on('secureConnection', (socket) => {
    const verdict = judgeClient(setup, {
      certificate: socket.getPeerX509Certificate()?.raw ?? null,
      authorized: socket.authorized,
    });
    if (verdict === 'accepted') {
      onSecured(socket);
      return;
    }
    log.debug('Refused a client by its certificate', { reason: verdict });
    socket.destroy();
  });
  server.on('tlsClientError', (err, socket) => {
    log.debug('TLS handshake failed', { err });
    socket.destroy();
  });
  return server;
}

function createHttp2(listener: RequestListener, limits: WebLimits): Http2Server {
  const server = createHttp2Server(
    {
      settings: {
        enablePush: false,
        maxConcurrentStreams: limits.maxStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
      },
    },
    listener,
  );
  server.on('session', (session: ServerHttp2Session) => {
    // Its own deadlines: Node watches those of HTTP/1.1 alone.
    session.setTimeout(limits.keepAliveTimeoutMs, () => session.close());
    const silent = setTimeout(() => session.destroy(), limits.headersTimeoutMs);
    session.once('stream', () => clearTimeout(silent));
    session.once('close', () => clearTimeout(silent));
  });
  return server;
}
