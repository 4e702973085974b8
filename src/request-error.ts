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

/** The parts of a failure's sentence. */
export interface Failure {
  readonly reason: FailureReason;
  /** What happened: the middle of the sentence, without a full stop. */
  readonly what: string;
  /** What to do: whole sentences. */
  readonly advice: string;
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

  constructor(
    failure: Failure & {
      readonly call: Question;
      readonly status?: number;
      readonly retryAfterMs?: number | undefined;
      readonly filterViolated?: boolean;
      readonly cause?: unknown;
    },
  ) {
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
  if (status === 407) {
    return {
      reason: 'unreachable',
      what: 'the proxy wants other credentials (407)',
      advice: `Check ${peer.proxySetting}, its user name and password.`,
    };
  }
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
  // Date.parse alone would take `-5` for a year.
  const untilMs = /^[A-Z][a-z]{2,8},/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(untilMs)) return undefined;
  const saidAtMs = Date.parse(answer.headers['date'] ?? '');
  const fromMs = Number.isNaN(saidAtMs) ? answer.receivedAtMs : saidAtMs;
  return Math.min(Math.max(0, untilMs - fromMs), MAX_RETRY_AFTER_MS);
}
