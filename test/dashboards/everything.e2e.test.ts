/** No query asks for what can never be: where everything has happened, each of them finds something. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import { everythingHappened } from './everything.ts';
import type { Prometheus, Window } from './prometheus.ts';
import { startPrometheus } from './prometheus.ts';
import { EVERYTHING } from './promql.ts';
import { PANEL_QUERIES, seriesFound } from './queries.ts';

describe.each(PROGRAM_VERSIONS)('with Prometheus %d', (version) => {
  const isMissing = lacksProgram('prometheus', version);

  describe.skipIf(isMissing)('every query', () => {
    let prometheus: Prometheus;
    const endMs = Date.now();
    const window: Window = {
      startMs: endMs - 3_600_000,
      endMs,
      stepSeconds: EVERYTHING.stepSeconds,
    };

    beforeAll(async () => {
      prometheus = await startPrometheus(findProgram('prometheus', version) ?? '');
      await prometheus.write(everythingHappened(endMs));
    });
    afterAll(() => prometheus.stop());

    test.each(PANEL_QUERIES)('%s can find something', async (_, panelQuery) => {
      expect(await seriesFound(prometheus, panelQuery, EVERYTHING, window)).toBeGreaterThan(0);
    });
  });
});
