import { describe, expect, it } from 'vitest';
import { dialectOf } from '../../src/jim/dialect.ts';

const OLDEST = {
  filters: false,
  tieBreak: false,
  maxPage: null,
  maxOffset: null,
  targetTypeFilter: false,
  hasWorkerTasks: false,
  hasProgress: false,
  hasRunStats: false,
  hasAuthentication: false,
  importCountsProcessed: false,
};
const SINCE_13 = { ...OLDEST, hasWorkerTasks: true };
const SINCE_14 = {
  ...SINCE_13,
  maxPage: 1000,
  targetTypeFilter: true,
  hasProgress: true,
  hasRunStats: true,
  hasAuthentication: true,
};
const MAIN = {
  ...SINCE_14,
  filters: true,
  tieBreak: true,
  maxPage: null,
  maxOffset: 1_000_000,
  importCountsProcessed: true,
};

describe('what a version is known to have', () => {
  it.each([
    ['0.8.0', OLDEST],
    ['0.12.0', OLDEST],
    ['0.12', OLDEST],
    ['0.13.0', SINCE_13],
    ['0.13.2', SINCE_13],
    ['0.14.0', SINCE_14],
    ['v0.14.0', SINCE_14],
    [' 0.14.0\n', SINCE_14],
    ['0.14.0+build.7', SINCE_14],
    ['0.14.0.1234', SINCE_14],
    // Semver: a pre-release comes before its release, so it only surely has what the one before had.
    ['0.14.0-rc.1', SINCE_13],
    ['0.15.0-dev+abc', SINCE_14],
    ['0.18.0', SINCE_14],
    ['1.0.0', SINCE_14],
    ['1.0.0-alpha', SINCE_14],
    ['10.2', SINCE_14],
  ])('%j', (version, abilities) => {
    expect(dialectOf(version)).toEqual({ version, versionKnown: true, ...abilities });
  });

  it.each(['dev', 'main', 'unknown', '0', '14', '0.x', '-0.14.0', '0.14.0 beta', 'zero.fourteen'])(
    '%j is no version: the oldest abilities',
    (version) => {
      expect(dialectOf(version)).toEqual({ version, versionKnown: false, ...OLDEST });
    },
  );

  it('an empty version is shown as unknown', () => {
    expect(dialectOf('')).toEqual({ version: 'unknown', versionKnown: false, ...OLDEST });
  });
});

describe('the probe tells of main, whatever the version says', () => {
  it.each(['0.14.0', '0.15.0', '0.15.0-dev+abc', '0.18.3'])('%s', (version) => {
    expect(dialectOf(version, true)).toEqual({ version, versionKnown: true, ...MAIN });
  });

  it('also of a build without a usable version', () => {
    expect(dialectOf('nightly', true)).toEqual({
      version: 'nightly',
      versionKnown: false,
      ...MAIN,
    });
  });

  it('and no version alone gives filters, since unknown ones are ignored with 200', () => {
    expect(dialectOf('0.18.0', false).filters).toBe(false);
  });
});
