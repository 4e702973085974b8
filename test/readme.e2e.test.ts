/**
 * The commands of the README, run as they stand there: in a copy of the project, with a simulated JIM in the place of
 * https://jim.example.com. A command that no line of the table below knows fails the test, so that none goes untried.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SimulatorServer } from '../src/demo/server.ts';
import { startSimulatorServer } from '../src/demo/server.ts';
import { createSimulator } from '../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../src/demo/world.ts';
import { RUN } from './poll/rows.ts';

const ROOT = new URL('..', import.meta.url).pathname;
/** What the copy is made of; what `npm ci` would bring is linked, since CI has just run it. */
const COPIED = [
  'Dockerfile',
  '.npmrc',
  'package-lock.json',
  'package.json',
  'tsconfig.json',
  '.rolldown.config.js',
  'README.md',
  'src',
  'test',
  'dashboards',
  'alerts',
  'deploy',
];

let folder: string;
let jim: SimulatorServer;
const alertmanager = { url: '', close: (): void => undefined };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jim-readme-'));
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const world = new World({ seed: 'readme', startMs: Date.now(), dialect: '0.14' });
  world.insert(RUN);
  jim = await startSimulatorServer(createSimulator({ world, now: () => Date.now() }));
  const server = createServer((request, response) =>
    request.resume().on('end', () => response.end()),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  alertmanager.url = `http://127.0.0.1:${address.port}`;
  alertmanager.close = () => void server.close();
});
afterAll(async () => {
  await jim.close();
  alertmanager.close();
  rmSync(folder, { recursive: true, force: true });
});

/** As the README has it, but for what must differ: JIM's address and key, a port of our own; `npm ci` has been. */
function here(command: string): string {
  return command
    .replaceAll('https://jim.example.com', jim.url)
    .replace('jim_ak_…', DEMO_API_KEY)
    .replace('<seed>', '7');
}

const ENVIRONMENT = {
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '',
  JIM_EXPORTER_WEB_LISTEN_ADDRESS: '127.0.0.1:0',
};

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

function shell(command: string): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn('sh', ['-c', command], { cwd: folder, env: ENVIRONMENT, detached: true });
  let output = '';
  const listen = (text: string): void => {
    output += text;
    child.emit('told', output);
  };
  child.stdout.setEncoding('utf8').on('data', listen);
  child.stderr.setEncoding('utf8').on('data', listen);
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code) => resolve({ code, output })),
  );
  return { child, ended };
}

type Trial = (command: string) => Promise<void>;

const says =
  (pattern: RegExp): Trial =>
  async (command) => {
    const { code, output } = await shell(command).ended;
    expect(output).toMatch(pattern);
    expect(code, output).toBe(0);
  };
const succeeds = says(/^/);

/** Runs until its output matches, then ends it as Ctrl-C at a terminal does: the whole process group. */
const serves =
  (pattern: RegExp): Trial =>
  async (command) => {
    const { child, ended } = shell(command);
    const isReady = new Promise<boolean>((resolve) => {
      child.on('told', (output: string) => pattern.test(output) && resolve(true));
      void ended.then(() => resolve(false));
    });
    const wasReady = await isReady;
    if (wasReady && child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
    const { output } = await ended;
    expect(wasReady, output).toBe(true);
    expect(output).toMatch(pattern);
  };

/** What a whole run of would take too long, or needs what is not here: the file that stands in for it says the same. */
const standsIn =
  (file: string, pattern: RegExp): Trial =>
  async () =>
    expect(readFileSync(join(ROOT, file), 'utf8')).toMatch(pattern);

const leavesAsCommitted =
  (path: string): Trial =>
  async (command) => {
    await succeeds(command);
    expect(readFileSync(join(folder, path), 'utf8')).toBe(readFileSync(join(ROOT, path), 'utf8'));
  };

/** As installed: `jim-exporter` is `dist/main.js`, and its settings come from the environment. */
const installed =
  (pattern: RegExp): Trial =>
  (command) =>
    says(pattern)(
      `JIM_URL=${jim.url} JIM_API_KEY=${DEMO_API_KEY} ${command.replace(/^jim-exporter/, 'node dist/main.js')}`,
    );

/** By how a command begins, once what must differ does; the first that fits. In the order of the README: some need the build. */
const TRIALS: readonly (readonly [beginning: RegExp, trial: Trial])[] = [
  [/^npm run demo$/, serves(/metrics {2,}http:\S+\/metrics\n.*status page {2,}http:\S+\/\n/s)],
  [/^npm test$/, (command) => succeeds(`${command} -- test/config/duration.test.ts`)],
  // No Docker engine is to be had where the tests run.
  [
    /^docker compose -f deploy\/compose\/compose\.yaml up/,
    standsIn('deploy/compose/compose.yaml', /^services:/m),
  ],
  [/^npm run build$/, succeeds],
  [/^printf '%s' '/, succeeds],
  [
    /^JIM_URL=http.* check-config --connect$/,
    says(/^The configuration is good\.\n[\s\S]*0\.14\.0/),
  ],
  [
    /^JIM_URL=http.* node dist\/main\.js$/,
    serves(/msg="Listening on"[\s\S]*msg="first observation complete/),
  ],
  [/^jim-exporter activities list$/, installed(/InProgress .*HR System +Full Import/)],
  [
    /^jim-exporter test-alert$/,
    (command) => installed(/127\.0\.0\.1/)(`${command} --config.file=${alertmanagerFile()}`),
  ],
  [/^npm run dashboards$/, leavesAsCommitted('dashboards/jim-overview.json')],
  [
    /^npm run deploy$/,
    leavesAsCommitted('deploy/kubernetes/prometheus-operator/prometheusrule.yaml'),
  ],
  // No cluster either; deploy/ is judged by test/deploy.
  [
    /^kubectl apply -k deploy\/kubernetes$/,
    standsIn('deploy/kubernetes/kustomization.yaml', /^resources:/m),
  ],
  [/^npm run soak:memory$/, standsIn('package.json', /"soak:memory": ".*test\/soak/)],
  [/^npm run docs$/, leavesAsCommitted('README.md')],
  [/^npm run check$/, standsIn('.ci/run', /npm run check/)],
  [/^npm run soak$/, standsIn('package.json', /"soak": ".*test\/exactly-once\/lives/)],
  // Never part of the tests: it takes minutes and both cores.
  [/^npm run bench$/, standsIn('package.json', /"bench": ".*test\/bench\/bench\.js/)],
  [/^FIRST_SEED=7 LIVES=1 npx vitest/, succeeds],
];

/** An Alertmanager that takes everything. */
function alertmanagerFile(): string {
  const file = join(folder, 'alertmanager.yaml');
  writeFileSync(file, `alerting: { alertmanagers: [{ url: "${alertmanager.url}" }] }\n`);
  return file;
}

const COMMAND = /^(npm|npx|node|docker|kubectl|jim-exporter|printf|curl|cp|[A-Z_]+=)/;

function commandsOf(text: string): readonly string[] {
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block.replaceAll('\\\n', ' ').split('\n'),
  );
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  return [...blocks, ...spans]
    .map((line) => line.replace(/ +#.*$/, '').trim())
    .filter((line) => COMMAND.test(line) && line.includes(' '));
}

describe('a command of the README works:', () => {
  const written = commandsOf(readFileSync(join(ROOT, 'README.md'), 'utf8'));
  test.for([...new Set(written.map((command) => command.replace('npm ci && ', '')))])(
    '%s',
    { timeout: 120_000 },
    async (command) => {
      const replaced = here(command);
      const [, checkThat] = TRIALS.find(([beginning]) => beginning.test(replaced)) ?? [];
      if (checkThat === undefined) throw new Error(`no trial is known for: ${command}`);
      await checkThat(replaced);
    },
  );
});
