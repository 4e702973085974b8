/** What a route of the simulator gets and gives, and what all routes share. */
import { ok, problem, type Answer } from './answers.ts';
import type { Dialect } from './dialects.ts';
import { pageOf, type DateStyle, type Json } from './json.ts';
import type { Bound, Paging, Parameters } from './query.ts';
import { hash32 } from './random.ts';
import type { World } from './world.ts';

export interface Call {
  readonly world: World;
  readonly dialect: Dialect;
  readonly quirks: Quirks;
  readonly dates: DateStyle;
  readonly parameters: Parameters;
  /** Differs from request to request, and is the same in every replay. */
  readonly seed: number;
  /** A variable part of the path. */
  param(name: string): string;
}

/** What differs between servers of one version. */
export interface Quirks {
  /** What `/health/version` says; a build of main may say 0.14.0. */
  readonly reportedVersion?: string;
  readonly dates?: DateStyle;
  /** Rows with equal sort keys come in a new order at every request; before main only. */
  readonly shuffledTies?: boolean;
  /** totalCount may be off by up to so many rows: count and page are two statements. */
  readonly countDrift?: number;
  /** False: JIM's own rate limit is switched off. */
  readonly rateLimit?: boolean;
  /** A proxy's `Date` instead of JIM's: its clock less ours. */
  readonly proxyDateOffsetMs?: number;
}

export type Route = (call: Call) => Answer;

export interface RouteEntry {
  /** Hono's pattern, below `/api/v1`. */
  readonly path: string;
  readonly answer: Route;
  /** Which versions have it; all, unless said. */
  readonly isKnown?: (dialect: Dialect) => boolean;
  /** Asks for no key, and is not rate limited. */
  readonly isOpen?: boolean;
}

/** A GUID in a path: anything else is no such route, as in ASP.NET. */
export const GUID = ':id{[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}}';

/** Answers with what was bound, or says what could not be. */
export function bound<T>(request: Bound<T>, call: Call, answer: (value: T) => Answer): Answer {
  return request.ok ? answer(request.value) : problem(request.errors, traceId(call.seed));
}

/** A page of things, each written as JSON. */
export function pageAnswer<T>(
  call: Call,
  paging: Bound<Paging>,
  things: readonly T[],
  write: (thing: T, call: Call) => Json,
): Answer {
  return bound(paging, call, ({ page, pageSize }) => {
    const shown = things.slice((page - 1) * pageSize, page * pageSize);
    const written = shown.map((thing) => write(thing, call));
    return ok(pageOf(written, { total: things.length, page, pageSize }));
  });
}

/** The part of `total` things that a page shows, each made on demand. */
export function pageSlice<T>(
  total: number,
  page: number,
  pageSize: number,
  make: (index: number) => T,
): readonly T[] {
  const start = Math.min(total, (page - 1) * pageSize);
  const end = Math.min(total, start + pageSize);
  return Array.from({ length: end - start }, (_, offset) => make(start + offset));
}

export function traceId(seed: number): string {
  const hex = (salt: string): string => hash32(`${seed}/${salt}`).toString(16).padStart(8, '0');
  return `00-${hex('a')}${hex('b')}${hex('c')}${hex('d')}-${hex('e')}${hex('f')}-00`;
}
