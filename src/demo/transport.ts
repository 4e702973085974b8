/**
 * The simulator as a transport of `src/http.ts`, within the process: no socket, no real time, thousands of
 * requests a second. What a connection does wrong is told as undici tells it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Transport } from '../http.ts';
import { blankBody, type Reply } from './answers.ts';
import type { Served, Simulator } from './simulator.ts';

export interface SimulatorTransportOptions {
  /** How slow answers pass their time; real time unless given. Rejects with the signal's reason. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export function simulatorTransport(
  simulator: Simulator,
  options: SimulatorTransportOptions = {},
): Transport {
  const sleep = options.sleep ?? sleepReally;
  return async ({ url, method, headers, body, signal }) => {
    signal.throwIfAborted();
    const request = new Request(url, { method, headers, ...(body === undefined ? {} : { body }) });
    const served = await simulator.serve(request);
    signal.throwIfAborted();
    switch (served.kind) {
      case 'refused':
        throw failure('ECONNREFUSED', `connect ECONNREFUSED ${url.host}`);
      case 'reset':
        throw failure('ECONNRESET', 'read ECONNRESET');
      case 'hung':
        return aborted(signal);
      case 'answer':
        if (served.delayMs > 0) await sleep(served.delayMs, signal);
        return answer(served.reply, wholeBody(served.reply));
      case 'oversized':
        return answer(served.reply, blankBody(served.bytes));
      case 'truncated':
        break;
    }
    return answer(served.reply, halfBody(served));
  };
}

/** Names in lower case; of a header that stands twice, the last. */
function answer(
  { status, headers }: Reply,
  body: AsyncIterable<Uint8Array>,
): Awaited<ReturnType<Transport>> {
  const byName: Record<string, string> = {};
  for (const [name, value] of headers) byName[name.toLowerCase()] = value;
  return { status, headers: byName, body };
}

async function* wholeBody({ body }: Reply): AsyncIterable<Uint8Array> {
  if (body !== '') yield Buffer.from(body);
}

/** The first bytes, then the end of the connection. */
async function* halfBody({
  reply,
  bytes,
}: Extract<Served, { kind: 'truncated' }>): AsyncIterable<Uint8Array> {
  const whole = Buffer.from(reply.body);
  yield whole.subarray(0, bytes ?? Math.floor(whole.length / 2));
  throw failure('UND_ERR_SOCKET', 'other side closed');
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener(
      'abort',
      () => {
        reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
      },
      { once: true },
    );
  });
}

async function sleepReally(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
