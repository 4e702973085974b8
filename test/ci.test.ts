/** .ci/run with every program but bash and node replaced: what it asks for, and what its last line says. */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const RUN = new URL('../.ci/run', import.meta.url).pathname;
const PROGRAMS = [
  'prometheus',
  'promtool',
  'prometheus-alertmanager',
  'amtool',
  'prometheus-pushgateway',
  'nginx',
  'chromium',
  'openssl',
  'git',
  'systemd-analyze',
  'setpriv',
];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-ci-'));
  mkdirSync(join(folder, '.ci'));
  mkdirSync(join(folder, 'bin'));
  copyFileSync(RUN, join(folder, '.ci/run'));
  for (const program of PROGRAMS) script(program, 'exit 0');
});
afterEach(() => rmSync(folder, { recursive: true }));

function script(name: string, body: string): void {
  const path = join(folder, 'bin', name);
  writeFileSync(path, `#!/bin/bash\n${body}\n`);
  chmodSync(path, 0o755);
}

interface Ended {
  readonly code: number;
  readonly lastLine: string;
  /** What npm was asked for, each with whether end-to-end tests were demanded. */
  readonly asked: readonly string[];
}

/** `npm` says what each of its commands comes to, and what vitest's results are. */
async function run(npm: {
  readonly results?: object;
  readonly exits?: Readonly<Record<'ci' | 'test' | 'run', number>>;
}): Promise<Ended> {
  const { ci, test, run: check } = { ci: 0, test: 0, run: 0, ...npm.exits };
  const results =
    npm.results === undefined
      ? ':'
      : `echo '${JSON.stringify(npm.results)}' > .cache/test-results.json`;
  script(
    'npm',
    `echo "\${1} \${2:-} e2e=\${REQUIRE_E2E:-} p3=\${PROMETHEUS3_BIN:-}" >> asked
     case "$1" in ci) exit ${ci} ;; test) ${results}; exit ${test} ;; run) exit ${check} ;; esac`,
  );
  const path = [join(folder, 'bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(':');
  const { code, stdout } = await new Promise<{ code: number; stdout: string }>((resolve) => {
    const child = execFile(join(folder, '.ci/run'), { env: { PATH: path } }, (_, out) =>
      resolve({ code: child.exitCode ?? -1, stdout: out }),
    );
  });
  return {
    code,
    lastLine: stdout.trimEnd().split('\n').at(-1) ?? '',
    asked: readFileSync(join(folder, 'asked'), 'utf8').trimEnd().split('\n'),
  };
}

const results = (
  numPassedTests: number,
  numFailedTests: number,
  numFailedTestSuites = 0,
): object => ({
  numPassedTests,
  numFailedTests,
  numFailedTestSuites,
});

describe('.ci/run', () => {
  it('installs, runs every test with nothing skipped, then the checks', async () => {
    expect(await run({ results: results(812, 0) })).toEqual({
      code: 0,
      lastLine: '812 passed, 0 failed',
      asked: ['ci  e2e= p3=', 'test -- e2e=1 p3=none', 'run check e2e= p3=none'],
    });
  });

  it.each<[string, Parameters<typeof run>[0], string]>([
    [
      'a failed test',
      { results: results(800, 12, 2), exits: { ci: 0, test: 1, run: 0 } },
      '800 passed, 12 failed',
    ],
    [
      'a file that could not be loaded',
      { results: results(800, 0, 1), exits: { ci: 0, test: 1, run: 0 } },
      '800 passed, 1 failed',
    ],
    [
      'tests that ended before their results',
      { exits: { ci: 0, test: 1, run: 0 } },
      '0 passed, 1 failed',
    ],
    [
      'a failed check',
      { results: results(812, 0), exits: { ci: 0, test: 0, run: 1 } },
      '812 passed, 1 failed',
    ],
    ['a failed installation', { exits: { ci: 1, test: 0, run: 0 } }, '0 passed, 1 failed'],
  ])('does not pass with %s', async (_, npm, lastLine) => {
    expect(await run(npm)).toMatchObject({ code: 1, lastLine });
  });
});
