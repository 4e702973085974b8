/**
 * A process of its own that scrapes as fast as it can over keep-alive connections, so that the server under
 * measure keeps its event loop. Arguments: URL, connections, milliseconds. Prints one JSON `LoadResult`.
 */
import { Agent, get } from 'node:http';

const [url = '', connections = '1', durationMs = '1000'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) });
const latenciesMs: number[] = [];
const endMs = performance.now() + Number(durationMs);

const begunMs = performance.now();
await Promise.all(Array.from({ length: Number(connections) }, () => scrapeUntilEnd()));
const seconds = (performance.now() - begunMs) / 1_000;
agent.destroy();

const sorted = latenciesMs.toSorted((a, b) => a - b);
const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
process.stdout.write(
  JSON.stringify({
    perSecond: sorted.length / seconds,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  }),
);

async function scrapeUntilEnd(): Promise<void> {
  while (performance.now() < endMs) {
    const before = performance.now();
    await scrape();
    latenciesMs.push(performance.now() - before);
  }
}

function scrape(): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers: { 'accept-encoding': 'gzip' } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
      response.resume().on('end', resolve).on('error', reject);
    });
    request.on('error', reject);
  });
}
