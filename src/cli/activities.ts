/**
 * `jim-exporter activities list|show|watch`: JIM's record in a terminal, with the operator's own key. Here, and only
 * here, messages and names are shown.
 */
import type { ActivityId, FinishedStatus, Instant } from '../jim/activity.ts';
import {
  connectedSystemOf,
  instant,
  isFailure,
  isFinishedStatus,
  isSuccess,
} from '../jim/activity.ts';
import type { JimClient, ToldActivity } from '../jim/client.ts';
import { readId } from '../jim/row.ts';
import { RequestError } from '../request-error.ts';
import { parseDuration } from '../config/duration.ts';
import type { ActivitiesArguments } from './arguments.ts';

export interface ActivitiesOptions {
  readonly jim: JimClient;
  readonly clock: { readonly nowMs: () => number; readonly sleep: (ms: number) => Promise<void> };
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
  /** Overwrites the last line of a terminal; null where the output is no terminal. */
  readonly redraw: ((line: string) => void) | null;
}

const EXIT = { done: 0, unsuccessful: 1, cancelled: 2, unknown: 3 } as const;

const PAGE_SIZE = 100;
/** Pages read for one list; what lies deeper is better asked of JIM itself. */
const MAX_PAGES = 50;
const DEFAULT_LIMIT = 20;
const WATCH_INTERVAL_MS = 2_000;
/** JIM may restart while we watch; an answer of any kind within this time is waited for. */
const WATCH_PATIENCE_MS = 600_000;
/** Items with errors that `show` names. */
const SHOWN_ITEMS = 10;
const BAR_WIDTH = 30;

/** Resolves with the exit code. Rejects only for a bug. */
export async function activities(
  asked: ActivitiesArguments,
  options: ActivitiesOptions,
): Promise<number> {
  try {
    if (asked.action === 'list') return await list(asked.options, options);
    // JIM answers any other word with a web page.
    const id = readId(asked.id);
    if (id === null) {
      options.complain(
        `${plain(asked.id)} is no id of an Activity; activities list shows them in its last column.`,
      );
      return asked.action === 'watch' ? EXIT.unknown : EXIT.unsuccessful;
    }
    return asked.action === 'show' ? await show(id, options) : await watch(id, options);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    options.complain(error.message);
    return asked.action === 'watch' ? EXIT.unknown : EXIT.unsuccessful;
  }
}

type ListWords = Extract<ActivitiesArguments, { action: 'list' }>['options'];

interface Filter {
  readonly since: Instant | null;
  readonly limit: number;
  readonly output: 'table' | 'json' | 'csv';
  readonly matches: (told: ToldActivity) => boolean;
}

async function list(
  words: ListWords,
  { jim, print, complain, clock }: ActivitiesOptions,
): Promise<number> {
  const filter = filterOf(words, clock.nowMs());
  if (typeof filter === 'string') {
    complain(filter);
    return EXIT.unsuccessful;
  }
  const found: ToldActivity[] = [];
  for (let page = 1; page <= MAX_PAGES && found.length < filter.limit; page += 1) {
    const answer = await jim.listWithText({
      sortBy: 'created',
      direction: 'desc',
      page,
      pageSize: PAGE_SIZE,
    });
    const { since } = filter;
    found.push(
      ...answer.told
        .filter(({ activity }) => since === null || activity.created >= since)
        .filter(filter.matches),
    );
    const isPast = since !== null && answer.activities.some(({ created }) => created < since);
    if (!answer.hasNextPage || isPast) break;
  }
  printList(found.slice(0, filter.limit), filter.output, print);
  return EXIT.done;
}

/** The filter, or what is wrong with the words. Filtered here, since older versions of JIM ignore filters. */
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
  const equals = (text: string, word: string | undefined): boolean =>
    word === undefined || text.toLowerCase() === word.toLowerCase();
  return {
    since,
    limit,
    output,
    matches: ({ activity }) =>
      equals(activity.targetType, words.type) &&
      equals(activity.status, words.status) &&
      includes(activity.targetName, words.name) &&
      includes(connectedSystemOf(activity), words.system),
  };
}

function sinceOf(text: string, nowMs: number): Instant | undefined {
  const agoMs = parseDuration(text);
  if (agoMs !== null) return instant((nowMs - agoMs) * 1_000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : instant(date * 1_000);
}

const COLUMNS = [
  'created',
  'status',
  'type',
  'operation',
  'system',
  'name',
  'took',
  'errors',
  'id',
] as const;

function rowOf({ activity }: ToldActivity): readonly string[] {
  return [
    new Date(activity.created / 1_000).toISOString().slice(0, 19).replace('T', ' '),
    activity.status,
    activity.targetType,
    activity.operation,
    connectedSystemOf(activity),
    activity.targetName ?? '',
    activity.executionTime === null ? '' : duration(activity.executionTime / 1e6),
    String(activity.errors),
    activity.id,
  ];
}

function printList(
  found: readonly ToldActivity[],
  output: Filter['output'],
  print: (line: string) => void,
): void {
  const rows = found.map(rowOf);
  if (output === 'json') {
    const objects = found.map((told) => ({
      ...Object.fromEntries(COLUMNS.map((column, index) => [column, rowOf(told)[index]])),
      errors: told.activity.errors,
      message: told.text.message,
      initiatedBy: told.text.initiatedByName,
    }));
    print(JSON.stringify(objects, null, 2));
    return;
  }
  if (output === 'csv') {
    for (const row of [COLUMNS, ...rows]) print(row.map(csvCell).join(','));
    return;
  }
  if (rows.length === 0) {
    print('No Activity matches.');
    return;
  }
  const all = [COLUMNS.map((column) => column.toUpperCase()), ...rows.map((row) => row.map(plain))];
  const widths = COLUMNS.map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of all)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

/** A spreadsheet must not take a name for a formula. */
function csvCell(text: string): string {
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Names are JIM's: they must not move the cursor or forge a line. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
}

async function show(id: ActivityId, { jim, print, complain }: ActivitiesOptions): Promise<number> {
  const told = await jim.detailWithText(id);
  if (told === 'not_found') {
    complain(`JIM has no Activity ${id}.`);
    return EXIT.unsuccessful;
  }
  const { detail, text } = told;
  const line = (name: string, value: string | number | null): void => {
    if (value !== null && value !== '') print(`${name.padEnd(18)}${plain(String(value))}`);
  };
  line('Activity', detail.id);
  line('Status', detail.status);
  line('Target', [detail.targetType, detail.operation].join(' '));
  line('Name', detail.targetName);
  line('Context', detail.targetContext);
  line('Run type', detail.runType === 'NotSet' ? null : detail.runType);
  line('Created', new Date(detail.created / 1_000).toISOString());
  line('Took', detail.executionTime === null ? null : duration(detail.executionTime / 1e6));
  line(
    'With waiting',
    detail.totalActivityTime === null ? null : duration(detail.totalActivityTime / 1e6),
  );
  line('Objects', `${detail.objectsProcessed} of ${detail.objectsToProcess}`);
  line('Schedule', detail.scheduleName);
  line('Message', text.message);
  line('Warning', text.warningMessage);
  line('Error', text.errorMessage);
  if (detail.stats !== null) {
    const { processed, unchanged, errors, outcomes } = detail.stats;
    const happened = Object.entries(outcomes).flatMap(([outcome, count]) =>
      count > 0 ? [`${count} ${outcome}`] : [],
    );
    line(
      'Statistics',
      [
        `${processed} processed`,
        `${unchanged} unchanged`,
        `${errors} with errors`,
        ...happened,
      ].join(', '),
    );
    if (errors > 0) await showItems(id, { jim, print });
  }
  const children = await jim.children(id);
  if (children !== 'not_found') {
    for (const child of children.slice(0, SHOWN_ITEMS))
      line(
        'Child',
        `${child.status} ${child.targetType} ${child.operation} ${child.targetName ?? ''}`,
      );
  }
  return EXIT.done;
}

/** Errors by type, and the first objects that have one. */
async function showItems(
  id: ActivityId,
  { jim, print }: Pick<ActivitiesOptions, 'jim' | 'print'>,
): Promise<void> {
  const items = await jim.itemsWithText(id, 1, PAGE_SIZE);
  if (items === 'not_found') return;
  const failed = items.rows.filter(({ errorType }) => errorType !== null);
  const types = new Map<string, number>();
  for (const { errorType } of failed)
    types.set(errorType ?? '', (types.get(errorType ?? '') ?? 0) + 1);
  const scope = items.hasNextPage ? ` (of the first ${items.rows.length} items)` : '';
  print(
    `Errors by type    ${[...types].map(([type, count]) => `${count} ${type}`).join(', ')}${scope}`,
  );
  for (const { errorType, objectType, externalId, displayName } of failed.slice(0, SHOWN_ITEMS)) {
    print(
      `  ${plain([errorType, objectType, externalId, displayName].filter((part) => part !== null).join('  '))}`,
    );
  }
}

/** Follows an Activity until it ends: a bar on a terminal, a line for each change elsewhere. */
async function watch(id: ActivityId, options: ActivitiesOptions): Promise<number> {
  const { jim, clock, print, complain, redraw } = options;
  let lastAnswerMs = clock.nowMs();
  let lastLine = '';
  for (;;) {
    const state = await stateOf(jim, id).catch((error: unknown) => {
      if (
        !(error instanceof RequestError) ||
        error.reason === 'unauthorized' ||
        error.reason === 'forbidden'
      )
        throw error;
      return error;
    });
    if (state === 'not_found') {
      complain(`JIM has no Activity ${id}.`);
      return EXIT.unknown;
    }
    if (state instanceof RequestError) {
      if (clock.nowMs() - lastAnswerMs > WATCH_PATIENCE_MS) throw state;
      if (lastLine !== WAITING) print(WAITING);
      lastLine = WAITING;
    } else {
      lastAnswerMs = clock.nowMs();
      if (isFinishedStatus(state.status)) {
        print(`${state.status}: ${state.line}`);
        return exitOf(state.status);
      }
      if (redraw !== null) redraw(state.bar);
      else if (state.line !== lastLine) print(state.line);
      lastLine = state.line;
    }
    await clock.sleep(WATCH_INTERVAL_MS);
  }
}

const WAITING = 'JIM does not answer; waiting for it.';

interface Watched {
  readonly status: string;
  readonly line: string;
  readonly bar: string;
}

/** By `/progress`, or by the detail where this JIM has none. */
async function stateOf(jim: JimClient, id: ActivityId): Promise<Watched | 'not_found'> {
  const progress = await jim.progress(id).catch((error: unknown) => {
    if (error instanceof RequestError && error.reason === 'bad_response') return null;
    throw error;
  });
  if (progress === 'not_found') return progress;
  if (progress === null) {
    const detail = await jim.detail(id);
    if (detail === 'not_found') return detail;
    return watched(detail.status, detail.objectsProcessed, detail.objectsToProcess, null, null);
  }
  const {
    status,
    objectsProcessed,
    objectsToProcess,
    objectsPerSecond,
    estimatedSecondsRemaining,
  } = progress;
  return watched(
    status,
    objectsProcessed,
    objectsToProcess,
    objectsPerSecond,
    estimatedSecondsRemaining,
  );
}

function watched(
  status: string,
  done: number,
  all: number,
  rate: number | null,
  remaining: number | null,
): Watched {
  const share = all > 0 ? Math.min(1, done / all) : null;
  const parts = [
    all > 0 ? `${done} of ${all} objects` : `${done} objects`,
    share === null ? null : `${Math.floor(share * 100)} %`,
    rate === null ? null : `${Math.round(rate)} a second`,
    remaining === null ? null : `${duration(remaining)} left`,
  ].filter((part) => part !== null);
  const line = parts.join(', ');
  const filled = Math.round((share ?? 0) * BAR_WIDTH);
  return { status, line, bar: `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${line}` };
}

function exitOf(status: FinishedStatus): number {
  if (isSuccess(status)) return EXIT.done;
  return isFailure(status) ? EXIT.unsuccessful : EXIT.cancelled;
}

function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}
