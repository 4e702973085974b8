/** promtool of both versions on the alert rules: they are valid, and do what their unit tests say. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { PROGRAM_VERSIONS, requireProgram } from '../programs.ts';
import { ALERTS, RECORDINGS, RULES_PATH, UNIT_TEST_FILES } from './rules-file.ts';

const run = promisify(execFile);

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

  // Each file takes some seconds: weeks of test time, every rule at every step.
  test.concurrent.for(UNIT_TEST_FILES)(
    'passes $name',
    { timeout: 300_000 },
    async ({ path }, { skip }) => {
      const promtool = requireProgram({ skip }, 'promtool', version);
      const { stdout } = await run(promtool, ['test', 'rules', path]);
      expect(stdout).toContain('SUCCESS');
    },
  );
});
