/** The suite against itself: each deliberate defect must be noticed within a few lives. */
import { describe, expect, test } from 'vitest';
import { live } from './life.ts';
import { MUTANTS } from './mutants.ts';

const LIVES_PER_MUTANT = 80;

describe('a life notices an exporter that', () => {
  test.each(Object.entries(MUTANTS))('%s', { timeout: 300_000 }, async (name, mutant) => {
    let noticedIn: number | null = null;
    for (let seed = 1; seed <= LIVES_PER_MUTANT && noticedIn === null; seed += 1) {
      if (await goesWrong(seed, mutant)) noticedIn = seed;
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
