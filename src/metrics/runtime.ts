/**
 * The exporter's own counters and durations, which live as long as the process: the only place that knows
 * prom-client. The rest of the exporter reports in its own words through `Telemetry`.
 *
 * Values are read as data and written by `exposition.ts`. prom-client's own text is not used: rendering
 * OpenMetrics once strips `_total` from its counters for good, and it writes `le="1"` and `Nan`.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Definition, FamilyType, Sample } from './catalogue/family.ts';
import type {
  CollectorName,
  CommitResult,
  NotificationResult,
  PollFailureReason,
  RejectionReason,
  RetryReason,
  UnrecognisedField,
} from './catalogue/process.ts';
import {
  COMMIT_RESULTS,
  NOTIFICATION_RESULTS,
  POLL_FAILURE_REASONS,
  PROCESS,
  PROCESS_DEFAULTS,
  REJECTION_REASONS,
  RETRY_REASONS,
  UNRECOGNISED_FIELDS,
} from './catalogue/process.ts';
import { bucketBound } from './catalogue/family.ts';

/** What the parts of the exporter report of their work. Durations are in seconds. */
export interface Telemetry {
  pollEnded(poll: { readonly seconds: number; readonly failure: PollFailureReason | null }): void;
  /** `code` is the HTTP status, or `error` where none came. */
  requestEnded(request: {
    readonly endpoint: string;
    readonly code: number | 'error';
    readonly seconds: number;
  }): void;
  requestRetried(reason: RetryReason): void;
  activityRejected(reason: RejectionReason): void;
  activityVanished(): void;
  activityAltered(): void;
  valueUnrecognised(field: UnrecognisedField): void;
  labelSetsFolded(count: number): void;
  runStatsMissing(count: number): void;
  collectorEnded(
    collector: CollectorName,
    turn: { readonly success: boolean; readonly seconds: number },
  ): void;
  /** A collector that is off has no gauges. */
  collectorStopped(collector: CollectorName): void;
  stateCommitted(result: CommitResult): void;
  /** The configured Alertmanagers (host:port): their counters appear at 0, those of others leave. */
  alertmanagersConfigured(alertmanagers: readonly string[], queueCapacity: number): void;
  notificationsEnded(alertmanager: string, result: NotificationResult, count: number): void;
  notificationTook(alertmanager: string, seconds: number): void;
  notificationsQueued(alertmanager: string, length: number): void;
  configLoaded(load: { readonly success: boolean; readonly atMs: number }): void;
}

/** A family of this module with its present values. */
export interface ReadFamily {
  readonly definition: Definition;
  readonly samples: readonly Sample[];
}

export interface Runtime {
  readonly telemetry: Telemetry;
  /** All families of this process as they are now, `process_*` and `nodejs_*` measured anew. */
  read(): Promise<readonly ReadFamily[]>;
}

/** Far beyond any uptime: prom-client's loop-delay sampler cannot be left out, but it need not wake us up. */
const NEVER_SAMPLE_MS = 2_000_000_000;

/**
 * The process's metrics. `disableExporterMetrics` leaves out `process_*` and `nodejs_*`, as
 * `--web.disable-exporter-metrics` does in other exporters; `jim_exporter_*` always stays.
 */
export function createRuntime(options: { readonly disableExporterMetrics: boolean }): Runtime {
  const registry = new Registry();
  const telemetry = createTelemetry(registry);
  if (!options.disableExporterMetrics) addProcessDefaults(registry);
  return {
    telemetry,
    read: async () => (await registry.getMetricsAsJSON()).map(readFamily),
  };
}

type MetricDefinition<Label extends string> = {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
};
type HistogramDefinition<Label extends string> = MetricDefinition<Label> & {
  readonly buckets: readonly number[];
};

function createTelemetry(registry: Registry): Telemetry {
  const registers = [registry];
  const counter = <Label extends string>({ name, help, labels }: MetricDefinition<Label>) =>
    new Counter({ name, help, labelNames: labels, registers });
  const gauge = <Label extends string>({ name, help, labels }: MetricDefinition<Label>) =>
    new Gauge({ name, help, labelNames: labels, registers });
  const histogram = <Label extends string>(definition: HistogramDefinition<Label>) => {
    const { name, help, labels, buckets } = definition;
    return new Histogram({ name, help, labelNames: labels, buckets: [...buckets], registers });
  };

  const polls = counter(PROCESS.polls);
  const pollFailures = counter(PROCESS.pollFailures);
  const pollDuration = histogram(PROCESS.pollDuration);
  const requests = counter(PROCESS.requests);
  const requestDuration = histogram(PROCESS.requestDuration);
  const retries = counter(PROCESS.retries);
  const rejected = counter(PROCESS.rejected);
  const vanished = counter(PROCESS.vanished);
  const altered = counter(PROCESS.altered);
  const unrecognised = counter(PROCESS.unrecognised);
  const folded = counter(PROCESS.folded);
  const runStatsMissing = counter(PROCESS.runStatsMissing);
  const collectorSuccess = gauge(PROCESS.collectorSuccess);
  const collectorDuration = gauge(PROCESS.collectorDuration);
  const commits = counter(PROCESS.commits);
  const notifications = counter(PROCESS.notifications);
  const queueLength = gauge(PROCESS.notificationQueueLength);
  const queueCapacity = gauge(PROCESS.notificationQueueCapacity);
  const notificationDuration = histogram(PROCESS.notificationDuration);
  const reloadSuccessful = gauge(PROCESS.reloadSuccessful);
  const reloadSuccessTime = gauge(PROCESS.reloadSuccessTime);

  // Every closed set is there at 0 from the start: increase() cannot see a series born at 1.
  for (const reason of POLL_FAILURE_REASONS) pollFailures.inc({ reason }, 0);
  for (const reason of RETRY_REASONS) retries.inc({ reason }, 0);
  for (const reason of REJECTION_REASONS) rejected.inc({ reason }, 0);
  for (const field of UNRECOGNISED_FIELDS) unrecognised.inc({ field }, 0);
  for (const result of COMMIT_RESULTS) commits.inc({ result }, 0);
  // prom-client shows a gauge without labels as 0 at once; before the first load there is nothing to say.
  reloadSuccessful.remove();
  reloadSuccessTime.remove();

  const alertmanagersShown = new Set<string>();
  const showAlertmanager = (alertmanager: string): void => {
    alertmanagersShown.add(alertmanager);
    for (const result of NOTIFICATION_RESULTS) notifications.inc({ alertmanager, result }, 0);
    notificationDuration.zero({ alertmanager });
    queueLength.set({ alertmanager }, 0);
  };
  const hideAlertmanager = (alertmanager: string): void => {
    alertmanagersShown.delete(alertmanager);
    for (const result of NOTIFICATION_RESULTS) notifications.remove({ alertmanager, result });
    notificationDuration.remove({ alertmanager });
    queueLength.remove({ alertmanager });
    queueCapacity.remove({ alertmanager });
  };

  return {
    pollEnded: ({ seconds, failure }) => {
      polls.inc();
      pollDuration.observe(seconds);
      if (failure !== null) pollFailures.inc({ reason: failure });
    },
    requestEnded: ({ endpoint, code, seconds }) => {
      requests.inc({ endpoint, code: String(code) });
      requestDuration.observe(seconds);
    },
    requestRetried: (reason) => retries.inc({ reason }),
    activityRejected: (reason) => rejected.inc({ reason }),
    activityVanished: () => vanished.inc(),
    activityAltered: () => altered.inc(),
    valueUnrecognised: (field) => unrecognised.inc({ field }),
    labelSetsFolded: (count) => folded.inc(count),
    runStatsMissing: (count) => runStatsMissing.inc(count),
    collectorEnded: (collector, { success, seconds }) => {
      collectorSuccess.set({ collector }, success ? 1 : 0);
      collectorDuration.set({ collector }, seconds);
    },
    collectorStopped: (collector) => {
      collectorSuccess.remove({ collector });
      collectorDuration.remove({ collector });
    },
    stateCommitted: (result) => commits.inc({ result }),
    alertmanagersConfigured: (alertmanagers, capacity) => {
      for (const shown of alertmanagersShown)
        if (!alertmanagers.includes(shown)) hideAlertmanager(shown);
      for (const alertmanager of alertmanagers) {
        if (!alertmanagersShown.has(alertmanager)) showAlertmanager(alertmanager);
        queueCapacity.set({ alertmanager }, capacity);
      }
    },
    notificationsEnded: (alertmanager, result, count) =>
      notifications.inc({ alertmanager, result }, count),
    notificationTook: (alertmanager, seconds) =>
      notificationDuration.observe({ alertmanager }, seconds),
    notificationsQueued: (alertmanager, length) => queueLength.set({ alertmanager }, length),
    configLoaded: ({ success, atMs }) => {
      reloadSuccessful.set(success ? 1 : 0);
      if (success) reloadSuccessTime.set(atMs / 1_000);
    },
  };
}

/** Keeps of prom-client's default metrics those that are safe to show. */
function addProcessDefaults(registry: Registry): void {
  const before = new Set(registry.getMetricsAsArray().map(({ name }) => name));
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_SAMPLE_MS });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!before.has(name) && !PROCESS_DEFAULTS.includes(name)) registry.removeSingleMetric(name);
  }
}

type PromMetric = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number];
type PromValue = PromMetric['values'][number] & { readonly metricName?: string };

const DEFINITIONS: ReadonlyMap<string, Definition> = new Map(
  Object.values(PROCESS).map((definition) => [definition.name, definition]),
);

function readFamily(metric: PromMetric): ReadFamily {
  const definition = DEFINITIONS.get(metric.name) ?? definitionOf(metric);
  return { definition, samples: metric.values.map((value) => readSample(definition, value)) };
}

/** A default metric's definition: its labels are those of its values. */
function definitionOf({ name, help, type, values }: PromMetric): Definition {
  const labels = Object.keys(values[0]?.labels ?? {}).filter((label) => label !== 'le');
  return { name, help, type: familyType(String(type)), labels };
}

/** At run time prom-client's type is a word, whatever its declaration says. */
function familyType(word: string): FamilyType {
  return word === 'counter' || word === 'histogram' ? word : 'gauge';
}

function readSample({ name, labels }: Definition, value: PromValue): Sample {
  const bound = value.labels['le'];
  const values = labels.map((label) => String(value.labels[label] ?? ''));
  return {
    suffix: suffixOf((value.metricName ?? name).slice(name.length)),
    labels: bound === undefined ? values : [...values, bucketBound(boundOf(bound))],
    value: value.value,
    exemplar: null,
  };
}

/** prom-client keeps bounds as numbers but for the last, the word `+Inf`. */
function boundOf(le: string | number): number {
  return le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
}

function suffixOf(text: string): Sample['suffix'] {
  return text === '_bucket' || text === '_sum' || text === '_count' ? text : '';
}
