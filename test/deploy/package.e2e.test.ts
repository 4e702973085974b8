/** The published package: exactly what runs is in it, and from its tarball it runs in an empty folder on every Node we name. */
import { execFile, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { productionPackages } from './lockfile.ts';
import { outputOf } from './output.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname;
const run = promisify(execFile);
const npmEnvironment = { ...process.env, npm_config_prefer_offline: 'true' };

/** A folder with nothing but the installed package. */
let folder: string;
let scratch: string;
let packed: { readonly filename: string; readonly files: readonly PackedFile[] };
interface PackedFile {
  readonly path: string;
  readonly mode: number;
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'jim-package-'));
  const source = join(scratch, 'source');
  mkdirSync(source);
  // Without what was built here before: `prepack` builds.
  for (const name of readdirSync(REPOSITORY)) {
    if (/^(dist|node_modules|coverage|test|\.git|\.cache)$/.test(name)) continue;
    cpSync(join(REPOSITORY, name), join(source, name), { recursive: true });
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), join(source, 'node_modules'));
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--silent', `--pack-destination=${scratch}`],
    {
      cwd: source,
      env: { ...npmEnvironment, REVISION: 'abcdef123456' },
      maxBuffer: 16 * 1024 * 1024,
    },
  );
  packed = packedOf(JSON.parse(stdout));
  folder = join(scratch, 'empty');
  mkdirSync(folder);
  await run('npm', ['install', '--ignore-scripts', '--no-audit', tarball()], {
    cwd: folder,
    env: npmEnvironment,
  });
}, 180_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** npm 11 prints an object by name, the npm before a list. */
function packedOf(printed: unknown): typeof packed {
  return Object.values(printed as Record<string, typeof packed>)[0] as typeof packed;
}

function tarball(): string {
  return join(scratch, packed.filename);
}

describe('the package', () => {
  test('contains what runs, its types, and what people load into Prometheus and Grafana; nothing else', () => {
    const types = readdirSync(join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !['build-stamp.ts', 'code-cache.ts'].includes(path))
      .map((path) => `dist/${path.replace(/\.ts$/, '')}.d.ts`);
    // The program, what embeds it, and what they share or load when it is asked for.
    const code = readdirSync(join(REPOSITORY, 'dist'))
      .filter((name) => name.endsWith('.js') && !['build-stamp.js', 'code-cache.js'].includes(name))
      .map((name) => `dist/${name}`);
    expect(code).toEqual(expect.arrayContaining(['dist/main.js', 'dist/app.js']));
    expect(packed.files.map(({ path }) => path).toSorted()).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'alerts/README.md',
        'alerts/alertmanager.example.yaml',
        'alerts/jim.rules.yaml',
        'alerts/runbooks/bridge.md',
        'alerts/runbooks/jim.md',
        'dashboards/jim-connected-system.json',
        'dashboards/jim-exporter.json',
        'dashboards/jim-overview.json',
        'dist/build.json',
        'dist/program.cache',
        'dist/program.cjs',
        ...code,
        ...types,
        'package.json',
      ].toSorted(),
    );
  });

  test('has a program that starts by itself, and types that a compiler takes', async () => {
    const main = join(folder, 'node_modules', 'jim-exporter', 'dist', 'main.js');
    expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    const program = join(folder, 'node_modules', '.bin', 'jim-exporter');
    expect(statSync(program).mode & 0o111).toBe(0o111);
    const { stdout } = await run(program, ['--version'], { cwd: folder });
    expect(stdout).toMatch(/^jim-exporter, version \d+\.\d+\.\d+ \(revision: abcdef123456\)$/m);
    const embedding = join(folder, 'embedding.ts');
    writeFileSync(
      embedding,
      `import { startApp } from 'jim-exporter';\nexport const start: (options: { config: string }) => string = startApp;\n`,
    );
    const tsc = join(REPOSITORY, 'node_modules', '.bin', 'tsc');
    const types = ['--types', 'node', '--typeRoots', join(REPOSITORY, 'node_modules', '@types')];
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      ...types,
    ];
    const said = await run(tsc, [...options, embedding], { cwd: folder }).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
    expect(said).toMatch(/'\(options: AppOptions\) => Promise<App>' is not assignable/);
    expect(said).not.toMatch(/TS7016|TS2307/);
  });

  test('brings only packages that are locked here, none of which wants an install script', () => {
    const production = productionPackages();
    expect(production.filter(({ hasInstallScript }) => hasInstallScript)).toEqual([]);
    const installed = JSON.parse(
      readFileSync(join(folder, 'node_modules', '.package-lock.json'), 'utf8'),
    ) as { packages: Record<string, { hasInstallScript?: boolean }> };
    const names = Object.keys(installed.packages).map((path) =>
      path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
    );
    const known = new Set(['jim-exporter', ...production.map(({ name }) => name)]);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });

  test('has licences that we allow', () => {
    const allowed = ['Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'];
    expect(productionPackages().filter(({ license = '' }) => !allowed.includes(license))).toEqual(
      [],
    );
  });
});

/** What starts the installed program: itself, or npx with another Node, as one would try it. */
const STARTS: readonly (readonly [node: string, command: readonly string[]])[] = [
  [process.version, ['npx', '--no-install']],
  ['v22', ['npx', '--yes', '--package=node@22', '--']],
  ['v24', ['npx', '--yes', '--package=node@24', '--']],
];

describe.concurrent.each(STARTS)('on Node %s', (node, [npx = '', ...words]) => {
  test('serves the demo until it is told to stop', { timeout: 180_000 }, async (context) => {
    // Tests that run side by side have an expect each.
    const expectHere = context.expect;
    const demo = outputOf(
      spawn(npx, [...words, 'jim-exporter', 'demo', '--web.listen-address=127.0.0.1:0'], {
        cwd: folder,
        env: npmEnvironment,
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      }),
    );
    const [metrics] = await demo.match(/http:\/\/\S+\/metrics/);
    expectHere(demo.text()).toContain(` revision=abcdef123456 `);
    expectHere(demo.text()).toContain(` node_version=${node}`);
    await expectHere
      .poll(async () => (await fetch(metrics)).text(), { timeout: 30_000 })
      .toMatch(/^jim_up 1$/m);
    demo.interrupt();
    await demo.ended;
    expectHere(demo.text()).toMatch(/msg=Stopped\n$/);
  });
});
