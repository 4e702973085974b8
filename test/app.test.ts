/** The app as it is wired, in this process: the demo's JIM behind the transport, a real port in front. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { App } from '../src/app.ts';
import { loadConfig } from '../src/config/load.ts';
import type { LoadedConfig } from '../src/config/load.ts';
import { DEMO_JIM, demoGreeting, startDemo } from '../src/demo/demo.ts';
import { createLog } from '../src/log.ts';
import { scheduleFault } from '../src/scheduler.ts';
import { realSurroundings } from '../src/surroundings.ts';

let folder: string;
let app: App | null;
let lines: string[];
let flags: Readonly<Record<string, string | readonly string[]>>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-app-'));
  [app, lines] = [null, []];
  flags = { 'web.listen-address': ['127.0.0.1:0'] };
});
afterEach(async () => {
  await app?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function load(): LoadedConfig {
  return loadConfig({
    flags,
    environment: {},
    workingFolder: folder,
    scheduleFault,
    demo: { ...DEMO_JIM, storagePath: join(folder, 'data') },
  });
}

async function start(): Promise<{ readonly app: App; readonly url: string }> {
  const loaded = load();
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const log = createLog({
    level: 'info',
    format: 'logfmt',
    source: 'main',
    write: (line) => void lines.push(line),
  });
  const build = { version: '0.0.0', revision: 'test', nodeVersion: process.version };
  const { config } = loaded;
  app = await startDemo({ ...realSurroundings(), config, build, log, loadConfig: load });
  return { app, url: `http://${app.addresses[0] ?? ''}` };
}

const metrics = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();

describe('the app', () => {
  it('counts the night that it was away for, shows it to people, and keeps it', async () => {
    const started = await start();
    expect(demoGreeting(started.app, '/metrics')[1]).toBe(`  metrics      ${started.url}/metrics`);
    await expect.poll(() => metrics(started.url), { timeout: 30_000 }).toMatch(/^jim_up 1$/m);
    expect(await metrics(started.url)).toMatch(
      /^jim_run_consecutive_failures\{connected_system="Cloud Directory",run_profile="Full Import",run_type="FullImport"\} [1-9]/m,
    );
    expect(await (await fetch(`${started.url}/`)).text()).toContain('Cloud Directory');
    await started.app.stop();
    app = null;
    expect(readdirSync(join(folder, 'data'))).toEqual(['ledger.state']);
    expect(lines.join('')).toContain('first observation complete');
  });

  it('takes over a good configuration, keeps the old one where it is bad, and says what needs a restart', async () => {
    const started = await start();
    flags = { ...flags, 'poll.schedule': 'never' };
    expect(await started.app.reload()).toMatchObject({ ok: false });
    expect(await metrics(started.url)).toMatch(
      /^jim_exporter_config_last_reload_successful [01]$/m,
    );
    flags = { ...flags, 'poll.schedule': '*/20 * * * * *', 'storage.path': 'elsewhere' };
    expect(await started.app.reload()).toEqual({ ok: true });
    expect(lines.join('')).toContain('settings=storage.path');
    await expect
      .poll(() => metrics(started.url), { timeout: 30_000 })
      .toMatch(/^jim_exporter_poll_interval_seconds 20$/m);
  });
});
