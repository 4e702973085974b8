/**
 * What JIM's answers are made of, as zod schemas: its counts, words, dates and pages. Faults name a path and
 * what should be there, and never quote the answer.
 */
import * as z from 'zod';
import { isCount, readId, readInstant, readInstantOrNull, readTimespan } from './row.ts';

/** Either the value, or what is wrong with the answer in words that quote nothing of it. */
export type Reading<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string };

export const count = z.custom<number>(isCount, 'is no whole number from 0');
export const word = z.string().min(1, { error: 'is empty' });
export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? null);
export const number = z
  .number()
  .nullish()
  .transform((value) => value ?? null);
/** For what our own readers judge; a field that is left out reaches them as undefined. */
const anything = z.unknown().optional();
export const id = anything.transform(
  (value, context) => readId(value) ?? fail(context, 'is no id'),
);
export const idOrNull = anything.transform((value, context) =>
  value === null || value === undefined ? null : (readId(value) ?? fail(context, 'is no id')),
);
export const moment = anything.transform(
  (value, context) => readInstant(value) ?? fail(context, 'is no date'),
);
export const momentOrNull = anything.transform((value, context) => {
  const at = readInstantOrNull(value);
  return at === undefined ? fail(context, 'is no date') : at;
});
export const timespan = anything.transform((value, context) => {
  const duration = readTimespan(value);
  return duration === undefined ? fail(context, 'is no timespan') : duration;
});

function fail(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

export function read<T>(schema: z.ZodType<T>, value: unknown): Reading<T> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  const [issue] = result.error.issues;
  const path = issue === undefined || issue.path.length === 0 ? 'it' : issue.path.join('.');
  return { ok: false, fault: `${path} ${wording(issue)}` };
}

/** zod's own messages name types only; ours say what was expected. */
function wording(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'is unreadable';
  if (issue.code === 'custom' || issue.code === 'too_small') return issue.message;
  if (issue.code === 'invalid_type') return `is no ${issue.expected}`;
  return 'is unreadable';
}

/** The envelope of every paged answer (jim-api, 1.4). Past the end, `totalCount` is 0 whatever there is. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly totalCount: number;
  readonly page: number;
  /** The effective size: JIM clamps silently. */
  readonly pageSize: number;
  readonly hasNextPage: boolean;
}

const envelope = z.object({
  items: z.array(z.unknown()),
  totalCount: count,
  page: count,
  pageSize: count,
  hasNextPage: z.boolean(),
});

export function readEnvelope(value: unknown): Reading<Page<unknown>> {
  const result = read(envelope, value);
  if (!result.ok) return result;
  const { items, ...rest } = result.value;
  return { ok: true, value: { rows: items, ...rest } };
}

export function readPageOf<T>(schema: z.ZodType<T>): (value: unknown) => Reading<Page<T>> {
  const rows = z.object({ items: z.array(schema) });
  return (value) => {
    const page = readEnvelope(value);
    if (!page.ok) return page;
    const parsed = read(rows, { items: page.value.rows });
    return parsed.ok ? { ok: true, value: { ...page.value, rows: parsed.value.items } } : parsed;
  };
}

/** How many rows an answer of JIM holds, for the log; null where it is no list. */
export function rowsIn(body: string): number | null {
  try {
    const value: unknown = JSON.parse(body);
    if (Array.isArray(value)) return value.length;
    const list = envelope.safeParse(value);
    return list.success ? list.data.items.length : null;
  } catch {
    return null;
  }
}
