/**
 * Watches a life from outside, as Prometheus does: every scrape is parsed strictly, nothing falls, nothing that
 * lives disappears, nothing is born above 0. At the end the last scrape is held against the world's own book;
 * nothing of the ledger is used but which ids it counted.
 */
import type { Ending, TruthRow } from '../../src/demo/truth.ts';
import type { Backup, World } from '../../src/demo/world.ts';
import type { ActivityId } from '../../src/jim/activity.ts';
import { isCaughtUp } from '../../src/ledger/reading.ts';
import type { ParsedExposition, ParsedFamily, ParsedSample } from '../metrics/strict-parser.ts';
import { parseExposition } from '../metrics/strict-parser.ts';
import type { Rig } from '../poll/rig.ts';
import type { Shown } from './expectation.ts';
import { unexplained } from './expectation.ts';

/** After so long without a scrape increments are released unseen (design, section 2, rule 8). */
const HOLD_LIMIT_MS = 300_000;
/** Shorter than the shortest `settle` of a life. */
const BRIEF_MS = 4_000;
const MAX_SENTENCES = 8;

export interface Judgement {
  readonly discrepancies: readonly string[];
  readonly counted: number;
}

export class Observer {
  readonly #seriesRetentionMs: number;
  readonly #found: string[] = [];
  /** The ledger's counters as last scraped, by family. */
  #last: ReadonlyMap<string, ParsedFamily> = new Map();
  /** What counters showed when their label set retired: born anew, they begin at 0. */
  #retired = new Map<string, ParsedSample>();
  /** Rows that nobody can promise: a restore brought them back, or a jump of JIM's clock left them behind. */
  readonly #excused = new Set<string>();
  /** Connected systems of the newest inventory; several where a crash leaves open which one is durable. */
  #inventories: readonly (readonly string[])[] = [];
  /** When JIM's clock or the exporter's was set, by the true time. */
  readonly #jumpsMs: number[] = [];
  #startedMs: readonly [number, number] = [0, 0];
  /** The exporter's clock at the last scrape. */
  #scrapedMs: number | null = null;
  /** The last poll before the exporter's clock was set. */
  #pollBeforeJumpMs: number | null | undefined = undefined;
  #scrapes = 0;

  /** @param seriesRetentionMs as configured; label sets without an Activity for longer may leave. */
  constructor(seriesRetentionMs: number = Number.POSITIVE_INFINITY) {
    this.#seriesRetentionMs = seriesRetentionMs;
  }

  started(beganMs: number, endedMs: number): void {
    this.#startedMs = [beganMs, endedMs];
  }

  clockMoves(rig: Rig, hidden: readonly string[]): void {
    this.#jumpsMs.push(rig.nowMs());
    for (const id of hidden) this.#excused.add(id);
  }

  /**
   * Waiting times are measured by it: those under way may end at once, in the next poll. What is scraped before that
   * poll was published before the jump and need not show them: the watch starts anew with what that poll publishes.
   */
  ourClockMoves(rig: Rig): void {
    this.#jumpsMs.push(rig.nowMs());
    this.#scrapedMs = null;
    this.#pollBeforeJumpMs = rig.poller.seen().lastPollMs;
  }

  /** Rows that are not in JIM now may lie below everything that is still remembered when they come back. */
  returning(world: World, backup: Backup): void {
    for (const row of backup.rows)
      if (world.table.get(row.id) === undefined) this.#excused.add(row.id);
  }

  /** What had retired when the state file was copied. */
  retiredSoFar(): ReadonlyMap<string, ParsedSample> {
    return new Map(this.#retired);
  }

  /** An older state file is in place: counters go back to it, as its owner wanted. */
  stateRestored(retired: ReadonlyMap<string, ParsedSample>): void {
    this.#last = new Map();
    this.#retired = new Map(retired);
    this.#scrapedMs = null;
  }

  inventoryRead(connectedSystems: readonly string[], isDurable: boolean): void {
    const others = isDurable ? [] : this.#inventories;
    this.#inventories = [...others, connectedSystems];
  }

  async scraped(rig: Rig): Promise<void> {
    await rig.render();
    const bytes = rig.scrapeBytes();
    if (bytes === null) return;
    this.#scrapes += 1;
    let parsed: ParsedExposition;
    try {
      parsed = parseExposition(bytes, 'text');
    } catch (error) {
      this.#tell(`a scrape cannot be parsed: ${String(error)}`);
      return;
    }
    const isWatched = this.#scrapedMs !== null && rig.ourMs() - this.#scrapedMs < HOLD_LIMIT_MS;
    const families = new Map([...parsed.families].filter(([, family]) => isLedgerCounter(family)));
    for (const [name, family] of families) {
      const before = this.#last.get(name);
      // Line by line what it was.
      if (family === before) continue;
      for (const [key, { value }] of family.series) {
        const valueBefore = before?.series.get(key)?.value;
        if (valueBefore === undefined && value !== 0 && isWatched)
          this.#tell(`${key} was born at ${value}`);
        if (valueBefore !== undefined && value < valueBefore)
          this.#tell(`${key} fell from ${valueBefore} to ${value}`);
      }
    }
    for (const [name, before] of this.#last) {
      const family = families.get(name);
      if (family === before) continue;
      for (const [key, sample] of before.series)
        if (family?.series.has(key) !== true) this.#left(rig, key, sample);
    }
    this.#last = families;
    const isOfBeforeJump = rig.poller.seen().lastPollMs === this.#pollBeforeJumpMs;
    this.#scrapedMs = isOfBeforeJump ? null : rig.ourMs();
    this.#compareWithDisk(rig, parsed);
  }

  /** A series may leave only with the whole life of its label set behind it. */
  #left(rig: Rig, key: string, sample: ParsedSample): void {
    const system = sample.labels['connected_system'] ?? '';
    const isListed = this.#inventories.every((systems) => systems.includes(system));
    const sinceMs = rig.nowMs() - lastEndMs(rig, sample.labels);
    const isOld = sinceMs > this.#seriesRetentionMs || this.#jumpsMs.length > 0;
    if (isListed || system === '' || !isOld) this.#tell(`${key} disappeared`);
    const before = this.#retired.get(key)?.value ?? 0;
    this.#retired.set(key, { ...sample, value: before + sample.value });
  }

  /** What was shown must be durable: a crash may take back nothing that anybody saw. */
  #compareWithDisk({ disk }: Rig, parsed: ParsedExposition): void {
    if (disk.durable === null) return;
    const durable = [...disk.durable.activities.values()]
      .flatMap(({ published }) => Object.values(published.statuses))
      .reduce((a, b) => a + b, 0);
    const samples = parsed.families.get('jim_activities_total')?.samples ?? [];
    const shown = samples.reduce((sum, { value }) => sum + value, 0);
    if (shown > durable)
      this.#tell(`${shown} Activities were shown, but only ${durable} were durable`);
  }

  /**
   * All that must be counted is, and nothing is held back or unread. The last poll must have succeeded: a commit whose
   * last fsync fails is on the disk, but the process goes on from before it, and counts and shows only when it repeats.
   */
  isCalm(rig: Rig): boolean {
    const { up, failure } = rig.poller.seen();
    if (!up || failure !== null) return false;
    const { runs, activities, reading } = rig.ledger();
    if (!isCaughtUp(reading) || reading.unread.length > 0) return false;
    const births = [...runs.values(), ...activities.values()].map(({ birth }) => birth);
    const cellBirths = [...runs.values()].flatMap(({ cells }) =>
      [...cells.values()].map(({ birth }) => birth),
    );
    if ([...births, ...cellBirths].some((birth) => birth !== null)) return false;
    return this.#rows(rig).every((row) => !this.#must(row) || rig.disk.hasCounted(idOf(row)));
  }

  judge(rig: Rig): Judgement {
    const rows = this.#rows(rig).filter((row) => !this.#isHistory(row));
    for (const { id, endings } of rows.filter(
      (row) => this.#must(row) && !rig.disk.hasCounted(idOf(row)),
    )) {
      const states = endings.map(({ status }) => status).join(' → ');
      this.#tell(`Activity ${id} (${states}) was never counted`);
    }
    const counted = rows
      .filter((row) => rig.disk.hasCounted(idOf(row)))
      .map((row) => this.#settled(row));
    const sentences = [
      ...this.#found,
      ...unexplained(counted, this.#shown()).slice(0, MAX_SENTENCES),
      ...errorsLogged(rig),
    ];
    return { discrepancies: sentences, counted: counted.length };
  }

  /** The last scrape, and what had left before it. */
  #shown(): Shown {
    const all = new Map(this.#retired);
    for (const { series } of this.#last.values())
      for (const [key, sample] of series)
        all.set(key, { ...sample, value: sample.value + (all.get(key)?.value ?? 0) });
    return [...all.values()];
  }

  #tell(sentence: string): void {
    if (this.#found.length < MAX_SENTENCES)
      this.#found.push(`${sentence} (scrape ${this.#scrapes})`);
  }

  #rows(rig: Rig): readonly TruthRow[] {
    return rig.world.truth().filter(({ listed }) => listed);
  }

  /** Shown as finished throughout the first observation. */
  #isHistory(row: TruthRow): boolean {
    const [beganMs, endedMs] = this.#startedMs;
    return row.endings.some(
      ({ fromMs, toMs }) => fromMs <= beganMs && (toMs === null || toMs > endedMs),
    );
  }

  /** Finished and visible to this day: no excuse. */
  #must(row: TruthRow): boolean {
    if (this.#isHistory(row) || this.#excused.has(row.id) || row.goneAtMs !== null) return false;
    return row.endings.at(-1)?.toMs === null;
  }

  /** A status that lasted shorter than `settle` must not have been the one that counted, by clocks that go right. */
  #settled(row: TruthRow): TruthRow {
    if (this.#excused.has(row.id)) return row;
    const lasting = row.endings.filter(({ fromMs, toMs }) => {
      const isBrief = toMs !== null && toMs - fromMs <= BRIEF_MS;
      return !isBrief || this.#jumpsMs.some((ms) => ms >= fromMs && ms <= toMs);
    });
    return lasting.length === 0 ? row : { ...row, endings: lasting };
  }
}

/** When the newest Activity that was counted into a label set first ended: it was counted no earlier. */
function lastEndMs({ world, disk }: Rig, labels: ParsedSample['labels']): number {
  const moments = world
    .truth()
    .filter((row) => disk.hasCounted(idOf(row)))
    .flatMap(({ endings: [first] }) =>
      first !== undefined && isOf(first, labels) ? [first.fromMs] : [],
    );
  return Math.max(0, ...moments);
}

function isOf({ run, ...ending }: Ending, labels: ParsedSample['labels']): boolean {
  if ('run_profile' in labels)
    return (
      run?.connectedSystem === labels['connected_system'] &&
      run?.runProfile === labels['run_profile']
    );
  return (
    ending.connectedSystem === labels['connected_system'] &&
    ending.targetType === labels['target_type'] &&
    ending.operation === labels['operation']
  );
}

function isLedgerCounter({ name, type }: ParsedFamily): boolean {
  return type !== 'gauge' && name.startsWith('jim_') && !name.startsWith('jim_exporter_');
}

function idOf(row: TruthRow): ActivityId {
  return row.id as ActivityId;
}

/** A defect of ours that the poll itself noticed. */
function errorsLogged(rig: Rig): readonly string[] {
  return rig.lines
    .map(({ msg, fields }) => `${msg} ${String((fields as { err?: unknown } | undefined)?.err)}`)
    .filter((line) => line.includes('breaks its own rules'));
}
