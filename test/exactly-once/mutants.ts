/**
 * Deliberate defects, each a mistake that a well-meaning change could make. The suite is worth something only
 * because it notices every one of them.
 */
import { instant, micros } from '../../src/jim/activity.ts';
import type { Counted, Ledger } from '../../src/ledger/ledger.ts';
import { NO_ACTIVITY_TOTALS, NO_RUN_TOTALS } from '../../src/ledger/ledger.ts';
import type { LedgerStore } from '../../src/ledger/state-file.ts';
import type { Keeper } from '../../src/poll/keeper.ts';
import type { Mutant } from '../poll/rig.ts';

const YEAR_MS = 365 * 86_400_000;
const HOUR_MICROS = 3_600_000_000;

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'counts before a status has settled': { settings: { settle: micros(-YEAR_MS * 1_000) } },
  'forgets an open Activity': {
    step: (_before, after) => ({ ...after, open: withoutOldest(after.open) }),
  },
  'moves the watermark too far': {
    step: (_before, after) => ({
      ...after,
      reading: {
        ...after.reading,
        top: later(after),
        base: later(after),
        lowestDate: null,
        total: null,
      },
    }),
  },
  'forgets what it counted, and counts the overlap again': {
    step: (_before, after) => ({ ...after, counted: withoutNewest(after.counted) }),
  },
  'does not look back for late rows': { settings: { overlap: micros(0) } },
  'takes what it has not read for history': {
    step: (_before, after) => ({
      ...after,
      reading: { ...after.reading, horizon: after.reading.top },
    }),
  },
  'forgets ids without remembering how far it forgot': {
    step: (_before, after) => ({ ...after, reading: { ...after.reading, horizon: null } }),
  },
  'retires a label set that still lives': {
    step: (before, after) => (after === before ? after : { ...after, runs: withoutIdle(after) }),
  },
  'counts an altered Activity again': {
    step: (before, after) => ({ ...after, counted: withoutAltered(before, after) }),
  },
  'loses held increments in a crash': { store: withoutHeld },
  'shows increments before the zeros': { settings: { zeroHoldMs: 0 }, servedSince: () => true },
  'publishes before the commit': { keeper: publishingFirst },
  'believes a gap was read': {
    step: (_before, after) => ({
      ...after,
      reading: { ...after.reading, unread: [], base: after.reading.top, passBase: null },
    }),
  },
  'takes a failed request for an empty page': {
    transport: (transport) => async (request) => {
      const answer = await transport(request).catch(() => null);
      if (answer !== null && answer.status === 200) return answer;
      return {
        status: 200,
        headers: { 'content-type': 'application/json', date: new Date(0).toUTCString() },
        body: emptyPage(),
      };
    },
  },
  'keeps nothing over a restart': { store: (store) => ({ ...store, load: async () => null }) },
};

async function* emptyPage(): AsyncGenerator<Uint8Array, void, undefined> {
  yield new TextEncoder().encode(
    '{"items":[],"totalCount":0,"page":1,"pageSize":100,"totalPages":0,"hasNextPage":false,"hasPreviousPage":false,"product":"JIM","version":"0.14.0"}',
  );
}

function later(ledger: Ledger): Ledger['reading']['top'] {
  const { top } = ledger.reading;
  return top === null ? null : instant(top + HOUR_MICROS);
}

function withoutOldest(open: Ledger['open']): Ledger['open'] {
  const [oldest] = open.keys();
  if (oldest === undefined || open.size < 3) return open;
  const after = new Map(open);
  after.delete(oldest);
  return after;
}

/** Without the run profiles that nothing is open of. */
function withoutIdle({ runs, open }: Ledger): Ledger['runs'] {
  const busy = new Set([...open.values()].map(({ run }) => run?.runProfile));
  return new Map([...runs].filter(([, { labels }]) => busy.has(labels.runProfile)));
}

function withoutNewest(counted: Ledger['counted']): Ledger['counted'] {
  const newest = [...counted.keys()].at(-1);
  if (newest === undefined) return counted;
  const after = new Map(counted);
  after.delete(newest);
  return after;
}

function withoutAltered(before: Ledger, after: Ledger): Ledger['counted'] {
  const altered = (counted: Counted, earlier: Counted | undefined): boolean =>
    earlier !== undefined && earlier.fingerprint !== counted.fingerprint;
  const gone = [...after.counted].filter(([id, counted]) =>
    altered(counted, before.counted.get(id)),
  );
  if (gone.length === 0) return after.counted;
  const kept = new Map(after.counted);
  for (const [id] of gone) kept.delete(id);
  return kept;
}

function withoutHeld(store: LedgerStore): LedgerStore {
  return {
    ...store,
    load: async () => {
      const ledger = await store.load();
      if (ledger === null) return null;
      const activities = new Map(
        [...ledger.activities].map(([key, account]) => [
          key,
          { ...account, held: NO_ACTIVITY_TOTALS },
        ]),
      );
      const runs = new Map(
        [...ledger.runs].map(([key, account]) => [key, { ...account, held: NO_RUN_TOTALS }]),
      );
      return { ...ledger, activities, runs };
    },
  };
}

/** The ledger is seen before it is durable: what a failed commit or a crash then takes back was already shown. */
function publishingFirst(keeper: Keeper): Keeper {
  let shown = keeper.current();
  return {
    ...keeper,
    current: () => shown,
    move: async (step) => {
      const next = step(shown);
      shown = next;
      await keeper.move(() => next).catch(() => undefined);
      return next;
    },
  };
}
