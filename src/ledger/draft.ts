/**
 * The next ledger in the making: the books that the rules of `account.ts` write into. Maps are copied on first
 * write, so that a poll of a hundred rows costs a hundred steps and an idle one returns what it was given.
 */
import type { Activity, ActivityId } from '../jim/activity.ts';
import { fingerprintOf, isFinishedStatus } from '../jim/activity.ts';
import { CopyOnWrite } from './copy-on-write.ts';
import type {
  ActivityAccount,
  AuthenticationEvent,
  Cell,
  Counted,
  LastRun,
  Ledger,
  Missing,
  Open,
  OwedStats,
  RecurringAccount,
  RunAccount,
  RunLabels,
} from './ledger.ts';
import { OTHER, activityKey, recurringKey, runKey } from './ledger.ts';
import type { Labelled, NamingEvent } from './naming.ts';
import { Naming } from './naming.ts';
import type { Finished } from './totals.ts';
import {
  RECURRING_TARGET_TYPES,
  addToActivityAccount,
  addToRecurring,
  addToRunAccount,
  lastRunOf,
  newActivityAccount,
  newRunAccount,
  rememberRun,
} from './totals.ts';

export type DraftEvent =
  | NamingEvent
  /** A run was counted: what the bridge tells of. Folded run profiles are not told. */
  | { readonly kind: 'run_finished'; readonly labels: RunLabels; readonly run: LastRun };

export class Draft {
  readonly counted: CopyOnWrite<ActivityId, Counted>;
  readonly open: CopyOnWrite<ActivityId, Open>;
  readonly missing: CopyOnWrite<ActivityId, Missing>;
  readonly #activities: CopyOnWrite<string, ActivityAccount>;
  readonly #runs: CopyOnWrite<string, RunAccount>;
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
    this.counted = new CopyOnWrite(ledger.counted);
    this.open = new CopyOnWrite(ledger.open);
    this.missing = new CopyOnWrite(ledger.missing);
    this.#activities = new CopyOnWrite(ledger.activities);
    this.#runs = new CopyOnWrite(ledger.runs);
    this.#recurring = new CopyOnWrite(ledger.recurring);
    this.#owedStats = new CopyOnWrite(ledger.owedStats);
    this.#authentication = ledger.authentication;
  }

  get naming(): Pick<Naming, 'admit' | 'labelsOf' | 'noteStatus'> {
    return this.#naming;
  }

  /** Shows the label sets of a row at 0 while it is still open: its end then need not be held back. */
  seed({ targetType, operation, connectedSystem, run }: Labelled): void {
    const key = activityKey(targetType, operation, connectedSystem);
    this.#activities.set(
      key,
      this.#activityAccount(key, { targetType, operation, connectedSystem }),
    );
    if (run !== null) this.#runs.set(runKey(run), this.#runAccount(run));
  }

  /** History of the first start: not counted, but it fills the last-run gauges and is known from now on. */
  remember(activity: Finished): void {
    this.#close(activity);
    const labelled = this.#naming.labelsOf(activity);
    const { run } = labelled;
    this.seed(labelled);
    if (run !== null) this.#runs.set(runKey(run), rememberRun(this.#runAccount(run), activity));
    this.#rememberRecurring(activity);
  }

  count(activity: Finished, owesStats: boolean): void {
    this.#close(activity);
    const labelled = this.#naming.labelsOf(activity);
    const { targetType, operation, connectedSystem, run } = labelled;
    const key = activityKey(targetType, operation, connectedSystem);
    const account = this.#activityAccount(key, labelled);
    this.#activities.set(key, addToActivityAccount(account, activity, this.#nowMs));
    this.#countAuthentication(activity);
    this.#rememberRecurring(activity);
    if (run !== null) this.#countRun(activity, run, owesStats);
  }

  #countRun(activity: Finished, run: RunLabels, owesStats: boolean): void {
    const key = runKey(run);
    const nowMs = this.#nowMs;
    this.#runs.set(key, addToRunAccount(this.#runAccount(run), activity, nowMs));
    if (run.runProfile !== OTHER)
      this.#tell({ kind: 'run_finished', labels: run, run: lastRunOf(activity) });
    if (!owesStats) return;
    const { runType } = run;
    this.#owedStats.set(activity.id, { run: key, runType, sinceMs: nowMs, nextTryMs: nowMs });
  }

  /** Counted once means closed: the id is never open again, whatever its row shows later. */
  #close(activity: Finished): void {
    const { id, created } = activity;
    this.counted.set(id, { created, fingerprint: countedFingerprint(activity) });
    this.open.delete(id);
    this.missing.delete(id);
  }

  #activityAccount(
    key: string,
    { targetType, operation, connectedSystem }: Omit<Labelled, 'run'>,
  ): ActivityAccount {
    return (
      this.#activities.get(key) ??
      newActivityAccount(targetType, operation, connectedSystem, this.#nowMs)
    );
  }

  #runAccount(labels: RunLabels): RunAccount {
    return this.#runs.get(runKey(labels)) ?? newRunAccount(labels, this.#nowMs);
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
    const moved = {
      counted: this.counted.value,
      open: this.open.value,
      missing: this.missing.value,
      activities: this.#activities.value,
      runs: this.#runs.value,
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
