/**
 * Keeps a second exporter out of a storage folder: two would overwrite each other's counts. The lock names
 * its holder and is touched while held, so that the lock of a killed process is taken over at once on the
 * same machine, and after a while from another one (the same volume started elsewhere).
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, readFile, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { StateFileError } from './encoding.ts';

/** How often the holder touches its lock. */
const TOUCH_MS = 5_000;
/** An untouched lock of another machine is left behind after this long. */
const ABANDONED_MS = 30_000;

interface Holder {
  readonly token: string;
  readonly host: string;
  readonly pid: number;
  /** When the process started, as the kernel says; tells a recycled pid from its former owner. */
  readonly started: string | null;
}

export interface Lock {
  /** Rejects when another exporter took the lock, or its file is gone. */
  confirm(): Promise<void>;
  release(): Promise<void>;
}

/** Takes the lock at `file`, or throws a StateFileError that says who holds it. `nowMs` is our clock. */
export async function takeLock(file: string, nowMs: () => number): Promise<Lock> {
  const mine: Holder = {
    token: randomUUID(),
    host: hostname(),
    pid: process.pid,
    started: startOf(process.pid),
  };
  if (!(await create(file, mine))) await takeOver(file, mine, nowMs());
  await confirm(file, mine);
  const touching = setInterval(() => {
    const now = new Date(nowMs());
    // A lock that cannot be touched is noticed by the next confirm.
    utimes(file, now, now).catch(() => undefined);
  }, TOUCH_MS);
  touching.unref();
  return {
    confirm: () => confirm(file, mine),
    release: async () => {
      clearInterval(touching);
      const holder = await readHolder(file);
      if (holder?.token === mine.token) await unlink(file);
    },
  };
}

async function create(file: string, holder: Holder): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(JSON.stringify(holder));
    await handle.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function takeOver(file: string, mine: Holder, nowMs: number): Promise<void> {
  const holder = await readHolder(file);
  if (holder !== null && (await isAlive(file, holder, nowMs))) {
    throw new StateFileError(
      `The lock ${file} is held by another exporter (process ${holder.pid} on ${holder.host}): two on one storage path would overwrite each other's counts. Stop it, or set another storage.path.`,
    );
  }
  const next = `${file}.${mine.token}`;
  await writeFile(next, JSON.stringify(mine), { mode: 0o600 });
  await rename(next, file);
}

/**
 * On this machine the process itself tells; on another, how long ago the lock was touched. So does it here where one
 * cannot see when processes started (systemd's ProcSubset=pid, hidepid): the number alone may be another program's.
 */
async function isAlive(file: string, holder: Holder, nowMs: number): Promise<boolean> {
  if (holder.host === hostname()) {
    if (holder.pid === process.pid || !isRunning(holder.pid)) return false;
    const started = startOf(holder.pid);
    if (holder.started !== null && started !== null) return started === holder.started;
  }
  const { mtimeMs } = await stat(file);
  return nowMs - mtimeMs < ABANDONED_MS;
}

async function confirm(file: string, mine: Holder): Promise<void> {
  const holder = await readHolder(file);
  if (holder?.token === mine.token) return;
  throw new StateFileError(
    holder === null
      ? `The lock ${file} is gone: something removed it or its folder. Restore the folder and restart the exporter.`
      : `The lock ${file} was taken by another exporter (process ${holder.pid} on ${holder.host}). Run one exporter for each storage.path.`,
  );
}

/** Null where there is no lock, or an unreadable one: a crash left it half-written, and the rename decides who holds it. */
async function readHolder(file: string): Promise<Holder | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const { token, host, pid, started }: Readonly<Record<string, unknown>> = { ...value };
    if (typeof token !== 'string' || typeof host !== 'string' || typeof pid !== 'number')
      return null;
    return { token, host, pid, started: typeof started === 'string' ? started : null };
  } catch {
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Field 22 of /proc/<pid>/stat with the boot it belongs to; null where there is no such file (not Linux). */
function startOf(pid: number): string | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${fields?.[19] ?? ''}`;
  } catch {
    return null;
  }
}
