/**
 * Parsers of single values: what somebody wrote in, the exact value or a sentence out. A sentence says what is
 * wrong and what to write instead; it never repeats what may be a secret.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ListenAddress } from './config.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { secretFile, secretValue, whyUnreadable } from './secret.ts';
import type { Secret } from './secret.ts';
import { suggestionFor } from './suggestion.ts';

export type Parsed<T> = { readonly value: T } | { readonly fault: string };
/** `folder` is what a relative path starts from. */
export type Parser<T> = (given: unknown, folder: string) => Parsed<T>;

/** Any text but the empty one. */
export const text: Parser<string> = (given) => {
  if (typeof given !== 'string') return wrong(notText(given));
  return given === '' ? wrong('must not be empty') : { value: given };
};

export function oneOf<Word extends string>(words: readonly Word[]): Parser<Word> {
  return (given) => {
    const word = words.find((candidate) => candidate === given);
    if (word !== undefined) return { value: word };
    return wrong(
      `${shown(given)} is none of ${words.join(', ')}${didYouMean(String(given), words)}`,
    );
  };
}

export const yesNo: Parser<boolean> = (given) => {
  if (given === true || given === 'true' || given === '1') return { value: true };
  if (given === false || given === 'false' || given === '0') return { value: false };
  return wrong(`${shown(given)} is neither true nor false`);
};

export function wholeNumber(least: number, most: number): Parser<number> {
  return (given) => {
    const number = typeof given === 'string' && /^-?\d{1,15}$/.test(given) ? Number(given) : given;
    if (Number.isInteger(number) && Number(number) >= least && Number(number) <= most) {
      return { value: Number(number) };
    }
    return wrong(`${shown(given)} is no whole number from ${least} to ${most}`);
  };
}

/** Milliseconds, with bounds as durations are written. */
export function duration(least: string, most: string): Parser<number> {
  return (given) => {
    if (typeof given === 'number' && given !== 0) {
      return wrong(`${given} has no unit; write ${given}s, ${given}m or the like`);
    }
    const ms = typeof given === 'string' || given === 0 ? parseDuration(String(given)) : null;
    if (ms === null) {
      return wrong(
        `${shown(given)} is no duration; write it as 300ms, 15s, 1h30m or 8d (y w d h m s ms, in this order)`,
      );
    }
    const [from, to] = [parseDuration(least) ?? 0, parseDuration(most) ?? 0];
    if (ms >= from && ms <= to) return { value: ms };
    return wrong(`${formatDuration(ms)} is outside the range from ${least} to ${most}`);
  };
}

/** An http or https address, perhaps with a path, without a slash at the end. */
export function httpUrl(options: { readonly notBelow: string }): Parser<string> {
  return (given) => {
    if (typeof given !== 'string') return wrong(notText(given));
    const url = parseUrl(given);
    if (url === null) {
      return wrong(
        `${shownUrl(given)} is no address; write it as https://host or https://host:port/path`,
      );
    }
    if (url.username !== '' || url.password !== '') {
      return wrong(
        'holds a user name or a password, which would show in logs; remove it from the address',
      );
    }
    if (url.search !== '' || url.hash !== '' || /[?#]$/.test(given)) {
      return wrong('must end before the ? or #');
    }
    const address = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
    if (address.includes(options.notBelow)) {
      return wrong(`give the address without ${options.notBelow} and what follows it`);
    }
    return { value: address };
  };
}

/** A proxy's address may carry its user and password, hence it is a secret. */
export const proxyUrl: Parser<Secret> = (given) => {
  const url = typeof given === 'string' ? parseUrl(given) : null;
  if (url === null || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return wrong('is no address of a proxy; write it as http://host:port');
  }
  return { value: secretValue(url.href) };
};

/** A folder that need not exist yet; '' is null. */
export const folderPath: Parser<string | null> = (given, folder) => {
  if (typeof given !== 'string') return wrong(notText(given));
  return { value: given === '' ? null : resolve(folder, given) };
};

/** A file that can be read now. */
export const readableFile: Parser<string> = (given, folder) => {
  if (typeof given !== 'string' || given === '') return wrong('must be the path of a file');
  if (given.includes('${')) {
    return wrong(
      'holds a variable, and variables are not replaced here; write the path itself (systemd has credentials in /run/credentials/NAME.service/)',
    );
  }
  const path = resolve(folder, given);
  try {
    accessSync(path, constants.R_OK);
    if (!statSync(path).isDirectory()) return { value: path };
    return wrong(`${path} is a folder; give the path of a file`);
  } catch (cause) {
    return wrong(
      `${path} cannot be read (${whyUnreadable(cause)}); correct the path or its permissions`,
    );
  }
};

/** A secret that goes into an HTTP header as it is: visible ASCII, no spaces. */
export const headerSecret: Parser<Secret> = (given) => {
  if (typeof given !== 'string') return wrong('must be text; put it in quotes');
  const fault = faultOfHeaderSecret(given);
  return fault === null ? { value: secretValue(given) } : wrong(fault);
};

/** Any text on one line. */
export const passwordSecret: Parser<Secret> = (given) => {
  if (typeof given !== 'string') return wrong('must be text; put it in quotes');
  const fault = faultOfPassword(given);
  return fault === null ? { value: secretValue(given) } : wrong(fault);
};

/** The file of a secret, read once now to see that it can be. `faultOf` judges its content. */
export function secretInFile(faultOf: (secret: string) => string | null): Parser<Secret> {
  return (given, folder) => {
    const path = readableFile(given, folder);
    if ('fault' in path) return path;
    const secret = secretFile(path.value);
    try {
      const fault = faultOf(secret.read());
      return fault === null ? { value: secret } : wrong(`what ${path.value} holds ${fault}`);
    } catch (error) {
      return wrong(error instanceof Error ? error.message : 'cannot be read');
    }
  };
}

export function faultOfHeaderSecret(secret: string): string | null {
  if (secret === '') return 'must not be empty';
  if (secret.startsWith('${')) {
    return 'looks like a variable, and variables are not replaced in this file; name a file with api_key_file, or use the environment';
  }
  return /^[\x21-\x7e]+$/.test(secret)
    ? null
    : 'has spaces, line breaks or characters that no HTTP header can carry';
}

export function faultOfPassword(secret: string): string | null {
  if (secret === '') return 'must not be empty';
  return /\p{Cc}/u.test(secret) ? 'has line breaks or other control characters' : null;
}

/** Six fields for node-cron; `faultOf` is its own judgement, null where it is content. */
export function schedule(faultOf: (expression: string) => string | null): Parser<string> {
  return (given) => {
    if (typeof given !== 'string') return wrong(notText(given));
    const fields = given.trim().split(/\s+/);
    if (fields.length === 5) {
      return wrong(
        `${shown(given)} has five fields; six are needed, seconds first: write "0 ${fields.join(' ')}"`,
      );
    }
    if (fields.length !== 6) {
      return wrong(
        `${shown(given)} is no schedule; write six fields, as in "0 */5 * * * *" for every five minutes`,
      );
    }
    const fault = faultOf(fields.join(' '));
    return fault === null
      ? { value: fields.join(' ') }
      : wrong(`${shown(given)} is no schedule: ${fault}`);
  };
}

const LISTEN_ADDRESS =
  /^(?:\[(?<ipv6>[0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|(?<host>[\w.-]*)):(?<port>\d{1,5})$/;

export const listenAddress: Parser<ListenAddress> = (given) => {
  const parts = typeof given === 'string' ? LISTEN_ADDRESS.exec(given)?.groups : undefined;
  const port = Number(parts?.['port']);
  if (typeof given !== 'string' || parts === undefined || port > 65_535) {
    return wrong(
      `${shown(given)} is no address to listen on; write :10190, 127.0.0.1:10190 or [::1]:10190`,
    );
  }
  const host = parts['ipv6'] ?? parts['host'] ?? '';
  return { value: { text: given, host: host === '' ? null : host, port } };
};

/** Paths the web server has itself. */
const OWN_PATHS = ['/-/healthy', '/-/ready', '/-/reload'];

export const telemetryPath: Parser<string> = (given) => {
  if (typeof given !== 'string' || given === '') return wrong('must not be empty; write /metrics');
  if (
    !/^\/[\w.~!$&'()*+,;=:@/-]*$/.test(given) ||
    /\/\.{0,2}(?:\/|$)/.test(given.slice(0, given === '/' ? 0 : undefined))
  ) {
    return wrong(`${shown(given)} is no path; write it as /metrics`);
  }
  return OWN_PATHS.includes(given)
    ? wrong(`${given} is taken by the exporter itself; choose another path`)
    : { value: given };
};

function parseUrl(given: string): URL | null {
  if (!/^https?:\/\//i.test(given) || !URL.canParse(given)) return null;
  const url = new URL(given);
  return url.hostname === '' ? null : url;
}

function wrong(fault: string): { readonly fault: string } {
  return { fault };
}

function notText(given: unknown): string {
  return `${shown(given)} is not text; put it in quotes`;
}

/** A short picture of what was written. Only for values that cannot be secrets. */
export function shown(given: unknown): string {
  if (Array.isArray(given)) return 'a list';
  if (typeof given === 'object' && given !== null) return 'a section';
  const picture = JSON.stringify(given) ?? String(given);
  return picture.length <= 60 ? picture : `${picture.slice(0, 60)}…`;
}

/** An address that may carry credentials is not shown. */
function shownUrl(given: string): string {
  return given.includes('@') ? 'this' : shown(given);
}

/** `; did you mean "x"?`, or nothing where nothing is near. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const suggestion = suggestionFor(word, candidates);
  return suggestion === null ? '' : `; did you mean "${suggestion}"?`;
}
