import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { architectureFaults, arrowsBetween, withoutComments } from './architecture.ts';

const ROOT = new URL('..', import.meta.url).pathname;
/** Made, not written. */
const MADE = new Set([
  'node_modules',
  'dist',
  'coverage',
  '.git',
  '.cache',
  'data',
  'package-lock.json',
]);

function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !MADE.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('the architecture', () => {
  it('holds: imports point one way, each library has its place, the core is pure', () => {
    const source = filesBelow('src').filter((path) => path.endsWith('.ts'));
    expect(source.length).toBeGreaterThan(40);
    expect(architectureFaults(new Map(source.map((path) => [path, read(path)])))).toEqual([]);
  });

  it('is drawn in src/README.md as it is', () => {
    const diagram = /```mermaid\n([\s\S]*?)```/.exec(read('src/README.md'))?.[1] ?? '';
    const drawn = Array.from(
      diagram.matchAll(/^\s*(\w+)(?:\[.*?\])? --> (\w+)/gm),
      ([, from, to]) => `${from} --> ${to}`,
    );
    const rooms = [...new Set(drawn.flatMap((arrow) => arrow.split(' --> ')))];
    const source = filesBelow('src').filter((path) => path.endsWith('.ts'));
    expect(drawn.toSorted()).toEqual(
      arrowsBetween(new Map(source.map((path) => [path, read(path)])), rooms),
    );
  });

  it('gives every shipped dependency a place where it is used', () => {
    const manifest = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const source = filesBelow('src').map((path) => withoutComments(read(path)));
    for (const name of Object.keys(manifest.dependencies)) {
      const uses = source.filter((code) =>
        new RegExp(`(from |import\\()'${name}(/[^']*)?'`).test(code),
      );
      expect(uses.length, `files that import ${name}`).toBeGreaterThan(0);
    }
  });

  it('pins every dependency exactly, and the lock file names no registry', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    const versions = Object.values({ ...manifest['dependencies'], ...manifest['devDependencies'] });
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    expect(read('package-lock.json')).not.toMatch(/"resolved": *"http/);
  });

  it('names no folder of the machine it was written on', () => {
    const folders = ['work', 'farm', 'root', 'opt/prometheus-3'].join('|');
    const machinePath = new RegExp(`(^|[^A-Za-z0-9_.])/(${folders})/`, 'm');
    const files = filesBelow('.').map((path) => relative('.', path));
    const named = files.filter((path) => machinePath.test(read(path)));
    expect(named).toEqual([]);
  });
});

describe('a broken rule is told', () => {
  it.each([
    [
      'src/jim/client.ts',
      "import { settle } from '../ledger/account.ts';",
      'src/jim/client.ts: jim must not import ledger/account.ts',
    ],
    [
      'src/ledger/account.ts',
      "import { createPoller } from '../poll/poller.ts';",
      'src/ledger/account.ts: ledger must not import poll/poller.ts',
    ],
    [
      'src/web/routes.ts',
      "import { current } from '../ledger/ledger.ts';",
      'src/web/routes.ts: web must not import ledger/ledger.ts',
    ],
    [
      'src/config/load.ts',
      "import { startApp } from '../app.ts';",
      'src/config/load.ts: config must not import app.ts',
    ],
    [
      'src/metrics/catalogue.ts',
      "import { wire } from '../jim/wire.ts';",
      'src/metrics/catalogue.ts: metrics must not import jim/wire.ts',
    ],
    [
      'src/poll/poller.ts',
      "const { start } = await import('../app.ts');",
      'src/poll/poller.ts: poll must not import app.ts',
    ],
    ['src/app.ts', "import '../main.ts';", 'src/app.ts: nothing imports main'],
    [
      'src/app.ts',
      "import type { World } from './demo/world.ts';",
      'src/app.ts: only main imports the demo',
    ],
    [
      'src/poll/poller.ts',
      "import { request } from 'undici';",
      'src/poll/poller.ts: undici must not enter here',
    ],
    [
      'src/web/routes.ts',
      "import { Registry } from 'prom-client';",
      'src/web/routes.ts: prom-client must not enter here',
    ],
    [
      'src/web/routes.ts',
      "import { get } from 'lodash/get';",
      'src/web/routes.ts: lodash is a library without a place',
    ],
    [
      'src/jim/activity.ts',
      "import { readFileSync } from 'node:fs';",
      'src/jim/activity.ts: the pure core must not import node:fs',
    ],
    [
      'src/ledger/account.ts',
      "import { z } from 'zod';",
      'src/ledger/account.ts: the pure core must not import zod',
    ],
    [
      'src/metrics/catalogue/runs.ts',
      "import os from 'node:os';",
      'src/metrics/catalogue/runs.ts: the pure core must not import node:os',
    ],
    ['src/poll/index.ts', '', 'src/poll/index.ts: name the subject, not "index.ts"'],
    [
      'src/web/string-utils.ts',
      '',
      'src/web/string-utils.ts: name the subject, not "string-utils.ts"',
    ],
    [
      'src/jim/all.ts',
      "export * from './client.ts';",
      'src/jim/all.ts: exports what another file owns (a barrel)',
    ],
    [
      'src/jim/all.ts',
      "export type { Dialect } from './dialect.ts';",
      'src/jim/all.ts: exports what another file owns (a barrel)',
    ],
    ['src/jim/ask.ts', 'export default 1;', 'src/jim/ask.ts: a default export'],
    [
      'src/poll/poller.ts',
      'const at = Date.now();',
      'src/poll/poller.ts: reads the clock or chance, which are arguments',
    ],
    [
      'src/demo/world.ts',
      'const at = Math.random();',
      'src/demo/world.ts: reads the clock or chance, which are arguments',
    ],
    [
      'src/alertmanager/sender.ts',
      'setTimeout(send, 5);',
      'src/alertmanager/sender.ts: sets a timer, which a clock argument should',
    ],
  ])('%s: %s', (path, code, sentence) => {
    expect(architectureFaults(new Map([[path, code]]))).toEqual([sentence]);
  });

  it('but neither types, nor the log, nor a comment break one', () => {
    const code = `
      import type { Config } from '../config/config.ts';
      import { type Publication, type Page } from '../web/routes.ts';
      import { createLastingFaults } from '../log.ts';
      // Date.now() stands in main; import { x } from 'undici'; see https://example.com
      /** setTimeout */
      const text = 'a // b';
    `;
    expect(architectureFaults(new Map([['src/poll/poller.ts', code]]))).toEqual([]);
    expect(withoutComments("const text = 'a // b'; // c")).toContain("'a // b'");
  });
});
