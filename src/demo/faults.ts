/**
 * What goes wrong between JIM and its client, on demand: tests (and the demo) say which requests fail, how,
 * and how often. The plan only decides; the simulator shapes HTTP faults, and the in-process transport and the
 * real server each express those of the connection.
 */

export interface SimulatedRequest {
  /** Counts all requests of a simulator from 0. */
  readonly index: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Bodies that error statuses come with; `html` as from a proxy. */
export type ErrorBody = 'envelope' | 'problem' | 'unauthorized' | 'empty' | 'html';

/** Ways in which one row of a list can be unreadable. */
export const ROW_DAMAGES = [
  'not_an_object',
  'no_id',
  'id_is_no_guid',
  'no_created',
  'created_is_no_date',
  'status_is_a_number',
  'timespan_is_text',
  'total_is_negative',
  'total_is_text',
  'total_is_missing',
  'name_is_a_number',
] as const;
export type RowDamage = (typeof ROW_DAMAGES)[number];

export type Fault =
  /** An error status. Retry-After in seconds, or as any text. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly body?: ErrorBody;
      readonly retryAfter?: number | string;
    }
  /** 307 to elsewhere, as of a JIM with an HTTPS port. */
  | { readonly kind: 'redirect'; readonly location?: string }
  /** The Blazor page instead of JSON, with 200. */
  | { readonly kind: 'html' }
  /** 200, JSON by its type, and no JSON. */
  | { readonly kind: 'garbage' }
  /** 200 and more bytes than anyone should read; 17 MiB unless said. */
  | { readonly kind: 'oversized'; readonly bytes?: number }
  /** The right answer with one row damaged. */
  | { readonly kind: 'malformed_row'; readonly damage: RowDamage; readonly row?: number }
  /** The right answer, altered: gets and returns the parsed body. */
  | { readonly kind: 'edit'; readonly edit: (body: unknown) => unknown }
  /** The right answer, late. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Nobody listens: ECONNREFUSED. */
  | { readonly kind: 'refuse' }
  /** The connection is reset before an answer: ECONNRESET. */
  | { readonly kind: 'reset' }
  /** No answer ever. */
  | { readonly kind: 'hang' }
  /** The connection ends within the body; half of it, unless said. */
  | { readonly kind: 'truncate'; readonly bytes?: number };

export interface FaultOptions {
  /** How many requests it strikes: 1 unless said; Infinity until it is lifted. */
  readonly times?: number;
  /** Lets so many matching requests pass first. */
  readonly skip?: number;
  /** The path, exactly or by pattern. */
  readonly path?: string | RegExp;
  readonly when?: (request: SimulatedRequest) => boolean;
}

export interface FaultPlan {
  /** Returns what lifts the fault again. Faults strike in the order in which they were added, one a request. */
  inject(fault: Fault, options?: FaultOptions): () => void;
  clear(): void;
  /** The fault that strikes this request; using one up. */
  next(request: SimulatedRequest): Fault | null;
}

interface Armed {
  readonly fault: Fault;
  readonly matches: (request: SimulatedRequest) => boolean;
  skip: number;
  times: number;
}

export function createFaults(): FaultPlan {
  let armed: readonly Armed[] = [];
  return {
    inject(fault, options = {}) {
      const entry: Armed = {
        fault,
        matches: matcher(options),
        skip: options.skip ?? 0,
        times: options.times ?? 1,
      };
      armed = [...armed, entry];
      return () => {
        armed = armed.filter((other) => other !== entry);
      };
    },
    clear() {
      armed = [];
    },
    next(request) {
      for (const entry of armed) {
        if (!entry.matches(request)) continue;
        if (entry.skip > 0) {
          entry.skip -= 1;
          continue;
        }
        entry.times -= 1;
        if (entry.times <= 0) armed = armed.filter((other) => other !== entry);
        return entry.fault;
      }
      return null;
    },
  };
}

function matcher(options: FaultOptions): (request: SimulatedRequest) => boolean {
  const { path, when } = options;
  return (request) => {
    if (typeof path === 'string' && request.path !== path) return false;
    if (path instanceof RegExp && !path.test(request.path)) return false;
    return when === undefined || when(request);
  };
}

/** The body of a list with one of its rows damaged; anything else as it is. */
export function damageRow(body: unknown, damage: RowDamage, place: number): unknown {
  if (!isRecord(body)) return body;
  const items = body['items'];
  if (!Array.isArray(items)) return body;
  return {
    ...body,
    items: items.map((row: unknown, index) =>
      index === Math.min(place, items.length - 1) && isRecord(row) ? DAMAGE[damage](row) : row,
    ),
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

const DAMAGE: Readonly<Record<RowDamage, (row: JsonObject) => unknown>> = {
  not_an_object: () => 'row',
  no_id: (row) => without(row, 'id'),
  id_is_no_guid: (row) => ({ ...row, id: 'the-first-one' }),
  no_created: (row) => without(row, 'created'),
  created_is_no_date: (row) => ({ ...row, created: 'yesterday' }),
  status_is_a_number: (row) => ({ ...row, status: 2 }),
  timespan_is_text: (row) => ({ ...row, executionTime: 'a while', totalActivityTime: 'longer' }),
  total_is_negative: (row) => ({ ...row, totalAdded: -1 }),
  total_is_text: (row) => ({ ...row, totalErrors: 'some' }),
  total_is_missing: (row) => without(row, 'totalUpdated'),
  name_is_a_number: (row) => ({ ...row, targetName: 7 }),
};

function without(row: JsonObject, field: string): JsonObject {
  return Object.fromEntries(Object.entries(row).filter(([name]) => name !== field));
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
