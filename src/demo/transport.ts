/**
 * The simulator as a transport of `src/http.ts`, within the process: no socket, no real time, thousands of
 * requests a second. What a connection does wrong is told as undici tells it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Transport } from '../http.ts';
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
        return answer(served.response, wholeBody(served.response));
      case 'truncated':
        break;
    }
    return answer(served.response, halfBody(served));
  };
}

function answer(
  response: Response,
  body: AsyncIterable<Uint8Array>,
): Awaited<ReturnType<Transport>> {
  return { status: response.status, headers: Object.fromEntries(response.headers), body };
}

async function* wholeBody(response: Response): AsyncIterable<Uint8Array> {
  if (response.body !== null) yield* response.body;
}

/** The first bytes, then the end of the connection. */
async function* halfBody(
  served: Extract<Served, { kind: 'truncated' }>,
): AsyncIterable<Uint8Array> {
  const bytes = new Uint8Array(await served.response.arrayBuffer());
  yield bytes.subarray(0, served.bytes ?? Math.floor(bytes.length / 2));
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
