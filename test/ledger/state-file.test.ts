/** The state file on a real disk: what was committed comes back, and nothing but that is ever taken for it. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkedMap } from '../../src/ledger/chunked-map.ts';
import { StateFileError, decodeLedger } from '../../src/ledger/encoding.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { emptyLedger } from '../../src/ledger/ledger.ts';
import { openStateFile } from '../../src/ledger/state-file.ts';
import { instant } from '../../src/jim/activity.ts';
import { bytesOf } from './bytes-of.ts';
import { activityIdOf, largeLedger } from '../metrics/snapshots.ts';
import { createRig } from '../poll/rig.ts';
import { RUN } from '../poll/rows.ts';

let folder: string;
let file: string;
let ledger: Ledger;
let bytes: Buffer;
const now = (): number => Date.now();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jim-state-'));
  file = join(folder, 'ledger.state');
  ledger = await livedLedger();
  bytes = await bytesOf(ledger);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** With counted, open and held Activities, and a name that is not ASCII: what a real one is made of. */
async function livedLedger(): Promise<Ledger> {
  const rig = await createRig({ publish: false });
  await rig.poll();
  for (const status of ['Complete', 'FailedWithError', 'InProgress']) {
    const created = rig.world.jimNow - 60e6;
    const times = { executed: created + 70_000, executionTime: 1e6, totalActivityTime: 2e6 };
    rig.world.insert({ ...RUN, targetContext: 'Zürich 🚦', status, created, ...times });
  }
  rig.pass(15_000);
  await rig.poll();
  expect(rig.ledger().counted.size).toBe(2);
  return rig.ledger();
}

type Write = (parts: readonly Uint8Array[]) => Promise<{ readonly bytesWritten: number }>;

/** How often it was written to, while `work` was done, on a disk that takes what `take` hands on. */
async function withDisk(
  take: (write: Write, parts: readonly Uint8Array[]) => ReturnType<Write>,
  work: () => Promise<void>,
): Promise<number> {
  const handle = await openFile('/dev/null');
  const ofAll: { writev: Write } = Object.getPrototypeOf(handle);
  await handle.close();
  const { writev } = ofAll;
  let writes = 0;
  ofAll.writev = function (this: unknown, parts) {
    writes += 1;
    return take((taken) => writev.call(this, taken), parts);
  };
  try {
    await work();
  } finally {
    ofAll.writev = writev;
  }
  return writes;
}

/** The sentence with which a file is refused. */
async function refusal(): Promise<string> {
  const store = await openStateFile(folder, now);
  try {
    const loaded = await store.load();
    return `loaded: ${loaded === null ? 'nothing' : 'a ledger'}`;
  } catch (error) {
    if (error instanceof StateFileError) return error.message;
    throw error;
  } finally {
    await store.close();
  }
}

function refusalOf(read: Buffer): string | null {
  try {
    decodeLedger(read, 'the file');
    return null;
  } catch (error) {
    if (error instanceof StateFileError) return error.message;
    throw error;
  }
}

describe('a committed ledger', () => {
  it('comes back equal, with its size told, in a file for its owner alone', async () => {
    const store = await openStateFile(folder, now);
    expect(await store.load()).toBeNull();
    expect(store.sizeBytes()).toBe(0);
    await store.commit(ledger);
    expect(store.sizeBytes()).toBe(bytes.length);
    await store.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const again = await openStateFile(folder, now);
    expect(await again.load()).toEqual(ledger);
    expect(again.sizeBytes()).toBe(bytes.length);
    await again.close();
    expect(readdirSync(folder)).toEqual(['ledger.state']);
  });

  it('is one line of JSON under its header, maps and sets as tagged lists, however many there are', async () => {
    const counted = new Map(
      Array.from({ length: 2_500 }, (_, index) => [
        activityIdOf(index),
        { created: instant(index), fingerprint: `f${index}` },
      ]),
    );
    const many: Ledger = { ...ledger, counted: ChunkedMap.of(counted) };
    const tagged = (_key: string, value: unknown): unknown => {
      if (value instanceof Map || value instanceof ChunkedMap) return { $map: [...value] };
      return value instanceof Set ? { $set: [...value] } : value;
    };
    const written = await bytesOf(many);
    expect(written.toString().split('\n')[1]).toBe(JSON.stringify(many, tagged));
    expect(decodeLedger(written, 'the file')).toEqual(many);
  });

  it('is not touched by a commit that breaks an invariant', async () => {
    const store = await openStateFile(folder, now);
    await store.commit(ledger);
    const [[id, counted] = []] = [...ledger.counted];
    if (id === undefined || counted === undefined) throw new Error('nothing was counted');
    const [open] = [...ledger.open.values()];
    if (open === undefined) throw new Error('nothing is open');
    const broken = { ...ledger, open: new Map([...ledger.open, [id, open]]) };
    await expect(store.commit(broken)).rejects.toThrow(/breaks its own rules and was not written/);
    await store.close();
    expect(readFileSync(file)).toEqual(bytes);
  });

  it('is whole where the disk takes any number of bytes at a time', async () => {
    const store = await openStateFile(folder, now);
    for (const atMost of [1, 2, 3, 97, 256, bytes.length - 1, bytes.length]) {
      const written = await withDisk(
        (writev, parts) => writev([Buffer.concat(parts).subarray(0, atMost)]),
        () => store.commit(ledger),
      );
      expect(written).toBe(Math.ceil(bytes.length / atMost));
      expect(readFileSync(file)).toEqual(bytes);
    }
    await store.close();
  });

  it('is whole where it has more parts than the system takes in one call', async () => {
    const many = largeLedger(40_000);
    const store = await openStateFile(folder, now);
    await store.commit(many);
    expect(store.sizeBytes()).toBe(statSync(file).size);
    expect(await store.load()).toEqual(many);
    await store.close();
  });

  it.each([0, 1, 500])('is not touched where the disk takes %i bytes and no more', async (room) => {
    const store = await openStateFile(folder, now);
    await store.commit(ledger);
    let left = room;
    const full = withDisk(
      async (writev, parts) => {
        if (left === 0) throw new Error('ENOSPC: no space left on device, write');
        const part = Buffer.concat(parts).subarray(0, left);
        left -= part.length;
        return writev([part]);
      },
      () => store.commit({ ...ledger, lastHistoryGapMs: 1 }),
    );
    await expect(full).rejects.toThrow('ENOSPC: no space left on device, write');
    expect(store.sizeBytes()).toBe(bytes.length);
    await store.close();
    expect(readFileSync(file)).toEqual(bytes);
    expect(readdirSync(folder)).toEqual(['ledger.state']);
  });

  it('survives what a killed process left half-written beside it', async () => {
    writeFileSync(file, bytes);
    writeFileSync(`${file}.123456`, bytes.subarray(0, 100));
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    const store = await openStateFile(folder, now);
    expect(await store.load()).toEqual(ledger);
    await store.close();
    expect(readdirSync(folder).toSorted()).toEqual(['ledger.state', 'notes.txt']);
  });
});

describe('a file that is not what was committed', () => {
  it('is refused when cut off at any length', () => {
    const misread: number[] = [];
    for (let length = 0; length < bytes.length; length += 1) {
      if (refusalOf(bytes.subarray(0, length))?.includes('the file is damaged') !== true)
        misread.push(length);
    }
    expect(misread).toEqual([]);
  });

  it('is refused with any one bit flipped', () => {
    const accepted: string[] = [];
    for (let place = 0; place < bytes.length; place += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped[place] = (bytes[place] ?? 0) ^ (1 << bit);
        if (refusalOf(flipped) === null) accepted.push(`${place}/${bit}`);
      }
    }
    expect(accepted).toEqual([]);
  });

  it('is refused with anything after its end, or twice itself', () => {
    for (const more of [Buffer.from('\n'), Buffer.from(' '), Buffer.from('\0'), bytes])
      expect(refusalOf(Buffer.concat([bytes, more]))).toContain('is damaged');
  });

  it.each([
    [
      'nothing at all',
      '',
      /is damaged \(it is cut off\) and was left untouched\. Restore it from a backup, or move it away to begin counting anew\.$/,
    ],
    ['blank lines', '\n\n', /is damaged \(it is cut off\)/],
    ['zeros, as after a power cut', '\0'.repeat(4_096), /is not a state file of jim-exporter/],
    [
      'JSON of somebody else',
      '{"not":"ours"}\n',
      /is not a state file of jim-exporter and was left untouched\. Set storage\.path to a folder of its own, or move the file away\.$/,
    ],
    ['JSON that is no object', 'null\n', /is not a state file of jim-exporter/],
    [
      'a later version',
      '{"format":"jim-exporter state","version":99,"sha256":"x"}\n{}\n',
      /was written by another version of jim-exporter \(state version 99, this one reads 1\)\. Start that version, or move the file away to begin counting anew\.$/,
    ],
    ['no version', '{"format":"jim-exporter state"}\n{}\n', /was written by another version/],
  ])('is refused and left alone: %s', async (_what, text, sentence) => {
    writeFileSync(file, text);
    expect(await refusal()).toMatch(sentence);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(readdirSync(folder)).toEqual(['ledger.state']);
  });

  it('is refused where a folder or a dead link stands in its place', async () => {
    mkdirSync(file);
    expect(await refusal()).toMatch(/The state file .* cannot be read \(EISDIR/);
    rmSync(file, { recursive: true });
    symlinkSync(join(folder, 'gone', 'ledger.state'), file);
    expect(await refusal()).toMatch(/The state file .* cannot be read \(ENOENT/);
  });
});

describe('the lock', () => {
  const lockFile = (): string => join(folder, 'ledger.lock');
  const holder = (changes: object): string =>
    JSON.stringify({
      token: 'other',
      host: hostname(),
      pid: process.pid,
      started: null,
      ...changes,
    });

  it('is left by a clean close, and taken over at once from a process that is gone', async () => {
    const store = await openStateFile(folder, now);
    expect(readdirSync(folder)).toEqual(['ledger.lock']);
    await store.close();
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(lockFile(), holder({ pid: 2 ** 22 + 1 }));
    expect(await refusal()).toBe('loaded: nothing');
  });

  it('is taken over where its process number has gone to another program since', async () => {
    writeFileSync(lockFile(), holder({ pid: process.ppid, started: 'an earlier boot/1' }));
    expect(await refusal()).toBe('loaded: nothing');
  });

  it('whose holder’s start cannot be seen is left behind half a minute after its last touch', async () => {
    // As under ProcSubset=pid, after a crash or a reboot: the number is by now somebody else's.
    writeFileSync(lockFile(), holder({ pid: process.ppid, started: null }));
    await expect(openStateFile(folder, now)).rejects.toThrow(/held by another exporter/);
    await (await openStateFile(folder, () => Date.now() + 31_000)).close();
  });

  it.each(['', '{"token":', 'null', '[]', '7', '"x"'])(
    'is taken over half-written, as a crash leaves it: %j',
    async (text) => {
      writeFileSync(lockFile(), text);
      expect(await refusal()).toBe('loaded: nothing');
    },
  );

  it('of another machine holds for half a minute after its last touch', async () => {
    writeFileSync(lockFile(), holder({ host: 'elsewhere.example', pid: 7 }));
    await expect(openStateFile(folder, now)).rejects.toThrow(
      /held by another exporter \(process 7 on elsewhere\.example\): two on one storage path would overwrite each other's counts\. Stop it, or set another storage\.path\.$/,
    );
    await (await openStateFile(folder, () => Date.now() + 31_000)).close();
  });

  it('lost to another exporter, or with its folder, stops commits and touches nothing', async () => {
    const store = await openStateFile(folder, now);
    await store.commit(ledger);
    writeFileSync(lockFile(), holder({ host: 'elsewhere.example', pid: 7 }));
    await expect(store.commit(emptyLedger(5))).rejects.toThrow(/was taken by another exporter/);
    expect(readFileSync(file)).toEqual(bytes);
    rmSync(folder, { recursive: true });
    await expect(store.commit(ledger)).rejects.toThrow(/is gone: something removed it/);
    await store.close();
  });
});

describe('a storage path that is not there yet', () => {
  it('is made with the folders above it, for its owner alone, and found again', async () => {
    const made = join(folder, 'a', 'b');
    await (await openStateFile(made, now)).close();
    await (await openStateFile(`${made}/`, now)).close();
    expect(statSync(made).mode & 0o777).toBe(0o700);
  });
});

describe('a storage path that cannot be written', () => {
  it('is told with what to do', async () => {
    writeFileSync(join(folder, 'plain'), '');
    await expect(openStateFile(join(folder, 'plain', 'data'), now)).rejects.toThrow(
      /^The storage path .* cannot be written \(.*ENOTDIR.*\)\. Make it a folder this user may write, or set another storage\.path\.$/,
    );
  });

  it.runIf(process.platform === 'linux')(
    'where the system makes no folder, without waiting for ever',
    async () => {
      await expect(openStateFile('/proc/jim-exporter/data', now)).rejects.toThrow(
        /^The storage path \/proc\/jim-exporter\/data cannot be written \(ENOENT.*\)\. Make it a folder/,
      );
    },
  );

  it.skipIf(process.getuid?.() === 0)('because its folder is read-only', async () => {
    chmodSync(folder, 0o500);
    await expect(openStateFile(folder, now)).rejects.toThrow(/cannot be written \(.*EACCES/);
    chmodSync(folder, 0o700);
  });
});
