/** One Alertmanager: sends it a batch and reads its answer right. What follows from the answer is the sender's business. */
import type { Clock, Http, Transport } from '../http.ts';
import { createHttp } from '../http.ts';
import type { HttpAnswer, Peer } from '../request-error.ts';
import { RequestError, describeBody, displayUrl } from '../request-error.ts';
import type { WireAlert } from './wire.ts';

export interface Alertmanager {
  /** host:port, a label value and log word; never with userinfo. */
  readonly name: string;
  /** Never rejects, but for a bug. `signal` gives up the request: the verdict is then `retry`. */
  send(alerts: readonly WireAlert[], signal: AbortSignal): Promise<Verdict>;
}

/**
 * What became of a batch.
 * - accepted: all of it is stored.
 * - refused: something in it is wrong. 400 stores the valid alerts nevertheless, 413, 415 and 422 store none:
 *   sending the halves finds the culprit either way, since storing twice changes nothing.
 * - misdirected: whoever answered is no Alertmanager of ours (a proxy's page, wrong credentials, wrong path):
 *   neither halves nor haste help.
 * - retry: it may work soon (network, 408, 429, 5xx).
 */
export type Verdict =
  | { readonly kind: 'accepted'; readonly dateMs: number | null }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'misdirected'; readonly why: string }
  | { readonly kind: 'retry'; readonly why: string; readonly retryAfterMs: number | null };

/** As in the configuration. Secrets are read for each request, so that their files may change. */
export interface AlertmanagerSettings {
  /** Base URL, perhaps with a path; the API is below it. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly basicAuth: { readonly username: string; readonly password: Readable } | null;
  readonly authorization: { readonly type: string; readonly credentials: Readable } | null;
}
interface Readable {
  /** May throw a SecretError. */
  read(): string;
}

export interface Connection {
  /** With the TLS settings and the proxy of this very Alertmanager. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly userAgent: string;
}

/** The most that an error answer may say; Alertmanager lists its reasons, one per alert. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Answers with which Alertmanager itself, or a proxy's size limit, refuses what was sent. */
const REFUSALS = [400, 413, 415, 422];

/** Its words in the sentences of failed requests. */
const PEER: Peer = {
  name: 'Alertmanager',
  urlSetting: 'its url under alerting.alertmanagers',
  tlsSetting: 'its tls_config under alerting.alertmanagers',
  proxySetting: 'its proxy_url under alerting.alertmanagers',
  credentialsSetting: 'its basic_auth or authorization under alerting.alertmanagers',
  neededRole: 'the right to post alerts',
};

export function connectAlertmanager(
  settings: AlertmanagerSettings,
  { transport, clock, random, userAgent }: Connection,
): Alertmanager {
  const http = createHttp({
    transport,
    clock,
    random,
    peer: PEER,
    userAgent,
    timeoutMs: settings.timeoutMs,
    maxBodyBytes: MAX_ANSWER_BYTES,
  });
  return createAlertmanager(settings, http);
}

function createAlertmanager(settings: AlertmanagerSettings, http: Http): Alertmanager {
  const target = alertsUrl(settings.url);
  return {
    name: alertmanagerName(settings.url),
    send: async (alerts, signal) => {
      try {
        const credentials = authorizationOf(settings);
        const answer = await http.request({
          method: 'POST',
          url: target,
          endpoint: '/api/v2/alerts',
          headers: {
            'content-type': 'application/json',
            ...(credentials === null ? {} : { authorization: credentials }),
          },
          body: JSON.stringify(alerts),
          expected: REFUSALS,
          // Retries are the sender's, which may have newer alerts by then.
          maxAttempts: 1,
          signal,
        });
        return verdictOf(answer, target);
      } catch (error) {
        return verdictOfFailure(error, signal);
      }
    },
  };
}

function authorizationOf({ basicAuth, authorization }: AlertmanagerSettings): string | null {
  if (basicAuth !== null) {
    const pair = `${basicAuth.username}:${basicAuth.password.read()}`;
    return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
  }
  return authorization === null
    ? null
    : `${authorization.type} ${authorization.credentials.read()}`;
}

/** `POST {url}/api/v2/alerts`, where the base may have a path (`--web.route-prefix`, a proxy). */
function alertsUrl(url: string): URL {
  const base = new URL(url);
  return new URL(`${base.origin}${base.pathname.replace(/\/+$/, '')}/api/v2/alerts`);
}

/** host:port, with the port that http or https imply. */
export function alertmanagerName(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`;
}

function verdictOf(answer: HttpAnswer, target: URL): Verdict {
  const said = `POST ${displayUrl(target)} was answered ${answer.status} with ${describeBody(answer)}`;
  // Alertmanager answers in JSON or with nothing. HTML is a proxy's sign-in or error page, whatever its status,
  // but for 413: there the proxy (nginx: 1 MiB) speaks of our batch, and smaller ones pass.
  if (isHtml(answer) && answer.status !== 413) {
    return {
      kind: 'misdirected',
      why: `${said}: a proxy or another server answers in its place. Check the url under alerting.alertmanagers.`,
    };
  }
  if (REFUSALS.includes(answer.status)) {
    return { kind: 'refused', why: `${said}: it refuses an alert.` };
  }
  return { kind: 'accepted', dateMs: dateOf(answer) };
}

function isHtml({ headers }: HttpAnswer): boolean {
  return /^\s*(text\/html|application\/xhtml\+xml)/i.test(headers['content-type'] ?? '');
}

function dateOf({ headers }: HttpAnswer): number | null {
  const dateMs = Date.parse(headers['date'] ?? '');
  return Number.isNaN(dateMs) ? null : dateMs;
}

function verdictOfFailure(error: unknown, signal: AbortSignal): Verdict {
  if (error instanceof RequestError) {
    const why = error.message;
    const retryAfterMs = error.retryAfterMs ?? null;
    switch (error.reason) {
      case 'unauthorized':
      case 'forbidden':
        return { kind: 'misdirected', why };
      case 'bad_response':
        // 408 says that the request came too slowly: that may pass.
        return error.status === 408
          ? { kind: 'retry', why, retryAfterMs }
          : { kind: 'misdirected', why };
      case 'unreachable':
      case 'timeout':
      case 'rate_limited':
      case 'server_error':
        return { kind: 'retry', why, retryAfterMs };
    }
  }
  if (signal.aborted)
    return { kind: 'retry', why: 'The exporter is stopping.', retryAfterMs: null };
  // A secret's file that cannot be read now; its message names the file and never its content.
  if (error instanceof Error && error.name === 'SecretError') {
    return { kind: 'misdirected', why: error.message };
  }
  throw error;
}
