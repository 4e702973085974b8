/**
 * Watches a life from outside: what Prometheus scraped, and what was true. It uses no code of the ledger but
 * its final value, and computes every expectation from the world's own book.
 */
import type { Ending, TruthRow } from '../../src/demo/truth.ts';
import type { Backup, World } from '../../src/demo/world.ts';
import type { ActivityId } from '../../src/jim/activity.ts';
import type { ParsedExposition } from '../metrics/strict-parser.ts';
import { decodeLedger } from '../../src/ledger/encoding.ts';
import { parseExposition } from '../metrics/strict-parser.ts';
import type { Rig } from '../poll/rig.ts';

/** After so long without a scrape increments are released unseen (design, section 2, rule 8). */
const HOLD_LIMIT_MS = 300_000;
/** Shorter than the default `settle` of five seconds. */
const BRIEF_MS = 4_000;
/** Combinations of endings tried per label set. */
const MAX_COMBINATIONS = 200_000;

export interface Judgement {
  readonly discrepancies: readonly string[];
  readonly counted: number;
}

export class Observer {
  readonly #found: string[] = [];
  readonly #last = new Map<string, number>();
  /** Rows that a restore brought back: they may lie below everything that is still remembered. */
  readonly #returned = new Set<string>();
  /** Rows that became visible late: long ended, they settle at first sight. */
  readonly #late = new Set<string>();
  #clockMoved = false;
  #startedMs: readonly [number, number] = [0, 0];
  #scrapedMs: number | null = null;
  #scrapes = 0;

  started(beganMs: number, endedMs: number): void {
    this.#startedMs = [beganMs, endedMs];
  }

  /** The exporter was away: what was born meanwhile may first be seen above 0. */
  interrupted(): void {
    this.#scrapedMs = null;
  }

  comesLate(id: string): void {
    this.#late.add(id);
  }

  clockMoves(): void {
    this.#clockMoved = true;
  }

  returning(world: World, backup: Backup): void {
    for (const row of backup.rows)
      if (world.table.get(row.id) === undefined) this.#returned.add(row.id);
  }

  /** One scrape: strictly parsed, nothing falls, nothing disappears, nothing is born above 0. */
  scraped(rig: Rig): void {
    const text = rig.scrape();
    if (text === null) return;
    this.#scrapes += 1;
    let parsed: ParsedExposition;
    try {
      parsed = parseExposition(text, 'text');
    } catch (error) {
      this.#tell(`a scrape cannot be parsed: ${String(error)}`);
      return;
    }
    const seen = new Set<string>();
    const sinceLast =
      this.#scrapedMs === null ? Number.POSITIVE_INFINITY : rig.nowMs() - this.#scrapedMs;
    for (const [key, { name, value }] of parsed.series) {
      if (!isLedgerCounter(name)) continue;
      seen.add(key);
      const before = this.#last.get(key);
      if (before === undefined && value !== 0 && sinceLast < HOLD_LIMIT_MS)
        this.#tell(`${key} was born at ${value}`);
      if (before !== undefined && value < before)
        this.#tell(`${key} fell from ${before} to ${value}`);
      this.#last.set(key, value);
    }
    for (const key of this.#last.keys()) {
      if (seen.has(key)) continue;
      this.#tell(`${key} disappeared`);
      this.#last.delete(key);
    }
    this.#scrapedMs = rig.nowMs();
    this.#compareWithDisk(rig, parsed);
  }

  /** What was shown must be durable: a crash may take back nothing that anybody saw. */
  #compareWithDisk(rig: Rig, parsed: ParsedExposition): void {
    if (rig.disk.text === null) return;
    const kept = decodeLedger(rig.disk.text, 'the virtual disk');
    const durable = [...kept.activities.values()].reduce(
      (sum, { published }) => sum + total(published.statuses),
      0,
    );
    const shown =
      parsed.families
        .get('jim_activities_total')
        ?.samples.reduce((sum, { value }) => sum + value, 0) ?? 0;
    if (shown > durable)
      this.#tell(`${shown} Activities were shown, but only ${durable} were durable`);
  }

  /** All that must be counted is, and nothing is held back or unread. */
  isCalm(rig: Rig): boolean {
    const ledger = rig.ledger();
    const held = [...ledger.runs.values(), ...ledger.activities.values()].some(
      ({ birth }) => birth !== null,
    );
    const cells = [...ledger.runs.values()].some(({ cells: all }) =>
      [...all.values()].some(({ birth }) => birth !== null),
    );
    if (held || cells || ledger.reading.unread.length > 0) return false;
    return this.#rows(rig).every((row) => !this.#must(row) || ledger.counted.has(idOf(row)));
  }

  judge(rig: Rig): Judgement {
    const ledger = rig.ledger();
    const rows = this.#rows(rig).filter((row) => !this.#isHistory(row));
    for (const row of rows) {
      if (this.#must(row) && !ledger.counted.has(idOf(row))) {
        this.#tell(
          `Activity ${row.id} (${row.endings.map(({ status }) => status).join(' → ')}) was never counted`,
        );
      }
    }
    const counted = rows
      .filter((row) => ledger.counted.has(idOf(row)))
      .map((row) => this.#settled(row));
    this.#compareRuns(counted);
    this.#compareActivities(counted);
    return { discrepancies: [...this.#found, ...errorsLogged(rig)], counted: counted.length };
  }

  #tell(sentence: string): void {
    if (this.#found.length < 8) this.#found.push(`${sentence} (scrape ${this.#scrapes})`);
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
    if (this.#isHistory(row) || this.#returned.has(row.id) || row.goneAtMs !== null) return false;
    return row.endings.at(-1)?.toMs === null;
  }

  /** A status that lasted shorter than `settle` must not have been the one that counted. */
  #settled(row: TruthRow): TruthRow {
    if (this.#clockMoved || this.#late.has(row.id) || this.#returned.has(row.id)) return row;
    const lasting = row.endings.filter(
      ({ fromMs, toMs }) => toMs === null || toMs - fromMs > BRIEF_MS,
    );
    return lasting.length === 0 ? row : { ...row, endings: lasting };
  }

  #compareRuns(rows: readonly TruthRow[]): void {
    this.#compare(rows, 'jim_runs_total', 'jim_run_objects_total', ({ run }) =>
      run === null
        ? null
        : {
            connected_system: run.connectedSystem,
            run_profile: run.runProfile,
            run_type: run.runType,
          },
    );
  }

  #compareActivities(rows: readonly TruthRow[]): void {
    this.#compare(
      rows,
      'jim_activities_total',
      null,
      ({ targetType, operation, connectedSystem }) => ({
        target_type: targetType,
        operation,
        connected_system: connectedSystem,
      }),
    );
  }

  /**
   * Counts by status, and where there is one the sum of Added, which differs for every ending ever shown: it
   * tells exactly which rows and which of their endings were counted.
   */
  #compare(
    rows: readonly TruthRow[],
    metric: string,
    sumMetric: string | null,
    labelsOf: (ending: Ending) => Readonly<Record<string, string>> | null,
  ): void {
    const shown = [...this.#last].filter(([key]) => key.startsWith(`${metric}{`));
    // A name that was folded for a while counted in two places: then only all of them together can be told.
    const isFolded = shown.some(([key]) => key.includes('"(other)"'));
    const groups = new Map<string, TruthRow[]>();
    for (const row of rows) {
      const [ending] = row.endings;
      const labels = ending === undefined ? null : labelsOf(ending);
      if (labels === null) continue;
      const group = isFolded ? EVERYTHING : JSON.stringify(sorted(labels));
      const members = groups.get(group);
      if (members === undefined) groups.set(group, [row]);
      else members.push(row);
    }
    for (const [group, members] of groups) {
      const belongs = (key: string): boolean => group === EVERYTHING || sameLabels(key, group);
      const statuses = new Map<string, number>();
      for (const [key, value] of shown) {
        if (!belongs(key)) continue;
        const status = /status="([A-Za-z]+)"/.exec(key)?.[1] ?? '';
        statuses.set(status, (statuses.get(status) ?? 0) + value);
      }
      const sum =
        sumMetric === null
          ? null
          : [...this.#last]
              .filter(
                ([key]) =>
                  key.startsWith(`${sumMetric}{`) &&
                  key.includes('outcome="Added"') &&
                  belongs(key),
              )
              .reduce((added, [, value]) => added + value, 0);
      if (!explained(members, statuses, sum)) {
        this.#tell(
          `${metric} of ${group} is ${JSON.stringify([...statuses])} with sum ${String(sum)}, but ${members.length} rows ended: ${members
            .slice(0, 5)
            .map(({ endings }) => endings.map(({ status }) => status).join('→'))
            .join(', ')}`,
        );
      }
    }
    const all = shown.reduce((sum, [, value]) => sum + value, 0);
    const expected = [...groups.values()].reduce((count, members) => count + members.length, 0);
    if (all !== expected)
      this.#tell(`${metric} sums to ${all}, but ${expected} Activities were counted`);
  }
}

const EVERYTHING = 'all label sets';

/** Whether some choice of one ending per row explains the counts. */
function explained(
  rows: readonly TruthRow[],
  statuses: ReadonlyMap<string, number>,
  sum: number | null,
): boolean {
  const fixed = rows.filter(({ endings }) => endings.length === 1);
  const open = rows.filter(({ endings }) => endings.length > 1);
  const left = new Map(statuses);
  let leftSum = sum;
  for (const { endings } of fixed) {
    const [ending] = endings;
    if (ending === undefined) continue;
    left.set(ending.status, (left.get(ending.status) ?? 0) - 1);
    if (leftSum !== null) leftSum -= ending.totals.Added;
  }
  let tried = 0;
  const choose = (index: number, rest: number | null): boolean => {
    tried += 1;
    if (tried > MAX_COMBINATIONS) return true;
    const row = open[index];
    if (row === undefined)
      return (rest === null || rest === 0) && [...left.values()].every((count) => count === 0);
    for (const { status, totals } of row.endings) {
      const count = left.get(status) ?? 0;
      if (count <= 0 || (rest !== null && rest < totals.Added)) continue;
      left.set(status, count - 1);
      if (choose(index + 1, rest === null ? null : rest - totals.Added)) return true;
      left.set(status, count);
    }
    return false;
  };
  return choose(0, leftSum);
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}

function isLedgerCounter(name: string): boolean {
  return (
    name.startsWith('jim_') &&
    !name.startsWith('jim_exporter_') &&
    /_(total|bucket|count|sum)$/.test(name)
  );
}

function idOf(row: TruthRow): ActivityId {
  return row.id as ActivityId;
}

function sorted(labels: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function sameLabels(key: string, group: string): boolean {
  const wanted = JSON.parse(group) as readonly (readonly [string, string])[];
  return wanted.every(([name, value]) => key.includes(`${name}=${JSON.stringify(value)}`));
}

/** A defect of ours that the poll itself noticed. */
function errorsLogged(rig: Rig): readonly string[] {
  return rig.lines.filter(({ msg }) => msg.includes('breaks its own rules')).map(({ msg }) => msg);
}
