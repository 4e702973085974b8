/**
 * The ledger as bytes: a header line (format, version, checksum) and one line of JSON. What cannot be
 * proved to be ours, whole and of this version is refused; nothing is ever guessed from half a file.
 */
import { createHash } from 'node:crypto';
import type { ActivityId } from '../jim/activity.ts';
import { ChunkedMap } from './chunked-map.ts';
import { violations } from './invariants.ts';
import type { Counted, Ledger } from './ledger.ts';
import { onceEach } from './once-each.ts';

const FORMAT = 'jim-exporter state';
const BEGINNING = `{"format":"${FORMAT}"`;
/** Raised when the shape of the ledger changes; older files are then converted here. */
const STATE_VERSION = 1;

/** The state file cannot be used. The message says which file, what is wrong and what to do. */
export class StateFileError extends Error {
  override readonly name = 'StateFileError';
}

/** 1 to 2 ms of work where nothing was encoded before. */
const SLICE_BYTES = 65_536;

/**
 * The file in parts. What did not change since it was last encoded is the very same part: a copy of a megabyte with
 * each commit took longer than to write it, and stayed in memory until the next collection of garbage.
 *
 * Throws on a ledger that breaks an invariant: that is our bug, and must not become durable. The event loop gets its
 * turn between slices: after a start a megabyte is encoded anew, and scrapes must not wait for it.
 */
export async function encodeLedger(
  ledger: Ledger,
  yieldToLoop: () => Promise<void>,
): Promise<readonly Buffer[]> {
  const broken = violations(ledger);
  if (broken.length > 0)
    throw new Error(`The ledger breaks its own rules and was not written: ${broken.join('; ')}.`);
  const body: Buffer[] = [];
  const hash = createHash('sha256');
  let bytes = 0;
  for (const part of jsonOf(ledger)) {
    body.push(part);
    hash.update(part);
    bytes += part.length;
    if (bytes < SLICE_BYTES) continue;
    bytes = 0;
    await yieldToLoop();
  }
  const header = { format: FORMAT, version: STATE_VERSION, sha256: hash.digest('hex') };
  return [Buffer.from(`${JSON.stringify(header)}\n`), ...body, Buffer.from('\n')];
}

/** The ledger as `jsonOf` writes it; of ten thousand counted ids, which hold neither maps nor sets, no tag is looked for. */
type Written = Omit<Ledger, 'counted'> & {
  readonly counted: { readonly $map: readonly (readonly [ActivityId, Counted])[] };
};

const LINE_END = 10;

/** Reads what `encodeLedger` wrote; `file` names it in the sentence of a StateFileError. */
export function decodeLedger(bytes: Buffer, file: string): Ledger {
  const lineEnd = bytes.indexOf(LINE_END);
  const header = readHeader(
    bytes.toString('utf8', 0, lineEnd === -1 ? bytes.length : lineEnd),
    file,
  );
  if (header.version !== STATE_VERSION) {
    throw new StateFileError(
      `The state file ${file} was written by another version of jim-exporter (state version ${String(header.version)}, this one reads ${STATE_VERSION}). Start that version, or move the file away to begin counting anew.`,
    );
  }
  const body = bytes.subarray(lineEnd + 1, -1);
  if (lineEnd === -1 || bytes.at(-1) !== LINE_END || sha256(body) !== header.sha256)
    throw damaged(file, 'its checksum does not match');
  // The checksum and the version prove that encodeLedger wrote these very bytes, from a Ledger.
  const written = JSON.parse(body.toString()) as Written;
  const counted = ChunkedMap.of(written.counted.$map);
  const ledger: Ledger = { ...(untagged({ ...written, counted: null }) as Ledger), counted };
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

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** One line of JSON, in parts: to write a megabyte as one string and to join its pieces takes half as long again. */
function* jsonOf(ledger: Ledger): Generator<Buffer, void, undefined> {
  let before = '{';
  for (const [name, value] of Object.entries<unknown>({ ...ledger })) {
    const opening = `${before}${JSON.stringify(name)}:`;
    before = ',';
    if (value instanceof ChunkedMap) yield* jsonOfMap(opening, textsOf(value.chunks));
    else if (value instanceof Map) yield* jsonOfMap(opening, entriesOf(value));
    else yield Buffer.from(`${opening}${JSON.stringify(tagged(value))}`);
  }
  yield Buffer.from('}');
}

/** Some of a map's entries, without the brackets around all of them. */
interface Entries {
  readonly before: string;
  readonly text: Buffer;
  readonly after: string;
}

function* jsonOfMap(opening: string, parts: Iterable<Entries>): Generator<Buffer, void, undefined> {
  let between = `${opening}{"$map":[`;
  let comma = '';
  for (const { before, text, after } of parts) {
    yield Buffer.from(`${between}${comma}${before}`);
    yield text;
    between = after;
    comma = ',';
  }
  yield Buffer.from(`${between}]}`);
}

function* textsOf(
  chunks: readonly ReadonlyMap<unknown, unknown>[],
): Generator<Entries, void, undefined> {
  for (const chunk of chunks) yield { before: '', text: textOfChunk(chunk), after: '' };
}

function* entriesOf(map: ReadonlyMap<unknown, unknown>): Generator<Entries, void, undefined> {
  for (const [key, item] of map) {
    const text = isObject(item) ? textOfItem(item) : Buffer.from(JSON.stringify(item));
    yield { before: `[${JSON.stringify(key)},`, text, after: ']' };
  }
}

/** What is in the ledger never changes, and of hundreds of run profiles a poll exchanges those that ran. */
const textOfItem = onceEach((item: object) => Buffer.from(JSON.stringify(tagged(item))));

/** All entries of a chunk, which hold neither maps nor sets. */
const textOfChunk = onceEach((chunk: ReadonlyMap<unknown, unknown>) =>
  Buffer.from(JSON.stringify([...chunk]).slice(1, -1)),
);

/**
 * Maps and sets as tagged arrays; no key of the ledger begins with a dollar sign. What holds none is the very
 * value. A walk of our own, since a replacer or reviver is called for every number: three times the time.
 */
function tagged(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (value instanceof Map)
    return { $map: Array.from(value, ([key, item]) => [key, tagged(item)]) };
  if (value instanceof Set) return { $set: [...value] };
  if (Array.isArray(value)) return value.some(isObject) ? value.map(tagged) : value;
  let copy: Record<string, unknown> | null = null;
  for (const key in value) {
    const field = value[key];
    if (!isObject(field)) continue;
    const written = tagged(field);
    if (written !== field) (copy ??= { ...value })[key] = written;
  }
  return copy ?? value;
}

/** Takes the tags away, in place: the value was parsed a moment ago and is nobody else's. */
function untagged(value: unknown): unknown {
  if (!isObject(value)) return value;
  const { $map: entries, $set: members } = value;
  if (Array.isArray(entries)) {
    for (const entry of entries as [unknown, unknown][]) entry[1] = untagged(entry[1]);
    return new Map(entries);
  }
  if (Array.isArray(members)) return new Set(members);
  for (const key in value) {
    const field = value[key];
    if (isObject(field)) value[key] = untagged(field);
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
