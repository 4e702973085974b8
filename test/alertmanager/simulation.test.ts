/**
 * Random schedules in virtual time: runs fail and succeed, exporters are killed at any instant and started
 * again from what they committed, Alertmanagers die, forget and have other clocks. In the end everyone's view
 * must be the truth, and on the way no failure may be taken back before it was told.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_NEWS, identityKey, nextAlerts } from '../../src/alertmanager/alerts.ts';
import type { Bridge } from '../../src/alertmanager/sender.ts';
import { createBridge } from '../../src/alertmanager/sender.ts';
import type { FinishedStatus } from '../../src/jim/activity.ts';
import type { HeldAlert, Ledger } from '../../src/ledger/ledger.ts';
import { emptyLedger } from '../../src/ledger/ledger.ts';
import { ModelAlertmanager } from './model.ts';
import { VirtualTime } from './virtual-time.ts';
import {
  HR_IMPORT,
  MINUTE,
  SETTINGS,
  SIX_MS,
  UNWATCHED,
  finished,
  ledgerAfter,
  run,
} from './world.ts';

/** Not a divisor of group_wait, or polls and flushes would always meet. */
const POLL_MS = 47_000;
const PROFILES = ['Full Import', 'Export', 'Delta Synchronisation'];
/** Longest hold, then the interval in which the last group is flushed. */
const QUIET_MS = 40 * MINUTE;

type Event =
  | { readonly kind: 'run'; readonly profile: number; readonly status: FinishedStatus }
  | { readonly kind: 'kill'; readonly at: KillPoint }
  | { readonly kind: 'start' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'die' | 'revive' | 'restart' | 'wipe'; readonly alertmanager: number };
/** Where in a poll the process is killed: before its commit, between commit and sending, or while sending. */
type KillPoint = 'before_commit' | 'after_commit' | 'while_sending';

interface Step {
  readonly waitMs: number;
  readonly event: Event;
}

const statuses = fc.constantFrom<FinishedStatus>(
  'FailedWithError',
  'FailedWithError',
  'CompleteWithError',
  'Complete',
  'Complete',
  'CompleteWithWarning',
  'Cancelled',
);
const runs = fc.record({
  kind: fc.constant('run' as const),
  profile: fc.nat(PROFILES.length - 1),
  status: statuses,
});
const exporterFaults = fc.oneof(
  fc.record({
    kind: fc.constant('kill' as const),
    at: fc.constantFrom<KillPoint>('before_commit', 'after_commit', 'while_sending'),
  }),
  fc.constant({ kind: 'start' as const }),
  fc.constant({ kind: 'start' as const }),
  fc.constant({ kind: 'stop' as const }),
);
const alertmanagerFaults = fc.record({
  kind: fc.constantFrom('die' as const, 'revive' as const, 'restart' as const, 'wipe' as const),
  alertmanager: fc.nat(1),
});
const waits = fc.oneof(fc.nat(30_000), fc.nat(4 * MINUTE), fc.nat(25 * MINUTE));
const offsets = fc.tuple(
  fc.integer({ min: -9 * MINUTE, max: 9 * MINUTE }),
  fc.integer({ min: -9 * MINUTE, max: 9 * MINUTE }),
);

/** What chance finds too seldom: a failure committed and never sent, its recovery before the next start. */
const committedUnsent = fc
  .record({ profile: fc.nat(PROFILES.length - 1), waitMs: waits })
  .map(({ profile, waitMs }): readonly Step[] => [
    { waitMs: MINUTE, event: { kind: 'run', profile, status: 'FailedWithError' } },
    { waitMs: 0, event: { kind: 'kill', at: 'after_commit' } },
    { waitMs: MINUTE, event: { kind: 'run', profile, status: 'Complete' } },
    { waitMs, event: { kind: 'start' } },
  ]);

function schedules(events: fc.Arbitrary<Event>): fc.Arbitrary<readonly Step[]> {
  const single = fc.record({ waitMs: waits, event: events }).map((step): readonly Step[] => [step]);
  return fc
    .array(fc.oneof({ arbitrary: single, weight: 20 }, committedUnsent), {
      minLength: 3,
      maxLength: 20,
    })
    .map((phrases) => phrases.flat());
}

/** JIM, an exporter process or none, what it committed, and two Alertmanagers. */
class Simulation {
  readonly time = new VirtualTime(SIX_MS);
  readonly alertmanagers: readonly ModelAlertmanager[];
  /** Told of each alert that a commit is about to resolve. */
  resolves: (key: string, alert: HeldAlert) => void = () => undefined;
  readonly #history: ReturnType<typeof run>[] = [];
  #disk: { readonly ledger: Ledger; readonly counted: number } = {
    ledger: emptyLedger(500),
    counted: 0,
  };
  #process: { alive: boolean; readonly bridge: Bridge } | null = null;
  #killAt: KillPoint | null = null;
  #nextPollMs = SIX_MS;

  constructor(alertmanagerOffsetsMs: readonly number[]) {
    this.alertmanagers = alertmanagerOffsetsMs.map(
      (offsetMs, index) => new ModelAlertmanager(this.time, `am${index}:9093`, offsetMs),
    );
  }

  async play(steps: readonly Step[]): Promise<void> {
    this.#start();
    for (const { waitMs, event } of steps) {
      await this.pass(waitMs);
      await this.#happen(event);
    }
    for (const alertmanager of this.alertmanagers) alertmanager.isUp = true;
    this.#killAt = null;
    this.#start();
    await this.pass(QUIET_MS);
  }

  /** Time goes by, with a poll every 20 s while a process lives. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.time.nowMs + ms;
    while (this.#nextPollMs <= untilMs) {
      await this.time.advance(this.#nextPollMs - this.time.nowMs);
      this.#nextPollMs += POLL_MS;
      this.#poll();
    }
    await this.time.advance(untilMs - this.time.nowMs);
  }

  /** The identities that should fire: of each run profile, its newest failure that no success followed. */
  truth(): ReadonlySet<string> {
    return new Set(PROFILES.flatMap((profile) => this.#truthOf(profile)));
  }

  async #happen(event: Event): Promise<void> {
    switch (event.kind) {
      case 'run':
        this.#end(PROFILES[event.profile] ?? '', event.status);
        return;
      case 'kill':
        // Where no poll runs, it is killed where it stands.
        if (this.#process !== null) this.#killAt = event.at;
        return;
      case 'start':
        this.#start();
        return;
      case 'stop':
        await this.#stop();
        return;
      case 'die':
        this.#alertmanager(event.alertmanager).isUp = false;
        return;
      case 'revive':
        this.#alertmanager(event.alertmanager).isUp = true;
        return;
      case 'restart':
        this.#alertmanager(event.alertmanager).restart();
        return;
      case 'wipe':
        this.#alertmanager(event.alertmanager).wipe();
    }
  }

  #alertmanager(index: number): ModelAlertmanager {
    const alertmanager = this.alertmanagers[index];
    if (alertmanager === undefined) throw new Error(`no Alertmanager ${index}`);
    return alertmanager;
  }

  /** JIM's clock is ours here; it only has to rise. */
  #end(runProfile: string, status: FinishedStatus): void {
    const end = (this.time.nowMs - SIX_MS) / 1_000 + this.#history.length / 1_000;
    this.#history.push(run({ labels: { ...HR_IMPORT, runProfile }, status, end }));
  }

  #start(): void {
    if (this.#process !== null) return;
    const owner = { alive: true };
    const bridge = createBridge({
      alertmanagers: this.alertmanagers.map((alertmanager) => alertmanager.client(owner)),
      resendIntervalMs: MINUTE,
      clock: this.time.clock(owner),
      ...UNWATCHED,
    });
    this.#process = Object.assign(owner, { bridge });
    bridge.offer(this.#disk.ledger.alerts);
  }

  async #stop(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    this.#process = null;
    this.#killAt = null;
    const stopped = process.bridge.stop();
    await this.time.advance(5_000);
    await stopped;
  }

  #poll(): void {
    const process = this.#process;
    if (process === null) return;
    if (this.#killAt === 'before_commit') return this.#kill();
    const { ledger: before, counted } = this.#disk;
    const rows = this.#history.slice(counted);
    const accounted = ledgerAfter(rows, before);
    const alerts = nextAlerts(
      accounted,
      {
        ...NO_NEWS,
        finished: rows.map(finished),
        acceptedAtMs: (key, startsAtMs) => process.bridge.acceptedAtMs(key, startsAtMs),
      },
      SETTINGS,
      this.time.nowMs,
    );
    const after = { ...accounted, alerts };
    for (const [key, alert] of alerts) {
      const wasFiring = before.alerts.get(key)?.resolvedAtMs === null;
      if (wasFiring && alert.resolvedAtMs !== null) this.resolves(key, alert);
    }
    this.#disk = { ledger: after, counted: this.#history.length };
    if (this.#killAt === 'after_commit') return this.#kill();
    process.bridge.offer(alerts);
    if (this.#killAt === 'while_sending') this.#kill();
  }

  #kill(): void {
    if (this.#process !== null) this.#process.alive = false;
    this.#process = null;
    this.#killAt = null;
  }

  #truthOf(profile: string): readonly string[] {
    const own = this.#history.filter(({ labels }) => labels.runProfile === profile);
    const decisive = own.findLast(({ status }) => status !== 'Cancelled');
    const severity = decisive === undefined ? undefined : SETTINGS.severities[decisive.status];
    if (severity === undefined) return [];
    return [
      identityKey({
        alertname: 'JimRunUnsuccessful',
        jim: 'jim.example:8443',
        connected_system: 'HR System',
        run_profile: profile,
        run_type: 'FullImport',
        severity,
        source: 'jim-exporter',
      }),
    ];
  }
}

const RUNS = { seed: 20_261_123, numRuns: 500, endOnFailure: false };
/** The living Alertmanagers of these are told everything: fewer schedules say as much. */
const FEWER_RUNS = { ...RUNS, numRuns: 200 };

describe('over 500 random schedules', () => {
  test("every Alertmanager's view ends as the truth, its receivers know what fires, and nothing ends unsent", async () => {
    await fc.assert(
      fc.asyncProperty(
        offsets,
        schedules(fc.oneof({ arbitrary: runs, weight: 3 }, exporterFaults, alertmanagerFaults)),
        async (offsetsMs, steps) => {
          const simulation = new Simulation(offsetsMs);
          simulation.resolves = (key, { startsAtMs }) => {
            const posted = simulation.alertmanagers.map((am) => am.postedFiringMs.get(key) ?? 0);
            expect(Math.max(...posted)).toBeGreaterThanOrEqual(startsAtMs);
          };
          await simulation.play(steps);
          const truth = simulation.truth();
          for (const alertmanager of simulation.alertmanagers) {
            expect(alertmanager.firing()).toEqual(truth);
            for (const key of truth) expect(alertmanager.lastNotice(key)).toBe('firing');
          }
        },
      ),
      RUNS,
    );
  }, 300_000);

  test('whatever befalls the exporter, every failure is notified before its recovery, and every recovery', async () => {
    let resolutions = 0;
    await fc.assert(
      fc.asyncProperty(
        offsets,
        schedules(fc.oneof({ arbitrary: runs, weight: 3 }, exporterFaults)),
        async (offsetsMs, steps) => {
          const simulation = new Simulation(offsetsMs);
          simulation.resolves = (key, { startsAtMs }) => {
            resolutions += 1;
            for (const alertmanager of simulation.alertmanagers) {
              expect(alertmanager.hasToldSince(key, startsAtMs)).toBe(true);
            }
          };
          await simulation.play(steps);
          const truth = simulation.truth();
          for (const alertmanager of simulation.alertmanagers) {
            // One that was dead for longer than we repeat a resolution may never tell it; a living one must.
            for (const key of alertmanager.notices.keys()) {
              expect(alertmanager.lastNotice(key)).toBe(truth.has(key) ? 'firing' : 'resolved');
            }
          }
        },
      ),
      FEWER_RUNS,
    );
    expect(resolutions).toBeGreaterThan(80);
  }, 300_000);
});
