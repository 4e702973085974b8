/**
 * From where on a value is coloured as bad. A red panel and a page at night must say the same, so these are the
 * constants of `alerts/jim.rules.yaml` under its names (`jim:threshold:…`), where each has its reason;
 * `test/dashboards/alerts.test.ts` compares them. A dashboard cannot read them from there: Grafana's
 * thresholds are numbers in the JSON.
 */
export const THRESHOLDS = {
  stale_polls: 20,
  clock_offset_seconds: 30,
  notification_queue_ratio: 0.5,
  certificate_warning_seconds: 1_814_400,
  certificate_critical_seconds: 259_200,
  repeated_failures: 3,
  housekeeping_failures: 2,
  import_error_ratio: 0.05,
  synchronisation_error_ratio: 0.05,
  run_duration_factor: 3,
  run_duration_floor_seconds: 1_800,
  no_progress_seconds: 1_800,
  queue_age_seconds: 900,
  pending_exports: 100,
} as const;

/** Defaults of the configuration that the panels draw as lines; an exporter set otherwise is described in words. */
export const DEFAULTS = {
  pollIntervalSeconds: 15,
  requestsPerMinute: 120,
  maxLabelSets: 500,
} as const;

/** JimDataStale, for the default poll schedule. */
export const STALE_SECONDS = THRESHOLDS.stale_polls * DEFAULTS.pollIntervalSeconds;
