/** Time that passes only when a test says so. Sleepers wake in order, and what they start is finished before the next wakes. */
import type { Clock } from '../../src/http.ts';

interface Sleeper {
  readonly wakeMs: number;
  readonly order: number;
  readonly wake: () => void;
}

export class VirtualTime {
  readonly #sleepers = new Set<Sleeper>();
  #order = 0;
  /** The wall clock at the start, as later set; and what has passed since, which nobody can set. */
  #epochMs: number;
  #passedMs = 0;

  constructor(nowMs: number) {
    this.#epochMs = nowMs;
  }

  /** What the wall clock shows. */
  get nowMs(): number {
    return this.#epochMs + this.#passedMs;
  }

  /** Sets the wall clock, forward or (negative) back. Sleepers do not notice. */
  shiftClock(ms: number): void {
    this.#epochMs += ms;
  }

  /** A clock of this time; its owner may be killed: then its sleepers never wake. */
  clock(owner: { readonly alive: boolean } = { alive: true }): Clock {
    return {
      nowMs: () => this.nowMs,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted === true) {
            reject(signal.reason);
            return;
          }
          const sleeper: Sleeper = {
            wakeMs: this.#passedMs + Math.max(0, ms),
            order: (this.#order += 1),
            wake: () => {
              if (owner.alive) resolve();
            },
          };
          this.#sleepers.add(sleeper);
          signal?.addEventListener(
            'abort',
            () => {
              this.#sleepers.delete(sleeper);
              if (owner.alive) reject(signal.reason);
            },
            { once: true },
          );
        }),
    };
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.#passedMs + ms;
    await settled();
    for (let next = this.#next(); next !== null && next.wakeMs <= untilMs; next = this.#next()) {
      this.#passedMs = Math.max(this.#passedMs, next.wakeMs);
      this.#sleepers.delete(next);
      next.wake();
      await settled();
    }
    this.#passedMs = untilMs;
  }

  #next(): Sleeper | null {
    let next: Sleeper | null = null;
    for (const sleeper of this.#sleepers) {
      if (
        next === null ||
        sleeper.wakeMs < next.wakeMs ||
        (sleeper.wakeMs === next.wakeMs && sleeper.order < next.order)
      )
        next = sleeper;
    }
    return next;
  }
}

/** All promises that can go on have gone on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
