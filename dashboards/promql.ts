/**
 * The selectors and the expressions that several panels share, as PromQL text with Grafana's variables in it.
 */
import type { FinishedStatus } from '../src/jim/activity.ts';

/** A selector of one of our families on the exporters chosen at the top of the dashboard. */
export function ours(family: string, matchers = ''): string {
  const all = ['job=~"$job"', 'instance=~"$instance"', ...(matchers === '' ? [] : [matchers])];
  return `${family}{${all.join(', ')}}`;
}

/** The run's labels, with the exporter it comes from: two JIMs may have the same names. */
export const BY_RUN = 'instance, connected_system, run_profile, run_type';
/** What a line, a bar or a row of a timeline is called. */
export const RUN_LEGEND = '{{connected_system}} · {{run_profile}}';

/**
 * The connected system and the run profiles chosen. Backticks with Grafana's `regex` format, because names may
 * hold quotes and backslashes, which Grafana's usual format does not escape for PromQL.
 */
export const CHOSEN_SYSTEM = 'connected_system=~`${connected_system:regex}`';
export const CHOSEN_RUNS = `${CHOSEN_SYSTEM}, run_profile=~\`\${run_profile:regex}\``;

/**
 * What a run profile is doing as one number, since a timeline shows numbers: the five statuses in the order of
 * their gravity, then running, which hides the status before it while it lasts.
 */
export const STATUS_CODES = {
  Complete: 1,
  CompleteWithWarning: 2,
  Cancelled: 3,
  CompleteWithError: 4,
  FailedWithError: 5,
} as const satisfies Record<FinishedStatus, number>;
export const RUNNING_CODE = 6;
export const NEVER_RAN_CODE = 0;
/** JIM itself, in the same timeline: while it is away, the states below are the last that were known. */
export const JIM_UP_CODE = 7;
export const JIM_DOWN_CODE = 8;

/** STATUS_CODES and RUNNING_CODE by run profile. The gauges are one-hot, so the greatest product is the code. */
export function runState(matchers = ''): string {
  const statuses = Object.entries(STATUS_CODES).map(
    ([status, code]) =>
      `${code} * ${ours('jim_run_last_status', join(`status="${status}"`, matchers))}`,
  );
  const running = `${RUNNING_CODE} * (${ours('jim_run_in_progress', join('state="running"', matchers))} > bool 0)`;
  return `max by (${BY_RUN}) (${[...statuses, running].join(' or ')})`;
}

/** JIM_UP_CODE or JIM_DOWN_CODE. */
export function jimState(): string {
  return `${JIM_DOWN_CODE} - min by (instance) (${ours('jim_up')})`;
}

/** STATUS_CODES of the last finished run alone. */
export function lastStatus(matchers = ''): string {
  const statuses = Object.entries(STATUS_CODES).map(
    ([status, code]) =>
      `${code} * ${ours('jim_run_last_status', join(`status="${status}"`, matchers))}`,
  );
  return `max by (${BY_RUN}) (${statuses.join(' or ')})`;
}

/** Events of a counter within each step, added up by the labels. Windows are at least the step, so none is missed. */
export function eventsPerStep(by: string, family: string, matchers = ''): string {
  return `sum by (${by}) (increase(${ours(family, matchers)}[$__rate_interval]))`;
}

/** Events of a counter within the dashboard's time range; rounded, since `increase` extrapolates a little. */
export function eventsInRange(by: string, family: string, matchers = ''): string {
  return `round(sum by (${by}) (increase(${ours(family, matchers)}[$__range])))`;
}

function join(...matchers: readonly string[]): string {
  return matchers.filter((matcher) => matcher !== '').join(', ');
}
