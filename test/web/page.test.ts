import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { renderPage } from '../../src/web/page.ts';
import type { PageView } from '../../src/web/page-view.ts';
import { hostileView, lastRunView, pageView, runProfileView } from './page-views.ts';

/** What a person reads, white space made one. */
function textOf(view: PageView): string {
  return renderPage(view)
    .html.replaceAll(/<(style|script)[^>]*>[^]*?<\/\1>|<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');
}

const titleOf = (view: PageView): string | undefined =>
  /<title>(.*?)<\/title>/.exec(renderPage(view).html)?.[1];

describe('the headline', () => {
  const { jim } = pageView();
  const calm = { warnings: [], runProfiles: [runProfileView()] };

  it.each<readonly [string, Partial<PageView>, string]>([
    ['all is well', calm, '✓ JIM 0.14.0 answers – jim-exporter'],
    [
      'a run profile fails',
      { ...calm, runProfiles: [runProfileView({ failuresInARow: 1 })] },
      '✗ JIM 0.14.0 answers; 1 run profile fails – jim-exporter',
    ],
    [
      'JIM is down',
      { ...calm, jim: { ...jim, up: false, failure: 'rate_limited' } },
      '✗ JIM 0.14.0 does not answer us (rate limited) – jim-exporter',
    ],
    [
      'nothing was asked yet',
      { ...calm, jim: { ...jim, up: null, version: null, lastSuccessfulPollMs: null } },
      '… JIM is asked for the first time – jim-exporter',
    ],
    [
      'maintenance',
      { ...calm, jim: { ...jim, maintenance: true } },
      '▲ JIM 0.14.0 answers, in maintenance mode – jim-exporter',
    ],
    [
      'not ready',
      { ...calm, jim: { ...jim, ready: false } },
      '▲ JIM 0.14.0 answers, but is not ready – jim-exporter',
    ],
    ['a warning', { ...calm, warnings: ['Something.'] }, '▲ JIM 0.14.0 answers – jim-exporter'],
  ])('says that %s, in the title too', (_, view, title) => {
    expect(titleOf(pageView(view))).toBe(title);
    expect(textOf(pageView(view))).toContain(title.replace(' – jim-exporter', ''));
  });

  it('tells the age of the data, and that it is old while JIM is down', () => {
    expect(textOf(pageView())).toContain('Read 4 s ago. Open JIM');
    const down = pageView({ jim: { ...jim, up: false } });
    expect(textOf(down)).toContain('Read 4 s ago; what follows is from then.');
  });

  it('counts where the run profiles stand', () => {
    expect(textOf(pageView())).toContain(
      '✗ 1 failing ▲ 1 with warnings ■ 1 cancelled ✓ 1 complete again after a failure ✓ 1 complete – 1 never run',
    );
  });
});

describe('what failed', () => {
  const { nowMs } = pageView();

  it('stands first, with why, since when and what came of it', () => {
    const text = textOf(pageView());
    expect(text).toContain(
      'What failed, and why ' +
        'HR Full Import ✗ FailedWithError 5 h ago 2026-03-04 02:30 UTC ' +
        'JIM’s worker crashed or was restarted; 1,204 objects with errors: 1,200 MissingExternalIdAttributeValue, 4 AmbiguousMatch; 3 failures in a row ' +
        'Badges Export ▲ CompleteWithWarning 12 min ago 2026-03-04 07:18 UTC 2 objects with errors: 2 DuplicateObject ' +
        '1 run ■ Cancelled an earlier step of the schedule failed: Directory Export ' +
        'HR Delta Import ✗ CompleteWithError 6 h ago 2026-03-04 01:30 UTC Complete again 12 min ago ' +
        'Warnings',
    );
  });

  it('comes after the reason for which JIM cannot be read', () => {
    const { jim } = pageView();
    const text = textOf(pageView({ jim: { ...jim, up: false } }));
    expect(text.indexOf('Warnings')).toBeLessThan(text.indexOf('What failed'));
  });

  it.each([
    ['exception', 'an exception ended it (its page in JIM has the message)'],
    ['object_errors', 'objects had errors'],
    ['cancelled', 'it was cancelled'],
    ['cause_of_next_year', 'cause of next year'],
  ])('says what %s means', (cause, sentence) => {
    const failed = lastRunView({ status: 'FailedWithError', cause });
    const text = textOf(pageView({ runProfiles: [runProfileView({ last: failed })] }));
    expect(text).toContain(`UTC ${sentence} Warnings`);
  });

  it('is not there where nothing failed', () => {
    const calm = [runProfileView(), runProfileView({ last: null })];
    expect(textOf(pageView({ runProfiles: calm }))).not.toContain('What failed');
  });

  it('stays short where all fails', () => {
    const all = Array.from({ length: 30 }, (_, index) =>
      runProfileView({
        connectedSystem: `System ${index}`,
        failuresInARow: 1,
        last: lastRunView({ status: 'FailedWithError', endedMs: nowMs - index }),
      }),
    );
    expect(textOf(pageView({ runProfiles: all }))).toContain('and 18 more, in the table below');
    const stopped = all.map((profile) => ({
      ...profile,
      failuresInARow: 0,
      last: lastRunView({ status: 'Cancelled', cause: 'previous_step_failed' }),
    }));
    expect(textOf(pageView({ runProfiles: stopped }))).toMatch(
      /30 runs ■ Cancelled an earlier step of the schedule failed: System 0 Full Import; .*; 22 more Warnings/,
    );
  });
});

/** The HTML from the first table on. */
function tableOf(view: PageView): string {
  const { html } = renderPage(view);
  return html.slice(html.indexOf('<table'));
}

describe('the run profiles', () => {
  it('stand with the worst first, whatever their order', () => {
    const view = pageView();
    const order = (profiles: PageView['runProfiles']): readonly string[] =>
      [
        ...tableOf({ ...view, runProfiles: profiles, progress: [], schedules: [] }).matchAll(
          /<strong>(\w+)<\/strong> ([\w ]+?)\s*[<\n]/g,
        ),
      ].map(([, system, profile]) => `${system} ${profile}`);
    const worstFirst = [
      'HR Full Import',
      'Badges Export',
      'Directory Export',
      'HR Delta Import',
      'Directory Delta Import',
      'Phones Full Synchronisation',
    ];
    expect(order(view.runProfiles)).toEqual(worstFirst);
    expect(order(view.runProfiles.toReversed())).toEqual(worstFirst);
  });

  it('tell what failed, why, when, how long, how often, and where to read on', () => {
    const view = pageView();
    const failed = { ...view, runProfiles: view.runProfiles.slice(2, 3), progress: [] };
    expect(textOf(failed)).toContain(
      'HR Full Import ▶ 1 in progress ✗ FailedWithError worker crash 5 h ago 2026-03-04 02:30 UTC 1 min 35 s ' +
        '10 Added 4,017 Updated 1,204 1,200 MissingExternalIdAttributeValue 4 AmbiguousMatch 3',
    );
    expect(renderPage(failed).html).toContain(
      'href="https://jim.example.org/activity/0198f3a1-0000-7000-8000-000000000001"',
    );
  });

  it('remember a failure that a success has followed', () => {
    expect(textOf(pageView())).toContain('✓ Complete ✗ CompleteWithError before, 6 h ago');
  });

  it.each([
    ['Complete', 'good', '✓'],
    ['CompleteWithWarning', 'warn', '▲'],
    ['CompleteWithError', 'bad', '✗'],
    ['FailedWithError', 'bad', '✗'],
    ['Cancelled', 'none', '■'],
    ['SomethingOfNextYear', 'none', '■'],
  ])('show %s as a word, a colour and a shape', (status, colour, shape) => {
    const { html } = renderPage(
      pageView({ runProfiles: [runProfileView({ last: lastRunView({ status }) })] }),
    );
    expect(html).toMatch(
      new RegExp(
        `class="state ${colour}"[^>]*>\\s*<span aria-hidden="true">${shape}</span> ${status}\\s*</a`,
      ),
    );
  });

  it('are aged by JIM’s clock, which dated them', () => {
    const view = pageView({ runProfiles: [runProfileView()] });
    expect(textOf({ ...view, jimNowMs: view.jimNowMs + 30 * 60_000 })).toContain('42 min ago');
  });
});

it('shows what is under way, queued and due, and how we are ourselves', () => {
  const text = textOf(pageView());
  for (const sentence of [
    'HR Full Import ▶ InProgress 20 min 40 % 40,000 of 100,000 objects 30 min',
    'Phones Export … InProgress – 7 objects –',
    'Badges Export … CancellationRequested – – –',
    'Nightly ✗ Failed ▶ one in progress 6 h ago 2026-03-04 01:30 UTC in 18 h 2026-03-05 01:30 UTC',
    'Clean-up disabled none is known – –',
    '1 Processing 3 WaitingForPreviousStep',
    'every 15 s, the last 4 s ago',
    '17 in the last minute, of at most 60',
    'progress; not: rows by time and status',
    'health, run_stats (switched off), worker_tasks (not in this JIM), certificates ✗ failing: bad response',
    'in memory only',
    '1 firing, told to 2 Alertmanagers',
    '▲ The clocks of JIM and of this machine differ by 42 s.',
  ]) {
    expect(text).toContain(sentence);
  }
});

it('says what it does not know yet', () => {
  const { exporter } = pageView();
  const text = textOf(
    pageView({
      warnings: [],
      runProfiles: [],
      progress: [],
      queue: null,
      schedules: null,
      exporter: { ...exporter, lastPollMs: null, caughtUp: false, abilities: [], alertmanagers: 0 },
    }),
  );
  for (const sentence of [
    'None is known yet.',
    'Not told by this JIM.',
    'still catching up',
    'not known yet',
    'the last not yet',
  ])
    expect(text).toContain(sentence);
  for (const heading of ['Warnings', 'In progress', 'Schedules'])
    expect(text).not.toContain(heading);
});

describe('what comes from JIM', () => {
  it('never becomes markup', () => {
    const tags = (view: PageView): ReadonlySet<string> =>
      new Set(
        [...renderPage(view).html.matchAll(/<([a-z0-9]+)((?:\s+[\w-]+(?:="[^"]*")?)*)/g)].map(
          ([, tag, attributes = '']) =>
            `${tag} ${[...attributes.matchAll(/([\w-]+)(?:="[^"]*")?/g)].map(([, name]) => name).join(' ')}`,
        ),
      );
    const harmless = tags(pageView());
    expect([...tags(hostileView())].filter((tag) => !harmless.has(tag))).toEqual([]);
    expect(renderPage(hostileView()).html).toContain(
      '&lt;script&gt;window.pwned = 1&lt;/script&gt;',
    );
  });
});

it('allows exactly its one style and its one script, and asks nobody but us', () => {
  const { html, contentSecurityPolicy } = renderPage(hostileView());
  const hashes = (tag: string): readonly string[] =>
    [...html.matchAll(new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`, 'g'))].map(
      ([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
    );
  expect(contentSecurityPolicy.split('; ')).toEqual([
    "default-src 'none'",
    `style-src ${hashes('style').join(' ')}`,
    `script-src ${hashes('script').join(' ')}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]);
  expect(renderPage(pageView()).html).not.toMatch(/ style=| on\w+=|src=/);
});

it('stays below a proxy’s path, and knows another path of the metrics', () => {
  const { html } = renderPage(pageView({ telemetryPath: '/a/b' }));
  expect(html).toContain('href="./a/b"');
  expect(html).toContain('href="./-/healthy"');
});
