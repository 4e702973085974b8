import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Delivery, Fetch } from '../../src/web/routes.ts';
import {
  fakePublication,
  NOW_MS,
  OPENMETRICS,
  PUBLISHED_AT_MS,
  recordingLog,
  TEXT,
  testRoutes,
} from './fakes.ts';

async function ask(
  routes: Fetch,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  return routes(new Request(`http://exporter:10190${path}`, { method, headers }), {});
}

/** A delivery that the test ends, and the env that carries it. */
function openDelivery(): { env: { delivery: Delivery }; end(complete: boolean): void } {
  const listeners: ((complete: boolean) => void)[] = [];
  return {
    env: { delivery: { onEnd: (listener) => listeners.push(listener) } },
    end: (complete) => listeners.forEach((listener) => listener(complete)),
  };
}

describe('/metrics', () => {
  test('text, plain, with its length and what it varies by', async () => {
    const response = await ask(testRoutes(), '/metrics');
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      'content-length': String(TEXT.length),
      vary: 'Accept, Accept-Encoding',
    });
    expect(await response.text()).toBe(TEXT);
  });

  test('OpenMetrics, compressed', async () => {
    const headers = { accept: 'application/openmetrics-text', 'accept-encoding': 'gzip' };
    const response = await ask(testRoutes(), '/metrics', { headers });
    const body = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(response.headers.get('content-length')).toBe(String(body.length));
    expect(gunzipSync(body).toString()).toBe(OPENMETRICS);
  });

  test('plain while the compressed bytes are not there yet', async () => {
    const publication = fakePublication({ gzip: false });
    const headers = { 'accept-encoding': 'gzip' };
    const response = await ask(testRoutes({ publication }), '/metrics', { headers });
    expect(response.headers.get('content-encoding')).toBeNull();
    expect(await response.text()).toBe(TEXT);
  });

  test('503 before anything was published', async () => {
    const publication = { ...fakePublication(), current: () => null };
    const response = await ask(testRoutes({ publication }), '/metrics');
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('Nothing has been published yet.\n');
  });

  test('ignores a query and serves nothing else for it', async () => {
    const response = await ask(testRoutes(), '/metrics?target=http://evil/&file=/etc/passwd');
    expect(await response.text()).toBe(TEXT);
  });

  test('a fault of ours is a 500 without its words, which go to the log', async () => {
    const log = recordingLog();
    const publication = {
      ...fakePublication(),
      current: () => {
        throw new Error('the bug');
      },
    };
    const response = await ask(testRoutes({ publication, log }), '/metrics');
    expect([response.status, await response.text()]).toEqual([500, 'Internal Server Error\n']);
    expect(log.lines).toEqual([
      'error Could not answer a request err=Error: the bug path=/metrics',
    ]);
  });

  test('tells the publication of a complete GET alone', async () => {
    const publication = fakePublication();
    const routes = testRoutes({ publication });
    const scrape = async (method: string, complete: boolean): Promise<void> => {
      const delivery = openDelivery();
      await routes(new Request('http://exporter/metrics', { method }), delivery.env);
      expect(publication.scrapes.length).toBeLessThanOrEqual(1);
      delivery.end(complete);
    };
    await scrape('HEAD', true);
    await scrape('GET', false);
    expect(publication.scrapes).toEqual([]);
    await scrape('GET', true);
    expect(publication.scrapes).toEqual([[PUBLISHED_AT_MS, NOW_MS]]);
  });

  test('more scrapes at once than max-requests get 503, until one of them has ended', async () => {
    const routes = testRoutes({ maxRequests: 2 });
    const [first, second] = [openDelivery(), openDelivery()];
    const scrape = (env: object) => routes(new Request('http://exporter/metrics'), env);
    expect((await scrape(first.env)).status).toBe(200);
    expect((await scrape(second.env)).status).toBe(200);
    const refused = await scrape(openDelivery().env);
    expect(refused.status).toBe(503);
    expect(await refused.text()).toBe(
      'Limit of concurrent requests reached (2), try again later.\n',
    );
    expect((await ask(routes, '/-/healthy')).status).toBe(200);
    first.end(false);
    expect((await scrape(openDelivery().env)).status).toBe(200);
  });

  test('max-requests 0 is no limit', async () => {
    const routes = testRoutes({ maxRequests: 0 });
    for (let i = 0; i < 100; i += 1) {
      const { env } = openDelivery();
      expect((await routes(new Request('http://exporter/metrics'), env)).status).toBe(200);
    }
  });

  test.each(['/custom/path', '/a.b~c-d', '/:name', '/*', '/a/:b/c*', "/$&'()+,;=@!"])(
    'moves to the telemetry path %s, literally',
    async (telemetryPath) => {
      const routes = testRoutes({ telemetryPath });
      expect(await (await ask(routes, telemetryPath)).text()).toBe(TEXT);
      expect((await ask(routes, '/other')).status).toBe(404);
      expect((await ask(routes, '/a/x/cc')).status).toBe(404);
      expect((await ask(routes, '/metrics')).status).toBe(404);
      expect((await ask(routes, '/')).headers.get('content-type')).toContain('text/html');
    },
  );
});

describe('the page', () => {
  test('is HTML under a policy of its own', async () => {
    const response = await ask(testRoutes(), '/');
    expect(response.headers.get('content-type')).toBe('text/html; charset=UTF-8');
    expect(response.headers.get('content-security-policy')).toBe("default-src 'none'");
  });

  test('gives way to metrics at /', async () => {
    const response = await ask(testRoutes({ telemetryPath: '/' }), '/');
    expect(await response.text()).toBe(TEXT);
  });
});

describe('health', () => {
  test('is healthy as soon as it serves', async () => {
    const response = await ask(testRoutes({ ready: () => false }), '/-/healthy');
    expect([response.status, await response.text()]).toEqual([200, 'jim-exporter is healthy.\n']);
  });

  test.each([
    [true, 200, 'jim-exporter is ready.\n'],
    [false, 503, 'jim-exporter is not ready: nothing has been published yet.\n'],
  ])('ready: %s → %i', async (ready, status, text) => {
    const response = await ask(testRoutes({ ready: () => ready }), '/-/ready');
    expect([response.status, await response.text()]).toEqual([status, text]);
  });
});

describe('/-/reload', () => {
  const lifecycle = (enabled: boolean, fault?: string) => ({
    enabled,
    reload: async () =>
      fault === undefined ? { ok: true as const } : { ok: false as const, reason: fault },
  });

  test.each([
    ['POST', lifecycle(true), 200, ''],
    ['PUT', lifecycle(true), 200, ''],
    ['POST', lifecycle(true, 'jim.yaml:3: no'), 500, 'failed to reload config: jim.yaml:3: no\n'],
    [
      'POST',
      lifecycle(false),
      403,
      'Lifecycle API is not enabled: start with --web.enable-lifecycle.\n',
    ],
    ['GET', lifecycle(true), 405, '405 method not allowed\n'],
    ['DELETE', lifecycle(false), 405, '405 method not allowed\n'],
  ])('%s', async (method, reload, status, text) => {
    const response = await ask(testRoutes({ lifecycle: reload }), '/-/reload', { method });
    expect([response.status, await response.text()]).toEqual([status, text]);
  });
});

describe('methods and paths', () => {
  test.each([
    ['POST', '/metrics', 405, 'GET, HEAD'],
    ['PUT', '/-/healthy', 405, 'GET, HEAD'],
    ['DELETE', '/-/ready', 405, 'GET, HEAD'],
    ['OPTIONS', '/', 405, 'GET, HEAD'],
    ['PATCH', '/metrics', 405, 'GET, HEAD'],
    ['HEAD', '/-/reload', 405, 'POST, PUT'],
    ['POST', '/unknown', 404, null],
    ['GET', '/metrics/', 404, null],
    ['GET', '//metrics', 404, null],
    ['GET', '/METRICS', 404, null],
    ['GET', '/%6Detrics', 404, null],
    ['GET', '/metrics%2f', 404, null],
    ['GET', '/metrics;x=1', 404, null],
    ['GET', '/-/', 404, null],
    ['GET', '/favicon.ico', 404, null],
  ])('%s %s → %i', async (method, path, status, allow) => {
    const response = await ask(testRoutes(), path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('allow')).toBe(allow);
  });

  test.each(['/metrics', '/-/healthy', '/-/ready', '/'])(
    'HEAD %s has the headers of GET and no body',
    async (path) => {
      const [head, get] = [
        await ask(testRoutes(), path, { method: 'HEAD' }),
        await ask(testRoutes(), path),
      ];
      expect([...head.headers]).toEqual([...get.headers]);
      expect(await head.text()).toBe('');
    },
  );
});
