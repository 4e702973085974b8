/** A peer: prom-client alone, rendering at each scrape. Argument: how many series. Its message is its port. */
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { gaugesOf } from './prom-client-gauges.ts';

const registry = gaugesOf(Number(process.argv[2]));

const server = createServer((_request, response) => {
  void render(response);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.(address.port);
});
process.on('disconnect', () => process.exit());

async function render(response: ServerResponse): Promise<void> {
  const text = await registry.metrics();
  response.setHeader('Content-Type', registry.contentType);
  response.end(text);
}
