/** Stand-ins for what the web room is wired to: a publication, routes with defaults, a silent log. */
import { gzipSync } from 'node:zlib';
import type { Log, LogFields } from '../../src/log.ts';
import { createRoutes } from '../../src/web/routes.ts';
import type { Fetch, Publication, RoutesOptions } from '../../src/web/routes.ts';

export const TEXT = '# TYPE jim_up gauge\njim_up 1\n';
export const OPENMETRICS = '# TYPE jim_up gauge\njim_up 1.0\n# EOF\n';
export const PUBLISHED_AT_MS = 1_000;
export const NOW_MS = 5_000;

/** A publication of fixed bytes that remembers which scrapes it was told of. */
export function fakePublication({
  text = TEXT,
  openMetrics = OPENMETRICS,
  gzip = true,
} = {}): Publication & {
  readonly scrapes: (readonly [publishedAtMs: number, nowMs: number])[];
} {
  const scrapes: (readonly [number, number])[] = [];
  const bytes = (content: string) => {
    const plain = Buffer.from(content);
    return { plain, compressed: () => (gzip ? gzipSync(plain) : null) };
  };
  const published = {
    text: bytes(text),
    openMetrics: bytes(openMetrics),
    publishedAtMs: PUBLISHED_AT_MS,
  };
  return {
    scrapes,
    current: () => published,
    served: (publishedAtMs, nowMs) => scrapes.push([publishedAtMs, nowMs]),
  };
}

export function testRoutes(overrides: Partial<RoutesOptions> = {}): Fetch {
  return createRoutes({
    publication: fakePublication(),
    telemetryPath: '/metrics',
    lifecycle: { enabled: true, reload: async () => ({ ok: true }) },
    ready: () => true,
    maxRequests: 40,
    page: () => ({
      html: '<!doctype html><title>JIM</title>',
      contentSecurityPolicy: "default-src 'none'",
    }),
    nowMs: () => NOW_MS,
    log: silentLog,
    ...overrides,
  });
}

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  from: () => silentLog,
};

/** A log whose lines a test reads: `level msg key=value …`. */
export function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const at =
    (level: string) =>
    (msg: string, fields: LogFields = {}): void => {
      const pairs = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
      lines.push([level, msg, ...pairs].join(' '));
    };
  const log = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    from: () => log,
  };
  return log;
}
