import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/**
 * What is begun first: the lives, which calculate for minutes, and beside them what mostly waits for real programs;
 * then whatever else calculates for long, the longest first. What waited at the end would leave cores idle.
 */
const FIRST = [
  'exactly-once/lives-first-half',
  'exactly-once/lives-second-half',
  'incidents/live',
  'e2e/prometheus',
  'alertmanager/real-alertmanager',
  'alertmanager/process',
  'e2e/storage',
  'main',
  'process',
  'readme',
  'deploy/package',
  'deploy/image',
  'incidents/quiet-month',
  'incidents/incidents',
  'e2e/kill',
  'dashboards/night',
  'alerts/promtool',
  'poll/cost',
];

class InTheirOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const index = FIRST.findIndex((name) => moduleId.includes(`/test/${name}.`));
      return index === -1 ? FIRST.length : index;
    };
    return files.toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    // Vitest would leave a core idle, and many tests wait for real programs: one worker more than there are cores.
    maxWorkers: availableParallelism() + 1,
    // `npm run check` meets the modules as `npm test` has just compiled them.
    experimental: { fsModuleCache: true },
    // Modules are loaded once a worker instead of once a file. No test changes what outlives it.
    isolate: false,
    // Real servers on CI's shared cores miss a deadline now and then; what is wrong fails twice.
    retry: process.env['CI'] === undefined ? 0 : 1,
    sequence: { sequencer: InTheirOrder },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
