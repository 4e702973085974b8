import { describe, expect, test } from 'vitest';
import {
  MINIMUM_HOLD_MS,
  NO_NEWS,
  UNDELIVERED_HOLD_MS,
  nextAlerts,
} from '../../src/alertmanager/alerts.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { runKey } from '../../src/ledger/ledger.ts';
import { Book, HR_IMPORT, MINUTE, SETTINGS, SIX_MS, finished, ledgerAfter, run } from './world.ts';

const FAIL = { status: 'FailedWithError' } as const;
const SUCCESS = { status: 'Complete' } as const;

describe('an unsuccessful run', () => {
  test('fires one alert with the identity, the texts and the link of the contract', () => {
    const book = new Book();
    const failure = run({ ...FAIL, id: 'ABC', errors: 12, outcomes: { Added: 300, Updated: 12 } });
    expect(book.move([failure])).toEqual([
      {
        labels: {
          alertname: 'JimRunUnsuccessful',
          jim: 'jim.example:8443',
          connected_system: 'HR System',
          run_profile: 'Full Import',
          run_type: 'FullImport',
          severity: 'critical',
          source: 'jim-exporter',
        },
        annotations: {
          summary: 'Full Import of HR System failed',
          description:
            'FailedWithError, 12 objects with errors. Ended 2026-11-23 06:00:00 UTC after running for 3m 10s, having waited 4s. Changed: 300 Added, 12 Updated.',
          activity_id: 'abc',
          status: 'FailedWithError',
          errors: '12',
          changed: '300 Added, 12 Updated',
          duration: '3m 10s',
          queue_time: '4s',
          ended_at: '2026-11-23 06:00:00 UTC',
          failures_in_a_row: '1',
          runbook_url:
            'https://github.com/jim-exporter/jim-exporter/blob/main/alerts/runbooks/bridge.md#jimrununsuccessful',
        },
        generatorUrl: 'https://jim.example:8443/identity/activity/abc',
        startsAtMs: SIX_MS,
        resolvedAtMs: null,
        activityId: 'abc',
        runEnd: SIX_MS * 1_000,
        foundAtMs: SIX_MS,
        acceptedAtMs: null,
      },
    ]);
  });

  test.each([
    ['FailedWithError', ['critical firing']],
    ['CompleteWithError', ['warning firing']],
    ['CompleteWithWarning', []],
    ['Complete', []],
    ['Cancelled', []],
  ] as const)('that ended %s fires %j by default', (status, states) => {
    const book = new Book();
    book.move([run({ status })]);
    expect(book.states()).toEqual(states);
  });

  test('fires for Cancelled and CompleteWithWarning where the configuration names them', () => {
    const book = new Book();
    book.settings = { ...SETTINGS, severities: { Cancelled: 'info', CompleteWithWarning: 'low' } };
    book.move([run({ status: 'Cancelled' })]);
    expect(book.states()).toEqual(['info firing']);
    book.later(20 * MINUTE, [run({ status: 'CompleteWithWarning', end: 60 })]);
    expect(book.states()).toEqual(['info resolved', 'low firing']);
    book.later(20 * MINUTE, [run({ ...SUCCESS, end: 120 })]);
    expect(book.states()).toEqual(['low resolved']);
  });

  test('leaves out labels without a value, and static labels never replace the identity', () => {
    const book = new Book();
    book.settings = { ...SETTINGS, labels: { jim: 'forged', team: 'iam', empty: '' } };
    const labels = { connectedSystem: '', runProfile: 'Export', runType: '' };
    expect(book.move([run({ labels })])[0]?.labels).toEqual({
      alertname: 'JimRunUnsuccessful',
      jim: 'jim.example:8443',
      run_profile: 'Export',
      severity: 'critical',
      team: 'iam',
    });
  });

  test('of history fires, since a dashboard would show it failing now', () => {
    const ledger = ledgerAfter([run(FAIL)]);
    expect([...nextAlerts(ledger, NO_NEWS, SETTINGS, SIX_MS).values()]).toHaveLength(1);
  });

  test('of history that a success followed does not fire', () => {
    const ledger = ledgerAfter([run({ ...FAIL, end: 0 }), run({ ...SUCCESS, end: 60 })]);
    expect(nextAlerts(ledger, NO_NEWS, SETTINGS, SIX_MS)).toBe(ledger.alerts);
  });

  test('of a folded run profile fires nothing: (other) has no last run', () => {
    const labels = { connectedSystem: '(other)', runProfile: '(other)', runType: 'FullImport' };
    const ledger = ledgerAfter([run({ labels })]);
    const news = { ...NO_NEWS, finished: [{ ...finished(run()), labels }] };
    expect(nextAlerts(ledger, news, SETTINGS, SIX_MS).size).toBe(0);
  });

  test('does not change the ledger it is decided from', () => {
    const ledger = ledgerAfter([run(FAIL)]);
    const before = structuredClone(ledger);
    nextAlerts(ledger, NO_NEWS, SETTINGS, SIX_MS);
    expect(ledger).toEqual(before);
  });
});

describe('while an alert fires', () => {
  test('an idle move returns the same map, so that nothing is committed', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.later(MINUTE);
    const { alerts } = book.ledger;
    book.later(MINUTE);
    expect(book.ledger.alerts).toBe(alerts);
  });

  test('the next failure changes texts and link, never identity or start', () => {
    const book = new Book();
    const [first] = book.move([run({ ...FAIL, id: 'one' })]);
    const [second] = book.later(MINUTE, [run({ ...FAIL, id: 'two', end: 60 })]);
    expect(second?.labels).toEqual(first?.labels);
    expect(second?.startsAtMs).toBe(first?.startsAtMs);
    expect(second?.foundAtMs).toBe(SIX_MS + MINUTE);
    expect(second?.generatorUrl).toMatch(/\/activity\/two$/);
    expect(second?.annotations['failures_in_a_row']).toBe('2');
    expect(second?.annotations['description']).toContain('2 failures in a row.');
  });

  test('Cancelled neither resolves nor changes it', () => {
    const book = new Book();
    const before = book.move([run(FAIL)])[0];
    const after = book.later(60 * MINUTE, [run({ status: 'Cancelled', end: 60 })])[0];
    expect(after).toEqual({ ...before, acceptedAtMs: SIX_MS });
  });

  test('a failure found together with the Cancelled run after it fires', () => {
    const book = new Book();
    book.move([run({ ...FAIL, end: 0 }), run({ status: 'Cancelled', end: 60 })]);
    expect(book.states()).toEqual(['critical firing']);
    book.later(60 * MINUTE);
    expect(book.states()).toEqual(['critical firing']);
  });

  test('an older failure read later (catching up) does not take its place', () => {
    const book = new Book();
    book.move([run({ ...FAIL, id: 'new', end: 600 })]);
    book.later(MINUTE, [run({ status: 'CompleteWithError', id: 'old', end: 0 })]);
    expect(book.states()).toEqual(['critical firing']);
    expect(book.alerts()[0]?.activityId).toBe('new');
  });

  test('a changed severity fires a new alert and resolves the old one', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.later(20 * MINUTE, [run({ status: 'CompleteWithError', end: 60 })]);
    expect(book.states()).toEqual(['critical resolved', 'warning firing']);
    book.later(20 * MINUTE, [run({ ...FAIL, end: 120 })]);
    expect(book.states()).toEqual(['critical firing', 'warning resolved']);
  });

  test('the types of its errors and its schedule are added when they become known, and stay', () => {
    const book = new Book();
    book.move([run({ ...FAIL, errors: 3 })]);
    const account = book.ledger.runs.get(runKey(HR_IMPORT));
    if (account === undefined || account.last === null) throw new Error('no run');
    const errorsByType = { UnresolvedReference: 1, DuplicateObject: 2 };
    const runs = new Map([
      [runKey(HR_IMPORT), { ...account, last: { ...account.last, errorsByType } }],
    ]);
    book.ledger = { ...book.ledger, runs };
    const schedules = new Map([[runKey(HR_IMPORT), ['Nightly', 'Weekend']]]);
    const annotations = book.move([], { schedules })[0]?.annotations;
    expect(annotations).toMatchObject({
      error_types: '2 DuplicateObject, 1 UnresolvedReference',
      schedule: 'Nightly, Weekend',
      description: expect.stringContaining(
        '3 objects with errors (2 DuplicateObject, 1 UnresolvedReference).',
      ),
    });
    // A restart knows no schedules at first.
    expect(book.move([], { schedules: null })[0]?.annotations).toEqual(annotations);
    expect(book.move([], { schedules: new Map() })[0]?.annotations['schedule']).toBeUndefined();
  });
});

describe('the error message', () => {
  const message = '  Could not bind as CN=Jane Doe  ';

  test('is nowhere unless it is configured', () => {
    const book = new Book();
    const failure = run(FAIL);
    const alerts = book.move([failure], { messages: new Map([[failure.id, message]]) });
    expect(JSON.stringify(alerts)).not.toContain('Jane');
  });

  test('is told where configured, also when it is read later, and is kept until the next run', () => {
    const book = new Book();
    book.settings = { ...SETTINGS, includeErrorMessage: true };
    const failure = run(FAIL);
    expect(book.move([failure])[0]?.annotations['error_message']).toBeUndefined();
    const messages = new Map([[failure.id, message]]);
    const text = 'Could not bind as CN=Jane Doe';
    expect(book.move([], { messages })[0]?.annotations['error_message']).toBe(text);
    expect(book.later(MINUTE)[0]?.annotations['error_message']).toBe(text);
    const next = book.later(MINUTE, [run({ ...FAIL, end: 60 })]);
    expect(next[0]?.annotations['error_message']).toBeUndefined();
  });

  test('leaves the ledger when it is no longer configured', () => {
    const book = new Book();
    book.settings = { ...SETTINGS, includeErrorMessage: true };
    const failure = run(FAIL);
    book.move([failure], { messages: new Map([[failure.id, message]]) });
    book.move([run({ status: 'Cancelled', end: 60 })]);
    expect(JSON.stringify(book.alerts())).toContain('Jane');
    book.settings = SETTINGS;
    book.move();
    expect(JSON.stringify(book.alerts())).not.toContain('Jane');
  });

  test('is cut to 1,000 code points and made UTF-8', () => {
    const book = new Book();
    book.settings = { ...SETTINGS, includeErrorMessage: true };
    const failure = run(FAIL);
    const long = `\uD800${'🦒'.repeat(1_500)}`;
    const [alert] = book.move([failure], { messages: new Map([[failure.id, long]]) });
    expect(alert?.annotations['error_message']).toBe(`\uFFFD${'🦒'.repeat(999)}`);
  });
});

describe('a recovery', () => {
  test.each(['Complete', 'CompleteWithWarning'] as const)('by %s resolves', (status) => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.later(20 * MINUTE, [run({ status, end: 60 })]);
    expect(book.states()).toEqual(['critical resolved']);
    expect(book.alerts()[0]?.resolvedAtMs).toBe(SIX_MS + 20 * MINUTE);
  });

  test('soon after the failure resolves only when the failure was told long enough', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.later(MINUTE, [run({ ...SUCCESS, end: 60 })]);
    expect(book.states()).toEqual(['critical firing']);
    book.later(MINIMUM_HOLD_MS - MINUTE - 1);
    expect(book.states()).toEqual(['critical firing']);
    book.later(1);
    expect(book.states()).toEqual(['critical resolved']);
  });

  test('of a run profile that fails again meanwhile resolves nothing', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.later(MINUTE, [run({ ...SUCCESS, end: 60 })]);
    book.later(MINUTE, [run({ ...FAIL, end: 120 })]);
    book.later(60 * MINUTE);
    expect(book.states()).toEqual(['critical firing']);
    expect(book.alerts()[0]?.startsAtMs).toBe(SIX_MS);
  });

  test('found together with its failure is told after it: first the one, 10 minutes later the other', () => {
    const book = new Book();
    book.move([run({ ...FAIL, end: 0 }), run({ ...SUCCESS, end: 60 })]);
    expect(book.states()).toEqual(['critical firing']);
    book.later(MINIMUM_HOLD_MS);
    expect(book.states()).toEqual(['critical resolved']);
    book.later(60 * MINUTE);
    expect(book.states()).toEqual([]);
  });

  test('waits for an Alertmanager to have accepted the failure, but no longer than a day', () => {
    const book = new Book();
    book.move([run({ ...FAIL, end: 0 }), run({ ...SUCCESS, end: 60 })]);
    book.nowMs += UNDELIVERED_HOLD_MS - 1;
    book.move();
    expect(book.states()).toEqual(['critical firing']);
    book.nowMs += 1;
    book.move();
    expect(book.states()).toEqual(['critical resolved']);
  });

  test('is forgotten 15 minutes later', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.later(20 * MINUTE, [run({ ...SUCCESS, end: 60 })]);
    book.later(15 * MINUTE - 1);
    expect(book.states()).toEqual(['critical resolved']);
    book.later(1);
    expect(book.states()).toEqual([]);
  });

  test('followed by a failure fires the same identity with a new start', () => {
    const book = new Book();
    const [first] = book.move([run(FAIL)]);
    book.later(20 * MINUTE, [run({ ...SUCCESS, end: 60 })]);
    const [again] = book.later(MINUTE, [run({ ...FAIL, end: 120 })]);
    expect(book.states()).toEqual(['critical firing']);
    expect(again?.labels).toEqual(first?.labels);
    expect(again?.startsAtMs).toBe(SIX_MS + 21 * MINUTE);
  });

  test('does not wait for our clock when that was set back', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.later(MINUTE);
    book.nowMs -= 120 * MINUTE;
    book.move([run({ ...SUCCESS, end: 60 })]);
    expect(book.alerts()[0]?.startsAtMs).toBe(book.nowMs);
    book.nowMs += MINIMUM_HOLD_MS;
    book.move();
    expect(book.states()).toEqual(['critical resolved']);
  });
});

describe('without a recovery', () => {
  test('retirement of the run profile resolves', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.ledger = retired(book.ledger);
    book.later(20 * MINUTE);
    expect(book.states()).toEqual(['critical resolved']);
    book.later(20 * MINUTE);
    expect(book.states()).toEqual([]);
  });

  test('an account that left the ledger resolves', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.ledger = { ...book.ledger, runs: new Map() };
    book.later(20 * MINUTE);
    expect(book.states()).toEqual(['critical resolved']);
  });

  test('resolve_after resolves, counted from the last failure, and does not fire the same run again', () => {
    const book = new Book();
    book.settings = { ...SETTINGS, resolveAfterMs: 60 * MINUTE };
    book.move([run(FAIL)]);
    book.later(50 * MINUTE, [run({ ...FAIL, end: 60 })]);
    book.later(59 * MINUTE);
    expect(book.states()).toEqual(['critical firing']);
    book.later(MINUTE);
    expect(book.states()).toEqual(['critical resolved']);
    book.later(600 * MINUTE);
    expect(book.states()).toEqual(['critical resolved']);
    book.later(MINUTE, [run({ ...FAIL, end: 120 })]);
    expect(book.states()).toEqual(['critical firing']);
  });

  test('a resolve_after below the ten minutes is kept to the second, once the alert was accepted', () => {
    const book = new Book();
    book.settings = { ...SETTINGS, resolveAfterMs: 3 * MINUTE };
    book.move([run(FAIL)]);
    book.later(3 * MINUTE - 1);
    expect(book.states()).toEqual(['critical firing']);
    book.later(1);
    expect(book.states()).toEqual(['critical resolved']);

    const untold = new Book();
    untold.settings = book.settings;
    untold.move([run(FAIL)]);
    untold.nowMs += 60 * MINUTE;
    untold.move();
    expect(untold.states()).toEqual(['critical firing']);
  });

  test('a status taken out of severities resolves, and fires again when it is put back', () => {
    const book = new Book();
    book.move([run(FAIL)]);
    book.settings = { ...SETTINGS, severities: { CompleteWithError: 'warning' } };
    book.later(20 * MINUTE);
    expect(book.states()).toEqual(['critical resolved']);
    book.settings = SETTINGS;
    book.later(MINUTE);
    expect(book.states()).toEqual(['critical firing']);
  });

  test.each([
    ['static labels', { labels: { team: 'iam' } }],
    ['address', { externalUrl: 'https://other.example' }],
    ['severity', { severities: { FailedWithError: 'page', CompleteWithError: 'critical' } }],
  ])(
    'a change of %s in the configuration resolves the old identity and fires the new one',
    (_, change) => {
      const book = new Book();
      const [before] = book.move([run(FAIL)]);
      book.settings = { ...SETTINGS, ...change };
      book.later(20 * MINUTE);
      const [old, fresh] = book.alerts();
      expect(old?.labels).toEqual(before?.labels);
      expect(old?.resolvedAtMs).toBe(book.nowMs);
      expect(fresh?.labels).not.toEqual(before?.labels);
      expect(fresh?.resolvedAtMs).toBeNull();
    },
  );
});

describe('a thousand run profiles failing at once', () => {
  test('fire a thousand alerts, each with its own identity', () => {
    const rows = Array.from({ length: 1_000 }, (_, index) =>
      run({ labels: { ...HR_IMPORT, runProfile: `Import ${index}` } }),
    );
    const book = new Book();
    expect(book.move(rows)).toHaveLength(1_000);
    book.later(
      20 * MINUTE,
      rows.map((row) => run({ labels: row.labels, ...SUCCESS, end: 60 })),
    );
    expect(new Set(book.states())).toEqual(new Set(['critical resolved']));
  });
});

/** As `retire.ts` does it: the gauges leave, the counters stay. */
function retired(ledger: Ledger): Ledger {
  return {
    ...ledger,
    runs: new Map([...ledger.runs].map(([key, account]) => [key, { ...account, last: null }])),
  };
}
