import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkConfig } from '../../src/cli/check-config.ts';
import type { Config } from '../../src/config/config.ts';
import type { FlagValues } from '../../src/config/flags.ts';
import { loadConfig } from '../../src/config/load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-check-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Checked {
  readonly exitCode: number;
  readonly printed: readonly string[];
  readonly complaints: readonly string[];
}

async function check(
  flags: FlagValues,
  connect: ((config: Config) => Promise<boolean>) | null = null,
): Promise<Checked> {
  const [printed, complaints]: [string[], string[]] = [[], []];
  const loaded = loadConfig({
    flags,
    environment: { JIM_API_KEY: 'jim_ak_0123456789' },
    workingFolder: folder,
    scheduleFault: () => null,
  });
  const exitCode = await checkConfig({
    loaded,
    connect,
    print: (line) => printed.push(line),
    complain: (line) => complaints.push(line),
  });
  return { exitCode, printed, complaints };
}

const GOOD = { 'jim.url': 'https://jim.example.com' };

describe('check-config', () => {
  it('says what a good configuration comes to, and what deserves a word', async () => {
    const flags = { 'jim.url': 'http://jim', 'storage.path': '' };
    expect(await check(flags)).toEqual({
      exitCode: 0,
      printed: [
        'The configuration is good.',
        '  JIM:            http://jim, with a key from the configuration',
        '  state:          nowhere',
        '  listening on:   :10190',
        '  Alertmanagers:  none',
        "warning: jim.url: is http://, so the API key, which is an Administrator's, travels unencrypted",
        'warning: storage.path: is empty: a restart forgets all counts',
      ],
      complaints: [],
    });
  });

  it('complains about every fault of the configuration', async () => {
    const checked = await check({ ...GOOD, 'log.level': 'loud', 'web.max-requests': 'x' });
    expect(checked.exitCode).toBe(1);
    expect(checked.complaints).toEqual([
      '--web.max-requests: "x" is no whole number from 0 to 100000',
      '--log.level: "loud" is none of debug, info, warn, error',
      '2 faults.',
    ]);
    expect(checked.printed).toEqual([]);
  });

  it('judges the web configuration file too', async () => {
    writeFileSync(join(folder, 'web.yml'), 'tls_server_config: { cert_fil: x }\n');
    const checked = await check({ ...GOOD, 'web.config.file': 'web.yml' });
    expect(checked.exitCode).toBe(1);
    expect(checked.complaints.join('\n')).toContain('did you mean "cert_file"?');
  });

  it('sees that a state file could not be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const checked = await check({ ...GOOD, 'storage.path': 'file/below' });
    expect(checked.complaints).toEqual([
      `storage.path: ${join(folder, 'file')} is no folder; choose another path`,
      '1 fault.',
    ]);
  });

  it('takes a folder that is yet to be made', async () => {
    expect((await check({ ...GOOD, 'storage.path': 'a/b/c' })).exitCode).toBe(0);
  });

  it.each([
    [true, 0],
    [false, 1],
  ])('ends as well as the connection, if that was asked for: %s', async (isWell, exitCode) => {
    const asked: string[] = [];
    const checked = await check(GOOD, ({ jim }) => {
      asked.push(jim.url);
      return Promise.resolve(isWell);
    });
    expect(asked).toEqual(['https://jim.example.com']);
    expect(checked.exitCode).toBe(exitCode);
  });

  it('asks nobody while the configuration is bad', async () => {
    const checked = await check({}, () => Promise.reject(new Error('asked')));
    expect(checked.exitCode).toBe(1);
  });
});
