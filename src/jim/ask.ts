/**
 * One question to JIM: its URL, the key, and an answer that is JSON or a sentence saying what it is instead.
 */
import type { Http, HttpCall } from '../http.ts';
import { describeBody, type HttpAnswer, type Peer, RequestError } from '../request-error.ts';
import { type Instant, instant } from './activity.ts';
import type { Reading } from './wire-schema.ts';

export interface CallOptions {
  /** Stops the request and its retries; the rejection is then the signal's reason. */
  readonly signal?: AbortSignal;
  /** Our clock: no retry begins after it, usually the next poll. */
  readonly retryUntilMs?: number;
}

export interface AskOptions {
  readonly http: Http;
  /** May have a path: JIM behind a proxy. */
  readonly baseUrl: string;
  readonly apiKey: () => string | Promise<string>;
  /** Asked after a 401: the key as it is now, from its file. Without it, a refused key stays refused. */
  readonly reloadKey?: () => string | Promise<string>;
}

/** JIM in the words of the configuration, for the advice in errors. */
export const JIM_PEER: Peer = {
  name: 'JIM',
  urlSetting: 'jim.url',
  tlsSetting: 'jim.tls_config',
  credentialsSetting: 'jim.api_key or jim.api_key_file',
  proxySetting: 'jim.proxy_url',
  neededRole: "JIM's Administrator role",
};

export interface Asking extends CallOptions {
  /** The path below the base URL, variable parts in braces. */
  readonly endpoint: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly expected?: readonly number[];
  /** Health endpoints are anonymous; a key sent there would only be one more place to leak it. */
  readonly withoutKey?: boolean;
}

/** An answer and the ways to read it, each of which rejects with a sentence about this very request. */
export interface Asked {
  readonly answer: HttpAnswer;
  json(): unknown;
  read<T>(reader: (value: unknown) => Reading<T>): T;
  /** The answer's Date as JIM's clock. */
  date(): Instant;
  fault(what: string, more?: { readonly filterViolated?: boolean }): RequestError;
}

export type Asker = (asking: Asking) => Promise<Asked>;

export function createAsker(options: AskOptions): Asker {
  const keyring = createKeyring(options);
  return async (asking) => {
    const call = callOf(options.baseUrl, asking);
    const answer =
      asking.withoutKey === true ? await options.http.request(call) : await keyring.request(call);
    return asked(call, answer);
  };
}

function callOf(baseUrl: string, asking: Asking): HttpCall {
  const path = asking.endpoint.replaceAll(/\{(\w+)\}/g, (_braces, name: string) =>
    encodeURIComponent(asking.values?.[name] ?? ''),
  );
  const query =
    asking.query === undefined ? '' : `?${new URLSearchParams(asking.query).toString()}`;
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}${path}${query}`);
  return {
    method: 'GET',
    url,
    endpoint: asking.endpoint,
    ...(asking.expected === undefined ? {} : { expected: asking.expected }),
    ...(asking.signal === undefined ? {} : { signal: asking.signal }),
    ...(asking.retryUntilMs === undefined ? {} : { retryUntilMs: asking.retryUntilMs }),
  };
}

function asked(call: HttpCall, answer: HttpAnswer): Asked {
  const fault: Asked['fault'] = (what, more) =>
    new RequestError({
      call,
      reason: 'bad_response',
      what: `the answer (${describeBody(answer)}) is not JIM's: ${what}`,
      advice: `Check jim.url, and whether this JIM has ${call.endpoint}.`,
      status: answer.status,
      ...more,
    });
  const json = (): unknown => {
    try {
      return JSON.parse(answer.body) as unknown;
    } catch {
      // The parser's own message quotes the text, which may hold people's data.
      throw notJson(call, answer);
    }
  };
  return {
    answer,
    json,
    fault,
    read: (reader) => {
      const reading = reader(json());
      if (!reading.ok) throw fault(reading.fault);
      return reading.value;
    },
    date: () => {
      const dateMs = Date.parse(answer.headers['date'] ?? '');
      if (Number.isNaN(dateMs)) throw fault('it has no Date header, by which rows settle');
      return instant(dateMs * 1000);
    },
  };
}

/** JIM answers unknown paths with its own web page and 200 (jim-api, 9.5); so do many proxies' sign-in pages. */
function notJson(call: HttpCall, answer: HttpAnswer): RequestError {
  const isHtml = /^\s*<(!doctype|html)/i.test(answer.body);
  return new RequestError({
    call,
    // A proxy's error page, where JIM's own 503 is an expected answer.
    reason: answer.status >= 500 ? 'server_error' : 'bad_response',
    what: `the answer is no JSON but ${isHtml ? 'HTML' : describeBody(answer)}`,
    advice: isHtml
      ? `Check jim.url: a web page means a wrong path, a sign-in page of a proxy, or a JIM without ${call.endpoint}.`
      : `Check that jim.url is JIM's address.`,
    status: answer.status,
  });
}

/** Sends the key with each request, and after a 401 looks whether its file has a new one. */
function createKeyring(options: AskOptions): Pick<Http, 'request'> {
  let key: string | null = null;

  const withKey = (call: HttpCall, value: string): Promise<HttpAnswer> =>
    options.http.request({ ...call, headers: { 'x-api-key': value } });

  return {
    request: async (call) => {
      key ??= await usableKey(call, options.apiKey);
      const tried = key;
      try {
        return await withKey(call, tried);
      } catch (error) {
        const refused = error instanceof RequestError && error.reason === 'unauthorized';
        if (!refused || options.reloadKey === undefined) throw error;
        key = await usableKey(call, options.reloadKey);
        if (key === tried) throw error;
        return await withKey(call, key);
      }
    },
  };
}

/** What may stand in a header; anything else would break the request or be refused. */
const PRINTABLE = /^[\u0021-\u007e]+$/;

async function usableKey(call: HttpCall, source: () => string | Promise<string>): Promise<string> {
  let key: string;
  try {
    key = await source();
  } catch (cause) {
    throw new RequestError({
      call,
      reason: 'unauthorized',
      what: `the API key cannot be read: ${cause instanceof Error ? cause.message : 'unknown reason'}`,
      advice: `Check ${JIM_PEER.credentialsSetting}.`,
      cause,
    });
  }
  if (PRINTABLE.test(key)) return key;
  throw new RequestError({
    call,
    reason: 'unauthorized',
    what: `the API key is empty or holds spaces or characters that no key has`,
    advice: `Check ${JIM_PEER.credentialsSetting}.`,
  });
}
