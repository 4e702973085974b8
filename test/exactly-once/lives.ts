/** The lives of one worker: CI plays thousands, a developer's run a few hundred, `npm run soak` ten thousand. */
import { describe, expect, test } from 'vitest';
import { live } from './life.ts';
import { shrink } from './shrink.ts';

const LIVES = Number(process.env['LIVES'] ?? (process.env['CI'] === undefined ? 200 : 2_000));
const FIRST_SEED = Number(process.env['FIRST_SEED'] ?? 1);
const BATCH = 25;
/** Files that share the lives, so that two workers play them. */
const SHARES = 2;

export function playShare(share: 0 | 1): void {
  const count = Math.ceil(LIVES / SHARES);
  const firstSeed = FIRST_SEED + share * count;
  const batches = Array.from(
    { length: Math.ceil(count / BATCH) },
    (_, index) => firstSeed + index * BATCH,
  );
  describe(`${count} lives from seed ${firstSeed}: every finished Activity is counted exactly once`, () => {
    test.each(batches)('seeds from %i', { timeout: 300_000 }, async (first) => {
      const wrong: string[] = [];
      const last = Math.min(first + BATCH, firstSeed + count);
      for (let seed = first; seed < last; seed += 1) {
        const { discrepancies } = await live({ seed });
        // `FIRST_SEED=<seed> LIVES=1` replays it alone.
        if (discrepancies.length === 0) continue;
        const { needs, outcome } = await shrink(seed);
        wrong.push(
          `seed ${seed}, which needs ${needs.join(', ')}: ${outcome.discrepancies.join(' | ')}`,
        );
      }
      expect(wrong).toEqual([]);
    });
  });
}
