/** The `poll` and `collectors` sections: when JIM is asked for what, and how far back. */
import type { CollectorsConfig, PollConfig, ScheduledSwitch, Switch } from './config.ts';
import { formatDuration } from './duration.ts';
import type { Section, Settings } from './settings.ts';
import { duration, oneOf, schedule, wholeNumber, yesNo } from './values.ts';

/** What is wrong with a schedule of six fields; null where nothing is. */
export type ScheduleFault = (expression: string) => string | null;

export function pollOf(settings: Settings, scheduleFault: ScheduleFault): PollConfig {
  const section = settings.root
    .section('poll')
    .only([
      'schedule',
      'settle',
      'overlap',
      'lookback',
      'lookback_pages',
      'open_limit',
      'zero_hold',
      'series_retention',
      'max_label_sets',
    ]);
  const poll: PollConfig = {
    schedule: section.value('schedule', schedule(scheduleFault), '*/15 * * * * *'),
    settleMs: section.value('settle', duration('0s', '1h'), 5_000),
    overlapMs: section.value('overlap', duration('1s', '7d'), 15 * MINUTE),
    lookbackMs: section.value('lookback', duration('1s', '10y'), 8 * DAY),
    lookbackPages: section.value('lookback_pages', wholeNumber(1, 10_000), 50),
    openLimitMs: section.value('open_limit', duration('1m', '10y'), 7 * DAY),
    zeroHoldMs: section.value('zero_hold', duration('0s', '1d'), 2 * MINUTE),
    seriesRetentionMs: section.value('series_retention', duration('1h', '10y'), 35 * DAY),
    maxLabelSets: section.value('max_label_sets', wholeNumber(1, 10_000), 500),
  };
  checkPoll(settings, section, poll);
  return poll;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

function checkPoll(settings: Settings, section: Section, poll: PollConfig): void {
  const longer: readonly [key: string, ms: number, thanKey: string, thanMs: number, why: string][] =
    [
      [
        'overlap',
        poll.overlapMs,
        'settle',
        poll.settleMs,
        'a row would leave the window before it has settled',
      ],
      [
        'lookback',
        poll.lookbackMs,
        'overlap',
        poll.overlapMs,
        'the first look must reach as far back as every later one',
      ],
      [
        'open_limit',
        poll.openLimitMs,
        'settle',
        poll.settleMs,
        'a row would be given up before it has settled',
      ],
      [
        'series_retention',
        poll.seriesRetentionMs,
        'lookback',
        poll.lookbackMs,
        'what the first look finds would leave again at once',
      ],
    ];
  for (const [key, ms, thanKey, thanMs, why] of longer) {
    if (ms >= thanMs) continue;
    settings.contradiction(
      [section.pathOf(key), section.pathOf(thanKey)],
      `${formatDuration(ms)} is shorter than poll.${thanKey} (${formatDuration(thanMs)}): ${why}`,
    );
  }
}

export function collectorsOf(section: Section, scheduleFault: ScheduleFault): CollectorsConfig {
  section.only([
    'progress',
    'worker_tasks',
    'health',
    'run_stats',
    'error_types',
    'failure_causes',
    'schedules',
    'inventory',
    'certificates',
  ]);
  const withPoll = (key: string): Switch => switchOf(section, key, 'it goes with each poll');
  const withRun = (key: string): Switch => switchOf(section, key, 'it goes with each finished run');
  const scheduled = (key: string, fallback: string): ScheduledSwitch => {
    const own = section.section(key).only(['enabled', 'schedule']);
    return {
      enabled: own.value('enabled', yesNo, true),
      schedule: own.value('schedule', schedule(scheduleFault), fallback),
    };
  };
  return {
    progress: withPoll('progress'),
    workerTasks: withPoll('worker_tasks'),
    health: withPoll('health'),
    runStats: section.value('run_stats', oneOf(['auto', 'always', 'never']), 'auto'),
    errorTypes: withRun('error_types'),
    failureCauses: withRun('failure_causes'),
    schedules: scheduled('schedules', '0 * * * * *'),
    inventory: scheduled('inventory', '0 */10 * * * *'),
    certificates: scheduled('certificates', '0 0 * * * *'),
  };
}

function switchOf(section: Section, key: string, when: string): Switch {
  const own = section.section(key);
  if (own.keys.includes('schedule')) {
    own.fault('schedule', `is not for this collector: ${when}; remove it`);
  }
  own.only(['enabled', 'schedule']);
  return { enabled: own.value('enabled', yesNo, true) };
}
