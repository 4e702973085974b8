/** The real program against a real JIM simulator: how soon it serves, that every signal in every phase ends it well, what it may be denied, what its log says. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SimulatorServer } from '../src/demo/server.ts';
import { startSimulatorServer } from '../src/demo/server.ts';
import { createSimulator } from '../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../src/demo/world.ts';
import { decodeLedger } from '../src/ledger/encoding.ts';
import { emptyLedger } from '../src/ledger/ledger.ts';
import type { ActivityId } from '../src/jim/activity.ts';
import { instant } from '../src/jim/activity.ts';
import { bytesOf } from './ledger/bytes-of.ts';
import { runExporter, startExporter } from './exporter-process.ts';
import type { ExporterOptions, ExporterProcess } from './exporter-process.ts';
import { HR_SYSTEM, RUN } from './poll/rows.ts';

let folder: string;
let world: World;
let jim: SimulatorServer;
let started: ExporterProcess[];
let servers: Server[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jim-process-'));
  world = new World({ seed: 'process', startMs: Date.now(), dialect: '0.14' });
  world.systems = [HR_SYSTEM];
  const simulator = createSimulator({ world, now: () => Date.now(), quirks: { rateLimit: false } });
  jim = await startSimulatorServer(simulator);
  [started, servers] = [[], []];
});
afterEach(async () => {
  for (const exporter of started) exporter.kill('SIGKILL');
  await Promise.all(started.map(({ ended }) => ended));
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await jim.close();
  rmSync(folder, { recursive: true });
});

const ARGS = [
  '--web.listen-address=127.0.0.1:0',
  '--storage.path=data',
  '--poll.schedule=* * * * * *',
];

function start(options: Partial<ExporterOptions> = {}): ExporterProcess {
  const exporter = startExporter({
    folder,
    args: ARGS,
    environment: { JIM_URL: jim.url, JIM_API_KEY: DEMO_API_KEY },
    ...options,
  });
  started.push(exporter);
  return exporter;
}

async function addressOf(exporter: ExporterProcess): Promise<string> {
  const [, address = ''] = await exporter.waitFor(/msg="Listening on" address=(\S+)/);
  return address;
}

/** A server that takes requests and never answers. */
async function silent(): Promise<string> {
  const server = createServer(() => undefined);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

const stateFile = (): string => join(folder, 'data', 'ledger.state');

/** Node itself needs 40 ms on a machine with nothing else to do; on a busy one all that is measured here grows with it. */
const SECOND_IN_EMPTY_NODES = 1_000 / 40;
function emptyNodeMs(): number {
  const script = 'const { user, system } = process.cpuUsage(); console.log((user + system) / 1000)';
  return Number(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
}

describe('starting', () => {
  test('with a state of a megabyte, it serves after less than a second of work', async () => {
    const created = instant((Date.now() - 3_600_000) * 1_000);
    const counted = Array.from({ length: 11_000 }, (_, i) => {
      const id = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}` as ActivityId;
      return [id, { created, fingerprint: 'Complete/1000/1000/0/0/0' }] as const;
    });
    mkdirSync(join(folder, 'data'));
    const empty = emptyLedger(500);
    const reading = { ...empty.reading, top: created, base: created, enumerated: true };
    const ledger = { ...empty, started: true, reading, counted: new Map(counted) };
    writeFileSync(stateFile(), await bytesOf(ledger));
    expect(readFileSync(stateFile()).length).toBeGreaterThan(1_000_000);
    const exporter = start({
      // Its own processor time when it listens: the clock on the wall would measure the tests beside it.
      nodeArgs: [
        '--import',
        `data:text/javascript,
          import { Server } from 'node:net';
          const { listen } = Server.prototype;
          Server.prototype.listen = function (...args) {
            const { user, system } = process.cpuUsage();
            console.error('worked_ms=' + Math.round((user + system) / 1000));
            return listen.apply(this, args);
          };`,
      ],
    });
    const [, worked] = await exporter.waitFor(/worked_ms=(\d+)/);
    expect(Number(worked) / emptyNodeMs()).toBeLessThan(SECOND_IN_EMPTY_NODES);
  });
});

interface Phase {
  readonly signal: 'SIGTERM' | 'SIGINT';
  readonly options?: () => Promise<Partial<ExporterOptions>>;
  /** Resolves when the phase is reached. */
  readonly reach: (exporter: ExporterProcess) => Promise<unknown>;
}

/** A commit, a start and both signals in a quiet moment are in main.e2e.test.ts. */
const PHASES: Readonly<Record<string, Phase>> = {
  'a first poll that JIM never answers': {
    signal: 'SIGINT',
    options: async () => ({ environment: { JIM_URL: await silent(), JIM_API_KEY: 'jim_ak_key' } }),
    reach: () => Promise.all(servers.map((server) => once(server, 'request'))),
  },
  'the wait for the next poll': {
    signal: 'SIGTERM',
    reach: (exporter) => exporter.waitFor(/first observation complete/),
  },
  'a reload': {
    signal: 'SIGINT',
    options: async () => {
      writeFileSync(join(folder, 'jim.yaml'), 'poll: { settle: 3s }\n');
      return { args: [...ARGS, '--config.file=jim.yaml'] };
    },
    reach: async (exporter) => {
      await exporter.waitFor(/first observation complete/);
      exporter.kill('SIGHUP');
    },
  },
  'a scrape that nobody reads to its end': {
    signal: 'SIGTERM',
    reach: async (exporter) => {
      const [host = '', port = ''] = (await addressOf(exporter)).split(':');
      await exporter.waitFor(/first observation complete/);
      const socket = connect({ host, port: Number(port) }).pause();
      socket.on('error', () => undefined);
      socket.write('GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n'.repeat(500));
      await new Promise((resolve) => setTimeout(resolve, 100));
    },
  },
};

describe.each(Object.entries(PHASES))('in %s', (_, { signal, options, reach }) => {
  test(`${signal} ends it with 0, within 10 s`, async () => {
    const exporter = start(await options?.());
    await reach(exporter);
    const began = Date.now();
    exporter.kill(signal);
    expect(await exporter.ended, exporter.stderr()).toBe(0);
    expect(Date.now() - began).toBeLessThan(10_000);
    expect(exporter.stderr()).toMatch(/msg=Stopped\n$/);
    // Nothing half-written, no lock; and what was seen is on the disk, whole.
    const left = readdirSync(join(folder, 'data'));
    if (exporter.stderr().includes('first observation complete')) {
      expect(left).toEqual(['ledger.state']);
      expect(decodeLedger(readFileSync(stateFile()), stateFile()).started).toBe(true);
    } else {
      expect(left).toEqual([]);
    }
  });
});

describe('without a restart', () => {
  test('POST /-/reload takes over a good file as a whole, a bad one not at all, and its metrics say so', async () => {
    const file = join(folder, 'jim.yaml');
    writeFileSync(file, 'poll: { zero_hold: 1m }\n');
    const args = [...ARGS, '--config.file=jim.yaml', '--web.enable-lifecycle'];
    const url = `http://${await addressOf(start({ args }))}`;
    const reload = (): Promise<Response> => fetch(`${url}/-/reload`, { method: 'POST' });
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(
        new RegExp(`^jim_exporter_config_last_reload_${name} (\\S+)$`, 'm').exec(text)?.[1],
      );
    };
    const startedAt = await metric('success_timestamp_seconds');
    expect(await metric('successful')).toBe(1);

    // The first of the two would be fine.
    writeFileSync(file, 'poll: { zero_hold: 2m, setle: 9s }\n');
    const refused = await reload();
    expect([refused.status, await refused.text()]).toEqual([
      500,
      `failed to reload config: jim.yaml:1: poll.setle: is no key known here; did you mean "settle"?\n`,
    ]);
    await expect.poll(() => metric('successful'), { timeout: 20_000 }).toBe(0);
    expect(await metric('success_timestamp_seconds')).toBe(startedAt);

    writeFileSync(file, 'poll: { zero_hold: 2m, settle: 9s }\n');
    expect((await reload()).status).toBe(200);
    await expect.poll(() => metric('successful'), { timeout: 20_000 }).toBe(1);
    expect(await metric('success_timestamp_seconds')).toBeGreaterThan(startedAt);
  });

  test('a changed web configuration file counts, a bad one answers 500 until it is mended', async () => {
    const file = join(folder, 'web.yml');
    const frames = (value: string): string =>
      `http_server_config: { headers: { X-Frame-Options: ${value} } }\n`;
    writeFileSync(file, frames('deny'));
    const exporter = start({ args: [...ARGS, '--web.config.file=web.yml'] });
    const url = `http://${await addressOf(exporter)}/metrics`;
    const answer = async (): Promise<string> => {
      const response = await fetch(url);
      return `${response.status} ${response.headers.get('x-frame-options') ?? 'none'}`;
    };
    expect(await answer()).toBe('200 deny');
    writeFileSync(file, frames('sometimes'));
    await expect.poll(answer, { timeout: 10_000 }).toBe('500 none');
    writeFileSync(file, frames('sameorigin'));
    await expect.poll(answer, { timeout: 10_000 }).toBe('200 sameorigin');
    expect(exporter.stderr()).toMatch(/msg="Web configuration file is good again" lasted_seconds=/);

    writeFileSync(file, frames('sometimes'));
    exporter.kill('SIGTERM');
    expect(await exporter.ended).toBe(0);
    const refused = await runExporter({
      folder,
      args: [...ARGS, '--web.config.file=web.yml'],
      environment: { JIM_URL: jim.url, JIM_API_KEY: DEMO_API_KEY },
    });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('X-Frame-Options: must be deny or sameorigin');
  });
});

describe('what nobody expected', () => {
  test.each([
    ['a rejection', `Promise.reject(new Error('boom'))`, 'err=boom'],
    ['something thrown that is no error', `{ throw 'boom' }`, 'err=boom'],
  ])('%s ends it with 70 and one line', async (_, statement, err) => {
    const boom = `data:text/javascript,process.on('SIGUSR2', () => ${statement})`;
    const exporter = start({ nodeArgs: ['--import', boom] });
    await addressOf(exporter);
    const before = exporter.stderr();
    exporter.kill('SIGUSR2');
    expect(await exporter.ended).toBe(70);
    const lines = exporter.stderr().slice(before.length).trimEnd().split('\n');
    const bug = lines.filter((line) => line.includes('which is a bug; the process ends'));
    expect(bug).toEqual([expect.stringContaining(err)]);
    expect(lines.at(-1)).toBe(bug[0]);
  });
});

describe('Node’s restrictions', () => {
  const NODE_MAJOR = Number(process.versions.node.split('.')[0]);
  const ROOT = new URL('..', import.meta.url).pathname;

  test('--permission: reading itself and /proc and writing its storage is all it needs', async () => {
    const star = NODE_MAJOR < 22 ? '*' : '';
    mkdirSync(join(folder, 'data'));
    const exporter = start({
      nodeArgs: [
        NODE_MAJOR < 22 ? '--experimental-permission' : '--permission',
        ...['dist/', 'node_modules/', 'package.json'].map(
          (path) => `--allow-fs-read=${ROOT}${path}${path.endsWith('/') ? star : ''}`,
        ),
        `--allow-fs-read=${join(folder, 'data', star)}`,
        // process_* and nodejs_* are read there; without it they are 0.
        `--allow-fs-read=/proc/${star}`,
        `--allow-fs-write=${join(folder, 'data', star)}`,
        ...(NODE_MAJOR < 25 ? [] : ['--allow-net']),
      ],
    });
    await exporter.waitFor(/first observation complete/);
    const url = `http://${await addressOf(exporter)}/metrics`;
    const metrics = async (): Promise<string> => (await fetch(url)).text();
    await expect.poll(metrics, { timeout: 20_000 }).toMatch(/^jim_up 1$/m);
    expect(await metrics()).toMatch(/^process_open_fds [1-9]/m);
    exporter.kill('SIGTERM');
    expect(await exporter.ended, exporter.stderr()).toBe(0);
  });

  test('--frozen-intrinsics: not with pino, which sets Error.prepareStackTrace; the README says so', async () => {
    const { code, stderr } = await runExporter({
      folder,
      args: ARGS,
      environment: { JIM_URL: jim.url, JIM_API_KEY: DEMO_API_KEY },
      nodeArgs: ['--frozen-intrinsics'],
    });
    expect(code).toBe(1);
    // Thrown while the program's own file, which holds pino, is loaded: its first line was never written.
    expect(stderr).toMatch(/^\S+\/dist\/program\.cjs:\d+$/m);
    expect(stderr).not.toContain('Starting jim-exporter');
  });
});

describe('the log at debug level', () => {
  test('shows each request with its template, status, time and rows, and each decision by id', async () => {
    const exporter = start({ args: [...ARGS, '--log.level=debug'] });
    await exporter.waitFor(/first observation complete/);
    const id = world.insert({
      ...RUN,
      created: world.jimNow - 10e6,
      status: 'Complete',
      executionTime: 1e6,
      totalActivityTime: 2e6,
      initiatedByName: 'Grace Hopper',
      targetName: 'Full Import\nlevel=error msg=forged',
    });
    await exporter.waitFor(
      new RegExp(`level=debug source=poll msg=account activity_id=${id} verdict=`),
    );
    await exporter.waitFor(
      /level=debug source=main msg="request to JIM" endpoint=\/api\/v1\/activities code=200 seconds=\S+ rows=1\n/,
    );
    await exporter.waitFor(
      /msg="request to JIM" endpoint=\/api\/v1\/health\/version code=200 seconds=\S+\n/,
    );
    exporter.kill('SIGTERM');
    await exporter.ended;
    const shown = exporter.stderr();
    expect(shown).not.toContain('Grace Hopper');
    expect(shown).not.toContain(DEMO_API_KEY);
    expect(shown.match(/^(?!time=)/gm) ?? []).toEqual(['']);
  });

  test('tells an outage once, and its end with how long it lasted', async () => {
    const { port } = new URL(jim.url);
    await jim.close();
    const exporter = start();
    await exporter.waitFor(/msg="poll failed" reason=unreachable/);
    // Several more polls fail meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const simulator = createSimulator({
      world,
      now: () => Date.now(),
      quirks: { rateLimit: false },
    });
    jim = await startSimulatorServer(simulator, { port: Number(port) });
    await exporter.waitFor(
      /level=info source=poll msg="polls succeed again" failed_for_seconds=[\d.]+/,
    );
    expect(exporter.stderr().match(/msg="poll failed"/g)).toHaveLength(1);
    expect(exporter.stderr()).not.toContain('poll failed again');
  });
});
