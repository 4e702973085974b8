/**
 * One request done right, for JIM and for Alertmanagers: rate ceiling, deadline, bounded body, retries that
 * have a reason, and a failure that explains itself. Redirects are never followed (the key would travel) and
 * cookies never kept.
 */
import { Agent, type Dispatcher, ProxyAgent, request as undiciRequest } from 'undici';
import type { FailureReason, HttpAnswer, Peer } from './request-error.ts';
import { DeadlinePassed, networkFailure } from './network-failure.ts';
import { RequestError, statusFailure } from './request-error.ts';

/** The seam: a request sent, an answer whose body has not been read. Rejects where there was no answer. */
export interface Transport {
  (request: TransportRequest): Promise<TransportResponse>;
  /** Host and port of the proxy it goes through, without userinfo. */
  readonly proxyHost?: string;
}
export interface TransportRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal: AbortSignal;
}
export interface TransportResponse {
  readonly status: number;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: Record<string, string>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Time as a parameter. `sleep` rejects when the signal aborts. */
export interface Clock {
  readonly nowMs: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export interface HttpOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** From 0 to below 1, for the jitter of retries. */
  readonly random: () => number;
  readonly peer: Peer;
  readonly userAgent: string;
  /** Deadline of one attempt: connecting, sending, the answer's headers and its whole body. */
  readonly timeoutMs: number;
  readonly limiter?: RateLimiter;
  readonly maxBodyBytes?: number;
  /** `answer` is null where none came. */
  readonly onRequest?: (attempt: Attempt, answer: HttpAnswer | null) => void;
  readonly onRetry?: (retry: Retry) => void;
}

export interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  /** The path with its variable parts in braces, e.g. `/api/v1/activities/{id}`: a label value. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Statuses that are answers to the caller, beside 200 to 299. */
  readonly expected?: readonly number[];
  /** Attempts in all; 1 never retries. */
  readonly maxAttempts?: number;
  /** Our clock: no retry is started after it. Without it, one `timeoutMs` from the start. */
  readonly retryUntilMs?: number;
  /** Stops the request, its retries and its waiting; the rejection is then the signal's own reason. */
  readonly signal?: AbortSignal;
}

/** What one attempt came to, for `jim_exporter_api_requests_total` and its durations. */
export interface Attempt {
  readonly endpoint: string;
  readonly code: number | 'error';
  readonly seconds: number;
}
export interface Retry {
  readonly endpoint: string;
  readonly reason: FailureReason;
  readonly waitMs: number;
}

export interface Http {
  /** Rejects with RequestError, or with the reason of the caller's signal. */
  readonly request: (call: HttpCall) => Promise<HttpAnswer>;
}

/** JIM's largest answer, 100 detailed rows, is some 100 kB; a configuration snapshot may be large. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** One try and two repetitions outlast a dropped connection or a restart of a proxy, and no more. */
const MAX_ATTEMPTS = 3;

export function createHttp(options: HttpOptions): Http {
  return { request: (call) => requestWithRetries(options, call) };
}

async function requestWithRetries(options: HttpOptions, call: HttpCall): Promise<HttpAnswer> {
  const { clock } = options;
  const retryUntilMs = call.retryUntilMs ?? clock.nowMs() + options.timeoutMs;
  for (let attempt = 1; ; attempt += 1) {
    call.signal?.throwIfAborted();
    await options.limiter?.take(call.signal);
    try {
      return await attemptOnce(options, call);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const decision = decideRetry({
        failure: error,
        attempt,
        maxAttempts: call.maxAttempts ?? MAX_ATTEMPTS,
        nowMs: clock.nowMs(),
        retryUntilMs,
        random: options.random,
      });
      if (!decision.retry) throw error;
      options.onRetry?.({
        endpoint: call.endpoint,
        reason: error.reason,
        waitMs: decision.waitMs,
      });
      await pause(clock, decision.waitMs, call.signal);
    }
  }
}

/** Sleeps; an abort rejects with the signal's own reason, where Node's timers reject with their own error. */
async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Wait before the first retry; doubled for each further one. */
const RETRY_BASE_MS = 250;

export type RetryDecision =
  | { readonly retry: true; readonly waitMs: number }
  | { readonly retry: false; readonly because: NoRetryReason };
export type NoRetryReason =
  'key_refused' | 'same_answer' | 'slow_peer' | 'attempts_used' | 'too_long_to_wait';

/** Whether, and after how long, a failed request is sent again. The only place that decides it. */
export function decideRetry(input: {
  readonly failure: Pick<RequestError, 'reason' | 'retryAfterMs'>;
  /** 1 for the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly nowMs: number;
  readonly retryUntilMs: number;
  readonly random: () => number;
}): RetryDecision {
  const { reason, retryAfterMs } = input.failure;
  // A refused key stays refused, and JIM records every try and blocks the address after 30 a minute.
  if (reason === 'unauthorized' || reason === 'forbidden') {
    return { retry: false, because: 'key_refused' };
  }
  // What was answered wrongly once is answered wrongly again.
  if (reason === 'bad_response') return { retry: false, because: 'same_answer' };
  // A slow server may still be working on the first request; a second one makes it slower.
  if (reason === 'timeout') return { retry: false, because: 'slow_peer' };
  // Attempts are bounded, so that an outage costs a poll and not a pile of requests.
  if (input.attempt >= input.maxAttempts) return { retry: false, because: 'attempts_used' };
  // Retry-After is obeyed to the letter; else jitter keeps several exporters apart.
  const waitMs =
    retryAfterMs ?? RETRY_BASE_MS * 2 ** (input.attempt - 1) * (0.5 + input.random() / 2);
  // Past the caller's limit, usually the next poll, the next poll is the retry.
  if (input.nowMs + waitMs > input.retryUntilMs) {
    return { retry: false, because: 'too_long_to_wait' };
  }
  return { retry: true, waitMs };
}

async function attemptOnce(options: HttpOptions, call: HttpCall): Promise<HttpAnswer> {
  const { transport, peer, timeoutMs } = options;
  const startedAtMs = options.clock.nowMs();
  let code: number | 'error' = 'error';
  let answer: HttpAnswer | null = null;
  try {
    answer = await withDeadline(timeoutMs, call.signal, (signal) =>
      exchange(options, call, signal),
    );
    code = answer.status;
    if (isExpected(call, answer.status)) return answer;
    throw statusFailure(call, peer, answer);
  } catch (error) {
    if (error instanceof RequestError) {
      code = error.status ?? 'error';
      throw error;
    }
    call.signal?.throwIfAborted();
    if (isBug(error)) throw error;
    throw networkFailure(error, { call, peer, timeoutMs, proxyHost: transport.proxyHost });
  } finally {
    const seconds = Math.max(0, options.clock.nowMs() - startedAtMs) / 1000;
    options.onRequest?.({ endpoint: call.endpoint, code, seconds }, answer);
  }
}

/** A fault of our own code, not of the network, whose errors carry a code. */
function isBug(error: unknown): boolean {
  const isLanguageError =
    error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return isLanguageError && !('code' in error);
}

function isExpected(call: HttpCall, status: number): boolean {
  return (status >= 200 && status < 300) || (call.expected ?? []).includes(status);
}

async function exchange(
  options: HttpOptions,
  call: HttpCall,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const response = await options.transport({
    url: call.url,
    method: call.method,
    headers: { 'user-agent': options.userAgent, accept: 'application/json', ...call.headers },
    ...(call.body === undefined ? {} : { body: call.body }),
    signal,
  });
  const { status, headers } = response;
  const maxBytes = options.maxBodyBytes ?? MAX_BODY_BYTES;
  const bytes = await readBounded(response.body, maxBytes);
  if (bytes === 'too_large') throw oversized(call, options.peer, status, maxBytes);
  const body = UTF_8.decode(bytes);
  return { status, headers, body, receivedAtMs: options.clock.nowMs() };
}

const UTF_8 = new TextDecoder();

/** Leaving the loop early closes the connection, so that nobody sends the rest. */
async function readBounded(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array | 'too_large'> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) return 'too_large';
    chunks.push(chunk);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size);
}

function oversized(call: HttpCall, peer: Peer, status: number, maxBytes: number): RequestError {
  return new RequestError({
    call,
    reason: 'bad_response',
    what: `the answer is larger than ${maxBytes} bytes`,
    advice: `Check that ${peer.urlSetting} is ${peer.name}'s address.`,
    status,
  });
}

/**
 * Runs `work` under one deadline and the caller's signal. A real timer, not the clock parameter: it guards
 * against a network that hangs, which no simulated clock does, and must fire when nothing else happens.
 */
async function withDeadline<T>(
  timeoutMs: number,
  callerSignal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DeadlinePassed()), timeoutMs);
  const stop = (): void => controller.abort(callerSignal?.reason);
  callerSignal?.addEventListener('abort', stop, { once: true });
  try {
    return await work(controller.signal);
  } catch (error) {
    // undici reports its own abort error for either; the reason says which it was.
    if (controller.signal.aborted) throw controller.signal.reason;
    throw error;
  } finally {
    clearTimeout(timer);
    callerSignal?.removeEventListener('abort', stop);
  }
}

export interface RateLimiter {
  /** Resolves when the next request may be sent, in the order of asking. */
  readonly take: (signal?: AbortSignal) => Promise<void>;
}

const MINUTE_MS = 60_000;

/**
 * A token bucket as one number: the moment at which it would be full again (GCRA). `requestsPerMinute` in
 * the long run, bursts of a tenth of it.
 */
export function createRateLimiter(requestsPerMinute: number, clock: Clock): RateLimiter {
  const intervalMs = MINUTE_MS / requestsPerMinute;
  const burst = Math.max(1, Math.floor(requestsPerMinute / 10));
  let fullAtMs = 0;
  return {
    take: async (signal) => {
      const nowMs = clock.nowMs();
      fullAtMs = Math.max(fullAtMs, nowMs) + intervalMs;
      const waitMs = fullAtMs - nowMs - burst * intervalMs;
      if (waitMs <= 0) return;
      // A wall clock set back must not stop us for hours: then the bucket starts anew.
      if (waitMs > MINUTE_MS) fullAtMs = nowMs + burst * intervalMs;
      await pause(clock, Math.min(waitMs, MINUTE_MS), signal);
    },
  };
}

/** TLS as undici and Node take it; contents, not paths. */
export interface TransportTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface UndiciTransport extends Transport {
  /** Closes idle connections and waits for requests under way. */
  readonly close: () => Promise<void>;
}

/** A page of Activities is larger than undici's 64 KiB, at which it would stop and start the connection for each. */
const READ_AHEAD_BYTES = 1024 * 1024;
/** Longer than the usual 15 s between polls, shorter than the 60 s after which proxies hang up. */
const KEEP_ALIVE_MS = 30_000;
/** A host that does not answer a connection in this time answers none; the system's own limit is 2 minutes. */
const CONNECT_TIMEOUT_MS = 10_000;
/** The rate ceiling keeps requests few; this bounds what a slow peer can pile up. */
const MAX_CONNECTIONS = 8;

/** The real network: keep-alive connections, perhaps through an HTTP proxy. One per peer. */
export function undiciTransport(options: {
  readonly tls?: TransportTls;
  readonly proxyUrl?: string;
}): UndiciTransport {
  const dispatcher = createDispatcher(options);
  const transport: Transport = async ({ url, method, headers, body, signal }) => {
    const response = await undiciRequest(url, {
      dispatcher,
      method,
      headers,
      body: body ?? null,
      signal,
      highWaterMark: READ_AHEAD_BYTES,
    });
    return {
      status: response.statusCode,
      headers: joinHeaders(response.headers),
      body: response.body,
    };
  };
  return Object.assign(transport, {
    close: () => dispatcher.close(),
    ...(options.proxyUrl === undefined ? {} : { proxyHost: new URL(options.proxyUrl).host }),
  });
}

function createDispatcher(options: {
  readonly tls?: TransportTls;
  readonly proxyUrl?: string;
}): Dispatcher {
  // The deadline of `createHttp` covers headers and body: undici's own 300 s timers are switched off.
  const common = {
    connections: MAX_CONNECTIONS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
  };
  const connect = { timeout: CONNECT_TIMEOUT_MS, ...options.tls };
  if (options.proxyUrl === undefined) return new Agent({ ...common, connect });
  // Without a tunnel, http goes through the proxy as in curl and Go: many proxies refuse CONNECT to port 80.
  return new ProxyAgent({
    ...common,
    uri: options.proxyUrl,
    proxyTunnel: false,
    requestTls: connect,
  });
}

function joinHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) joined[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return joined;
}
