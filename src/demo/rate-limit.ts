/** JIM's own limits from 0.14: 300 requests a minute and key, sliding; 30 a minute for those without a good key. */

const WINDOW_MS = 60_000;
const SEGMENTS = 6;
const SEGMENT_MS = WINDOW_MS / SEGMENTS;
const PER_KEY = 300;
const ANONYMOUS = 30;
/** What JIM answers, whatever is left of the window. */
export const RETRY_AFTER_SECONDS = 60;

export interface RateLimiter {
  /** False when the request is refused. Null stands for all requests without a good key. */
  admits(key: string | null, nowMs: number): boolean;
}

export function createRateLimiter(): RateLimiter {
  const segments = new Map<string, { at: number; count: number }[]>();
  let anonymous = { window: 0, count: 0 };
  return {
    admits(key, nowMs) {
      if (key === null) {
        const window = Math.floor(nowMs / WINDOW_MS);
        if (anonymous.window !== window) anonymous = { window, count: 0 };
        anonymous.count += 1;
        return anonymous.count <= ANONYMOUS;
      }
      const now = Math.floor(nowMs / SEGMENT_MS);
      const recent = (segments.get(key) ?? []).filter((segment) => segment.at > now - SEGMENTS);
      segments.set(key, recent);
      if (recent.reduce((sum, segment) => sum + segment.count, 0) >= PER_KEY) return false;
      const current = recent.find((segment) => segment.at === now);
      if (current === undefined) recent.push({ at: now, count: 1 });
      else current.count += 1;
      return true;
    },
  };
}
