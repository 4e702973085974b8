/**
 * The lives of one worker: CI plays two thousand, always the same, so that a failure is the change's own; `npm run
 * soak` plays ten thousand that nobody has seen. `FIRST_SEED=<seed> LIVES=1 npx vitest run … lives` replays one alone.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { live } from './life.ts';
import { shrink } from './shrink.ts';

const LIVES = Number(process.env['LIVES'] ?? (process.env['CI'] === undefined ? 200 : 2_000));
const FIRST_SEED = Number(process.env['FIRST_SEED'] ?? 1);
const BATCH = 25;
/** Files that share the lives, so that two workers play them. */
const SHARES = 2;
const DAY_MS = 86_400_000;

export function playShare(share: 0 | 1): void {
  const first = FIRST_SEED + share * Math.ceil(LIVES / SHARES);
  const end = Math.min(FIRST_SEED + LIVES, first + Math.ceil(LIVES / SHARES));
  const batches = Array.from(
    { length: Math.ceil((end - first) / BATCH) },
    (_, index) => first + index * BATCH,
  );
  const played = { lives: 0, polls: 0, activities: 0, days: 0, wrong: 0 };
  describe.skipIf(batches.length === 0)(
    `${end - first} lives from seed ${first}: every finished Activity is counted exactly once`,
    () => {
      test.each(batches.length === 0 ? [first] : batches)(
        'seeds from %i',
        { timeout: 600_000 },
        async (from) => {
          const wrong: string[] = [];
          for (let seed = from; seed < Math.min(from + BATCH, end); seed += 1) {
            const { discrepancies, polls, counted, virtualMs } = await live({ seed });
            played.lives += 1;
            played.polls += polls;
            played.activities += counted;
            played.days += virtualMs / DAY_MS;
            if (discrepancies.length === 0) continue;
            played.wrong += 1;
            const { needs, outcome } = await shrink(seed);
            wrong.push(
              `seed ${seed}, which needs ${needs.join(', ')}: ${outcome.discrepancies.join(' | ')}`,
            );
          }
          expect(wrong).toEqual([]);
        },
      );
      afterAll(() => {
        console.info(`lives from seed ${first}: ${JSON.stringify(played)}`);
      });
    },
  );
}
