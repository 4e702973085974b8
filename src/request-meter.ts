/** How many requests went to JIM in the last minute: what is used of `jim.requests_per_minute`, for the status page. */

const MINUTE_MS = 60_000;

export interface RequestMeter {
  /** A request has ended. */
  note(): void;
  lastMinute(): number;
}

/** Keeps one moment per request of the last minute: the rate ceiling bounds them. */
export function createRequestMeter(nowMs: () => number): RequestMeter {
  let moments: readonly number[] = [];
  const recent = (now: number): readonly number[] =>
    // A clock set back must not keep moments of its future.
    moments.filter((atMs) => atMs > now - MINUTE_MS && atMs <= now);
  return {
    note: () => {
      const now = nowMs();
      moments = [...recent(now), now];
    },
    lastMinute: () => recent(nowMs()).length,
  };
}
