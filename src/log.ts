/**
 * Logs: one line an event on stderr, as logfmt (`time= level= source= msg=` and what belongs to it) or as JSON
 * with the same keys.
 *
 * Text from outside cannot forge a line, a key or a terminal command: keys become snake_case, values are
 * quoted, control and format characters escaped. No secret is ever passed in; should one slip into a text
 * nevertheless, `hide` has named it and it is masked here, at the last line of defence.
 */
import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'logfmt' | 'json';

/** What belongs to an event. `err` is an error or its text; undefined and null are left out. */
export interface LogFields {
  readonly [key: string]: unknown;
  /** Set by the log itself. */
  readonly time?: never;
  readonly level?: never;
  readonly source?: never;
  readonly msg?: never;
}

export interface Log {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
  /** The same log speaking for another part of the program (`source=`). */
  from(source: string): Log;
}

export interface RootLog extends Log {
  /** For every `from` too, and from now on. */
  setLevel(level: LogLevel): void;
  /** Masks this value in every later line. Values shorter than 6 characters are left: masking them would only garble. */
  hide(secret: string): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly source: string;
  /** Gets whole lines with their line end. */
  readonly write: (line: string) => void;
  /** Our clock, milliseconds since 1970. */
  readonly nowMs?: () => number;
}

export function createLog(options: LogOptions): RootLog {
  const { nowMs = Date.now } = options;
  const hidden = new Set<string>();
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"time":"${new Date(nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (json) => options.write(options.format === 'json' ? plainJson(json) : logfmt(json)) },
  );

  function from(source: string): Log {
    const at =
      (level: LogLevel) =>
      (msg: string, fields: LogFields = {}): void => {
        if (!logger.isLevelEnabled(level)) return;
        logger[level]({ source, ...tidy(fields, hidden) }, masked(shortened(msg), hidden));
      };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), from };
  }

  return {
    ...from(options.source),
    setLevel: (level) => {
      logger.level = level;
    },
    hide: (secret) => {
      if (secret.length >= MIN_HIDDEN_LENGTH) hidden.add(secret).add(encodeURIComponent(secret));
    },
  };
}

/**
 * A fault that lasts is logged when it begins and when it ends, not each time it is met; in between it is a
 * debug line. A fault whose message or reason changes has begun anew to the reader, and is logged again.
 */
export interface LastingFaults {
  /** The fault is there. `fault` names it among the few that one part of the program can have. */
  present(fault: string, msg: string, fields?: LogFields): void;
  /** It is not: logs `msg` with how long it lasted, if it was there. */
  gone(fault: string, msg: string, fields?: LogFields): void;
}

export function createLastingFaults(log: Log, nowMs: () => number): LastingFaults {
  const faults = new Map<string, { sinceMs: number; times: number; shown: string }>();
  return {
    present(fault, msg, fields = {}) {
      const known = faults.get(fault);
      const shown = `${msg}|${textOf(fields['reason'] ?? '')}`;
      if (known?.shown === shown) log.debug(msg, fields);
      else log.warn(msg, fields);
      faults.set(fault, {
        sinceMs: known?.sinceMs ?? nowMs(),
        times: (known?.times ?? 0) + 1,
        shown,
      });
    },
    gone(fault, msg, fields = {}) {
      const known = faults.get(fault);
      if (known === undefined) return;
      faults.delete(fault);
      const lasted = Math.max(0, nowMs() - known.sinceMs) / 1000;
      log.info(msg, { ...fields, lasted_seconds: lasted, times: known.times });
    },
  };
}

/** An error in one line: its message and those of its causes. A thrown value that is no Error speaks for itself. */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  let cause: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && cause !== undefined && cause !== null; depth += 1) {
    const message = cause instanceof Error ? cause.message || cause.name : textOf(cause);
    if (!messages.some((earlier) => earlier.includes(message))) messages.push(message);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  // Our own messages end their sentence with a full stop; those of Node and undici do not.
  return messages.reduce((line, message) => {
    if (line === '') return message;
    return line.endsWith('.') ? `${line} Cause: ${message}` : `${line}: ${message}`;
  }, '');
}

const MIN_HIDDEN_LENGTH = 6;
const MAX_CAUSES = 5;
/** A line stays readable and within what log collectors take (16 KiB), whatever a server sends as its name. */
const MAX_VALUE_LENGTH = 2_000;

type Value = string | number | boolean;

function tidy(fields: LogFields, hidden: ReadonlySet<string>): Record<string, Value> {
  const tidied: Record<string, Value> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    tidied[snakeCase(key)] = tidyValue(value, hidden);
  }
  return tidied;
}

function tidyValue(value: unknown, hidden: ReadonlySet<string>): Value {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return masked(shortened(textOf(value)), hidden);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return describeError(value);
  // What has no JSON (undefined, a function, a symbol) or cannot have one is named by its type.
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value;
  }
}

/** Only letters, digits and `_`, so that no key needs quoting in either format. */
function snakeCase(key: string): string {
  return key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]/g, '_');
}

function shortened(text: string): string {
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH)}…`;
}

function masked(text: string, hidden: ReadonlySet<string>): string {
  let result = text;
  for (const secret of hidden) result = result.replaceAll(secret, '<secret>');
  return result;
}

/**
 * What could end a line, steer a terminal or turn the reading direction: control and format characters,
 * line and paragraph separators, lone surrogates. (JSON itself escapes only those below U+0020.)
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** The line that pino made, with its unsafe characters (they can stand only within strings) as JSON escapes. */
function plainJson(json: string): string {
  return `${json.trimEnd().replaceAll(UNSAFE, escaped)}\n`;
}

const FIRST_KEYS = ['time', 'level', 'source', 'msg'];

/** pino's own line, made of what `tidy` let through, in the order of keys that people know. */
function logfmt(json: string): string {
  const event = new Map<string, unknown>(Object.entries(JSON.parse(json)));
  const rest = [...event.keys()].filter((key) => !FIRST_KEYS.includes(key));
  const pairs = [...FIRST_KEYS, ...rest].map((key) => `${key}=${quoted(textOf(event.get(key)))}`);
  return `${pairs.join(' ')}\n`;
}

function quoted(value: string): string {
  if (value !== '' && !/[\s"=\\\p{C}\p{Z}]/u.test(value)) return value;
  const text = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll(UNSAFE, escaped);
  return `"${text}"`;
}
