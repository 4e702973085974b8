/** When schedules are due: the few cron patterns that the company uses, in UTC as JIM reckons. */

export interface Timetable {
  /** As JIM shows it. */
  readonly cronExpression: string;
  readonly pattern: 'Interval' | 'SpecificTimes';
  /** Strictly after the given moment; both milliseconds of JIM's clock. */
  nextAfter(ms: number): number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Every so many minutes, from the full hour; divides the hour. */
export function everyMinutes(minutes: number): Timetable {
  const period = minutes * MINUTE_MS;
  return {
    cronExpression: minutes === 60 ? '0 * * * *' : `*/${minutes} * * * *`,
    pattern: 'Interval',
    nextAfter: (ms) => (Math.floor(ms / period) + 1) * period,
  };
}

/** Once a day. */
export function dailyAt(hour: number, minute: number): Timetable {
  const offset = (hour * 60 + minute) * MINUTE_MS;
  return {
    cronExpression: `${minute} ${hour} * * *`,
    pattern: 'SpecificTimes',
    nextAfter: (ms) => (Math.floor((ms - offset) / DAY_MS) + 1) * DAY_MS + offset,
  };
}

/** How busy people are, from 0 to 1: their working hours on weekdays, and little else. */
export function businessAt(ms: number): number {
  const at = new Date(ms);
  const weekday = at.getUTCDay();
  const hour = at.getUTCHours() + at.getUTCMinutes() / 60;
  const isWeekend = weekday === 0 || weekday === 6;
  const byHour = hour < 7 || hour >= 19 ? 0.08 : hour < 9 || hour >= 17 ? 0.5 : 1;
  return byHour * (isWeekend ? 0.12 : 1);
}
