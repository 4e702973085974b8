/**
 * Why a request failed: one closed reason for labels and decisions, and one sentence for people (what was
 * attempted, what happened, what to do). No sentence quotes an answer's body, which may hold people's data.
 */
export const FAILURE_REASONS = [
  'unreachable',
  'timeout',
  'unauthorized',
  'forbidden',
  'rate_limited',
  'server_error',
  'bad_response',
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** Who is asked, in the words of the configuration, so that advice can name the setting to change. */
export interface Peer {
  /** `JIM`. */
  readonly name: string;
  /** `jim.url`. */
  readonly urlSetting: string;
  /** `jim.tls_config`. */
  readonly tlsSetting: string;
  /** `jim.api_key or jim.api_key_file`. */
  readonly credentialsSetting: string;
  /** `jim.proxy_url`. */
  readonly proxySetting: string;
  /** Host and port of the proxy in use, without userinfo. */
  readonly proxyHost?: string;
  /** What the credentials must be allowed to do: `JIM's Administrator role`. */
  readonly neededRole: string;
}

/** The question, as far as a sentence needs it. */
export interface Question {
  readonly method: string;
  readonly url: URL;
}

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Our clock when the body was complete. */
  readonly receivedAtMs: number;
}

export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly reason: FailureReason;
  /** The answer's status, where there was an answer. */
  readonly status: number | undefined;
  /** As the answer's Retry-After told. */
  readonly retryAfterMs: number | undefined;
  /** A row of the answer contradicted the filter that was asked for: the server does not filter. */
  readonly filterViolated: boolean;

  constructor(failure: {
    readonly call: Question;
    readonly reason: FailureReason;
    /** What happened: the middle of the sentence, without a full stop. */
    readonly what: string;
    /** What to do: whole sentences. */
    readonly advice: string;
    readonly status?: number;
    readonly retryAfterMs?: number | undefined;
    readonly filterViolated?: boolean;
    readonly cause?: unknown;
  }) {
    const { call, what, advice } = failure;
    super(`${call.method} ${displayUrl(call.url)} failed: ${what}. ${advice}`, {
      cause: failure.cause,
    });
    this.reason = failure.reason;
    this.status = failure.status;
    this.retryAfterMs = failure.retryAfterMs;
    this.filterViolated = failure.filterViolated ?? false;
  }
}

/** Neither userinfo nor query: either may hold secrets or people's names. */
export function displayUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

type Failure = {
  readonly reason: FailureReason;
  readonly what: string;
  readonly advice: string;
};

/** An answer whose status is no answer to the question. */
export function statusFailure(call: Question, peer: Peer, answer: HttpAnswer): RequestError {
  const retryAfterMs = retryAfterOf(answer);
  return new RequestError({
    call,
    ...describeStatus(peer, answer, retryAfterMs),
    status: answer.status,
    retryAfterMs,
  });
}

function describeStatus(peer: Peer, answer: HttpAnswer, retryAfterMs: number | undefined): Failure {
  const { status } = answer;
  const said = `the answer was ${status}${codeOf(answer)}`;
  if (status === 401) {
    return {
      reason: 'unauthorized',
      what: `${peer.name} does not accept the credentials (401)`,
      advice: `Check ${peer.credentialsSetting}: the key may be wrong, disabled, expired or deleted.`,
    };
  }
  if (status === 403) {
    return {
      reason: 'forbidden',
      what: `the credentials are valid but lack the right (403)`,
      advice: `Give them ${peer.neededRole}.`,
    };
  }
  if (status === 429) {
    const wait =
      retryAfterMs === undefined ? '' : `, to be asked again in ${retryAfterMs / 1000} s`;
    return {
      reason: 'rate_limited',
      what: `too many requests (429)${wait}`,
      advice: `Ask less often, or raise the limit in ${peer.name}.`,
    };
  }
  if (status >= 500) {
    return {
      reason: 'server_error',
      what: said,
      advice: `Look into the logs of ${peer.name} and of any proxy before it.`,
    };
  }
  if (status >= 300 && status < 400) {
    return {
      reason: 'bad_response',
      what: `${said}, a redirect${redirectTarget(answer)}, which is never followed, since the key would travel with it`,
      advice: `Set ${peer.urlSetting} to the final address.`,
    };
  }
  if (status === 407) return proxyRefusal(peer, status);
  if (status === 400) {
    return {
      reason: 'bad_response',
      what: `${said} with ${describeBody(answer)}`,
      advice: `Look into ${peer.name}'s logs: a 400 can also be trouble with its database or identity provider.`,
    };
  }
  return {
    reason: 'bad_response',
    what: `${said} with ${describeBody(answer)}`,
    advice: `Check that ${peer.urlSetting} is ${peer.name}'s address, with its path if it has one.`,
  };
}

function proxyRefusal(peer: Peer, status: string | number): Failure {
  return {
    reason: 'unreachable',
    what: `the proxy ${peer.proxyHost ?? ''} refused to connect (${status})`.replace('  ', ' '),
    advice: `Check ${peer.proxySetting}, its user name and password, and what the proxy allows.`,
  };
}

/** Only type and size: an excerpt might hold people's data. */
export function describeBody(answer: Pick<HttpAnswer, 'headers' | 'body'>): string {
  const type = answer.headers['content-type']?.split(';')[0]?.trim() ?? '';
  const size = Buffer.byteLength(answer.body);
  if (size === 0) return 'an empty body';
  return `${size} bytes of ${type === '' ? 'no content type' : type}`;
}

/** JIM's envelope has a closed word in `code`; anything else there is left out. */
function codeOf(answer: HttpAnswer): string {
  const code = /^\s*\{\s*"code"\s*:\s*"([A-Z_]{1,40})"/.exec(answer.body)?.[1];
  return code === undefined ? '' : ` ${code}`;
}

function redirectTarget(answer: HttpAnswer): string {
  const { location } = answer.headers;
  if (location === undefined || !URL.canParse(location)) return '';
  return ` to ${new URL(location).origin}`;
}

/** Longer than any server means; keeps arithmetic finite. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/**
 * Retry-After in milliseconds, from seconds or from a date. A date is compared with the answer's own Date,
 * so that the two clocks need not agree. Undefined where absent or unreadable.
 */
export function retryAfterOf(
  answer: Pick<HttpAnswer, 'headers' | 'receivedAtMs'>,
): number | undefined {
  const value = answer.headers['retry-after']?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,9}$/.test(value)) return Math.min(Number(value) * 1000, MAX_RETRY_AFTER_MS);
  const untilMs = Date.parse(value);
  if (Number.isNaN(untilMs)) return undefined;
  const saidAtMs = Date.parse(answer.headers['date'] ?? '');
  const fromMs = Number.isNaN(saidAtMs) ? answer.receivedAtMs : saidAtMs;
  return Math.min(Math.max(0, untilMs - fromMs), MAX_RETRY_AFTER_MS);
}

/** No answer, or only a part of one: the transport rejected with `cause`. */
export function networkFailure(
  call: Question,
  peer: Peer,
  cause: unknown,
  timeoutMs: number,
): RequestError {
  return new RequestError({ call, ...describeCause(call, peer, cause, timeoutMs), cause });
}

function describeCause(call: Question, peer: Peer, cause: unknown, timeoutMs: number): Failure {
  const name = cause instanceof Error ? cause.name : '';
  if (name === 'DeadlinePassed') {
    return {
      reason: 'timeout',
      what: `no complete answer within ${timeoutMs / 1000} s`,
      advice: `${peer.name} or the network is too slow, or the timeout is too short.`,
    };
  }
  const code = errorCode(cause);
  if (code === 'UND_ERR_ABORTED') return proxyRefusal(peer, proxyStatus(cause));
  const via = peer.proxyHost === undefined ? '' : ` through the proxy ${peer.proxyHost}`;
  const known = NETWORK_FAILURES.find((entry) => entry.codes.test(code));
  if (known === undefined) {
    return {
      reason: 'unreachable',
      what: `the connection${via} failed (${code === '' ? 'no error code' : code})`,
      advice: `Check ${peer.urlSetting} and the network.`,
    };
  }
  return {
    reason: known.reason,
    what: `${known.what(call.url)}${via} (${code})`,
    advice: known.advice(peer),
  };
}

/** undici tells the proxy's status only in its message. */
function proxyStatus(cause: unknown): string {
  const status = cause instanceof Error ? /\((\d{3})\)/.exec(cause.message)?.[1] : undefined;
  return status ?? 'no status';
}

function errorCode(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : '';
}

/** Codes of Node, OpenSSL and undici, the first match counts. */
const NETWORK_FAILURES: ReadonlyArray<{
  readonly codes: RegExp;
  readonly reason: FailureReason;
  readonly what: (url: URL) => string;
  readonly advice: (peer: Peer) => string;
}> = [
  {
    codes: /^ECONNREFUSED$/,
    reason: 'unreachable',
    what: (url) => `nothing listens on ${url.host}`,
    advice: (peer) => `Check ${peer.urlSetting} and that ${peer.name} is running.`,
  },
  {
    codes: /^(ENOTFOUND|EAI_AGAIN)$/,
    reason: 'unreachable',
    what: (url) => `the name ${url.hostname} cannot be resolved`,
    advice: (peer) => `Check the host in ${peer.urlSetting} and the DNS of this machine.`,
  },
  {
    codes: /^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/,
    reason: 'unreachable',
    what: (url) => `there is no route to ${url.host}`,
    advice: (peer) => `Check ${peer.urlSetting}, the network and the firewall.`,
  },
  {
    codes: /^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/,
    reason: 'timeout',
    what: (url) => `no connection to ${url.host}`,
    advice: (peer) => `Check ${peer.urlSetting}, the network and the firewall.`,
  },
  {
    codes: /^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/,
    reason: 'unreachable',
    what: (url) => `the certificate of ${url.host} is out of its time`,
    advice: () => `Renew it, and check the clocks of both machines.`,
  },
  {
    codes: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    reason: 'unreachable',
    what: (url) => `the certificate of ${url.host} is for another name`,
    advice: (peer) =>
      `Use a name from the certificate in ${peer.urlSetting}, or set server_name in ${peer.tlsSetting}.`,
  },
  {
    codes:
      /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|INVALID_CA)$/,
    reason: 'unreachable',
    what: (url) => `the certificate of ${url.host} is not trusted`,
    advice: (peer) => `Set ca_file in ${peer.tlsSetting} to the authority that signed it.`,
  },
  {
    codes: /^(EPROTO|ERR_SSL_\w+|ERR_TLS_\w+)$/,
    reason: 'unreachable',
    what: (url) => `no TLS connection to ${url.host} could be agreed on`,
    advice: (peer) =>
      `Check whether ${peer.urlSetting} should begin with http instead of https, and ${peer.tlsSetting}.`,
  },
  {
    codes: /^(HPE_\w+|UND_ERR_HEADERS_OVERFLOW)$/,
    reason: 'bad_response',
    what: (url) => `${url.host} does not answer in HTTP`,
    advice: (peer) =>
      `Check the port in ${peer.urlSetting}, and whether it should begin with https instead of http.`,
  },
  {
    codes: /^(ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/,
    reason: 'unreachable',
    what: () => `the connection was closed before the answer was complete`,
    advice: (peer) => `Look into the logs of ${peer.name} and of any proxy before it.`,
  },
];
