/** Real Prometheus servers scrape over TLS with a client certificate and basic authentication, and with less. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { hashSync } from '@node-rs/bcrypt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../free-port.ts';
import { startServer } from '../../src/web/server.ts';
import type { RunningServer } from '../../src/web/server.ts';
import type { Fetch } from '../../src/web/routes.ts';
import { followWebConfig } from '../../src/web/web-config-file.ts';
import { findProgram, lacksProgram, PROGRAM_VERSIONS } from '../programs.ts';
import { createCertificateFolder } from './certificates.ts';
import type { CertificateFolder } from './certificates.ts';
import { fakePublication, silentLog, testRoutes } from './fakes.ts';

const START_DEADLINE_MS = 20_000;

interface Scrape {
  readonly accept: string;
  readonly contentType: string;
}

describe.each(PROGRAM_VERSIONS)('Prometheus %i', (version) => {
  describe.skipIf(lacksProgram('prometheus', version))('scrapes', () => {
    let files: CertificateFolder;
    let server: RunningServer;
    let prometheus: ChildProcess;
    let url: string;
    const folder = mkdtempSync(join(tmpdir(), 'jim-exporter-scraped-'));
    /** What each job of the scrape configuration sent and got, by the job's own query parameter. */
    const scrapes = new Map<string, Scrape>();

    beforeAll(async () => {
      files = createCertificateFolder();
      const ca = files.authority('ca');
      const serverCert = ca.issue('localhost', 'DNS:localhost', 'server');
      const client = ca.issue('scraper', 'DNS:scraper.example.org', 'client');
      const other = ca.issue('other', 'DNS:other.example.org', 'client');
      writeFileSync(
        join(folder, 'web.yml'),
        `tls_server_config:
  cert_file: ${serverCert.certFile}
  key_file: ${serverCert.keyFile}
  client_ca_file: ${ca.certFile}
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [scraper.example.org]
basic_auth_users: { prometheus: '${hashSync('secret', 6).replace('$2b$', '$2y$')}' }
`,
      );
      server = await startServer({
        addresses: [{ text: '127.0.0.1:0', host: '127.0.0.1', port: 0 }],
        fetch: recording(testRoutes({ publication: fakePublication() }), scrapes),
        webConfig: followWebConfig({
          path: join(folder, 'web.yml'),
          nowMs: Date.now,
          log: silentLog,
        }),
        nowMs: Date.now,
        log: silentLog,
      });
      const target = `localhost:${server.addresses[0]?.split(':')[1]}`;
      const job = (name: string, lines: string): string => `
  - job_name: ${name}
    scheme: https
    params: { job: [${name}] }
    static_configs: [{ targets: ['${target}'] }]
${lines.replaceAll(/^/gm, '    ')}`;
      const tls = ({ certFile, keyFile } = client): string =>
        `tls_config: { ca_file: ${ca.certFile}, cert_file: ${certFile}, key_file: ${keyFile} }`;
      const auth = 'basic_auth: { username: prometheus, password: secret }';
      writeFileSync(
        join(folder, 'prometheus.yml'),
        `global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:${[
          job('complete', `${tls()}\n${auth}`),
          job('http1', `${tls()}\n${auth}\nenable_http2: false`),
          job('no_certificate', `tls_config: { ca_file: ${ca.certFile} }\n${auth}`),
          job('another_certificate', `${tls(other)}\n${auth}`),
          job('no_password', tls()),
          job('wrong_password', `${tls()}\n${auth.replace('secret', 'guess')}`),
          ...(version === 3
            ? [job('text', `${tls()}\n${auth}\nscrape_protocols: [PrometheusText0.0.4]`)]
            : []),
        ].join('')}\n`,
      );
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      prometheus = spawn(
        findProgram('prometheus', version) ?? '',
        [
          `--config.file=${join(folder, 'prometheus.yml')}`,
          `--storage.tsdb.path=${join(folder, 'data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--log.level=error',
        ],
        { stdio: 'ignore' },
      );
      await allScraped(url);
    }, START_DEADLINE_MS + 10_000);

    afterAll(async () => {
      const exited = new Promise((resolve) => prometheus.once('exit', resolve));
      prometheus.kill();
      await Promise.all([exited, server.close(0)]);
      files.remove();
      rmSync(folder, { recursive: true });
    });

    test.each([
      ['complete', 'up', /^$/],
      ['http1', 'up', /^$/],
      ['no_certificate', 'down', /certificate required|EOF|reset|broken pipe/],
      ['another_certificate', 'down', /EOF|reset|broken pipe|closed/],
      ['no_password', 'down', /401/],
      ['wrong_password', 'down', /401/],
    ])('%s: %s', async (job, health, error) => {
      const target = await targetOf(url, job);
      expect([target.health, target.lastError]).toEqual([health, expect.stringMatching(error)]);
    });

    test('gets OpenMetrics, as it asked, or text where it is told to ask for that', () => {
      expect(scrapes.get('complete')?.accept).toMatch(
        /^application\/openmetrics-text;version=1\.0\.0/,
      );
      const openMetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
      const text = 'text/plain; version=0.0.4; charset=utf-8';
      const types = new Map([...scrapes].map(([job, { contentType }]) => [job, contentType]));
      const expected: Record<string, string> =
        version === 3
          ? { complete: `${openMetrics}; escaping=allow-utf-8`, text }
          : { complete: openMetrics };
      expect(Object.fromEntries(types)).toMatchObject(expected);
    });

    test('stores what was published', async () => {
      const query = encodeURIComponent('jim_up{job="complete"}');
      const answer = await (await fetch(`${url}/api/v1/query?query=${query}`)).json();
      expect(answer).toMatchObject({ data: { result: [{ value: [expect.any(Number), '1'] }] } });
    });
  });
});

/** The routes, noting by the query parameter `job` what was asked and answered. */
function recording(routes: Fetch, scrapes: Map<string, Scrape>): Fetch {
  return async (request, env) => {
    const response = await routes(request, env);
    scrapes.set(new URL(request.url).searchParams.get('job') ?? '', {
      accept: request.headers.get('accept') ?? '',
      contentType: response.headers.get('content-type') ?? '',
    });
    return response;
  };
}

interface Target {
  readonly labels: { readonly job: string };
  readonly health: 'up' | 'down' | 'unknown';
  readonly lastError: string;
}

async function targetsOf(url: string): Promise<readonly Target[]> {
  const response = await fetch(`${url}/api/v1/targets`);
  const answer = (await response.json()) as { data: { activeTargets: readonly Target[] } };
  return answer.data.activeTargets;
}

async function targetOf(url: string, job: string): Promise<Target> {
  const target = (await targetsOf(url)).find(({ labels }) => labels.job === job);
  if (target === undefined) throw new Error(`no target of ${job}`);
  return target;
}

async function allScraped(url: string): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    const targets = await targetsOf(url).catch(() => []);
    if (targets.length > 0 && targets.every(({ health }) => health !== 'unknown')) return;
    if (Date.now() > deadline) throw new Error('Prometheus did not scrape all targets in time');
    await wait(100);
  }
}
