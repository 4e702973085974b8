/**
 * A process of its own that answers as JIM 0.14 does, from rows encoded beforehand, so that what is measured is
 * the exporter. Told by messages: `add` so many finished runs, `open` so many in progress; each is answered with
 * the requests served so far. The first message it sends is its port.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { RowOptions } from './jim-rows.ts';
import { encodedPage, finishedRows, openRows } from './jim-rows.ts';

export type JimOrder =
  | ({ readonly kind: 'add' | 'open'; readonly count: number } & RowOptions)
  | { readonly kind: 'tell' };

/** Finished runs and those in progress, oldest first. */
let finished: readonly string[] = [];
let open: readonly string[] = [];
let requests = 0;
/** Answers are encoded once for each query, so that most of what is measured is the asker. */
const encoded = new Map<string, Buffer>();
const MAX_ENCODED = 1_000;

const server = createServer(answer);
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.(address.port);
});

process.on('message', (order: JimOrder) => {
  if (order.kind === 'add') finished = [...finished, ...finishedRows(order.count, order)];
  if (order.kind === 'open') open = openRows(order.count, order);
  if (order.kind !== 'tell') encoded.clear();
  process.send?.(requests);
});
process.on('disconnect', () => process.exit());

function answer(request: IncomingMessage, response: ServerResponse): void {
  requests += 1;
  const body = encodedAnswer(request.url ?? '/');
  response.statusCode = body === null ? 404 : 200;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(body ?? '{"code":"NOT_FOUND","message":"not simulated"}');
}

function encodedAnswer(path: string): Buffer | null {
  const known = encoded.get(path);
  if (known !== undefined) return known;
  const body = bodyOf(new URL(path, 'http://jim'));
  if (body === null) return null;
  if (encoded.size >= MAX_ENCODED) encoded.clear();
  const bytes = Buffer.from(body);
  encoded.set(path, bytes);
  return bytes;
}

function bodyOf({ pathname, searchParams }: URL): string | null {
  if (pathname === '/api/v1/health/version') return '{"version":"0.14.0"}';
  if (pathname !== '/api/v1/activities') return null;
  const query = {
    page: Number(searchParams.get('page') ?? 1),
    pageSize: Number(searchParams.get('pageSize') ?? 25),
  };
  if (searchParams.get('sortBy') === 'status')
    return encodedPage(
      [...finished.slice(-1_000), ...open],
      { ...query, descending: true },
      total(),
    );
  // Runs in progress are the newest rows.
  const rows = open.length === 0 ? finished : [...finished, ...open];
  const descending = searchParams.get('sortDirection') !== 'asc';
  return encodedPage(rows, { ...query, descending }, total());
}

function total(): number {
  return finished.length + open.length;
}
