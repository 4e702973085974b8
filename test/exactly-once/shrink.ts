/** What a failing life needs to fail: kinds of trouble are left out one after another while it still does. */
import type { Outcome } from './life.ts';
import { live } from './life.ts';
import type { Trouble } from './troubles.ts';
import { TROUBLES } from './troubles.ts';

export interface Shrunk {
  readonly needs: readonly Trouble[];
  readonly outcome: Outcome;
}

export async function shrink(seed: number): Promise<Shrunk> {
  let without: ReadonlySet<Trouble> = new Set();
  let outcome = await live({ seed });
  for (const trouble of TROUBLES) {
    const fewer = new Set([...without, trouble]);
    const next = await live({ seed, without: fewer });
    if (next.discrepancies.length === 0) continue;
    without = fewer;
    outcome = next;
  }
  return { needs: outcome.happened, outcome };
}
