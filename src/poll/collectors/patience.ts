/** Who was asked about in vain: asked again in a minute, and given up after an hour. In memory only. */

const RETRY_MS = 60_000;
const PATIENCE_MS = 3_600_000;
/** Ids remembered; beyond it the oldest are forgotten and asked about again. */
const MAX_REMEMBERED = 1_000;

export interface Patience {
  isDue(id: string, nowMs: number): boolean;
  /** It failed, and is asked about again later. */
  isWaiting(id: string, nowMs: number): boolean;
  failed(id: string, nowMs: number): void;
  /** An answer came that says nothing: never ask again. */
  giveUp(id: string): void;
}

export function createPatience(): Patience {
  const waiting = new Map<string, { readonly sinceMs: number; readonly nextMs: number }>();
  const remember = (id: string, sinceMs: number, nextMs: number): void => {
    waiting.set(id, { sinceMs, nextMs });
    for (const oldest of waiting.keys()) {
      if (waiting.size <= MAX_REMEMBERED) break;
      waiting.delete(oldest);
    }
  };
  return {
    isDue: (id, nowMs) => nowMs >= (waiting.get(id)?.nextMs ?? 0),
    isWaiting: (id, nowMs) => {
      const nextMs = waiting.get(id)?.nextMs ?? 0;
      return nextMs > nowMs && Number.isFinite(nextMs);
    },
    failed: (id, nowMs) => {
      const sinceMs = waiting.get(id)?.sinceMs ?? nowMs;
      const spent = nowMs - sinceMs >= PATIENCE_MS;
      remember(id, sinceMs, spent ? Number.POSITIVE_INFINITY : nowMs + RETRY_MS);
    },
    giveUp: (id) => remember(id, 0, Number.POSITIVE_INFINITY),
  };
}
