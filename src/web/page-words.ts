/** Numbers, ages and statuses of the status page, as people read them. */

/** A word always comes with a colour and a shape: readable without any one of them. */
export interface Look {
  readonly className: 'good' | 'warn' | 'bad' | 'none';
  readonly shape: string;
}

/** Of JIM's words for Activities and for executions of schedules. */
export function lookOf(status: string): Look {
  switch (status) {
    case 'Complete':
      return { className: 'good', shape: '✓' };
    case 'CompleteWithWarning':
      return { className: 'warn', shape: '▲' };
    case 'CompleteWithError':
    case 'FailedWithError':
    case 'Failed':
      return { className: 'bad', shape: '✗' };
    default:
      return { className: 'none', shape: '■' };
  }
}

/** A closed word (`previous_step_failed`) as people write it. */
export function spaced(word: string): string {
  return word.replaceAll('_', ' ');
}

export function number(value: number): string {
  return value.toLocaleString('en-GB');
}

export function ago(nowMs: number, atMs: number): string {
  const seconds = (nowMs - atMs) / 1_000;
  return seconds < 2 ? 'just now' : `${duration(coarse(seconds))} ago`;
}

export function until(nowMs: number, atMs: number): string {
  return atMs <= nowMs ? 'due' : `in ${duration(coarse((atMs - nowMs) / 1_000))}`;
}

/** Nobody counts the seconds of 44 minutes. */
function coarse(seconds: number): number {
  return seconds < 120 ? seconds : Math.floor(seconds / 60) * 60;
}

/** Two units at most: enough to compare, short enough to read. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return units(Math.floor(whole / 60), 'min', whole % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return units(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(seconds / 3_600);
  return units(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function units(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}

/** The servers' and the reader's time zones may all differ: UTC, and said so. */
export function moment(atMs: number): string {
  const [date = '', time = ''] = new Date(atMs).toISOString().split('T');
  return `${date} ${time.slice(0, 5)} UTC`;
}

export function plural(count: number, one: string, many: string): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}
