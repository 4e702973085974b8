/**
 * `tls_server_config`: from Go's names for versions, cipher suites and curves to what Node's TLS takes.
 * The result is plain data, so that two readings of the file can be compared.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { createSecureContext, DEFAULT_CIPHERS } from 'node:tls';
import type { SecureVersion } from 'node:tls';
import { whyUnreadable } from '../config/secret.ts';
import type { Section } from '../config/settings.ts';
import { didYouMean, oneOf } from '../config/values.ts';
import type { Parser } from '../config/values.ts';
import { goBoolean } from './go-values.ts';

export interface TlsSetup {
  /** For `tls.createServer`. */
  readonly options: {
    readonly cert: string;
    readonly key: string;
    readonly ca?: string;
    readonly minVersion: SecureVersion;
    readonly maxVersion: SecureVersion;
    readonly ciphers?: string;
    readonly ecdhCurve?: string;
    readonly honorCipherOrder: boolean;
    readonly requestCert: boolean;
    readonly rejectUnauthorized: boolean;
    readonly ALPNProtocols: string[];
  };
  readonly clientAuth: ClientAuthType;
  /** Of these subject alternative names a client's certificate must have one; null asks for none. */
  readonly clientAllowedSans: readonly string[] | null;
}

const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;
export type ClientAuthType = (typeof CLIENT_AUTH_TYPES)[number];

export interface TlsSectionContext {
  readonly http2: boolean;
  /** What relative paths start from. */
  readonly folder: string;
  readonly readFile: (path: string) => string;
}

/** Null where there is no TLS, and after faults that leave none (the section then holds them). */
export function readTlsSection(section: Section, context: TlsSectionContext): TlsSetup | null {
  section.only(KEYS);
  if (section.keys.length === 0) return null;
  const cert = readPem(section, 'cert', 'required', context);
  const key = readPem(section, 'key', 'required', context);
  const ca = readPem(section, 'client_ca', 'optional', context);
  const clientAuth = section.value('client_auth_type', clientAuthType, 'NoClientCert');
  const versions = readVersions(section);
  const suites = section.value('cipher_suites', listOf('cipher suite', CIPHER_SUITES), null);
  const curves = section.value('curve_preferences', listOf('curve', CURVES), null);
  const clientAllowedSans = section.value('client_allowed_sans', sanList, null);
  const honorCipherOrder = section.value('prefer_server_cipher_suites', goBoolean, true);
  checkKeyPair(section, cert, key);
  checkClientCertificates(section, ca, clientAuth, clientAllowedSans);
  checkSuites(section, suites, versions, context.http2);
  if (cert === null || key === null) return null;
  const ciphers = cipherList(suites, versions.minVersion);
  const options: TlsSetup['options'] = {
    cert: cert.pem,
    key: key.pem,
    ...(ca === null ? {} : { ca: ca.pem }),
    ...versions,
    ...(ciphers === null ? {} : { ciphers }),
    ...(curves === null ? {} : { ecdhCurve: curves.join(':') }),
    honorCipherOrder,
    requestCert: clientAuth !== 'NoClientCert',
    // The types between the two are decided after the handshake, by `client-certificate`.
    rejectUnauthorized: clientAuth === 'RequireAndVerifyClientCert',
    ALPNProtocols: context.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
  };
  return { options, clientAuth, clientAllowedSans };
}

/** Null when OpenSSL takes the setup; its reason else, as for a key that it finds too short. */
export function faultOfSetup({ options }: TlsSetup): string | null {
  try {
    createSecureContext(options);
    return null;
  } catch (cause) {
    return `cannot be used (${opensslReason(cause)})`;
  }
}

const KEYS = [
  'cert',
  'cert_file',
  'key',
  'key_file',
  'client_ca',
  'client_ca_file',
  'client_auth_type',
  'client_allowed_sans',
  'min_version',
  'max_version',
  'cipher_suites',
  'curve_preferences',
  'prefer_server_cipher_suites',
];

const VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};

/**
 * OpenSSL's names of all suites that a Go of the toolkit's supports. The four without ECDHE it took until
 * Go 1.22, so that files with them are about.
 */
const CIPHER_SUITES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
};
/** Go offers these whatever the list says; without them Node would switch TLS 1.3 off. */
const TLS13_SUITES = Object.values(CIPHER_SUITES).filter(isTls13Suite);
/** RFC 9113, 9.2.2: whoever speaks HTTP/2 over TLS 1.2 has one of these. Go refuses to serve otherwise. */
const HTTP2_SUITES = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'];

const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
};

function isTls13Suite(suite: string): boolean {
  return suite.startsWith('TLS_');
}

/** The toolkit still takes the name that it had first. */
const clientAuthType: Parser<ClientAuthType> = (given, folder) =>
  given === 'RequireClientCert'
    ? { value: 'RequireAnyClientCert' }
    : oneOf(CLIENT_AUTH_TYPES)(given, folder);

/** A list of Go's names, as OpenSSL's; an empty one is none. */
function listOf(
  noun: string,
  names: Readonly<Record<string, string>>,
): Parser<readonly string[] | null> {
  return (given) => {
    if (!Array.isArray(given)) return { fault: `is no list; start each ${noun} with a dash` };
    const unknown = given.filter((name) => !Object.hasOwn(names, String(name)));
    if (unknown.length === 0) {
      const values = given.flatMap((name) => names[String(name)] ?? []);
      return { value: values.length === 0 ? null : values };
    }
    const hints = unknown.map((name: unknown) => didYouMean(String(name), Object.keys(names)));
    const pictures = unknown.map((name: unknown) => JSON.stringify(String(name)));
    return { fault: `${pictures.join(', ')} is no ${noun} by Go's names${hints[0] ?? ''}` };
  };
}

const sanList: Parser<readonly string[] | null> = (given) => {
  if (!Array.isArray(given) || !given.every((name) => typeof name === 'string')) {
    return { fault: 'is no list of names; start each with a dash' };
  }
  return given.length === 0
    ? { fault: 'is empty, so that nobody could connect; name at least one' }
    : { value: given };
};

interface Pem {
  readonly pem: string;
  /** The key to name when the content is at fault. */
  readonly key: string;
}

/** `key` or `key_file`, never both; '' is not set, as in the toolkit. Null also where there is a fault. */
function readPem(
  section: Section,
  key: string,
  need: 'required' | 'optional',
  context: TlsSectionContext,
): Pem | null {
  const fileKey = `${key}_file`;
  const inline = section.value<string | null>(key, pemText, null);
  const file = section.value<string | null>(fileKey, pemText, null);
  if (inline && file) section.fault(key, `is set together with ${fileKey}; keep one of them`);
  else if (inline) return { pem: inline, key };
  else if (file) return readPemFile(section, fileKey, resolve(context.folder, file), context);
  else if (
    need === 'required' &&
    (inline === '' || !section.isSet(key)) &&
    (file === '' || !section.isSet(fileKey))
  ) {
    section.fault(key, `is missing; TLS needs ${key} or ${fileKey}`);
  }
  return null;
}

function readPemFile(
  section: Section,
  key: string,
  path: string,
  context: TlsSectionContext,
): Pem | null {
  try {
    return { pem: context.readFile(path), key };
  } catch (cause) {
    const reason = whyUnreadable(cause);
    section.fault(key, `${path} cannot be read (${reason}); correct the path or its permissions`);
    return null;
  }
}

/** Never shows what was written instead. */
const pemText: Parser<string> = (given) =>
  typeof given === 'string' ? { value: given } : { fault: 'must be text; put it in quotes' };

function readVersions(section: Section): {
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
} {
  const name = oneOf(Object.keys(VERSIONS));
  const [least, most] = [
    section.value('min_version', name, 'TLS12'),
    section.value('max_version', name, 'TLS13'),
  ];
  // The names sort as the versions do.
  if (least > most) section.fault('min_version', `${least} is above max_version ${most}`);
  return { minVersion: VERSIONS[least] ?? 'TLSv1.2', maxVersion: VERSIONS[most] ?? 'TLSv1.3' };
}

/** That the two are readable and belong together. */
function checkKeyPair(section: Section, cert: Pem | null, key: Pem | null): void {
  const certificate = cert === null ? null : parseCertificates(section, cert);
  const privateKey = key === null ? null : parsePrivateKey(section, key);
  if (key === null || certificate === null || privateKey === null) return;
  if (!certificate.checkPrivateKey(privateKey)) {
    section.fault(key.key, 'is not the key of the certificate; give two that belong together');
  }
}

function checkClientCertificates(
  section: Section,
  ca: Pem | null,
  clientAuth: ClientAuthType,
  sans: readonly string[] | null,
): void {
  if (ca !== null) parseCertificates(section, ca);
  if (ca !== null && clientAuth === 'NoClientCert') {
    section.fault(
      'client_auth_type',
      'asks nobody for a certificate, yet there is a client_ca; write RequireAndVerifyClientCert',
    );
  }
  const isCaSet = section.isSet('client_ca') || section.isSet('client_ca_file');
  if (!isCaSet && clientAuth.includes('Verify')) {
    section.fault(
      'client_auth_type',
      `${clientAuth} needs client_ca or client_ca_file: the system's authorities are not used`,
    );
  }
  if (sans !== null && !clientAuth.startsWith('Require')) {
    section.fault(
      'client_allowed_sans',
      'needs the client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert, or a client without a certificate would pass',
    );
  }
}

function checkSuites(
  section: Section,
  suites: readonly string[] | null,
  { minVersion, maxVersion }: { readonly minVersion: string; readonly maxVersion: string },
  http2: boolean,
): void {
  if (suites === null || minVersion === 'TLSv1.3') return;
  if (maxVersion !== 'TLSv1.3' && suites.every(isTls13Suite)) {
    section.fault(
      'cipher_suites',
      'has none for TLS 1.2 and below, and max_version allows no other',
    );
  }
  if (http2 && !suites.some((suite) => HTTP2_SUITES.includes(suite))) {
    section.fault(
      'cipher_suites',
      'lacks what HTTP/2 requires; add TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, or write http2: false',
    );
  }
}

/** As OpenSSL reads it; null is Node's own list. */
function cipherList(suites: readonly string[] | null, minVersion: SecureVersion): string | null {
  // OpenSSL 3 refuses the SHA-1 of TLS 1.0 and 1.1 at every other level, whatever the version says.
  const isOld = minVersion === 'TLSv1' || minVersion === 'TLSv1.1';
  const level = isOld ? ':@SECLEVEL=0' : '';
  if (suites === null) return isOld ? DEFAULT_CIPHERS + level : null;
  return [...suites.filter((suite) => !isTls13Suite(suite)), ...TLS13_SUITES].join(':') + level;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The first of the certificates, all of which are read; null after a fault. */
function parseCertificates(section: Section, { pem, key }: Pem): X509Certificate | null {
  try {
    const [first] = (pem.match(CERTIFICATE) ?? []).map((block) => new X509Certificate(block));
    if (first !== undefined) return first;
    section.fault(key, 'holds no certificate; it must start with -----BEGIN CERTIFICATE-----');
  } catch (cause) {
    section.fault(key, `holds a certificate that cannot be read (${opensslReason(cause)})`);
  }
  return null;
}

function parsePrivateKey(section: Section, { pem, key }: Pem): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    const isEncrypted = pem.includes('ENCRYPTED');
    section.fault(
      key,
      isEncrypted
        ? 'holds a key with a passphrase; remove it (openssl pkey -in old.pem -out new.pem)'
        : 'holds no private key; it must be PEM and start with -----BEGIN PRIVATE KEY----- or the like',
    );
    return null;
  }
}

/** OpenSSL's reason, without its codes: `error:0A00018F:SSL routines::ee key too small`. */
function opensslReason(cause: unknown): string {
  return cause instanceof Error ? (cause.message.split(':').at(-1) ?? '') : 'unknown reason';
}
