/**
 * A JIM without its network: rows that live, an inventory, and virtual time. Nothing happens but in
 * `advanceTo`, and nothing is random but by the seed, so the same calls make the same world.
 *
 * The world also keeps the *truth*: what every row showed whenever it was finished and visible. It is
 * computed here, with no code of the exporter, for tests to compare the exporter with.
 */
import { createAgenda, type Agenda } from './agenda.ts';
import type {
  ApiKey,
  Certificate,
  ConnectedSystem,
  Schedule,
  ScheduleExecution,
  ServiceSetting,
  WorkerTask,
} from './inventory.ts';
import { dialectNamed, type Dialect, type DialectName } from './dialects.ts';
import { createRandom, type Random } from './random.ts';
import { BLANK_ROW, MICROS_PER_MS, isFinished, type WorldRow } from './row.ts';
import { ActivityTable } from './table.ts';
import { createTruth, NO_TRUTH, type TruthBook, type TruthRow } from './truth.ts';

/** The key of the demo's exporter: made up, and in no JIM. */
export const DEMO_API_KEY = `jim_ak_${'0'.repeat(64)}`;

export interface WorldOptions {
  /** False in a life too long to remember every row of. */
  readonly keepsTruth?: boolean;
  readonly seed: number | string;
  /** Our clock when the world begins. */
  readonly startMs: number;
  readonly dialect?: DialectName;
  /** JIM's clock less ours. */
  readonly clockOffsetMs?: number;
}

/** Everything a restore brings back. */
export interface Backup {
  readonly rows: readonly WorldRow[];
  readonly systems: readonly ConnectedSystem[];
  readonly schedules: readonly Schedule[];
  readonly executions: readonly ScheduleExecution[];
  readonly tasks: readonly WorkerTask[];
  readonly apiKeys: readonly ApiKey[];
}

export class World {
  readonly table = new ActivityTable();
  readonly random: Random;

  systems: readonly ConnectedSystem[] = [];
  schedules: readonly Schedule[] = [];
  /** Oldest first. */
  executions: readonly ScheduleExecution[] = [];
  /** Oldest first; finished tasks are deleted, as JIM does. */
  tasks: readonly WorkerTask[] = [];
  certificates: readonly Certificate[] = [];
  settings: readonly ServiceSetting[] = [];
  apiKeys: readonly ApiKey[] = [
    { key: DEMO_API_KEY, role: 'Administrator', isInfrastructure: false },
  ];
  dialect: Dialect;
  /** `/health/ready` answers 503; the rest goes on. */
  maintenance = false;
  /** False while JIM is down or migrating: its port is closed. */
  listening = true;
  /** JIM's clock less ours; rows keep the clock they were born by. */
  clockOffsetMs: number;
  /** Grows with every reset and restore: what was under way before is void. */
  epoch = 0;

  readonly #agenda: Agenda = createAgenda();
  readonly #truth: TruthBook;
  /** Rows that exist but are not visible yet: their INSERT has not committed. */
  readonly #hidden = new Map<string, WorldRow>();
  #nowMicros: number;

  constructor(options: WorldOptions) {
    this.random = createRandom(options.seed);
    this.#truth = options.keepsTruth === false ? NO_TRUTH : createTruth();
    this.dialect = dialectNamed(options.dialect ?? '0.14');
    this.clockOffsetMs = options.clockOffsetMs ?? 0;
    this.#nowMicros = options.startMs * MICROS_PER_MS;
  }

  /** Our clock. */
  get nowMs(): number {
    return this.#nowMicros / MICROS_PER_MS;
  }

  /** JIM's clock, in microseconds. */
  get jimNow(): number {
    return this.#nowMicros + this.clockOffsetMs * MICROS_PER_MS;
  }

  /** Plays everything that happens until then, in order. Going back does nothing. */
  advanceTo(ms: number): void {
    const until = Math.round(ms * MICROS_PER_MS);
    for (let due = this.#agenda.take(until); due !== null; due = this.#agenda.take(until)) {
      if (due.atMicros > this.#nowMicros) this.#nowMicros = due.atMicros;
      due.action();
    }
    if (until > this.#nowMicros) this.#nowMicros = until;
  }

  /** Something to happen at a moment of our clock; what is past happens at the next `advanceTo`. */
  at(ms: number, action: () => void): void {
    this.#agenda.add(Math.round(ms * MICROS_PER_MS), action);
  }

  /** Something to happen after so many milliseconds, fractions allowed. */
  after(ms: number, action: () => void): void {
    this.#agenda.add(this.#nowMicros + Math.round(ms * MICROS_PER_MS), action);
  }

  /** As `after`, but void if a reset or restore comes first: work in progress dies with its rows. */
  afterInEpoch(ms: number, action: () => void): void {
    const epoch = this.epoch;
    this.after(ms, () => {
      if (this.epoch === epoch) action();
    });
  }

  /**
   * A new row. What is not given is as JIM makes it: created now, executed a few microseconds later,
   * InProgress. `visibleAtMs` delays when requests can see it: its INSERT commits late.
   */
  insert(fields: Partial<WorldRow>, options: { readonly visibleAtMs?: number } = {}): string {
    const created = fields.created ?? this.jimNow;
    const row: WorldRow = {
      ...BLANK_ROW,
      id: this.random.timeOrderedGuid(created / MICROS_PER_MS),
      created,
      executed: created + this.random.int(4, 690),
      ...fields,
    };
    const { visibleAtMs } = options;
    if (visibleAtMs === undefined || visibleAtMs <= this.nowMs) {
      this.#show(row);
    } else {
      this.#hidden.set(row.id, row);
      this.at(visibleAtMs, () => {
        this.#reveal(row.id);
      });
    }
    return row.id;
  }

  /** Many visible rows at once, for histories of hundreds of thousands. */
  load(rows: readonly WorldRow[]): void {
    this.table.load(rows);
    for (const row of rows) this.#truth.saw(row, this.nowMs);
  }

  /** Changes a row, now or later; a row that is gone by then stays gone. */
  update(id: string, changes: Partial<WorldRow>, options: { readonly atMs?: number } = {}): void {
    if (options.atMs !== undefined && options.atMs > this.nowMs) {
      this.at(options.atMs, () => {
        this.update(id, changes);
      });
      return;
    }
    const hidden = this.#hidden.get(id);
    if (hidden !== undefined) {
      this.#hidden.set(id, { ...hidden, ...changes, id });
      return;
    }
    const row = this.table.get(id);
    if (row !== undefined) this.#change({ ...row, ...changes, id });
  }

  /** Deletes a row, now or later. */
  remove(id: string, options: { readonly atMs?: number } = {}): void {
    if (options.atMs !== undefined && options.atMs > this.nowMs) {
      this.at(options.atMs, () => {
        this.remove(id);
      });
      return;
    }
    this.#hidden.delete(id);
    if (this.table.remove(id) !== undefined) this.#truth.lost(id, this.nowMs);
  }

  /** Deletes many rows at once. */
  removeAll(ids: readonly string[]): void {
    for (const id of ids) this.#hidden.delete(id);
    for (const { id } of this.table.removeAll(new Set(ids))) this.#truth.lost(id, this.nowMs);
  }

  /** A row as it is in JIM's memory, visible or not. */
  row(id: string): WorldRow | undefined {
    return this.table.get(id) ?? this.#hidden.get(id);
  }

  /** Every row that was ever finished while visible, with all it showed then. Plain data. */
  truth(): readonly TruthRow[] {
    return this.#truth.rows();
  }

  /** TRUNCATE: every row is gone at once, hidden ones too, and what was under way is void. */
  truncate(): void {
    for (const row of this.table.all()) this.#truth.lost(row.id, this.nowMs);
    this.table.clear();
    this.#hidden.clear();
    this.tasks = [];
    this.executions = [];
    this.epoch += 1;
  }

  backup(): Backup {
    return {
      rows: [...this.table.all()],
      systems: this.systems,
      schedules: this.schedules,
      executions: this.executions,
      tasks: this.tasks,
      apiKeys: this.apiKeys,
    };
  }

  /** The database as it was: later rows vanish, rows deleted since return, finished ones may be open again. */
  restore(backup: Backup): void {
    const kept = new Set(backup.rows.map((row) => row.id));
    const gone = [...this.table.all()].filter((row) => !kept.has(row.id));
    this.removeAll(gone.map((row) => row.id));
    this.#hidden.clear();
    for (const row of backup.rows) {
      if (this.table.get(row.id) === undefined) this.#show(row);
      else this.#change(row);
    }
    this.systems = backup.systems;
    this.schedules = backup.schedules;
    this.executions = backup.executions;
    this.tasks = backup.tasks;
    this.apiKeys = backup.apiKeys;
    this.epoch += 1;
  }

  #show(row: WorldRow): void {
    this.table.insert(row);
    this.#truth.saw(row, this.nowMs);
  }

  #change(row: WorldRow): void {
    const before = this.table.get(row.id);
    if (before === row) return;
    this.table.replace(row);
    if (isFinished(row.status) || isFinished(before?.status ?? '')) {
      this.#truth.saw(row, this.nowMs);
    }
  }

  #reveal(id: string): void {
    const row = this.#hidden.get(id);
    if (row === undefined) return;
    this.#hidden.delete(id);
    this.#show(row);
  }
}
