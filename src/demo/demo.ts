/**
 * The demo: the same exporter against a simulated JIM, in one process. It looked at JIM yesterday, as it were, was
 * then down over a bad night, and starts now: what happened meanwhile is counted in front of one's eyes.
 */
import { startApp } from '../app.ts';
import type { App, AppOptions } from '../app.ts';
import { BADGES, CLOUD, DELTA, DIRECTORY, HR } from './company-set-up.ts';
import type { Company } from './company.ts';
import { createCompany } from './company.ts';
import { createSimulator } from './simulator.ts';
import { simulatorTransport } from './transport.ts';
import { DEMO_API_KEY } from './world.ts';

/** What the demo's configuration is made of: no JIM stands behind this address but the simulator. */
export const DEMO_JIM = { url: 'http://jim.demo.invalid', apiKey: DEMO_API_KEY } as const;

/** The night lies in it, whatever the time of day. */
const AWAY_MS = 26 * 3_600_000;
/** How often something happens while one watches. */
const EVENT_INTERVAL_MS = 45_000;
const SEED = 'demo';

export async function startDemo(options: AppOptions): Promise<App> {
  const { clock, config } = options;
  const yesterdayMs = clock.nowMs() - AWAY_MS;
  const company = createCompany({ seed: SEED, startMs: yesterdayMs, days: 2, dialect: 'main' });
  let nowMs = (): number => yesterdayMs;
  const simulator = createSimulator({ world: company.world, now: () => nowMs() });
  const transport = simulatorTransport(simulator);
  // Alertmanagers of the configuration are real ones; only JIM is not.
  const transportFor: AppOptions['transportFor'] = (section) =>
    'externalUrl' in section ? transport : options.transportFor(section);

  const yesterday = await startApp({
    ...options,
    transportFor,
    clock: { ...clock, nowMs: () => yesterdayMs },
    config: {
      ...config,
      // Nobody waits at a simulator's door: the whole look takes a blink.
      jim: { ...config.jim, requestsPerMinute: 60_000 },
      web: {
        ...config.web,
        configFile: null,
        listenAddresses: [{ text: '127.0.0.1:0', host: '127.0.0.1', port: 0 }],
      },
    },
  });
  await yesterday.stop();

  haveABadNight(company, yesterdayMs);
  nowMs = clock.nowMs;
  const app = await startApp({ ...options, transportFor });
  const events = keepBusy(company, () => company.world.advanceTo(clock.nowMs()));
  return {
    ...app,
    stop: async () => {
      clearInterval(events);
      await app.stop();
    },
  };
}

/** What the engineer finds in the morning. */
function haveABadNight({ incidents, world }: Company, fromMs: number): void {
  world.at(fromMs + 2 * 3_600_000, () => incidents.failNextRun(CLOUD, 'connector', 'FullImport'));
  world.at(fromMs + 3 * 3_600_000, () => incidents.failNextRun(BADGES, 'some_objects'));
  world.at(fromMs + 5 * 3_600_000, () => incidents.failNextRun(DIRECTORY, 'unhandled', 'Export'));
  world.at(fromMs + 25 * 3_600_000, () => incidents.failNextRun(HR, 'connector', 'DeltaImport'));
}

/** Runs by hand, some of which fail, so that counters move within a minute. */
function keepBusy({ incidents }: Company, untilNow: () => void): NodeJS.Timeout {
  const script = [
    () => incidents.startSchedule(DELTA),
    () => {
      incidents.failNextRun(CLOUD, 'some_objects');
      incidents.run(CLOUD, 'FullImport');
    },
    () => incidents.run(HR, 'FullImport'),
    () => {
      incidents.failNextRun(BADGES, 'connector');
      incidents.run(BADGES, 'FullImport');
    },
    () => incidents.run(BADGES, 'FullImport'),
  ];
  let step = 0;
  const act = (): void => {
    untilNow();
    script[step % script.length]?.();
    step += 1;
  };
  act();
  return setInterval(act, EVENT_INTERVAL_MS).unref();
}

/** The lines that greet whoever started it. */
export function demoGreeting(app: App, telemetryPath: string): readonly string[] {
  const address = app.addresses[0]?.replace(/^\[::\]|^0\.0\.0\.0/, 'localhost') ?? '';
  return [
    'jim-exporter demo: a simulated JIM after a bad night, and the exporter catching up with it.',
    `  metrics      http://${address}${telemetryPath}`,
    `  status page  http://${address}/`,
    'Look at jim_run_consecutive_failures and jim_runs_total{status="FailedWithError"}: what failed, and how often. Ctrl+C ends it.',
  ];
}
