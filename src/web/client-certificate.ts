/**
 * Whether a client's certificate is good enough, as Go's five client authentication types and the
 * toolkit's `client_allowed_sans` want it. Node decides in the handshake only between "not asked" and
 * "must verify"; the rest is decided here, before the first byte of a request is read.
 */
import { X509Certificate } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import type { TlsSetup } from './tls-section.ts';

/** What a TLS socket knows of its client. */
export interface Client {
  /** The certificate as DER; null when none was shown. */
  readonly certificate: Uint8Array | null;
  /** It was verified against `client_ca`. */
  readonly authorized: boolean;
}

export type ClientVerdict =
  'accepted' | 'certificate_missing' | 'certificate_unverified' | 'san_not_allowed';

export function judgeClient(
  { clientAuth, clientAllowedSans }: Pick<TlsSetup, 'clientAuth' | 'clientAllowedSans'>,
  { certificate, authorized }: Client,
): ClientVerdict {
  if (certificate === null) {
    return clientAuth === 'RequireAnyClientCert' || clientAuth === 'RequireAndVerifyClientCert'
      ? 'certificate_missing'
      : 'accepted';
  }
  if (clientAuth.includes('Verify') && !authorized) return 'certificate_unverified';
  if (clientAllowedSans === null) return 'accepted';
  const shown = alternativeNames(new X509Certificate(certificate).subjectAltName);
  const allowed = clientAllowedSans.map(canonical);
  return shown.some((name) => allowed.includes(name)) ? 'accepted' : 'san_not_allowed';
}

/** The kinds that Go compares; a directory name or a registered id is no text that one could list. */
const KINDS = ['DNS', 'email', 'IP Address', 'URI'];

/**
 * The names in Node's rendering of the extension, `DNS:a, IP Address:10.0.0.1, URI:"spiffe://x, y"`. A
 * value with a comma or a quote is a JSON string there, so that no name can pass itself off as two.
 */
export function alternativeNames(rendered: string | undefined): readonly string[] {
  const names: string[] = [];
  const entry = /(?<kind>[^:]+):(?:(?<quoted>"(?:[^"\\]|\\.)*")|(?<bare>[^,"]*))(?:, |$)/y;
  for (;;) {
    const groups = entry.exec(rendered ?? '')?.groups;
    if (groups === undefined) return names;
    const { kind = '', quoted, bare = '' } = groups;
    const value: unknown = quoted === undefined ? bare : JSON.parse(quoted);
    if (KINDS.includes(kind)) names.push(canonical(String(value)));
    if (entry.lastIndex >= (rendered ?? '').length) return names;
  }
}

/** IPv6 addresses have many spellings; all else is compared as it stands. */
function canonical(name: string): string {
  return isIP(name) === 6 ? new SocketAddress({ address: name, family: 'ipv6' }).address : name;
}
