/**
 * A model of Alertmanager (dispatch, provider/mem and types.Alert.Merge of 0.25 to 0.33), as far as a client
 * can tell: it merges what is posted, judges ends by its own clock, groups by connected system, and notifies on
 * change after group_wait and then every group_interval. It can lose its memory, be dead, and be slow to answer.
 */
import type { Alertmanager, Verdict } from '../../src/alertmanager/client.ts';
import { identityKey } from '../../src/alertmanager/alerts.ts';
import type { WireAlert } from '../../src/alertmanager/wire.ts';
import type { VirtualTime } from './virtual-time.ts';

const GROUP_WAIT_MS = 30_000;
const GROUP_INTERVAL_MS = 5 * 60_000;

interface Stored {
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

export type Notice = 'firing' | 'resolved';

export class ModelAlertmanager {
  readonly name: string;
  /** Its clock less true time. */
  readonly offsetMs: number;
  isUp = true;
  /** All notifications of each identity, oldest first, with the (true) time. */
  readonly notices = new Map<string, { readonly notice: Notice; readonly atMs: number }[]>();
  /** When each identity was last posted to it as firing (true time). */
  readonly postedFiringMs = new Map<string, number>();
  readonly #time: VirtualTime;
  #stored = new Map<string, Stored>();
  /** Each group's process; a new object stops the old ones. */
  #life = { alive: true };
  /** Identities by group. */
  #groups = new Map<string, Set<string>>();

  constructor(time: VirtualTime, name: string, offsetMs: number) {
    this.#time = time;
    this.name = name;
    this.offsetMs = offsetMs;
  }

  /** As the bridge sees it; `owner` is the exporter's process, which may die before it hears the answer. */
  client(owner: { readonly alive: boolean }): Alertmanager {
    return {
      name: this.name,
      send: async (alerts, signal): Promise<Verdict> => {
        if (!this.isUp) return { kind: 'retry', why: 'nothing listens', retryAfterMs: null };
        for (const alert of alerts) this.#put(alert);
        const dateMs = Math.floor(this.#nowMs() / 1_000) * 1_000;
        return owner.alive && !signal.aborted
          ? { kind: 'accepted', dateMs }
          : new Promise<never>(() => undefined);
      },
    };
  }

  /** The identities it shows as firing now. */
  firing(): ReadonlySet<string> {
    return new Set(
      [...this.#stored].filter(([, alert]) => !this.#hasEnded(alert)).map(([key]) => key),
    );
  }

  lastNotice(key: string): Notice | null {
    return this.notices.get(key)?.at(-1)?.notice ?? null;
  }

  /** Whether its receivers knew the alert as firing at some time since then. */
  hasToldSince(key: string, sinceMs: number): boolean {
    const notices = this.notices.get(key) ?? [];
    return (
      notices.findLast(({ atMs }) => atMs < sinceMs)?.notice === 'firing' ||
      notices.some(({ notice, atMs }) => notice === 'firing' && atMs >= sinceMs)
    );
  }

  /** A restart: alerts and groups are gone; the notification log is on disk. */
  restart(): void {
    this.#life.alive = false;
    this.#life = { alive: true };
    this.#stored = new Map();
    this.#groups = new Map();
  }

  /** And the disk is gone, too. */
  wipe(): void {
    this.restart();
    this.notices.clear();
  }

  #nowMs(): number {
    return this.#time.nowMs + this.offsetMs;
  }

  #hasEnded({ endsAtMs }: Stored): boolean {
    return endsAtMs <= this.#nowMs();
  }

  #put(wire: WireAlert): void {
    const key = identityKey(wire.labels);
    const posted = { startsAtMs: Date.parse(wire.startsAt), endsAtMs: Date.parse(wire.endsAt) };
    if (!(posted.startsAtMs <= posted.endsAtMs)) throw new Error('start after end');
    if (!this.#hasEnded(posted)) this.postedFiringMs.set(key, this.#time.nowMs);
    const old = this.#stored.get(key);
    this.#stored.set(
      key,
      old !== undefined && overlap(posted, old) ? this.#merge(old, posted) : posted,
    );
    const name = wire.labels['connected_system'] ?? '';
    const group = this.#groups.get(name);
    if (group !== undefined) {
      group.add(key);
      return;
    }
    this.#groups.set(name, new Set([key]));
    void this.#runGroup(name, posted.startsAtMs + GROUP_WAIT_MS < this.#nowMs(), this.#life);
  }

  /** types.Alert.Merge; ours always carry an explicit end, which Alertmanager takes as no timeout. */
  #merge(old: Stored, younger: Stored): Stored {
    const startsAtMs = Math.min(old.startsAtMs, younger.startsAtMs);
    if (!this.#hasEnded(younger)) {
      return { startsAtMs, endsAtMs: Math.max(old.endsAtMs, younger.endsAtMs) };
    }
    const keepsOld = this.#hasEnded(old) && old.endsAtMs > younger.endsAtMs;
    return { startsAtMs, endsAtMs: keepsOld ? old.endsAtMs : younger.endsAtMs };
  }

  async #runGroup(name: string, isLate: boolean, life: { readonly alive: boolean }): Promise<void> {
    const clock = this.#time.clock(life);
    await clock.sleep(isLate ? 0 : GROUP_WAIT_MS);
    while (life.alive) {
      const group = this.#groups.get(name) ?? new Set();
      for (const key of group) if (this.#flush(key)) group.delete(key);
      if (group.size === 0) {
        this.#groups.delete(name);
        return;
      }
      await clock.sleep(GROUP_INTERVAL_MS);
    }
  }

  /** Notifies where the state is another than the one told last; an end of what was never told is no news. True if it ended. */
  #flush(key: string): boolean {
    const alert = this.#stored.get(key);
    const hasEnded = alert === undefined || this.#hasEnded(alert);
    const last = this.lastNotice(key);
    if (!hasEnded && last !== 'firing') this.#notify(key, 'firing');
    if (hasEnded && last === 'firing') this.#notify(key, 'resolved');
    if (hasEnded) this.#stored.delete(key);
    return hasEnded;
  }

  #notify(key: string, notice: Notice): void {
    const notices = this.notices.get(key) ?? [];
    this.notices.set(key, notices);
    notices.push({ notice, atMs: this.#time.nowMs });
  }
}

function overlap(posted: Stored, old: Stored): boolean {
  return (
    (posted.endsAtMs > old.startsAtMs && posted.endsAtMs < old.endsAtMs) ||
    (posted.startsAtMs > old.startsAtMs && posted.startsAtMs < old.endsAtMs)
  );
}
