/**
 * What is true of every ledger. Checked before it is written and after it is read: a violation before is our
 * bug, a violation after is a damaged or foreign file; both stop the exporter rather than count wrong.
 */
import type {
  ActivityAccount,
  ActivityTotals,
  Cell,
  Ledger,
  RunAccount,
  RunTotals,
  StatusCounts,
} from './ledger.ts';
import { onceEach } from './once-each.ts';

const MAX_SENTENCES = 10;

/** Sentences that say what is wrong; none for a sound ledger. */
export function violations(ledger: Ledger): readonly string[] {
  const found = [
    ...violationsOf(ledger, checkIds),
    ...[...ledger.activities.values()].flatMap(ofActivityAccount),
    ...[...ledger.runs.values()].flatMap(ofRunAccount),
    ...violationsOf(ledger, checkReading),
  ];
  return found.slice(0, MAX_SENTENCES);
}

function violationsOf<T>(value: T, rules: (value: T, check: Check) => void): readonly string[] {
  const found: string[] = [];
  rules(value, (holds, sentence) => {
    if (!holds && found.length < MAX_SENTENCES) found.push(sentence);
  });
  return found;
}

// An account never changes, and of hundreds a poll exchanges those that ran.
const ofActivityAccount = onceEach((account: ActivityAccount) =>
  violationsOf(account, checkActivityAccount),
);
const ofRunAccount = onceEach((account: RunAccount) => violationsOf(account, checkRunAccount));

type Check = (holds: boolean, sentence: string) => void;

function checkIds({ open, missing, counted }: Ledger, check: Check): void {
  for (const id of open.keys()) {
    check(!counted.has(id), `Activity ${id} is both counted and open`);
    check(!missing.has(id), `Activity ${id} is both open and missing`);
  }
  for (const id of missing.keys())
    check(!counted.has(id), `Activity ${id} is both counted and missing`);
}

function checkActivityAccount(account: ActivityAccount, check: Check): void {
  const name = `${account.targetType}/${account.operation}`;
  checkActivityTotals(account.published, name, check);
  checkActivityTotals(account.held, name, check);
  check(
    account.birth !== null || sum(account.held.statuses) === 0,
    `${name} holds increments though it was released`,
  );
}

function checkRunAccount(account: RunAccount, check: Check): void {
  const name = `a run profile of type ${account.labels.runType}`;
  checkRunTotals(account.published, name, check);
  checkRunTotals(account.held, name, check);
  check(
    account.birth !== null || sum(account.held.statuses) === 0,
    `${name} holds increments though it was released`,
  );
  for (const [cellName, cell] of account.cells) checkCell(cell, `${name}, ${cellName}`, check);
}

function checkActivityTotals(totals: ActivityTotals, name: string, check: Check): void {
  check(isCount(totals.errors), `the errors of ${name} are no count`);
  checkStatuses(totals.statuses, name, check);
}

function checkRunTotals(totals: RunTotals, name: string, check: Check): void {
  checkStatuses(totals.statuses, name, check);
  check(
    isCount(totals.errors) && isCount(totals.durationSum) && isCount(totals.queue),
    `a sum of ${name} is no count`,
  );
  const durations = totals.durationBuckets.reduce((a, b) => a + b, 0);
  check(totals.durationBuckets.every(isCount), `a duration bucket of ${name} is no count`);
  check(durations <= sum(totals.statuses), `${name} has more durations than runs`);
}

function checkStatuses(statuses: StatusCounts, name: string, check: Check): void {
  check(Object.values(statuses).every(isCount), `a status of ${name} is no count`);
}

function checkCell(cell: Cell, name: string, check: Check): void {
  check(isCount(cell.value) && isCount(cell.held), `${name} is no count`);
  check(cell.birth !== null || cell.held === 0, `${name} holds increments though it was released`);
}

function checkReading({ reading, started, counted }: Ledger, check: Check): void {
  check(started || counted.size === 0, 'Activities are counted before the first observation');
  check(
    reading.top !== null || reading.base === null,
    'the window has a base but the watermark is missing',
  );
  check(
    reading.unread.every(({ low, high }) => low <= high),
    'an unread part ends before it begins',
  );
  const ordered = reading.unread.every((part, index) => {
    const next = reading.unread[index + 1];
    return next === undefined || next.high < part.low;
  });
  check(ordered, 'unread parts overlap');
}

function sum(statuses: StatusCounts): number {
  return Object.values(statuses).reduce((a, b) => a + b, 0);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
