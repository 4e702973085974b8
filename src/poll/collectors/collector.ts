/** What a collector is: one slower reading of JIM's current state beside the poll, which it never fails or delays. */
import type { CallOptions } from '../../jim/ask.ts';
import type { JimClient } from '../../jim/client.ts';
import type { Dialect } from '../../jim/dialect.ts';
import type { Page } from '../../jim/wire-schema.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { CollectorName, UnrecognisedField } from '../../metrics/catalogue/process.ts';
import type { Readings } from '../../metrics/snapshot.ts';
import { RequestError } from '../../request-error.ts';

/** What one turn may use. */
export interface CollectorTurn {
  readonly jim: JimClient;
  readonly dialect: Dialect;
  /** To be handed to every request: the turn's own deadline is in it. */
  readonly call: CallOptions;
  readonly nowMs: () => number;
  readonly ledger: () => Ledger;
  /** Moves the ledger durably; the bridge's alerts follow in the same commit. */
  readonly move: (step: (ledger: Ledger) => Ledger) => Promise<Ledger>;
  readonly telemetry: EnrichmentTelemetry;
}

/** What collectors report beside their success and duration. */
export interface EnrichmentTelemetry {
  runStatsMissing(count: number): void;
  labelSetsFolded(count: number): void;
  valueUnrecognised(field: UnrecognisedField): void;
}

/** The part of the readings that a turn read; those that only move the ledger read nothing. */
export type Collected = Partial<Readings>;

export interface Collector {
  readonly name: CollectorName;
  /** What this JIM lacks for it, as the end of a sentence; null where it has all. */
  readonly lacking: (dialect: Dialect) => string | null;
  /** Health is asked without the key, so a refused key does not stop it. */
  readonly needsKey: boolean;
  /** The reading leaves with the first failure, not after three missed turns. */
  readonly leavesAtOnce: boolean;
  /**
   * `waiting` where nothing was asked, since what failed before is asked about again later: that is no success.
   * Rejects with RequestError or StorageFailure; anything else is a bug.
   */
  readonly collect: (turn: CollectorTurn) => Promise<Collected | 'waiting'>;
}

/** For what every version has. */
export function nothingLacking(): null {
  return null;
}

/** Requests of one turn about single runs: what is left waits for the next poll. */
export const MAX_RUNS_PER_TURN = 20;
/** Pages of a list that a turn reads: a thousand of anything is more than can be shown. */
const MAX_PAGES = 10;

export async function allPages<Row>(
  read: (page: number) => Promise<Page<Row>>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let number = 1; number <= MAX_PAGES; number += 1) {
    const page = await read(number);
    rows.push(...page.rows);
    if (!page.hasNextPage) break;
  }
  return rows;
}

/** The server is at fault, not the one thing asked about: asking on would fail alike. */
function isAboutServer(error: RequestError): boolean {
  return error.reason !== 'bad_response' && error.reason !== 'server_error';
}

/**
 * Asks about one thing after the other. What fails is told to `failed` and the rest still asked, unless
 * the server itself is at fault; the first error is returned, for the turn to fail with at its end.
 */
export async function askEach<Subject>(
  subjects: readonly Subject[],
  ask: (subject: Subject) => Promise<void>,
  failed: (subject: Subject) => void,
): Promise<RequestError | null> {
  let first: RequestError | null = null;
  for (const subject of subjects) {
    try {
      await ask(subject);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      failed(subject);
      first ??= error;
      if (isAboutServer(error)) break;
    }
  }
  return first;
}
