/** The program as a process: what it prints, how it ends, what signals do. JIM is a server that refuses, or none. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startSimulatorServer } from '../src/demo/server.ts';
import { createSimulator } from '../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../src/demo/world.ts';
import { runExporter, startExporter } from './exporter-process.ts';
import type { ExporterOptions, ExporterProcess } from './exporter-process.ts';

const KEY = 'jim_ak_do_not_show_me';

let folder: string;
let started: ExporterProcess[];
let servers: Server[];
let cleanups: (() => Promise<void>)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-main-'));
  [started, servers, cleanups] = [[], [], []];
});
afterEach(async () => {
  for (const exporter of started) exporter.kill('SIGKILL');
  await Promise.all(started.map(({ ended }) => ended));
  for (const server of servers) server.close();
  for (const cleanup of cleanups) await cleanup();
  rmSync(folder, { recursive: true });
});

/** Port 1 answers nobody. */
const ENVIRONMENT = { JIM_URL: 'http://127.0.0.1:1', JIM_API_KEY: KEY };
const QUIET = ['--web.listen-address=127.0.0.1:0'];

function start(options: Partial<ExporterOptions> = {}): ExporterProcess {
  const exporter = startExporter({ folder, args: QUIET, environment: ENVIRONMENT, ...options });
  started.push(exporter);
  return exporter;
}

async function startListening(options: Partial<ExporterOptions> = {}): Promise<{
  readonly exporter: ExporterProcess;
  readonly url: string;
}> {
  const exporter = start(options);
  const [, address = ''] = await exporter.waitFor(/msg="Listening on" address=(\S+)/);
  return { exporter, url: `http://${address}` };
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A JIM that never answers; `asked` resolves when a poll waits for it. */
async function hangingJim(): Promise<{
  readonly environment: Readonly<Record<string, string>>;
  readonly asked: Promise<unknown>;
}> {
  const server = createServer(() => undefined);
  const asked = once(server, 'request');
  const port = await listen(server);
  return { environment: { ...ENVIRONMENT, JIM_URL: `http://127.0.0.1:${port}` }, asked };
}

/** What a process has worked so far. The machine may be busy with other tests: the clock on the wall would measure those. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const CLOCK_TICKS_PER_SECOND = 100;
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

describe('the first contact', () => {
  it('says what is missing, the one line that mends it, and that there is a demo', async () => {
    expect(await runExporter({ folder })).toEqual({
      code: 1,
      stdout: '',
      stderr: [
        'jim-exporter cannot start:',
        '  jim.url: is missing; give the address of JIM with --jim.url=https://jim.example.com, JIM_URL, or url below jim in the configuration file',
        '  jim.api_key: is missing; name the file that holds it with --jim.api-key-file, JIM_API_KEY_FILE or api_key_file, or give it in the variable JIM_API_KEY',
        '',
        'Start it with:     JIM_URL=https://jim.example.com JIM_API_KEY_FILE=jim.key jim-exporter',
        'Without any JIM:   jim-exporter demo',
        '',
      ].join('\n'),
    });
  });

  it('prints version and help on stdout, a bad flag on stderr', async () => {
    const version = await runExporter({ folder, args: ['--version'] });
    expect(version).toMatchObject({ code: 0, stderr: '' });
    expect(version.stdout).toMatch(
      /^jim-exporter, version \d+\.\d+\.\d+ \(revision: \w+\)\n {2}build date: {4}\d{4}-\S+Z\n {2}node version: {2}v\d\S+\n$/,
    );
    const help = await runExporter({ folder, args: ['--help'] });
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('Usage: jim-exporter');
    const bad = await runExporter({ folder, args: ['--web.listen=x'] });
    expect(bad).toMatchObject({ code: 1, stdout: '' });
    expect(bad.stderr).toContain("unknown option '--web.listen=x'");
  });

  it('checks a configuration', async () => {
    writeFileSync(join(folder, 'jim.yaml'), `jim: { url: https://jim, api_key: ${KEY} }\n`);
    const good = await runExporter({ folder, args: ['check-config', '--config.file=jim.yaml'] });
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toMatch(/^The configuration is good\.\n/);
    expect(good.stdout).not.toContain(KEY);
    const bad = await runExporter({
      folder,
      args: ['--config.check', '--config.file=jim.yaml', '--log.level=x', '--web.max-requests=y'],
    });
    expect(bad).toMatchObject({ code: 1, stdout: '' });
    expect(bad.stderr.trimEnd().split('\n')).toHaveLength(3);
  });
});

describe('serving', () => {
  it('says first which build it is, then where it listens, and answers while JIM does not', async () => {
    const { exporter, url } = await startListening();
    expect(exporter.stderr()).toMatch(
      /^time=\S+ level=info source=main msg="Starting jim-exporter" version=\S+ revision=\S+ build_date=\S+ node_version=\S+\n/,
    );
    expect((await fetch(`${url}/-/healthy`)).status).toBe(200);
    await exporter.waitFor(/reason=unreachable/);
    expect((await fetch(`${url}/-/ready`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^jim_up 0$/m);
    expect(exporter.stdout()).toBe('');
  });

  it('serves what the state file holds from its first moment, before JIM has answered', async () => {
    const { environment } = await hangingJim();
    const { url } = await startListening({ environment });
    const answer = await fetch(`${url}/metrics`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toMatch(/^jim_up 0$/m);
    expect((await fetch(`${url}/-/ready`)).status).toBe(200);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s', async (signal) => {
    const { exporter } = await startListening();
    exporter.kill(signal);
    expect(await exporter.ended).toBe(0);
    expect(exporter.stderr()).toMatch(new RegExp(`msg=Stopping signal=${signal}\n`));
    expect(exporter.stderr()).toMatch(/msg=Stopped\n$/);
  });

  it('ends with 0 when told to in the middle of its start, or of a poll that hangs', async () => {
    const starting = start();
    await starting.waitFor(/Starting/);
    starting.kill('SIGTERM');
    expect(await starting.ended).toBe(0);

    const { environment, asked } = await hangingJim();
    const { exporter } = await startListening({ environment });
    await asked;
    const before = Date.now();
    exporter.kill('SIGTERM');
    expect(await exporter.ended).toBe(0);
    expect(Date.now() - before).toBeLessThan(10_000);
  });

  it('ends with 0, and what it counted on disk, when told to in the middle of a commit', async () => {
    // Every flush to the disk takes half a second and is told.
    const slowDisk = `data:text/javascript,
      import { open } from 'node:fs/promises';
      const handle = await open('/dev/null');
      const FileHandle = Object.getPrototypeOf(handle);
      const { sync } = FileHandle;
      FileHandle.sync = async function () {
        console.error('flushing');
        await new Promise((resolve) => setTimeout(resolve, 500));
        return sync.call(this);
      };
      await handle.close();`;
    const world = new World({ seed: 'stop', startMs: Date.now(), dialect: '0.14' });
    const jim = await startSimulatorServer(createSimulator({ world, now: () => Date.now() }));
    cleanups.push(() => jim.close());
    const exporter = start({
      args: [...QUIET, '--storage.path=data'],
      environment: { JIM_URL: jim.url, JIM_API_KEY: DEMO_API_KEY },
      nodeArgs: ['--import', slowDisk],
    });
    await exporter.waitFor(/flushing/);
    exporter.kill('SIGTERM');
    expect(await exporter.ended).toBe(0);
    expect(exporter.stderr()).toMatch(/msg=Stopped\n$/);
    expect(readdirSync(join(folder, 'data'))).toEqual(['ledger.state']);
  });

  it('is asked twice by one Ctrl-C through npm, and at a person’s second ends at once', async () => {
    const { environment, asked } = await hangingJim();
    const { exporter } = await startListening({ environment });
    await asked;
    exporter.kill('SIGINT');
    exporter.kill('SIGINT');
    await exporter.waitFor(/Stopping/);
    await new Promise((resolve) => setTimeout(resolve, 700));
    exporter.kill('SIGINT');
    expect(await exporter.ended).toBe(130);
    expect(exporter.stderr()).toMatch(/msg="Ending at once, as told twice[^\n]*\n$/);
  });

  it('writes one JSON object a line where that is asked for', async () => {
    const { exporter } = await startJson();
    exporter.kill('SIGTERM');
    await exporter.ended;
    for (const line of exporter.stderr().trimEnd().split('\n')) {
      expect(Object.keys(JSON.parse(line) as object)).toEqual(
        expect.arrayContaining(['time', 'level', 'source', 'msg']),
      );
    }
  });

  async function startJson(): Promise<{ readonly exporter: ExporterProcess }> {
    const exporter = start({ args: [...QUIET, '--log.format=json'] });
    await exporter.waitFor(/"msg":"Listening on"/);
    return { exporter };
  }

  it('never shows the key, though JIM refuses it and everything is logged', async () => {
    const port = await listen(
      createServer((request, response) => {
        response.statusCode = 401;
        response.setHeader('Content-Type', 'text/plain');
        response.end(`no such key: ${String(request.headers['x-api-key'])}`);
      }),
    );
    const { exporter, url } = await startListening({
      args: [...QUIET, '--log.level=debug'],
      environment: { ...ENVIRONMENT, JIM_URL: `http://127.0.0.1:${port}` },
    });
    await exporter.waitFor(/reason=unauthorized/);
    const pages = await Promise.all(
      ['/', '/metrics', '/-/ready', '/nowhere'].map(async (path) =>
        (await fetch(url + path)).text(),
      ),
    );
    exporter.kill('SIGTERM');
    expect(await exporter.ended).toBe(0);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
    const shown = [exporter.stderr(), exporter.stdout(), ...pages, ...files].join('\n');
    expect(shown).not.toContain('do_not_show_me');
  });
});

describe('a start that cannot be', () => {
  it('names the port that is taken', async () => {
    const port = await listen(createServer());
    const { code, stderr } = await runExporter({
      folder,
      args: [`--web.listen-address=127.0.0.1:${port}`],
      environment: ENVIRONMENT,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`level=error source=main msg="Cannot start" err=".*127.0.0.1:${port}`),
    );
  });

  it('leaves a state file alone that it does not understand', async () => {
    mkdirSync(join(folder, 'data'));
    const file = join(folder, 'data', 'ledger.state');
    writeFileSync(file, '{"not":"ours"}');
    const { code, stderr } = await runExporter({ folder, args: QUIET, environment: ENVIRONMENT });
    expect(code).toBe(1);
    expect(stderr).toContain('msg="Cannot start"');
    expect(readFileSync(file, 'utf8')).toBe('{"not":"ours"}');
  });

  it('does not share its storage with another exporter', async () => {
    await startListening();
    const { code, stderr } = await runExporter({ folder, args: QUIET, environment: ENVIRONMENT });
    expect(code).toBe(1);
    expect(stderr).toContain('msg="Cannot start"');
  });
});

describe('SIGHUP', () => {
  const good = 'poll: { schedule: "*/20 * * * * *" }\n';
  const interval = async (url: string): Promise<string | undefined> =>
    /^jim_exporter_poll_interval_seconds (\S+)$/m.exec(
      await (await fetch(`${url}/metrics`)).text(),
    )?.[1];

  it('takes over a good file, and keeps the old values where it is bad', async () => {
    const file = join(folder, 'jim.yaml');
    writeFileSync(file, good);
    const { exporter, url } = await startListening({ args: [...QUIET, '--config.file=jim.yaml'] });
    await expect.poll(() => interval(url)).toBe('20');

    writeFileSync(file, 'poll: { shedule: x }\n');
    exporter.kill('SIGHUP');
    await exporter.waitFor(/the old one stays.*did you mean \\"schedule\\"\?/);

    writeFileSync(file, 'poll: { schedule: "*/30 * * * * *" }\nstorage: { path: elsewhere }\n');
    exporter.kill('SIGHUP');
    await exporter.waitFor(/settings=storage\.path/);
    await expect.poll(() => interval(url), { timeout: 20_000 }).toBe('30');
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^jim_exporter_config_last_reload_successful 1$/m);
  });
});

describe('what nobody expected', () => {
  it('ends the process with one clear line and a code of its own', async () => {
    const boom = `data:text/javascript,process.on('SIGUSR2', () => { throw new Error('boom') })`;
    const { exporter } = await startListening({ nodeArgs: ['--import', boom] });
    exporter.kill('SIGUSR2');
    expect(await exporter.ended).toBe(70);
    const last = exporter.stderr().trimEnd().split('\n').at(-1);
    expect(last).toMatch(
      /level=error source=main msg="Unexpected error, which is a bug; the process ends" err=boom stack=/,
    );
  });
});

describe('the demo', () => {
  it('prints within 5 seconds where to look, and needs nothing', async () => {
    const exporter = start({ args: ['demo', ...QUIET], environment: {} });
    const [, metrics = ''] = await exporter.waitFor(/(http:\/\/\S+\/metrics)/);
    await exporter.waitFor(/status page\s+http:\S+\/\n/);
    expect(processorSeconds(exporter.pid)).toBeLessThan(5);
    await expect
      .poll(async () => (await fetch(metrics)).text(), { timeout: 20_000 })
      .toMatch(/^jim_up 1$/m);
    exporter.kill('SIGINT');
    expect(await exporter.ended).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });
});
