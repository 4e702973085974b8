/** The colours of the dashboards and the alerts must agree on what is bad. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DEFAULTS, THRESHOLDS } from '../../dashboards/thresholds.ts';
import { formatFault, loadConfig } from '../../src/config/load.ts';

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly record?: string; readonly expr: string | number }[];
  }[];
}
const rules = parse(
  readFileSync(new URL('../../alerts/jim.rules.yaml', import.meta.url), 'utf8'),
) as Rules;
const recorded = rules.groups.flatMap((group) => group.rules);

describe('thresholds', () => {
  test.each(Object.entries(THRESHOLDS))('%s is %d, as in the alert rules', (name, value) => {
    expect(recorded).toContainEqual({ record: `jim:threshold:${name}`, expr: value });
  });
});

describe('lines at defaults of the configuration', () => {
  test('are where the configuration has them', () => {
    const loaded = loadConfig({
      flags: {},
      environment: { JIM_URL: 'http://jim.example.org', JIM_API_KEY: 'jim_ak_example' },
      workingFolder: tmpdir(),
      scheduleFault: () => null,
    });
    if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join('\n'));
    expect({
      schedule: loaded.config.poll.schedule,
      requestsPerMinute: loaded.config.jim.requestsPerMinute,
      maxLabelSets: loaded.config.poll.maxLabelSets,
    }).toEqual({
      schedule: `*/${DEFAULTS.pollIntervalSeconds} * * * * *`,
      requestsPerMinute: DEFAULTS.requestsPerMinute,
      maxLabelSets: DEFAULTS.maxLabelSets,
    });
  });
});
