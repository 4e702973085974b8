/** `activities list`: the newest Activities that match, as a table, CSV or JSON. */
import { stringify } from 'csv-stringify/sync';
import { parseDuration } from '../config/duration.ts';
import { didYouMean } from '../config/values.ts';
import type { Activity, Instant } from '../jim/activity.ts';
import { FINISHED_STATUSES, connectedSystemOf, instant } from '../jim/activity.ts';
import type { JimClient, ListQuery, ToldActivity } from '../jim/client.ts';
import { dialectOf } from '../jim/dialect.ts';
import { TARGET_TYPES } from '../jim/words.ts';
import type { ActivitiesOptions } from './activities-command.ts';
import { EXIT } from './activities-command.ts';
import type { ActivitiesArguments } from './arguments.ts';
import { duration, plain, plainJson, table } from './terminal.ts';

const PAGE_SIZE = 100;
/** Pages read for one list; what lies deeper is better asked of JIM itself. */
const MAX_PAGES = 50;
const DEFAULT_LIMIT = 20;

type ListWords = Extract<ActivitiesArguments, { action: 'list' }>['options'];

interface Filter {
  readonly since: Instant | null;
  readonly limit: number;
  readonly output: 'table' | 'json' | 'csv';
  readonly matches: (activity: Activity) => boolean;
}

export async function list(
  words: ListWords,
  { jim, print, complain, clock }: ActivitiesOptions,
): Promise<number> {
  const filter = filterOf(words, clock.nowMs());
  if (typeof filter === 'string') {
    complain(filter);
    return EXIT.unsuccessful;
  }
  const { since, limit, output, matches } = filter;
  // By id: rows that come meanwhile push known ones onto the next page.
  const found = new Map<string, ToldActivity>();
  const seen = { types: new Set<string>(), statuses: new Set<string>() };
  const narrowing = await narrowed(jim, words, since);
  let isWhole = false;
  for (let page = 1; page <= MAX_PAGES && found.size < limit && !isWhole; page += 1) {
    const answer = await jim.listWithText({
      sortBy: 'created',
      direction: 'desc',
      page,
      pageSize: PAGE_SIZE,
      ...narrowing,
    });
    for (const told of answer.told) {
      const { activity } = told;
      seen.types.add(activity.targetType);
      seen.statuses.add(activity.status);
      if ((since === null || activity.created >= since) && matches(activity))
        found.set(activity.id, told);
    }
    const isPast = since !== null && answer.activities.some(({ created }) => created < since);
    isWhole = !answer.hasNextPage || isPast;
  }
  printList([...found.values()].slice(0, limit), output, print);
  if (found.size < limit && !isWhole)
    complain(
      `Only the newest ${MAX_PAGES * PAGE_SIZE} Activities were looked at; JIM's own pages go deeper.`,
    );
  if (found.size === 0) {
    complainOfWord('--type', words.type, seen.types, complain);
    complainOfWord('--status', words.status, seen.statuses, complain);
  }
  return EXIT.done;
}

type Narrowing = Pick<ListQuery, 'createdFrom' | 'status' | 'targetType'>;

/** What JIM itself can leave out, so that fewer pages are read: all is looked at here too, since JIM ignores what it does not know. */
async function narrowed(
  jim: JimClient,
  { type, status }: ListWords,
  since: Instant | null,
): Promise<Narrowing> {
  const wanted = {
    targetType: wordFor(type, [...TARGET_TYPES]),
    status: wordFor(status, ['InProgress', ...FINISHED_STATUSES]),
  };
  if (since === null && wanted.targetType === undefined && wanted.status === undefined) return {};
  const { filters, targetTypeFilter } = dialectOf(await jim.version(), await jim.probeFilters());
  return {
    ...(filters && since !== null ? { createdFrom: since } : {}),
    ...(filters && wanted.status !== undefined ? { status: wanted.status } : {}),
    ...(targetTypeFilter && wanted.targetType !== undefined
      ? { targetType: wanted.targetType }
      : {}),
  };
}

/** In JIM's own spelling; undefined where it is none of its words, which JIM would answer with 400. */
function wordFor(text: string | undefined, words: readonly string[]): string | undefined {
  return text === undefined ? undefined : words.find((word) => equal(word, text));
}

/** Nothing was found, and a word may be the reason: no list of them is complete, since JIM gains some with each version. */
function complainOfWord(
  option: string,
  word: string | undefined,
  seen: ReadonlySet<string>,
  complain: (line: string) => void,
): void {
  if (word === undefined || [...seen].some((other) => equal(other, word))) return;
  complain(`No Activity that was looked at has ${option} ${word}${didYouMean(word, [...seen])}`);
}

/** The filter, or what is wrong with the words. */
function filterOf(words: ListWords, nowMs: number): Filter | string {
  const limit = words.limit === undefined ? DEFAULT_LIMIT : Number(words.limit);
  if (!Number.isSafeInteger(limit) || limit < 1)
    return `--limit ${words.limit ?? ''} is no whole number above 0`;
  const output = words.output ?? 'table';
  if (output !== 'table' && output !== 'json' && output !== 'csv')
    return `--output ${output} is none of table, json and csv`;
  const since = words.since === undefined ? null : sinceOf(words.since, nowMs);
  if (since === undefined)
    return `--since ${words.since ?? ''} is neither a time like 12h or 2d nor a date like 2026-11-23`;
  const includes = (text: string | null, part: string | undefined): boolean =>
    part === undefined || (text ?? '').toLowerCase().includes(part.toLowerCase());
  return {
    since,
    limit,
    output,
    matches: (activity) =>
      (words.type === undefined || equal(activity.targetType, words.type)) &&
      (words.status === undefined || equal(activity.status, words.status)) &&
      includes(activity.targetName, words.name) &&
      includes(connectedSystemOf(activity), words.system),
  };
}

function equal(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/i;

/** A date without a zone is UTC, as the list shows it. */
function sinceOf(text: string, nowMs: number): Instant | undefined {
  const agoMs = parseDuration(text);
  if (agoMs !== null) return instant((nowMs - agoMs) * 1_000);
  const date = DATE.exec(text);
  if (date === null) return undefined;
  const isWhole = date[1] !== undefined || text.length === '2026-11-23'.length;
  const atMs = Date.parse(`${text.replace(' ', 'T')}${isWhole ? '' : 'Z'}`);
  return Number.isNaN(atMs) ? undefined : instant(atMs * 1_000);
}

function printList(
  found: readonly ToldActivity[],
  output: Filter['output'],
  print: (line: string) => void,
): void {
  switch (output) {
    case 'json':
      return print(plainJson(found.map(factsOf)));
    case 'csv':
      return print(csvOf(found).trimEnd());
    case 'table':
      if (found.length === 0) return print('No Activity matches.');
      for (const line of table([HEADINGS, ...found.map(rowOf)])) print(line);
  }
}

const HEADINGS = [
  'CREATED (UTC)',
  'STATUS',
  'TYPE',
  'OPERATION',
  'SYSTEM',
  'NAME',
  'TOOK',
  'ERRORS',
  'ID',
];

function rowOf(told: ToldActivity): readonly string[] {
  const facts = factsOf(told);
  return [
    facts.created.slice(0, 19).replace('T', ' '),
    facts.status,
    facts.type,
    facts.operation,
    facts.system,
    facts.name ?? '',
    facts.took_seconds === null ? '' : duration(facts.took_seconds),
    String(facts.errors),
    facts.id,
  ];
}

/** For programs: numbers in seconds, times in ISO 8601. */
function factsOf({ activity, text }: ToldActivity) {
  return {
    created: new Date(activity.created / 1_000).toISOString(),
    status: activity.status,
    type: activity.targetType,
    operation: activity.operation,
    system: connectedSystemOf(activity),
    name: activity.targetName,
    took_seconds: activity.executionTime === null ? null : activity.executionTime / 1e6,
    errors: activity.errors,
    id: activity.id,
    initiated_by: text.initiatedByName,
    message: text.message,
  };
}

/** A spreadsheet must not take a name for a formula, nor a terminal for an escape sequence. */
function csvOf(found: readonly ToldActivity[]): string {
  const columns: readonly (keyof ReturnType<typeof factsOf>)[] = [
    'created',
    'status',
    'type',
    'operation',
    'system',
    'name',
    'took_seconds',
    'errors',
    'id',
    'initiated_by',
    'message',
  ];
  return stringify(found.map(factsOf), {
    header: true,
    columns: [...columns],
    escape_formulas: true,
    cast: { string: plain },
  });
}
