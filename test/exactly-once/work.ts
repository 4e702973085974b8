/** What a company does with its JIM during a life: Activities that begin, wait, end, flip and stay behind. */
import type { Random } from '../../src/demo/random.ts';
import type { WorldRow } from '../../src/demo/row.ts';
import { NO_TOTALS, isFinished } from '../../src/demo/row.ts';
import type { World } from '../../src/demo/world.ts';
import type { May } from './troubles.ts';

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
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export interface WorkOptions {
  readonly world: World;
  readonly random: Random;
  readonly may: May;
  /** The latest that a row becomes visible after it was created. */
  readonly latestMs: number;
  /** How long the longest runs take. */
  readonly longestMs: number;
}

export class Work {
  readonly #options: WorkOptions;
  #systems: [string, ...string[]] = ['HR System', 'Badge "Office" \\ System', 'Directory'];
  /** Every ending has a number of its own in `totalAdded`: the sum tells which were counted. */
  #serial = 0;
  #hidden: { readonly id: string; readonly visibleAtMs: number }[] = [];
  #isAtRest = false;

  constructor(options: WorkOptions) {
    this.#options = options;
  }

  get systems(): readonly string[] {
    return this.#systems;
  }

  /** What JIM's inventory lists. */
  get profiles(): readonly {
    readonly system: string;
    readonly name: string;
    readonly type: string;
  }[] {
    return this.#systems.flatMap((system) =>
      PROFILES.map(([name, type]) => ({ system, name, type })),
    );
  }

  /** Rows whose INSERT has not committed. */
  hidden(): readonly string[] {
    const { world } = this.#options;
    this.#hidden = this.#hidden.filter(({ visibleAtMs }) => visibleAtMs > world.nowMs);
    return this.#hidden.map(({ id }) => id);
  }

  /** From now on nothing that is in progress ends; what has ended may still flip. */
  rest(): void {
    this.#isAtRest = true;
  }

  rename(): void {
    const [first, ...rest] = this.#systems;
    this.#systems = [`${first} (new)`.slice(0, 40), ...rest];
  }

  /** Rows of the day before the exporter came, some of them still in progress. */
  haveHistory(): void {
    const { world, random } = this.#options;
    for (let row = random.pick([0, 3, 12, 20, 120]); row > 0; row -= 1) {
      const created = world.jimNow - random.int(60, 86_400) * 1e6;
      const times = { created, executed: created + 100_000 };
      world.insert({ ...this.#run(), ...this.#ending(created, 20_000), ...times });
    }
    for (let row = random.int(0, 4); row > 0; row -= 1) {
      const created = world.jimNow - random.int(60, 86_400) * 1e6;
      const id = world.insert({ ...this.#run(), created, executed: created + 100_000 });
      this.#endLater(id, random.int(5_000, 400_000));
    }
  }

  begin(): void {
    const { world, random, may, latestMs } = this.#options;
    const late = may('late_rows', 0.12);
    const created = world.jimNow - random.int(0, 999);
    const instant = random.chance(0.3);
    const times = { created, executed: created + 500 };
    const fields = { ...this.#run(), ...(instant ? this.#ending(created, 200) : {}), ...times };
    const visibleAtMs = world.nowMs + random.int(100, latestMs);
    const id = world.insert(fields, late ? { visibleAtMs } : {});
    if (late) this.#hidden.push({ id, visibleAtMs });
    if (instant) return;
    this.#pickUpLater(id, created + random.int(62_000, 2_000_000));
    const isLong = may('long_run', 0.1);
    this.#endLater(id, isLong ? this.#long() : random.int(1_000, 120_000));
  }

  /** In progress for ever, or for days. */
  leaveBehind(): void {
    const { world, random } = this.#options;
    const id = world.insert(this.#run());
    if (random.chance(0.5)) this.#endLater(id, random.int(2, 20) * DAY_MS);
  }

  insertTies(): void {
    const { world, random } = this.#options;
    const created = world.jimNow - 500;
    for (let row = random.int(2, 12); row > 0; row -= 1) {
      const id = world.insert({ ...this.#run(), created, executed: created + 300 });
      this.#endLater(id, random.int(0, 60_000));
    }
  }

  burst(): void {
    for (let row = this.#options.random.int(60, 160); row > 0; row -= 1) this.begin();
  }

  /** Retention goes by `created` alone. */
  removeOldest(): void {
    const { world } = this.#options;
    const limit = world.jimNow - 2 * HOUR_MS * 1_000;
    const oldest = world.table.rows.filter(({ created }) => created < limit).slice(0, 100);
    for (const { id } of oldest) world.remove(id);
  }

  removeOne(): void {
    const { world, random } = this.#options;
    const row = world.table.rows[random.int(0, Math.max(0, world.table.listed - 1))];
    if (row !== undefined) world.remove(row.id);
  }

  #long(): number {
    const { random, longestMs } = this.#options;
    return random.int(HOUR_MS, longestMs);
  }

  #run(): Partial<WorldRow> {
    const { random } = this.#options;
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
    const { random } = this.#options;
    const kinds: readonly [Partial<WorldRow>, ...Partial<WorldRow>[]] = [
      {
        targetType: 'SynchronisationRule',
        targetOperationType: 'Update',
        targetName: 'People',
        targetContext: random.pick(this.#systems),
      },
      {
        targetType: 'ConnectedSystem',
        targetOperationType: 'ImportSchema',
        targetName: random.pick(this.#systems),
      },
      { targetType: 'HistoryRetentionCleanup', targetOperationType: 'Delete' },
      { targetType: 'MetaverseAttribute', targetOperationType: 'Create', targetName: 'mail' },
    ];
    return random.pick(kinds);
  }

  /** A final state, with a number of its own. */
  #ending(createdMicros: number, withinMs?: number): Partial<WorldRow> {
    const { world, random } = this.#options;
    this.#serial += 1;
    const total = Math.max(
      200_000,
      withinMs === undefined ? world.jimNow - createdMicros : withinMs * 1_000,
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

  #pickUpLater(id: string, executed: number): void {
    const { world } = this.#options;
    world.after(1_500, () => {
      const row = world.row(id);
      if (row !== undefined && !isFinished(row.status)) world.update(id, { executed });
    });
  }

  #endLater(id: string, ms: number): void {
    const { world } = this.#options;
    const epoch = world.epoch;
    world.at(world.nowMs + ms, () => {
      const row = world.row(id);
      if (row === undefined || world.epoch !== epoch || this.#isAtRest) return;
      world.update(id, this.#ending(row.created));
      this.#flipPerhaps(id);
    });
  }

  /** Some final states do not last. */
  #flipPerhaps(id: string): void {
    const { world, random, may } = this.#options;
    const again = (): void => {
      const row = world.row(id);
      if (row !== undefined) world.update(id, this.#ending(row.created));
    };
    if (may('flip', 0.12)) world.after(random.pick([3, 40, 1_500, 3_000, 3_900, 35_000]), again);
    else if (may('reopen', 0.02)) {
      const unfinished = { status: 'InProgress', executionTime: null, totalActivityTime: null };
      world.after(500, () => world.update(id, unfinished));
      world.after(random.int(20_000, 200_000), again);
    }
  }
}
