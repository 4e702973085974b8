/**
 * The web configuration file of the Prometheus exporter-toolkit: TLS, basic authentication, headers and a
 * rate limit, in the format that serves every exporter (`promtool check web-config` knows it). Where the
 * toolkit would take a setting and then quietly do something else, it is a fault here.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { whyUnreadable } from '../config/secret.ts';
import { readSettings } from '../config/settings.ts';
import type { Fault, Section } from '../config/settings.ts';
import { wholeNumber } from '../config/values.ts';
import type { Parser } from '../config/values.ts';
import { parseYaml } from '../config/yaml.ts';
import type { YamlPath } from '../config/yaml.ts';
import { goBoolean, goDuration } from './go-values.ts';
import { faultOfSetup, readTlsSection } from './tls-section.ts';
import type { TlsSetup } from './tls-section.ts';

export interface WebConfig {
  /** Null serves plain HTTP. */
  readonly tls: TlsSetup | null;
  /** Sent with every answer. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Bcrypt hashes by user name; with none, nobody is asked. */
  readonly users: ReadonlyMap<string, string>;
  readonly rateLimit: RateLimit | null;
}

/** A token bucket: `burst` requests at once, one more every `intervalMs`. */
export interface RateLimit {
  readonly intervalMs: number;
  readonly burst: number;
}

export type WebConfigReading =
  | { readonly ok: true; readonly config: WebConfig }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** The text of a file; throws as `readFileSync` does. */
export type ReadFile = (path: string) => string;

/** Certificates and configuration are kilobytes; a larger file is a wrong path. */
const MAX_FILE_BYTES = 1024 * 1024;

export function readSmallFile(path: string): string {
  const { size } = statSync(path);
  if (size > MAX_FILE_BYTES) throw Object.assign(new Error('too large'), { code: 'EFBIG' });
  return readFileSync(path, 'utf8');
}

/** Reads the file and every file it names; all faults at once, each with its line and key, none with a secret. */
export function readWebConfig(path: string, readFile: ReadFile = readSmallFile): WebConfigReading {
  let text: string;
  try {
    text = readFile(path);
  } catch (cause) {
    const message = `cannot be read (${whyUnreadable(cause)}); correct --web.config.file or the permissions`;
    return { ok: false, faults: [{ where: path, message }] };
  }
  const yaml = parseYaml(text);
  if (!yaml.ok) {
    const where = (line: number | null): string => (line === null ? path : `${path}:${line}`);
    return {
      ok: false,
      faults: yaml.faults.map(({ line, message }) => ({ where: where(line), message })),
    };
  }
  if (typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
    const message = 'holds no sections; start with tls_server_config: or basic_auth_users:';
    return { ok: false, faults: [{ where: path, message }] };
  }
  const file = {
    name: path,
    folder: dirname(path),
    value: yaml.value,
    lineOf: (at: YamlPath) => yaml.lineOf(at),
  };
  const settings = readSettings(file, new Map());
  const root = settings.root.only([
    'tls_server_config',
    'http_server_config',
    'basic_auth_users',
    'rate_limit',
  ]);
  const http = root.section('http_server_config').only(['http2', 'headers']);
  const config: WebConfig = {
    tls: readTlsSection(root.section('tls_server_config'), {
      http2: http.value('http2', goBoolean, true),
      folder: file.folder,
      readFile,
    }),
    headers: readHeaders(http.section('headers')),
    users: readUsers(root),
    rateLimit: readRateLimit(root.section('rate_limit').only(['interval', 'burst'])),
  };
  // Only now, as OpenSSL's words for a fault that we have words for would be told beside them.
  const tlsFault =
    config.tls === null || settings.faults.length > 0 ? null : faultOfSetup(config.tls);
  if (tlsFault !== null) root.fault('tls_server_config', tlsFault);
  return settings.faults.length === 0
    ? { ok: true, config }
    : { ok: false, faults: settings.faults };
}

/** The only headers that the toolkit lets one set, with the values it takes. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'Content-Security-Policy': [],
  'Strict-Transport-Security': [],
  'X-Content-Type-Options': ['nosniff'],
  'X-Frame-Options': ['deny', 'sameorigin'],
  'X-XSS-Protection': [],
};

function readHeaders(section: Section): WebConfig['headers'] {
  section.only(Object.keys(HEADERS));
  return Object.entries(HEADERS).flatMap(([name, values]) => {
    const value = section.value(name, headerValue(values), '');
    return value === '' ? [] : [[name, value] as const];
  });
}

function headerValue(values: readonly string[]): Parser<string> {
  return (given) => {
    // `X-XSS-Protection: 0` is a number to YAML.
    const value = typeof given === 'number' ? String(given) : given;
    if (typeof value !== 'string') return { fault: 'must be text; put it in quotes' };
    if (values.length > 0 && !values.includes(value)) {
      return { fault: `must be ${values.join(' or ')}` };
    }
    return /^[\x20-\x7e]*$/.test(value)
      ? { value: value.trim() }
      : { fault: 'has line breaks or characters that no HTTP header can carry' };
  };
}

/** Salt and digest leave spare bits in their last characters, which must be clear: with others the library refuses every password. */
const BCRYPT_HASH =
  /^\$2[aby]\$(?<cost>\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]$/;
const MIN_COST = 4;
/** A check at this cost takes 15 seconds, and one user's checks hold up the others'. */
const MAX_COST = 18;

/** A section, without showing what stands there instead: it may be a hash or a password. */
const userSection: Parser<Readonly<Record<string, unknown>>> = (given) =>
  typeof given === 'object' && given !== null && !Array.isArray(given)
    ? { value: { ...given } }
    : { fault: 'is no section; write one line "name: hash" for each user below it' };

function readUsers(root: Section): WebConfig['users'] {
  const written = Object.entries(root.value('basic_auth_users', userSection, {}));
  const users = new Map<string, string>();
  for (const [name, hash] of written) {
    const fault = faultOfUser(name, hash);
    if (fault !== null) root.section('basic_auth_users').fault(name, fault);
    users.set(name, String(hash));
  }
  return users;
}

/** Never shows the hash: who put a password there meant it to be secret. */
function faultOfUser(name: string, hash: unknown): string | null {
  if (name.includes(':')) return 'a name with a colon can never log in; choose another';
  const cost = typeof hash === 'string' ? BCRYPT_HASH.exec(hash)?.groups?.['cost'] : undefined;
  if (cost === undefined) return 'is no bcrypt hash; make one with: htpasswd -nBC 10 ""';
  return Number(cost) >= MIN_COST && Number(cost) <= MAX_COST
    ? null
    : `has the cost ${cost}, outside ${MIN_COST} to ${MAX_COST}; 10 to 12 are usual`;
}

function readRateLimit(section: Section): RateLimit | null {
  const intervalMs = section.value('interval', goDuration, 0);
  const burst = section.value('burst', wholeNumber(0, 1_000_000_000), 1);
  if (intervalMs === 0) return null;
  if (burst === 0 || !section.isSet('burst'))
    section.fault('burst', 'must be at least 1, or every request would be refused');
  return { intervalMs, burst };
}
