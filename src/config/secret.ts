/**
 * A secret as configured: in place or in a file. The value lives in a closure, so printing, inspecting or
 * serialising a configuration never shows it.
 */
import { readFileSync } from 'node:fs';

/** What stands for a secret wherever something has to be shown. */
export const SECRET_MASK = '<secret>';
/** Keys and passwords are short; a larger file is a wrong path. */
const MAX_SECRET_BYTES = 64 * 1024;

export interface Secret {
  readonly kind: 'value' | 'file';
  /** Absolute path of the file; null for a value. */
  readonly file: string | null;
  /** The secret now, without the line end: a file is read again each time, so that rotation needs no restart. Throws SecretError. */
  read(): string;
  toJSON(): string;
  toString(): string;
}

/** Why a secret cannot be had; the message names the file and never its content. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
}

export function secretValue(value: string): Secret {
  return { kind: 'value', file: null, read: () => value, toJSON: mask, toString: mask };
}

export function secretFile(path: string): Secret {
  return { kind: 'file', file: path, read: () => readSecret(path), toJSON: mask, toString: mask };
}

function mask(): string {
  return SECRET_MASK;
}

function readSecret(path: string): string {
  const secret = readBounded(path)
    .replace(/^\uFEFF/, '')
    .trim();
  if (secret === '') throw new SecretError(`${path} is empty; write the secret into it`);
  return secret;
}

function readBounded(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new SecretError(`${path} cannot be read (${whyUnreadable(cause)})`, { cause });
  }
  if (bytes.length > MAX_SECRET_BYTES) {
    throw new SecretError(
      `${path} is larger than ${MAX_SECRET_BYTES} bytes, so it is no secret's file`,
    );
  }
  return bytes.toString('utf8');
}

/** The system's reason in words, without the path that the sentence already names. */
export function whyUnreadable(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'no permission';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of its path is no folder';
    default:
      return code === '' ? 'unknown reason' : code;
  }
}
