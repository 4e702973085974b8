import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findProgram, lacksProgram, requireProgram } from './programs.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-programs-'));
  writeFileSync(join(folder, 'promtool'), '#!/bin/sh\n');
  chmodSync(join(folder, 'promtool'), 0o755);
  writeFileSync(join(folder, 'notes.txt'), 'not a program');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const test = {
  skip(note?: string): never {
    throw new Error(`skipped: ${note}`);
  },
};

describe('real programs', () => {
  it('are found on the PATH for version 2 and in $PROMETHEUS3_BIN for version 3', () => {
    vi.stubEnv('PATH', folder);
    vi.stubEnv('PROMETHEUS3_BIN', '');
    expect(findProgram('promtool', 2)).toBe(join(folder, 'promtool'));
    expect(findProgram('promtool', 3)).toBeUndefined();
    vi.stubEnv('PATH', '');
    vi.stubEnv('PROMETHEUS3_BIN', folder);
    expect(findProgram('promtool', 2)).toBeUndefined();
    expect(findProgram('promtool', 3)).toBe(join(folder, 'promtool'));
  });

  it('must be executable', () => {
    vi.stubEnv('PATH', folder);
    expect(findProgram('notes.txt')).toBeUndefined();
  });

  it('are skipped by name when missing', () => {
    vi.stubEnv('PATH', folder);
    vi.stubEnv('REQUIRE_E2E', '');
    expect(requireProgram(test, 'promtool')).toBe(join(folder, 'promtool'));
    expect(() => requireProgram(test, 'amtool')).toThrow('skipped: amtool is not on the PATH');
    expect(lacksProgram('amtool')).toBe(true);
    expect(lacksProgram('promtool')).toBe(false);
  });

  it('are demanded when REQUIRE_E2E=1', () => {
    vi.stubEnv('PATH', folder);
    vi.stubEnv('PROMETHEUS3_BIN', '');
    vi.stubEnv('REQUIRE_E2E', '1');
    const demanded =
      'promtool of Prometheus 3 is missing: set PROMETHEUS3_BIN to its folder, and REQUIRE_E2E=1 demands it';
    expect(() => requireProgram(test, 'promtool', 3)).toThrow(demanded);
    expect(() => lacksProgram('promtool', 3)).toThrow(demanded);
  });

  it('of version 3 are not demanded where PROMETHEUS3_BIN=none says that they cannot be had', () => {
    vi.stubEnv('PATH', '');
    vi.stubEnv('PROMETHEUS3_BIN', 'none');
    vi.stubEnv('REQUIRE_E2E', '1');
    expect(lacksProgram('promtool', 3)).toBe(true);
    expect(() => requireProgram(test, 'promtool', 3)).toThrow('skipped: promtool of Prometheus 3');
    expect(() => lacksProgram('promtool', 2)).toThrow('REQUIRE_E2E=1 demands it');
  });
});
