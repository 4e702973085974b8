/**
 * The ledger as bytes: a header line (format, version, checksum) and one line of JSON. What cannot be
 * proved to be ours, whole and of this version is refused; nothing is ever guessed from half a file.
 */
import { createHash } from 'node:crypto';
import { violations } from './invariants.ts';
import type { Ledger } from './ledger.ts';

const FORMAT = 'jim-exporter state';
const BEGINNING = `{"format":"${FORMAT}"`;
/** Raised when the shape of the ledger changes; older files are then converted here. */
const STATE_VERSION = 1;

/** The state file cannot be used. The message says which file, what is wrong and what to do. */
export class StateFileError extends Error {
  override readonly name = 'StateFileError';
}

/** Throws on a ledger that breaks an invariant: that is our bug, and must not become durable. */
export function encodeLedger(ledger: Ledger): string {
  const broken = violations(ledger);
  if (broken.length > 0)
    throw new Error(`The ledger breaks its own rules and was not written: ${broken.join('; ')}.`);
  const body = JSON.stringify(ledger, writeCollection);
  return `${JSON.stringify({ format: FORMAT, version: STATE_VERSION, sha256: sha256(body) })}\n${body}\n`;
}

/** Reads what `encodeLedger` wrote; `file` names it in the sentence of a StateFileError. */
export function decodeLedger(text: string, file: string): Ledger {
  const lineEnd = text.indexOf('\n');
  const header = readHeader(lineEnd === -1 ? text : text.slice(0, lineEnd), file);
  if (header.version !== STATE_VERSION) {
    throw new StateFileError(
      `The state file ${file} was written by another version of jim-exporter (state version ${String(header.version)}, this one reads ${STATE_VERSION}). Start that version, or move the file away to begin counting anew.`,
    );
  }
  const body = text.slice(lineEnd + 1, -1);
  if (lineEnd === -1 || !text.endsWith('\n') || sha256(body) !== header.sha256)
    throw damaged(file, 'its checksum does not match');
  // The checksum and the version prove that encodeLedger wrote this very text, from a Ledger.
  const ledger = JSON.parse(body, readCollection) as Ledger;
  const broken = violations(ledger);
  if (broken.length > 0) throw damaged(file, broken.join('; '));
  return ledger;
}

function readHeader(
  line: string,
  file: string,
): { readonly version: unknown; readonly sha256: unknown } {
  let header: unknown;
  try {
    header = JSON.parse(line);
  } catch {
    throw foreignOrDamaged(file, line);
  }
  if (
    typeof header !== 'object' ||
    header === null ||
    !('format' in header) ||
    header.format !== FORMAT
  ) {
    throw foreignOrDamaged(file, line);
  }
  return {
    version: 'version' in header ? header.version : undefined,
    sha256: 'sha256' in header ? header.sha256 : undefined,
  };
}

function foreignOrDamaged(file: string, line: string): StateFileError {
  // A file of ours that lost its end, however little of it is left.
  if (line.startsWith(BEGINNING) || BEGINNING.startsWith(line))
    return damaged(file, 'it is cut off');
  return new StateFileError(
    `The file ${file} is not a state file of jim-exporter and was left untouched. Set storage.path to a folder of its own, or move the file away.`,
  );
}

function damaged(file: string, why: string): StateFileError {
  return new StateFileError(
    `The state file ${file} is damaged (${why}) and was left untouched. Restore it from a backup, or move it away to begin counting anew.`,
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Maps and sets as tagged arrays; no key of the ledger begins with a dollar sign. */
function writeCollection(_key: string, value: unknown): unknown {
  if (value instanceof Map) return { $map: [...value] };
  if (value instanceof Set) return { $set: [...value] };
  return value;
}

function readCollection(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$map' in value && Array.isArray(value.$map)) return new Map(value.$map);
  if ('$set' in value && Array.isArray(value.$set)) return new Set(value.$set);
  return value;
}
