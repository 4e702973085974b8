/**
 * The exporter, wired: opens the ledger, connects to JIM and the Alertmanagers, listens, and polls on its
 * schedule until it is stopped. What each part does is said where it stands; here is only who knows whom.
 */
import type { FinishedRun } from './alertmanager/alerts.ts';
import { nextAlerts } from './alertmanager/alerts.ts';
import { alertSettingsOf, collectorSettingsOf, pollSettingsOf } from './app-settings.ts';
import { connectAlertmanager } from './alertmanager/client.ts';
import type { Bridge } from './alertmanager/sender.ts';
import { createBridge } from './alertmanager/sender.ts';
import type { Config } from './config/config.ts';
import type { LoadedConfig } from './config/load.ts';
import { formatFault } from './config/load.ts';
import { reloaded, secretsOf } from './config/reload.ts';
import type { Clock, Http, Transport } from './http.ts';
import { createHttp, createRateLimiter } from './http.ts';
import { JIM_PEER } from './jim/ask.ts';
import { createJimClient } from './jim/client.ts';
import { rowsIn } from './jim/wire-schema.ts';
import { emptyLedger } from './ledger/ledger.ts';
import type { Ledger } from './ledger/ledger.ts';
import { withLimit } from './ledger/labels.ts';
import { memoryStore, openStateFile } from './ledger/state-file.ts';
import type { RootLog } from './log.ts';
import { pageViewOf } from './page-from-parts.ts';
import { createPublication } from './metrics/publication.ts';
import { createRuntime } from './metrics/runtime.ts';
import type { Snapshot } from './metrics/snapshot.ts';
import type { Collectors } from './poll/collectors/collectors.ts';
import { createCollectors } from './poll/collectors/collectors.ts';
import { createKeeper } from './poll/keeper.ts';
import { createPoller } from './poll/poller.ts';
import { createRequestMeter } from './request-meter.ts';
import type { RequestMeter } from './request-meter.ts';
import { rememberedInterval } from './scheduler.ts';
import { startTimetable } from './timetable.ts';
import { followWebConfig } from './web/web-config-file.ts';
import type { Page, ReloadResult } from './web/routes.ts';
import { renderPage } from './web/page.ts';
import { createRoutes } from './web/routes.ts';
import { startServer } from './web/server.ts';

export interface Build {
  readonly version: string;
  readonly revision: string;
  readonly nodeVersion: string;
}

/** The ways out of the process, so that tests and the demo can stand in for them. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: () => number;
  /** One transport per peer, from the TLS and proxy settings of its section. */
  readonly transportFor: (
    section: Pick<Config['jim'], 'tls' | 'proxyUrl'>,
  ) => Transport & { readonly close?: () => Promise<void> };
}

export interface AppOptions extends Surroundings {
  readonly config: Config;
  readonly build: Build;
  readonly log: RootLog;
  /** Reads flags, environment and file again. */
  readonly loadConfig: () => LoadedConfig;
}

export interface App {
  /** Where it listens, as `host:port`. */
  readonly addresses: readonly string[];
  readonly reload: () => Promise<ReloadResult>;
  /** Ends the poll, commits, closes; takes at most 10 s. */
  readonly stop: () => Promise<void>;
}

/** `process_*` and held increments are at most this old on `/metrics`. */
const PUBLISH_INTERVAL_MS = 15_000;
/** A stopping poll may end its request for so long; then it is aborted, which costs nothing but that poll. */
const STOP_POLL_MS = 3_000;
const STOP_WEB_MS = 2_000;

export async function startApp(options: AppOptions): Promise<App> {
  const { clock, log, build } = options;
  const { nowMs } = clock;
  let config = options.config;
  let reloadFailed = false;

  const store =
    config.storage.path === null ? memoryStore : await openStateFile(config.storage.path, nowMs);
  const cleanups: (() => Promise<void>)[] = [() => store.close()];
  try {
    const runtime = createRuntime({ disableExporterMetrics: config.web.disableExporterMetrics });
    const { telemetry } = runtime;
    const publication = createPublication({ runtime });
    const keeper = createKeeper({
      store,
      initial: await openLedger(store.load, config, log),
      committed: telemetry.stateCommitted,
    });

    const meter = createRequestMeter(nowMs);
    const pollInterval = rememberedInterval(nowMs);
    let connection = connectJim(config, options, telemetry, meter);
    const jim = createJimClient({
      http: { request: (call) => connection.request(call) },
      baseUrl: config.jim.url,
      apiKey: rememberedKey(config, log),
      reloadKey: () => readKey(config, log),
    });
    cleanups.push(() => connection.close());

    let bridge = openBridge(config, options, telemetry);
    cleanups.push(() => bridge.stop());

    const publish = (): Promise<void> => {
      bridge.offer(keeper.current().alerts);
      return publication.publish(snapshot());
    };
    const alertsAfter = (ledger: Ledger, finished: readonly FinishedRun[]): Ledger =>
      withAlerts(ledger, { finished, collectors, config, bridge, nowMs: nowMs() });
    const poller = createPoller({
      jim,
      keeper,
      settings: () => pollSettingsOf(config),
      nowMs,
      telemetry,
      log: log.from('poll'),
      servedSince: publication.servedSince,
      alertsAfter,
      publish,
    });
    const collectors = createCollectors({
      jim,
      keeper,
      seen: poller.seen,
      settings: () => collectorSettingsOf(config),
      nowMs,
      deadline: (ms) => AbortSignal.timeout(ms),
      telemetry,
      log: log.from('collectors'),
      alertsAfter: (ledger) => alertsAfter(ledger, []),
      publish,
    });

    const snapshot = (): Snapshot => {
      const seen = poller.seen();
      return {
        ledger: keeper.current(),
        nowMs: nowMs(),
        jim: {
          up: seen.up,
          version: seen.dialect?.version ?? null,
          clockOffsetSeconds: seen.clockOffsetSeconds,
        },
        poll: {
          lastPollMs: seen.lastPollMs,
          lastSuccessfulPollMs: seen.lastSuccessfulPollMs,
          intervalSeconds: pollInterval(config.poll.schedule),
          caughtUp: seen.caughtUp,
        },
        readings: collectors.readings(),
        stateSizeBytes: store.sizeBytes(),
        build,
      };
    };

    const reload = async (): Promise<ReloadResult> => {
      const loaded = options.loadConfig();
      reloadFailed = !loaded.ok;
      if (!loaded.ok) {
        const reason = loaded.faults.map(formatFault).join('; ');
        telemetry.configLoaded({ success: false, atMs: nowMs() });
        log.error('the configuration is bad and was not loaded; the old one stays', {
          err: reason,
        });
        return { ok: false, reason };
      }
      const former = { bridge, connection };
      const { config: next, needRestart } = reloaded(config, loaded.config);
      config = next;
      for (const secret of secretsOf(config)) log.hide(secret);
      connection = connectJim(config, options, telemetry, meter);
      bridge = openBridge(config, options, telemetry);
      bridge.offer(keeper.current().alerts);
      timetable.restart();
      telemetry.configLoaded({ success: true, atMs: nowMs() });
      log.info('the configuration was loaded again');
      if (needRestart.length > 0) {
        log.warn('a setting was kept, since only a restart changes it', {
          settings: needRestart.join(', '),
        });
      }
      await Promise.all([former.bridge.stop(), former.connection.close()]);
      return { ok: true };
    };

    const page = (): Page =>
      renderPage(
        pageViewOf({
          snapshot: snapshot(),
          seen: poller.seen(),
          config,
          collectors: collectors.states(),
          requestsLastMinute: meter.lastMinute(),
          reloadFailed,
        }),
      );
    telemetry.configLoaded({ success: true, atMs: nowMs() });
    // Before listening, so that the first scrape finds what the state file holds.
    await publish();
    const server = await listen(config, options, publication, reload, page);
    cleanups.push(() => server.close(STOP_WEB_MS));

    const timetable = startTimetable({ config: () => config, poller, collectors, clock });
    const publishing = setInterval(() => void publish(), PUBLISH_INTERVAL_MS);
    cleanups.push(async () => {
      clearInterval(publishing);
      await timetable.stop(STOP_POLL_MS);
      await keeper.flush();
    });

    return {
      addresses: server.addresses,
      reload,
      stop: () => unwind(cleanups),
    };
  } catch (error) {
    await unwind(cleanups);
    throw error;
  }
}

/** Last opened, first closed; every one is tried, and the first fault is told at the end. */
async function unwind(cleanups: (() => Promise<void>)[]): Promise<void> {
  const faults: unknown[] = [];
  for (const cleanup of cleanups.splice(0).toReversed()) {
    try {
      await cleanup();
    } catch (error) {
      faults.push(error);
    }
  }
  if (faults.length > 0) throw faults[0];
}

async function openLedger(
  load: () => Promise<Ledger | null>,
  config: Config,
  log: RootLog,
): Promise<Ledger> {
  const { maxLabelSets } = config.poll;
  const kept = await load();
  if (kept === null) {
    log.info(
      'no ledger yet: what JIM shows as finished in the first observation is history and is not counted',
    );
    return emptyLedger(maxLabelSets);
  }
  log.info('ledger loaded', {
    counted_ids: kept.counted.size,
    open: kept.open.size,
    run_profiles: kept.runs.size,
  });
  return { ...kept, labels: withLimit(kept.labels, maxLabelSets) };
}

/** The key as last read: its file is read again only when JIM refuses the key. */
function rememberedKey(config: Config, log: RootLog): () => string {
  let key: string | null = null;
  return () => {
    if (key === null) {
      key = readKey(config, log);
    }
    return key;
  };
}

function readKey({ jim }: Config, log: RootLog): string {
  const key = jim.apiKey.read();
  log.hide(key);
  return key;
}

/** A new one after each reload: its TLS, proxy, deadline and ceiling are settings. */
function connectJim(
  { jim, log: { level } }: Config,
  { clock, random, transportFor, build, log }: AppOptions,
  telemetry: ReturnType<typeof createRuntime>['telemetry'],
  meter: RequestMeter,
): Http & { readonly close: () => Promise<void> } {
  const transport = transportFor(jim);
  const http = createHttp({
    transport,
    clock,
    random,
    peer: JIM_PEER,
    userAgent: `jim-exporter/${build.version}`,
    timeoutMs: jim.timeoutMs,
    limiter: createRateLimiter(jim.requestsPerMinute, clock),
    onRequest: (attempt, answer) => {
      telemetry.requestEnded(attempt);
      meter.note();
      // Counting rows reads the answer a second time: only for who wants to see it.
      if (level !== 'debug') return;
      log.debug('request to JIM', {
        ...attempt,
        rows: answer === null ? null : rowsIn(answer.body),
      });
    },
    onRetry: ({ reason }) => telemetry.requestRetried(reason),
  });
  return { ...http, close: async () => transport.close?.() };
}

function openBridge(
  config: Config,
  { clock, random, transportFor, build, log }: AppOptions,
  telemetry: Parameters<typeof createBridge>[0]['telemetry'],
): Bridge {
  const alertmanagers = config.alerting.alertmanagers.map((settings) =>
    connectAlertmanager(settings, {
      transport: transportFor(settings),
      clock,
      random,
      userAgent: `jim-exporter/${build.version}`,
    }),
  );
  const { resendIntervalMs } = config.alerting;
  return createBridge({
    alertmanagers,
    resendIntervalMs,
    clock,
    telemetry,
    log: log.from('bridge'),
  });
}

/** The alerts that follow from a move are part of it: committed before they are sent. */
function withAlerts(
  ledger: Ledger,
  {
    finished,
    collectors,
    config,
    bridge,
    nowMs,
  }: {
    readonly finished: readonly FinishedRun[];
    readonly collectors: Collectors;
    readonly config: Config;
    readonly bridge: Bridge;
    readonly nowMs: number;
  },
): Ledger {
  if (config.alerting.alertmanagers.length === 0) {
    // Nobody could be told: what was held is forgotten, and Alertmanagers of before end it by themselves.
    return ledger.alerts.size === 0 ? ledger : { ...ledger, alerts: new Map() };
  }
  const news = {
    finished,
    acceptedAtMs: bridge.acceptedAtMs,
    ...collectors.news(),
  };
  const alerts = nextAlerts(ledger, news, alertSettingsOf(config), nowMs);
  return alerts === ledger.alerts ? ledger : { ...ledger, alerts };
}

async function listen(
  config: Config,
  { clock, log }: AppOptions,
  publication: ReturnType<typeof createPublication>,
  reload: () => Promise<ReloadResult>,
  page: () => Page,
): ReturnType<typeof startServer> {
  const { nowMs } = clock;
  const webLog = log.from('web');
  const routes = createRoutes({
    publication,
    telemetryPath: config.web.telemetryPath,
    lifecycle: { enabled: config.web.enableLifecycle, reload },
    ready: () => publication.current() !== null,
    maxRequests: config.web.maxRequests,
    page,
    nowMs,
    log: webLog,
  });
  const { configFile } = config.web;
  return startServer({
    addresses: config.web.listenAddresses,
    fetch: routes,
    webConfig:
      configFile === null ? null : followWebConfig({ path: configFile, nowMs, log: webLog }),
    nowMs,
    log: webLog,
  });
}
