/**
 * The JIM client: one method per question, each an HTTP request and its answer as exact values. It knows the
 * paths, the key and what a wrong answer looks like; it keeps no state but the key.
 */
import type { Http, HttpCall } from '../http.ts';
import { describeBody, type HttpAnswer, type Peer, RequestError } from '../request-error.ts';
import { type Activity, type ActivityId, type Instant, instant } from './activity.ts';
import { formatInstant } from './moments.ts';
import type { RejectedRow } from './row.ts';
import { parseRow } from './row.ts';
import {
  type ActivityDetail,
  type ActivityText,
  type Certificate,
  type ConnectedSystem,
  type Health,
  type ItemText,
  type Page,
  type Progress,
  readCertificates,
  readChildren,
  readConnectedSystems,
  readDetail,
  readEnvelope,
  readErrorCode,
  readHealth,
  type Reading,
  readItems,
  readItemText,
  readProgress,
  readRows,
  readRunProfiles,
  readScheduleExecution,
  readScheduleExecutions,
  readSchedules,
  readStats,
  readText,
  readVersion,
  readWorkerTasks,
  type RunItem,
  type RunProfile,
  type RunStats,
  type Schedule,
  type ScheduleExecution,
  type ScheduleExecutionDetail,
  type WorkerTask,
} from './wire.ts';

export type ListQuery = {
  readonly sortBy: 'created' | 'status';
  readonly direction: 'asc' | 'desc';
  readonly page: number;
  readonly pageSize: number;
  /** Only where the dialect filters (`dialect.filters`); inclusive. */
  readonly createdFrom?: Instant;
  readonly createdTo?: Instant;
  readonly status?: 'InProgress';
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
  readonly text: ActivityText;
}

export interface CallOptions {
  /** Stops the request and its retries; the rejection is then the signal's reason. */
  readonly signal?: AbortSignal;
  /** Our clock: no retry begins after it, usually the next poll. */
  readonly retryUntilMs?: number;
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
  detail(id: ActivityId, options?: CallOptions): Promise<ActivityDetail | 'not_found'>;
  detailWithText(
    id: ActivityId,
    options?: CallOptions,
  ): Promise<{ readonly detail: ActivityDetail; readonly text: ActivityText } | 'not_found'>;
  stats(id: ActivityId, options?: CallOptions): Promise<RunStats | 'not_found'>;
  items(
    id: ActivityId,
    page: number,
    pageSize: number,
    options?: CallOptions,
  ): Promise<Page<RunItem & ItemText> | 'not_found'>;
  /** At most the 100 oldest. */
  children(id: ActivityId, options?: CallOptions): Promise<readonly Activity[] | 'not_found'>;
  progress(id: ActivityId, options?: CallOptions): Promise<Progress | 'not_found'>;
  workerTasks(options?: CallOptions): Promise<Page<WorkerTask>>;
  schedules(options?: CallOptions): Promise<Page<Schedule>>;
  /** Newest first. */
  scheduleExecutions(
    options?: CallOptions & { readonly page?: number },
  ): Promise<Page<ScheduleExecution>>;
  scheduleExecution(
    id: string,
    options?: CallOptions,
  ): Promise<ScheduleExecutionDetail | 'not_found'>;
  connectedSystems(
    options?: CallOptions & { readonly page?: number },
  ): Promise<Page<ConnectedSystem>>;
  runProfiles(connectedSystemId: number, options?: CallOptions): Promise<readonly RunProfile[]>;
  certificates(options?: CallOptions & { readonly page?: number }): Promise<Page<Certificate>>;
  /** Needs no key. Not ready is an answer, not a failure. */
  healthReady(options?: CallOptions): Promise<Health>;
}

export interface JimClientOptions {
  readonly http: Http;
  /** May have a path: JIM behind a proxy. */
  readonly baseUrl: string;
  readonly apiKey: () => string | Promise<string>;
  /** Asked after a 401: the key as it is now, from its file. Without it, a refused key stays refused. */
  readonly reloadKey?: () => string | Promise<string>;
}

/** JIM in the words of the configuration, for the advice in errors. */
export const JIM_PEER: Peer = {
  name: 'JIM',
  urlSetting: 'jim.url',
  tlsSetting: 'jim.tls_config',
  credentialsSetting: 'jim.api_key or jim.api_key_file',
  neededRole: "JIM's Administrator role",
};

/** JIM's own limit: larger sizes are silently clamped to it (jim-api, 1.1). */
export const MAX_PAGE_SIZE = 100;

/** A moment that no row reaches: whoever filters by it answers with no rows. */
const NEVER = '9999-01-01T00:00:00Z';

export function createJimClient(options: JimClientOptions): JimClient {
  const ask = createAsker(options);

  async function list(query: ListQuery, call?: CallOptions): Promise<ListAnswer> {
    const asked = await ask({
      endpoint: '/api/v1/activities',
      query: listParameters(query),
      ...call,
    });
    const page = asked.read(readEnvelope);
    const rows = readRows(page.rows);
    const violation = filterViolation(query, rows.activities);
    if (violation !== null) throw asked.fault(violation, { filterViolated: true });
    const { rows: values, ...numbers } = page;
    return {
      values,
      result: {
        ...rows,
        ...numbers,
        rowCount: values.length,
        date: asked.date(),
        receivedAtMs: asked.answer.receivedAtMs,
      },
    };
  }

  /** For the questions that JIM may answer with "no such id". */
  async function askAbout<T>(
    call: Asking,
    reader: (value: unknown) => Reading<T>,
  ): Promise<{ readonly value: T; readonly json: unknown } | 'not_found'> {
    const asked = await ask({ ...call, expected: [404] });
    if (asked.answer.status !== 404) return { value: asked.read(reader), json: asked.json() };
    // Any other 404 comes from a proxy or a wrong path, and must not make an Activity vanish.
    if (readErrorCode(asked.json()) === 'NOT_FOUND') return 'not_found';
    throw asked.fault("it is a 404 without JIM's code NOT_FOUND");
  }

  const told = async (
    id: ActivityId,
    call?: CallOptions,
  ): Promise<{ readonly detail: ActivityDetail; readonly text: ActivityText } | 'not_found'> => {
    const found = await askAbout(
      { endpoint: '/api/v1/activities/{id}', values: { id }, ...call },
      readDetail,
    );
    return found === 'not_found' ? found : { detail: found.value, text: readText(found.json) };
  };

  const aboutActivity = async <T>(
    path: string,
    id: ActivityId,
    reader: (value: unknown) => Reading<T>,
    call?: CallOptions,
    query?: Readonly<Record<string, string>>,
  ): Promise<T | 'not_found'> => {
    const found = await askAbout(
      {
        endpoint: `/api/v1/activities/{id}${path}`,
        values: { id },
        ...(query === undefined ? {} : { query }),
        ...call,
      },
      reader,
    );
    return found === 'not_found' ? found : found.value;
  };

  const page = async <T>(
    endpoint: string,
    reader: (value: unknown) => Reading<T>,
    call?: CallOptions & { readonly page?: number },
  ): Promise<T> => {
    const query = { page: String(call?.page ?? 1), pageSize: String(MAX_PAGE_SIZE) };
    return (await ask({ endpoint, query, ...call })).read(reader);
  };

  return {
    version: async (call) => {
      const asked = await ask({ endpoint: '/api/v1/health/version', withoutKey: true, ...call });
      return asked.read(readVersion);
    },

    probeFilters: async (call) => {
      const endpoint = '/api/v1/activities';
      const one = { page: '1', pageSize: '1' };
      // 400 where the parameter is known and refused: then it is of no use either.
      const probe = await ask({
        endpoint,
        query: { ...one, createdFrom: NEVER },
        expected: [400],
        ...call,
      });
      if (probe.answer.status === 400) return false;
      if (probe.read(readEnvelope).rows.length > 0) return false;
      // No rows prove nothing where there are none at all.
      const any = await ask({ endpoint, query: one, ...call });
      return any.read(readEnvelope).rows.length > 0;
    },

    list: async (query, call) => (await list(query, call)).result,

    listWithText: async (query, call) => {
      const { values, result } = await list(query, call);
      return { ...result, told: tellRows(values) };
    },

    detail: async (id, call) => {
      const found = await told(id, call);
      return found === 'not_found' ? found : found.detail;
    },
    detailWithText: told,

    stats: (id, call) => aboutActivity('/stats', id, readStats, call),

    items: async (id, pageNumber, pageSize, call) =>
      aboutActivity('/items', id, readItemsWithText, call, {
        page: String(pageNumber),
        pageSize: String(pageSize),
      }),

    children: async (id, call) => {
      const rows = await aboutActivity('/children', id, readChildren, call, {
        page: '1',
        pageSize: String(MAX_PAGE_SIZE),
      });
      return rows === 'not_found' ? rows : readRows(rows).activities;
    },

    progress: (id, call) => aboutActivity('/progress', id, readProgress, call),

    workerTasks: (call) => page('/api/v1/worker-tasks', readWorkerTasks, call),
    schedules: (call) => page('/api/v1/schedules', readSchedules, call),
    scheduleExecutions: (call) => page('/api/v1/schedule-executions', readScheduleExecutions, call),

    scheduleExecution: async (id, call) => {
      const found = await askAbout(
        { endpoint: '/api/v1/schedule-executions/{id}', values: { id }, ...call },
        readScheduleExecution,
      );
      return found === 'not_found' ? found : found.value;
    },

    connectedSystems: (call) =>
      page('/api/v1/synchronisation/connected-systems', readConnectedSystems, call),

    runProfiles: async (connectedSystemId, call) => {
      const asked = await ask({
        endpoint: '/api/v1/synchronisation/connected-systems/{id}/run-profiles',
        values: { id: String(connectedSystemId) },
        ...call,
      });
      return asked.read(readRunProfiles);
    },

    certificates: (call) => page('/api/v1/certificates', readCertificates, call),

    healthReady: async (call) => {
      const asked = await ask({
        endpoint: '/api/v1/health/ready',
        withoutKey: true,
        expected: [503],
        ...call,
      });
      return asked.read(readHealth);
    },
  };
}

interface ListAnswer {
  readonly values: readonly unknown[];
  readonly result: ActivityPage;
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
  };
}

/** Unknown filters are ignored with 200, so every row is held against the filter that was asked for. */
function filterViolation(query: ListQuery, activities: readonly Activity[]): string | null {
  const { createdFrom, createdTo, status } = query;
  for (const activity of activities) {
    if (createdFrom !== undefined && activity.created < createdFrom)
      return 'createdFrom is ignored';
    if (createdTo !== undefined && activity.created > createdTo) return 'createdTo is ignored';
    if (status !== undefined && activity.status !== status) return 'status is ignored';
  }
  return null;
}

function tellRows(values: readonly unknown[]): readonly ToldActivity[] {
  return values.flatMap((value) => {
    const row = parseRow(value);
    return row.ok ? [{ activity: row.activity, text: readText(value) }] : [];
  });
}

function readItemsWithText(value: unknown): Reading<Page<RunItem & ItemText>> {
  const items = readItems(value);
  const raw = readEnvelope(value);
  if (!items.ok) return items;
  if (!raw.ok) return raw;
  const rows = items.value.rows.map((row, index) => ({
    ...row,
    ...readItemText(raw.value.rows[index]),
  }));
  return { ok: true, value: { ...items.value, rows } };
}

interface Asking extends CallOptions {
  /** The path below the base URL, variable parts in braces. */
  readonly endpoint: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly expected?: readonly number[];
  /** Health endpoints are anonymous; a key sent there would only be one more place to leak it. */
  readonly withoutKey?: boolean;
}

/** An answer and the ways to read it, each of which rejects with a sentence about this very request. */
interface Asked {
  readonly answer: HttpAnswer;
  json(): unknown;
  read<T>(reader: (value: unknown) => Reading<T>): T;
  /** The answer's Date as JIM's clock. */
  date(): Instant;
  fault(what: string, more?: { readonly filterViolated?: boolean }): RequestError;
}

type Asker = (asking: Asking) => Promise<Asked>;

function createAsker(options: JimClientOptions): Asker {
  const keyring = createKeyring(options);
  return async (asking) => {
    const call = callOf(options.baseUrl, asking);
    const answer =
      asking.withoutKey === true ? await options.http.request(call) : await keyring.request(call);
    return asked(call, answer);
  };
}

function callOf(baseUrl: string, asking: Asking): HttpCall {
  const path = asking.endpoint.replaceAll(/\{(\w+)\}/g, (_braces, name: string) =>
    encodeURIComponent(asking.values?.[name] ?? ''),
  );
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}${path}`);
  for (const [name, value] of Object.entries(asking.query ?? {})) {
    url.searchParams.set(name, value);
  }
  return {
    method: 'GET',
    url,
    endpoint: asking.endpoint,
    ...(asking.expected === undefined ? {} : { expected: asking.expected }),
    ...(asking.signal === undefined ? {} : { signal: asking.signal }),
    ...(asking.retryUntilMs === undefined ? {} : { retryUntilMs: asking.retryUntilMs }),
  };
}

function asked(call: HttpCall, answer: HttpAnswer): Asked {
  const fault: Asked['fault'] = (what, more) =>
    new RequestError({
      call,
      reason: 'bad_response',
      what: `the answer (${describeBody(answer)}) is not JIM's: ${what}`,
      advice: `Check jim.url, and whether this JIM has ${call.endpoint}.`,
      status: answer.status,
      ...more,
    });
  const json = (): unknown => {
    try {
      return JSON.parse(answer.body) as unknown;
    } catch (cause) {
      throw notJson(call, answer, cause);
    }
  };
  return {
    answer,
    json,
    fault,
    read: (reader) => {
      const reading = reader(json());
      if (!reading.ok) throw fault(reading.fault);
      return reading.value;
    },
    date: () => {
      const dateMs = Date.parse(answer.headers['date'] ?? '');
      if (Number.isNaN(dateMs)) throw fault('it has no Date header, by which rows settle');
      return instant(dateMs * 1000);
    },
  };
}

/** JIM answers unknown paths with its own web page and 200 (jim-api, 9.5); so do many proxies' sign-in pages. */
function notJson(call: HttpCall, answer: HttpAnswer, cause: unknown): RequestError {
  const isHtml = /^\s*<(!doctype|html)/i.test(answer.body);
  return new RequestError({
    call,
    reason: 'bad_response',
    what: `the answer is no JSON but ${isHtml ? 'HTML' : describeBody(answer)}`,
    advice: isHtml
      ? `Check jim.url: a web page means a wrong path, a sign-in page of a proxy, or a JIM without ${call.endpoint}.`
      : `Check that jim.url is JIM's address.`,
    status: answer.status,
    cause,
  });
}

/** Sends the key with each request, and after a 401 looks whether its file has a new one. */
function createKeyring(options: JimClientOptions): Pick<Http, 'request'> {
  let key: string | null = null;

  const withKey = (call: HttpCall, value: string): Promise<HttpAnswer> =>
    options.http.request({ ...call, headers: { 'x-api-key': value } });

  return {
    request: async (call) => {
      key ??= await usableKey(call, options.apiKey);
      const tried = key;
      try {
        return await withKey(call, tried);
      } catch (error) {
        const refused = error instanceof RequestError && error.reason === 'unauthorized';
        if (!refused || options.reloadKey === undefined) throw error;
        key = await usableKey(call, options.reloadKey);
        if (key === tried) throw error;
        return await withKey(call, key);
      }
    },
  };
}

/** What may stand in a header; anything else would break the request or be refused. */
const PRINTABLE = /^[\u0021-\u007e]+$/;

async function usableKey(call: HttpCall, source: () => string | Promise<string>): Promise<string> {
  let key: string;
  try {
    key = await source();
  } catch (cause) {
    throw new RequestError({
      call,
      reason: 'unauthorized',
      what: `the API key cannot be read: ${cause instanceof Error ? cause.message : 'unknown reason'}`,
      advice: `Check ${JIM_PEER.credentialsSetting}.`,
      cause,
    });
  }
  if (PRINTABLE.test(key)) return key;
  throw new RequestError({
    call,
    reason: 'unauthorized',
    what: `the API key is empty or holds spaces or characters that no key has`,
    advice: `Check ${JIM_PEER.credentialsSetting}.`,
  });
}
