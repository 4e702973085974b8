/** What promtool says of a page on which every family has samples. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createPublication } from '../../src/metrics/publication.ts';
import { createRuntime } from '../../src/metrics/runtime.ts';
import { PROGRAM_VERSIONS, requireProgram } from '../programs.ts';
import { fullSnapshot } from './snapshots.ts';

async function fullPage(): Promise<Uint8Array> {
  const runtime = createRuntime({ disableExporterMetrics: false });
  const { telemetry } = runtime;
  telemetry.pollEnded({ seconds: 0.1, failure: null });
  telemetry.requestEnded({ endpoint: '/api/v1/activities', code: 200, seconds: 0.1 });
  telemetry.collectorEnded('health', { success: true, seconds: 0.1 });
  telemetry.alertmanagersConfigured(['am:9093'], 10);
  telemetry.configLoaded({ success: true, atMs: 1_000 });
  const publication = createPublication({ runtime, gzip: false });
  await publication.publish(fullSnapshot());
  return publication.current()?.text.plain ?? new Uint8Array(0);
}

describe.each(PROGRAM_VERSIONS)('promtool of Prometheus %d', (version) => {
  it('finds nothing to say of the full page', async (test) => {
    const promtool = requireProgram(test, 'promtool', version);
    const checked = spawnSync(promtool, ['check', 'metrics'], {
      input: await fullPage(),
      encoding: 'utf8',
    });
    expect(checked.stderr + checked.stdout).toBe('');
    expect(checked.status).toBe(0);
  });

  it('would find a fault', async (test) => {
    const promtool = requireProgram(test, 'promtool', version);
    const page = Buffer.from(await fullPage()).toString();
    const checked = spawnSync(promtool, ['check', 'metrics'], {
      input: page.replaceAll('jim_run_last_errors', 'jim_run_last_errors_total'),
      encoding: 'utf8',
    });
    expect(checked.status).not.toBe(0);
  });
});
