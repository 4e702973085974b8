/**
 * The JIM client: one method per question, each an HTTP request and its answer as exact values. It knows the
 * paths, the key and what a wrong answer looks like; it keeps no state but the key.
 */
import { type Activity, type ActivityId, type Instant } from './activity.ts';
import { type Asking, type AskOptions, type CallOptions, createAsker } from './ask.ts';
import { formatInstant } from './moments.ts';
import { parseRow, type RejectedRow } from './row.ts';
import { type Page, readEnvelope, type Reading } from './wire-schema.ts';
import * as state from './wire-state.ts';
import * as wire from './wire.ts';

export type ListQuery = {
  readonly sortBy: 'created' | 'status';
  readonly direction: 'asc' | 'desc';
  readonly page: number;
  readonly pageSize: number;
  /** Only where the dialect filters (`dialect.filters`); inclusive. */
  readonly createdFrom?: Instant;
  readonly createdTo?: Instant;
  /** One of JIM's words; anything else is answered with 400. */
  readonly status?: string;
  /** Only where the dialect has `targetTypeFilter`. */
  readonly targetType?: string;
};

export interface ActivityPage {
  readonly activities: readonly Activity[];
  readonly rejected: readonly RejectedRow[];
  /** Rows the server sent, readable or not. */
  readonly rowCount: number;
  readonly totalCount: number;
  readonly page: number;
  /** The effective size: JIM clamps silently. */
  readonly pageSize: number;
  readonly hasNextPage: boolean;
  /** The `Date` header of this very answer (whole seconds, JIM's clock). */
  readonly date: Instant;
  /** Our clock when the answer came, ms. */
  readonly receivedAtMs: number;
}

/** A readable row with its free text, for the terminal client alone. */
export interface ToldActivity {
  readonly activity: Activity;
  readonly text: wire.ActivityText;
}

/** A detail with its free text: for the terminal client, and for an alert's message where that is configured. */
export interface ToldDetail {
  readonly detail: wire.ActivityDetail;
  readonly text: wire.ActivityText;
}

/** Pages of `MAX_PAGE_SIZE` rows unless said, from 1. */
export interface PageOptions extends CallOptions {
  readonly page?: number;
  /** Smaller where each row costs JIM much. */
  readonly pageSize?: number;
}

/** Every method rejects with RequestError, or with the reason of `signal`. */
export interface JimClient {
  /** As JIM reports it; feed it to `dialectOf`. Needs no key. */
  version(options?: CallOptions): Promise<string>;
  /** Whether lists filter by `createdFrom`: the version does not tell (jim-api, section 0). */
  probeFilters(options?: CallOptions): Promise<boolean>;
  list(query: ListQuery, options?: CallOptions): Promise<ActivityPage>;
  /** As `list`, with the texts of the readable rows. */
  listWithText(
    query: ListQuery,
    options?: CallOptions,
  ): Promise<ActivityPage & { readonly told: readonly ToldActivity[] }>;
  /** `not_found` only where JIM itself said so. */
  detail(id: ActivityId, options?: CallOptions): Promise<wire.ActivityDetail | 'not_found'>;
  detailWithText(id: ActivityId, options?: CallOptions): Promise<ToldDetail | 'not_found'>;
  stats(id: ActivityId, options?: CallOptions): Promise<wire.RunStats | 'not_found'>;
  items(
    id: ActivityId,
    page: number,
    pageSize: number,
    options?: CallOptions,
  ): Promise<Page<wire.RunItem> | 'not_found'>;
  itemsWithText(
    id: ActivityId,
    page: number,
    pageSize: number,
    options?: CallOptions,
  ): Promise<Page<wire.RunItem & wire.ItemText> | 'not_found'>;
  /** At most the 100 oldest. */
  children(id: ActivityId, options?: CallOptions): Promise<readonly Activity[] | 'not_found'>;
  progress(id: ActivityId, options?: CallOptions): Promise<wire.Progress | 'not_found'>;
  workerTasks(options?: PageOptions): Promise<Page<state.WorkerTask>>;
  /** With JIM's clock at the answer: by it a next run is due. */
  schedules(options?: PageOptions): Promise<Page<state.Schedule> & { readonly date: Instant }>;
  /** Which run profiles a schedule runs. */
  scheduleSteps(
    id: string,
    options?: CallOptions,
  ): Promise<readonly state.PlannedStep[] | 'not_found'>;
  /** Newest first. */
  scheduleExecutions(options?: PageOptions): Promise<Page<state.ScheduleExecution>>;
  scheduleExecution(
    id: string,
    options?: CallOptions,
  ): Promise<state.ScheduleExecutionDetail | 'not_found'>;
  connectedSystems(options?: PageOptions): Promise<Page<state.ConnectedSystem>>;
  runProfiles(
    connectedSystemId: number,
    options?: CallOptions,
  ): Promise<readonly state.RunProfile[]>;
  certificates(options?: PageOptions): Promise<Page<state.Certificate>>;
  /** Needs no key. Not ready is an answer, not a failure. */
  healthReady(options?: CallOptions): Promise<state.Health>;
}

/** JIM's own limit: larger sizes are silently clamped to it (jim-api, 1.1). */
const MAX_PAGE_SIZE = 100;

/** A moment that no row reaches: whoever filters by it answers with no rows. */
const NEVER = '9999-01-01T00:00:00Z';

/** JIM leaves the code of its own error envelope empty where a schedule or its execution is unknown. */
const SCHEDULE_NOT_FOUND = ['NOT_FOUND', ''];

const ACTIVITIES = '/api/v1/activities';

export function createJimClient(options: AskOptions): JimClient {
  const ask = createAsker(options);

  const tell = async <T>(call: Asking, reader: Reader<T>): Promise<T> =>
    (await ask(call)).read(reader);

  /** For the questions that JIM may answer with "no such id". */
  const lookUp = async <T>(
    call: Asking,
    reader: Reader<T>,
    notFoundCodes: readonly string[] = ['NOT_FOUND'],
  ): Promise<T | 'not_found'> => {
    const asked = await ask({ ...call, expected: [404] });
    if (asked.answer.status !== 404) return asked.read(reader);
    // Any other 404 comes from a proxy or a wrong path, and must not make an Activity vanish.
    if (notFoundCodes.includes(wire.readErrorCode(asked.json()) ?? 'none')) return 'not_found';
    throw asked.fault("it is a 404 without JIM's code NOT_FOUND");
  };

  const list = async (query: ListQuery, call?: CallOptions): Promise<ListAnswer> => {
    const asked = await ask({ endpoint: ACTIVITIES, query: listParameters(query), ...call });
    const { rows: values, ...numbers } = asked.read(readEnvelope);
    const rows = wire.readRows(values);
    const violation = filterViolation(query, rows);
    if (violation !== null) throw asked.fault(violation, { filterViolated: true });
    const { receivedAtMs } = asked.answer;
    return {
      values,
      page: { ...rows, ...numbers, rowCount: values.length, date: asked.date(), receivedAtMs },
    };
  };

  const probeFilters = async (call?: CallOptions): Promise<boolean> => {
    // Unknown filters are ignored with 200; 400 means that this one is known and refused.
    const probe = await ask({
      endpoint: ACTIVITIES,
      query: { ...paging(1, 1), createdFrom: NEVER },
      expected: [400],
      ...call,
    });
    if (probe.answer.status === 400) return false;
    if (probe.read(readEnvelope).rows.length > 0) return false;
    // No rows prove nothing where there are none at all.
    const any = await tell({ endpoint: ACTIVITIES, query: paging(1, 1), ...call }, readEnvelope);
    return any.rows.length > 0;
  };

  return {
    version: (call) =>
      tell({ endpoint: '/api/v1/health/version', withoutKey: true, ...call }, state.readVersion),
    healthReady: (call) =>
      tell(
        { endpoint: '/api/v1/health/ready', withoutKey: true, expected: [503], ...call },
        state.readHealth,
      ),

    probeFilters,
    list: async (query, call) => (await list(query, call)).page,
    listWithText: async (query, call) => {
      const { values, page } = await list(query, call);
      return { ...page, told: tellRows(values) };
    },

    detail: (id, call) => lookUp({ ...aboutActivity(id), ...call }, wire.readDetail),
    detailWithText: (id, call) => lookUp({ ...aboutActivity(id), ...call }, readToldDetail),
    stats: (id, call) => lookUp({ ...aboutActivity(id, '/stats'), ...call }, wire.readStats),
    items: (id, page, pageSize, call) =>
      lookUp(
        { ...aboutActivity(id, '/items'), query: paging(page, pageSize), ...call },
        wire.readItems,
      ),
    itemsWithText: (id, page, pageSize, call) =>
      lookUp(
        { ...aboutActivity(id, '/items'), query: paging(page, pageSize), ...call },
        readItemsWithText,
      ),
    children: (id, call) =>
      lookUp(
        { ...aboutActivity(id, '/children'), query: paging(1, MAX_PAGE_SIZE), ...call },
        wire.readChildren,
      ),
    progress: (id, call) =>
      lookUp({ ...aboutActivity(id, '/progress'), ...call }, wire.readProgress),

    workerTasks: (call) => tell(pageOf('/api/v1/worker-tasks', call), state.readWorkerTasks),
    schedules: async (call) => {
      const asked = await ask(pageOf('/api/v1/schedules', call));
      return { ...asked.read(state.readSchedules), date: asked.date() };
    },
    scheduleSteps: (id, call) =>
      lookUp(
        { endpoint: '/api/v1/schedules/{id}', values: { id }, ...call },
        state.readScheduleSteps,
        SCHEDULE_NOT_FOUND,
      ),
    scheduleExecutions: (call) =>
      tell(pageOf('/api/v1/schedule-executions', call), state.readScheduleExecutions),
    scheduleExecution: (id, call) =>
      lookUp(
        { endpoint: '/api/v1/schedule-executions/{id}', values: { id }, ...call },
        state.readScheduleExecution,
        SCHEDULE_NOT_FOUND,
      ),
    connectedSystems: (call) =>
      tell(pageOf('/api/v1/synchronisation/connected-systems', call), state.readConnectedSystems),
    runProfiles: (connectedSystemId, call) =>
      tell(
        {
          endpoint: '/api/v1/synchronisation/connected-systems/{id}/run-profiles',
          values: { id: String(connectedSystemId) },
          ...call,
        },
        state.readRunProfiles,
      ),
    certificates: (call) => tell(pageOf('/api/v1/certificates', call), state.readCertificates),
  };
}

type Reader<T> = (value: unknown) => Reading<T>;

function aboutActivity(id: ActivityId, part = ''): Asking {
  return { endpoint: `${ACTIVITIES}/{id}${part}`, values: { id } };
}

function pageOf(endpoint: string, call: PageOptions | undefined): Asking {
  return { endpoint, query: paging(call?.page ?? 1, call?.pageSize ?? MAX_PAGE_SIZE), ...call };
}

function paging(page: number, pageSize: number): Record<string, string> {
  return { page: String(page), pageSize: String(pageSize) };
}

interface ListAnswer {
  readonly values: readonly unknown[];
  readonly page: ActivityPage;
}

/** Always with order and direction: JIM's defaults are the oldest 25 rows. */
function listParameters(query: ListQuery): Record<string, string> {
  return {
    sortBy: query.sortBy,
    sortDirection: query.direction,
    page: String(query.page),
    pageSize: String(query.pageSize),
    ...(query.createdFrom === undefined ? {} : { createdFrom: formatInstant(query.createdFrom) }),
    ...(query.createdTo === undefined ? {} : { createdTo: formatInstant(query.createdTo) }),
    ...(query.status === undefined ? {} : { status: query.status }),
    ...(query.targetType === undefined ? {} : { targetType: query.targetType }),
  };
}

/** Unknown filters are ignored with 200, so every row is held against the filter that was asked for. */
function filterViolation(
  query: ListQuery,
  rows: Pick<ActivityPage, 'activities' | 'rejected'>,
): string | null {
  const { createdFrom, createdTo, status, targetType } = query;
  for (const { created } of [...rows.activities, ...rows.rejected]) {
    if (created === null) continue;
    if (createdFrom !== undefined && created < createdFrom) return 'createdFrom is ignored';
    if (createdTo !== undefined && created > createdTo) return 'createdTo is ignored';
  }
  for (const activity of rows.activities) {
    if (status !== undefined && activity.status !== status) return 'status is ignored';
    if (targetType !== undefined && activity.targetType !== targetType)
      return 'targetType is ignored';
  }
  return null;
}

function tellRows(values: readonly unknown[]): readonly ToldActivity[] {
  return values.flatMap((value) => {
    const row = parseRow(value);
    return row.ok ? [{ activity: row.activity, text: wire.readText(value) }] : [];
  });
}

function readToldDetail(value: unknown): Reading<ToldDetail> {
  const detail = wire.readDetail(value);
  return detail.ok
    ? { ok: true, value: { detail: detail.value, text: wire.readText(value) } }
    : detail;
}

function readItemsWithText(value: unknown): Reading<Page<wire.RunItem & wire.ItemText>> {
  const items = wire.readItems(value);
  const raw = readEnvelope(value);
  if (!items.ok) return items;
  if (!raw.ok) return raw;
  const rows = items.value.rows.map((row, index) => ({
    ...row,
    ...wire.readItemText(raw.value.rows[index]),
  }));
  return { ok: true, value: { ...items.value, rows } };
}
