/** What each part of the exporter needs of the configuration, in its own words and units. */
import type { AlertSettings } from './alertmanager/alerts.ts';
import type { Config } from './config/config.ts';
import { micros } from './jim/activity.ts';
import type { CollectorSettings } from './poll/collectors/collectors.ts';
import type { PollSettings } from './poll/turn.ts';

export function pollSettingsOf({ poll, collectors }: Config): PollSettings {
  return {
    settle: micros(poll.settleMs * 1_000),
    overlap: micros(poll.overlapMs * 1_000),
    lookback: micros(poll.lookbackMs * 1_000),
    lookbackPages: poll.lookbackPages,
    openLimitMs: poll.openLimitMs,
    zeroHoldMs: poll.zeroHoldMs,
    seriesRetentionMs: poll.seriesRetentionMs,
    runStats: collectors.runStats,
  };
}

export function collectorSettingsOf({ collectors, alerting }: Config): CollectorSettings {
  return {
    enabled: {
      progress: collectors.progress.enabled,
      worker_tasks: collectors.workerTasks.enabled,
      health: collectors.health.enabled,
      run_stats: collectors.runStats !== 'never',
      error_types: collectors.errorTypes.enabled,
      failure_causes: collectors.failureCauses.enabled,
      schedules: collectors.schedules.enabled,
      inventory: collectors.inventory.enabled,
      certificates: collectors.certificates.enabled,
    },
    runStats: collectors.runStats,
    messagesWanted: alerting.alertmanagers.length > 0 && alerting.includeErrorMessage,
  };
}

export function alertSettingsOf({ alerting, jim }: Config): AlertSettings {
  return {
    severities: alerting.severities,
    resolveAfterMs: alerting.resolveAfterMs,
    resendIntervalMs: alerting.resendIntervalMs,
    includeErrorMessage: alerting.includeErrorMessage,
    labels: alerting.labels,
    externalUrl: jim.externalUrl,
  };
}
