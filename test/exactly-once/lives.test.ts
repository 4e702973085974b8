/** Thousands of lives from seeds: every finished Activity is counted exactly once, whatever happens. */
import { describe, expect, test } from 'vitest';
import { live } from './life.ts';

const LIVES = Number(process.env['LIVES'] ?? 300);
const FIRST_SEED = Number(process.env['FIRST_SEED'] ?? 1);
const BATCH = 25;

describe(`${LIVES} lives from seed ${FIRST_SEED}`, () => {
  const batches = Array.from(
    { length: Math.ceil(LIVES / BATCH) },
    (_, index) => FIRST_SEED + index * BATCH,
  );
  test.each(batches)('seeds from %i', { timeout: 120_000 }, async (first) => {
    const wrong: string[] = [];
    const last = Math.min(first + BATCH, FIRST_SEED + LIVES);
    for (let seed = first; seed < last; seed += 1) {
      const { discrepancies } = await live({ seed });
      if (discrepancies.length > 0) wrong.push(`seed ${seed}: ${discrepancies.join(' | ')}`);
    }
    expect(wrong).toEqual([]);
  });
});
