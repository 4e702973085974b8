/** What the alert rules promise: each trouble has its alert, its words and its unit tests, and reads what the exporter has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import {
  COLLECTORS,
  NOTIFICATION_RESULTS,
  POLL_FAILURE_REASONS,
  REJECTION_REASONS,
} from '../../src/metrics/catalogue/process.ts';
import { FINISHED_STATUSES, OUTCOMES } from '../../src/jim/activity.ts';
import { AUTHENTICATION_EVENTS, CONFIRMATION_RESULTS, OTHER } from '../../src/ledger/ledger.ts';
import { SCHEDULE_EXECUTION_STATUSES, WORKER_TASK_STATUSES } from '../../src/metrics/snapshot.ts';
import { type Selector, parse } from '../dashboards/promql.ts';
import {
  ALERTS,
  ALERTS_FOLDER,
  GROUPS,
  RECORDINGS,
  RULES_TEXT,
  UNIT_TEST_FILES,
} from './rules-file.ts';

/** The troubles that must be told, and the alert that tells each. */
const PROMISED = {
  'exporter gone: does not answer': 'JimExporterDown',
  'exporter gone: no target': 'JimExporterAbsent',
  'JIM unreachable': 'JimUnreachable',
  'key refused': 'JimKeyRefused',
  'JIM not ready outside maintenance': 'JimNotReady',
  'data stale': 'JimDataStale',
  'not caught up for long': 'JimNotCaughtUp',
  'clocks apart': 'JimClocksApart',
  'storage failing': 'JimStorageFailing',
  'rows rejected': 'JimRowsRejected',
  'history gap': 'JimHistoryGap',
  'configuration reload failed': 'JimConfigReloadFailed',
  'run failed': 'JimRunFailed',
  'run ended with errors': 'JimRunEndedWithErrors',
  'repeated failures': 'JimRunFailsRepeatedly',
  'error share of an import': 'JimImportErrorShareHigh',
  'error share of synchronisations': 'JimSynchronisationErrorShareHigh',
  'warnings that persist': 'JimRunWarningsPersist',
  'no success since the previous due time': 'JimRunOverdue',
  'no success for a set time, without a schedule': 'JimRunSuccessTooOld',
  'never succeeded': 'JimRunNeverSucceeded',
  'scheduled run missed': 'JimScheduledRunMissed',
  'schedule stopped by a failed step': 'JimScheduleStopped',
  'run stuck': 'JimRunStuck',
  'no progress': 'JimRunNoProgress',
  'queue not moving': 'JimQueueNotMoving',
  'orphaned Activities': 'JimActivitiesOrphaned',
  'connected system lost a third of its objects': 'JimConnectedSystemShrank',
  'mass deletion, deprovisioning or disconnection': 'JimMassDeletion',
  'synchronisation fed by nothing': 'JimSynchronisationFedByNothing',
  'export confirmations failing': 'JimExportConfirmationsFailing',
  'pending exports piling up': 'JimPendingExportsPilingUp',
  'recurring housekeeping failing': 'JimHousekeepingFailing',
  'sign-in or API-key failures': 'JimAuthenticationFailures',
  'certificate expiring': 'JimCertificateExpiring',
  'bridge not delivering': 'JimBridgeNotDelivering',
  'a Watchdog': 'JimWatchdog',
} as const;

describe('every alert', () => {
  test('that was promised is there', () => {
    const names = new Set(ALERTS.map(({ alert }) => alert));
    expect(Object.entries(PROMISED).filter(([, alert]) => !names.has(alert))).toEqual([]);
  });

  test('has a name of its own: Jim…, at most 40 characters, not the bridge’s', () => {
    const names = ALERTS.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^Jim[A-Z][A-Za-z]{1,36}$/);
    expect(names).not.toContain('JimRunUnsuccessful');
  });

  test.each(ALERTS)('$alert says how grave it is, and what to do, in words', (rule) => {
    expect(['critical', 'warning', 'info']).toContain(rule.labels.severity);
    const { summary, description } = rule.annotations;
    expect(summary).toMatch(/^[A-Z][^{]*\.$/);
    expect(summary.length).toBeLessThanOrEqual(80);
    expect(description).toMatch(/\.$/);
    expect(description).not.toMatch(/\{\{ \$value \}\}%/);
  });

  test.each(ALERTS)('$alert names in its text only labels that its series have', (rule) => {
    const named = [...JSON.stringify(rule.annotations).matchAll(/\$labels\.(\w+)/g)].map(
      ([, label]) => label,
    );
    const known = new Set(parse(rule.expr).selectors.flatMap(({ metric }) => labelsOf(metric)));
    expect(named.filter((label) => label !== undefined && !known.has(label))).toEqual([]);
  });

  test.each(ALERTS)('$alert has no `for: 0m`, which says nothing', (rule) => {
    expect(rule.for ?? 'at once').not.toMatch(/^0/);
  });

  // These three read what a failed scrape itself writes, or nothing.
  const WITHOUT_SCRAPE = ['JimWatchdog', 'JimExporterDown', 'JimExporterAbsent'];
  test.each(ALERTS.filter(({ alert }) => !WITHOUT_SCRAPE.includes(alert)))(
    '$alert is carried over a missed scrape',
    (rule) => {
      expect(rule.keep_firing_for).toMatch(/^(5|15)m$/);
    },
  );

  test.each(ALERTS.filter(({ annotations }) => annotations.dashboard_url !== undefined))(
    '$alert links a dashboard of ours',
    ({ annotations }) => {
      const uid = annotations.dashboard_url?.replace(/^\/d\//, '') ?? '';
      const dashboard = z
        .object({ uid: z.string() })
        .parse(
          JSON.parse(readFileSync(join(ALERTS_FOLDER, '..', 'dashboards', `${uid}.json`), 'utf8')),
        );
      expect(`/d/${dashboard.uid}`).toBe(annotations.dashboard_url);
    },
  );
});

describe('the rules file', () => {
  test.each(GROUPS)('group $name has at most 20 rules', ({ rules }) => {
    expect(rules.length).toBeLessThanOrEqual(20);
  });

  test('has colons in recorded names only, which begin with jim:', () => {
    for (const { record } of RECORDINGS) expect(record).toMatch(/^jim:[a-z_]+:[a-z0-9_]+$/);
  });

  test('gives each threshold and selector a reason just above it', () => {
    const settings = GROUPS.filter(({ name }) => /^jim-(settings|thresholds)/.test(name));
    const unexplained = settings
      .flatMap(({ rules }) => rules.flatMap((rule) => ('record' in rule ? [rule.record] : [])))
      .filter((record) => {
        const above = RULES_TEXT.slice(0, RULES_TEXT.indexOf(`      - record: ${record}\n`));
        // A pair (a share and its floor) shares one reason.
        return !/^ {6}# /m.test(above.split('\n').slice(-5).join('\n'));
      });
    expect(unexplained).toEqual([]);
  });

  test('uses every threshold, and defines every one it uses', () => {
    const defined = new Set(
      RECORDINGS.map(({ record }) => record).filter((record) =>
        record.startsWith('jim:threshold:'),
      ),
    );
    // Defined by the operator, where a run profile without a schedule needs it.
    const optional = 'jim:threshold:run_success_age_seconds';
    const used = new Set(
      [...ALERTS, ...RECORDINGS].flatMap(({ expr }) =>
        parse(expr)
          .selectors.map(({ metric }) => metric)
          .filter((metric) => metric.startsWith('jim:threshold:')),
      ),
    );
    expect([...used].toSorted()).toEqual([...defined, optional].toSorted());
  });

  test('looks back over at least four scrapes of a minute', () => {
    const minutes = [...RULES_TEXT.matchAll(/\[(\d+)m(?::\d+m)?\]/g)].map(([, range]) =>
      Number(range),
    );
    expect(Math.min(...minutes)).toBeGreaterThanOrEqual(4);
  });
});

/** What the server itself, or the operator's own rule, adds to our families. */
const FOREIGN: ReadonlyMap<string, readonly string[]> = new Map([
  ['up', []],
  ['jim:threshold:run_success_age_seconds', ['connected_system', 'run_profile', 'run_type']],
]);
const TARGET_LABELS = ['job', 'instance'];
const FAMILIES = new Map(CATALOGUE.map((family) => [family.name, family.labels]));

/** Labels a metric may have; of a recorded one, all that its expression's metrics have. Undefined where nobody has it. */
function knownLabels(metric: string): readonly string[] | undefined {
  const own = FAMILIES.get(metric) ?? FOREIGN.get(metric);
  if (own !== undefined) return [...own, ...TARGET_LABELS];
  const recorded = RECORDINGS.filter(({ record }) => record === metric);
  if (recorded.length === 0) return undefined;
  return recorded.flatMap(({ expr, labels }) => [
    ...Object.keys(labels ?? {}),
    ...parse(expr).selectors.flatMap((selector) => labelsOf(selector.metric)),
  ]);
}
function labelsOf(metric: string): readonly string[] {
  return knownLabels(metric) ?? [];
}

/** Values that the rules match on, where the set is closed: a misspelt one would never fire. */
function closedSet({ metric }: Selector, label: string): readonly string[] | null {
  const sets: Readonly<Record<string, readonly string[]>> = {
    'jim_run_last_status status': FINISHED_STATUSES,
    'jim_schedule_last_execution_status status': SCHEDULE_EXECUTION_STATUSES,
    'jim_worker_tasks status': WORKER_TASK_STATUSES,
    'jim_worker_tasks_oldest_timestamp_seconds status': WORKER_TASK_STATUSES,
    'jim_exporter_poll_failures_total reason': POLL_FAILURE_REASONS,
    'jim_exporter_activities_rejected_total reason': REJECTION_REASONS,
    'jim_exporter_notifications_total result': NOTIFICATION_RESULTS,
    'jim_exporter_collector_success collector': COLLECTORS,
    'jim_run_export_confirmations_total result': CONFIRMATION_RESULTS,
    'jim_authentication_events_total event': AUTHENTICATION_EVENTS,
    'jim_run_objects_total outcome': OUTCOMES,
    'jim_run_in_progress state': ['queued', 'running'],
  };
  const RUN_TYPES = [
    'FullImport',
    'DeltaImport',
    'FullSynchronisation',
    'DeltaSynchronisation',
    'Export',
  ];
  if (label === 'run_type') return RUN_TYPES;
  if (label === 'run_profile') return [OTHER];
  if (label === 'job') return null;
  if (label === 'target_type') return ['ConnectedSystemRunProfile'];
  if (label === 'operation') return ['Execute'];
  return sets[`${metric} ${label}`] ?? [];
}

describe.each(
  [...ALERTS, ...RECORDINGS].map((rule) => ({
    name: 'alert' in rule ? rule.alert : rule.record,
    parsed: parse(rule.expr),
  })),
)('the expression of $name', ({ parsed }) => {
  test('is PromQL', () => {
    expect(parsed.faults).toEqual([]);
  });

  test('reads only metrics and labels that the exporter has', () => {
    const unknown = parsed.selectors.flatMap(({ metric, matchers }) => {
      const labels = knownLabels(metric);
      if (labels === undefined) return [metric];
      return matchers
        .filter(({ label }) => !labels.includes(label))
        .map(({ label }) => `${metric}{${label}}`);
    });
    expect(unknown).toEqual([]);
  });

  test('joins and groups by labels that one of its metrics has', () => {
    const known = new Set(parsed.selectors.flatMap(({ metric }) => labelsOf(metric)));
    expect(parsed.groupingLabels.filter((label) => !known.has(label))).toEqual([]);
  });

  test('matches only words that exist', () => {
    const misspelt = parsed.selectors.flatMap((selector) =>
      selector.matchers.flatMap(({ label, value }) => {
        const set = closedSet(selector, label);
        return set === null ? [] : value.split('|').filter((word) => !set.includes(word));
      }),
    );
    expect(misspelt).toEqual([]);
  });
});

describe('the unit tests', () => {
  const cases = UNIT_TEST_FILES.flatMap(({ tests }) => tests);
  const checksOf = (alert: string) =>
    cases
      .map(({ name, input_series, alert_rule_test }) => ({
        name,
        /** Quiet or firing, in the order of time. */
        states: alert_rule_test
          .filter(({ alertname }) => alertname === alert)
          .map(({ exp_alerts }) => (exp_alerts.length > 0 ? 'firing' : 'quiet')),
        hasGap: input_series.some(({ values }) => /\bstale\b|_/.test(values)),
      }))
      .filter(({ states }) => states.length > 0);

  test.each(UNIT_TEST_FILES)('$name evaluates every group, in the order of the file', (file) => {
    expect(file.group_eval_order).toEqual(GROUPS.map(({ name }) => name));
  });

  test('know no alert that does not exist', () => {
    const names = new Set(ALERTS.map(({ alert }) => alert));
    const tested = cases.flatMap(({ alert_rule_test }) =>
      alert_rule_test.map(({ alertname }) => alertname),
    );
    expect(tested.filter((name) => !names.has(name))).toEqual([]);
  });

  test.each(ALERTS.filter(({ alert }) => alert !== 'JimWatchdog'))(
    'see $alert quiet, firing over a gap, clear again, and not fooled by a gap or a restart',
    ({ alert }) => {
      const checks = checksOf(alert);
      expect(
        checks.some(
          ({ states, hasGap }) => hasGap && /quiet,(firing,)+quiet/.test(states.join(',')),
        ),
        'a test in which it is quiet, fires, and clears, with a gap',
      ).toBe(true);
      expect(
        checks.some(
          ({ name, states, hasGap }) =>
            hasGap && name.startsWith(`${alert} is quiet`) && !states.includes('firing'),
        ),
        'a test in which it stays quiet over a gap',
      ).toBe(true);
    },
  );

  test.each(ALERTS)('see what $alert does without any series', ({ alert }) => {
    const absent = cases.find(({ name }) => name === 'Without any series');
    expect(absent?.input_series).toEqual([]);
    const firing = absent?.alert_rule_test
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts }) => exp_alerts.length > 0)
      .at(-1);
    expect(firing).toBe(['JimWatchdog', 'JimExporterAbsent'].includes(alert));
  });
});
