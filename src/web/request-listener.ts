/** From Node's request to the routes: refuses what is malformed, bounds body and time, sees the answer to its end. */
import { constants } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { getRequestListener, RequestError } from '@hono/node-server';
import type { Log } from '../log.ts';
import type { Connections } from './connections.ts';
import { discardBody, refuse } from './request-guard.ts';
import type { Refusal } from './request-guard.ts';
import type { Delivery, Fetch } from './routes.ts';

export type Incoming = IncomingMessage | Http2ServerRequest;
export type Outgoing = ServerResponse | Http2ServerResponse;
export type RequestListener = (incoming: Incoming, outgoing: Outgoing) => void;

export interface RequestListenerOptions {
  readonly fetch: Fetch;
  readonly connections: Connections;
  /** TLS is asked for now; it may not have been when the connection was made. */
  readonly requiresTls: () => boolean;
  readonly responseTimeoutMs: number;
  readonly log: Log;
}

export function createRequestListener(options: RequestListenerOptions): RequestListener {
  /** On their way through the adaptor. A WeakMap here would double the cost of a scrape in garbage collection. */
  const deliveries = new Map<Outgoing, Delivery>();
  const answer = getRequestListener(
    (request, { outgoing }) => options.fetch(request, { delivery: deliveries.get(outgoing) }),
    {
      // HTTP/1.0 probes send no Host.
      hostname: 'localhost',
      autoCleanupIncoming: false,
      errorHandler: (err) => answerError(err, options.log),
    },
  );
  return (incoming, outgoing) => {
    // First of all: to ask for the TLS setup may close the connections that answer nothing.
    const delivery = followDelivery(incoming, outgoing, options);
    const refusal =
      options.requiresTls() && !isEncrypted(incoming) ? NOT_ENCRYPTED : refuse(incoming);
    if (refusal !== null) {
      sendRefusal(incoming, outgoing, refusal);
      return;
    }
    deliveries.set(outgoing, delivery);
    delivery.onEnd(() => deliveries.delete(outgoing));
    discardBody(incoming);
    void answer(incoming, outgoing);
  };
}

const NOT_ENCRYPTED: Refusal = {
  status: 400,
  reason: 'Client sent an HTTP request to an HTTPS server.',
};

/** Sees one answer to its end, which is its own, its connection's (a pipelined answer has no other) or the deadline's. */
function followDelivery(
  incoming: Incoming,
  outgoing: Outgoing,
  { connections, responseTimeoutMs }: RequestListenerOptions,
): Delivery {
  const listeners: ((complete: boolean) => void)[] = [];
  const isComplete = followCompleteness(incoming, outgoing);
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    clearTimeout(deadline);
    finished();
    for (const listener of listeners) listener(isComplete());
  };
  const deadline = setTimeout(() => outgoing.destroy(), responseTimeoutMs);
  const finished = connections.begin(incoming.socket, end);
  outgoing.once('close', end);
  return { onEnd: (listener) => listeners.push(listener) };
}

/** Whether, by the end, all of the answer was handed to the system. */
function followCompleteness(incoming: Incoming, outgoing: Outgoing): () => boolean {
  if ('stream' in outgoing) {
    const { stream } = outgoing;
    return () => stream.writableFinished && stream.rstCode === constants.NGHTTP2_NO_ERROR;
  }
  // Node says finished, by event and property, of an answer whose connection broke too. The socket knows
  // better at that moment, if asked before Node itself closes a connection that was to end there.
  const { socket } = incoming;
  let complete = false;
  outgoing.prependOnceListener('finish', () => {
    complete = !socket.destroyed && socket.errored === null;
  });
  return () => complete;
}

function sendRefusal(incoming: Incoming, outgoing: Outgoing, refusal: Refusal): void {
  outgoing.statusCode = refusal.status;
  outgoing.setHeader('Content-Type', 'text/plain; charset=utf-8');
  // Whatever follows on the connection is not to be trusted either. HTTP/2 has no such header.
  if (incoming.httpVersionMajor === 1) outgoing.setHeader('Connection', 'close');
  outgoing.end(`${refusal.status} ${refusal.reason}\n`);
}

/** A Host that is none, or a fault of ours. */
function answerError(err: unknown, log: Log): Response {
  if (err instanceof RequestError) return new Response('400 unusable Host\n', { status: 400 });
  log.error('Could not answer a request', { err });
  return new Response('Internal Server Error\n', { status: 500 });
}

function isEncrypted(incoming: Incoming): boolean {
  return 'encrypted' in incoming.socket;
}
