/** Arguments, environment, signals and the exit code; what is done stands elsewhere. */
// oxlint-disable-next-line import/no-unassigned-import -- it works by being the first
import './fetch-classes.ts';
import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { startApp } from './app.ts';
import type { App, AppOptions } from './app.ts';
import { readBuildInfo, versionText } from './build-info.ts';
import { parseArguments } from './cli/arguments.ts';
import type { ActivitiesArguments, ParsedArguments } from './cli/arguments.ts';
import type { Config } from './config/config.ts';
import type { JimClient } from './jim/client.ts';
import type { FlagValues } from './config/flags.ts';
import { formatFault, loadConfig } from './config/load.ts';
import type { ConfigSources, LoadedConfig } from './config/load.ts';
import { secretsOf } from './config/reload.ts';
import type { Fault } from './config/settings.ts';
import { createLog } from './log.ts';
import type { RootLog } from './log.ts';
import { intervalSecondsOf, scheduleFault } from './scheduler.ts';
import { realSurroundings } from './surroundings.ts';

/** A bad configuration, a taken port, a state file that cannot be used: what a person has to mend. */
const EXIT_REFUSED = 1;
/** A bug of ours (EX_SOFTWARE), so that a supervisor can tell it from what only a person can mend. */
const EXIT_BUG = 70;
/** A shell's way to say which signal ended a process. */
const EXIT_SIGNAL = 128;
/** npm passes on the Ctrl-C that we got as well: only a later one is a person's second. */
const SECOND_SIGNAL_MS = 500;
/** All that follows a SIGTERM; Docker and Kubernetes kill after 10 s or more. */
const STOP_DEADLINE_MS = 9_500;

const build = readBuildInfo();

// Whoever read our output has gone: that is no reason to stop serving, nor one to say anything.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

void run(parseArguments(process.argv.slice(2), versionText(build))).then((code) => {
  process.exit(code);
});

async function run(parsed: ParsedArguments): Promise<number> {
  switch (parsed.command) {
    case 'print':
      (parsed.exitCode === 0 ? print : complain)(parsed.text.trimEnd());
      return parsed.exitCode;
    case 'serve':
      return serve(() => load(parsed.flags));
    case 'check-config':
      return check(load(parsed.flags), parsed.connect);
    case 'test-alert':
      return sendTestAlert(load(parsed.flags));
    case 'demo':
      return demo(parsed.flags);
    case 'activities':
      return showActivities(load(parsed.flags), parsed.activities);
  }
}

// Serving starts without loading what only the other commands need.

async function check(loaded: LoadedConfig, toConnect: boolean): Promise<number> {
  const { checkConfig } = await import('./cli/check-config.ts');
  return checkConfig({ loaded, connect: toConnect ? connect : null, print, complain });
}

async function showActivities(loaded: LoadedConfig, asked: ActivitiesArguments): Promise<number> {
  if (!loaded.ok) return refuse(loaded.faults);
  const [{ activities }, { createTerminal }] = await Promise.all([
    import('./cli/activities.ts'),
    import('./cli/terminal.ts'),
  ]);
  return activities(asked, {
    ...createTerminal(process.stdout),
    jim: await jimOf(loaded.config),
    externalUrl: loaded.config.jim.externalUrl,
    clock: realSurroundings().clock,
    complain,
  });
}

async function connect(config: Config): Promise<boolean> {
  const { tryJim } = await import('./cli/connect.ts');
  let requests = 0;
  const jim = await jimOf(config, () => {
    requests += 1;
  });
  return tryJim({ jim, config, requests: () => requests, intervalSecondsOf, print });
}

/** JIM as a command meets it. */
async function jimOf(config: Config, onRequest?: () => void): Promise<JimClient> {
  const { commandClient } = await import('./cli/connect.ts');
  const { transportFor, clock, random } = realSurroundings();
  return commandClient(config, {
    transport: transportFor(config.jim),
    clock,
    random,
    userAgent: `jim-exporter/${build.version}`,
    ...(onRequest === undefined ? {} : { onRequest }),
  });
}

function load(flags: FlagValues, demoJim?: ConfigSources['demo']): LoadedConfig {
  return loadConfig({
    flags,
    environment: process.env,
    workingFolder: process.cwd(),
    scheduleFault,
    ...(demoJim === undefined ? {} : { demo: demoJim }),
  });
}

/** Its storage is its own and temporary, unless a path is given. */
async function demo(flags: FlagValues): Promise<number> {
  const { DEMO_JIM, demoGreeting, startDemo } = await import('./demo/demo.ts');
  // Made when it is used: with a path given, nothing else need be writable.
  const storagePath = join(tmpdir(), `jim-exporter-demo-${randomUUID()}`);
  try {
    return await serve(
      () => load(flags, { ...DEMO_JIM, storagePath }),
      async (options) => {
        const app = await startDemo(options);
        for (const line of demoGreeting(app, options.config.web.telemetryPath)) print(line);
        return app;
      },
    );
  } finally {
    // Not there where a path was given; to ask may be all that Node's permissions leave us.
    if (existsSync(storagePath)) rmSync(storagePath, { recursive: true, force: true });
  }
}

/** Until a signal says to stop: 0, or why it could not start. */
async function serve(
  loadAgain: () => LoadedConfig,
  start: (options: AppOptions) => Promise<App> = startApp,
): Promise<number> {
  // Node's young generation would grow to 48 MB in the first busy poll and stay so: more than all that we keep.
  setFlagsFromString('--semi-space-growth-factor=1');
  const loaded = loadAgain();
  if (!loaded.ok) return refuse(loaded.faults);
  const { config, warnings } = loaded;
  const log = createLog({
    ...config.log,
    source: 'main',
    write: (line) => process.stderr.write(line),
  });
  for (const secret of secretsOf(config)) log.hide(secret);
  endOnBugs(log);
  const signals = watchSignals(log);
  log.info('Starting jim-exporter', { ...build });
  for (const warning of warnings) log.warn(formatFault(warning));

  let app: App;
  try {
    app = await start({ ...realSurroundings(), config, build, log, loadConfig: loadAgain });
  } catch (error) {
    log.error('Cannot start', { err: error });
    return EXIT_REFUSED;
  }
  signals.onReload(() => app.reload());
  await signals.stop;
  await app.stop();
  log.info('Stopped');
  return 0;
}

async function sendTestAlert(loaded: LoadedConfig): Promise<number> {
  if (!loaded.ok) return refuse(loaded.faults);
  const [{ testAlert }, { connectAlertmanager }] = await Promise.all([
    import('./cli/test-alert.ts'),
    import('./alertmanager/client.ts'),
  ]);
  const { alerting, jim } = loaded.config;
  const { transportFor, ...world } = realSurroundings();
  const userAgent = `jim-exporter/${build.version}`;
  return testAlert({
    alertmanagers: alerting.alertmanagers.map((settings) =>
      connectAlertmanager(settings, { ...world, transport: transportFor(settings), userAgent }),
    ),
    labels: alerting.labels,
    severity: Object.values(alerting.severities)[0] ?? 'warning',
    externalUrl: jim.externalUrl,
    nowMs: world.clock.nowMs(),
    signal: new AbortController().signal,
    print,
  });
}

interface Signals {
  /** Resolves with the first SIGTERM or SIGINT. */
  readonly stop: Promise<void>;
  /** What SIGHUP does; one that came before is done now. */
  onReload(reload: () => Promise<unknown>): void;
}

/** Watched from the first moment, since a signal may come while we start, and to the last: a commit must end. */
function watchSignals(log: RootLog): Signals {
  let reload: (() => Promise<unknown>) | null = null;
  let isReloadOwed = false;
  process.on('SIGHUP', () => {
    if (reload === null) isReloadOwed = true;
    else void reload();
  });
  const stopped = new Promise<void>((resolve) => {
    let stoppingSince: number | null = null;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, (_name: NodeJS.Signals, number: number) => {
        const now = performance.now();
        if (stoppingSince === null) {
          stoppingSince = now;
          log.info('Stopping', { signal });
          setTimeout(() => {
            log.error('Stopping took too long; what was committed is safe');
            process.exit(EXIT_BUG);
          }, STOP_DEADLINE_MS);
          resolve();
        } else if (now - stoppingSince > SECOND_SIGNAL_MS) {
          log.warn('Ending at once, as told twice; what was committed is safe', { signal });
          process.exit(EXIT_SIGNAL + number);
        }
      });
    }
  });
  return {
    stop: stopped,
    onReload(callback) {
      reload = callback;
      if (isReloadOwed) void callback();
    },
  };
}

/** An error nobody expected is a bug: going on could count wrongly, and the ledger makes ending safe. */
function endOnBugs(log: RootLog): void {
  process.on('uncaughtException', (error: unknown) => {
    log.error('Unexpected error, which is a bug; the process ends', {
      err: error,
      // Anything can be thrown, whatever the type says.
      stack: error instanceof Error ? error.stack : undefined,
    });
    process.exit(EXIT_BUG);
  });
}

/** In plain lines: how to log is itself part of what could not be read. */
function refuse(faults: readonly Fault[]): number {
  complain('jim-exporter cannot start:');
  for (const fault of faults) complain(`  ${formatFault(fault)}`);
  if (faults.some(({ message }) => message.startsWith('is missing'))) {
    complain('');
    complain(
      'Start it with:     JIM_URL=https://jim.example.com JIM_API_KEY_FILE=jim.key jim-exporter',
    );
    complain('Without any JIM:   jim-exporter demo');
  }
  return EXIT_REFUSED;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}
