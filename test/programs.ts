/**
 * Finds the real programs that some tests run: promtool, prometheus, amtool, nginx, chromium …
 * A missing program is a skip that says what is missing, and a failure when REQUIRE_E2E=1 (as in CI), so
 * that nothing goes untested unnoticed.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * 2: what the PATH has (Prometheus 2.42 on Debian 12). 3: what the folder $PROMETHEUS3_BIN has (Prometheus 3, its
 * Alertmanager); `none` there says that they cannot be had on this machine, which nothing can then demand.
 */
export type ProgramVersion = 2 | 3;
export const PROGRAM_VERSIONS: readonly ProgramVersion[] = [2, 3];

/**
 * Environment of a program in Go that calculates and ends, as promtool does: one thread, and garbage that may be
 * five times what is in use. It takes a third less time, on cores that other tests share.
 */
export const THRIFTY_GO = { GOMAXPROCS: '1', GOGC: '400' } as const;

/** The program's path, or undefined where it is not installed. */
export function findProgram(name: string, version: ProgramVersion = 2): string | undefined {
  return foldersOf(version)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** For use inside a test: the program's path; without it the test ends here, as skipped or, with REQUIRE_E2E=1, as failed. */
export function requireProgram(
  test: { skip(note?: string): never },
  name: string,
  version: ProgramVersion = 2,
): string {
  return findProgram(name, version) ?? test.skip(missing(name, version));
}

/** For `describe.skipIf(lacksProgram('prometheus'))`, where a hook needs the program; throws with REQUIRE_E2E=1. */
export function lacksProgram(name: string, version: ProgramVersion = 2): boolean {
  if (findProgram(name, version) !== undefined) return false;
  missing(name, version);
  return true;
}

/** What is missing and how to get it, as the note of a skip. Throws it instead when everything is required. */
function missing(name: string, version: ProgramVersion): string {
  const note =
    version === 2
      ? `${name} is not on the PATH`
      : `${name} of Prometheus 3 is missing: set PROMETHEUS3_BIN to its folder`;
  const cannotBeHad = version === 3 && process.env['PROMETHEUS3_BIN'] === 'none';
  if (process.env['REQUIRE_E2E'] === '1' && !cannotBeHad)
    throw new Error(`${note}, and REQUIRE_E2E=1 demands it`);
  return note;
}

function foldersOf(version: ProgramVersion): readonly string[] {
  const folders =
    version === 2
      ? (process.env['PATH'] ?? '').split(delimiter)
      : [process.env['PROMETHEUS3_BIN'] ?? ''];
  return folders.filter((folder) => folder !== '');
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
