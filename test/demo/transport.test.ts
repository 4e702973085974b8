import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { createSimulator, type Simulator } from '../../src/demo/simulator.ts';
import { simulatorTransport } from '../../src/demo/transport.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import { NEWEST_FIRST } from './ask.ts';

const START = Date.parse('2026-11-23T12:00:00Z');

function simulatorWithRows(rows: number): Simulator {
  const world = new World({ seed: 1, startMs: START });
  for (let row = 0; row < rows; row += 1) world.insert({ status: 'Complete' });
  return createSimulator({ world, now: () => START });
}

function get(
  simulator: Simulator,
  signal = new AbortController().signal,
  sleep?: () => Promise<void>,
) {
  const transport = simulatorTransport(simulator, sleep === undefined ? {} : { sleep });
  return transport({
    url: new URL(`http://jim.example${NEWEST_FIRST}`),
    method: 'GET',
    headers: { 'x-api-key': DEMO_API_KEY },
    signal,
  });
}

describe('the simulator as a transport', () => {
  test('answers with lower-case headers and the whole body', async () => {
    const answer = await get(simulatorWithRows(3));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.headers['date']).toBe('Mon, 23 Nov 2026 12:00:00 GMT');
    expect(JSON.parse(await text(answer.body))).toMatchObject({ totalCount: 3 });
  });

  test('a reset is an error with the code that Node gives', async () => {
    const simulator = simulatorWithRows(1);
    simulator.faults.inject({ kind: 'reset' });
    await expect(get(simulator)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect((await get(simulator)).status).toBe(200);
  });

  test('a closed port refuses, for as long as it is closed', async () => {
    const simulator = simulatorWithRows(1);
    simulator.world.listening = false;
    await expect(get(simulator)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    simulator.world.listening = true;
    expect((await get(simulator)).status).toBe(200);
  });

  test('a truncated body gives its first bytes, then fails as undici does', async () => {
    const simulator = simulatorWithRows(5);
    simulator.faults.inject({ kind: 'truncate', bytes: 10 });
    const { body } = await get(simulator);
    const chunks: string[] = [];
    const reading = (async () => {
      for await (const chunk of body) chunks.push(Buffer.from(chunk).toString());
    })();
    await expect(reading).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    expect(chunks.join('')).toBe('{"items":[');
  });

  test('a hung request ends with the reason of its signal, and only then', async () => {
    const simulator = simulatorWithRows(1);
    simulator.faults.inject({ kind: 'hang' });
    const abort = new AbortController();
    const reason = new Error('deadline');
    const pending = get(simulator, abort.signal);
    abort.abort(reason);
    await expect(pending).rejects.toBe(reason);
  });

  test('a slow answer passes its time through the given sleep', async () => {
    const simulator = simulatorWithRows(1);
    simulator.faults.inject({ kind: 'slow', ms: 30_000 });
    let slept = 0;
    const answer = await get(simulator, undefined, async () => {
      slept += 1;
    });
    expect([answer.status, slept]).toEqual([200, 1]);
  });
});

describe('the edges of the transport', () => {
  test('an aborted request is never served', async () => {
    const simulator = simulatorWithRows(1);
    const reason = new Error('too late');
    await expect(get(simulator, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(simulator.requestCount).toBe(0);
  });

  test('an empty body has no bytes', async () => {
    const simulator = simulatorWithRows(1);
    simulator.faults.inject({ kind: 'status', status: 403, body: 'empty' });
    const answer = await get(simulator);
    expect([answer.status, await text(answer.body)]).toEqual([403, '']);
  });

  test('a slow answer given up on ends with the reason of its signal', async () => {
    const simulator = simulatorWithRows(1);
    simulator.faults.inject({ kind: 'slow', ms: 3_600_000 });
    const abort = new AbortController();
    const pending = get(simulator, abort.signal);
    const reason = new Error('deadline');
    setImmediate(() => {
      abort.abort(reason);
    });
    await expect(pending).rejects.toBe(reason);
  });
});
