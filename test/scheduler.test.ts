import { describe, expect, it } from 'vitest';
import { intervalSecondsOf, rememberedInterval } from '../src/scheduler.ts';

describe('the time between two turns of a schedule', () => {
  it.each([
    ['*/15 * * * * *', 15],
    ['0 */5 * * * *', 300],
    // The longest of the next few: every other turn comes after ten seconds.
    ['0,10 * * * * *', 50],
  ])('%s: %d seconds', (schedule, seconds) => {
    expect(intervalSecondsOf(schedule)).toBe(seconds);
  });

  it('is remembered for a minute, and until another schedule is asked for or our clock is set back', () => {
    let nowMs = 1_000_000;
    let turns = 0;
    const interval = rememberedInterval(
      () => nowMs,
      () => (turns += 1),
    );
    expect([interval('a'), interval('a')]).toEqual([1, 1]);
    nowMs += 59_999;
    expect(interval('a')).toBe(1);
    nowMs += 1;
    expect(interval('a')).toBe(2);
    expect([interval('b'), interval('b')]).toEqual([3, 3]);
    nowMs -= 1;
    expect(interval('b')).toBe(4);
  });
});
