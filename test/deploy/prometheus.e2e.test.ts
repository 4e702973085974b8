/** The examples for Prometheus: promtool takes them, and they name what the program has. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseDuration } from '../../src/config/duration.ts';
import { RULES_PATH } from '../alerts/rules-file.ts';
import { PROGRAM_VERSIONS, requireProgram } from '../programs.ts';
import { createCertificateFolder } from '../web/certificates.ts';
import type { CertificateFolder } from '../web/certificates.ts';
import { DEFAULT_PORT, zeroHoldSeconds } from './defaults.ts';

const FOLDER = new URL('../../deploy/prometheus', import.meta.url).pathname;
const FILES = ['prometheus.yaml', 'agent.yaml'];

interface ScrapeExample {
  readonly global: { readonly scrape_interval: string };
  readonly scrape_configs: readonly {
    readonly job_name: string;
    readonly metrics_path?: string;
    readonly static_configs: readonly { readonly targets: readonly string[] }[];
  }[];
}

let scratch: string;
let certificates: CertificateFolder;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'jim-prometheus-'));
  certificates = createCertificateFolder();
  mkdirSync(join(scratch, 'rules'));
  cpSync(RULES_PATH, join(scratch, 'rules', 'jim.rules.yaml'));
  cpSync(certificates.authority('ca').certFile, join(scratch, 'ca.crt'));
  for (const secret of ['jim-exporter.password', 'remote-write.token']) {
    writeFileSync(join(scratch, secret), 'secret');
  }
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
  certificates.remove();
});

describe.each(FILES)('%s', (name) => {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  const example = parse(text, { strict: true, uniqueKeys: true }) as ScrapeExample;

  test.for(PROGRAM_VERSIONS)('is taken by promtool %i', (version, context) => {
    const promtool = requireProgram(context, 'promtool', version);
    const file = join(scratch, name);
    writeFileSync(file, text.replaceAll('/etc/prometheus', scratch));
    const flags = name === 'agent.yaml' ? ['--agent'] : [];
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'config', ...flags, file], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    if (name === 'prometheus.yaml') expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
  });

  test('scrapes the port and the path that the exporter has unless told otherwise', () => {
    const targets = example.scrape_configs.flatMap((job) =>
      job.static_configs.flatMap((config) => config.targets),
    );
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.filter((target) => !target.endsWith(`:${DEFAULT_PORT}`))).toEqual([]);
    // Prometheus' default is the exporter's.
    expect(example.scrape_configs.filter((job) => job.metrics_path !== undefined)).toEqual([]);
  });

  test('scrapes often enough to see the zeros, in jobs that the rules know by name', () => {
    const interval = parseDuration(example.global.scrape_interval) ?? 0;
    expect((2 * interval) / 1_000).toBeLessThanOrEqual(zeroHoldSeconds());
    const known = /up\{job=~"(.*?)"\}/.exec(readFileSync(RULES_PATH, 'utf8'))?.[1] ?? 'none';
    const jobs = example.scrape_configs.map((job) => job.job_name);
    expect(jobs.filter((job) => !new RegExp(`^(?:${known})$`).test(job))).toEqual([]);
  });
});
