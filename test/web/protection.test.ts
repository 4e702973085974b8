import { describe, expect, test } from 'vitest';
import type { AuthVerdict } from '../../src/web/basic-auth.ts';
import { protect } from '../../src/web/protection.ts';
import { startServer } from '../../src/web/server.ts';
import type { WebConfig } from '../../src/web/web-config.ts';
import { recordingLog, TEXT, testRoutes } from './fakes.ts';

const OPEN: WebConfig = { tls: null, headers: [], users: new Map(), rateLimit: null };
const GUARDED: WebConfig = { ...OPEN, users: new Map([['alice', '$2y$…']]) };

async function answer(config: WebConfig | null, broken = false, verdict: AuthVerdict = 'refused') {
  const fetch = protect(testRoutes(), {
    webConfig: config === null ? null : { current: () => ({ config, broken }) },
    nowMs: () => 0,
    log: recordingLog(),
    basicAuth: { check: async () => verdict },
  });
  const response = await fetch(new Request('http://exporter/metrics'), {});
  return { status: response.status, body: await response.text(), headers: response.headers };
}

describe('protection', () => {
  test.each<readonly [what: string, WebConfig | null, boolean, AuthVerdict, number, string]>([
    ['no file', null, false, 'refused', 200, TEXT],
    ['a file that asks for nothing', OPEN, false, 'refused', 200, TEXT],
    ['right credentials', GUARDED, false, 'accepted', 200, TEXT],
    ['wrong credentials', GUARDED, false, 'refused', 401, 'Unauthorized\n'],
    [
      'too many checks under way',
      GUARDED,
      false,
      'busy',
      503,
      'Too many passwords are being checked\n',
    ],
    ['a bad file, whoever asks', GUARDED, true, 'accepted', 500, 'Internal Server Error\n'],
  ])('%s', async (_, config, broken, verdict, status, body) => {
    expect(await answer(config, broken, verdict)).toMatchObject({ status, body });
  });

  test('whoever meets too many checks is told when to come again', async () => {
    const { headers } = await answer(GUARDED, false, 'busy');
    expect(headers.get('retry-after')).toBe('10');
  });

  test('a fault of ours before the routes is 500 without its words, which go to the log', async () => {
    const log = recordingLog();
    const server = await startServer({
      addresses: [{ text: '127.0.0.1:0', host: '127.0.0.1', port: 0 }],
      fetch: () => {
        throw new Error('the bug');
      },
      webConfig: null,
      nowMs: () => 0,
      log,
    });
    const response = await fetch(`http://${server.addresses[0]}/metrics`);
    expect([response.status, await response.text()]).toEqual([500, 'Internal Server Error\n']);
    expect(log.lines.at(-1)).toBe('error Could not answer a request err=Error: the bug');
    await server.close(0);
  });
});
