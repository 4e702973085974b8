/** The toolkit's rate limit: one token bucket for all requests. */
import type { RateLimit } from './web-config.ts';

export interface RateLimiter {
  /** Takes a token if there is one. A limit other than the last one starts with a full bucket. */
  allows(limit: RateLimit): boolean;
}

/** `nowMs`: a clock that may jump; going back refills nothing. */
export function createRateLimiter(nowMs: () => number): RateLimiter {
  let limit: RateLimit = { intervalMs: 0, burst: 0 };
  let tokens = 0;
  let filledAtMs = 0;
  return {
    allows(current) {
      const now = nowMs();
      if (current.intervalMs !== limit.intervalMs || current.burst !== limit.burst) {
        limit = current;
        tokens = current.burst;
      } else {
        const gained = Math.max(0, now - filledAtMs) / limit.intervalMs;
        tokens = Math.min(limit.burst, tokens + gained);
      }
      filledAtMs = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
