/**
 * Why there was no answer, or only a part of one: the errors of Node, OpenSSL and undici as a reason and a
 * sentence.
 */
import {
  type Failure,
  type FailureReason,
  type Peer,
  type Question,
  RequestError,
} from './request-error.ts';

/** Thrown into an attempt that took too long. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
}

/** What the sentence needs to know beside the error. */
export interface Circumstances {
  readonly call: Question;
  readonly peer: Peer;
  readonly timeoutMs: number;
  /** Host and port of the proxy in use, without userinfo. */
  readonly proxyHost: string | undefined;
}

/** The failure for what a transport rejected with. */
export function networkFailure(cause: unknown, circumstances: Circumstances): RequestError {
  return new RequestError({
    call: circumstances.call,
    ...describe(cause, circumstances),
    // undici's parser error carries the bytes it could not read, which may hold people's data; our own
    // deadline says no more than the sentence does.
    cause: isParserError(cause) || cause instanceof DeadlinePassed ? undefined : cause,
  });
}

function describe(cause: unknown, circumstances: Circumstances): Failure {
  if (cause instanceof DeadlinePassed) {
    const { timeoutMs, peer } = circumstances;
    return {
      reason: 'timeout',
      what: `no complete answer within ${timeoutMs / 1000} s`,
      advice: `${peer.name} or the network is too slow, or the timeout is too short.`,
    };
  }
  const refusal = proxyRefusal(cause, circumstances);
  if (refusal !== null) return refusal;

  const code = codeOf(cause);
  const known = NETWORK_FAILURES.find((entry) => entry.codes.test(code));
  const place = placeOf(circumstances, known?.concerns ?? 'connection');
  return {
    reason: known?.reason ?? 'unreachable',
    what: `${known?.what(place) ?? `the connection to ${place.host} failed`} (${code === '' ? 'no error code' : code})`,
    advice: known?.advice(place) ?? `Check ${place.urlSetting} and the network.`,
  };
}

function isParserError(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'HTTPParserError';
}

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return isParserError(cause) ? 'HPE_INVALID' : '';
}

/** undici tells a proxy's refusal only in its message, under a general code. */
function proxyRefusal(cause: unknown, { peer, proxyHost }: Circumstances): Failure | null {
  if (proxyHost === undefined || !(cause instanceof Error)) return null;
  if (!/^UND_ERR_(ABORTED|INVALID_ARG)$/.test(codeOf(cause))) return null;
  const status = /proxy.*\((\d{3})\)/i.exec(cause.message)?.[1];
  if (status === undefined) return null;
  return {
    reason: 'unreachable',
    what: `the proxy ${proxyHost} refused to connect (${status})`,
    advice: `Check ${peer.proxySetting}, its user name and password, and what the proxy allows.`,
  };
}

/** Who failed, and which setting leads there. */
interface Place {
  readonly name: string;
  readonly host: string;
  readonly hostname: string;
  readonly urlSetting: string;
  readonly tlsSetting: string;
}

/** A connection is made to the proxy where there is one; certificates and answers are the peer's own. */
function placeOf(circumstances: Circumstances, concerns: 'connection' | 'peer'): Place {
  const { call, peer, proxyHost } = circumstances;
  if (proxyHost === undefined || concerns === 'peer') {
    return { ...peer, host: call.url.host, hostname: call.url.hostname };
  }
  return {
    name: 'the proxy',
    host: proxyHost,
    hostname: proxyHost.replace(/:\d+$/, ''),
    urlSetting: peer.proxySetting,
    tlsSetting: peer.tlsSetting,
  };
}

/** The first match counts. */
const NETWORK_FAILURES: ReadonlyArray<{
  readonly codes: RegExp;
  readonly reason: FailureReason;
  readonly concerns: 'connection' | 'peer';
  readonly what: (place: Place) => string;
  readonly advice: (place: Place) => string;
}> = [
  {
    codes: /^ECONNREFUSED$/,
    reason: 'unreachable',
    concerns: 'connection',
    what: ({ host }) => `nothing listens on ${host}`,
    advice: ({ urlSetting, name }) => `Check ${urlSetting} and that ${name} is running.`,
  },
  {
    codes: /^(ENOTFOUND|EAI_AGAIN)$/,
    reason: 'unreachable',
    concerns: 'connection',
    what: ({ hostname }) => `the name ${hostname} cannot be resolved`,
    advice: ({ urlSetting }) => `Check the host in ${urlSetting} and the DNS of this machine.`,
  },
  {
    codes: /^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/,
    reason: 'unreachable',
    concerns: 'connection',
    what: ({ host }) => `there is no route to ${host}`,
    advice: ({ urlSetting }) => `Check ${urlSetting}, the network and the firewall.`,
  },
  {
    codes: /^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/,
    reason: 'timeout',
    concerns: 'connection',
    what: ({ host }) => `no connection to ${host}`,
    advice: ({ urlSetting }) => `Check ${urlSetting}, the network and the firewall.`,
  },
  {
    codes: /^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/,
    reason: 'unreachable',
    concerns: 'peer',
    what: ({ host }) => `the certificate of ${host} is out of its time`,
    advice: () => `Renew it, and check the clocks of both machines.`,
  },
  {
    codes: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    reason: 'unreachable',
    concerns: 'peer',
    what: ({ host }) => `the certificate of ${host} is for another name`,
    advice: ({ urlSetting, tlsSetting }) =>
      `Use a name from the certificate in ${urlSetting}, or set server_name in ${tlsSetting}.`,
  },
  {
    codes:
      /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|INVALID_CA)$/,
    reason: 'unreachable',
    concerns: 'peer',
    what: ({ host }) => `the certificate of ${host} is not trusted`,
    advice: ({ tlsSetting }) => `Set ca_file in ${tlsSetting} to the authority that signed it.`,
  },
  {
    codes: /^(EPROTO|ERR_SSL_\w+|ERR_TLS_\w+)$/,
    reason: 'unreachable',
    concerns: 'peer',
    what: ({ host }) => `no TLS connection to ${host} could be agreed on`,
    advice: ({ urlSetting, tlsSetting }) =>
      `Check whether ${urlSetting} should begin with http instead of https, and ${tlsSetting}.`,
  },
  {
    codes: /^(HPE_\w+|UND_ERR_HEADERS_OVERFLOW)$/,
    reason: 'bad_response',
    concerns: 'peer',
    what: ({ host }) => `${host} does not answer in HTTP`,
    advice: ({ urlSetting }) =>
      `Check the port in ${urlSetting}, and whether it should begin with https instead of http.`,
  },
  {
    codes: /^(ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/,
    reason: 'unreachable',
    concerns: 'peer',
    what: () => `the connection was closed before the answer was complete`,
    advice: ({ name }) => `Look into the logs of ${name} and of any proxy before it.`,
  },
];
