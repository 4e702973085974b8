/** The simulator on a real port, for the demo and for tests that want sockets: it also breaks connections when a fault says so. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { blankBody, toResponse } from './answers.ts';
import type { Served, Simulator } from './simulator.ts';

export interface SimulatorServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/** Listens on the loopback address; port 0, unless said, takes a free one. Rejects where the port is taken. */
export async function startSimulatorServer(
  simulator: Simulator,
  options: { readonly port?: number } = {},
): Promise<SimulatorServer> {
  const listener = getRequestListener(
    async (request, env) => answerOn(serverResponse(env), await simulator.serve(request)),
    { overrideGlobalObjects: false },
  );
  const server = createServer((incoming, outgoing) => {
    void listener(incoming, outgoing);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function answerOn(outgoing: ServerResponse, served: Served): Promise<Response> {
  // Kestrel writes no Connection header on HTTP/1.1; the connection stays open all the same.
  outgoing.removeHeader('connection');
  switch (served.kind) {
    case 'answer':
      if (served.delayMs > 0) await wait(served.delayMs);
      return toResponse(served.reply);
    case 'oversized':
      return toResponse(served.reply, blankBody(served.bytes));
    case 'truncated':
      sendPart(outgoing, served);
      break;
    case 'refused':
    case 'reset':
      // An open port cannot refuse; to a client a reset before the answer is much the same.
      outgoing.socket?.resetAndDestroy();
      break;
    case 'hung':
      break;
  }
  return RESPONSE_ALREADY_SENT;
}

/** Promises the whole body, sends some of it, and hangs up. */
function sendPart(outgoing: ServerResponse, served: Extract<Served, { kind: 'truncated' }>): void {
  const { status, headers, body } = served.reply;
  const bytes = Buffer.from(body);
  const kept = headers.filter(([name]) => name !== 'Transfer-Encoding');
  outgoing.writeHead(status, [...kept.flat(), 'Content-Length', String(bytes.length)]);
  outgoing.write(bytes.subarray(0, served.bytes ?? Math.floor(bytes.length / 2)), () => {
    outgoing.destroy();
  });
}

function serverResponse(env: HttpBindings | object): ServerResponse {
  if ('outgoing' in env && 'shouldKeepAlive' in env.outgoing) return env.outgoing;
  throw new TypeError('the simulator speaks HTTP/1.1 only');
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP port');
  return address.port;
}
