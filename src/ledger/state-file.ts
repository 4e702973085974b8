/**
 * The ledger on disk: one file, replaced atomically (temporary file, fsync, rename, fsync of the folder),
 * before anything in it is shown. A file that cannot be read is refused and left alone.
 */
import {
  chmod,
  lstat,
  mkdir,
  open,
  readFile,
  readdir,
  realpath,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { StateFileError, decodeLedger, encodeLedger } from './encoding.ts';
import type { Ledger } from './ledger.ts';
import type { Lock } from './lock.ts';
import { takeLock } from './lock.ts';

const STATE_FILE = 'ledger.state';
const LOCK_FILE = 'ledger.lock';

/** Where ledgers become durable. The simulation in the tests has one of its own. */
export interface LedgerStore {
  /** Null when nothing was ever kept. Throws StateFileError on anything that cannot be used. */
  load(): Promise<Ledger | null>;
  /** Resolves once the ledger is durable; rejects when that is not certain. */
  commit(ledger: Ledger): Promise<void>;
  /** Of the ledger that was loaded or committed last, in bytes; 0 without one. */
  sizeBytes(): number;
  close(): Promise<void>;
}

/** Opens the storage folder: makes it, locks it, clears what a crash left half-written. */
export async function openStateFile(folder: string, nowMs: () => number): Promise<LedgerStore> {
  const file = join(folder, STATE_FILE);
  const lock = await lockFolder(folder, nowMs);
  await clearLeftovers(folder);
  let size = 0;
  return {
    load: async () => {
      const bytes = await read(file);
      if (bytes === null) return null;
      const ledger = decodeLedger(bytes, file);
      size = bytes.byteLength;
      return ledger;
    },
    commit: async (ledger) => {
      const parts = await encodeLedger(ledger, nextTurn);
      await lock.confirm();
      await replaceFile(file, parts);
      size = lengthOf(parts);
    },
    sizeBytes: () => size,
    close: () => lock.release(),
  };
}

/** Keeps nothing over a restart (`storage.path: ""`). */
export const memoryStore: LedgerStore = {
  load: async () => null,
  commit: async () => undefined,
  sizeBytes: () => 0,
  close: async () => undefined,
};

async function lockFolder(folder: string, nowMs: () => number): Promise<Lock> {
  try {
    // mkdir obeys the umask; a folder that was there before keeps what its owner gave it.
    if (await makeFolder(folder)) await chmod(folder, 0o700);
    return await takeLock(join(folder, LOCK_FILE), nowMs);
  } catch (error) {
    if (error instanceof StateFileError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new StateFileError(
      `The storage path ${folder} cannot be written (${why}). Make it a folder this user may write, or set another storage.path.`,
      { cause: error },
    );
  }
}

/**
 * Whether it had to be made, with the folders above it. Step by step, since Node's own `recursive` never
 * returns where the system makes no folder, as below /proc (seen on 20.20): a start would hang without a word.
 */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (await isFolder(folder)) return false;
    const above = dirname(folder);
    if (!isMissing(error) || above === folder) throw error;
    await makeFolder(above);
    await mkdir(folder, { mode: 0o700 });
    return true;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Null where there is none. */
async function read(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if (isMissing(error) && !(await isDeadLink(file))) return null;
    const why = error instanceof Error ? error.message : String(error);
    throw new StateFileError(
      `The state file ${file} cannot be read (${why}). Let this user read it, or set another storage.path.`,
      {
        cause: error,
      },
    );
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** A link to a volume that is not mounted: what it leads to was not deleted, so counting must not begin anew. */
async function isDeadLink(file: string): Promise<boolean> {
  try {
    return (await lstat(file)).isSymbolicLink();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** `ledger.state.<pid>` stays behind when the process is killed between write and rename. */
async function clearLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^ledger\.(state\.\d+|lock\.[0-9a-f-]{36})$/.test(name))
      await unlink(join(folder, name)).catch(() => undefined);
  }
}

/**
 * Resolves once `parts` are what `file` holds, whatever happens to the machine then; on any failure up to the rename
 * `file` holds what it held. Where only the folder cannot be synced, it may hold either, and both are true: the
 * process goes on from what it held, a restart from what is found, and nothing of the difference was shown.
 *
 * Not by write-file-atomic 7.0.1: it ignores how much of the text one write took, so a disk that fills up in the
 * middle made it put a cut file in the place of a good one.
 */
async function replaceFile(file: string, parts: readonly Uint8Array[]): Promise<void> {
  // A link stays a link: what it leads to is replaced.
  const target = await realpath(file).catch((error: unknown) => {
    if (isMissing(error)) return file;
    throw error;
  });
  const next = `${target}.${process.pid}`;
  try {
    const handle = await open(next, 'w', 0o600);
    try {
      await writeAll(handle, parts);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, target);
  } catch (error) {
    await unlink(next).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(target));
}

/** A disk that fills up takes a part of it without a word; only to write on says why. */
async function writeAll(handle: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  let rest = parts;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest);
    if (bytesWritten === 0) throw new Error('the disk took nothing');
    rest = partsAfter(rest, bytesWritten);
  }
}

function partsAfter(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  let written = 0;
  for (const { byteLength } of parts) {
    if (left < byteLength) break;
    left -= byteLength;
    written += 1;
  }
  const [cut, ...whole] = parts.slice(written);
  return cut === undefined ? [] : [cut.subarray(left), ...whole];
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((bytes, { byteLength }) => bytes + byteLength, 0);
}

/** The rename is durable only once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
