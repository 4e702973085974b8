import { describe, expect, test } from 'vitest';
import { ROW_DAMAGES, type Fault, type FaultOptions } from '../../src/demo/faults.ts';
import { createSimulator, type Simulator } from '../../src/demo/simulator.ts';
import { World } from '../../src/demo/world.ts';
import { ACTIVITIES, ask, type Asked } from './ask.ts';

const START = Date.parse('2026-11-23T12:00:00Z');

function simulatorWith(fault: Fault, options?: FaultOptions): Simulator {
  const world = new World({ seed: 1, startMs: START });
  for (let row = 0; row < 4; row += 1) world.insert({ status: 'Complete' });
  const simulator = createSimulator({ world, now: () => START });
  simulator.faults.inject(fault, options);
  return simulator;
}

const struckBy = (fault: Fault): Promise<Asked> => ask(simulatorWith(fault), ACTIVITIES);

async function statuses(
  simulator: Simulator,
  paths: readonly string[],
): Promise<readonly number[]> {
  const found: number[] = [];
  for (const path of paths) found.push((await ask(simulator, path)).status);
  return found;
}

describe('faults that HTTP can express', () => {
  test.each([
    ['envelope', '{"code":"INTERNAL_ERROR"'],
    ['problem', '{"type":"https://tools.ietf.org/html/rfc9110'],
    ['unauthorized', '{"error":"Unauthorized"'],
    ['empty', ''],
    ['html', '\n<!DOCTYPE html>'],
  ] as const)('an error status has the body of an %s', async (body, start) => {
    const { status, text } = await struckBy({ kind: 'status', status: 500, body });
    expect(status).toBe(500);
    expect(text.startsWith(start)).toBe(true);
    expect(text === '').toBe(body === 'empty');
  });

  test('Retry-After is what was asked for, or missing', async () => {
    const after = async (retryAfter?: number | string): Promise<string | null> => {
      const fault: Fault = {
        kind: 'status',
        status: 503,
        ...(retryAfter === undefined ? {} : { retryAfter }),
      };
      return (await struckBy(fault)).headers.get('retry-after');
    };
    expect(await after(5)).toBe('5');
    expect(await after('Mon, 23 Nov 2026 12:00:30 GMT')).toBe('Mon, 23 Nov 2026 12:00:30 GMT');
    expect(await after()).toBeNull();
  });

  test('a redirect names another place and has no body', async () => {
    const { status, headers, text } = await struckBy({
      kind: 'redirect',
      location: 'https://elsewhere.example/',
    });
    expect([status, headers.get('location'), text]).toEqual([
      307,
      'https://elsewhere.example/',
      '',
    ]);
  });

  test('HTML comes with 200', async () => {
    const { status, headers } = await struckBy({ kind: 'html' });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  });

  test('garbage calls itself JSON', async () => {
    const { status, headers, text } = await struckBy({ kind: 'garbage' });
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
  });

  test('an oversized body is larger than 16 MiB, or as large as asked', async () => {
    const { text } = await struckBy({ kind: 'oversized' });
    expect(text.length).toBe(17 * 1024 * 1024);
    expect((await struckBy({ kind: 'oversized', bytes: 100_001 })).text.length).toBe(100_001);
  });

  test.each(ROW_DAMAGES)(
    'a row can be damaged by %s, and the others are as before',
    async (damage) => {
      const before = await ask(simulatorWith({ kind: 'html' }, { skip: 1 }), ACTIVITIES);
      const after = await struckBy({ kind: 'malformed_row', damage, row: 2 });
      const rows = (text: string): readonly unknown[] =>
        (JSON.parse(text) as { readonly items: readonly unknown[] }).items;
      const isSame = rows(after.text).map(
        (row, place) => JSON.stringify(row) === JSON.stringify(rows(before.text)[place]),
      );
      expect(isSame).toEqual([true, true, false, true]);
    },
  );

  test('an answer can be edited in any way', async () => {
    const { text, headers } = await struckBy({
      kind: 'edit',
      edit: (body) => ({ was: typeof body, items: [] }),
    });
    expect(JSON.parse(text)).toEqual({ was: 'object', items: [] });
    expect(headers.get('api-supported-versions')).toBe('1.0');
  });
});

describe('a plan of faults', () => {
  test('strikes once unless asked for more, and lets the first ones pass if asked to', async () => {
    const fault: Fault = { kind: 'status', status: 500 };
    const three = [ACTIVITIES, ACTIVITIES, ACTIVITIES];
    expect(await statuses(simulatorWith(fault), three)).toEqual([500, 200, 200]);
    expect(await statuses(simulatorWith(fault, { times: 2 }), three)).toEqual([500, 500, 200]);
    expect(await statuses(simulatorWith(fault, { skip: 1 }), three)).toEqual([200, 500, 200]);
  });

  test('strikes what it was meant for: a path, a pattern, a request', async () => {
    const fault: Fault = { kind: 'status', status: 500 };
    const both = ['/api/v1/health', ACTIVITIES];
    expect(await statuses(simulatorWith(fault, { path: ACTIVITIES }), both)).toEqual([200, 500]);
    expect(await statuses(simulatorWith(fault, { path: /health/ }), both)).toEqual([500, 200]);
    const when: FaultOptions = {
      when: ({ index, query }) => index > 0 && query.get('page') === '2',
    };
    expect(
      await statuses(simulatorWith(fault, when), [
        `${ACTIVITIES}?page=2`,
        ACTIVITIES,
        `${ACTIVITIES}?page=2`,
      ]),
    ).toEqual([200, 200, 500]);
  });

  test('is over when it is lifted or cleared', async () => {
    const simulator = simulatorWith({ kind: 'status', status: 500 }, { times: Infinity });
    const lift = simulator.faults.inject(
      { kind: 'status', status: 502 },
      { path: '/api/v1/health', times: Infinity },
    );
    lift();
    expect(await statuses(simulator, [ACTIVITIES, '/api/v1/health'])).toEqual([500, 500]);
    simulator.faults.clear();
    expect(await statuses(simulator, [ACTIVITIES, '/api/v1/health'])).toEqual([200, 200]);
  });
});

describe('hooks', () => {
  test('come before each request, so that rows can be born between two pages', async () => {
    const world = new World({ seed: 1, startMs: START });
    const simulator = createSimulator({ world, now: () => START });
    const seen: string[] = [];
    const remove = simulator.onRequest(({ index, method, path, query }) => {
      seen.push(`${index} ${method} ${path} ${query.get('page')}`);
      world.insert({ status: 'Complete' });
    });
    const total = async (page: number): Promise<unknown> =>
      (
        JSON.parse((await ask(simulator, `${ACTIVITIES}?page=${page}&pageSize=1`)).text) as {
          readonly totalCount: unknown;
        }
      ).totalCount;
    expect([await total(1), await total(2)]).toEqual([1, 2]);
    remove();
    expect(await total(1)).toBe(2);
    expect(seen).toEqual([`0 GET ${ACTIVITIES} 1`, `1 GET ${ACTIVITIES} 2`]);
    expect(simulator.requestCount).toBe(3);
  });
});
