/** The Alertmanager example: valid, every alert reaches its receiver, and an outage silences what it explains. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { RealAlertmanager, until } from '../alertmanager/real.ts';
import { PROGRAM_VERSIONS, requireProgram } from '../programs.ts';
import { ALERTS, ALERTS_FOLDER } from './rules-file.ts';

const run = promisify(execFile);
const PATH = join(ALERTS_FOLDER, 'alertmanager.example.yaml');
const TEXT = readFileSync(PATH, 'utf8');
const BRIDGE_ALERT = 'JimRunUnsuccessful';

const RECEIVERS: Readonly<Record<string, string>> = {
  critical: 'pager',
  warning: 'tickets',
  info: 'nobody',
};

describe.each(PROGRAM_VERSIONS)('amtool of Prometheus %d', (version) => {
  test('finds the example valid', async ({ skip }) => {
    const amtool = requireProgram({ skip }, 'amtool', version);
    const { stdout } = await run(amtool, ['check-config', PATH]);
    expect(stdout).toContain('SUCCESS');
  });

  test.for(
    ALERTS.map(({ alert, labels: { severity } }) => ({
      alert,
      severity,
      receiver: alert === 'JimWatchdog' ? 'dead-mans-switch' : (RECEIVERS[severity] ?? ''),
    })),
  )('routes $alert, $severity, to $receiver', ({ alert, severity, receiver }, { skip }) =>
    expectRoute({ skip }, version, receiver, { alertname: alert, severity, instance: 'jim:10190' }),
  );

  test.for([
    { alert: BRIDGE_ALERT, severity: 'critical', receiver: 'pager' },
    { alert: BRIDGE_ALERT, severity: 'warning', receiver: 'tickets' },
    { alert: 'JimRunFailed', severity: 'critical', receiver: 'nobody' },
    { alert: 'JimRunEndedWithErrors', severity: 'warning', receiver: 'nobody' },
    { alert: 'JimRunFailsRepeatedly', severity: 'critical', receiver: 'pager' },
    { alert: 'JimBridgeNotDelivering', severity: 'critical', receiver: 'pager' },
  ])(
    'routes $alert, $severity, where the bridge tells of the JIM, to $receiver',
    ({ alert, severity, receiver }, { skip }) =>
      expectRoute({ skip }, version, receiver, {
        alertname: alert,
        severity,
        jim: 'jim.example.com',
      }),
  );
});

async function expectRoute(
  context: Parameters<typeof requireProgram>[0],
  version: (typeof PROGRAM_VERSIONS)[number],
  receiver: string,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  const amtool = requireProgram(context, 'amtool', version);
  const { stdout } = await run(amtool, [
    'config',
    'routes',
    'test',
    `--config.file=${PATH}`,
    `--verify.receivers=${receiver}`,
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  ]);
  expect(stdout.trim()).toBe(receiver);
}

describe('the inhibitions', () => {
  const { inhibit_rules: rules } = z
    .object({
      inhibit_rules: z.array(
        z.object({
          source_matchers: z.array(z.string()),
          target_matchers: z.array(z.string()),
          equal: z.array(z.string()),
        }),
      ),
    })
    .parse(parse(TEXT));
  const known = [...ALERTS.map(({ alert }) => alert), BRIDGE_ALERT];
  /** The alerts that a list of matchers selects by name. */
  const selected = (matchers: readonly string[]) =>
    known.filter((name) =>
      matchers
        .filter((matcher) => matcher.startsWith('alertname'))
        .every((matcher) => matches(matcher, name)),
    );

  test('name only alerts that exist', () => {
    const words = rules
      .flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers])
      .filter((matcher) => matcher.startsWith('alertname') && !matcher.includes('.+'))
      .flatMap((matcher) => pattern(matcher).split('|'));
    expect(words.length).toBeGreaterThan(30);
    expect(words.filter((word) => !known.includes(word))).toEqual([]);
  });

  test('silence every alert about JIM while JIM is unreachable, and none about the exporter', () => {
    const [outage] = rules;
    expect(outage?.equal).toEqual(['job', 'instance']);
    expect(selected(outage?.source_matchers ?? [])).toContain('JimUnreachable');
    const aboutTheExporter = ALERTS.filter(
      ({ annotations }) => annotations.jim_url === undefined,
    ).map(({ alert }) => alert);
    expect(selected(outage?.target_matchers ?? [])).toEqual(
      ALERTS.map(({ alert }) => alert).filter((name) => !aboutTheExporter.includes(name)),
    );
  });

  test('let no alert silence itself', () => {
    for (const rule of rules) {
      const sources = selected(rule.source_matchers);
      expect(selected(rule.target_matchers).filter((name) => sources.includes(name))).toEqual([]);
    }
  });
});

const TARGET = { job: 'jim-exporter', instance: 'jim:10190' };
const HR_IMPORT = {
  connected_system: 'HR System',
  run_profile: 'Full Import',
  run_type: 'FullImport',
};

describe.each(PROGRAM_VERSIONS)('a real Alertmanager of Prometheus %d', (version) => {
  test.for([
    {
      story: 'an outage of JIM silences its runs, not those of another JIM',
      alerts: [
        { alertname: 'JimUnreachable', severity: 'critical', ...TARGET },
        { alertname: 'JimRunFailed', severity: 'critical', ...TARGET, ...HR_IMPORT },
        {
          alertname: 'JimScheduledRunMissed',
          severity: 'critical',
          ...TARGET,
          schedule: 'Nightly',
        },
        { alertname: 'JimClocksApart', severity: 'warning', ...TARGET },
        {
          alertname: 'JimRunFailed',
          severity: 'critical',
          job: 'jim-exporter',
          instance: 'other:10190',
          ...HR_IMPORT,
        },
      ],
      silent: [1, 2],
    },
    {
      story: 'the bridge’s alert replaces the rule’s where both name the JIM',
      alerts: [
        {
          alertname: BRIDGE_ALERT,
          severity: 'critical',
          jim: 'jim.example.com',
          source: 'jim-exporter',
          ...HR_IMPORT,
        },
        {
          alertname: 'JimRunFailed',
          severity: 'critical',
          ...TARGET,
          jim: 'jim.example.com',
          ...HR_IMPORT,
        },
        {
          alertname: 'JimRunFailed',
          severity: 'critical',
          ...TARGET,
          jim: 'other.example.com',
          ...HR_IMPORT,
        },
        { alertname: 'JimRunFailed', severity: 'critical', ...TARGET, ...HR_IMPORT },
      ],
      silent: [1],
    },
    {
      story: 'repeated failures replace the single one of the same run profile',
      alerts: [
        { alertname: 'JimRunFailsRepeatedly', severity: 'critical', ...TARGET, ...HR_IMPORT },
        { alertname: 'JimRunFailed', severity: 'critical', ...TARGET, ...HR_IMPORT },
        {
          alertname: 'JimRunFailed',
          severity: 'critical',
          ...TARGET,
          ...HR_IMPORT,
          run_profile: 'Delta Import',
        },
      ],
      silent: [1],
    },
    {
      story: 'a failed import explains the green synchronisation of nothing',
      alerts: [
        { alertname: 'JimRunFailed', severity: 'critical', ...TARGET, ...HR_IMPORT },
        {
          alertname: 'JimSynchronisationFedByNothing',
          severity: 'warning',
          ...TARGET,
          connected_system: 'HR System',
          run_profile: 'Delta Sync',
          run_type: 'DeltaSynchronisation',
        },
        {
          alertname: 'JimSynchronisationFedByNothing',
          severity: 'warning',
          ...TARGET,
          connected_system: 'Badge',
          run_profile: 'Delta Sync',
          run_type: 'DeltaSynchronisation',
        },
      ],
      silent: [1],
    },
  ])('$story', { timeout: 60_000 }, async ({ alerts, silent }, { skip, onTestFinished }) => {
    const program = requireProgram({ skip }, 'prometheus-alertmanager', version);
    // Its receivers lead nowhere (the discard port of this host); this test asks only what it would send.
    const alertmanager = await RealAlertmanager.create(program, TEXT);
    onTestFinished(() => alertmanager.dispose());
    await alertmanager.start();
    await post(alertmanager.url, alerts);
    let seen: readonly Shown[] = [];
    await until(
      () => `${JSON.stringify(seen, null, 1)} are as expected`,
      async () => {
        seen = await shown(alertmanager.url);
        return (
          seen.length === alerts.length &&
          alerts.every((labels, index) => isInhibited(seen, labels) === silent.includes(index))
        );
      },
    );
    expect(seen).toHaveLength(alerts.length);
  });
});

interface Shown {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: { readonly inhibitedBy: readonly string[] };
}

async function post(
  url: string,
  alerts: readonly Readonly<Record<string, string>>[],
): Promise<void> {
  const answer = await fetch(`${url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts.map((labels) => ({ labels }))),
  });
  expect(answer.status).toBe(200);
}

async function shown(url: string): Promise<readonly Shown[]> {
  const answer = await fetch(`${url}/api/v2/alerts?inhibited=true`);
  return z
    .array(
      z.object({
        labels: z.record(z.string(), z.string()),
        status: z.object({ inhibitedBy: z.array(z.string()) }),
      }),
    )
    .parse(await answer.json());
}

/** Undefined where the alert is not shown at all. */
function isInhibited(
  all: readonly Shown[],
  labels: Readonly<Record<string, string>>,
): boolean | undefined {
  const found = all.find((alert) => isDeepStrictEqual(alert.labels, labels));
  return found === undefined ? undefined : found.status.inhibitedBy.length > 0;
}

/** `alertname =~ "A|B"` → `A|B`; `alertname = A` → `A`. */
function pattern(matcher: string): string {
  return matcher.replace(/^alertname\s*[!=~]+\s*/, '').replaceAll('"', '');
}
function matches(matcher: string, name: string): boolean {
  const whole = new RegExp(`^(?:${pattern(matcher)})$`).test(name);
  return matcher.includes('!=') ? !whole : whole;
}
