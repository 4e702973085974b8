import { expect, test } from 'vitest';
import { createRateLimiter } from '../../src/web/rate-limit.ts';

function limiterAt() {
  let nowMs = 0;
  const limiter = createRateLimiter(() => nowMs);
  const take = (ms: number, limit = {}): boolean => {
    nowMs = ms;
    return limiter.allows({ intervalMs: 100, burst: 2, ...limit });
  };
  return { take, at: (ms: number) => [take(ms), take(ms), take(ms)] };
}

test('lets a burst through, then one for each interval', () => {
  const { at } = limiterAt();
  expect(at(0)).toEqual([true, true, false]);
  expect(at(99)).toEqual([false, false, false]);
  expect(at(100)).toEqual([true, false, false]);
  expect(at(10_000)).toEqual([true, true, false]);
});

test('a refused request costs nothing', () => {
  const { take } = limiterAt();
  for (const ms of [0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90]) take(ms);
  expect(take(101)).toBe(true);
});

test('a clock that goes back refills nothing and takes nothing away', () => {
  const { at, take } = limiterAt();
  at(1_000);
  expect(take(0)).toBe(false);
  expect(take(100)).toBe(true);
});

test('a limit that changed starts with a full bucket', () => {
  const { at, take } = limiterAt();
  at(0);
  expect(take(0, { burst: 3 })).toBe(true);
});
