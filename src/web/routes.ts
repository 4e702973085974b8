/**
 * What the exporter answers over HTTP. `/metrics` serves the bytes of the last publication and nothing
 * else: no request here ever waits for JIM or renders, and only the first in a format is compressed for.
 */
import { Hono } from 'hono';
import type { Context } from 'hono';
import type { Log } from '../log.ts';
import { acceptsGzip, negotiateFormat } from './negotiation.ts';

/** What `metrics/publication` gives us: the bytes as last published, immutable. */
export interface Publication {
  /** Null before the first publication. */
  current(): PublishedBytes | null;
  /** A complete scrape of the publication of that moment went out (the zero hold waits for this). */
  served(publishedAtMs: number, nowMs: number): void;
}
export interface PublishedBytes {
  readonly text: Representation;
  readonly openMetrics: Representation;
  readonly publishedAtMs: number;
}
export interface Representation {
  readonly plain: Uint8Array;
  /** One gzip member, at hand or under way; null where compressing is switched off. */
  compressed(): Uint8Array | Promise<Uint8Array> | null;
}

export interface Page {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

export type ReloadResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export interface RoutesOptions {
  readonly publication: Publication;
  /** Starts with a slash. At `/` there is no page. */
  readonly telemetryPath: string;
  readonly lifecycle: { readonly enabled: boolean; readonly reload: () => Promise<ReloadResult> };
  /** The state is loaded and a first publication, with JIM or without it, is there. */
  readonly ready: () => boolean;
  /** Scrapes under way at once; 0 is no limit. */
  readonly maxRequests: number;
  readonly page: () => Page;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** What a handler may know of the connection; absent where a test calls the routes directly. */
export interface RequestEnv {
  readonly delivery?: Delivery | undefined;
}
export interface Delivery {
  /** Calls once, when the answer is out (`complete`) or its connection is gone. */
  onEnd(listener: (complete: boolean) => void): void;
}

export type Fetch = (request: Request, env: RequestEnv) => Response | Promise<Response>;

export function createRoutes(options: RoutesOptions): Fetch {
  const app = new Hono<{ Bindings: RequestEnv }>({ getPath: undecodedPath });

  app.get(literalRoute(options.telemetryPath), scrapeHandler(options));
  app.get('/-/healthy', (c) => c.text('jim-exporter is healthy.\n'));
  app.get('/-/ready', (c) =>
    options.ready()
      ? c.text('jim-exporter is ready.\n')
      : c.text('jim-exporter is not ready: nothing has been published yet.\n', 503),
  );
  app.on(['POST', 'PUT'], '/-/reload', async (c) => {
    if (!options.lifecycle.enabled) {
      return c.text('Lifecycle API is not enabled: start with --web.enable-lifecycle.\n', 403);
    }
    const result = await options.lifecycle.reload();
    return result.ok ? c.text('') : c.text(`failed to reload config: ${result.reason}\n`, 500);
  });
  if (options.telemetryPath !== '/') app.get('/', (c) => showPage(c, options.page()));

  // Not by `app.all`, which would put a second handler behind every scrape.
  const allowed = new Map([
    ['/-/reload', 'POST, PUT'],
    ...[options.telemetryPath, '/-/healthy', '/-/ready', '/'].map(
      (path) => [path, 'GET, HEAD'] as const,
    ),
  ]);
  app.notFound((c) => {
    const allow = allowed.get(undecodedPath(c.req.raw));
    return allow === undefined
      ? c.text('404 page not found\n', 404)
      : c.text('405 method not allowed\n', 405, { Allow: allow });
  });
  app.onError((err, c) => {
    options.log.error('Could not answer a request', { err, path: c.req.path });
    return c.text('Internal Server Error\n', 500);
  });
  return (request, env) => app.fetch(request, env);
}

type RouteContext = Context<{ Bindings: RequestEnv }>;

function scrapeHandler(options: RoutesOptions): (c: RouteContext) => Response | Promise<Response> {
  let underWay = 0;
  const negotiate = remembering(negotiateFormat);
  return (c) => {
    if (options.maxRequests > 0 && underWay >= options.maxRequests) {
      const limit = options.maxRequests;
      return c.text(`Limit of concurrent requests reached (${limit}), try again later.\n`, 503);
    }
    const published = options.publication.current();
    if (published === null) return c.text('Nothing has been published yet.\n', 503);
    const { delivery } = c.env ?? {};
    if (delivery !== undefined) {
      underWay += 1;
      delivery.onEnd((complete) => {
        underWay -= 1;
        if (complete && c.req.method === 'GET') {
          options.publication.served(published.publishedAtMs, options.nowMs());
        }
      });
    }
    const { format, contentType } = negotiate(c.req.header('accept') ?? null);
    return expositionResponse(c, published[format], contentType);
  };
}

function expositionResponse(
  c: RouteContext,
  representation: Representation,
  contentType: string,
): Response | Promise<Response> {
  const respond = (body: Uint8Array, encoding: Readonly<Record<string, string>>): Response =>
    new Response(body, {
      headers: {
        'Content-Type': contentType,
        'Content-Length': String(body.byteLength),
        Vary: 'Accept, Accept-Encoding',
        ...encoding,
      },
    });
  const accepts = acceptsGzip(c.req.header('accept-encoding') ?? null);
  const compressed = accepts ? representation.compressed() : null;
  if (compressed === null) return respond(representation.plain, NOT_ENCODED);
  if (!(compressed instanceof Promise)) return respond(compressed, GZIP_ENCODED);
  return compressed.then((body) => respond(body, GZIP_ENCODED));
}

const NOT_ENCODED = {};
const GZIP_ENCODED = { 'Content-Encoding': 'gzip' };

const MAX_REMEMBERED_HEADERS = 100;

/** Scrapers are few and send the same header each time; reading it would cost a fifth of a scrape. */
function remembering<T>(read: (header: string | null) => T): (header: string | null) => T {
  const known = new Map<string | null, T>();
  return (header) => {
    const before = known.get(header);
    if (before !== undefined) return before;
    if (known.size >= MAX_REMEMBERED_HEADERS) known.clear();
    const result = read(header);
    known.set(header, result);
    return result;
  };
}

function showPage(c: RouteContext, page: Page): Response {
  return c.html(page.html, 200, {
    'Content-Security-Policy': page.contentSecurityPolicy,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
  });
}

/** Hono's route for exactly this path, in which `:` and `*` may stand: they mean something to Hono. */
function literalRoute(path: string): string {
  const segments = path.split('/').map((segment, index) => {
    const escaped = segment.replaceAll(/[^\w-]/g, String.raw`\$&`);
    return /[:*]/.test(segment) ? `:literal${index}{${escaped}}` : segment;
  });
  return segments.join('/');
}

/** The path as it was sent: decoding would give every route a second name (`/%6Detrics`). */
function undecodedPath(request: Request): string {
  return /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(request.url)?.[1] ?? '/';
}
