/**
 * The bridge against real Alertmanagers, 0.25 (PATH) and 0.33 (PROMETHEUS3_BIN): what a person is told, by a
 * receiver that counts. Only here time is real: resend interval 3 s, group_wait 0.5 s, group_interval 1 s.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { MINIMUM_HOLD_MS, NO_NEWS, nextAlerts } from '../../src/alertmanager/alerts.ts';
import { connectAlertmanager } from '../../src/alertmanager/client.ts';
import type { Alertmanager } from '../../src/alertmanager/client.ts';
import type { Bridge } from '../../src/alertmanager/sender.ts';
import { createBridge } from '../../src/alertmanager/sender.ts';
import { toWire } from '../../src/alertmanager/wire.ts';
import type { FinishedStatus } from '../../src/jim/activity.ts';
import { undiciTransport } from '../../src/http.ts';
import type { Clock } from '../../src/http.ts';
import type { Ledger, RunLabels } from '../../src/ledger/ledger.ts';
import { emptyLedger } from '../../src/ledger/ledger.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import { freePort } from '../free-port.ts';
import type { Receiver } from './real.ts';
import {
  PEER_TIMEOUT_MS,
  RealAlertmanager,
  exampleConfig,
  plainConfig,
  startReceiver,
  until,
} from './real.ts';
import {
  HR_IMPORT,
  MINUTE,
  SETTINGS,
  UNWATCHED,
  finished,
  held,
  ledgerAfter,
  run,
} from './world.ts';

const PROGRAM = 'prometheus-alertmanager';
/** An alert ends by itself after four of these: cores that are busy for so long would tell it resolved. */
const RESEND_MS = 3_000;
/** Longer than a resend interval and the group interval after it: whatever would be told twice has been by then. */
const NOTHING_MORE_MS = RESEND_MS + 1_500;
const CLUSTER_GROUP_INTERVAL_MS = 6_000;

/** What a test opened is closed when it ends, last opened first; tests run side by side, since they mostly wait. */
type Cleanup = (close: () => Promise<void>) => void;

/** The exporter's side: what it committed, and a bridge that can be killed and started again. */
class Exporter {
  ledger: Ledger = emptyLedger(500);
  readonly #urls: readonly string[];
  readonly #clock: Clock;
  readonly #cleanup: Cleanup;
  #bridge: Bridge | null = null;
  #end = 0;

  constructor(cleanup: Cleanup, urls: readonly string[], clockOffsetMs = 0) {
    this.#cleanup = cleanup;
    this.#urls = urls;
    this.#clock = {
      nowMs: () => Date.now() + clockOffsetMs,
      sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
    };
  }

  start(): void {
    this.#bridge = createBridge({
      alertmanagers: this.#urls.map((url) => connect(this.#cleanup, url, this.#clock)),
      resendIntervalMs: RESEND_MS,
      clock: this.#clock,
      ...UNWATCHED,
    });
    this.#bridge.offer(this.ledger.alerts);
    this.#cleanup(() => this.stop());
  }

  async stop(): Promise<void> {
    await this.#bridge?.stop();
    this.#bridge = null;
  }

  finish(status: FinishedStatus, profiles: readonly RunLabels[] = [HR_IMPORT]): void {
    this.#end += 60;
    this.#move(profiles.map((labels) => run({ labels, status, end: this.#end })));
  }

  /** Succeeds, and polls on until the alerts are resolved. */
  async recover(): Promise<void> {
    this.finish('Complete');
    await until('the alerts are resolved', () => {
      this.#move([]);
      return [...this.ledger.alerts.values()].every(({ resolvedAtMs }) => resolvedAtMs !== null);
    });
  }

  /** What was accepted counts as accepted long enough ago for a recovery to be told at once. */
  #move(rows: readonly ReturnType<typeof run>[]): void {
    const nowMs = this.#clock.nowMs();
    const ledger = ledgerAfter(rows, this.ledger);
    const alerts = nextAlerts(
      ledger,
      {
        ...NO_NEWS,
        finished: rows.map(finished),
        acceptedAtMs: (key, startsAtMs) =>
          (this.#bridge?.acceptedAtMs(key, startsAtMs) ?? null) === null
            ? null
            : nowMs - MINIMUM_HOLD_MS,
      },
      SETTINGS,
      nowMs,
    );
    this.ledger = { ...ledger, alerts };
    this.#bridge?.offer(alerts);
  }
}

function connect(cleanup: Cleanup, url: string, clock: Clock): Alertmanager {
  const transport = undiciTransport({});
  cleanup(() => transport.close());
  return connectAlertmanager(
    { url, timeoutMs: 10_000, basicAuth: null, authorization: null },
    { transport, clock, random: () => 0, userAgent: 'jim-exporter/test' },
  );
}

async function receiver(cleanup: Cleanup): Promise<Receiver> {
  const started = await startReceiver();
  cleanup(() => started.close());
  return started;
}

async function alertmanager(
  cleanup: Cleanup,
  program: string,
  config: string,
  cluster: { readonly own: number; readonly peer: number } | null = null,
): Promise<RealAlertmanager> {
  const created = await RealAlertmanager.create(program, config, cluster);
  cleanup(() => created.dispose());
  return created;
}

/** One Alertmanager, whom it notifies, and an exporter that tells it. */
async function pair(
  cleanup: Cleanup,
  program: string,
  configFor: (receiverUrl: string) => string = plainConfig,
  clockOffsetMs = 0,
): Promise<{
  readonly told: Receiver;
  readonly one: RealAlertmanager;
  readonly exporter: Exporter;
}> {
  const told = await receiver(cleanup);
  const one = await alertmanager(cleanup, program, configFor(told.url));
  await one.start();
  const exporter = new Exporter(cleanup, [one.url], clockOffsetMs);
  exporter.start();
  return { told, one, exporter };
}

interface Told {
  readonly firing: number;
  readonly resolved: number;
}

/** At least so many. */
async function reachTold(told: Receiver, expected: Told): Promise<void> {
  await until(
    () => `${JSON.stringify(told.told())} is ${JSON.stringify(expected)}`,
    () => told.told().firing >= expected.firing && told.told().resolved >= expected.resolved,
  );
}

/** Exactly so many, by all of them, now and after all that could still come has come. */
async function expectTold(
  receivers: readonly Receiver[],
  expected: Told,
  nothingMoreMs = NOTHING_MORE_MS,
): Promise<void> {
  for (const told of receivers) await reachTold(told, expected);
  await sleep(nothingMoreMs);
  for (const told of receivers) expect(told.told()).toEqual(expected);
}

/**
 * Until either has just flushed. A peer that waits for the other with the failure in its hand, while the other
 * tells of the recovery, tells the failure again: Alertmanager's own race, which is over for one interval then.
 */
async function untilFlushed(peers: readonly RealAlertmanager[]): Promise<void> {
  const before = await Promise.all(peers.map((peer) => peer.flushes()));
  await until('a peer flushes', async () => {
    const after = await Promise.all(peers.map((peer) => peer.flushes()));
    return after.some((flushes, index) => flushes > (before[index] ?? Infinity));
  });
}

describe.concurrent.each(PROGRAM_VERSIONS.map((version) => ({ version })))(
  'with the Alertmanager of Prometheus $version',
  ({ version }) => {
    const isMissing = lacksProgram(PROGRAM, version);
    const program = findProgram(PROGRAM, version) ?? '';

    test.skipIf(isMissing)(
      'two on their own, one of them dead at first and then restarted: each tells every failure and recovery once',
      async ({ onTestFinished: cleanup }) => {
        const [oneTold, twoTold] = [await receiver(cleanup), await receiver(cleanup)];
        const one = await alertmanager(cleanup, program, plainConfig(oneTold.url));
        const two = await alertmanager(cleanup, program, plainConfig(twoTold.url));
        await one.start();
        const exporter = new Exporter(cleanup, [one.url, two.url]);
        exporter.start();

        exporter.finish('FailedWithError');
        await reachTold(oneTold, { firing: 1, resolved: 0 });
        expect(twoTold.notifications).toEqual([]);
        await two.start();
        await reachTold(twoTold, { firing: 1, resolved: 0 });

        // It forgets its alerts and keeps what it told; within one interval it knows all again.
        await two.stop('SIGTERM');
        await two.start();
        await until('it knows the alert again', async () => (await two.firing()).length === 1);

        // A second failure is the same alert.
        exporter.finish('FailedWithError');
        await expectTold([oneTold, twoTold], { firing: 1, resolved: 0 });

        await exporter.recover();
        await expectTold([oneTold, twoTold], { firing: 1, resolved: 1 });
        expect(await one.firing()).toEqual([]);
      },
      90_000,
    );

    test.skipIf(isMissing)(
      'two in a cluster tell every failure and recovery once together, over restarts of both sides',
      // A cluster promises at least once: two peers whose flushes meet within the time that gossip takes, which is
      // long on busy cores, both tell. What we do wrong fails each time.
      { timeout: 120_000, retry: 2 },
      async ({ onTestFinished: cleanup }) => {
        const told = await receiver(cleanup);
        const [portOne, portTwo] = [await freePort(), await freePort()];
        const config = plainConfig(told.url, `${CLUSTER_GROUP_INTERVAL_MS}ms`);
        const ports = { own: portOne, peer: portTwo };
        const one = await alertmanager(cleanup, program, config, ports);
        const two = await alertmanager(cleanup, program, config, { own: portTwo, peer: portOne });
        await Promise.all([one.start(), two.start()]);
        const exporter = new Exporter(cleanup, [one.url, two.url]);
        exporter.start();
        exporter.finish('FailedWithError');
        await reachTold(told, { firing: 1, resolved: 0 });
        // Both know by then that it was told, whichever did.
        for (const peer of [one, two])
          await until('it has flushed', async () => (await peer.flushes()) > 0);

        // Killed, it forgets everything, and learns from its peer what was told and from us what fires.
        await two.stop('SIGKILL');
        await two.start();
        await until('it knows the alert again', async () => (await two.firing()).length === 1);
        await expectTold([told], { firing: 1, resolved: 0 }, PEER_TIMEOUT_MS + 1_000);

        // The run succeeds while the exporter is down; the next process tells it.
        await exporter.stop();
        await sleep(RESEND_MS);
        exporter.start();
        await untilFlushed([one, two]);
        await exporter.recover();
        const nothingMoreMs = CLUSTER_GROUP_INTERVAL_MS + PEER_TIMEOUT_MS + 1_000;
        await expectTold([told], { firing: 1, resolved: 1 }, nothingMoreMs);
        expect(await two.firing()).toEqual([]);
      },
    );

    for (const [where, ourOffsetMs] of [
      ['behind', 10 * MINUTE],
      ['ahead of', -10 * MINUTE],
    ] as const)
      test.skipIf(isMissing)(
        `whose clock is ten minutes ${where} ours, a failure and a recovery are told once each`,
        async ({ onTestFinished: cleanup }) => {
          const { told, exporter } = await pair(cleanup, program, plainConfig, ourOffsetMs);
          exporter.finish('FailedWithError');
          await expectTold([told], { firing: 1, resolved: 0 });
          await exporter.recover();
          await expectTold([told], { firing: 1, resolved: 1 });
        },
        60_000,
      );

    test.skipIf(isMissing)(
      'names of any kind arrive as they are, with all that the alert tells',
      async ({ onTestFinished: cleanup }) => {
        const { told, exporter } = await pair(cleanup, program);
        const labels: RunLabels = {
          connectedSystem: 'HR "Größe" \\ {{ .Labels }} <b>',
          runProfile: 'Full\nImport 🦒 \u2028 ; DROP',
          runType: 'FullImport',
        };
        exporter.finish('FailedWithError', [labels]);
        await expectTold([told], { firing: 1, resolved: 0 });
        const [alert] = exporter.ledger.alerts.values();
        const arrived = told.notifications[0]?.alerts[0];
        expect(arrived).toMatchObject({
          labels: alert?.labels,
          annotations: alert?.annotations,
          generatorURL: alert?.generatorUrl,
        });
        // Go writes no zeros at the end of a fraction.
        expect(Date.parse(arrived?.startsAt ?? '')).toBe(alert?.startsAtMs);
        expect(alert?.labels['run_profile']).toBe(labels.runProfile);
      },
      60_000,
    );

    test.skipIf(isMissing)(
      'the example routes send one message for all failures of a night, and warnings elsewhere',
      async ({ onTestFinished: cleanup }) => {
        const { told, exporter } = await pair(cleanup, program, exampleConfig);
        const directory = { ...HR_IMPORT, connectedSystem: 'Directory' };
        const failing = [
          HR_IMPORT,
          directory,
          { ...directory, runProfile: 'Export', runType: 'Export' },
        ];
        exporter.finish('FailedWithError', failing);
        exporter.finish('CompleteWithError', [{ ...HR_IMPORT, runProfile: 'Delta Import' }]);
        await expectTold([told], { firing: 4, resolved: 0 });
        const messages = told.notifications.map(
          ({ receiver: to, alerts }) => [to, alerts.length] as const,
        );
        expect(new Map(messages)).toEqual(
          new Map([
            ['/pager', 3],
            ['/tickets', 1],
          ]),
        );
        expect(messages).toHaveLength(2);
      },
      60_000,
    );

    test.skipIf(isMissing)(
      'a batch with a bad alert is answered as we read it: 400 keeps the good ones, 422 none',
      async ({ onTestFinished: cleanup }) => {
        const one = await alertmanager(cleanup, program, plainConfig('http://127.0.0.1:9'));
        await one.start();
        const client = connect(cleanup, one.url, { nowMs: Date.now, sleep: (ms) => sleep(ms) });
        const good = (name: string): ReturnType<typeof toWire> =>
          toWire(held(name), { nowMs: Date.now(), resendIntervalMs: MINUTE, offsetMs: 0 });
        const names = async (): Promise<ReadonlySet<string | undefined>> =>
          new Set((await one.firing()).map(({ labels }) => labels['run_profile']));

        const { signal } = new AbortController();
        const partly = await client.send([good('first'), { ...good('bad'), labels: {} }], signal);
        expect(partly.kind).toBe('refused');
        expect(await names()).toEqual(new Set(['first']));
        const relative = { ...good('bad'), generatorURL: 'activity/1' };
        expect((await client.send([good('second'), relative], signal)).kind).toBe('refused');
        expect(await names()).toEqual(new Set(['first']));
        expect((await client.send([good('second')], signal)).kind).toBe('accepted');
        expect(await names()).toEqual(new Set(['first', 'second']));
      },
      60_000,
    );

    test.skipIf(isMissing)(
      'a storm of 1,000 failures is told completely',
      async ({ onTestFinished: cleanup }) => {
        const { told, one, exporter } = await pair(cleanup, program);
        const profiles = Array.from({ length: 1_000 }, (_, index) => ({
          ...HR_IMPORT,
          runProfile: `Import ${index}`,
        }));
        exporter.finish('FailedWithError', profiles);
        await until('all are known', async () => (await one.firing()).length === 1_000);
        await until('all were told', () => told.told().firing >= 1_000);
        const tellings = told.notifications.flatMap(({ alerts }) => alerts);
        expect(new Set(tellings.map(({ labels }) => labels['run_profile'])).size).toBe(1_000);
      },
      60_000,
    );
  },
);
