/** The suite against itself: each deliberate defect must be noticed within a few lives. */
import { describe, expect, test } from 'vitest';
import { live } from './life.ts';
import { MUTANTS } from './mutants.ts';

const LIVES_PER_MUTANT = 80;
/** Lives that have noticed several of them: played first, so that the suite need not seek anew each time. */
const SHARP_LIVES = [1, 12, 24, 18, 38, 16, 20];

describe('a life notices an exporter that', () => {
  test.each(Object.entries(MUTANTS))('%s', { timeout: 300_000 }, async (name, mutant) => {
    let noticedIn: number | null = null;
    const all = Array.from({ length: LIVES_PER_MUTANT }, (_, index) => index + 1);
    for (const seed of new Set([...SHARP_LIVES, ...all])) {
      if (!(await goesWrong(seed, mutant))) continue;
      noticedIn = seed;
      break;
    }
    console.info(`an exporter that ${name}: noticed in life ${String(noticedIn)}`);
    expect(noticedIn).not.toBeNull();
  });
});

/** A broken invariant that throws is noticed as well. */
async function goesWrong(seed: number, mutant: (typeof MUTANTS)[string]): Promise<boolean> {
  try {
    return (await live({ seed, mutant })).discrepancies.length > 0;
  } catch {
    return true;
  }
}
