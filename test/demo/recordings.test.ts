/** The simulator against what real JIM servers answered: rows, pages, details and heads byte for byte, the rest by shape. */
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startSimulatorServer, type SimulatorServer } from '../../src/demo/server.ts';
import { createSimulator, type Simulator } from '../../src/demo/simulator.ts';
import type { WorldRow } from '../../src/demo/row.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import { ACTIVITIES, ask, askJson, NEWEST_FIRST, type Page, type Row } from './ask.ts';
import {
  itemsOf,
  recordedHttp,
  recordedObject,
  recording,
  recordingsOf,
  RECORDED_DIALECTS,
  rowFrom,
  type JsonValue,
  type RecordedDialect,
} from './recorded.ts';

const AFTER = Date.parse('2026-11-23T23:00:00Z');

/** A world that has exactly the recorded rows, up to a moment. */
function recordedWorld(dialect: RecordedDialect, untilMs = AFTER): Simulator {
  const world = new World({ seed: 1, startMs: untilMs, dialect });
  const rows = ['list-desc-page-1', 'list-desc-page-2'].flatMap((name) =>
    itemsOf(recording(dialect, name)).map(rowFrom),
  );
  world.load(rows.filter((row) => row.created <= untilMs * 1000));
  return createSimulator({ world, now: () => untilMs });
}

describe.each(RECORDED_DIALECTS)('recorded rows of %s, served again', (dialect) => {
  const simulator = recordedWorld(dialect);

  test.each([
    ['list-desc-page-1', `${NEWEST_FIRST}&pageSize=50`],
    ['list-desc-page-2', `${NEWEST_FIRST}&pageSize=50&page=2`],
    ['list-default', `${ACTIVITIES}?pageSize=3`],
    ['list-past-the-end', `${ACTIVITIES}?page=7&pageSize=50`],
  ])('are the recorded %s, byte for byte', async (name, path) => {
    const { text } = await ask(simulator, path);
    expect(text).toBe(JSON.stringify(recording(dialect, name)));
  });

  test('sort by status as recorded', async () => {
    const page = await askJson<Page<Row>>(simulator, `${ACTIVITIES}?sortBy=status&pageSize=3`);
    const recorded = itemsOf(recording(dialect, 'list-status-asc'));
    expect(page.items.map((row) => row.status)).toEqual(recorded.map((row) => row['status']));
    // Only main promises which of the equal ones come first.
    if (dialect === 'main') {
      expect(page.items.map((row) => row.id)).toEqual(recorded.map((row) => row['id']));
    }
  });
});

describe.each(RECORDED_DIALECTS)('recorded details of %s, served again', (dialect) => {
  const details = recordingsOf(dialect).filter((name) =>
    /^(detail-|crashed|cancelled-queued)/.test(name),
  );

  test.each(details)('%s is the same, field by field', async (name) => {
    const recorded = recordedObject(dialect, name);
    const row: WorldRow = rowFrom(recorded);
    const world = new World({ seed: 1, startMs: AFTER, dialect });
    world.load([row]);
    const simulator = createSimulator({ world, now: () => AFTER });
    const answer = await askJson<Record<string, JsonValue>>(simulator, `${ACTIVITIES}/${row.id}`);
    // The snapshot of a configuration is long, and no exporter's business: the simulator's is short.
    const isThere = (value: JsonValue | undefined): boolean =>
      value !== null && value !== undefined;
    expect(isThere(answer['configurationChangeSnapshot'])).toBe(
      isThere(recorded['configurationChangeSnapshot']),
    );
    const withoutSnapshot = (body: Record<string, JsonValue>): string =>
      JSON.stringify({ ...body, configurationChangeSnapshot: null });
    expect(withoutSnapshot(answer)).toBe(withoutSnapshot({ ...recorded }));
  });

  test.each(recordingsOf(dialect).filter((name) => name.startsWith('stats-')))(
    '%s is the same, field by field',
    async (name) => {
      const row = rowFrom(recordedObject(dialect, name.replace('stats-', 'detail-')));
      const world = new World({ seed: 1, startMs: AFTER, dialect });
      world.load([row]);
      const simulator = createSimulator({ world, now: () => AFTER });
      const { text } = await ask(simulator, `${ACTIVITIES}/${row.id}/stats`);
      expect(text).toBe(JSON.stringify(recording(dialect, name)));
    },
  );
});

interface Heard {
  readonly status: string;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: string;
}

/** An answer as it comes over the wire. */
function hear(server: SimulatorServer, path: string, key: string | null): Promise<Heard> {
  const headers = key === null ? {} : { 'X-API-Key': key };
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}${path}`, { headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const raw = answer.rawHeaders;
        resolve({
          status: `HTTP/${answer.httpVersion} ${answer.statusCode} ${answer.statusMessage}`,
          headers: raw.flatMap((name, place) =>
            place % 2 === 0 ? [[name.toLowerCase(), raw[place + 1] ?? ''] as const] : [],
          ),
          body: Buffer.concat(chunks).toString(),
        });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('heads and errors of 0.14 over a socket', () => {
  const NO_ROLE = `jim_ak_${'1'.repeat(64)}`;
  let server: SimulatorServer;
  let now = 0;

  /** Fresh for each, with the rows that the server had when these answers were recorded. */
  beforeEach(async () => {
    const asked = Date.parse('2026-11-23T20:22:31.9Z');
    now = asked;
    const { world } = recordedWorld('0.14', asked);
    world.apiKeys = [...world.apiKeys, { key: NO_ROLE, role: 'none', isInfrastructure: false }];
    server = await startSimulatorServer(createSimulator({ world, now: () => now }));
  });
  afterEach(() => server.close());

  const NO_SUCH = '11111111-1111-1111-1111-111111111111';
  const CONFIGURED = '01a20a06-0ff3-7814-b41b-731e0b9b273e';

  test.each([
    ['comma', `${ACTIVITIES}?targetType=ConnectedSystem,Schedule&pageSize=1`, DEMO_API_KEY],
    ['err-400-dir', `${ACTIVITIES}?sortDirection=DESC`, DEMO_API_KEY],
    ['err-400-enum', `${ACTIVITIES}?targetType=Bogus`, DEMO_API_KEY],
    ['err-400-nan', `${ACTIVITIES}?page=x`, DEMO_API_KEY],
    ['err-400-page', `${ACTIVITIES}?page=1001`, DEMO_API_KEY],
    ['err-400-stats', `${ACTIVITIES}/${CONFIGURED}/stats`, DEMO_API_KEY],
    ['err-401-badkey', ACTIVITIES, `jim_ak_${'f'.repeat(64)}`],
    ['err-401-nokey', ACTIVITIES, null],
    ['err-401-notprefix', ACTIVITIES, 'something'],
    ['err-403', ACTIVITIES, NO_ROLE],
    ['err-404', `${ACTIVITIES}/${NO_SUCH}`, DEMO_API_KEY],
    ['err-notguid', `${ACTIVITIES}/not-a-guid`, DEMO_API_KEY],
    ['health', '/api/v1/health', null],
    ['health-live', '/api/v1/health/live', null],
    ['health-ready', '/api/v1/health/ready', null],
    ['health-version', '/api/v1/health/version', null],
    ['html-metrics', '/metrics', null],
    ['html-unknown', '/api/v1/no-such-thing', null],
    ['past-end', `${ACTIVITIES}?page=900`, DEMO_API_KEY],
    ['status-ignored', `${ACTIVITIES}?status=InProgress&pageSize=1`, DEMO_API_KEY],
    ['syncrule', `${ACTIVITIES}?targetType=SyncRule`, DEMO_API_KEY],
  ])('%s is as recorded', async (name, path, key) => {
    expect(comparable(await hear(server, path, key))).toEqual(comparable(recordedHttp(name)));
  });

  test('err-429 is as recorded, on the 301st request of a minute', async () => {
    now += 10 * 60_000;
    for (let index = 0; index < 300; index += 1) {
      const { status } = await hear(server, `${ACTIVITIES}?pageSize=1`, DEMO_API_KEY);
      expect(status).toBe('HTTP/1.1 200 OK');
    }
    const refused = await hear(server, `${ACTIVITIES}?pageSize=1`, DEMO_API_KEY);
    expect(comparable(refused)).toEqual(comparable(recordedHttp('err-429')));
  });
});

/** What an answer is but for its moment, its chance and what was left out of the recordings. */
function comparable(answer: Heard): Heard {
  const masked = answer.headers.map(([name, value]): readonly [string, string] => {
    if (name === 'date')
      return [name, /^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/.test(value) ? 'a date' : value];
    return name === 'set-cookie' || name === 'location' ? [name, '(left out)'] : [name, value];
  });
  return {
    status: answer.status,
    headers: masked.toSorted(([a], [b]) => (a < b ? -1 : 1)),
    body: answer.body
      .replace(/"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{1,7}Z"/, '"a timestamp"')
      .replace(/"00-[0-9a-f]{32}-[0-9a-f]{16}-00"/, '"a trace id"')
      .replace(/^(\n<!DOCTYPE html>\n<html lang="en">)[^]*<\/html>$/, '$1…</html>'),
  };
}
