import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** What takes a minute and more, the longest first: begun last, it would leave the other workers idle at the end. */
const LONGEST = [
  'exactly-once/lives-first-half',
  'exactly-once/lives-second-half',
  'incidents/live',
  'incidents/incidents',
  'incidents/quiet-month',
  'e2e/kill',
  'poll/cost',
  'dashboards/night',
  'e2e/prometheus',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const index = LONGEST.findIndex((name) => moduleId.includes(`/test/${name}.`));
      return index === -1 ? LONGEST.length : index;
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
    // Modules are loaded once a worker instead of once a file. No test changes what outlives it.
    isolate: false,
    // Real servers on CI's shared cores miss a deadline now and then; what is wrong fails twice.
    retry: process.env['CI'] === undefined ? 0 : 1,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
