import { afterEach, describe, expect, test } from 'vitest';
import { startServer } from '../../src/web/server.ts';
import type { ListenAddress, RunningServer, ServerOptions } from '../../src/web/server.ts';
import { fakePublication, NOW_MS, PUBLISHED_AT_MS, silentLog, TEXT, testRoutes } from './fakes.ts';

const LOOPBACK: ListenAddress = { text: '127.0.0.1:0', host: '127.0.0.1', port: 0 };

const running: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close(0)));
});

async function start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const defaults = {
    addresses: [LOOPBACK],
    fetch: testRoutes(),
    webConfig: null,
    nowMs: Date.now,
    log: silentLog,
  };
  const server = await startServer({ ...defaults, ...options });
  running.push(server);
  return server;
}

describe('listening', () => {
  test('serves the same on every address and says where they are', async () => {
    const addresses = [
      LOOPBACK,
      { text: '[::1]:0', host: '::1', port: 0 },
      { text: ':0', host: null, port: 0 },
    ];
    const server = await start({ addresses });
    expect(server.addresses).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^\[::1\]:\d+$/),
      expect.stringMatching(/^(?:\[::\]|0\.0\.0\.0):\d+$/),
    ]);
    for (const address of server.addresses) {
      const response = await fetch(`http://${address}/metrics`);
      expect(await response.text()).toBe(TEXT);
    }
  });

  test('a taken port is a sentence that says what to do, and nothing stays open', async () => {
    const taken = await start();
    const port = Number(taken.addresses[0]?.split(':')[1]);
    const second = { text: `127.0.0.1:${port}`, host: '127.0.0.1', port };
    await expect(start({ addresses: [LOOPBACK, second] })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}: the port is taken; stop the other program or choose another address with --web.listen-address`,
    );
  });
});

test.each([
  ['203.0.113.1', 'this machine has no such address; choose another with --web.listen-address'],
  [
    'no.such.host.invalid',
    'this machine has no such address; choose another with --web.listen-address',
  ],
])('listening on %s fails with what to do', async (host, sentence) => {
  const address = { text: `${host}:10190`, host, port: 10190 };
  await expect(start({ addresses: [address] })).rejects.toThrow(
    `cannot listen on ${host}:10190: ${sentence}`,
  );
});

test('a scrape that was read to its end is reported to the publication, a HEAD is not', async () => {
  const publication = fakePublication();
  const server = await start({ fetch: testRoutes({ publication }) });
  await (await fetch(`http://${server.addresses[0]}/metrics`, { method: 'HEAD' })).text();
  await (await fetch(`http://${server.addresses[0]}/metrics`)).text();
  expect(publication.scrapes).toEqual([[PUBLISHED_AT_MS, NOW_MS]]);
});
