/**
 * The README against the program: its references are generated from the same data the program runs on, its
 * default configuration is loaded, and the files it names exist. `npm run docs` writes the references anew.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format } from 'prettier';
import { describe, expect, test } from 'vitest';
import { FLAGS, environmentName } from '../src/config/flags.ts';
import { loadConfig } from '../src/config/load.ts';
import type { LoadedConfig } from '../src/config/load.ts';
import { CATALOGUE } from '../src/metrics/catalogue.ts';

const ROOT = new URL('..', import.meta.url);
const FILE = new URL('README.md', ROOT);

function section(text: string, name: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  return text.slice(text.indexOf(begin) + begin.length, text.indexOf(end)).trim();
}

function withSection(text: string, name: string, body: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  return `${text.slice(0, text.indexOf(begin) + begin.length)}\n\n${body}\n\n${text.slice(text.indexOf(end))}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<');
}

function metricsTable(): string {
  const rows = CATALOGUE.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${cell(help)} |`,
  );
  return ['| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function flagsTable(): string {
  const rows = FLAGS.map(({ name, help, default: fallback, alias }) => {
    const variables = [environmentName(name), ...(alias === null ? [] : [alias])];
    return `| \`--${name}\` | ${variables.map((variable) => `\`${variable}\``).join(', ')} | ${fallback === null ? '' : `\`${fallback}\``} | ${cell(help)} |`;
  });
  return ['| flag | environment | default | meaning |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

async function regenerated(text: string): Promise<string> {
  const body = withSection(withSection(text, 'metrics', metricsTable()), 'flags', flagsTable());
  return format(body, { parser: 'markdown', printWidth: 100, singleQuote: true });
}

describe('README', () => {
  const text = readFileSync(FILE, 'utf8');

  test('opens with the two commands a newcomer types', () => {
    const commands = /```sh\n([\s\S]*?)```/
      .exec(text)?.[1]
      ?.split('\n')
      .map((line) => line.replace(/ *#.*/, ''));
    expect(commands?.slice(0, 2)).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
    expect(text.indexOf('```sh')).toBeLessThan(40);
  });

  test('its references are those of the catalogue and the flags', async () => {
    const expected = await regenerated(text);
    if (process.env['UPDATE_README'] === '1') writeFileSync(FILE, expected);
    else expect(text).toBe(expected);
  });

  test('its configuration is the default one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'jim-exporter-readme-'));
    try {
      const yaml = section(text, 'configuration').replaceAll(/^```(yaml)?$/gm, '');
      writeFileSync(join(folder, 'full.yaml'), yaml);
      writeFileSync(join(folder, 'jim.key'), `jim_ak_${'0'.repeat(64)}`);
      writeFileSync(
        join(folder, 'least.yaml'),
        'jim: { url: https://jim.example.com, api_key_file: jim.key }\n',
      );
      const [full, least] = ['full.yaml', 'least.yaml'].map((name) =>
        load(join(folder, name), folder),
      );
      expect(full).toEqual(least);
      expect(full).toMatchObject({ poll: { settleMs: 5_000, zeroHoldMs: 120_000 } });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('names only files that exist', () => {
    const named = [...text.matchAll(/`((?:src|test|alerts|dashboards|deploy)\/[\w./-]*)`/g)].map(
      ([, path]) => path ?? '',
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
  });

  test('names only npm scripts that exist', () => {
    const scripts: unknown = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
    const known = new Set(Object.keys(Object(Reflect.get(Object(scripts), 'scripts'))));
    const named = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name ?? '');
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});

function load(file: string, folder: string): object {
  const loaded: LoadedConfig = loadConfig({
    flags: { 'config.file': file },
    environment: {},
    workingFolder: folder,
    scheduleFault: () => null,
  });
  if (!loaded.ok)
    throw new Error(loaded.faults.map(({ where, message }) => `${where}: ${message}`).join('\n'));
  // Secrets are told by where they are, not by what they are.
  return JSON.parse(JSON.stringify(loaded.config)) as object;
}
