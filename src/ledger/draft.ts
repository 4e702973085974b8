/**
 * The next ledger in the making: the books that the rules of `account.ts` write into. Maps are copied on first
 * write, so that a poll of a hundred rows costs a hundred steps and an idle one returns what it was given.
 */
import type { Activity, ActivityId } from '../jim/activity.ts';
import { fingerprintOf, isFinishedStatus } from '../jim/activity.ts';
import { CopyChunks, CopyOnWrite } from './copy-on-write.ts';
import type {
  AuthenticationEvent,
  Cell,
  Counted,
  Ledger,
  Missing,
  Open,
  OwedStats,
  RecurringAccount,
  RunLabels,
} from './ledger.ts';
import { OTHER, activityKey, recurringKey, runKey } from './ledger.ts';
import type { Labelled, NamingEvent } from './naming.ts';
import { Naming } from './naming.ts';
import { metSince } from './retire.ts';
import type { Finished } from './totals.ts';
import {
  ActivityTally,
  RECURRING_TARGET_TYPES,
  RunTally,
  addToRecurring,
  newActivityAccount,
  newRunAccount,
} from './totals.ts';

export type DraftEvent =
  | NamingEvent
  /** A run was counted: what the bridge tells of. Folded run profiles are not told. */
  | { readonly kind: 'run_finished'; readonly labels: RunLabels; readonly run: Finished };

/** Where a row is counted. */
interface Books {
  readonly activities: ActivityTally;
  readonly run: RunBook | null;
}
interface RunBook {
  readonly labels: RunLabels;
  readonly key: string;
  readonly tally: RunTally;
}

export class Draft {
  readonly counted: CopyChunks<ActivityId, Counted>;
  readonly open: CopyOnWrite<ActivityId, Open>;
  readonly missing: CopyOnWrite<ActivityId, Missing>;
  readonly #activities = new Map<string, ActivityTally>();
  readonly #runs = new Map<string, RunTally>();
  /** By what the naming of a row gave: the same for rows of the same names. */
  readonly #books = new Map<Labelled, Books>();
  readonly #recurring: CopyOnWrite<string, RecurringAccount>;
  readonly #owedStats: CopyOnWrite<ActivityId, OwedStats>;
  readonly #before: Ledger;
  readonly #nowMs: number;
  readonly #tell: (event: DraftEvent) => void;
  readonly #naming: Naming;
  #authentication: Ledger['authentication'];

  constructor(ledger: Ledger, nowMs: number, tell: (event: DraftEvent) => void) {
    this.#before = ledger;
    this.#nowMs = nowMs;
    this.#tell = tell;
    this.#naming = new Naming(ledger.labels, nowMs, tell);
    this.counted = new CopyChunks(ledger.counted);
    this.open = new CopyOnWrite(ledger.open);
    this.missing = new CopyOnWrite(ledger.missing);
    this.#recurring = new CopyOnWrite(ledger.recurring);
    this.#owedStats = new CopyOnWrite(ledger.owedStats);
    this.#authentication = ledger.authentication;
  }

  get naming(): Pick<Naming, 'admit' | 'labelsOf' | 'noteStatus'> {
    return this.#naming;
  }

  /** Shows the label sets of a row at 0 while it is still open: its end then need not be held back. */
  seed(labelled: Labelled): void {
    this.#booksOf(labelled);
  }

  /** History of the first start: not counted, but it fills the last-run gauges and is known from now on. */
  remember(activity: Finished): void {
    this.#close(activity);
    this.#booksOf(this.#naming.labelsOf(activity)).run?.tally.remember(activity);
    this.#rememberRecurring(activity);
  }

  count(activity: Finished, owesStats: boolean): void {
    this.#close(activity);
    const { activities, run } = this.#booksOf(this.#naming.labelsOf(activity));
    activities.count(activity);
    this.#countAuthentication(activity);
    this.#rememberRecurring(activity);
    if (run !== null) this.#countRun(activity, run, owesStats);
  }

  #countRun(run: Finished, { labels, key, tally }: RunBook, owesStats: boolean): void {
    tally.count(run);
    if (labels.runProfile !== OTHER) this.#tell({ kind: 'run_finished', labels, run });
    if (!owesStats) return;
    const nowMs = this.#nowMs;
    const { runType } = labels;
    this.#owedStats.set(run.id, { run: key, runType, sinceMs: nowMs, nextTryMs: nowMs });
  }

  /** Counted once means closed: the id is never open again, whatever its row shows later. */
  #close(activity: Finished): void {
    const { id, created } = activity;
    this.counted.add(id, { created, fingerprint: countedFingerprint(activity) });
    this.open.delete(id);
    this.missing.delete(id);
  }

  #booksOf(labelled: Labelled): Books {
    let books = this.#books.get(labelled);
    if (books === undefined) {
      const { run } = labelled;
      books = {
        activities: this.#activityTally(labelled),
        run: run === null ? null : this.#runBook(run),
      };
      this.#books.set(labelled, books);
    }
    return books;
  }

  #activityTally({ targetType, operation, connectedSystem }: Labelled): ActivityTally {
    const key = activityKey(targetType, operation, connectedSystem);
    let tally = this.#activities.get(key);
    if (tally === undefined) {
      const account =
        this.#before.activities.get(key) ??
        newActivityAccount(targetType, operation, connectedSystem, this.#nowMs);
      tally = new ActivityTally(account, this.#nowMs);
      this.#activities.set(key, tally);
    }
    return tally;
  }

  #runBook(labels: RunLabels): RunBook {
    const key = runKey(labels);
    let tally = this.#runs.get(key);
    if (tally === undefined) {
      const account = this.#before.runs.get(key) ?? newRunAccount(labels, this.#nowMs);
      tally = new RunTally(account, this.#nowMs);
      this.#runs.set(key, tally);
    }
    return { labels, key, tally };
  }

  #rememberRecurring(activity: Finished): void {
    if (!RECURRING_TARGET_TYPES.has(activity.targetType)) return;
    const key = recurringKey(activity.targetType, activity.operation);
    this.#recurring.set(key, addToRecurring(this.#recurring.get(key), activity));
  }

  #countAuthentication(activity: Activity): void {
    const event = authenticationEventOf(activity);
    if (event === null || this.#authentication === null) return;
    const cell = this.#authentication[event];
    const after: Cell =
      cell.birth === null ? { ...cell, value: cell.value + 1 } : { ...cell, held: cell.held + 1 };
    this.#authentication = { ...this.#authentication, [event]: after };
  }

  /** The same reference where nothing changed. */
  finish(): Ledger {
    const activities = changed(this.#before.activities, this.#activities);
    const runs = changed(this.#before.runs, this.#runs);
    const moved = {
      counted: this.counted.value,
      open: this.open.value,
      missing: this.missing.value,
      activities: withAccounts(this.#before.activities, activities),
      runs: withAccounts(this.#before.runs, runs),
      inventory: metSince(this.#before.inventory, [...runs.values()], [...activities.values()]),
      recurring: this.#recurring.value,
      owedStats: this.#owedStats.value,
      authentication: this.#authentication,
      labels: this.#naming.admissions,
    };
    const before: Readonly<Record<string, unknown>> = { ...this.#before };
    const isSame = Object.entries(moved).every(([key, value]) => before[key] === value);
    return isSame ? this.#before : { ...this.#before, ...moved };
  }
}

function changed<Account>(
  before: ReadonlyMap<string, Account>,
  tallies: ReadonlyMap<string, { readonly account: Account }>,
): ReadonlyMap<string, Account> {
  return new Map(
    [...tallies]
      .map(([key, { account }]) => [key, account] as const)
      .filter(([key, account]) => before.get(key) !== account),
  );
}

/** The same reference where no account changed. */
function withAccounts<Account>(
  before: ReadonlyMap<string, Account>,
  changes: ReadonlyMap<string, Account>,
): ReadonlyMap<string, Account> {
  const after = new CopyOnWrite(before);
  for (const [key, account] of changes) after.set(key, account);
  return after.value;
}

/** A counted row that runs again changes with every request: it is altered once, not at every poll. */
export function countedFingerprint(activity: Activity): string {
  return isFinishedStatus(activity.status) ? fingerprintOf(activity) : activity.status;
}

/** Status is Complete even for failures (jim-api, section 8): the name tells. */
function authenticationEventOf(activity: Activity): AuthenticationEvent | null {
  if (activity.targetType !== 'Authentication') return null;
  switch (activity.targetName) {
    case 'Interactive sign-in succeeded':
      return 'sign_in_succeeded';
    case 'Interactive sign-in failed':
      return 'sign_in_failed';
    case 'API key authentication failed':
      return 'api_key_failed';
    default:
      return null;
  }
}
