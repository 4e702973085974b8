/**
 * What JIM's inventory means for the ledger: run profiles it lists are shown at 0 before they ever run, and
 * label sets that are gone from it leave in the end (design, section 2, rules 8 and 9).
 */
import { admit, runLabelsAs } from './labels.ts';
import type {
  ActivityAccount,
  Admissions,
  InventoryMemory,
  Ledger,
  RunAccount,
  RunLabels,
} from './ledger.ts';
import { OTHER, runKey } from './ledger.ts';
import { isCaughtUp } from './reading.ts';
import { newRunAccount } from './totals.ts';

/** One complete reading of JIM's connected systems and run profiles; names are label values already. */
export interface Inventory {
  readonly connectedSystems: readonly string[];
  readonly runProfiles: readonly RunLabels[];
}

export interface AppliedInventory {
  readonly ledger: Ledger;
  readonly newlyFolded: number;
}

/** Seeds zero series for listed run profiles; gauges of a run profile leave once two complete inventories lack it. */
export function applyInventory(
  ledger: Ledger,
  inventory: Inventory,
  nowMs: number,
): AppliedInventory {
  const keys = inventory.runProfiles.map(runKey);
  const admittedSystems = admit(
    ledger.labels,
    'connectedSystems',
    inventory.connectedSystems,
    nowMs,
  );
  const admitted = admit(admittedSystems.admissions, 'runs', keys, nowMs);
  const runs = seed(ledger.runs, inventory.runProfiles, admitted.admissions, nowMs);
  const listed = new Set(keys);
  const absent = new Set([...runs.keys()].filter((key) => !listed.has(key)));
  const absentTwice = [...absent].filter((key) => ledger.inventory.absentOnce.has(key));
  const open = new Set(
    [...ledger.open.values()].flatMap(({ run }) => (run === null ? [] : [runKey(run)])),
  );
  for (const key of absentTwice) {
    const account = runs.get(key);
    if (account !== undefined && account.last !== null && !open.has(key))
      runs.set(key, withoutGauges(account));
  }
  const memory = {
    runs: listed,
    absentOnce: absent,
    connectedSystems: new Set(inventory.connectedSystems),
  };
  const moved: Ledger = { ...ledger, labels: admitted.admissions, runs, inventory: memory };
  const newlyFolded = admittedSystems.newlyFolded + admitted.newlyFolded;
  return { ledger: sameInventory(ledger, moved) ? ledger : moved, newlyFolded };
}

function seed(
  runs: Ledger['runs'],
  listed: readonly RunLabels[],
  admissions: Admissions,
  nowMs: number,
): Map<string, RunAccount> {
  const after = new Map(runs);
  for (const labels of listed) {
    const shown = runLabelsAs(admissions, labels);
    if (!after.has(runKey(shown))) after.set(runKey(shown), newRunAccount(shown, nowMs));
  }
  return after;
}

function withoutGauges(account: RunAccount): RunAccount {
  return { ...account, last: null, lastSuccess: null, failureEnds: [], lastFailure: null };
}

/** An inventory that says nothing new must not cost a commit. */
function sameInventory(before: Ledger, after: Ledger): boolean {
  return (
    before.labels === after.labels &&
    before.runs.size === after.runs.size &&
    [...after.runs].every(([key, account]) => before.runs.get(key) === account) &&
    sameSet(before.inventory.runs, after.inventory.runs) &&
    sameSet(before.inventory.absentOnce, after.inventory.absentOnce) &&
    sameSet(before.inventory.connectedSystems, after.inventory.connectedSystems)
  );
}

function sameSet(a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): boolean {
  if (a === null || b === null) return a === b;
  return a.size === b.size && [...a].every((name) => b.has(name));
}

/**
 * What JIM ran since the inventory was read is not gone from it, whatever it listed: only the next one can tell. It may
 * be old, where no later one was readable, or where an older state file was put back.
 */
export function metSince(
  inventory: InventoryMemory,
  runs: readonly RunAccount[],
  activities: readonly ActivityAccount[],
): InventoryMemory {
  if (inventory.runs === null) return inventory;
  const keys = runs
    .map(({ labels }) => labels)
    .filter(({ runProfile }) => runProfile !== OTHER)
    .map(runKey);
  const names = activities
    .map(({ connectedSystem }) => connectedSystem)
    .filter((name) => name !== '' && name !== OTHER);
  const met = {
    ...inventory,
    runs: withAll(inventory.runs, keys),
    connectedSystems: withAll(inventory.connectedSystems, names),
  };
  const isSame = met.runs === inventory.runs && met.connectedSystems === inventory.connectedSystems;
  return isSame ? inventory : met;
}

/** The same reference where nothing is new. */
function withAll(set: ReadonlySet<string>, names: readonly string[]): ReadonlySet<string> {
  return names.every((name) => set.has(name)) ? set : new Set([...set, ...names]);
}

/**
 * Label sets without any Activity for `series_retention`, and no longer in the inventory, leave the exposition.
 * Never while catching up, before an inventory was read, with increments held, or with an Activity open.
 */
export function retire(ledger: Ledger, nowMs: number, seriesRetentionMs: number): Ledger {
  const { inventory } = ledger;
  if (inventory.runs === null || !isCaughtUp(ledger.reading)) return ledger;
  const listed = inventory.runs;
  const isOld = (lastActiveMs: number): boolean => nowMs - lastActiveMs > seriesRetentionMs;
  const openRuns = new Set(
    [...ledger.open.values()].flatMap(({ run }) => (run === null ? [] : [runKey(run)])),
  );
  const openSystems = new Set(
    [...ledger.open.values()].map(({ connectedSystem }) => connectedSystem),
  );

  const retiredRuns = [...ledger.runs].filter(
    ([key, account]) =>
      isOld(account.lastActiveMs) &&
      account.labels.runProfile !== OTHER &&
      !listed.has(key) &&
      !openRuns.has(key) &&
      holdsNothing(account),
  );
  const retiredActivities = [...ledger.activities].filter(
    ([, account]) =>
      isOld(account.lastActiveMs) &&
      // Without a connected system the label set is one of JIM's closed words: it stays.
      account.connectedSystem !== '' &&
      account.connectedSystem !== OTHER &&
      !inventory.connectedSystems.has(account.connectedSystem) &&
      !openSystems.has(account.connectedSystem) &&
      account.birth === null,
  );
  if (retiredRuns.length === 0 && retiredActivities.length === 0) return ledger;

  const runs = without(ledger.runs, retiredRuns);
  const activities = without(ledger.activities, retiredActivities);
  return {
    ...ledger,
    runs,
    activities,
    labels: forgetNames(ledger.labels, ledger, runs, activities, nowMs, seriesRetentionMs),
  };
}

function holdsNothing(account: RunAccount): boolean {
  return account.birth === null && [...account.cells.values()].every(({ birth }) => birth === null);
}

function without<V>(
  map: ReadonlyMap<string, V>,
  gone: readonly (readonly [string, V])[],
): ReadonlyMap<string, V> {
  const after = new Map(map);
  for (const [key] of gone) after.delete(key);
  return after;
}

/** Makes room for names that come later. */
function forgetNames(
  labels: Admissions,
  ledger: Ledger,
  runs: ReadonlyMap<string, RunAccount>,
  activities: ReadonlyMap<string, ActivityAccount>,
  nowMs: number,
  seriesRetentionMs: number,
): Admissions {
  const systemsInUse = new Set(
    [...activities.values()].map(({ connectedSystem }) => connectedSystem),
  );
  const gone = (name: string): boolean =>
    !systemsInUse.has(name) && !ledger.inventory.connectedSystems.has(name);
  return {
    ...labels,
    runs: new Set(
      [...labels.runs].filter((key) => runs.has(key) || ledger.inventory.runs?.has(key)),
    ),
    connectedSystems: new Set([...labels.connectedSystems].filter((name) => !gone(name))),
    folded: new Map([...labels.folded].filter(([, metMs]) => nowMs - metMs <= seriesRetentionMs)),
  };
}
