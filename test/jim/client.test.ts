import { describe, expect, it } from 'vitest';
import { createHttp, type Transport, type TransportRequest } from '../../src/http.ts';
import { activityId, instant } from '../../src/jim/activity.ts';
import { JIM_PEER } from '../../src/jim/ask.ts';
import { createJimClient, type JimClient, type ListQuery } from '../../src/jim/client.ts';
import { RequestError } from '../../src/request-error.ts';
import {
  recordedAnswer,
  type RecordedAnswer,
  recording,
  type RecordedVersion,
} from './recordings.ts';

const ID = activityId('11111111-1111-1111-1111-111111111111');
const KEY = 'jim_ak_0123456789abcdef';
const NEWEST: ListQuery = { sortBy: 'created', direction: 'desc', page: 1, pageSize: 100 };

interface Asked {
  readonly jim: JimClient;
  readonly requests: TransportRequest[];
}

/** A client whose requests are answered by `answer`, without network or waiting. */
function jimAnswering(
  answer: (request: TransportRequest) => RecordedAnswer,
  keys: { readonly apiKey?: () => string; readonly reloadKey?: () => string } = {},
  baseUrl = 'http://jim.example:8080/',
): Asked {
  const requests: TransportRequest[] = [];
  const transport: Transport = async (request) => {
    requests.push(request);
    const { status, headers, body } = answer(request);
    return { status, headers: { ...headers }, body: inChunks(body) };
  };
  const http = createHttp({
    transport,
    clock: { nowMs: () => 1_000, sleep: async () => undefined },
    random: () => 0,
    peer: JIM_PEER,
    userAgent: 'jim-exporter/test',
    timeoutMs: 5_000,
  });
  const jim = createJimClient({
    http,
    baseUrl,
    apiKey: keys.apiKey ?? (() => KEY),
    ...(keys.reloadKey === undefined ? {} : { reloadKey: keys.reloadKey }),
  });
  return { jim, requests };
}

/** Odd chunks, so that characters and numbers are split. */
async function* inChunks(body: string): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(body);
  for (let start = 0; start < bytes.length; start += 777) yield bytes.subarray(start, start + 777);
}

function json(value: unknown, status = 200): RecordedAnswer {
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    date: 'Mon, 23 Nov 2026 20:22:31 GMT',
  };
  return { status, headers, body: JSON.stringify(value) };
}

function recordedJson(version: RecordedVersion, name: string): RecordedAnswer {
  return json(recording(version, `${name}.json`));
}

async function failureOf(promise: Promise<unknown>): Promise<RequestError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('the list', () => {
  it('always says order and direction, with key, agent and accept', async () => {
    const { jim, requests } = jimAnswering(() => recordedJson('0.14', 'list-desc-page-1'));
    await jim.list(NEWEST);
    const [request] = requests;
    expect(request?.url.href).toBe(
      'http://jim.example:8080/api/v1/activities?sortBy=created&sortDirection=desc&page=1&pageSize=100',
    );
    expect(request?.method).toBe('GET');
    expect(request?.headers).toEqual({
      accept: 'application/json',
      'user-agent': 'jim-exporter/test',
      'x-api-key': KEY,
    });
  });

  it('gives the rows, the effective page size, and the Date of this very answer', async () => {
    const { jim } = jimAnswering(() => recordedJson('0.14', 'list-desc-page-1'));
    const page = await jim.list(NEWEST);
    expect(page).toMatchObject({
      rejected: [],
      page: 1,
      pageSize: 50,
      totalCount: 85,
      hasNextPage: true,
      date: Date.parse('2026-11-23T20:22:31Z') * 1000,
      receivedAtMs: 1_000,
    });
    expect(page.rowCount).toBe(page.activities.length);
  });

  it('past the end is an empty page, not an empty database', async () => {
    const { jim } = jimAnswering(() => recordedAnswer('past-end'));
    expect(await jim.list({ ...NEWEST, page: 900 })).toMatchObject({
      rowCount: 0,
      totalCount: 0,
      page: 900,
    });
  });

  it('filters carry Z and every microsecond', async () => {
    const { jim, requests } = jimAnswering(() => recordedJson('main', 'list-past-the-end'));
    await jim.list({
      ...NEWEST,
      createdFrom: instant(1_795_465_057_449_847),
      createdTo: instant(1_795_465_772_779_960),
      status: 'InProgress',
    });
    expect(Object.fromEntries(requests[0]?.url.searchParams ?? [])).toMatchObject({
      createdFrom: '2026-11-23T20:17:37.449847Z',
      createdTo: '2026-11-23T20:29:32.779960Z',
      status: 'InProgress',
    });
  });

  it.each([
    ['createdFrom', { createdFrom: instant(1_999_000_000_000_000) }],
    ['createdTo', { createdTo: instant(1_000_000_000_000_000) }],
    ['status', { status: 'InProgress' as const }],
  ])('a row that violates %s voids the answer', async (filter, query) => {
    const { jim } = jimAnswering(() => recordedJson('0.14', 'list-desc-page-1'));
    const failure = await failureOf(jim.list({ ...NEWEST, ...query }));
    expect(failure.reason).toBe('bad_response');
    expect(failure.filterViolated).toBe(true);
    expect(failure.message).toContain(`${filter} is ignored`);
  });

  it('both ends of a filter are inclusive', async () => {
    const { jim } = jimAnswering(() => recordedJson('main', 'list-with-CompleteWithWarning'));
    const all = (await jim.list(NEWEST)).activities.map((one) => one.created);
    const createdFrom = instant(Math.min(...all));
    const createdTo = instant(Math.max(...all));
    expect((await jim.list({ ...NEWEST, createdFrom, createdTo })).activities).toHaveLength(
      all.length,
    );
  });

  it('rejects an unreadable row alone', async () => {
    const page = recording('0.14', 'list-desc-page-1.json') as { items: object[] };
    const items = page.items.map((row, index) => (index === 3 ? { ...row, totalAdded: -1 } : row));
    const { jim } = jimAnswering(() => json({ ...page, items }));
    const result = await jim.list(NEWEST);
    expect(result.rejected).toEqual([
      expect.objectContaining({ reason: 'totals', id: expect.any(String) as string }),
    ]);
    expect(result.activities).toHaveLength(items.length - 1);
    expect(result.rowCount).toBe(items.length);
  });

  it('texts come only where they are asked for', async () => {
    const { jim } = jimAnswering(() => recordedJson('0.14', 'list-desc-page-1'));
    expect(JSON.stringify(await jim.list(NEWEST))).not.toMatch(/initiated|Performing/i);
    const { told } = await jim.listWithText(NEWEST);
    expect(told.map((one) => one.text.initiatedByName)).toContain('Infrastructure Key');
  });

  it('without a Date nothing could settle', async () => {
    const { body } = recordedJson('0.14', 'list-desc-page-1');
    const { jim } = jimAnswering(() => ({ status: 200, headers: {}, body }));
    expect((await failureOf(jim.list(NEWEST))).message).toMatch(/it has no Date header/);
  });

  it('goes below the path of the base URL', async () => {
    const { jim, requests } = jimAnswering(
      () => recordedJson('0.14', 'list-desc-page-1'),
      {},
      'https://proxy.example/identity/jim//',
    );
    await jim.list(NEWEST);
    expect(requests[0]?.url.pathname).toBe('/identity/jim/api/v1/activities');
  });
});

describe('answers that are not JIM’s, in one sentence', () => {
  const where = 'GET http://jim.example:8080/api/v1/activities failed: ';

  it.each([
    [
      'html-unknown',
      'bad_response',
      `${where}the answer is no JSON but HTML. Check jim.url: a web page means a wrong path, a sign-in page of a proxy, or a JIM without /api/v1/activities.`,
    ],
    [
      'html-metrics',
      'bad_response',
      `${where}the answer was 302, a redirect, which is never followed, since the key would travel with it. Set jim.url to the final address.`,
    ],
    [
      'err-400-page',
      'bad_response',
      `${where}the answer was 400 with 397 bytes of application/json. Look into JIM's logs: a 400 can also be trouble with its database or identity provider.`,
    ],
    [
      'err-400-stats',
      'bad_response',
      `${where}the answer was 400 BAD_REQUEST with 184 bytes of application/json. Look into JIM's logs: a 400 can also be trouble with its database or identity provider.`,
    ],
    [
      'err-401-badkey',
      'unauthorized',
      `${where}JIM does not accept the credentials (401). Check jim.api_key or jim.api_key_file: the key may be wrong, disabled, expired or deleted.`,
    ],
    [
      'err-403',
      'forbidden',
      `${where}the credentials are valid but lack the right (403). Give them JIM's Administrator role.`,
    ],
    [
      'err-404',
      'bad_response',
      `${where}the answer was 404 NOT_FOUND with 179 bytes of application/json. Check that jim.url is JIM's address, with its path if it has one.`,
    ],
    [
      'err-429',
      'rate_limited',
      `${where}too many requests (429), to be asked again in 60 s. Ask less often, or raise the limit in JIM.`,
    ],
    [
      'health-version',
      'bad_response',
      `${where}the answer (36 bytes of application/json) is not JIM's: items is no array. Check jim.url, and whether this JIM has /api/v1/activities.`,
    ],
  ])('%s', async (name, reason, message) => {
    const { jim } = jimAnswering(() => recordedAnswer(name));
    const failure = await failureOf(jim.list(NEWEST));
    expect(failure.message).toBe(message);
    expect(failure.reason).toBe(reason);
  });

  it.each([
    ['an array', '[]', 'it is no object'],
    ['null', 'null', 'it is no object'],
    ['items of another type', '{"items":{}}', 'items is no array'],
    ['a negative count', '{"items":[],"totalCount":-1}', 'totalCount is no whole number from 0'],
    [
      'a page in words',
      '{"items":[],"totalCount":1,"page":"one"}',
      'page is no whole number from 0',
    ],
    [
      'a flag that is none',
      '{"items":[],"totalCount":1,"page":1,"pageSize":1,"hasNextPage":"no"}',
      'hasNextPage is no boolean',
    ],
  ])('an envelope that is %s', async (_what, body, fault) => {
    const { jim } = jimAnswering(() => ({ ...json(null), body }));
    expect((await failureOf(jim.list(NEWEST))).message).toContain(`is not JIM's: ${fault}.`);
  });

  it('truncated JSON is no JSON, and the sentence quotes nothing of it', async () => {
    const answer = recordedJson('0.14', 'list-desc-page-1');
    const { jim } = jimAnswering(() => ({ ...answer, body: answer.body.slice(0, 5000) }));
    const failure = await failureOf(jim.list(NEWEST));
    expect(failure.message).toBe(
      `${where}the answer is no JSON but 5000 bytes of application/json. Check that jim.url is JIM's address.`,
    );
    expect(failure.cause).toBeUndefined();
  });
});

describe('one Activity', () => {
  it('not_found only where JIM says so', async () => {
    const { jim, requests } = jimAnswering(() => recordedAnswer('err-404'));
    expect(await jim.detail(ID)).toBe('not_found');
    expect(await jim.stats(ID)).toBe('not_found');
    expect(await jim.items(ID, 1, 100)).toBe('not_found');
    expect(await jim.children(ID)).toBe('not_found');
    expect(await jim.progress(ID)).toBe('not_found');
    expect(requests.map(({ url }) => url.pathname)).toEqual(
      ['', '/stats', '/items', '/children', '/progress'].map(
        (part) => `/api/v1/activities/${ID}${part}`,
      ),
    );
  });

  it.each([
    ['a page of a proxy', '<html>not here</html>', 'is no JSON but HTML'],
    ['another JSON', '{"error":"gone"}', "it is a 404 without JIM's code NOT_FOUND"],
    ['nothing', '', 'is no JSON but an empty body'],
  ])('a 404 with %s makes nothing vanish', async (_what, body, message) => {
    const { jim } = jimAnswering(() => ({ ...json(null, 404), body }));
    const failure = await failureOf(jim.detail(ID));
    expect(failure.reason).toBe('bad_response');
    expect(failure.message).toContain(message);
  });

  it('a web page where /progress does not exist says so', async () => {
    const { jim } = jimAnswering(() => recordedAnswer('err-notguid'));
    expect((await failureOf(jim.progress(ID))).message).toBe(
      `GET http://jim.example:8080/api/v1/activities/${ID}/progress failed: the answer is no JSON but HTML. ` +
        'Check jim.url: a web page means a wrong path, a sign-in page of a proxy, or a JIM without /api/v1/activities/{id}/progress.',
    );
  });

  it('the detail carries no text unless asked for', async () => {
    const { jim } = jimAnswering(() => recordedJson('0.14', 'crashed'));
    const plain = JSON.stringify(await jim.detail(ID));
    expect(plain).not.toMatch(/abandoned|Infrastructure Key|9,200/);
    expect(await jim.detailWithText(ID)).toMatchObject({
      detail: { failureCause: 'worker_crash', stats: { processed: 9200, unchanged: 9200 } },
      text: {
        message: 'Processing imported objects (9,200 / 30,000)',
        initiatedByType: 'ApiKey',
        initiatedByName: 'Infrastructure Key',
        warningMessage: null,
        errorMessage: expect.stringMatching(/^Task was abandoned/) as string,
      },
    });
  });

  it('items carry no names unless asked for', async () => {
    const name = 'items-ConnectedSystemRunProfile-FullImport-CompleteWithError';
    const { jim } = jimAnswering(() => recordedJson('0.14', name));
    expect(await jim.items(ID, 1, 3)).toEqual({
      rows: [
        {
          id: '01410355-41ea-411e-8920-dbdfcd0e1f92',
          objectType: 'person',
          errorType: null,
        },
        {
          id: '015db9d4-2b03-4e0d-9ea1-dcac362e42fc',
          objectType: null,
          errorType: 'UnhandledError',
        },
        {
          id: '03db822d-24f4-4580-b4a2-ca6557f0d2c6',
          objectType: null,
          errorType: 'UnhandledError',
        },
      ],
      totalCount: 300,
      page: 1,
      pageSize: 3,
      hasNextPage: true,
    });
    const told = await jim.itemsWithText(ID, 1, 3);
    expect(told === 'not_found' ? told : told.rows[0]).toMatchObject({
      externalId: 'E1163',
      displayName: null,
    });
  });

  it.each(['0.12', '0.14'] as const)('children of %s, array or envelope', async (version) => {
    const { jim } = jimAnswering(() =>
      recordedJson(version, 'children-ConnectedSystem-Create-Complete'),
    );
    expect(await jim.children(ID)).toEqual([]);
  });

  it('children are rows like any other', async () => {
    const { jim } = jimAnswering(() =>
      recordedJson('0.14', 'children-SystemInitialisation-Create-Complete'),
    );
    const page = await jim.children(ID);
    expect(page).not.toHaveLength(0);
    const asArray = (
      recording('0.14', 'children-SystemInitialisation-Create-Complete.json') as {
        items: unknown[];
      }
    ).items;
    const older = jimAnswering(() => json(asArray));
    expect(await older.jim.children(ID)).toEqual(page);
  });
});

describe('whether filters are honoured', () => {
  const row = { items: [{}], totalCount: 1, page: 1, pageSize: 1, hasNextPage: false };
  const none = { ...row, items: [], totalCount: 0 };
  const isProbe = (request: TransportRequest): boolean =>
    request.url.searchParams.has('createdFrom');

  it.each([
    ['rows in spite of the filter: no', () => json(row), false, 1],
    [
      'no rows, but some without the filter: yes',
      (request: TransportRequest) => json(isProbe(request) ? none : row),
      true,
      2,
    ],
    ['no rows at all prove nothing: no', () => json(none), false, 2],
    ['the parameter is refused: no', () => recordedAnswer('err-400-enum'), false, 1],
  ])('%s', async (_rule, answer, expected, count) => {
    const { jim, requests } = jimAnswering(answer);
    expect(await jim.probeFilters()).toBe(expected);
    expect(requests).toHaveLength(count);
    expect(requests[0]?.url.search).toBe('?page=1&pageSize=1&createdFrom=9999-01-01T00%3A00%3A00Z');
  });
});

describe('the key', () => {
  const refuse = recordedAnswer('err-401-badkey');
  const accept = recordedJson('0.14', 'list-desc-page-1');
  const acceptOnly =
    (key: string) =>
    (request: TransportRequest): RecordedAnswer =>
      request.headers['x-api-key'] === key ? accept : refuse;

  it('is read again after a 401, and used at once where it is new', async () => {
    let file = 'jim_ak_old';
    const keys = { apiKey: () => file, reloadKey: () => file };
    const { jim, requests } = jimAnswering(acceptOnly('jim_ak_new'), keys);
    await failureOf(jim.list(NEWEST));
    file = 'jim_ak_new';
    await jim.list(NEWEST);
    await jim.list(NEWEST);
    expect(requests.map(({ headers }) => headers['x-api-key'])).toEqual([
      'jim_ak_old',
      'jim_ak_old',
      'jim_ak_new',
      'jim_ak_new',
    ]);
  });

  it('that is refused and unchanged is not tried twice', async () => {
    const { jim, requests } = jimAnswering(() => refuse, { reloadKey: () => KEY });
    expect((await failureOf(jim.list(NEWEST))).reason).toBe('unauthorized');
    expect(requests).toHaveLength(1);
  });

  it('that is new but refused too is tried once', async () => {
    let turn = 0;
    const { jim, requests } = jimAnswering(() => refuse, {
      reloadKey: () => `jim_ak_${(turn += 1)}`,
    });
    expect((await failureOf(jim.list(NEWEST))).reason).toBe('unauthorized');
    expect(requests).toHaveLength(2);
  });

  it('that lacks the role is no reason to read it again', async () => {
    const reloadKey = (): string => {
      throw new Error('must not be read');
    };
    const { jim } = jimAnswering(() => recordedAnswer('err-403'), { reloadKey });
    expect((await failureOf(jim.list(NEWEST))).reason).toBe('forbidden');
  });

  it.each([
    [
      () => {
        throw new Error('/run/secrets/jim cannot be read (no permission)');
      },
      'the API key cannot be read: /run/secrets/jim cannot be read (no permission). Check jim.api_key or jim.api_key_file.',
    ],
    [
      () => '',
      'the API key is empty or holds spaces or characters that no key has. Check jim.api_key or jim.api_key_file.',
    ],
    [
      () => 'jim_ak_1\r\nx-evil: 1',
      'the API key is empty or holds spaces or characters that no key has. Check jim.api_key or jim.api_key_file.',
    ],
  ])('that cannot be sent is told without being shown', async (apiKey, message) => {
    const { jim, requests } = jimAnswering(() => accept, { apiKey });
    const failure = await failureOf(jim.list(NEWEST));
    expect(failure.reason).toBe('unauthorized');
    expect(failure.message).toBe(
      `GET http://jim.example:8080/api/v1/activities failed: ${message}`,
    );
    expect(requests).toHaveLength(0);
  });

  it('is not sent to the anonymous health endpoints', async () => {
    const { jim, requests } = jimAnswering((request) =>
      request.url.pathname.endsWith('version')
        ? recordedAnswer('health-version')
        : recordedAnswer('health-ready'),
    );
    expect(await jim.version()).toBe('0.14.0');
    expect(await jim.healthReady()).toEqual({ ready: true, maintenance: false });
    for (const { headers } of requests) expect(headers).not.toHaveProperty('x-api-key');
  });

  it('is in no error', async () => {
    for (const name of ['err-401-badkey', 'err-403', 'err-429', 'html-unknown', 'html-metrics']) {
      const { jim } = jimAnswering(() => recordedAnswer(name));
      const failure = await failureOf(jim.list(NEWEST));
      expect(
        `${failure.message} ${JSON.stringify(failure)} ${String(failure.stack)}`,
      ).not.toContain(KEY);
    }
  });
});

describe('readiness', () => {
  it.each([
    [json({ status: 'ready' }), { ready: true, maintenance: false }],
    [
      json({ status: 'not_ready', reason: 'maintenance_mode' }, 503),
      { ready: false, maintenance: true },
    ],
    [
      json({ status: 'not_ready', reason: 'error', error: 'secret words' }, 503),
      { ready: false, maintenance: false },
    ],
  ])('%#', async (answer, expected) => {
    const { jim } = jimAnswering(() => answer);
    expect(await jim.healthReady()).toEqual(expected);
  });

  it("a proxy's 503 is none", async () => {
    const { jim } = jimAnswering(() => ({ ...json(null, 503), body: '<html>Bad Gateway</html>' }));
    expect((await failureOf(jim.healthReady())).reason).toBe('server_error');
  });
});
