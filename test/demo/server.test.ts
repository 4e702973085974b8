/** The simulator on a real port: what breaks a connection must look to a client as JIM's breaking would. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Agent, request } from 'undici';
import { startSimulatorServer, type SimulatorServer } from '../../src/demo/server.ts';
import { createSimulator, type Simulator } from '../../src/demo/simulator.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import { ACTIVITIES } from './ask.ts';

const START = Date.parse('2026-11-23T12:00:00Z');

describe('the simulator on a port', () => {
  let simulator: Simulator;
  let server: SimulatorServer;
  let agent: Agent;

  beforeEach(async () => {
    const world = new World({ seed: 1, startMs: START });
    for (let row = 0; row < 40; row += 1) world.insert({ status: 'Complete' });
    simulator = createSimulator({ world, now: () => START });
    server = await startSimulatorServer(simulator);
    agent = new Agent();
  });
  afterEach(async () => {
    await agent.destroy();
    await server.close();
  });

  const get = (signal?: AbortSignal) =>
    request(`${server.url}${ACTIVITIES}`, {
      dispatcher: agent,
      headers: { 'X-API-Key': DEMO_API_KEY },
      ...(signal === undefined ? {} : { signal }),
    });

  test('answers, chunked as Kestrel does, and keeps the connection', async () => {
    const { statusCode, headers, body } = await get();
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({
      server: 'Kestrel',
      date: 'Mon, 23 Nov 2026 12:00:00 GMT',
      'transfer-encoding': 'chunked',
    });
    expect(headers).not.toHaveProperty('content-length');
    expect(await body.json()).toMatchObject({ totalCount: 40 });
    expect((await get()).statusCode).toBe(200);
  });

  test.each(['reset', 'refuse'] as const)(
    'breaks the connection before the answer: %s',
    async (kind) => {
      simulator.faults.inject({ kind });
      await expect(get()).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect((await get()).statusCode).toBe(200);
    },
  );

  test('ends within the body, which undici calls by the same code as the transport', async () => {
    simulator.faults.inject({ kind: 'truncate', bytes: 10 });
    const { statusCode, body } = await get();
    expect(statusCode).toBe(200);
    await expect(body.text()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
  });

  test('never answers until the client gives up', async () => {
    simulator.faults.inject({ kind: 'hang' });
    const arrived = new Promise<void>((resolve) => {
      simulator.onRequest(() => {
        resolve();
      });
    });
    const abort = new AbortController();
    const pending = get(abort.signal).then(
      () => 'answered',
      (error: unknown) => error,
    );
    await arrived;
    // Another request comes and goes meanwhile.
    expect((await get()).statusCode).toBe(200);
    expect(await Promise.race([pending, Promise.resolve('waiting')])).toBe('waiting');
    const reason = new Error('deadline');
    abort.abort(reason);
    expect(await pending).toBe(reason);
  });

  test('sends a large body in pieces', async () => {
    simulator.faults.inject({ kind: 'oversized', bytes: 1_000_000 });
    const { body } = await get();
    expect((await body.text()).length).toBe(1_000_000);
  });

  test('can be slow', async () => {
    simulator.faults.inject({ kind: 'slow', ms: 20 });
    expect((await get()).statusCode).toBe(200);
  });

  test('says when its port is taken', async () => {
    const port = Number(new URL(server.url).port);
    await expect(startSimulatorServer(simulator, { port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});
