/**
 * One life of an exporter and its JIM, drawn from a seed: a company that works, for a quarter of an hour or for
 * weeks, things that go wrong at every boundary, and at the end a quiet time in which everything must come right.
 */
import type { DialectName } from '../../src/demo/dialects.ts';
import { DIALECTS, dialectNamed } from '../../src/demo/dialects.ts';
import type { Random } from '../../src/demo/random.ts';
import { createRandom } from '../../src/demo/random.ts';
import type { Backup } from '../../src/demo/world.ts';
import { World } from '../../src/demo/world.ts';
import { micros } from '../../src/jim/activity.ts';
import { labelValue } from '../../src/ledger/labels.ts';
import { applyInventory } from '../../src/ledger/retire.ts';
import { StorageFailure } from '../../src/poll/keeper.ts';
import type { PollSettings } from '../../src/poll/turn.ts';
import type { DiskFault, Mutant, Rig, StateBackup } from '../poll/rig.ts';
import { Crash, createRig, START_MS } from '../poll/rig.ts';
import { Observer } from './observer.ts';
import type { Trouble } from './troubles.ts';
import { drawFault } from './troubles.ts';
import { Work } from './work.ts';

type Retired = ReturnType<Observer['retiredSoFar']>;

export interface LifeOptions {
  readonly seed: number;
  readonly mutant?: Mutant;
  /** Kinds of trouble left out: for shrinking a failing life. */
  readonly without?: ReadonlySet<Trouble>;
  /** Looks at the end of a life. */
  readonly inspect?: (rig: Rig) => void;
}

export interface Outcome {
  /** Sentences; none when everything came right. */
  readonly discrepancies: readonly string[];
  readonly counted: number;
  readonly polls: number;
  readonly virtualMs: number;
  readonly happened: readonly Trouble[];
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const POLL_MS = 15_000;
/** The shortest `overlap` a life is configured with, and nearly as late a row may become visible. */
const MIN_OVERLAP_MS = 15 * MINUTE_MS;
const LATEST_MS = MIN_OVERLAP_MS - 2 * SECOND_MS;
/** Between most polls of the quiet time, so that what is looked at once an hour has its turn. */
const QUIET_POLL_MS = 90_000;
const MAX_QUIET_POLLS = 160;
/**
 * Where more than a page is in progress, an Activity that ends is found when its page has its turn (counting.md, rule
 * 1): at every second poll, at every eighth if all four kinds of turns are due. Pages are of 60 rows or more.
 */
const MAX_POLLS_PER_TURN = 8;
const MIN_ROWS_PER_TURN = 60;
const MAX_CLOCK_JUMPS = 3;

/** Plays one life and tells what was wrong with it. */
export async function live(options: LifeOptions): Promise<Outcome> {
  return new Life(options, createRandom(`life/${options.seed}`)).play();
}

class Life {
  readonly #options: LifeOptions;
  readonly #random: Random;
  readonly #happened = new Set<Trouble>();
  readonly #observer: Observer;
  readonly #acts: number;
  /** Days pass between the acts, not seconds. */
  readonly #takesWeeks: boolean;
  /** Hundreds of rows at once. */
  readonly #isBusy: boolean;
  readonly #rememberIds: number | null;
  #seriesRetentionMs: number;
  #rig!: Rig;
  #work!: Work;
  #polls = 0;
  #dialect: DialectName;
  #backup: Backup | null = null;
  #stateBackup: { readonly state: StateBackup; readonly retired: Retired } | null = null;
  #clockJumps = 0;

  constructor(options: LifeOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#dialect = random.pick(DIALECTS);
    this.#acts = random.pick([4, 8, 12, 24]);
    this.#takesWeeks = this.#may('idle_days', 0.3);
    this.#isBusy = random.chance(0.25);
    this.#rememberIds = this.#may('short_memory', 0.3) ? random.pick([20, 60, 150]) : null;
    this.#seriesRetentionMs = this.#takesWeeks ? random.int(1, 10) * DAY_MS : 35 * DAY_MS;
    this.#observer = new Observer(this.#seriesRetentionMs);
  }

  async play(): Promise<Outcome> {
    const random = this.#random;
    const world = new World({
      seed: this.#options.seed,
      startMs: START_MS,
      dialect: this.#dialect,
    });
    if (this.#may('clock', 0.3)) world.clockOffsetMs = random.int(-5 * HOUR_MS, 5 * HOUR_MS);
    this.#work = new Work({
      world,
      random,
      may: this.#may,
      latestMs: LATEST_MS,
      longestMs: this.#takesWeeks ? 5 * DAY_MS : 11 * HOUR_MS,
    });
    this.#rig = await createRig({
      world,
      publish: 'when asked',
      settings: { ...this.#drawLimits(), seriesRetentionMs: this.#seriesRetentionMs },
      ...(this.#rememberIds === null ? {} : { rememberIds: this.#rememberIds }),
      ...(this.#options.mutant ? { mutant: this.#options.mutant } : {}),
    });
    if (this.#may('our_clock', 0.2)) this.#rig.setOurClock(random.int(-5 * HOUR_MS, 5 * HOUR_MS));
    this.#rig.simulator.quirks = {
      rateLimit: false,
      shuffledTies: random.chance(0.7),
      countDrift: random.chance(0.3) ? 2 : 0,
    };
    this.#work.haveHistory();
    await this.#firstPoll();
    for (let act = 0; act < this.#acts; act += 1) await this.#act();
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

  readonly #may = (trouble: Trouble, chance: number): boolean => {
    // Drawn in any case: leaving a kind out must not change the others.
    const drawn = this.#random.chance(chance);
    if (!drawn || this.#options.without?.has(trouble)) return false;
    this.#happened.add(trouble);
    return true;
  };

  #drawLimits(): Partial<PollSettings> {
    const random = this.#random;
    return {
      overlap: micros(random.pick([15, 15, 20, 60]) * MINUTE_MS * 1_000),
      zeroHoldMs: random.int(30, 200) * SECOND_MS,
      openLimitMs: random.pick([HOUR_MS, DAY_MS, 7 * DAY_MS]),
      settle: micros(random.pick([5, 5, 10, 60]) * SECOND_MS * 1_000),
    };
  }

  async #firstPoll(): Promise<void> {
    const beganMs = this.#rig.nowMs();
    await this.#rig.poll();
    this.#polls += 1;
    this.#observer.started(beganMs, this.#rig.nowMs());
    await this.#observer.scraped(this.#rig);
    this.#rig.pass(POLL_MS);
  }

  /** Some quarter of a minute of the company's life, and whatever goes wrong in it. */
  async #act(): Promise<void> {
    const random = this.#random;
    for (let begun = random.int(0, 4); begun > 0; begun -= 1) this.#work.begin();
    await this.#trouble();
    const unhook = this.#insertBetweenRequests();
    if (this.#may('fault', 0.35)) {
      this.#rig.simulator.faults.inject(drawFault(random), {
        skip: random.int(0, 4),
        times: random.int(1, 4),
      });
    }
    if (this.#may('disk', 0.09)) {
      const fault = random.pick<DiskFault>(['before', 'during', 'after']);
      this.#rig.disk.fail(...Array.from({ length: random.int(1, 4) }, () => fault));
    }
    if (this.#may('crash', 0.07)) this.#rig.crashAfter(random.int(0, 5));
    if (this.#may('crash', 0.07))
      this.#rig.disk.fail(random.pick<DiskFault>(['crash before', 'crash after']));
    await this.#poll();
    unhook();
    if (random.chance(0.5)) this.#rig.simulator.faults.clear();
    if (this.#may('downtime', 0.08)) await this.#beDown();
    else if (this.#takesWeeks && random.chance(0.5)) await this.#idle();
    else this.#rig.pass(random.int(POLL_MS - 3_000, POLL_MS + 3_000));
  }

  #insertBetweenRequests(): () => void {
    if (!this.#may('insert_between_requests', 0.3)) return () => undefined;
    return this.#rig.simulator.onRequest(() => {
      if (this.#random.chance(0.5)) this.#work.begin();
    });
  }

  async #poll(): Promise<void> {
    this.#polls += 1;
    await this.#survive(() => this.#rig.poll());
    if (this.#random.chance(this.#takesWeeks ? 1 : 0.4)) await this.#observer.scraped(this.#rig);
  }

  /** The process may die in it: then a new one starts from the disk. */
  async #survive(step: () => Promise<unknown>): Promise<'done' | 'failed' | 'died'> {
    try {
      await step();
    } catch (error) {
      if (error instanceof StorageFailure && !this.#rig.disk.crashed) return 'failed';
      if (!(error instanceof Crash || error instanceof StorageFailure)) throw error;
      this.#rig.disk.crashed = true;
    }
    if (!this.#rig.disk.crashed) return 'done';
    await this.#rig.restart();
    return 'died';
  }

  async #beDown(): Promise<void> {
    const random = this.#random;
    const most = this.#isBusy ? 30 : 4;
    for (let times = random.int(1, 12); times > 0; times -= 1) {
      this.#rig.pass(random.int(1_000, HOUR_MS / 2));
      for (let begun = random.int(0, most); begun > 0; begun -= 1) this.#work.begin();
    }
    if (this.#may('state_restore', 0.15) && this.#stateBackup !== null) {
      this.#rig.disk.restore(this.#stateBackup.state);
      this.#observer.stateRestored(this.#stateBackup.retired);
    }
    if (this.#may('limits', 0.5))
      await this.#rig.restart(this.#drawLimits(), { maxLabelSets: random.int(9, 40) });
    else await this.#rig.restart();
    // The state as loaded is shown at once; what retires in the first poll was there.
    await this.#observer.scraped(this.#rig);
  }

  /** Days in which little happens; polls in which nothing would are left out. */
  async #idle(): Promise<void> {
    const random = this.#random;
    for (let leftMs = random.int(HOUR_MS, 4 * DAY_MS); leftMs > 0;) {
      const ms = random.int(10 * MINUTE_MS, DAY_MS);
      this.#rig.pass(ms);
      leftMs -= ms;
      if (random.chance(0.3)) this.#work.begin();
      if (random.chance(0.5)) await this.#readInventory();
      await this.#poll();
      this.#rig.pass(POLL_MS);
    }
  }

  async #trouble(): Promise<void> {
    const { world } = this.#rig;
    const random = this.#random;
    const work = this.#work;
    if (this.#may('ties', 0.12)) work.insertTies();
    if (this.#isBusy && this.#may('burst', 0.1)) work.burst();
    if (this.#may('orphan', 0.05)) work.leaveBehind();
    if (this.#may('retention', 0.08)) work.removeOldest();
    if (this.#may('vanish', 0.03)) work.removeOne();
    if (this.#may('rename', 0.04)) work.rename();
    if (this.#may('inventory', 0.06)) await this.#readInventory();
    if (this.#may('upgrade', 0.04)) this.#upgrade();
    if (this.#may('clock', 0.03)) await this.#moveClock(random.int(-200, 200) * SECOND_MS);
    if (this.#may('clock_hours', 0.03))
      await this.#moveClock(random.int(-5 * HOUR_MS, 5 * HOUR_MS));
    if (this.#may('our_clock', 0.03)) {
      this.#rig.setOurClock(random.int(-5 * HOUR_MS, 5 * HOUR_MS));
      this.#observer.ourClockMoves(this.#rig);
    }
    if (random.chance(0.1)) await this.#backUpState();
    if (random.chance(0.08)) this.#backup = world.backup();
    if (this.#may('restore', 0.03) && this.#backup !== null) {
      this.#observer.returning(world, this.#backup);
      world.restore(this.#backup);
    }
    if (this.#may('reset', 0.015)) {
      world.truncate();
      this.#backup = null;
    }
  }

  async #backUpState(): Promise<void> {
    await this.#observer.scraped(this.#rig);
    const state = this.#rig.disk.backup();
    if (state !== null) this.#stateBackup = { state, retired: this.#observer.retiredSoFar() };
  }

  /**
   * A jump hides rows that were on their way: they lie further back than `overlap` by the new clock. A step back
   * that nobody sees before JIM's clock has caught up is a limit told to users, so one poll sees it.
   */
  async #moveClock(byMs: number): Promise<void> {
    if (this.#clockJumps >= MAX_CLOCK_JUMPS) return;
    if (byMs < 0 && this.#rememberIds !== null) return;
    this.#clockJumps += 1;
    this.#observer.clockMoves(this.#rig, this.#work.hidden());
    this.#rig.world.clockOffsetMs += byMs;
    if (byMs >= 0) return;
    this.#stateBackup = null;
    this.#rig.simulator.faults.clear();
    await this.#poll();
  }

  async #readInventory(): Promise<void> {
    const runProfiles = this.#work.profiles.map(({ system, name, type }) => ({
      connectedSystem: labelValue(system),
      runProfile: labelValue(name),
      runType: type,
    }));
    const connectedSystems = this.#work.systems.map(labelValue);
    const nowMs = this.#rig.ourMs();
    const end = await this.#survive(() =>
      this.#rig.keeper.move(
        (ledger) => applyInventory(ledger, { runProfiles, connectedSystems }, nowMs).ledger,
      ),
    );
    this.#observer.inventoryRead(connectedSystems, end === 'done');
  }

  #upgrade(): void {
    const next = DIALECTS[DIALECTS.indexOf(this.#dialect) + 1];
    if (next === undefined) return;
    this.#dialect = next;
    this.#rig.world.dialect = dialectNamed(next);
  }

  /** Nothing begins, nothing goes wrong: now the counts must become exact. */
  async #quiet(): Promise<void> {
    const rig = this.#rig;
    rig.simulator.faults.clear();
    rig.simulator.quirks = { ...rig.simulator.quirks, countDrift: 0 };
    rig.pass(MIN_OVERLAP_MS);
    if (!(await this.#becomesCalm(MAX_QUIET_POLLS))) {
      // Long runs went on ending, and the last of them have not had their turn. Now none ends: after the hour that an
      // orphan may have to wait, and one round of turns, all must be counted.
      this.#work.rest();
      const turns = Math.ceil(rig.world.table.listed / MIN_ROWS_PER_TURN) + 1;
      await this.#becomesCalm(HOUR_MS / QUIET_POLL_MS + MAX_POLLS_PER_TURN * turns);
    }
    await this.#observer.scraped(rig);
  }

  async #becomesCalm(withinPolls: number): Promise<boolean> {
    for (let poll = 0; poll < withinPolls; poll += 1) {
      await this.#poll();
      this.#rig.pass(poll < 4 ? POLL_MS : QUIET_POLL_MS);
      if (poll > 6 && this.#observer.isCalm(this.#rig)) return true;
    }
    return false;
  }
}
