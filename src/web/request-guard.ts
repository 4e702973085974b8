/**
 * What is refused before any route is looked at: request targets that two readers could read in two
 * ways, and bodies, which nothing here wants. Node's own strict parser refuses the rest (both lengths,
 * bad chunks, huge or malformed headers).
 */
import { constants } from 'node:http2';
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';

/** `POST /-/reload` needs none; this is room for clients that send an empty form. */
const MAX_BODY_BYTES = 1024;

export interface Refusal {
  readonly status: 400 | 413;
  readonly reason: string;
}

/**
 * A path of RFC 3986's characters with perhaps a query. Not the absolute form (`GET http://host/…`):
 * only a client that takes us for its proxy sends it, and its host may contradict the Host header.
 */
const PLAIN_TARGET = /^\/[\w.~!$&'()*+,;=:@%/-]*(?:\?[\x21\x22\x24-\x7e]*)?$/;
/** `.` and `..`, encoded or not: they would be resolved behind our back into another path. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:[/?]|$)/i;

/** Null for a request that may go on. */
export function refuse(incoming: IncomingMessage | Http2ServerRequest): Refusal | null {
  if (incoming.httpVersionMajor < 1) return { status: 400, reason: 'HTTP/0.9 is not spoken' };
  const target = incoming.url ?? '';
  if (!PLAIN_TARGET.test(target) || DOT_SEGMENT.test(pathOf(target))) {
    return { status: 400, reason: 'unusable request target' };
  }
  if (countHosts(incoming.rawHeaders) > 1) return { status: 400, reason: 'more than one Host' };
  if (Number(incoming.headers['content-length'] ?? 0) > MAX_BODY_BYTES) {
    return { status: 413, reason: `no body over ${MAX_BODY_BYTES} bytes is accepted` };
  }
  return null;
}

/**
 * Reads and forgets the body, so that the next request on the connection can be read. A body without a
 * length that grows too long ends the connection: nobody who sends one means us well.
 */
export function discardBody(incoming: IncomingMessage | Http2ServerRequest): void {
  let received = 0;
  incoming.on('data', (chunk: Uint8Array) => {
    received += chunk.byteLength;
    if (received <= MAX_BODY_BYTES) return;
    if ('stream' in incoming) incoming.stream.close(constants.NGHTTP2_CANCEL);
    else incoming.destroy();
  });
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/** Node keeps the first of several Host headers and hides the others. */
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}
