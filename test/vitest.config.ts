import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    // Vitest would leave a core idle, and many tests wait for real programs: one worker more than there are cores.
    maxWorkers: availableParallelism() + 1,
    // Real servers on CI's shared cores miss a deadline now and then; what is wrong fails twice.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text-summary', 'json-summary'] },
  },
});
