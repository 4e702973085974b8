/**
 * Keeps every Alertmanager told: each has its own queue and its own loop, so that a dead or slow one delays
 * neither the others nor the poll. What is committed is offered; all that is held is sent again every resend
 * interval, so that an Alertmanager that lost its memory learns everything within one.
 *
 * A queue holds identities, not texts: what is sent is the alert as it is at that moment, and an alert that
 * changes while it waits is sent once, in its newest form.
 */
import type { Clock } from '../http.ts';
import type { HeldAlert } from '../ledger/ledger.ts';
import { isResent } from './alerts.ts';
import type { Alertmanager, Verdict } from './client.ts';
import { faultOf, toWire } from './wire.ts';

/** Identities waiting for one Alertmanager; beyond it the oldest are dropped. */
export const QUEUE_CAPACITY = 10_000;
/** Alerts in one request, as Prometheus sends. */
export const MAX_BATCH = 256;
/** Requests spent on finding what an Alertmanager refuses in one batch; one culprit among 256 costs 17. */
const MAX_REQUESTS_PER_BATCH = 40;
/** Wait after a failure, doubled with each further one: an Alertmanager that returns is told within the longest. */
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 15_000;
/** What stays unsent this long after `stop` is dropped: the whole exporter has 10 s. */
const DRAIN_MS = 3_000;
/** Smaller differences of clocks are the seconds of the Date header and the way; they do no harm. */
const MIN_CLOCK_OFFSET_MS = 5_000;
/** A Date farther off than this is a proxy's nonsense, and no reason to send times of another year. */
const MAX_CLOCK_OFFSET_MS = 24 * 3_600_000;

/** What the bridge reports of its work; `alertmanager` is its host:port. */
export interface BridgeTelemetry {
  alertmanagersConfigured(alertmanagers: readonly string[], queueCapacity: number): void;
  /**
   * Deliveries that ended. A delivery is one alert to one Alertmanager in one resend interval, however often
   * it was tried: sent when accepted, failed when refused or not accepted by the next resend, dropped when
   * it fell out of a full queue or was left at the end.
   */
  notificationsEnded(
    alertmanager: string,
    result: 'sent' | 'failed' | 'dropped',
    count: number,
  ): void;
  notificationTook(alertmanager: string, seconds: number): void;
  notificationsQueued(alertmanager: string, length: number): void;
}

/** One line when an Alertmanager begins to fail, one when it is well again, one per batch of what it newly refuses. */
export interface BridgeLog {
  info(msg: string, fields: Readonly<Record<string, unknown>>): void;
  warn(msg: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface BridgeOptions {
  readonly alertmanagers: readonly Alertmanager[];
  readonly resendIntervalMs: number;
  readonly clock: Clock;
  readonly telemetry: BridgeTelemetry;
  readonly log: BridgeLog;
}

export interface Bridge {
  /** Takes the committed alerts (by identity); what is new or changed is sent at once. Returns immediately. */
  offer(alerts: ReadonlyMap<string, HeldAlert>): void;
  /** When an Alertmanager first accepted the alert of this identity and start as firing; null if none did. */
  acceptedAtMs(key: string, startsAtMs: number): number | null;
  /** Sends what is queued, within 3 s, and ends. Resolves nothing: the next process goes on. */
  stop(): Promise<void>;
}

export function createBridge(options: BridgeOptions): Bridge {
  const { alertmanagers, telemetry, clock } = options;
  const hub: Hub = { alerts: new Map(), accepted: new Map() };
  telemetry.alertmanagersConfigured(
    alertmanagers.map(({ name }) => name),
    QUEUE_CAPACITY,
  );
  const peers = alertmanagers.map((alertmanager) => new Peer(alertmanager, options, hub));
  const loops = peers.map((peer) => peer.run());
  return {
    offer: (alerts) => {
      const before = hub.alerts;
      if (alerts === before) return;
      hub.alerts = alerts;
      forgetAcceptances(hub);
      const changed = [...alerts].filter(([key, alert]) => before.get(key) !== alert);
      for (const peer of peers) peer.enqueue(changed.map(([key]) => key));
    },
    acceptedAtMs: (key, startsAtMs) => {
      const accepted = hub.accepted.get(key);
      return accepted?.startsAtMs === startsAtMs ? accepted.atMs : null;
    },
    stop: async () => {
      const drained = new AbortController();
      const bound = clock.sleep(DRAIN_MS, drained.signal).then(
        () => peers.forEach((peer) => peer.giveUp()),
        () => undefined,
      );
      for (const peer of peers) peer.drain();
      await Promise.all(loops);
      drained.abort();
      await bound;
    },
  };
}

/** What all peers share: the alerts as last offered, and which of them were accepted as firing. */
interface Hub {
  alerts: ReadonlyMap<string, HeldAlert>;
  readonly accepted: Map<string, { readonly startsAtMs: number; readonly atMs: number }>;
}

function forgetAcceptances(hub: Hub): void {
  for (const [key, { startsAtMs }] of hub.accepted) {
    if (hub.alerts.get(key)?.startsAtMs !== startsAtMs) hub.accepted.delete(key);
  }
}

interface Refusal {
  readonly activityId: string;
  readonly why: string;
}

/** One Alertmanager's life: its queue, its loop, its failures and its clock. */
class Peer {
  readonly #alertmanager: Alertmanager;
  readonly #options: BridgeOptions;
  readonly #hub: Hub;
  /** Identities to be sent, oldest first. */
  #queue = new Set<string>();
  /** What this Alertmanager refused, in that very form: kept out of the batches of the others. */
  readonly #refused = new Map<string, HeldAlert>();
  readonly #stopped = new AbortController();
  #wake: () => void = () => undefined;
  #isDraining = false;
  #nextResendMs: number;
  #notBeforeMs = 0;
  #failuresInARow = 0;
  #failingSinceMs: number | null = null;
  /** The Alertmanager's clock less ours. */
  #offsetMs = 0;
  #hasSentAgain = false;

  constructor(alertmanager: Alertmanager, options: BridgeOptions, hub: Hub) {
    this.#alertmanager = alertmanager;
    this.#options = options;
    this.#hub = hub;
    this.#nextResendMs = options.clock.nowMs() + options.resendIntervalMs;
  }

  enqueue(keys: Iterable<string>): void {
    for (const key of keys) this.#queue.add(key);
    this.#boundQueue();
    this.#wake();
  }

  /** From now on: one try for what is queued, then the end. */
  drain(): void {
    this.#isDraining = true;
    this.#wake();
  }

  giveUp(): void {
    this.#stopped.abort();
  }

  async run(): Promise<void> {
    while (!this.#isDraining) {
      this.#resendWhenDue();
      if (this.#queue.size === 0 || this.#isBackingOff()) await this.#wait();
      else await this.#sendBatch();
    }
    this.#failuresInARow = 0;
    while (this.#queue.size > 0 && this.#failuresInARow === 0 && !this.#stopped.signal.aborted)
      await this.#sendBatch();
    this.#ended('dropped', this.#queue.size);
    this.#replaceQueue([]);
  }

  /** Every resend interval all that is held is queued anew; what waits then in vain has failed for this interval. */
  #resendWhenDue(): void {
    const nowMs = this.#options.clock.nowMs();
    const { resendIntervalMs } = this.#options;
    // A clock set back must not stop the sending until it has caught up.
    const isDue = nowMs >= this.#nextResendMs || this.#nextResendMs - nowMs > resendIntervalMs;
    if (!isDue) return;
    this.#nextResendMs = nowMs + resendIntervalMs;
    this.#hasSentAgain = false;
    if (this.#failuresInARow > 0) this.#ended('failed', this.#queue.size);
    for (const [key, alert] of this.#refused)
      if (this.#hub.alerts.get(key) !== alert) this.#refused.delete(key);
    const held = [...this.#hub.alerts]
      .filter(([, alert]) => isResent(alert, resendIntervalMs, nowMs))
      .map(([key]) => key);
    this.#replaceQueue([...this.#queue].filter((key) => this.#hub.alerts.has(key)).concat(held));
  }

  #isBackingOff(): boolean {
    const leftMs = this.#notBeforeMs - this.#options.clock.nowMs();
    return leftMs > 0 && leftMs <= this.#options.resendIntervalMs;
  }

  async #wait(): Promise<void> {
    const { clock, resendIntervalMs } = this.#options;
    const nowMs = clock.nowMs();
    const untilMs =
      this.#queue.size > 0 ? Math.min(this.#notBeforeMs, this.#nextResendMs) : this.#nextResendMs;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    try {
      await clock.sleep(Math.min(Math.max(untilMs - nowMs, 0), resendIntervalMs), woken.signal);
    } catch (error) {
      if (!woken.signal.aborted) throw error;
    } finally {
      this.#wake = () => undefined;
    }
  }

  /** Takes the oldest alerts and sends them; halves find what is refused. What failed for a while returns to the queue. */
  async #sendBatch(): Promise<void> {
    const parts = [this.#takeBatch()];
    const refused: Refusal[] = [];
    let requests = 0;
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const batch = this.#sendable(part);
      if (batch.length === 0) continue;
      if (requests >= MAX_REQUESTS_PER_BATCH) {
        // Not found out: these join the next batch as if nothing were known of them.
        this.#ended('failed', batch.length);
        continue;
      }
      requests += 1;
      const verdict = await this.#send(batch);
      const keys = batch.map(([key]) => key);
      switch (verdict.kind) {
        case 'accepted':
          break;
        case 'refused':
          if (batch.length === 1) refused.push(...this.#refuse(batch, verdict.why));
          else parts.push(keys.slice(batch.length / 2), keys.slice(0, batch.length / 2));
          break;
        case 'misdirected':
        case 'retry':
          this.#noteFailure(verdict.why);
          this.#backOff(verdict);
          this.#replaceQueue([...keys, ...parts.toReversed().flat(), ...this.#queue]);
          parts.length = 0;
      }
    }
    this.#noteRefusals(refused);
    this.#reportQueue();
  }

  /** The oldest identities, either all of them refused before or none. */
  #takeBatch(): readonly string[] {
    const batch: string[] = [];
    let isRefused: boolean | null = null;
    for (const key of this.#queue) {
      const wasRefused = this.#refused.get(key) === this.#hub.alerts.get(key);
      isRefused ??= wasRefused;
      if (wasRefused !== isRefused) continue;
      batch.push(key);
      if (batch.length === MAX_BATCH) break;
    }
    for (const key of batch) this.#queue.delete(key);
    return batch;
  }

  /** The alerts of these identities as they are now, without those that are gone or that no Alertmanager would take. */
  #sendable(keys: readonly string[]): readonly (readonly [string, HeldAlert])[] {
    const { clock, resendIntervalMs } = this.#options;
    const nowMs = clock.nowMs();
    const batch: (readonly [string, HeldAlert])[] = [];
    for (const key of keys) {
      const alert = this.#hub.alerts.get(key);
      if (alert === undefined || !isResent(alert, resendIntervalMs, nowMs)) continue;
      const fault = faultOf(alert);
      if (fault === null) {
        batch.push([key, alert]);
        continue;
      }
      this.#ended('failed', 1);
      if (this.#refused.get(key) === alert) continue;
      this.#refused.set(key, alert);
      this.#options.log.warn('An alert is not sent, since no Alertmanager would accept it', {
        fault,
        activity_id: alert.activityId,
      });
    }
    return batch;
  }

  async #send(batch: readonly (readonly [string, HeldAlert])[]): Promise<Verdict> {
    const { clock, telemetry, resendIntervalMs } = this.#options;
    const sentAtMs = clock.nowMs();
    const offsetMs = this.#offsetMs;
    const wire = batch.map(([, alert]) =>
      toWire(alert, { nowMs: sentAtMs, resendIntervalMs, offsetMs }),
    );
    const verdict = await this.#alertmanager.send(wire, this.#stopped.signal);
    const nowMs = clock.nowMs();
    telemetry.notificationTook(this.#alertmanager.name, Math.max(0, nowMs - sentAtMs) / 1_000);
    if (verdict.kind !== 'accepted') return verdict;
    this.#noteSuccess();
    this.#ended('sent', batch.length);
    this.#learnClock(verdict.dateMs, nowMs);
    const theirNowMs = nowMs + this.#offsetMs;
    const tooLate: string[] = [];
    batch.forEach(([key, alert], index) => {
      this.#refused.delete(key);
      if (alert.resolvedAtMs !== null) return;
      // In the Alertmanager's eyes it had ended when it came, and will notify nobody.
      if (Date.parse(wire[index]?.endsAt ?? '') <= theirNowMs) tooLate.push(key);
      else this.#accept(key, alert.startsAtMs, nowMs);
    });
    this.#sendAgain(tooLate);
    return verdict;
  }

  #accept(key: string, startsAtMs: number, atMs: number): void {
    const { accepted } = this.#hub;
    if (accepted.get(key)?.startsAtMs !== startsAtMs) accepted.set(key, { startsAtMs, atMs });
  }

  /** By the clock just learnt; at most once per resend interval, or a Date that jumps about would keep us sending. */
  #sendAgain(keys: readonly string[]): void {
    if (keys.length === 0 || this.#hasSentAgain) return;
    this.#hasSentAgain = true;
    for (const key of keys) this.#queue.add(key);
  }

  #learnClock(dateMs: number | null, nowMs: number): void {
    if (dateMs === null) return;
    const offsetMs = dateMs - nowMs;
    const size = Math.abs(offsetMs);
    const isTrusted = size > MIN_CLOCK_OFFSET_MS && size <= MAX_CLOCK_OFFSET_MS;
    const learnt = isTrusted ? offsetMs : 0;
    if (Math.abs(learnt - this.#offsetMs) <= MIN_CLOCK_OFFSET_MS) return;
    this.#offsetMs = learnt;
    if (learnt === 0) return;
    this.#options.log.warn(
      'The clock of an Alertmanager differs from ours; times are sent by its clock',
      {
        alertmanager: this.#alertmanager.name,
        offset_seconds: Math.round(learnt / 1_000),
      },
    );
  }

  /** Returns what was not refused before in this form. */
  #refuse(batch: readonly (readonly [string, HeldAlert])[], why: string): readonly Refusal[] {
    const news = batch.filter(([key, alert]) => this.#refused.get(key) !== alert);
    for (const [key, alert] of news) this.#refused.set(key, alert);
    this.#ended('failed', batch.length);
    return news.map(([, { activityId }]) => ({ activityId, why }));
  }

  /** An alert is at fault, not the Alertmanager: that does not begin to fail, nor is it well again. */
  #noteRefusals(refusals: readonly Refusal[]): void {
    const [first] = refusals;
    if (first === undefined) return;
    this.#options.log.warn('An Alertmanager refuses alerts; it takes the others', {
      alertmanager: this.#alertmanager.name,
      refused: refusals.length,
      first_activity_id: first.activityId,
      err: first.why,
    });
  }

  #backOff(verdict: Extract<Verdict, { kind: 'misdirected' | 'retry' }>): void {
    const { clock, resendIntervalMs } = this.#options;
    this.#failuresInARow += 1;
    const doubledMs = Math.min(RETRY_BASE_MS * 2 ** (this.#failuresInARow - 1), RETRY_MAX_MS);
    const waitMs =
      verdict.kind === 'misdirected' ? resendIntervalMs : (verdict.retryAfterMs ?? doubledMs);
    this.#notBeforeMs = clock.nowMs() + Math.min(waitMs, resendIntervalMs);
  }

  #noteFailure(why: string): void {
    if (this.#failingSinceMs !== null || this.#stopped.signal.aborted) return;
    this.#failingSinceMs = this.#options.clock.nowMs();
    this.#options.log.warn('An Alertmanager does not take our alerts', {
      alertmanager: this.#alertmanager.name,
      err: why,
    });
  }

  #noteSuccess(): void {
    this.#failuresInARow = 0;
    this.#notBeforeMs = 0;
    if (this.#failingSinceMs === null) return;
    const failedForMs = this.#options.clock.nowMs() - this.#failingSinceMs;
    this.#failingSinceMs = null;
    this.#options.log.info('An Alertmanager takes our alerts again', {
      alertmanager: this.#alertmanager.name,
      failed_for_seconds: Math.round(failedForMs / 1_000),
    });
  }

  #replaceQueue(keys: readonly string[]): void {
    this.#queue = new Set(keys);
    this.#boundQueue();
  }

  #boundQueue(): void {
    let dropped = 0;
    for (const oldest of this.#queue) {
      if (this.#queue.size <= QUEUE_CAPACITY) break;
      this.#queue.delete(oldest);
      dropped += 1;
    }
    this.#ended('dropped', dropped);
    this.#reportQueue();
  }

  /** Not of a bridge that ends: on a reload the next one already tells of the same Alertmanager. */
  #reportQueue(): void {
    if (this.#isDraining) return;
    this.#options.telemetry.notificationsQueued(this.#alertmanager.name, this.#queue.size);
  }

  #ended(result: 'sent' | 'failed' | 'dropped', count: number): void {
    if (count > 0)
      this.#options.telemetry.notificationsEnded(this.#alertmanager.name, result, count);
  }
}
