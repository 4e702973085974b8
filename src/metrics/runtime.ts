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
  RequestFailureReason,
  UnrecognisedField,
} from './catalogue/process.ts';
import {
  COMMIT_RESULTS,
  NOTIFICATION_RESULTS,
  POLL_FAILURE_REASONS,
  PROCESS,
  PROCESS_DEFAULTS,
  REJECTION_REASONS,
  REQUEST_FAILURE_REASONS,
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
  requestRetried(reason: RequestFailureReason): void;
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

/** Closed sets of label values are there at 0 from the start: `increase()` cannot see a series born at 1. */
function createTelemetry(registry: Registry): Telemetry {
  const make = maker(registry);
  return {
    ...pollTelemetry(make),
    ...requestTelemetry(make),
    ...collectorTelemetry(make),
    ...bridgeTelemetry(make),
    ...configTelemetry(make),
  };
}

type Make = ReturnType<typeof maker>;
type Described<Label extends string> = {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
};

/** prom-client's objects from the catalogue's definitions, in one registry of our own. */
function maker(registry: Registry) {
  const registers = [registry];
  return {
    counter: <Label extends string>({ name, help, labels }: Described<Label>) =>
      new Counter({ name, help, labelNames: labels, registers }),
    gauge: <Label extends string>({ name, help, labels }: Described<Label>) =>
      new Gauge({ name, help, labelNames: labels, registers }),
    histogram: <Label extends string>({
      name,
      help,
      labels,
      buckets,
    }: Described<Label> & { readonly buckets: readonly number[] }) =>
      new Histogram({ name, help, labelNames: labels, buckets: [...buckets], registers }),
  };
}

/** A duration measured by a clock that may have been set back: a sum must never fall. */
function elapsed(seconds: number): number {
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}

type PollTelemetry = Pick<
  Telemetry,
  | 'pollEnded'
  | 'activityRejected'
  | 'activityVanished'
  | 'activityAltered'
  | 'valueUnrecognised'
  | 'labelSetsFolded'
  | 'runStatsMissing'
  | 'stateCommitted'
>;

function pollTelemetry({ counter, histogram }: Make): PollTelemetry {
  const polls = counter(PROCESS.polls);
  const failures = counter(PROCESS.pollFailures);
  const duration = histogram(PROCESS.pollDuration);
  const rejected = counter(PROCESS.rejected);
  const vanished = counter(PROCESS.vanished);
  const altered = counter(PROCESS.altered);
  const unrecognised = counter(PROCESS.unrecognised);
  const folded = counter(PROCESS.folded);
  const runStatsMissing = counter(PROCESS.runStatsMissing);
  const commits = counter(PROCESS.commits);
  for (const reason of POLL_FAILURE_REASONS) failures.inc({ reason }, 0);
  for (const reason of REJECTION_REASONS) rejected.inc({ reason }, 0);
  for (const field of UNRECOGNISED_FIELDS) unrecognised.inc({ field }, 0);
  for (const result of COMMIT_RESULTS) commits.inc({ result }, 0);
  return {
    pollEnded: ({ seconds, failure }) => {
      polls.inc();
      duration.observe(elapsed(seconds));
      if (failure !== null) failures.inc({ reason: failure });
    },
    activityRejected: (reason) => rejected.inc({ reason }),
    activityVanished: () => vanished.inc(),
    activityAltered: () => altered.inc(),
    valueUnrecognised: (field) => unrecognised.inc({ field }),
    labelSetsFolded: (count) => folded.inc(count),
    runStatsMissing: (count) => runStatsMissing.inc(count),
    stateCommitted: (result) => commits.inc({ result }),
  };
}

function requestTelemetry({
  counter,
  histogram,
}: Make): Pick<Telemetry, 'requestEnded' | 'requestRetried'> {
  const requests = counter(PROCESS.requests);
  const duration = histogram(PROCESS.requestDuration);
  const retries = counter(PROCESS.retries);
  for (const reason of REQUEST_FAILURE_REASONS) retries.inc({ reason }, 0);
  return {
    requestEnded: ({ endpoint, code, seconds }) => {
      // The usual codes of an endpoint appear together, so that its first failure is an increase.
      for (const usual of ['200', 'error']) requests.inc({ endpoint, code: usual }, 0);
      requests.inc({ endpoint, code: String(code) });
      duration.observe(elapsed(seconds));
    },
    requestRetried: (reason) => retries.inc({ reason }),
  };
}

function collectorTelemetry({
  gauge,
}: Make): Pick<Telemetry, 'collectorEnded' | 'collectorStopped'> {
  const succeeded = gauge(PROCESS.collectorSuccess);
  const duration = gauge(PROCESS.collectorDuration);
  return {
    collectorEnded: (collector, { success, seconds }) => {
      succeeded.set({ collector }, success ? 1 : 0);
      duration.set({ collector }, elapsed(seconds));
    },
    collectorStopped: (collector) => {
      succeeded.remove({ collector });
      duration.remove({ collector });
    },
  };
}

type BridgeTelemetry = Pick<
  Telemetry,
  'alertmanagersConfigured' | 'notificationsEnded' | 'notificationTook' | 'notificationsQueued'
>;

function bridgeTelemetry({ counter, gauge, histogram }: Make): BridgeTelemetry {
  const notifications = counter(PROCESS.notifications);
  const queueLength = gauge(PROCESS.notificationQueueLength);
  const queueCapacity = gauge(PROCESS.notificationQueueCapacity);
  const duration = histogram(PROCESS.notificationDuration);
  const shown = new Set<string>();
  const show = (alertmanager: string): void => {
    shown.add(alertmanager);
    for (const result of NOTIFICATION_RESULTS) notifications.inc({ alertmanager, result }, 0);
    duration.zero({ alertmanager });
  };
  const hide = (alertmanager: string): void => {
    shown.delete(alertmanager);
    for (const result of NOTIFICATION_RESULTS) notifications.remove({ alertmanager, result });
    duration.remove({ alertmanager });
    queueLength.remove({ alertmanager });
    queueCapacity.remove({ alertmanager });
  };
  return {
    alertmanagersConfigured: (alertmanagers, capacity) => {
      for (const alertmanager of shown)
        if (!alertmanagers.includes(alertmanager)) hide(alertmanager);
      for (const alertmanager of alertmanagers) {
        if (!shown.has(alertmanager)) show(alertmanager);
        queueLength.set({ alertmanager }, 0);
        queueCapacity.set({ alertmanager }, capacity);
      }
    },
    // One that a reload took away is still told what was queued for it; its series have left for good.
    notificationsEnded: (alertmanager, result, count) => {
      if (shown.has(alertmanager)) notifications.inc({ alertmanager, result }, count);
    },
    notificationTook: (alertmanager, seconds) => {
      if (shown.has(alertmanager)) duration.observe({ alertmanager }, elapsed(seconds));
    },
    notificationsQueued: (alertmanager, length) => {
      if (shown.has(alertmanager)) queueLength.set({ alertmanager }, length);
    },
  };
}

function configTelemetry({ gauge }: Make): Pick<Telemetry, 'configLoaded'> {
  const successful = gauge(PROCESS.reloadSuccessful);
  const successTime = gauge(PROCESS.reloadSuccessTime);
  // prom-client shows a gauge without labels as 0 at once; before the first load there is nothing to say.
  successful.remove();
  successTime.remove();
  return {
    configLoaded: ({ success, atMs }) => {
      successful.set(success ? 1 : 0);
      if (success) successTime.set(atMs / 1_000);
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
