/** The routes of Activities and of JIM's health (jim-api, sections 1 to 3 and 10). */
import { envelope, ok, okText, type Answer } from './answers.ts';
import { bound, GUID, pageSlice, type Call, type Route, type RouteEntry } from './call.ts';
import type { Dialect } from './dialects.ts';
import {
  detail,
  item,
  listItem,
  pageOf,
  progress,
  stats,
  writeTimestamp,
  type DateStyle,
} from './json.ts';
import { bindList, bindPaging } from './query.ts';
import { MICROS_PER_SECOND, type WorldRow } from './row.ts';
import type { RowQuery } from './table.ts';

function listActivities(call: Call): Answer {
  const { world, dialect } = call;
  const hasChildren = (row: WorldRow): boolean => world.table.children(row.id).length > 0;
  return bound(bindList(call.parameters, dialect, hasChildren), call, (request) => {
    const { page, pageSize } = request;
    const { rows, total } = world.table.page({
      sortBy: request.sortBy,
      descending: request.descending,
      filter: request.filter,
      ties: tiesOf(call),
      offset: (page - 1) * pageSize,
      limit: pageSize,
    });
    const counted = Math.max(rows.length, total + countError(call));
    return okText(
      writePage(
        rows.map((row) => writtenItem(row, dialect, call.dates)),
        {
          total: counted,
          page,
          pageSize,
        },
      ),
    );
  });
}

function tiesOf(call: Call): RowQuery['ties'] {
  if (call.dialect.tieBreakById) return 'id';
  return call.quirks.shuffledTies === true ? { shuffledBy: call.seed } : 'unspecified';
}

function countError(call: Call): number {
  const drift = call.quirks.countDrift ?? 0;
  return drift === 0 ? 0 : (call.seed % (2 * drift + 1)) - drift;
}

/**
 * Rows are immutable values, so the newest, which every poll reads again, are written once per way of writing
 * them. Bounded, as nothing reads most of 200,000 rows twice; no WeakMap, which costs more in garbage collection.
 */
const WRITTEN = new Map<string, Map<WorldRow, string>>();
const MAX_WRITTEN = 2_000;

function writtenItem(row: WorldRow, dialect: Dialect, dates: DateStyle): string {
  const way = `${dialect.scheduleFields}/${dialect.laterNames}/${dates}`;
  let texts = WRITTEN.get(way);
  if (texts === undefined || texts.size >= MAX_WRITTEN) {
    texts = new Map();
    WRITTEN.set(way, texts);
  }
  let text = texts.get(row);
  if (text === undefined) {
    text = JSON.stringify(listItem(row, dialect, dates));
    texts.set(row, text);
  }
  return text;
}

/** The envelope around items that are JSON text already. */
function writePage(
  written: readonly string[],
  found: { readonly total: number; readonly page: number; readonly pageSize: number },
): string {
  const rest = JSON.stringify(pageOf([], found)).slice('{"items":[]'.length);
  return `{"items":[${written.join(',')}]${rest}`;
}

interface Found {
  readonly row: WorldRow;
  readonly call: Call;
}

function withActivity(route: (found: Found) => Answer): Route {
  return (call) => {
    const id = call.param('id').toLowerCase();
    const row = call.world.table.get(id);
    return row === undefined
      ? envelope(404, 'NOT_FOUND', `Activity with ID ${id} not found.`, call.world.jimNow)
      : route({ row, call });
  };
}

function withRun(what: string, route: (found: Found) => Answer): Route {
  return withActivity((found) => {
    if (found.row.targetType === 'ConnectedSystemRunProfile') return route(found);
    const message = `${what} are only available for Run Profile activities.`;
    return envelope(400, 'BAD_REQUEST', message, found.call.world.jimNow);
  });
}

function items({ row, call }: Found): Answer {
  return bound(bindPaging(call.parameters, call.dialect), call, ({ page, pageSize }) => {
    const total = row.items.reduce((sum, group) => sum + group.count, 0);
    return ok(
      pageOf(
        pageSlice(total, page, pageSize, (index) => item(row, index, total)),
        { total, page, pageSize },
      ),
    );
  });
}

function children({ row, call }: Found): Answer {
  const { dialect } = call;
  const rows = call.world.table.children(row.id);
  if (!dialect.childrenPaged) return ok(rows.map((child) => listItem(child, dialect, call.dates)));
  return bound(bindPaging(call.parameters, dialect), call, ({ page, pageSize }) => {
    const shown = rows.slice((page - 1) * pageSize, page * pageSize);
    const written = shown.map((child) => writtenItem(child, dialect, call.dates));
    return okText(writePage(written, { total: rows.length, page, pageSize }));
  });
}

function liveProgress({ row, call }: Found): Answer {
  const { world, dialect, dates } = call;
  const seconds = (world.jimNow - row.executed) / MICROS_PER_SECOND;
  const isMeasured =
    row.status === 'InProgress' && row.objectsProcessed > 0 && seconds > RATE_AFTER_SECONDS;
  const objectsPerSecond = isMeasured
    ? Math.round((row.objectsProcessed / seconds) * 10) / 10
    : null;
  return ok(progress(row, dialect, { nowMicros: world.jimNow, objectsPerSecond }, dates));
}

/** JIM's tracker wants a few samples before it names a rate. */
const RATE_AFTER_SECONDS = 5;

function ready({ world }: Call): Answer {
  const timestamp = writeTimestamp(world.jimNow);
  if (!world.maintenance) return ok({ status: 'ready', timestamp });
  return { ...ok({ status: 'not_ready', reason: 'maintenance_mode', timestamp }), status: 503 };
}

export const activityRoutes: readonly RouteEntry[] = [
  { path: '/activities', answer: listActivities },
  {
    path: `/activities/${GUID}`,
    answer: withActivity(({ row, call }) => ok(detail(row, call.dialect, call.dates))),
  },
  {
    path: `/activities/${GUID}/stats`,
    answer: withRun('Execution statistics', ({ row, call }) => ok(stats(row, call.dialect))),
  },
  { path: `/activities/${GUID}/items`, answer: withRun('Execution items', items) },
  { path: `/activities/${GUID}/children`, answer: withActivity(children) },
  {
    path: `/activities/${GUID}/progress`,
    answer: withActivity(liveProgress),
    isKnown: (dialect) => dialect.progress,
  },
];

export const healthRoutes: readonly RouteEntry[] = [
  { path: '/health', answer: health('healthy'), isOpen: true },
  { path: '/health/live', answer: health('alive'), isOpen: true },
  { path: '/health/ready', answer: ready, isOpen: true },
  {
    path: '/health/version',
    answer: ({ dialect, quirks }) =>
      ok({ product: 'JIM', version: quirks.reportedVersion ?? dialect.version }),
    isOpen: true,
  },
];

function health(status: string): Route {
  return ({ world }) => ok({ status, timestamp: writeTimestamp(world.jimNow) });
}
