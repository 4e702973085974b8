/** Real Prometheus servers scrape a full page in both formats: every series, value and exemplar must arrive. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../free-port.ts';
import type { Published } from '../../src/metrics/publication.ts';
import { createPublication } from '../../src/metrics/publication.ts';
import { createRuntime } from '../../src/metrics/runtime.ts';
import type { Snapshot } from '../../src/metrics/snapshot.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import { NOW_MS, activityAccount, busyRunAccount, fullSnapshot, ledgerOf } from './snapshots.ts';
import { parseExposition, seriesKey } from './strict-parser.ts';

const START_DEADLINE_MS = 20_000;
const HOSTILE = 'Badge "B"\\system\nline 2 🚦\u2028';
const FORMATS = ['text', 'openmetrics'] as const;
const CONTENT_TYPES = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const;

/** The full snapshot, with a run profile and an Activity of a system whose name needs every escape. */
function hostileSnapshot(): Snapshot {
  const full = fullSnapshot();
  const hostile = { connectedSystem: HOSTILE, runProfile: 'Export', runType: 'Export' };
  return {
    ...full,
    ledger: ledgerOf({
      activities: [
        ...full.ledger.activities.values(),
        activityAccount({ connectedSystem: HOSTILE }),
      ],
      runs: [...full.ledger.runs.values(), busyRunAccount(hostile, 7)],
      open: [...full.ledger.open.values()],
      rest: {
        recurring: full.ledger.recurring,
        authentication: full.ledger.authentication,
        schedules: full.ledger.schedules,
      },
    }),
  };
}

async function publish(): Promise<Published> {
  const publication = createPublication({
    runtime: createRuntime({ disableExporterMetrics: false }),
  });
  await publication.publish(hostileSnapshot());
  const published = publication.current();
  if (published === null) throw new Error('nothing was published');
  return published;
}

/** `/text` and `/openmetrics`, gzip for who accepts it: every Prometheus does. */
function serve(published: Published): Promise<Server> {
  const server = createServer((request, response) => {
    const format = request.url === '/text' ? 'text' : 'openmetrics';
    const representation = format === 'text' ? published.text : published.openMetrics;
    response.writeHead(200, {
      'Content-Type': CONTENT_TYPES[format],
      'Content-Encoding': 'gzip',
    });
    void Promise.resolve(representation.compressed()).then((bytes) => response.end(bytes));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

type Labels = Readonly<Record<string, string>>;
interface Target {
  readonly labels: Labels;
  readonly health: string;
  readonly lastError: string;
}

describe.each(PROGRAM_VERSIONS)('Prometheus %i', (version) => {
  describe.skipIf(lacksProgram('prometheus', version))('scrapes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'jim-metrics-scraped-'));
    let published: Published;
    let server: Server;
    let prometheus: ChildProcess;
    let url: string;

    async function ask<Data>(path: string, parameters: Record<string, string> = {}): Promise<Data> {
      const response = await fetch(
        `${url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`,
      );
      const { data } = (await response.json()) as { data: Data };
      return data;
    }
    const targets = async (): Promise<readonly Target[]> =>
      (await ask<{ activeTargets: readonly Target[] }>('targets')).activeTargets;

    /** Waits for one scrape of each job, good or bad. */
    async function scraped(): Promise<void> {
      const deadline = Date.now() + START_DEADLINE_MS;
      for (;;) {
        const known = await targets().catch(() => []);
        if (known.length === FORMATS.length && known.every(({ health }) => health !== 'unknown'))
          return;
        if (Date.now() > deadline) throw new Error('Prometheus did not scrape in time');
        await wait(100);
      }
    }

    beforeAll(async () => {
      published = await publish();
      server = await serve(published);
      const jobs = FORMATS.map(
        (format) =>
          `  - { job_name: ${format}, metrics_path: /${format}, static_configs: [{ targets: ['127.0.0.1:${portOf(server)}'] }] }\n`,
      );
      const config = join(folder, 'prometheus.yml');
      writeFileSync(config, `global: { scrape_interval: 1s }\nscrape_configs:\n${jobs.join('')}`);
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      prometheus = spawn(
        findProgram('prometheus', version) ?? '',
        [
          `--config.file=${config}`,
          `--storage.tsdb.path=${join(folder, 'data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--enable-feature=exemplar-storage',
          '--log.level=error',
        ],
        { stdio: 'ignore' },
      );
      await scraped();
    }, START_DEADLINE_MS + 10_000);

    afterAll(async () => {
      const ended = new Promise((resolve) => prometheus.once('exit', resolve));
      prometheus.kill();
      await ended;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    });

    it('both formats, without a word', async () => {
      for (const { health, lastError } of await targets())
        expect({ health, lastError }).toEqual({ health: 'up', lastError: '' });
    });

    it.each(FORMATS)('every series and value of %s, the hostile names intact', async (format) => {
      const { result } = await ask<{
        result: readonly { metric: Labels; value: readonly [number, string] }[];
      }>('query', { query: `{__name__=~"(jim|process|nodejs)_.+",job="${format}"}` });
      const arrived = new Map(
        result.map(({ metric, value }) => {
          const { __name__: name = '', job: _job, instance: _instance, ...labels } = metric;
          // Servers drop empty labels: to them, absent and empty are the same.
          return [seriesKey(name, labels), Number(value[1].replace('Inf', 'Infinity'))];
        }),
      );
      const bytes = format === 'text' ? published.text.plain : published.openMetrics.plain;
      const sent = new Map(
        [...parseExposition(bytes, format).series.values()].map(({ name, labels, value }) => {
          const present = Object.entries(labels).filter(([, text]) => text !== '');
          return [seriesKey(name, Object.fromEntries(present)), value];
        }),
      );
      expect(sent.size).toBeGreaterThan(250);
      expect(arrived).toEqual(sent);
      expect([...arrived.keys()].join('')).toContain(JSON.stringify(HOSTILE));
    });

    it('exemplars of OpenMetrics, on counters and on buckets', async () => {
      const exemplarsOf = async (query: string): Promise<readonly string[]> => {
        const found = await ask<
          readonly { exemplars: readonly { labels: Labels; value: string; timestamp: number }[] }[]
        >('query_exemplars', {
          query,
          start: String(NOW_MS / 1_000 - 60),
          end: String(NOW_MS / 1_000 + 60),
        });
        return found.flatMap(({ exemplars }) =>
          exemplars.map(({ labels, value, timestamp }) =>
            [labels['activity_id'], value, timestamp].join(' '),
          ),
        );
      };
      const at = NOW_MS / 1_000 - 1.5;
      const id = (number: number): string => `00000000-0000-4000-8000-00000000000${number}`;
      expect(await exemplarsOf('jim_activities_total{job="openmetrics"}')).toEqual([
        `${id(7)} 1 ${at}`,
      ]);
      const hr = 'connected_system="HR System"';
      expect(await exemplarsOf(`jim_runs_total{job="openmetrics",${hr}}`)).toEqual([
        `${id(1)} 1 ${at}`,
        `${id(2)} 1 ${at}`,
      ]);
      expect(await exemplarsOf(`jim_run_duration_seconds_bucket{job="openmetrics",${hr}}`)).toEqual(
        expect.arrayContaining([`${id(1)} 42.5 ${at}`, `${id(2)} 240.25 ${at}`]),
      );
      expect(await exemplarsOf('{job="text"}')).toEqual([]);
    });
  });
});
