/**
 * The unit tests of the alerts, made cheap for promtool without changing what they prove. It evaluates every rule at
 * every step of every test, though a test asks for an alert or two: nearly all of the time went into the others.
 * So each test gets the rules that its alerts are made of; and that no other rule fails on what the tests feed, by a
 * join of many with many for instance, is seen by giving all rules the tests of a file at once, each as a target.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { RULES_TEXT, withSubquerySteps } from './rules-file.ts';

const RULE = z.looseObject({ alert: z.string().optional(), record: z.string().optional() });
type Rule = z.infer<typeof RULE>;
const { groups: GROUPS } = z
  .object({ groups: z.array(z.looseObject({ rules: z.array(RULE) })) })
  .parse(parse(RULES_TEXT));
const RULES = GROUPS.flatMap(({ rules }) => rules);

/** Nothing else may ask: a `promql_expr_test` could ask for any rule. */
const TEST = z.strictObject({
  name: z.string(),
  interval: z.string(),
  input_series: z.array(z.object({ series: z.string(), values: z.string() })),
  alert_rule_test: z.array(z.looseObject({ alertname: z.string(), eval_time: z.string() })),
});
type UnitTest = z.infer<typeof TEST>;
const DOCUMENT = z.looseObject({ evaluation_interval: z.string(), tests: z.array(TEST) });

/** Files in the folder for `promtool test rules`: each test of a file as it is, with no rules but those it asks for. */
export function writeLeanTests(folder: string, yaml: string): readonly string[] {
  const document = DOCUMENT.parse(parse(yaml));
  const testsByRules = new Map<string, UnitTest[]>();
  for (const test of document.tests) {
    const needed = rulesOf(test.alert_rule_test.map(({ alertname }) => alertname));
    const rules = JSON.stringify(ruleFile((rule) => needed.has(rule)));
    testsByRules.set(rules, [...(testsByRules.get(rules) ?? []), test]);
  }
  return [...testsByRules].map(([rules, tests], index) =>
    writeTest(join(folder, String(index)), rules, { ...document, tests }),
  );
}

/** One file in the folder: one test of all series of a file's tests, with all rules and no question but one of no rule. */
export function writeCrowd(folder: string, yaml: string): string {
  const { tests, ...document } = DOCUMENT.parse(parse(yaml));
  const interval = document.evaluation_interval;
  if (tests.some((test) => test.interval !== interval))
    throw new Error('tests of several intervals cannot be one');
  const values = new Map(
    tests.flatMap(({ input_series: input }, index) =>
      // What has no instance is a setting, the same for all.
      input.map((one) => [one.series.replace('instance="', `instance="${index}-`), one.values]),
    ),
  );
  const times = tests.flatMap((test) => test.alert_rule_test.map((one) => one.eval_time));
  const crowd = {
    interval,
    input_series: [...values].map(([series, itsValues]) => ({ series, values: itsValues })),
    promql_expr_test: [...new Set(times)].map((time) => ({
      expr: 'vector(1)',
      eval_time: time,
      exp_samples: [{ labels: '{}', value: 1 }],
    })),
  };
  // Between two steps of a test nothing changes, and promtool takes 10,000 samples at most.
  const rules = withSubquerySteps(RULES_TEXT, (tenMinutes) =>
    interval === '1h' ? '1h' : tenMinutes,
  );
  return writeTest(folder, rules, { ...document, tests: [crowd] });
}

function writeTest(
  folder: string,
  rules: string,
  document: Readonly<Record<string, unknown>>,
): string {
  mkdirSync(folder);
  writeFileSync(join(folder, 'jim.rules.yaml'), rules);
  const path = join(folder, 'jim.test.yaml');
  // JSON is YAML.
  writeFileSync(path, JSON.stringify({ ...document, rule_files: ['jim.rules.yaml'] }));
  return path;
}

/** The alerts, the records that they name, those that these name, and so on. */
function rulesOf(alerts: readonly string[]): ReadonlySet<Rule> {
  const found = new Set<Rule>(
    RULES.filter(({ alert }) => alert !== undefined && alerts.includes(alert)),
  );
  // A set that grows is walked to its end.
  for (const rule of found) {
    const named = new Set(JSON.stringify(rule).match(/\bjim:\w+:\w+/g));
    for (const one of RULES) if (one.record !== undefined && named.has(one.record)) found.add(one);
  }
  return found;
}

/** Groups and rules in their order; a group without any left is left out. */
function ruleFile(isNeeded: (rule: Rule) => boolean): { readonly groups: readonly unknown[] } {
  const groups = GROUPS.map((group) => ({ ...group, rules: group.rules.filter(isNeeded) }));
  return { groups: groups.filter(({ rules }) => rules.length > 0) };
}
