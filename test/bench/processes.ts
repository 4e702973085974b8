/** What the benchmark runs beside itself: a JIM of encoded rows, the built exporter, the load generator. */
import type { ChildProcess } from 'node:child_process';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openStateFile } from '../../src/ledger/state-file.ts';
import { onceStopped } from './cleanup.ts';
import type { JimOrder } from './jim-server.ts';
import type { LoadJob, LoadResult } from './load.ts';

export interface Jim {
  readonly url: string;
  /** Resolves with the requests it has served so far. */
  order(order: JimOrder): Promise<number>;
  stop(): Promise<void>;
}

export async function startJim(): Promise<Jim> {
  const child = forked('jim-server.js');
  const stop = endOf(child, 'SIGTERM');
  const [port] = (await once(child, 'message')) as [number];
  const ask = inTurns(child);
  return {
    url: `http://127.0.0.1:${port}`,
    order: async (order) => Number(await ask(order)),
    stop,
  };
}

export interface Load {
  run(job: LoadJob): Promise<LoadResult>;
  stop(): Promise<void>;
}

export function startLoad(): Load {
  const child = forked('load.js');
  const stop = endOf(child, 'SIGTERM');
  const ask = inTurns(child);
  return {
    run: async (job) => {
      const answer = (await ask(job)) as LoadResult | { readonly error: string };
      if ('error' in answer) throw new Error(answer.error);
      return answer;
    },
    stop,
  };
}

export interface Exporter {
  /** Where it serves, up to the path. */
  readonly url: string;
  readonly pid: number;
  /** From its start to the first scrape that succeeded. */
  readonly startedInMs: number;
  /** The value of a series without labels; NaN where it is absent. */
  value(name: string): Promise<number>;
  /** Waits until a series has the value. */
  until(name: string, value: number, withinMs?: number): Promise<void>;
  residentMegabytes(): Promise<number>;
  /** Bytes of the state file, and when it was last replaced. */
  readonly stateFile: string;
  stop(): Promise<void>;
}

export interface ExporterOptions {
  readonly jim: Jim;
  /** What its state file holds at start; none unless given. */
  readonly ledger?: Ledger;
  /** Arguments of Node itself. */
  readonly nodeArgs?: readonly string[];
}

/** As `npm run build` made it; `npm run` starts us in the folder of the project. */
const MAIN = resolve('dist/main.js');

/** Only the poll, no collectors: their requests are their own. The ceiling is off. */
const OFF = ['progress', 'worker_tasks', 'health', 'error_types', 'failure_causes', 'schedules']
  .concat('inventory', 'certificates')
  .map((collector) => `  ${collector}: { enabled: false }\n`)
  .join('');
const CONFIGURATION = `jim: { requests_per_minute: 100000 }
poll: { schedule: "* * * * * *", max_label_sets: 10000, zero_hold: 1s }
collectors:
  run_stats: never
${OFF}storage: { path: ./data }
`;

export async function startExporter({
  jim,
  ledger,
  nodeArgs = [],
}: ExporterOptions): Promise<Exporter> {
  const folder = await mkdtemp(join(tmpdir(), 'jim-bench-'));
  await writeFile(join(folder, 'jim.yaml'), CONFIGURATION);
  if (ledger !== undefined) {
    const store = await openStateFile(join(folder, 'data'), Date.now);
    await store.commit(ledger);
    await store.close();
  }
  const begunMs = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...nodeArgs,
      MAIN,
      '--config.file=jim.yaml',
      '--web.listen-address=127.0.0.1:0',
      '--web.max-requests=0',
    ],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'], JIM_URL: jim.url, JIM_API_KEY: 'bench' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const kill = endOf(child, 'SIGTERM');
  const stop = onceStopped(async () => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  });
  const url = `http://${await listeningOn(child)}`;
  await untilAnswering(`${url}/metrics`);
  const startedInMs = performance.now() - begunMs;
  const value = async (name: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const found = new RegExp(`^${name} (.*)$`, 'm').exec(text);
    return Number(found?.[1] ?? Number.NaN);
  };
  return {
    url,
    pid: child.pid ?? -1,
    startedInMs,
    value,
    until: async (name, wanted, withinMs = 120_000) => {
      const deadlineMs = performance.now() + withinMs;
      while ((await value(name)) !== wanted) {
        if (performance.now() > deadlineMs) throw new Error(`${name} never became ${wanted}`);
        await sleep(20);
      }
    },
    residentMegabytes: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_000;
    },
    stateFile: join(folder, 'data', 'ledger.state'),
    stop,
  };
}

function listeningOn(child: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    let log = '';
    // Read on to the end: a full pipe would stop it.
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      const address = /msg="Listening on" address=(\S+)/.exec(log)?.[1];
      if (address !== undefined) found(address);
    });
    child.once('exit', () => failed(new Error(`the exporter ended: ${log}`)));
  });
}

async function untilAnswering(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(url).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.ok === true) return;
    await sleep(2);
  }
}

/** In ticks of a hundredth, as the system counts a process and the children it has now. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold spaces; the 14th and 15th fields of all are user and system time.
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
  const theirs = await Promise.all(
    children === '' ? [] : children.split(' ').map((child) => cpuSecondsOf(Number(child))),
  );
  return (
    (Number(fields[11]) + Number(fields[12])) / 100 +
    theirs.reduce((sum, seconds) => sum + seconds, 0)
  );
}

function forked(script: string): ChildProcess {
  return fork(fileURLToPath(new URL(script, import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

function endOf(child: ChildProcess, signal: NodeJS.Signals): () => Promise<void> {
  const ended = once(child, 'exit');
  return onceStopped(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  });
}

/** One message, one answer, one at a time. */
function inTurns(child: ChildProcess): (message: JimOrder | LoadJob) => Promise<unknown> {
  let last: Promise<unknown> = Promise.resolve();
  return (message) => {
    const answered = last.then(async () => {
      child.send(message);
      const [answer] = (await once(child, 'message')) as [unknown];
      return answer;
    });
    last = answered.catch(() => undefined);
    return answered;
  };
}
