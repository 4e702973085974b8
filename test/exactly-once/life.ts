/**
 * One life of an exporter and its JIM, drawn from a seed: a company that works, things that go wrong at every
 * boundary, and at the end a quiet time in which everything must come right.
 */
import type { DialectName } from '../../src/demo/dialects.ts';
import { DIALECTS, dialectNamed } from '../../src/demo/dialects.ts';
import type { Fault } from '../../src/demo/faults.ts';
import type { Random } from '../../src/demo/random.ts';
import { createRandom } from '../../src/demo/random.ts';
import type { WorldRow } from '../../src/demo/row.ts';
import { NO_TOTALS } from '../../src/demo/row.ts';
import type { Backup } from '../../src/demo/world.ts';
import { World } from '../../src/demo/world.ts';
import type { DiskFault, Mutant, Rig } from '../poll/rig.ts';
import { Crash, createRig, START_MS } from '../poll/rig.ts';
import { Observer } from './observer.ts';

export interface LifeOptions {
  readonly seed: number;
  readonly mutant?: Mutant;
  /** Acts of the life; more find more, and take longer. */
  readonly acts?: number;
  /** Kinds of trouble left out: for shrinking a failing life. */
  readonly without?: ReadonlySet<Trouble>;
  /** Looks at the end of a failing life. */
  readonly inspect?: (rig: Rig) => void;
}

/** What can happen, each by its own chance, so that a failing life can be shrunk by leaving kinds out. */
export const TROUBLES = [
  'fault',
  'crash',
  'disk',
  'downtime',
  'insert_between_requests',
  'late_rows',
  'ties',
  'burst',
  'flip',
  'reopen',
  'orphan',
  'long_run',
  'retention',
  'vanish',
  'reset',
  'restore',
  'upgrade',
  'rename',
  'clock',
  'limits',
] as const;
export type Trouble = (typeof TROUBLES)[number];

export interface Outcome {
  /** Sentences; none when everything came right. */
  readonly discrepancies: readonly string[];
  readonly counted: number;
  readonly polls: number;
  readonly virtualMs: number;
  readonly happened: readonly Trouble[];
}

const OVERLAP_MS = 15 * 60_000;
/** How late a row becomes visible: with a jump of JIM's clock still inside the overlap. */
const LATEST_MS = OVERLAP_MS - 5 * 60_000;
const POLL_MS = 15_000;
const SYSTEMS: readonly [string, ...string[]] = [
  'HR System',
  'Badge "Office" \\ System',
  'Directory',
];
const PROFILES: readonly [readonly [string, string], ...(readonly [string, string])[]] = [
  ['Full Import', 'FullImport'],
  ['Delta Synchronisation', 'DeltaSynchronisation'],
  ['Export', 'Export'],
];
const STATUSES: readonly [string, ...string[]] = [
  'Complete',
  'Complete',
  'CompleteWithWarning',
  'CompleteWithError',
  'FailedWithError',
  'Cancelled',
];
const FAULTS: readonly [Fault, ...Fault[]] = [
  { kind: 'status', status: 500 },
  { kind: 'status', status: 503, retryAfter: 5 },
  { kind: 'status', status: 429, retryAfter: 60 },
  { kind: 'status', status: 401, body: 'unauthorized' },
  { kind: 'status', status: 403, body: 'empty' },
  { kind: 'html' },
  { kind: 'garbage' },
  { kind: 'redirect' },
  { kind: 'refuse' },
  { kind: 'reset' },
  { kind: 'truncate' },
];

/** Plays one life and tells what was wrong with it. */
export async function live(options: LifeOptions): Promise<Outcome> {
  return new Life(options, createRandom(`life/${options.seed}`)).play();
}

class Life {
  readonly #options: LifeOptions;
  readonly #random: Random;
  readonly #happened = new Set<Trouble>();
  readonly #observer = new Observer();
  #rig!: Rig;
  #polls = 0;
  #backup: Backup | null = null;
  #clockMoved = false;
  #dialect: DialectName = '0.14';
  #systems: [string, ...string[]] = [...SYSTEMS];
  /** Every ending has a number of its own in `totalAdded`: the sum tells which were counted. */
  #serial = 0;

  constructor(options: LifeOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  async play(): Promise<Outcome> {
    const random = this.#random;
    this.#dialect = random.pick(DIALECTS);
    const world = new World({
      seed: this.#options.seed,
      startMs: START_MS,
      dialect: this.#dialect,
    });
    if (this.#may('clock', 0.3)) world.clockOffsetMs = random.int(-5 * 3_600_000, 5 * 3_600_000);
    this.#rig = await createRig({
      world,
      ...(this.#options.mutant ? { mutant: this.#options.mutant } : {}),
    });
    this.#rig.simulator.quirks = {
      rateLimit: false,
      shuffledTies: random.chance(0.7),
      countDrift: random.chance(0.3) ? 2 : 0,
    };
    this.#haveHistory();
    await this.#firstPoll();
    const acts = this.#options.acts ?? 25;
    for (let act = 0; act < acts; act += 1) await this.#act();
    await this.#quiet();
    const { discrepancies, counted } = this.#observer.judge(this.#rig);
    this.#options.inspect?.(this.#rig);
    return {
      discrepancies,
      counted,
      polls: this.#polls,
      virtualMs: this.#rig.nowMs() - START_MS,
      happened: [...this.#happened],
    };
  }

  #may(trouble: Trouble, chance: number): boolean {
    // Drawn in any case: leaving a kind out must not change the others.
    const drawn = this.#random.chance(chance);
    if (!drawn || this.#options.without?.has(trouble)) return false;
    this.#happened.add(trouble);
    return true;
  }

  #haveHistory(): void {
    const { world } = this.#rig;
    const rows = this.#random.pick([0, 3, 20, 20, 120]);
    for (let row = 0; row < rows; row += 1) {
      const created = world.jimNow - this.#random.int(60, 86_400) * 1e6;
      world.insert({
        ...this.#run(),
        ...this.#ending(created, 20_000),
        created,
        executed: created + 100_000,
      });
    }
    for (let row = this.#random.int(0, 4); row > 0; row -= 1) {
      const created = world.jimNow - this.#random.int(60, 86_400) * 1e6;
      const id = world.insert({ ...this.#run(), created, executed: created + 100_000 });
      this.#endLater(id, this.#random.int(5_000, 400_000));
    }
  }

  async #firstPoll(): Promise<void> {
    const beganMs = this.#rig.nowMs();
    await this.#rig.poll();
    this.#polls += 1;
    this.#observer.started(beganMs, this.#rig.nowMs());
    this.#observer.scraped(this.#rig);
    this.#rig.pass(POLL_MS);
  }

  #run(): Partial<WorldRow> {
    const random = this.#random;
    if (random.chance(0.25)) return this.#change();
    const [targetName, runType] = random.pick(PROFILES);
    return {
      targetType: 'ConnectedSystemRunProfile',
      targetOperationType: 'Execute',
      targetName,
      targetContext: random.pick(this.#systems),
      runType,
    };
  }

  #change(): Partial<WorldRow> {
    const kinds: readonly [Partial<WorldRow>, ...Partial<WorldRow>[]] = [
      {
        targetType: 'SynchronisationRule',
        targetOperationType: 'Update',
        targetName: 'People',
        targetContext: this.#random.pick(this.#systems),
      },
      {
        targetType: 'ConnectedSystem',
        targetOperationType: 'ImportSchema',
        targetName: this.#random.pick(this.#systems),
      },
      { targetType: 'HistoryRetentionCleanup', targetOperationType: 'Delete' },
      { targetType: 'MetaverseAttribute', targetOperationType: 'Create', targetName: 'mail' },
    ];
    return this.#random.pick(kinds);
  }

  /** A final state, with a number of its own. */
  #ending(createdMicros: number, withinMs?: number): Partial<WorldRow> {
    const random = this.#random;
    this.#serial += 1;
    const total = Math.max(
      200_000,
      withinMs === undefined ? this.#rig.world.jimNow - createdMicros : withinMs * 1_000,
    );
    const neverRan = random.chance(0.1);
    return {
      status: random.pick(STATUSES),
      executionTime: neverRan ? null : Math.max(0, total - 100_000),
      totalActivityTime: random.chance(0.03) ? null : total,
      objectsProcessed: random.int(0, 500),
      totals: {
        ...NO_TOTALS,
        Added: this.#serial * 1_000_003 + random.int(0, 999_999),
        Errors: random.int(0, 20),
      },
    };
  }

  #endLater(id: string, ms: number): void {
    const { world } = this.#rig;
    const epoch = world.epoch;
    world.at(world.nowMs + ms, () => {
      const row = world.row(id);
      if (row === undefined || world.epoch !== epoch) return;
      world.update(id, this.#ending(row.created));
      this.#flipPerhaps(id);
    });
  }

  /** Some final states do not last. */
  #flipPerhaps(id: string): void {
    const { world } = this.#rig;
    const again = (): void => {
      const row = world.row(id);
      if (row !== undefined) world.update(id, this.#ending(row.created));
    };
    if (this.#may('flip', 0.08))
      world.after(this.#random.pick([3, 40, 1_500, 3_000, 35_000]), again);
    else if (this.#may('reopen', 0.02)) {
      world.after(500, () =>
        world.update(id, { status: 'InProgress', executionTime: null, totalActivityTime: null }),
      );
      world.after(this.#random.int(20_000, 200_000), again);
    }
  }

  #begin(): void {
    const { world } = this.#rig;
    const random = this.#random;
    const late = this.#may('late_rows', 0.12);
    const options = late ? { visibleAtMs: world.nowMs + random.int(100, LATEST_MS) } : {};
    const created = world.jimNow - random.int(0, 999);
    const instant = random.chance(0.3);
    const id = world.insert(
      {
        ...this.#run(),
        created,
        executed: created + 500,
        ...(instant ? this.#ending(created, 200) : {}),
      },
      options,
    );
    if (instant) return;
    world.update(
      id,
      { executed: created + random.int(62_000, 2_000_000) },
      { atMs: world.nowMs + 1_500 },
    );
    this.#endLater(
      id,
      this.#may('long_run', 0.1) ? random.int(3_600_000, 40_000_000) : random.int(1_000, 120_000),
    );
  }

  /** Some quarter of a minute of the company's life, and whatever goes wrong in it. */
  async #act(): Promise<void> {
    const random = this.#random;
    for (let begun = random.int(0, 4); begun > 0; begun -= 1) this.#begin();
    this.#trouble();
    const unhook = this.#insertBetweenRequests();
    if (this.#may('fault', 0.25)) {
      this.#rig.simulator.faults.inject(random.pick(FAULTS), {
        skip: random.int(0, 3),
        times: random.int(1, 4),
      });
    }
    if (this.#may('disk', 0.06)) {
      const fault = random.pick<DiskFault>(['before', 'after']);
      this.#rig.disk.fail(...Array.from({ length: random.int(1, 4) }, () => fault));
    }
    if (this.#may('crash', 0.05)) this.#rig.crashAfter(random.int(0, 4));
    if (this.#may('crash', 0.05))
      this.#rig.disk.fail(random.pick<DiskFault>(['crash before', 'crash after']));
    await this.#poll();
    unhook();
    if (random.chance(0.5)) this.#rig.simulator.faults.clear();
    if (this.#may('downtime', 0.06)) await this.#beDown();
    else this.#rig.pass(random.int(POLL_MS - 3_000, POLL_MS + 3_000));
  }

  #insertBetweenRequests(): () => void {
    if (!this.#may('insert_between_requests', 0.3)) return () => undefined;
    return this.#rig.simulator.onRequest(() => {
      if (this.#random.chance(0.5)) this.#begin();
    });
  }

  async #poll(): Promise<void> {
    this.#polls += 1;
    try {
      await this.#rig.poll();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      await this.#rig.restart();
    }
    if (this.#rig.disk.crashed) await this.#rig.restart();
    if (this.#random.chance(0.4)) this.#observer.scraped(this.#rig);
  }

  async #beDown(): Promise<void> {
    const random = this.#random;
    for (let times = random.int(1, 12); times > 0; times -= 1) {
      this.#rig.pass(random.int(1_000, 1_800_000));
      for (let begun = random.int(0, 30); begun > 0; begun -= 1) this.#begin();
    }
    if (this.#may('limits', 0.5)) {
      await this.#rig.restart(
        { overlap: (random.int(15, 60) * 60e6) as never, zeroHoldMs: random.int(30, 200) * 1_000 },
        { maxLabelSets: random.int(9, 40) },
      );
    } else {
      await this.#rig.restart();
    }
    this.#observer.interrupted();
  }

  #trouble(): void {
    const { world } = this.#rig;
    const random = this.#random;
    if (this.#may('ties', 0.1)) this.#insertTies(random.int(2, 12));
    if (this.#may('burst', 0.04))
      for (let row = random.int(60, 160); row > 0; row -= 1) this.#begin();
    if (this.#may('orphan', 0.03)) world.insert(this.#run());
    if (this.#may('retention', 0.06)) this.#removeOldest(100);
    if (this.#may('vanish', 0.02)) this.#removeOne();
    if (this.#may('rename', 0.03))
      this.#systems = [`${this.#systems[0]} (new)`.slice(0, 40), ...this.#systems.slice(1)];
    if (this.#may('upgrade', 0.03)) this.#upgrade();
    if (this.#may('clock', 0.02)) this.#moveClock(random.int(-200_000, 200_000));
    if (random.chance(0.05)) this.#backup = world.backup();
    if (this.#may('restore', 0.015) && this.#backup !== null) {
      this.#observer.returning(world, this.#backup);
      world.restore(this.#backup);
    }
    if (this.#may('reset', 0.01)) {
      world.truncate();
      this.#backup = null;
    }
  }

  /** Once in a life: two jumps can add up to more than the overlap. */
  #moveClock(byMs: number): void {
    if (this.#clockMoved) return;
    this.#observer.clockMoves();
    this.#clockMoved = true;
    this.#rig.world.clockOffsetMs += byMs;
  }

  #insertTies(count: number): void {
    const { world } = this.#rig;
    const created = world.jimNow - 500;
    for (let row = 0; row < count; row += 1) {
      const id = world.insert({ ...this.#run(), created, executed: created + 300 });
      this.#endLater(id, this.#random.int(0, 60_000));
    }
  }

  /** Retention goes by `created` alone. */
  #removeOldest(count: number): void {
    const { world } = this.#rig;
    const old = world.table.rows.filter(({ created }) => created < world.jimNow - 7_200e6);
    const oldest = [...old].toSorted((a, b) => a.created - b.created).slice(0, count);
    for (const { id } of oldest) world.remove(id);
  }

  #removeOne(): void {
    const { world } = this.#rig;
    const rows = world.table.rows;
    const row = rows[this.#random.int(0, Math.max(0, rows.length - 1))];
    if (row !== undefined) world.remove(row.id);
  }

  #upgrade(): void {
    const next = DIALECTS[DIALECTS.indexOf(this.#dialect) + 1];
    if (next === undefined) return;
    this.#dialect = next;
    this.#rig.world.dialect = dialectNamed(next);
  }

  /** Everything ends, nothing goes wrong: now the counts must become exact. */
  async #quiet(): Promise<void> {
    const { rig } = { rig: this.#rig };
    rig.simulator.faults.clear();
    rig.simulator.quirks = { ...rig.simulator.quirks, countDrift: 0 };
    rig.pass(OVERLAP_MS);
    for (let poll = 0; poll < 60; poll += 1) {
      await this.#poll();
      rig.pass(poll < 4 ? POLL_MS : 90_000);
      if (poll > 8 && this.#observer.isCalm(rig)) break;
    }
    this.#observer.scraped(rig);
  }
}
