/** Views of the status page for its tests: a bad morning with everything on it, and the same with hostile names. */
import type { LastRunView, PageView, RunProfileView } from '../../src/web/page-view.ts';

const NOW_MS = Date.parse('2026-03-04T07:30:00Z');
const MINUTE_MS = 60_000;
const LINK = 'https://jim.example.org/activity/';

export function lastRunView(view: Partial<LastRunView> = {}): LastRunView {
  return {
    status: 'Complete',
    endedMs: NOW_MS - 12 * MINUTE_MS,
    durationSeconds: 95,
    outcomes: [],
    errors: 0,
    errorTypes: [],
    cause: null,
    link: `${LINK}0198f3a1-0000-7000-8000-000000000001`,
    ...view,
  };
}

export function runProfileView(view: Partial<RunProfileView> = {}): RunProfileView {
  return {
    connectedSystem: 'HR',
    runProfile: 'Full Import',
    runType: 'FullImport',
    last: lastRunView(),
    failuresInARow: 0,
    earlierFailure: null,
    inProgress: 0,
    ...view,
  };
}

/** Every section, every status, every kind of missing value. */
export function pageView(view: Partial<PageView> = {}): PageView {
  return {
    nowMs: NOW_MS,
    jimNowMs: NOW_MS,
    telemetryPath: '/metrics',
    jim: {
      up: true,
      version: '0.14.0',
      failure: null,
      lastSuccessfulPollMs: NOW_MS - 4_000,
      ready: true,
      maintenance: false,
      url: 'https://jim.example.org',
    },
    warnings: [
      'The state is in memory only: a restart forgets what was counted (storage.path).',
      'The clocks of JIM and of this machine differ by 42 s.',
    ],
    runProfiles: [
      runProfileView({ connectedSystem: 'Directory', runProfile: 'Delta Import' }),
      runProfileView({
        connectedSystem: 'Badges',
        runProfile: 'Export',
        last: lastRunView({
          status: 'CompleteWithWarning',
          cause: 'object_errors',
          errors: 2,
          errorTypes: [{ word: 'DuplicateObject', count: 2 }],
          outcomes: [{ word: 'Exported', count: 12_345 }],
        }),
      }),
      runProfileView({
        failuresInARow: 3,
        inProgress: 1,
        last: lastRunView({
          status: 'FailedWithError',
          endedMs: NOW_MS - 5 * 60 * MINUTE_MS,
          cause: 'worker_crash',
          errors: 1_204,
          errorTypes: [
            { word: 'MissingExternalIdAttributeValue', count: 1_200 },
            { word: 'AmbiguousMatch', count: 4 },
          ],
          outcomes: [
            { word: 'Added', count: 10 },
            { word: 'Updated', count: 4_017 },
          ],
        }),
      }),
      runProfileView({
        connectedSystem: 'Directory',
        runProfile: 'Export',
        last: lastRunView({
          status: 'Cancelled',
          durationSeconds: null,
          cause: 'previous_step_failed',
        }),
      }),
      runProfileView({
        runProfile: 'Delta Import',
        earlierFailure: {
          status: 'CompleteWithError',
          beganMs: NOW_MS - 6 * 60 * MINUTE_MS,
          link: `${LINK}0198f3a1-0000-7000-8000-000000000009`,
        },
      }),
      runProfileView({ connectedSystem: 'Phones', runProfile: 'Full Synchronisation', last: null }),
    ],
    progress: [
      {
        connectedSystem: 'HR',
        runProfile: 'Full Import',
        status: 'InProgress',
        startedMs: NOW_MS - 20 * MINUTE_MS,
        objects: { processed: 40_000, toProcess: 100_000, percent: 40, remainingSeconds: 1_800 },
        link: `${LINK}0198f3a1-0000-7000-8000-000000000002`,
      },
      {
        connectedSystem: 'Phones',
        runProfile: 'Export',
        status: 'InProgress',
        startedMs: null,
        objects: { processed: 7, toProcess: 0, percent: null, remainingSeconds: null },
        link: `${LINK}0198f3a1-0000-7000-8000-000000000003`,
      },
      {
        connectedSystem: 'Badges',
        runProfile: 'Export',
        status: 'CancellationRequested',
        startedMs: null,
        objects: null,
        link: `${LINK}0198f3a1-0000-7000-8000-000000000004`,
      },
    ],
    queue: [
      { word: 'Processing', count: 1 },
      { word: 'WaitingForPreviousStep', count: 3 },
    ],
    schedules: [
      {
        name: 'Nightly',
        enabled: true,
        nextMs: NOW_MS + 18 * 60 * MINUTE_MS,
        lastMs: NOW_MS - 6 * 60 * MINUTE_MS,
        lastStatus: 'Failed',
        inProgress: true,
      },
      {
        name: 'Clean-up',
        enabled: false,
        nextMs: NOW_MS,
        lastMs: null,
        lastStatus: null,
        inProgress: false,
      },
    ],
    exporter: {
      version: '1.2.3',
      lastPollMs: NOW_MS - 4_000,
      pollIntervalSeconds: 15,
      caughtUp: true,
      abilities: [
        { name: 'progress', has: true },
        { name: 'rows by time and status', has: false },
      ],
      collectors: [
        { name: 'health', state: 'on', reason: null },
        { name: 'run_stats', state: 'disabled', reason: null },
        { name: 'worker_tasks', state: 'lacking', reason: null },
        { name: 'certificates', state: 'failing', reason: 'bad_response' },
      ],
      openActivities: 2,
      labelSets: 6,
      maxLabelSets: 500,
      requestsLastMinute: 17,
      requestsPerMinute: 60,
      stateBytes: null,
      alertmanagers: 2,
      alertsFiring: 1,
    },
    ...view,
  };
}

/** Would run, break out of an attribute, or push the page apart, if it were not escaped and wrapped. */
const HOSTILE_NAMES = [
  '<script>window.pwned = 1</script>',
  '"><img src=x onerror="window.pwned = 1">',
  "' onmouseover='window.pwned = 1' x='",
  '</title></style><iframe src="javascript:window.pwned = 1">',
  '&lt;b&gt; & ${0} {{7*7}} \u202Eright to left\u0000',
  'W'.repeat(128),
] as const;

export function hostileView(): PageView {
  const view = pageView();
  const [script, image, attribute, title, mixed, long] = HOSTILE_NAMES;
  return {
    ...view,
    jim: { ...view.jim, version: title },
    runProfiles: [
      runProfileView({
        connectedSystem: script,
        runProfile: image,
        failuresInARow: 1,
        last: lastRunView({
          status: attribute,
          outcomes: [{ word: mixed, count: 1 }],
          errors: 1,
          errorTypes: [{ word: script, count: 1 }],
        }),
      }),
      runProfileView({ connectedSystem: long, runProfile: long }),
    ],
    progress: view.progress.map((run) => ({
      ...run,
      connectedSystem: image,
      runProfile: attribute,
      status: title,
    })),
    queue: [{ word: image, count: 1 }],
    schedules: (view.schedules ?? []).map((schedule) => ({ ...schedule, name: title })),
  };
}
