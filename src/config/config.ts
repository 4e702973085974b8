/**
 * The configuration as the program uses it: every setting exact, checked and with its default, so that
 * nobody behind this edge asks again. Durations are milliseconds (`…Ms`), paths are absolute, what was not
 * set and has no default is null.
 */
import type { FinishedStatus } from '../jim/activity.ts';
import type { Secret } from './secret.ts';

export interface Config {
  readonly jim: JimConfig;
  readonly poll: PollConfig;
  readonly collectors: CollectorsConfig;
  readonly storage: StorageConfig;
  readonly alerting: AlertingConfig;
  readonly web: WebConfig;
  readonly log: LogConfig;
}

export interface JimConfig {
  /** http or https, perhaps with a path; no userinfo, query, fragment or slash at the end. */
  readonly url: string;
  readonly apiKey: Secret;
  /** What people click, in the form of `url`. */
  readonly externalUrl: string;
  /** Deadline of one whole request. */
  readonly timeoutMs: number;
  readonly requestsPerMinute: number;
  readonly tls: TlsConfig;
  readonly proxyUrl: Secret | null;
}

/** `tls_config` as in every Prometheus client. Files are absolute paths that could be read at start. */
export interface TlsConfig {
  readonly caFile: string | null;
  /** Set together with `keyFile`, or neither is. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly serverName: string | null;
  readonly insecureSkipVerify: boolean;
}

export interface PollConfig {
  /** node-cron, six fields (seconds first). */
  readonly schedule: string;
  readonly settleMs: number;
  readonly overlapMs: number;
  /** At least `overlapMs`. */
  readonly lookbackMs: number;
  readonly lookbackPages: number;
  readonly openLimitMs: number;
  readonly zeroHoldMs: number;
  readonly seriesRetentionMs: number;
  readonly maxLabelSets: number;
}

/** The collectors of design section 3. Those without a schedule go with each poll or each finished run. */
export interface CollectorsConfig {
  readonly progress: Switch;
  readonly workerTasks: Switch;
  readonly health: Switch;
  readonly runStats: RunStatsMode;
  readonly errorTypes: Switch;
  readonly failureCauses: Switch;
  readonly schedules: ScheduledSwitch;
  readonly inventory: ScheduledSwitch;
  readonly certificates: ScheduledSwitch;
}
export interface Switch {
  readonly enabled: boolean;
}
export interface ScheduledSwitch extends Switch {
  /** node-cron, six fields. */
  readonly schedule: string;
}
/** auto: where JIM is 0.14 or later. */
export type RunStatsMode = 'auto' | 'always' | 'never';

export interface StorageConfig {
  /** The folder of the state file and its lock; null keeps nothing over a restart. */
  readonly path: string | null;
}

export interface AlertingConfig {
  /** The bridge is off while this is empty. */
  readonly alertmanagers: readonly AlertmanagerConfig[];
  /** The statuses that fire, each with the value of its `severity` label. */
  readonly severities: Readonly<Partial<Record<AlertingStatus, string>>>;
  readonly resendIntervalMs: number;
  /** Null: only a success, or the run profile's disappearance, resolves. */
  readonly resolveAfterMs: number | null;
  readonly includeErrorMessage: boolean;
  /** Static labels; none of the names the bridge sets itself. */
  readonly labels: Readonly<Record<string, string>>;
}
/** Complete can never fire: it is what resolves. */
export type AlertingStatus = Exclude<FinishedStatus, 'Complete'>;

export interface AlertmanagerConfig {
  /** In the form of `jim.url`. */
  readonly url: string;
  readonly timeoutMs: number;
  /** Never set together with `authorization`. */
  readonly basicAuth: { readonly username: string; readonly password: Secret } | null;
  readonly authorization: { readonly type: string; readonly credentials: Secret } | null;
  readonly tls: TlsConfig;
  readonly proxyUrl: Secret | null;
}

/** Flags and environment only: where we listen is no business of a file that may be reloaded. */
export interface WebConfig {
  readonly listenAddresses: readonly ListenAddress[];
  /** Starts with a slash. */
  readonly telemetryPath: string;
  /** The exporter-toolkit web configuration file. */
  readonly configFile: string | null;
  /** Parallel scrapes; 0 is unlimited. */
  readonly maxRequests: number;
  readonly disableExporterMetrics: boolean;
  readonly enableLifecycle: boolean;
}
export interface ListenAddress {
  /** As it was written. */
  readonly text: string;
  /** Null is every address of the machine. An IPv6 address stands without its brackets. */
  readonly host: string | null;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
}
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'logfmt' | 'json';
