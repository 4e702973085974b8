/** The simulator on a real port, for the demo and for tests that want sockets: it also breaks connections when a fault says so. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { blankBody, type Reply } from './answers.ts';
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
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> =>
    answerOn(outgoing, await simulator.serve(requestOf(incoming)));
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch((error: unknown) => {
      outgoing.destroy(error instanceof Error ? error : new Error(String(error)));
    });
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

/** Nothing that JIM's API reads has a body. */
function requestOf({ method = 'GET', url = '/', headers }: IncomingMessage): Request {
  const pairs = Object.entries(headers).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  return new Request(new URL(url, 'http://jim.example'), { method, headers: pairs });
}

async function answerOn(outgoing: ServerResponse, served: Served): Promise<void> {
  // Kestrel writes no Connection header on HTTP/1.1; the connection stays open all the same.
  outgoing.removeHeader('connection');
  switch (served.kind) {
    case 'answer':
      if (served.delayMs > 0) await wait(served.delayMs);
      writeHead(outgoing, served.reply);
      outgoing.end(served.reply.body);
      break;
    case 'oversized':
      writeHead(outgoing, served.reply);
      // Whoever has had enough hangs up.
      await pipeline(Readable.from(blankBody(served.bytes)), outgoing).catch(() => undefined);
      break;
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
}

/** As the simulator says it: Fetch's Response would order the headers, and lower their case. */
function writeHead(outgoing: ServerResponse, { status, headers }: Reply): void {
  outgoing.writeHead(status, headers.flat());
}

/** Promises the whole body, sends some of it, and hangs up. */
function sendPart(outgoing: ServerResponse, served: Extract<Served, { kind: 'truncated' }>): void {
  const bytes = Buffer.from(served.reply.body);
  const kept = served.reply.headers.filter(([name]) => name !== 'Transfer-Encoding');
  const headers = [...kept, ['Content-Length', String(bytes.length)] as const];
  writeHead(outgoing, { ...served.reply, headers });
  outgoing.write(bytes.subarray(0, served.bytes ?? Math.floor(bytes.length / 2)), () => {
    outgoing.destroy();
  });
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP port');
  return address.port;
}
