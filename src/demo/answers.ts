/** JIM's answers as values: its one JSON shape for success, its four for errors, and a page of HTML (jim-api, 1.5 and 9). */
import type { Dialect } from './dialects.ts';
import { writeTimestamp, type Json } from './json.ts';
import { MICROS_PER_MS } from './row.ts';

export interface Answer {
  readonly status: number;
  /** In the order in which Kestrel writes them; Date and Server are added when the answer is sent. */
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: string;
  /** MVC reached the action: the answer then names the API's versions. */
  readonly fromAction: boolean;
}

const JSON_TYPE = ['Content-Type', 'application/json; charset=utf-8'] as const;

export function ok(body: Json): Answer {
  return okText(JSON.stringify(body));
}

/** As `ok`, for what is JSON text already. */
export function okText(body: string): Answer {
  return { status: 200, headers: [JSON_TYPE], body, fromAction: true };
}

export type ErrorCode =
  'NOT_FOUND' | 'BAD_REQUEST' | 'INTERNAL_ERROR' | 'SERVICE_UNAVAILABLE' | 'TOO_MANY_REQUESTS' | '';

/** JIM's own error shape. Some controllers leave the code empty. */
export function envelope(status: number, code: ErrorCode, message: string, jimNow: number): Answer {
  const body = {
    code,
    message,
    details: null,
    validationErrors: null,
    timestamp: writeTimestamp(jimNow),
  };
  return { status, headers: [JSON_TYPE], body: JSON.stringify(body), fromAction: true };
}

/** What ASP.NET answers to parameters that do not bind. The action is never reached. */
export function problem(
  errors: Readonly<Record<string, readonly string[]>>,
  traceId: string,
): Answer {
  const body = {
    type: 'https://tools.ietf.org/html/rfc9110#section-15.5.1',
    title: 'One or more validation errors occurred.',
    status: 400,
    errors,
    traceId,
  };
  return { status: 400, headers: [JSON_TYPE], body: JSON.stringify(body), fromAction: false };
}

/** No key, or none that JIM accepts: written by the sign-in challenge, cookies and all. */
export function unauthorized(nonce: string): Answer {
  return {
    status: 401,
    headers: [JSON_TYPE, ...challengeCookies(nonce)],
    body: JSON.stringify({ error: 'Unauthorized', message: 'Authentication required' }),
    fromAction: false,
  };
}

/** A client that keeps cookies collects two a request. */
function challengeCookies(nonce: string): ReadonlyArray<readonly [string, string]> {
  const rest = 'path=/signin-oidc; secure; samesite=none; httponly';
  return [
    ['Set-Cookie', `.AspNetCore.OpenIdConnect.Nonce.${nonce}=N; ${rest}`],
    ['Set-Cookie', `.AspNetCore.Correlation.${nonce}=N; ${rest}`],
  ];
}

/** A good key without the Administrator role. */
export function forbidden(): Answer {
  return empty(403);
}

export function empty(status: number): Answer {
  return { status, headers: [['Content-Length', '0']], body: '', fromAction: false };
}

export function tooManyRequests(retryAfterSeconds: number, jimNow: number): Answer {
  const message = 'Too many requests. Please retry after the indicated delay.';
  return {
    ...envelope(429, 'TOO_MANY_REQUESTS', message, jimNow),
    headers: [
      ['Content-Type', 'application/json'],
      ['Retry-After', String(retryAfterSeconds)],
    ],
    fromAction: false,
  };
}

/** The Blazor shell, which answers every path that nobody knows. */
export function html(): Answer {
  return {
    status: 200,
    headers: [
      ['Content-Type', 'text/html; charset=utf-8'],
      ['Cache-Control', 'no-cache, no-store, max-age=0'],
    ],
    body: '\n<!DOCTYPE html>\n<html lang="en"><head><title>JIM</title></head><body></body></html>',
    fromAction: false,
  };
}

/** What lies outside the API wants a signed-in person. */
export function signIn(nonce: string): Answer {
  return {
    status: 302,
    headers: [
      ['Content-Length', '0'],
      ['Location', 'https://sign-in.example/authorize'],
      ...challengeCookies(nonce),
    ],
    body: '',
    fromAction: false,
  };
}

const SECURITY_HEADERS: ReadonlyArray<readonly [string, string]> = [
  [
    'Content-Security-Policy',
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self' wss: ws:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
  ],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'strict-origin-when-cross-origin'],
  ['Permissions-Policy', 'camera=(), microphone=(), geolocation=()'],
];

/** An answer with all its headers. A value, not Fetch's Response: reading that costs more than making it. */
export interface Reply {
  readonly status: number;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: string;
}

/** `Date` is JIM's clock in whole seconds, unless a proxy's was asked for. */
export function toReply(answer: Answer, dialect: Dialect, dateMicros: number): Reply {
  const [first, ...others] = answer.headers;
  const headers: Array<readonly [string, string]> = [];
  if (first !== undefined) headers.push(first);
  headers.push(['Date', new Date(dateMicros / MICROS_PER_MS).toUTCString()], ['Server', 'Kestrel']);
  headers.push(...others);
  if (answer.body !== '') headers.push(['Transfer-Encoding', 'chunked']);
  if (dialect.securityHeaders) headers.push(...SECURITY_HEADERS);
  if (answer.fromAction) headers.push(['api-supported-versions', '1.0']);
  return { status: answer.status, headers, body: answer.body };
}

/** A reply as Fetch knows it; with a body of its own where it is larger than a string should be. */
export function toResponse(
  { status, headers, body }: Reply,
  largeBody: ReadableStream<Uint8Array> | null = null,
): Response {
  const pairs = headers.map(([name, value]): [string, string] => [name, value]);
  return new Response(largeBody ?? (body === '' ? null : body), { status, headers: pairs });
}

/** `bytes` of nothing in particular, never in memory at once. */
export function blankBody(bytes: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(64 * 1024).fill(0x20);
  let left = bytes;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left <= 0) {
        controller.close();
        return;
      }
      controller.enqueue(left < chunk.length ? chunk.subarray(0, left) : chunk);
      left -= chunk.length;
    },
  });
}
