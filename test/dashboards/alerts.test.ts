/** Alerts and dashboards must agree: on what is bad, and on where to look. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DASHBOARDS } from '../../dashboards/all.ts';
import { DEFAULTS, THRESHOLDS } from '../../dashboards/thresholds.ts';
import { formatFault, loadConfig } from '../../src/config/load.ts';

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly record?: string;
      readonly expr: string | number;
      readonly annotations?: { readonly dashboard_url?: string };
    }[];
  }[];
}
const rules = parse(
  readFileSync(new URL('../../alerts/jim.rules.yaml', import.meta.url), 'utf8'),
) as Rules;
const rulesOfAll = rules.groups.flatMap((group) => group.rules);

describe('thresholds', () => {
  test.each(Object.entries(THRESHOLDS))('%s is %d, as in the alert rules', (name, value) => {
    expect(rulesOfAll).toContainEqual({ record: `jim:threshold:${name}`, expr: value });
  });
});

describe('links of alerts', () => {
  test('lead to dashboards that exist', () => {
    const linked = new Set(
      rulesOfAll.flatMap(({ annotations }) => annotations?.dashboard_url ?? []),
    );
    expect(linked).toEqual(new Set(DASHBOARDS.map(({ uid }) => `/d/${uid}`)));
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
