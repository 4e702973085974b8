/** The image without Docker: the Dockerfile's own instructions, carried out; then the program as it runs in a container. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Copy } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_PORT, MANIFEST } from './defaults.ts';
import { buildImage, fileOf, lacksMounts, parseDockerfile, startImage } from './image.ts';
import type { Image } from './image.ts';
import { productionPackages } from './lockfile.ts';
import { outputOf } from './output.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname;
const DOCKERFILE = join(REPOSITORY, 'Dockerfile');

describe('the Dockerfile', () => {
  const instructions = parseDockerfile(DOCKERFILE);
  const named = (keyword: string): string[] =>
    instructions
      .filter((instruction) => instruction.getKeyword() === keyword)
      .map((instruction) => instruction.getRawArgumentsContent() ?? '');

  test('has nothing that its linter objects to', () => {
    expect(validate(readFileSync(DOCKERFILE, 'utf8'))).toEqual([]);
  });

  test('names one exact base, replaceable by one with a digest', () => {
    expect(named('ARG')[0]).toMatch(/^BASE=node:(22|24)\.\d+\.\d+-\w+-slim$/);
    expect(named('FROM').map((words) => words.split(' ')[0])).toEqual([
      '${BASE}',
      '${BASE}',
      '${BASE}',
    ]);
  });

  test('runs no package’s install script, and no shell around the program', () => {
    const installs = named('RUN').filter((command) => command.includes('npm ci'));
    expect(installs.length).toBeGreaterThan(0);
    expect(installs.filter((command) => !command.includes('--ignore-scripts'))).toEqual([]);
    expect(named('ENTRYPOINT')).toEqual(['["node", "/app/dist/main.js"]']);
  });

  test('copies only what .dockerignore lets through', () => {
    const allowed = allowedInContext();
    const copied = instructions
      .filter((instruction) => instruction instanceof Copy && instruction.getFlags().length === 0)
      .flatMap((instruction) => instruction.getArguments().slice(0, -1))
      .map((argument) => argument.getValue());
    expect(new Set(copied)).toEqual(new Set(allowed));
  });

  test('has the version of the package', () => {
    expect(named('ARG')).toContain(`VERSION=${MANIFEST.version}`);
  });
});

/** `.dockerignore` shuts everything out and lets these in. */
function allowedInContext(): string[] {
  const lines = readFileSync(join(REPOSITORY, '.dockerignore'), 'utf8').trim().split('\n');
  expect(lines[0]).toBe('*');
  return lines.slice(1).map((line) => line.replace(/^!/, ''));
}

const cannot = lacksMounts();
if (cannot !== null && process.env['REQUIRE_E2E'] === '1') throw new Error(cannot);

describe.skipIf(cannot !== null)('the image', () => {
  /** Unlinked from any disk: the upper folder of an overlay must not itself lie on one. */
  const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'jim-image-'));
  let image: Image;

  beforeAll(async () => {
    const context = join(scratch, 'context');
    for (const path of allowedInContext()) {
      mkdirSync(dirname(join(context, path)), { recursive: true });
      cpSync(join(REPOSITORY, path), join(context, path), { recursive: true });
    }
    image = await buildImage({
      dockerfile: DOCKERFILE,
      context,
      scratch,
      installed: REPOSITORY,
      buildArgs: { REVISION: 'abcdef123456', CREATED: '2026-01-02T03:04:05Z' },
    });
  }, 300_000);
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test('has production dependencies only, and nothing that merely builds or tests', () => {
    const root = fileOf(image, '/app');
    expect(readdirSync(root).toSorted()).toEqual([
      '.npmrc',
      'LICENSE',
      'THIRD-PARTY-NOTICES.txt',
      'alerts',
      'dist',
      'node_modules',
      'package-lock.json',
      'package.json',
      'sbom.cdx.json',
    ]);
    // All else is in the program's own files.
    const installed = installedPackages(join(root, 'node_modules'));
    expect(installed).toContain('@node-rs/bcrypt');
    expect(installed.filter((name) => !name.startsWith('@node-rs/'))).toEqual([]);
  });

  test('lists in its SBOM and its notices all that it contains, with versions', () => {
    const root = fileOf(image, '/app');
    const sbom = JSON.parse(readFileSync(join(root, 'sbom.cdx.json'), 'utf8')) as {
      bomFormat: string;
      components: { group?: string; name: string; version: string }[];
    };
    expect(sbom.bomFormat).toBe('CycloneDX');
    const listed = sbom.components.map(({ name, version }) => `${name}@${version}`);
    const notices = readFileSync(join(root, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
    const contained = productionPackages().filter(({ isOptional }) => !isOptional);
    expect(contained.map(({ name }) => name)).toContain('prom-client');
    for (const { name, version } of contained) {
      expect(listed).toContain(`${name}@${version}`);
      expect(notices).toContain(`${name} ${version}\n`);
    }
    expect(listed.filter((entry) => /^(vitest|typescript|knip)@/.test(entry))).toEqual([]);
  });

  test('has the labels of the OCI', () => {
    expect(image.labels).toEqual({
      'org.opencontainers.image.title': 'jim-exporter',
      'org.opencontainers.image.description': expect.stringContaining(
        'Prometheus exporter',
      ) as string,
      'org.opencontainers.image.version': MANIFEST.version,
      'org.opencontainers.image.revision': 'abcdef123456',
      'org.opencontainers.image.created': '2026-01-02T03:04:05Z',
      'org.opencontainers.image.source': expect.stringMatching(/^https:/) as string,
      'org.opencontainers.image.documentation': expect.stringMatching(/^https:/) as string,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
  });

  test('is told its user by number, and may write its volume alone, which others cannot read', () => {
    expect(image.user).toMatch(/^[1-9]\d+:[1-9]\d+$/);
    expect(image.volumes).toEqual([image.environment['JIM_EXPORTER_STORAGE_PATH']]);
    const volume = statSync(fileOf(image, image.volumes[0] ?? ''));
    expect(`${volume.uid}:${volume.gid}`).toBe(image.user);
    expect(volume.mode & 0o777).toBe(0o700);
    expect(image.ports).toEqual([String(DEFAULT_PORT)]);
  });

  test('serves as that user on a read-only root, is found healthy, and stops with its ledger committed', async () => {
    const program = startImage(image, ['demo', '--web.listen-address=127.0.0.1:0']);
    const output = outputOf(program);
    try {
      const page = await fetch((await output.match(/http:\/\/\S+\/metrics/))[0]);
      const port = new URL(page.url).port;
      expect(await health(image, port)).toBe(0);
      const text = await page.text();
      expect(text).toMatch(/^jim_up /m);
      expect(text).toMatch(/jim_exporter_build_info\{[^}]*revision="abcdef123456"/);
      const status = readFileSync(`/proc/${program.pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m);
      expect(status).toMatch(/^CapBnd:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    } finally {
      program.kill('SIGTERM');
    }
    const began = Date.now();
    expect(await output.ended, output.text()).toBe(0);
    expect(Date.now() - began).toBeLessThan(10_000);
    expect(readdirSync(fileOf(image, '/data'))).toContain('ledger.state');
  });

  test('is found unhealthy while nothing answers', async () => {
    expect(await health(image, '1')).toBe(1);
  });

  test('refuses, with a sentence, a volume that its user may not write', async () => {
    const output = outputOf(
      startImage(image, ['demo', '--web.listen-address=127.0.0.1:0', '--storage.path=/srv/jim']),
    );
    expect(await output.ended).toBe(1);
    expect(output.text()).toMatch(/\/srv\/jim/);
  });
});

function installedPackages(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@')
        ? readdirSync(join(folder, name)).map((inner) => `${name}/${inner}`)
        : [name],
    );
}

/** The exit code of the image's own health check, asking `port` where it asks the default one. */
async function health(image: Image, port: string): Promise<number> {
  const words = image.healthcheck.map((word) => word.replaceAll(String(DEFAULT_PORT), port));
  const [program = '', ...args] = words;
  return promisify(execFile)(program, args).then(
    () => 0,
    (error: { code: number }) => error.code,
  );
}
