import { describe, expect, it } from 'vitest';
import type { Config } from '../src/config/config.ts';
import { loadConfig } from '../src/config/load.ts';
import { instant } from '../src/jim/activity.ts';
import { dialectOf } from '../src/jim/dialect.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import type { PageSource } from '../src/page-from-parts.ts';
import { pageViewOf } from '../src/page-from-parts.ts';
import { createRequestMeter } from '../src/request-meter.ts';
import type { JimSeen } from '../src/poll/poller.ts';
import { CLOUD, DELTA } from '../src/demo/company-set-up.ts';
import { createCompany } from '../src/demo/company.ts';
import { renderPage } from '../src/web/page.ts';
import { START_MS, createRig } from './poll/rig.ts';
import {
  HR_IMPORT,
  NOW_MS,
  activityIdOf,
  busyRunAccount,
  exemplar,
  fullSnapshot,
  lastRun,
  ledgerOf,
  openActivity,
  runAccount,
  snapshotOf,
} from './metrics/snapshots.ts';

const loaded = loadConfig({
  flags: {},
  environment: {
    JIM_URL: 'https://jim.example.org/jim',
    JIM_API_KEY: 'jim_ak_0123456789',
  },
  workingFolder: '/',
  scheduleFault: () => null,
});
if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
const { config: FROM_ENVIRONMENT } = loaded;
const config: Config = { ...FROM_ENVIRONMENT, storage: { path: '/var/lib/jim-exporter' } };

const SEEN: JimSeen = {
  up: true,
  dialect: dialectOf('0.14.0'),
  clockOffsetSeconds: 0,
  lastPollMs: NOW_MS,
  lastSuccessfulPollMs: NOW_MS,
  caughtUp: true,
  failure: null,
};

function source(more: Partial<PageSource> = {}): PageSource {
  return {
    snapshot: snapshotOf(ledgerOf({})),
    seen: SEEN,
    config,
    collectors: [],
    requestsLastMinute: 0,
    reloadFailed: false,
    ...more,
  };
}

const linkOf = (number: number): string =>
  `https://jim.example.org/jim/activity/${activityIdOf(number)}`;

describe('whether JIM answers', () => {
  it.each([
    ['before a poll', { up: false, lastPollMs: null, failure: null }, null],
    ['in the first poll', { up: false, failure: null }, null],
    ['after the first poll failed', { up: false, failure: 'timeout' }, false],
    ['after a poll succeeded', { up: true, failure: null }, true],
    ['after our own disk refused', { up: true, failure: 'storage' }, true],
  ] as const)('is told %s', (_when, seen, up) => {
    const none = { ...SEEN, lastSuccessfulPollMs: null, ...seen };
    expect(pageViewOf(source({ seen: none })).jim.up).toBe(up);
  });
});

describe('the run profiles on the page', () => {
  it('tell all that is known of the last run', () => {
    const ledger = ledgerOf({ runs: [busyRunAccount(HR_IMPORT)] });
    expect(pageViewOf(source({ snapshot: snapshotOf(ledger) })).runProfiles).toEqual([
      {
        connectedSystem: 'HR System',
        runProfile: 'Full Import',
        runType: 'FullImport',
        last: {
          status: 'CompleteWithError',
          endedMs: NOW_MS - 300_500,
          durationSeconds: 240.25,
          outcomes: [
            { word: 'Added', count: 7 },
            { word: 'Updated', count: 3 },
          ],
          errors: 5,
          errorTypes: [
            { word: 'DuplicateObject', count: 4 },
            { word: 'UnhandledError', count: 1 },
          ],
          cause: 'object_errors',
          link: linkOf(1),
        },
        failuresInARow: 2,
        earlierFailure: null,
        inProgress: 0,
      },
    ]);
  });

  it.each([
    [
      'remember a failure before the last success',
      23,
      { status: 'FailedWithError', link: linkOf(5) },
    ],
    ['forget it after a day', 25, null],
  ])('%s', (_, hours, expected) => {
    const beganMs = NOW_MS - hours * 3_600_000;
    expect(earlierFailure({ countedMs: beganMs, rest: {} })).toEqual(
      expected === null ? null : { ...expected, beganMs },
    );
  });

  it('tell when a failure began, not when it was counted after a pause of ours', () => {
    const beganMs = NOW_MS - 7 * 3_600_000;
    const created = instant(beganMs * 1_000);
    const rest = { counted: new Map([[activityIdOf(5), { created, fingerprint: '' }]]) };
    expect(earlierFailure({ countedMs: NOW_MS - 60_000, rest })).toEqual({
      status: 'FailedWithError',
      link: linkOf(5),
      beganMs,
    });
  });

  function earlierFailure({
    countedMs,
    rest,
  }: {
    readonly countedMs: number;
    readonly rest: Partial<Ledger>;
  }): unknown {
    const failed = { ...exemplar(5), atMs: countedMs };
    const account = runAccount({ last: lastRun() });
    const published = { ...account.published, exemplars: { FailedWithError: failed } };
    const ledger = ledgerOf({ runs: [{ ...account, published }], rest });
    const [profile] = pageViewOf(source({ snapshot: snapshotOf(ledger) })).runProfiles;
    return profile?.earlierFailure;
  }

  it('include one that runs for the first time, and one that only the inventory knows, but not (other)', () => {
    const listed = { ...HR_IMPORT, runProfile: 'Delta Import' };
    const other = { ...HR_IMPORT, connectedSystem: '(other)', runProfile: '(other)' };
    const ledger = ledgerOf({
      runs: [runAccount({ labels: listed }), runAccount({ labels: other, last: lastRun() })],
      open: [openActivity(), openActivity({ orphaned: true }), openActivity({ run: null })],
    });
    const { runProfiles, progress } = pageViewOf(source({ snapshot: snapshotOf(ledger) }));
    expect(
      runProfiles.map(({ runProfile, last, inProgress }) => ({ runProfile, last, inProgress })),
    ).toEqual([
      { runProfile: 'Delta Import', last: null, inProgress: 0 },
      { runProfile: 'Full Import', last: null, inProgress: 1 },
    ]);
    expect(progress).toEqual([
      {
        connectedSystem: 'HR System',
        runProfile: 'Full Import',
        status: 'InProgress',
        startedMs: null,
        objects: null,
        link: linkOf(9_000),
      },
    ]);
  });
});

it('shows what runs before what waits, and what the worker says of each', () => {
  const created = instant((NOW_MS - 600_000) * 1_000);
  const ledger = ledgerOf({
    open: [
      openActivity({ created, executed: created, run: { ...HR_IMPORT, runProfile: 'Waits' } }),
      openActivity({
        created: instant(created + 1),
        executed: instant(created + 2_000_000),
        run: { ...HR_IMPORT, runProfile: 'Runs' },
      }),
    ],
  });
  const workerTasks = [
    { activityId: activityIdOf(9_000), status: 'WaitingForPreviousStep', timestamp: created },
    { activityId: activityIdOf(9_001), status: 'Processing', timestamp: created },
  ];
  const { readings, ...snapshot } = snapshotOf(ledger);
  const view = pageViewOf(
    source({ snapshot: { ...snapshot, readings: { ...readings, workerTasks } } }),
  );
  expect(
    view.progress.map(({ runProfile, status, startedMs }) => [runProfile, status, startedMs]),
  ).toEqual([
    ['Runs', 'Processing', NOW_MS - 598_000],
    ['Waits', 'WaitingForPreviousStep', null],
  ]);
});

it('shows what the collectors read', () => {
  const { progress, queue, schedules, exporter } = pageViewOf(
    source({ snapshot: fullSnapshot(), requestsLastMinute: 17 }),
  );
  expect(progress.map(({ objects }) => objects)).toEqual([
    { processed: 10, toProcess: 100, percent: 10, remainingSeconds: 90 },
  ]);
  expect(queue).toEqual([
    { word: 'Processing', count: 1 },
    { word: 'Queued', count: 1 },
  ]);
  expect(schedules).toEqual([
    {
      name: 'Nightly',
      enabled: true,
      lastMs: NOW_MS - 82_800_000,
      nextMs: NOW_MS + 3_600_000,
      lastStatus: 'Failed',
      inProgress: true,
    },
  ]);
  expect(exporter).toMatchObject({
    version: '1.2.3',
    openActivities: 2,
    requestsLastMinute: 17,
    stateBytes: 12_345,
    alertsFiring: 1,
  });
});

it('tells no name of a person, no message and no error text', async () => {
  const { world, incidents } = createCompany({
    seed: 3,
    startMs: START_MS,
    days: 1,
    quiet: true,
  });
  const rig = await createRig({ world, settings: { runStats: 'auto' } });
  await rig.poll();
  for (const kind of ['connector', 'some_objects'] as const) {
    incidents.failNextRun(CLOUD, kind, 'FullImport');
    const id = incidents.run(CLOUD, 'FullImport');
    rig.pass(1_200_000);
    await rig.pollFor(30_000);
    await rig.collectors.afterPoll({});
    expect(world.row(id)?.status).toMatch(/Error|Warning/);
  }
  incidents.startSchedule(DELTA);
  rig.pass(3_000);
  await rig.poll();
  await rig.collectors.afterPoll({});
  const snapshot = { ...snapshotOf(rig.ledger()), readings: rig.collectors.readings() };
  const { html } = renderPage(pageViewOf(source({ snapshot })));
  expect(html).toContain('Cloud Directory');
  const texts = world.table.rows.flatMap((row) => [
    // JIM itself is no person, and its name is part of many a connected system's.
    row.initiatedByType === 'System' ? null : row.initiatedByName,
    row.message,
    row.errorMessage,
    row.warningMessage,
  ]);
  const unwanted = [...new Set(texts)].filter((text) => text !== null && text.length > 3);
  expect(unwanted.length).toBeGreaterThan(5);
  expect(unwanted.filter((text) => text !== null && html.includes(text))).toEqual([]);
});

it('takes ages of what JIM dated from JIM’s clock', () => {
  const view = pageViewOf(source({ seen: { ...SEEN, clockOffsetSeconds: -42 } }));
  expect(view.jimNowMs).toBe(NOW_MS - 42_000);
});

describe('a warning', () => {
  const nothingWrong: readonly string[] = [];
  it.each<readonly [Partial<PageSource>, readonly string[]]>([
    [{}, nothingWrong],
    [
      { seen: { ...SEEN, up: false, failure: 'unreachable' } },
      ['JIM cannot be reached: see that it runs, and check jim.url.'],
    ],
    [
      { seen: { ...SEEN, up: false, failure: 'timeout' } },
      ['JIM takes too long to answer: see how it does, or raise jim.timeout.'],
    ],
    [
      { seen: { ...SEEN, up: false, failure: 'server_error' } },
      ['JIM answers with errors of its own: its log says why.'],
    ],
    [
      { seen: { ...SEEN, up: false, failure: 'bad_response' } },
      ['What answers is not JIM, or is none that we understand: check jim.url.'],
    ],
    [
      {
        seen: { ...SEEN, up: false, failure: 'unreachable' },
        collectors: [{ name: 'health', state: 'failing', reason: 'unreachable' }],
      },
      ['JIM cannot be reached: see that it runs, and check jim.url.'],
    ],
    [
      { seen: { ...SEEN, failure: 'unauthorized' } },
      ['JIM refuses the API key: check jim.api_key_file.'],
    ],
    [
      { seen: { ...SEEN, failure: 'forbidden' } },
      ['The API key lacks the role Administrator in JIM.'],
    ],
    [
      { seen: { ...SEEN, failure: 'rate_limited' } },
      [
        'JIM limits the requests of this key: lower jim.requests_per_minute, or give us a key of our own.',
      ],
    ],
    [
      { seen: { ...SEEN, failure: 'storage' } },
      ['The state file cannot be written: nothing more is counted until it can.'],
    ],
    [{ reloadFailed: true }, ['The configuration on disk is bad: the one before is still in use.']],
    [
      { seen: { ...SEEN, clockOffsetSeconds: -42.4 } },
      ['The clocks of JIM and of this machine differ by 42 s.'],
    ],
    [{ seen: { ...SEEN, clockOffsetSeconds: 10 } }, nothingWrong],
    [
      { snapshot: snapshotOf(ledgerOf({ rest: { lastHistoryGapMs: NOW_MS - 60_000 } })) },
      [
        'In the last 24 hours JIM deleted Activities before they could be read: they are not counted.',
      ],
    ],
    [
      { snapshot: snapshotOf(ledgerOf({ rest: { lastHistoryGapMs: NOW_MS - 86_400_000 } })) },
      nothingWrong,
    ],
    [
      {
        collectors: [
          { name: 'health', state: 'failing', reason: 'timeout' },
          { name: 'progress', state: 'lacking', reason: null },
        ],
      },
      ['Collectors fail, and their metrics grow old: health.'],
    ],
    [
      { config: { ...config, storage: { path: null } } },
      ['The state is in memory only: a restart forgets what was counted (storage.path).'],
    ],
    [
      {
        config: {
          ...config,
          jim: { ...config.jim, tls: { ...config.jim.tls, insecureSkipVerify: true } },
        },
      },
      ['JIM’s certificate is not verified: whoever stands between can read the API key.'],
    ],
  ])('stands for what is wrong: %j', (more, warnings) => {
    expect(pageViewOf(source(more)).warnings).toEqual(warnings);
  });

  it('stands for names that were folded', () => {
    const { labels } = ledgerOf({});
    const ledger = ledgerOf({ rest: { labels: { ...labels, folded: new Map([['x', NOW_MS]]) } } });
    expect(pageViewOf(source({ snapshot: snapshotOf(ledger) })).warnings).toEqual([
      'Names beyond poll.max_label_sets (500) are counted as (other).',
    ]);
  });
});

it('counts the requests of the last minute, even if the clock is set back', () => {
  let nowMs = 1_000_000;
  const meter = createRequestMeter(() => nowMs);
  meter.note();
  nowMs += 30_000;
  meter.note();
  expect(meter.lastMinute()).toBe(2);
  nowMs += 30_000;
  expect(meter.lastMinute()).toBe(1);
  nowMs -= 3_600_000;
  expect(meter.lastMinute()).toBe(0);
});
