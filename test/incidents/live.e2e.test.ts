/**
 * The whole chain alive, a minute of a rule taking a second: two simulated JIMs on real ports, two processes of the
 * built exporter, a Prometheus and an Alertmanager of each version with our rules and the example's routes. What is
 * checked is what the receivers of Alertmanager were told.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { SimulatorServer } from '../../src/demo/server.ts';
import { startSimulatorServer } from '../../src/demo/server.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import { freePort } from '../free-port.ts';
import type { Receiver } from '../alertmanager/real.ts';
import { RealAlertmanager, exampleConfig, startReceiver, until } from '../alertmanager/real.ts';
import { RULES_TEXT } from '../alerts/rules-file.ts';
import type { ExporterProcess } from '../exporter-process.ts';
import { startExporter } from '../exporter-process.ts';
import { HR_SYSTEM, RUN } from '../poll/rows.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';

const PATIENCE_MS = 90_000;

const SECONDS: Readonly<Record<string, number>> = { m: 1, h: 60, d: 1_440 };
/** The rules with a second for each minute. */
const QUICK_RULES = RULES_TEXT.replaceAll(
  /((?:\bfor|keep_firing_for|interval): |\[|:|offset )(\d+)([mhd])(?=[\]):\s])/g,
  (_, before: string, count: string, unit: string) =>
    `${before}${Number(count) * (SECONDS[unit] ?? Number.NaN)}s`,
);

/** A simulated JIM on a port, and the built exporter that watches it. */
class Watched {
  readonly world = new World({ seed: 'live', startMs: Date.now(), dialect: '0.14' });
  readonly #folder: string;
  readonly #settings: string;
  #server: SimulatorServer | null = null;
  #exporter: ExporterProcess | null = null;
  #port = 0;

  constructor(folder: string, settings: string) {
    this.#folder = folder;
    this.#settings = settings;
    mkdirSync(folder);
  }

  get target(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.end('Complete');
    this.world.systems = [HR_SYSTEM];
    const quirks = { rateLimit: false };
    this.#server = await startSimulatorServer(
      createSimulator({ world: this.world, now: () => Date.now(), quirks }),
    );
    this.#port = await freePort();
    await this.startExporter();
  }

  async startExporter(settings = this.#settings): Promise<void> {
    this.configure(settings);
    this.#exporter = startExporter({
      folder: this.#folder,
      args: [
        '--config.file=jim.yaml',
        `--web.listen-address=${this.target}`,
        '--web.enable-lifecycle',
      ],
      environment: { JIM_URL: this.#server?.url ?? '', JIM_API_KEY: DEMO_API_KEY },
    });
    await this.#exporter.waitFor(/msg="Listening on"/, PATIENCE_MS);
  }

  async killExporter(): Promise<void> {
    this.#exporter?.kill('SIGKILL');
    await this.#exporter?.ended;
  }

  configure(settings: string): void {
    writeFileSync(
      join(this.#folder, 'jim.yaml'),
      `jim: { requests_per_minute: 6000 }\npoll: { schedule: "* * * * * *", settle: 200ms, zero_hold: 4s }\nstorage: { path: ./data }\n${settings}`,
    );
  }

  async reload(): Promise<number> {
    return (await fetch(`http://${this.target}/-/reload`, { method: 'POST' })).status;
  }

  /** A run ends so, now. */
  end(status: 'Complete' | 'FailedWithError'): void {
    this.world.advanceTo(Date.now());
    const times = { executionTime: 200_000, totalActivityTime: 250_000 };
    this.world.insert({ ...RUN, status, ...times });
  }

  async stop(): Promise<void> {
    await this.killExporter();
    await this.#server?.close();
  }
}

/** A Prometheus with the quick rules, and the Alertmanager that it notifies. */
class Watchers {
  readonly #folder: string;
  readonly #version: 2 | 3;
  readonly #receiver: Receiver;
  readonly #alertmanager: RealAlertmanager;
  #prometheus: ChildProcess | null = null;
  #said = '';

  private constructor(
    folder: string,
    version: 2 | 3,
    receiver: Receiver,
    alertmanager: RealAlertmanager,
  ) {
    this.#folder = folder;
    this.#version = version;
    this.#receiver = receiver;
    this.#alertmanager = alertmanager;
  }

  static async start(
    folder: string,
    version: 2 | 3,
    targets: readonly string[],
  ): Promise<Watchers> {
    mkdirSync(folder);
    const receiver = await startReceiver();
    const alertmanager = await RealAlertmanager.create(
      findProgram('prometheus-alertmanager', version) ?? '',
      exampleConfig(receiver.url),
    );
    const watchers = new Watchers(folder, version, receiver, alertmanager);
    await alertmanager.start();
    await watchers.#startPrometheus(targets);
    return watchers;
  }

  async #startPrometheus(targets: readonly string[]): Promise<void> {
    writeFileSync(join(this.#folder, 'jim.rules.yaml'), QUICK_RULES);
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [join(this.#folder, 'jim.rules.yaml')],
      alerting: {
        alertmanagers: [{ static_configs: [{ targets: [new URL(this.#alertmanager.url).host] }] }],
      },
      scrape_configs: [{ job_name: 'jim-exporter', static_configs: [{ targets }] }],
    };
    writeFileSync(join(this.#folder, 'prometheus.yaml'), JSON.stringify(config));
    this.#prometheus = spawn(
      findProgram('prometheus', this.#version) ?? '',
      [
        `--config.file=${join(this.#folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(this.#folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${await freePort()}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#prometheus.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** Waits until a receiver was told that an alert of a target fires, or is resolved. */
  async hears(
    receiver: string,
    alertname: string,
    instance: string,
    status: 'firing' | 'resolved',
  ): Promise<void> {
    const isIt = (): boolean =>
      this.#told().some(
        (one) =>
          one.receiver === receiver &&
          one.status === status &&
          one.labels['alertname'] === alertname &&
          one.labels['instance'] === instance,
      );
    await until(
      () =>
        `${receiver} of version ${this.#version} is told that ${alertname} is ${status}; it was told ${JSON.stringify(this.#summary())}. Prometheus: ${this.#said.slice(-2_000)}`,
      isIt,
      PATIENCE_MS,
    );
  }

  async hearsTheWatchdog(): Promise<void> {
    await until(
      'the dead man’s switch hears the Watchdog',
      () =>
        this.#told().some(
          ({ receiver, labels }) =>
            receiver === '/dead-mans-switch' && labels['alertname'] === 'JimWatchdog',
        ),
      PATIENCE_MS,
    );
  }

  /** The alerts of a target that fire now, each with whether another one silences it. */
  async firing(instance: string): Promise<Readonly<Record<string, boolean>>> {
    const filter = new URLSearchParams({ filter: `instance="${instance}"` });
    const answer = await fetch(`${this.#alertmanager.url}/api/v2/alerts?${filter.toString()}`);
    const alerts = SHOWN.parse(await answer.json());
    return Object.fromEntries(
      alerts.map(({ labels, status }) => [
        labels['alertname'] ?? '',
        status.inhibitedBy.length > 0,
      ]),
    );
  }

  /** Waits until nothing of a target fires. */
  async clears(instance: string): Promise<void> {
    let left = {};
    await until(
      () => `nothing fires but ${JSON.stringify(left)}`,
      async () => {
        left = await this.firing(instance);
        return Object.keys(left).length === 0;
      },
      PATIENCE_MS,
    );
  }

  /** Names of all alerts that anybody was told to fire. */
  everHeard(): readonly string[] {
    const names = this.#told()
      .filter(({ status, receiver }) => status === 'firing' && receiver !== '/dead-mans-switch')
      .map(({ labels }) => labels['alertname'] ?? '');
    return [...new Set(names)].toSorted();
  }

  #told() {
    return this.#receiver.notifications.flatMap(({ receiver, alerts }) =>
      alerts.map((alert) => ({ ...alert, receiver })),
    );
  }

  #summary(): readonly string[] {
    return this.#told().map(
      ({ receiver, status, labels }) => `${receiver} ${labels['alertname']} ${status}`,
    );
  }

  async stop(): Promise<void> {
    const child = this.#prometheus;
    if (child !== null && child.exitCode === null) {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await closed;
    }
    await this.#alertmanager.dispose();
    await this.#receiver.close();
  }
}

const SHOWN = z.array(
  z.object({
    labels: z.record(z.string(), z.string()),
    status: z.object({ inhibitedBy: z.array(z.string()) }),
  }),
);

const versions = PROGRAM_VERSIONS.filter(
  (version) =>
    ![
      lacksProgram('prometheus', version),
      lacksProgram('prometheus-alertmanager', version),
    ].includes(true),
);

describe.skipIf(versions.length === 0)('alive, from JIM to the pager', () => {
  let folder: string;
  let jim: Watched;
  let bridged: Watched;
  let watchers: readonly Watchers[] = [];
  const everybody = (ask: (one: Watchers) => Promise<void>): Promise<unknown> =>
    Promise.all(watchers.map(ask));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jim-live-'));
    jim = new Watched(join(folder, 'jim'), '');
    // Its Alertmanager is the discard port of this host: nobody there.
    bridged = new Watched(
      join(folder, 'bridged'),
      'alerting: { alertmanagers: [{ url: "http://127.0.0.1:9" }], resend_interval: 1s }\n',
    );
    await Promise.all([jim.start(), bridged.start()]);
    const targets = [jim.target, bridged.target];
    watchers = await Promise.all(
      versions.map((version) =>
        Watchers.start(join(folder, `watchers-${version}`), version, targets),
      ),
    );
  }, PATIENCE_MS);
  afterAll(async () => {
    await Promise.all(watchers.map((one) => one.stop()));
    await Promise.all([jim.stop(), bridged.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  test('the rules were made quick, all of them', () => {
    expect(
      QUICK_RULES.match(/(\bfor|keep_firing_for|interval): \d+[mhd]|\[\d+[mhd]|:\d+[mhd]\]/g),
    ).toBeNull();
    expect(QUICK_RULES).toContain('[20160s:10s]');
  });

  // Each waits for its own JIM and exporter, most of the time.
  describe.concurrent('at once:', () => {
    test(
      'an alert arrives, is silenced by the outage that explains it, and clears',
      { timeout: 4 * PATIENCE_MS },
      async () => {
        jim.end('FailedWithError');
        await everybody((one) => one.hearsTheWatchdog());
        await everybody((one) => one.hears('/pager', 'JimRunFailed', jim.target, 'firing'));

        jim.world.listening = false;
        await everybody((one) => one.hears('/pager', 'JimUnreachable', jim.target, 'firing'));
        await everybody(async (one) => {
          expect(await one.firing(jim.target)).toEqual({
            JimRunFailed: true,
            JimUnreachable: false,
          });
        });

        jim.world.listening = true;
        await everybody((one) => one.hears('/pager', 'JimUnreachable', jim.target, 'resolved'));
        jim.end('Complete');
        await everybody((one) => one.hears('/pager', 'JimRunFailed', jim.target, 'resolved'));
      },
    );

    test(
      'a bridge that reaches nobody, a refused configuration, and an exporter that is killed and comes back',
      { timeout: 4 * PATIENCE_MS },
      async () => {
        bridged.end('FailedWithError');
        bridged.configure('nonsense: true\n');
        expect(await bridged.reload()).toBe(500);
        await everybody((one) =>
          one.hears('/pager', 'JimBridgeNotDelivering', bridged.target, 'firing'),
        );
        await everybody((one) =>
          one.hears('/tickets', 'JimConfigReloadFailed', bridged.target, 'firing'),
        );

        await bridged.killExporter();
        await everybody((one) => one.hears('/pager', 'JimExporterDown', bridged.target, 'firing'));
        await everybody(async (one) => {
          const { JimExporterDown: itself, ...others } = await one.firing(bridged.target);
          expect(itself).toBe(false);
          expect(Object.values(others)).not.toContain(false);
        });

        // A bridge goes on with what nobody took: it is switched off, since there is nobody to take it.
        await bridged.startExporter('');
        bridged.end('Complete');
        await everybody((one) =>
          one.hears('/pager', 'JimExporterDown', bridged.target, 'resolved'),
        );
        // The others were silent when they ended, so nobody was told; but they have.
        await everybody((one) => one.clears(bridged.target));
      },
    );
  });

  test('and nobody heard of anything else', () => {
    for (const one of watchers)
      expect(one.everHeard().filter((name) => name !== 'JimBridgeAlertmanagerFailing')).toEqual([
        'JimBridgeNotDelivering',
        'JimConfigReloadFailed',
        'JimExporterDown',
        'JimRunFailed',
        'JimUnreachable',
      ]);
  });
});
