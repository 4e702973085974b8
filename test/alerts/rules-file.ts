/** The alert rules and their promtool tests, read into types for the tests beside this file. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export const ALERTS_FOLDER = new URL('../../alerts/', import.meta.url).pathname;
export const RULES_PATH = join(ALERTS_FOLDER, 'jim.rules.yaml');
const TESTS_FOLDER = join(ALERTS_FOLDER, 'tests');

const ALERT = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  // `limit` and `labels` of a group would be valid for newer servers; what is not listed here does not load on 2.42.
  for: z.string().optional(),
  keep_firing_for: z.string().optional(),
  labels: z.strictObject({ severity: z.string() }),
  annotations: z.strictObject({
    summary: z.string(),
    description: z.string(),
    runbook_url: z.string(),
    dashboard_url: z.string().optional(),
    jim_url: z.string().optional(),
  }),
});
const RECORD = z.strictObject({
  record: z.string(),
  expr: z.union([z.string(), z.number()]).transform(String),
  labels: z.record(z.string(), z.string()).optional(),
});
const RULES = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string(),
      interval: z.string().optional(),
      rules: z.array(z.union([ALERT, RECORD])),
    }),
  ),
});

export type Alert = z.infer<typeof ALERT>;
export type Recording = z.infer<typeof RECORD>;

export const RULES_TEXT = readFileSync(RULES_PATH, 'utf8');
export const GROUPS = RULES.parse(parse(RULES_TEXT)).groups;

const rules = GROUPS.flatMap((group) => group.rules);
export const ALERTS: readonly Alert[] = rules.flatMap((rule) => ('alert' in rule ? [rule] : []));
export const RECORDINGS: readonly Recording[] = rules.flatMap((rule) =>
  'record' in rule ? [rule] : [],
);

const UNIT_TESTS = z.object({
  group_eval_order: z.array(z.string()),
  tests: z.array(
    z.object({
      name: z.string(),
      input_series: z.array(z.object({ series: z.string(), values: z.string() })),
      alert_rule_test: z.array(
        z.object({
          alertname: z.string(),
          eval_time: z.string(),
          exp_alerts: z.array(z.unknown()),
        }),
      ),
    }),
  ),
});

export const UNIT_TEST_FILES = readdirSync(TESTS_FOLDER)
  .filter((name) => name.endsWith('.test.yaml'))
  .toSorted()
  .map((name) => {
    const path = join(TESTS_FOLDER, name);
    const yaml = readFileSync(path, 'utf8');
    return { name, path, yaml, ...UNIT_TESTS.parse(parse(yaml)) };
  });

/** The rules with other steps in their subqueries, which look back over hours or days in steps of 10 minutes. */
export function withSubquerySteps(text: string, stepOf: (step: string) => string): string {
  return text.replaceAll(
    /(\[\d+[hd]):(10m)\]/g,
    (_, window: string, step: string) => `${window}:${stepOf(step)}]`,
  );
}
