import { describe, expect, test } from 'vitest';
import type { Alertmanager, Verdict } from '../../src/alertmanager/client.ts';
import type { Bridge } from '../../src/alertmanager/sender.ts';
import { MAX_BATCH, QUEUE_CAPACITY, createBridge } from '../../src/alertmanager/sender.ts';
import type { WireAlert } from '../../src/alertmanager/wire.ts';
import type { HeldAlert } from '../../src/ledger/ledger.ts';
import { MINUTE, SIX_MS, byKey, held } from './world.ts';
import { VirtualTime, settled } from './virtual-time.ts';

const ACCEPTED: Verdict = { kind: 'accepted', dateMs: null };
const BUSY: Verdict = { kind: 'retry', why: 'busy', retryAfterMs: null };
const REFUSED: Verdict = { kind: 'refused', why: 'refused' };
const MISDIRECTED: Verdict = { kind: 'misdirected', why: 'HTML' };

/** An Alertmanager that answers as `answer` says, and remembers what it was sent and when. */
class Fake implements Alertmanager {
  readonly name: string;
  readonly requests: { readonly atMs: number; readonly alerts: readonly WireAlert[] }[] = [];
  answer: (alerts: readonly WireAlert[]) => Verdict | Promise<Verdict> = () => ACCEPTED;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime, name = 'am:9093') {
    this.#time = time;
    this.name = name;
  }

  async send(alerts: readonly WireAlert[], signal: AbortSignal): Promise<Verdict> {
    this.requests.push({ atMs: this.#time.nowMs, alerts });
    const answered = new AbortController();
    const givenUp = new Promise<Verdict>((resolve) => {
      signal.addEventListener('abort', () => resolve(BUSY), { signal: answered.signal });
    });
    const verdict = await Promise.race([this.answer(alerts), givenUp]);
    answered.abort();
    return verdict;
  }

  /** Seconds after the start at which requests came. */
  seconds(): readonly number[] {
    return this.requests.map(({ atMs }) => (atMs - SIX_MS) / 1_000);
  }

  last(): readonly WireAlert[] {
    return this.requests.at(-1)?.alerts ?? [];
  }
}

class World {
  readonly time = new VirtualTime(SIX_MS);
  readonly ended: string[] = [];
  readonly queued: number[] = [];
  readonly log: string[] = [];
  readonly alertmanagers: readonly Fake[];
  readonly bridge: Bridge;

  constructor(hosts: readonly string[] = ['am:9093']) {
    this.alertmanagers = hosts.map((name) => new Fake(this.time, name));
    this.bridge = createBridge({
      alertmanagers: this.alertmanagers,
      resendIntervalMs: MINUTE,
      clock: this.time.clock(),
      telemetry: {
        alertmanagersConfigured: () => undefined,
        notificationsEnded: (alertmanager, result, count) =>
          this.ended.push(`${alertmanager} ${result} ${count}`),
        notificationTook: () => undefined,
        notificationsQueued: (_alertmanager, length) => this.queued.push(length),
      },
      log: { info: (msg) => this.log.push(msg), warn: (msg) => this.log.push(msg) },
    });
  }

  get am(): Fake {
    const [am] = this.alertmanagers;
    if (am === undefined) throw new Error('no Alertmanager');
    return am;
  }

  async offer(...alerts: readonly HeldAlert[]): Promise<void> {
    this.bridge.offer(byKey(alerts));
    await settled();
  }
}

function profilesOf(alerts: readonly WireAlert[]): readonly string[] {
  return alerts.map(({ labels }) => labels['run_profile'] ?? '');
}

function many(count: number): readonly HeldAlert[] {
  return Array.from({ length: count }, (_, index) => held(`p${index}`));
}

describe('what is sent', () => {
  test('a firing alert at once, with both times, ending four intervals from now', async () => {
    const world = new World();
    await world.time.advance(5_000);
    await world.offer(held('Import'));
    expect(world.am.requests).toEqual([
      {
        atMs: SIX_MS + 5_000,
        alerts: [
          {
            labels: { alertname: 'JimRunUnsuccessful', run_profile: 'Import' },
            annotations: { summary: 'Import failed' },
            generatorURL: 'https://jim.example/activity/Import',
            startsAt: '2026-11-23T06:00:00.000Z',
            endsAt: '2026-11-23T06:04:05.000Z',
          },
        ],
      },
    ]);
    expect(world.ended).toEqual(['am:9093 sent 1']);
  });

  test('again every resend interval, with a later end', async () => {
    const world = new World();
    await world.offer(held('Import'));
    await world.time.advance(3 * MINUTE);
    expect(world.am.seconds()).toEqual([0, 60, 120, 180]);
    expect(world.am.last()[0]).toMatchObject({
      startsAt: '2026-11-23T06:00:00.000Z',
      endsAt: '2026-11-23T06:07:00.000Z',
    });
  });

  test('nothing while nothing is held', async () => {
    const world = new World();
    await world.time.advance(10 * MINUTE);
    expect(world.am.requests).toEqual([]);
  });

  test('only what changed, when something changes', async () => {
    const world = new World();
    const one = held('one');
    await world.offer(one, held('two'));
    await world.offer(one, held('two', { annotations: { summary: 'again' } }));
    expect(world.am.requests.map(({ alerts }) => profilesOf(alerts))).toEqual([
      ['one', 'two'],
      ['two'],
    ]);
  });

  test('a resolved alert with its end, again for 15 minutes, then no more', async () => {
    const world = new World();
    await world.offer(held('Import'));
    await world.time.advance(30_000);
    const resolved = held('Import', { resolvedAtMs: SIX_MS + 30_000 });
    await world.offer(resolved);
    expect(world.am.last()[0]?.endsAt).toBe('2026-11-23T06:00:30.000Z');
    await world.time.advance(60 * MINUTE);
    expect(world.am.last()[0]?.endsAt).toBe('2026-11-23T06:00:30.000Z');
    expect(world.am.seconds().at(-1)).toBe(15 * 60);
  });

  test('never a start after the end, whatever our clock did', async () => {
    const world = new World();
    await world.offer(
      held('Import', { startsAtMs: SIX_MS + MINUTE, resolvedAtMs: SIX_MS - MINUTE }),
    );
    const [alert] = world.am.last();
    expect(alert?.startsAt).toBe('2026-11-23T06:00:00.000Z');
    expect(alert?.endsAt).toBe('2026-11-23T06:00:00.000Z');
  });

  test('a thousand alerts in batches of at most 256, at once', async () => {
    const world = new World();
    await world.offer(...many(1_000));
    expect(world.am.requests.map(({ alerts }) => alerts.length)).toEqual([
      MAX_BATCH,
      MAX_BATCH,
      MAX_BATCH,
      232,
    ]);
    expect(new Set(world.am.requests.flatMap(({ alerts }) => profilesOf(alerts))).size).toBe(1_000);
    expect(world.am.seconds()).toEqual([0, 0, 0, 0]);
  });

  test('an alert that changes while it waits is sent once, in its newest form', async () => {
    const world = new World();
    world.am.answer = () => BUSY;
    await world.offer(held('Import'));
    await world.offer(held('Import', { annotations: { summary: 'newer' } }));
    world.am.answer = () => ACCEPTED;
    await world.time.advance(1_000);
    expect(world.am.requests).toHaveLength(2);
    expect(world.am.last()[0]?.annotations['summary']).toBe('newer');
  });

  test.each([
    ['a relative link', { generatorUrl: '/activity/1' }],
    ['half a surrogate pair', { annotations: { summary: '\uD83E' } }],
    ['no labels', { labels: {} }],
    ['a label name that is none', { labels: { 'connected-system': 'x' } }],
  ])('%s is never sent: it would reject the whole batch', async (_, change: Partial<HeldAlert>) => {
    const world = new World();
    await world.offer(held('bad', change), held('good'));
    await world.time.advance(MINUTE);
    expect(world.am.requests.map(({ alerts }) => profilesOf(alerts))).toEqual([['good'], ['good']]);
    expect(world.ended.filter((end) => end.includes('failed'))).toHaveLength(2);
    expect(world.log).toEqual(['An alert is not sent, since no Alertmanager would accept it']);
  });
});

describe('a failing Alertmanager', () => {
  test('is tried again after 1, 2, 4, 8 and then every 15 s, and told all it missed', async () => {
    const world = new World();
    world.am.answer = () => BUSY;
    await world.offer(held('Import'));
    await world.time.advance(100_000);
    expect(world.am.seconds()).toEqual([0, 1, 3, 7, 15, 30, 45, 60, 75, 90]);
    world.am.answer = () => ACCEPTED;
    await world.time.advance(15_000);
    expect(profilesOf(world.am.last())).toEqual(['Import']);
    expect(world.ended).toEqual(['am:9093 failed 1', 'am:9093 sent 1']);
    expect(world.log).toEqual([
      'An Alertmanager does not take our alerts',
      'An Alertmanager takes our alerts again',
    ]);
  });

  test('delays neither another one nor whoever offers', async () => {
    const world = new World(['dead:9093', 'well:9093']);
    const [dead, well] = world.alertmanagers;
    if (dead === undefined || well === undefined) throw new Error('two');
    dead.answer = () => new Promise(() => undefined);
    await world.offer(held('one'));
    await world.offer(held('one'), held('two'));
    await world.time.advance(2 * MINUTE);
    expect(dead.requests).toHaveLength(1);
    expect(well.seconds()).toEqual([0, 0, 60, 120]);
  });

  test('is waited for as long as its Retry-After says, at most one interval', async () => {
    const world = new World();
    world.am.answer = () => ({ kind: 'retry', why: '429', retryAfterMs: 20_000 });
    await world.offer(held('Import'));
    await world.time.advance(40_000);
    expect(world.am.seconds()).toEqual([0, 20, 40]);
    world.am.answer = () => ({ kind: 'retry', why: '429', retryAfterMs: 3_600_000 });
    await world.time.advance(120_000);
    expect(world.am.seconds()).toEqual([0, 20, 40, 60, 120]);
  });

  test('that is none (a proxy, wrong credentials) is asked once per interval', async () => {
    const world = new World();
    world.am.answer = () => MISDIRECTED;
    await world.offer(held('Import'));
    await world.time.advance(3 * MINUTE);
    expect(world.am.seconds()).toEqual([0, 60, 120, 180]);
  });

  test('counts each delivery that was not made within its interval', async () => {
    const world = new World();
    world.am.answer = () => BUSY;
    await world.offer(held('one'), held('two'));
    await world.time.advance(2 * MINUTE);
    expect(world.ended).toEqual(['am:9093 failed 2', 'am:9093 failed 2']);
  });

  test('keeps at most 10,000 waiting; the oldest are dropped and counted', async () => {
    const world = new World();
    world.am.answer = () => BUSY;
    await world.offer(...many(QUEUE_CAPACITY + 300));
    expect(world.ended).toContain('am:9093 dropped 300');
    expect(Math.max(...world.queued)).toBe(QUEUE_CAPACITY);
  });

  test('is told the first alerts first, also those that were under way when it failed', async () => {
    const world = new World();
    world.am.answer = () => BUSY;
    await world.offer(...many(600));
    world.am.answer = () => ACCEPTED;
    await world.time.advance(1_000);
    expect(profilesOf(world.am.requests[1]?.alerts ?? [])).toEqual(
      many(MAX_BATCH).map((alert) => alert.labels['run_profile']),
    );
  });

  test('cannot stop the sending when our clock is set back by hours', async () => {
    const world = new World();
    await world.offer(held('Import'));
    await world.time.advance(90_000);
    const before = world.am.requests.length;
    world.time.shiftClock(-5 * 3_600_000);
    await world.time.advance(10 * MINUTE);
    expect(world.am.requests.length - before).toBeGreaterThanOrEqual(9);
  });
});

describe('a refused alert', () => {
  /** Refuses every batch that holds p137, as 422 does. */
  const refuse = (alerts: readonly WireAlert[]): Verdict =>
    profilesOf(alerts).includes('p137') ? REFUSED : ACCEPTED;

  test('is found by halves: all others are accepted in the same second', async () => {
    const world = new World();
    world.am.answer = refuse;
    await world.offer(...many(MAX_BATCH));
    const accepted = world.am.requests.filter(({ alerts }) => refuse(alerts) === ACCEPTED);
    expect(new Set(accepted.flatMap(({ alerts }) => profilesOf(alerts))).size).toBe(MAX_BATCH - 1);
    expect(world.am.requests.length).toBeLessThanOrEqual(17);
    expect(world.ended.filter((end) => end.includes('failed'))).toEqual(['am:9093 failed 1']);
  });

  test('is logged once in its form: the Alertmanager neither fails nor recovers by it', async () => {
    const world = new World();
    world.am.answer = refuse;
    await world.offer(...many(1_000));
    await world.time.advance(3 * MINUTE);
    expect(world.log).toEqual(['An Alertmanager refuses alerts; it takes the others']);
    const changed = held('p137', { annotations: { summary: 'newer' } });
    await world.offer(changed);
    expect(world.log).toHaveLength(2);
  });

  test('is sent apart from then on, so that the others cost one request again', async () => {
    const world = new World();
    world.am.answer = refuse;
    await world.offer(...many(MAX_BATCH));
    const before = world.am.requests.length;
    await world.time.advance(MINUTE);
    const after = world.am.requests.slice(before).map(({ alerts }) => alerts.length);
    expect(after.toSorted((a, b) => a - b)).toEqual([1, MAX_BATCH - 1]);
  });

  test('joins the others again once it changed or was accepted', async () => {
    const world = new World();
    world.am.answer = refuse;
    await world.offer(...many(MAX_BATCH));
    world.am.answer = () => ACCEPTED;
    await world.time.advance(2 * MINUTE);
    expect(world.am.last()).toHaveLength(MAX_BATCH);
  });

  test('of which there are too many costs a bounded number of requests', async () => {
    const world = new World();
    world.am.answer = () => REFUSED;
    await world.offer(...many(MAX_BATCH));
    expect(world.am.requests).toHaveLength(40);
    expect(world.ended.map((end) => Number(end.split(' ')[2])).reduce((a, b) => a + b)).toBe(
      MAX_BATCH,
    );
    expect(world.log).toHaveLength(1);
  });
});

describe('acceptance', () => {
  test('is remembered from the first Alertmanager that stored the alert as firing', async () => {
    const world = new World(['slow:9093', 'well:9093']);
    const [slow] = world.alertmanagers;
    if (slow === undefined) throw new Error('two');
    slow.answer = () => BUSY;
    const alert = held('Import');
    const [key = ''] = byKey([alert]).keys();
    expect(world.bridge.acceptedAtMs(key, SIX_MS)).toBeNull();
    await world.offer(alert);
    expect(world.bridge.acceptedAtMs(key, SIX_MS)).toBe(SIX_MS);
    await world.time.advance(MINUTE);
    expect(world.bridge.acceptedAtMs(key, SIX_MS)).toBe(SIX_MS);
    // The next time it fires is another story.
    expect(world.bridge.acceptedAtMs(key, SIX_MS + 1)).toBeNull();
  });

  test('of a resolved alert is none', async () => {
    const world = new World();
    const alert = held('Import', { resolvedAtMs: SIX_MS });
    await world.offer(alert);
    expect(world.bridge.acceptedAtMs([...byKey([alert]).keys()][0] ?? '', SIX_MS)).toBeNull();
  });
});

describe("an Alertmanager's clock", () => {
  test('minutes ahead of ours would end an alert at once: it is told again, by its own clock', async () => {
    const world = new World();
    const aheadMs = 10 * MINUTE;
    world.am.answer = () => ({ kind: 'accepted', dateMs: world.time.nowMs + aheadMs });
    const alert = held('Import');
    await world.offer(alert);
    expect(world.am.requests.map(({ alerts }) => alerts[0]?.endsAt)).toEqual([
      '2026-11-23T06:04:00.000Z',
      '2026-11-23T06:14:00.000Z',
    ]);
    expect(world.am.last()[0]?.startsAt).toBe('2026-11-23T06:10:00.000Z');
    expect(world.bridge.acceptedAtMs([...byKey([alert]).keys()][0] ?? '', SIX_MS)).toBe(SIX_MS);
  });

  test('a few seconds off is left alone', async () => {
    const world = new World();
    world.am.answer = () => ({ kind: 'accepted', dateMs: world.time.nowMs - 4_000 });
    await world.offer(held('Import'));
    await world.time.advance(MINUTE);
    expect(world.am.last()[0]?.endsAt).toBe('2026-11-23T06:05:00.000Z');
  });

  test.each([
    ['years off', () => 0],
    [
      'that jumps about',
      (world: World) => world.time.nowMs + (world.am.requests.length % 3) * 7 * MINUTE,
    ],
  ])('%s never makes us send in a loop', async (_, dateMs) => {
    const world = new World();
    world.am.answer = () => ({ kind: 'accepted', dateMs: dateMs(world) });
    await world.offer(held('Import'));
    await world.time.advance(2 * MINUTE);
    expect(world.am.requests.length).toBeLessThanOrEqual(6);
  });
});

describe('a stop', () => {
  test('sends what is queued and resolves nothing', async () => {
    const world = new World();
    world.bridge.offer(byKey([held('Import')]));
    const stopped = world.bridge.stop();
    await world.time.advance(0);
    await stopped;
    expect(world.am.requests).toHaveLength(1);
    expect(world.am.last()[0]?.endsAt).toBe('2026-11-23T06:04:00.000Z');
    await world.time.advance(10 * MINUTE);
    expect(world.am.requests).toHaveLength(1);
  });

  test('waits at most 3 s for an Alertmanager that hangs, and counts what it never got', async () => {
    const world = new World();
    world.am.answer = () => new Promise(() => undefined);
    await world.offer(...many(300));
    let isStopped = false;
    const stopped = world.bridge.stop().then(() => (isStopped = true));
    await world.time.advance(2_999);
    expect(isStopped).toBe(false);
    await world.time.advance(1);
    await stopped;
    expect(world.ended).toEqual(['am:9093 dropped 300']);
  });

  test('reports no queue any more: after a reload the next bridge does', async () => {
    const world = new World();
    world.am.answer = () => BUSY;
    await world.offer(...many(3));
    const before = world.queued.length;
    const stopped = world.bridge.stop();
    await world.time.advance(0);
    await stopped;
    expect(world.queued.slice(before)).toEqual([]);
  });

  test('tries a dead one once more and no longer', async () => {
    const world = new World();
    world.am.answer = () => BUSY;
    await world.offer(held('Import'));
    const stopped = world.bridge.stop();
    await world.time.advance(0);
    await stopped;
    expect(world.am.requests).toHaveLength(2);
    expect(world.ended).toEqual(['am:9093 dropped 1']);
  });
});
