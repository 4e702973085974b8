/** promtool of both versions on the alert rules: they are valid, and do what their unit tests say. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { PROGRAM_VERSIONS, THRIFTY_GO, requireProgram } from '../programs.ts';
import { writeCrowd, writeLeanTests } from './lean-tests.ts';
import { ALERTS, RECORDINGS, RULES_PATH, UNIT_TEST_FILES } from './rules-file.ts';

const runFile = promisify(execFile);
function run(promtool: string, args: readonly string[]): Promise<{ readonly stdout: string }> {
  return runFile(promtool, args, { env: { ...process.env, ...THRIFTY_GO } });
}

describe.each(PROGRAM_VERSIONS)('promtool of Prometheus %d', (version) => {
  test('finds nothing to complain of', async ({ skip }) => {
    const promtool = requireProgram({ skip }, 'promtool', version);
    const { stdout } = await run(promtool, [
      'check',
      'rules',
      '--lint=all',
      '--lint-fatal',
      RULES_PATH,
    ]);
    expect(stdout).toContain(`SUCCESS: ${ALERTS.length + RECORDINGS.length} rules found`);
  });

  test.for(UNIT_TEST_FILES)(
    'passes $name',
    { timeout: 300_000 },
    async ({ yaml }, { skip, onTestFinished }) => {
      const promtool = requireProgram({ skip }, 'promtool', version);
      const files = writeLeanTests(temporaryFolder(onTestFinished), yaml);
      const { stdout } = await run(promtool, ['test', 'rules', ...files]);
      expect(stdout.match(/SUCCESS/g)).toHaveLength(files.length);
    },
  );

  test.for(UNIT_TEST_FILES)(
    'evaluates every rule on the series of $name',
    { timeout: 300_000 },
    async ({ yaml }, { skip, onTestFinished }) => {
      const promtool = requireProgram({ skip }, 'promtool', version);
      const file = writeCrowd(join(temporaryFolder(onTestFinished), 'crowd'), yaml);
      const { stdout } = await run(promtool, ['test', 'rules', file]);
      expect(stdout).toContain('SUCCESS');
    },
  );
});

test('promtool reads the files as they are', async ({ skip }) => {
  // Debian's cannot leave out the tests.
  const promtool = requireProgram({ skip }, 'promtool', 3);
  const paths = UNIT_TEST_FILES.map(({ path }) => path);
  const { stdout } = await run(promtool, ['test', 'rules', '--run=^no test$', ...paths]);
  expect(stdout.match(/SUCCESS/g)).toHaveLength(paths.length);
});

function temporaryFolder(whenDone: (end: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'jim-promtool-'));
  whenDone(() => rmSync(folder, { recursive: true }));
  return folder;
}
