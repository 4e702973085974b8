import { defineConfig, mergeConfig } from 'vitest/config';
import everything from './vitest.config.ts';

/** Tests that reach no line of src which the others do not: `npm test` runs them, measuring them would only take time. */
const REACH_NO_OTHER_LINE = [
  // They start the program, and what happens in another process is not measured.
  'test/**/*.e2e.test.ts',
  // They prove counting and cost at length; ten lives of the simulation reach the same lines.
  'test/exactly-once/{mutants,company}*',
  'test/poll/{cost,poller,truth}.test.ts',
  'test/soak/**',
  'test/alertmanager/simulation.test.ts',
  'test/demo/table-size.test.ts',
  // They are about files beside src, or ask real programs about what other tests look at.
  'test/{alerts,dashboards,deploy,incidents}/**',
  'test/{metrics,web}/prom*.test.ts',
  'test/{architecture,ci,readme}.test.ts',
];

export default mergeConfig(
  everything,
  defineConfig({
    test: {
      exclude: REACH_NO_OTHER_LINE,
      coverage: {
        enabled: true,
        provider: 'v8',
        include: ['src/**/*.ts'],
        reporter: ['text-summary', 'json-summary'],
      },
    },
  }),
);
