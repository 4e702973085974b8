/**
 * Zero hold (design, section 2, rule 8): `increase()` cannot see a counter that is born at 1, so a label set
 * is first shown at 0 and its increments wait, durably, until a scrape has served the zeros and `zero_hold`
 * has passed — or until the time limit, so that nothing waits for a scrape that never comes.
 */
import type {
  ActivityAccount,
  ActivityTotals,
  AuthenticationEvent,
  Birth,
  Cell,
  Ledger,
  RunAccount,
  RunTotals,
  StatusCounts,
} from './ledger.ts';
import { AUTHENTICATION_EVENTS, NO_ACTIVITY_TOTALS, NO_RUN_TOTALS } from './ledger.ts';
import { FINISHED_STATUSES, micros } from '../jim/activity.ts';

/** Five minutes, the shortest time limit of a hold. */
const MIN_TIME_LIMIT_MS = 300_000;

export interface ZeroHold {
  readonly nowMs: number;
  readonly zeroHoldMs: number;
  /** Whether a scrape was answered, before `nowMs`, with a publication made after `atMs` (our clock). */
  readonly servedSince: (atMs: number, nowMs: number) => boolean;
}

/** Releases what is due. The result is committed before it is published, like every move of the ledger. */
export function releaseHolds(ledger: Ledger, hold: ZeroHold): Ledger {
  const wait = (birth: Birth): Birth | null => stillWaiting(birth, hold);
  const activities = mapChanged(ledger.activities, (account) => releaseActivity(account, wait));
  const runs = mapChanged(ledger.runs, (account) => releaseRun(account, wait));
  const authentication = releaseAuthentication(ledger.authentication, wait);
  const same =
    activities === ledger.activities &&
    runs === ledger.runs &&
    authentication === ledger.authentication;
  return same ? ledger : { ...ledger, activities, runs, authentication };
}

type Wait = (birth: Birth) => Birth | null;

/** The birth a label set goes on waiting with, or null when its increments are due. */
function stillWaiting(birth: Birth, { nowMs, zeroHoldMs, servedSince }: ZeroHold): Birth | null {
  const waited = nowMs - birth.atMs;
  // Our clock was set back before the birth: the wait starts anew, or it could last for years.
  if (waited < 0) return { atMs: nowMs };
  // Our clock set forward by as much ends the wait too: a wait must outlive the process, so only that clock can time it.
  if (waited >= Math.max(MIN_TIME_LIMIT_MS, 2 * zeroHoldMs)) return null;
  return waited >= zeroHoldMs && servedSince(birth.atMs, nowMs) ? null : birth;
}

function releaseActivity(account: ActivityAccount, wait: Wait): ActivityAccount {
  if (account.birth === null) return account;
  const birth = wait(account.birth);
  if (birth !== null) return birth === account.birth ? account : { ...account, birth };
  const published = addActivityTotals(account.published, account.held);
  return { ...account, birth, published, held: NO_ACTIVITY_TOTALS };
}

function releaseRun(account: RunAccount, wait: Wait): RunAccount {
  const cells = mapChanged(account.cells, (cell) => releaseCell(cell, wait));
  const birth = account.birth === null ? null : wait(account.birth);
  if (birth === account.birth) return cells === account.cells ? account : { ...account, cells };
  if (birth !== null) return { ...account, cells, birth };
  const published = addRunTotals(account.published, account.held);
  return { ...account, cells, birth, published, held: NO_RUN_TOTALS };
}

function releaseCell(cell: Cell, wait: Wait): Cell {
  if (cell.birth === null) return cell;
  const birth = wait(cell.birth);
  if (birth === cell.birth) return cell;
  return birth === null ? { value: cell.value + cell.held, held: 0, birth } : { ...cell, birth };
}

function releaseAuthentication(
  cells: Ledger['authentication'],
  wait: Wait,
): Ledger['authentication'] {
  if (cells === null) return cells;
  const after: Record<AuthenticationEvent, Cell> = { ...cells };
  for (const event of AUTHENTICATION_EVENTS) after[event] = releaseCell(cells[event], wait);
  return AUTHENTICATION_EVENTS.every((event) => after[event] === cells[event]) ? cells : after;
}

/** Begins to count sign-ins, once JIM is known to record them. */
export function withAuthentication(ledger: Ledger, nowMs: number): Ledger {
  if (ledger.authentication !== null) return ledger;
  const born: Cell = { value: 0, held: 0, birth: { atMs: nowMs } };
  return {
    ...ledger,
    authentication: { sign_in_succeeded: born, sign_in_failed: born, api_key_failed: born },
  };
}

function addActivityTotals(a: ActivityTotals, b: ActivityTotals): ActivityTotals {
  return {
    statuses: addStatuses(a.statuses, b.statuses),
    errors: a.errors + b.errors,
    exemplars: { ...a.exemplars, ...b.exemplars },
  };
}

function addRunTotals(a: RunTotals, b: RunTotals): RunTotals {
  return {
    statuses: addStatuses(a.statuses, b.statuses),
    errors: a.errors + b.errors,
    durationBuckets: a.durationBuckets.map(
      (count, index) => count + (b.durationBuckets[index] ?? 0),
    ),
    durationSum: micros(a.durationSum + b.durationSum),
    queue: micros(a.queue + b.queue),
    exemplars: { ...a.exemplars, ...b.exemplars },
    durationExemplars: { ...a.durationExemplars, ...b.durationExemplars },
  };
}

function addStatuses(a: StatusCounts, b: StatusCounts): StatusCounts {
  const sum: Record<keyof StatusCounts, number> = { ...a };
  for (const status of FINISHED_STATUSES) sum[status] = a[status] + b[status];
  return sum;
}

/** Maps values, returning the same map when none changed. */
function mapChanged<K extends string, V>(
  map: ReadonlyMap<K, V>,
  change: (value: V) => V,
): ReadonlyMap<K, V> {
  let after: Map<K, V> | null = null;
  for (const [key, value] of map) {
    const next = change(value);
    if (next !== value) (after ??= new Map(map)).set(key, next);
  }
  return after ?? map;
}
