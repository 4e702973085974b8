/** The systemd unit: systemd's own judgement of it, and the program's of what it is given there. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseArguments } from '../../src/cli/arguments.ts';
import { formatFault, loadConfig } from '../../src/config/load.ts';
import { scheduleFault } from '../../src/scheduler.ts';
import { requireProgram } from '../programs.ts';
import { MANIFEST } from './defaults.ts';

const FOLDER = new URL('../../deploy/systemd', import.meta.url).pathname;
const UNIT = readFileSync(join(FOLDER, 'jim-exporter.service'), 'utf8');
/** Of 10; a unit without any hardening has 9.2. */
const MOST_EXPOSURE = 1.2;

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'jim-systemd-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

/** The values of a setting, with continued lines as one. */
function settings(name: string): readonly string[] {
  const lines = UNIT.replaceAll('\\\n', '').split('\n');
  return lines.flatMap((line) =>
    line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : [],
  );
}

/** With the Node of this machine, as systemd asks whether what it starts is there. */
function unitFile(text = UNIT): string {
  const file = join(scratch, 'jim-exporter.service');
  writeFileSync(file, text.replace('/usr/bin/node', process.execPath));
  return file;
}

describe('systemd', () => {
  /** All that it says. */
  function verify(program: string, text?: string): string {
    const { stdout, stderr } = spawnSync(program, ['verify', '--man=no', unitFile(text)], {
      encoding: 'utf8',
    });
    return stdout + stderr;
  }

  test('finds nothing wrong with the unit', (context) => {
    const program = requireProgram(context, 'systemd-analyze');
    expect(verify(program)).toBe('');
    expect(verify(program, UNIT.replace('ProtectClock', 'ProtectClok'))).toContain(
      "Unknown key 'ProtectClok'",
    );
  });

  test(`finds the service exposed by at most ${MOST_EXPOSURE} of 10`, (context) => {
    const program = requireProgram(context, 'systemd-analyze');
    const options = ['--no-pager', '--offline=true', `--threshold=${MOST_EXPOSURE * 10}`];
    const judge = (text?: string): number | null =>
      spawnSync(program, ['security', ...options, unitFile(text)], { stdio: 'ignore' }).status;
    expect(judge()).toBe(0);
    expect(judge(UNIT.replace('DynamicUser=yes', ''))).toBe(1);
  });
});

describe('the program in the unit', () => {
  test('finds nothing wrong with its flags, its configuration and its credential', () => {
    const [program, main, ...args] = settings('ExecStart')[0]?.split(/\s+/) ?? [];
    expect(program).toMatch(/\/node$/);
    expect(main).toBe(`/usr/local/lib/node_modules/${MANIFEST.name}/dist/main.js`);
    const parsed = parseArguments(
      args.map((arg) => arg.replace('/etc/jim-exporter', FOLDER).replace('%S', '/var/lib')),
      '',
    );
    if (parsed.command !== 'serve') throw new Error(JSON.stringify(parsed));
    // What systemd does of it: each credential a file of its name in the folder that the variable names.
    const credentials = join(scratch, 'credentials');
    mkdirSync(credentials);
    for (const credential of settings('LoadCredential')) {
      const [name = ''] = credential.split(':');
      writeFileSync(join(credentials, name), 'jim_ak_of_the_credential\n');
    }
    const loaded = loadConfig({
      flags: parsed.flags,
      environment: { CREDENTIALS_DIRECTORY: credentials },
      workingFolder: '/',
      scheduleFault,
    });
    if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join('\n'));
    expect(loaded.warnings).toEqual([]);
    expect(loaded.config.jim.apiKey.read()).toBe('jim_ak_of_the_credential');
    expect(loaded.config.storage.path).toBe(`/var/lib/${settings('StateDirectory')[0]}`);
  });

  test('is reloaded by the signal it knows, and given time to stop', () => {
    expect(settings('ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
    expect(Number.parseInt(settings('TimeoutStopSec')[0] ?? '', 10)).toBeGreaterThan(10);
    expect(settings('KillSignal')).toEqual([]);
  });
});
