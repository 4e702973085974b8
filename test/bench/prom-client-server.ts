/** A peer: prom-client alone, rendering at each scrape. Argument: how many series. Its message is its port. */
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { Gauge, Registry } from 'prom-client';

const LABELS = ['connected_system', 'run_profile', 'run_type', 'outcome'] as const;
const SERIES_PER_FAMILY = 1_000;

const series = Number(process.argv[2]);
const registry = new Registry();
for (let first = 0; first < series; first += SERIES_PER_FAMILY) {
  const gauge = new Gauge({
    name: `jim_bench_${first}`,
    help: 'Some of the series.',
    labelNames: LABELS,
    registers: [registry],
  });
  for (let index = first; index < Math.min(series, first + SERIES_PER_FAMILY); index += 1)
    gauge.set(
      {
        connected_system: `System ${index % 300}`,
        run_profile: `Profile ${index}`,
        run_type: 'FullImport',
        outcome: 'Added',
      },
      index,
    );
}

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
