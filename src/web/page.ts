/**
 * The status page: what a person wants to know in five seconds. A pure function from values to HTML; hono
 * escapes whatever comes from JIM.
 */
import { html, raw } from 'hono/html';
import { CONTENT_SECURITY_POLICY, REFRESH_SECONDS, SCRIPT, STYLE } from './page-look.ts';
import type { Standing } from './page-failures.ts';
import { failures, standingOf } from './page-failures.ts';
import type { Markup } from './page-parts.ts';
import { NOTHING, cell, columns, counts, status, when } from './page-parts.ts';
import type {
  ExporterView,
  LastRunView,
  PageView,
  ProgressView,
  RunProfileView,
  ScheduleView,
} from './page-view.ts';
import type { Look } from './page-words.ts';
import { ago, duration, number, plural, spaced, until } from './page-words.ts';
import type { Page } from './routes.ts';

/** In one piece: white space inside the elements would change the hashes that the policy names. */
const STYLE_ELEMENT = raw(`<style>${STYLE}</style>`);
const SCRIPT_ELEMENT = raw(`<script type="module">${SCRIPT}</script>`);

export function renderPage(view: PageView): Page {
  const worstFirst = sorted(view.runProfiles);
  const page = html`<!doctype html>
    <html lang="en" data-version="${view.exporter.version}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS}" /></noscript>
        <title>${titleOf(view)}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <div id="view">
          ${headline(view)}
          <main>
            ${
              // Why JIM cannot be read comes before what was read of it.
              view.jim.up === false
                ? [warnings(view), failures(worstFirst, view)]
                : [failures(worstFirst, view), warnings(view)]
            }
            ${runProfiles(worstFirst, view)} ${progress(view)} ${schedules(view)} ${queue(view)}
            ${exporter(view)}
          </main>
        </div>
        <footer>
          <label hidden
            ><input type="checkbox" id="auto" checked /> renew every ${REFRESH_SECONDS} s</label
          >
          <a href=".${view.telemetryPath}">Metrics</a>
          <a href="./-/healthy">Healthy</a>
          <a href="./-/ready">Ready</a>
          <strong id="lost" class="bad" role="alert" hidden
            >jim-exporter does not answer: what you see is old.</strong
          >
          <p id="told" class="only-heard" role="status"></p>
        </footer>
        ${SCRIPT_ELEMENT}
      </body>
    </html>`;
  // hono would promise the text if a part of it were a promise; none is.
  if (page instanceof Promise) throw new TypeError('a part of the page is a promise');
  return { html: page.toString(), contentSecurityPolicy: CONTENT_SECURITY_POLICY };
}

/** Read in the row of a browser's tabs, and aloud when it changes. */
function titleOf(view: PageView): string {
  const { shape, sentence } = stateOf(view);
  return `${shape} ${sentence} – jim-exporter`;
}

function headline(view: PageView): Markup {
  const { jim, nowMs } = view;
  const { className, shape, sentence } = stateOf(view);
  const age =
    jim.lastSuccessfulPollMs === null
      ? 'Nothing has been read yet.'
      : `Read ${ago(nowMs, jim.lastSuccessfulPollMs)}${jim.up === true ? '' : '; what follows is from then'}.`;
  return html`<header class="head ${className}">
    <h1><span aria-hidden="true">${shape}</span> ${sentence}</h1>
    <p>${age} <a href="${jim.url}">Open JIM</a></p>
    ${tally(view)}
  </header>`;
}

function stateOf({ jim, warnings: { length }, runProfiles: profiles }: PageView): Look & {
  readonly sentence: string;
} {
  const name = jim.version === null ? 'JIM' : `JIM ${jim.version}`;
  const failing = profiles.filter((profile) => standingOf(profile) === 'failing').length;
  if (jim.up === null)
    return { className: 'none', shape: '…', sentence: 'JIM is asked for the first time' };
  if (!jim.up) {
    const why = jim.failure === null ? '' : ` (${spaced(jim.failure)})`;
    return { className: 'bad', shape: '✗', sentence: `${name} does not answer us${why}` };
  }
  const mode =
    jim.maintenance === true
      ? ', in maintenance mode'
      : jim.ready === false
        ? ', but is not ready'
        : '';
  if (failing > 0) {
    const fails = plural(failing, 'run profile fails', 'run profiles fail');
    return { className: 'bad', shape: '✗', sentence: `${name} answers${mode}; ${fails}` };
  }
  return mode !== '' || length > 0
    ? { className: 'warn', shape: '▲', sentence: `${name} answers${mode}` }
    : { className: 'good', shape: '✓', sentence: `${name} answers` };
}

function warnings({ warnings: sentences }: PageView): Markup {
  if (sentences.length === 0) return NOTHING;
  return html`<section class="warnings warn" aria-labelledby="warnings">
    <h2 id="warnings" class="only-heard">Warnings</h2>
    <ul>
      ${sentences.map((sentence) => html`<li><span aria-hidden="true">▲</span> ${sentence}</li>`)}
    </ul>
  </section>`;
}

const STANDINGS = {
  failing: { className: 'bad', shape: '✗', words: 'failing' },
  warning: { className: 'warn', shape: '▲', words: 'with warnings' },
  cancelled: { className: 'none', shape: '■', words: 'cancelled' },
  recovered: { className: 'good', shape: '✓', words: 'complete again after a failure' },
  complete: { className: 'good', shape: '✓', words: 'complete' },
  neverRun: { className: 'none', shape: '–', words: 'never run' },
} as const satisfies Record<Standing, Look & { readonly words: string }>;
const WORST_FIRST = Object.keys(STANDINGS);

function sorted(profiles: readonly RunProfileView[]): readonly RunProfileView[] {
  const rank = (profile: RunProfileView): number => WORST_FIRST.indexOf(standingOf(profile));
  return profiles.toSorted(
    (a, b) =>
      rank(a) - rank(b) ||
      (b.last?.endedMs ?? 0) - (a.last?.endedMs ?? 0) ||
      a.connectedSystem.localeCompare(b.connectedSystem, 'en') ||
      a.runProfile.localeCompare(b.runProfile, 'en'),
  );
}

/** The whole table in one line. */
function tally({ runProfiles: profiles }: PageView): Markup {
  const standings = profiles.map(standingOf);
  return html`<ul class="tally" aria-label="Run profiles">
    ${Object.entries(STANDINGS).map(([standing, { className, shape, words }]) => {
      const { length } = standings.filter((other) => other === standing);
      return length === 0
        ? ''
        : html`<li class="state ${className}">
            <span aria-hidden="true">${shape}</span> ${number(length)} ${words}
          </li>`;
    })}
  </ul>`;
}

function runProfiles(worstFirst: readonly RunProfileView[], { jimNowMs }: PageView): Markup {
  return html`<section aria-labelledby="run-profiles">
    <h2 id="run-profiles">Run profiles</h2>
    ${
      worstFirst.length === 0
        ? html`<p class="soft">None is known yet.</p>`
        : html`<table role="table">
            ${columns([
              'Connected system, run profile',
              'Last run',
              'Ended',
              '#Took',
              'Objects',
              'Errors',
              '#Failed in a row',
            ])}
            <tbody role="rowgroup">
              ${worstFirst.map((profile) => runProfile(profile, jimNowMs))}
            </tbody>
          </table>`
    }
  </section>`;
}

function runProfile(profile: RunProfileView, jimNowMs: number): Markup {
  const { last, failuresInARow, inProgress } = profile;
  return html`<tr role="row">
    <th role="rowheader" scope="row">
      <strong>${profile.connectedSystem}</strong> ${profile.runProfile}
      ${inProgress === 0 ? '' : html`<a class="sub" href="#in-progress">▶ ${inProgress} in progress</a>`}
    </th>
    ${last === null ? neverRun() : lastRun(last, profile.earlierFailure, jimNowMs)}
    ${cell('Failed in a row', failuresInARow === 0 ? null : html`<strong>${number(failuresInARow)}</strong>`, 'n')}
  </tr>`;
}

function lastRun(
  run: LastRunView,
  earlier: RunProfileView['earlierFailure'],
  jimNowMs: number,
): Markup {
  const state = html`<span>
    ${status(run.status, run.link)}
    ${run.cause === null ? '' : html`<span class="sub">${spaced(run.cause)}</span>`}
    ${
      earlier === null
        ? ''
        : html`<a class="sub" href="${earlier.link}"
            >✗ ${earlier.status} before, ${ago(jimNowMs, earlier.beganMs)}</a
          >`
    }
  </span>`;
  const errors = html`<span
    ><strong>${number(run.errors)}</strong> <span class="sub">${counts(run.errorTypes)}</span></span
  >`;
  return html`${cell('Last run', state)}
  ${cell('Ended', when(run.endedMs, ago(jimNowMs, run.endedMs)))}
  ${cell('Took', run.durationSeconds === null ? null : html`${duration(run.durationSeconds)}`, 'n')}
  ${cell('Objects', run.outcomes.length === 0 ? null : counts(run.outcomes))}
  ${cell('Errors', run.errors === 0 ? null : errors)}`;
}

function neverRun(): Markup {
  return html`${cell('Last run', html`<span class="soft">no run is known</span>`)}
  ${cell('Ended', null)} ${cell('Took', null, 'n')} ${cell('Objects', null)} ${cell('Errors', null)}`;
}

function progress({ progress: running, jimNowMs }: PageView): Markup {
  if (running.length === 0) return NOTHING;
  return html`<section aria-labelledby="in-progress">
    <h2 id="in-progress">In progress</h2>
    <table role="table">
      ${columns(['Connected system, run profile', 'Status', '#Since', 'Progress', '#Remaining'])}
      <tbody role="rowgroup">
        ${running.map((run) => runInProgress(run, jimNowMs))}
      </tbody>
    </table>
  </section>`;
}

function runInProgress(run: ProgressView, jimNowMs: number): Markup {
  const { objects, startedMs } = run;
  const remaining = objects?.remainingSeconds ?? null;
  return html`<tr role="row">
    <th role="rowheader" scope="row"><strong>${run.connectedSystem}</strong> ${run.runProfile}</th>
    ${cell('Status', status(run.status, run.link, { className: 'none', shape: startedMs === null ? '…' : '▶' }))}
    ${cell('Since', startedMs === null ? null : html`${duration(Math.max(1, (jimNowMs - startedMs) / 1_000))}`, 'n')}
    ${cell('Progress', objects === null ? null : progressBar(run, objects), 'wide')}
    ${cell('Remaining', remaining === null ? null : html`${duration(remaining)}`, 'n')}
  </tr>`;
}

function progressBar(
  { connectedSystem, runProfile: name }: ProgressView,
  { processed, toProcess, percent }: NonNullable<ProgressView['objects']>,
): Markup {
  const label = `Progress of ${name} of ${connectedSystem}`;
  const bar =
    percent === null
      ? html`<progress aria-label="${label}"></progress>`
      : html`<progress aria-label="${label}" max="100" value="${percent}"></progress>
          ${Math.round(percent)} %`;
  const whole = toProcess === 0 ? '' : ` of ${number(toProcess)}`;
  return html`<span>${bar} <span class="sub">${number(processed)}${whole} objects</span></span>`;
}

function schedules({ schedules: all, jimNowMs }: PageView): Markup {
  if (all === null || all.length === 0) return NOTHING;
  return html`<section aria-labelledby="schedules">
    <h2 id="schedules">Schedules</h2>
    <table role="table">
      ${columns(['Schedule', 'Last execution', 'Began', 'Next'])}
      <tbody role="rowgroup">
        ${all.map((each) => schedule(each, jimNowMs))}
      </tbody>
    </table>
  </section>`;
}

function schedule(view: ScheduleView, jimNowMs: number): Markup {
  const { lastStatus, lastMs, nextMs, enabled, inProgress } = view;
  const last = html`<span
    >${lastStatus === null ? html`<span class="soft">none is known</span>` : status(lastStatus, null)}
    ${inProgress ? html`<span class="sub">▶ one in progress</span>` : ''}</span
  >`;
  return html`<tr role="row">
    <th role="rowheader" scope="row">
      <strong>${view.name}</strong> ${enabled ? '' : html`<span class="soft">disabled</span>`}
    </th>
    ${cell('Last execution', last)}
    ${cell('Began', lastMs === null ? null : when(lastMs, ago(jimNowMs, lastMs)))}
    ${cell('Next', nextMs === null || !enabled ? null : when(nextMs, until(jimNowMs, nextMs)))}
  </tr>`;
}

function queue({ queue: tasks }: PageView): Markup {
  return html`<section aria-labelledby="queue">
    <h2 id="queue">The worker’s queue</h2>
    ${tasks === null ? html`<p class="soft">Not told by this JIM.</p>` : tasks.length === 0 ? html`<p>Empty.</p>` : counts(tasks)}
  </section>`;
}

function exporter({ exporter: own, nowMs }: PageView): Markup {
  const facts: readonly (readonly [string, string])[] = [
    ['Version', own.version],
    [
      'Polls',
      `every ${duration(own.pollIntervalSeconds)}, the last ${own.lastPollMs === null ? 'not yet' : ago(nowMs, own.lastPollMs)}`,
    ],
    [
      'Reading',
      `${own.caughtUp ? 'caught up' : 'still catching up'}; ${plural(own.openActivities, 'Activity', 'Activities')} followed to the end`,
    ],
    [
      'Requests to JIM',
      `${number(own.requestsLastMinute)} in the last minute, of at most ${number(own.requestsPerMinute)}`,
    ],
    ['This JIM tells', abilities(own)],
    ['Collectors', collectors(own)],
    ['Run profiles with series', `${number(own.labelSets)} of at most ${number(own.maxLabelSets)}`],
    [
      'State',
      own.stateBytes === null
        ? 'in memory only'
        : `in a file of ${number(Math.ceil(own.stateBytes / 1_024))} KiB`,
    ],
    [
      'Alerts',
      own.alertmanagers === 0
        ? 'not sent from here (alerting.alertmanagers is empty)'
        : `${number(own.alertsFiring)} firing, told to ${plural(own.alertmanagers, 'Alertmanager', 'Alertmanagers')}`,
    ],
  ];
  return html`<section aria-labelledby="exporter">
    <h2 id="exporter">jim-exporter</h2>
    <dl>
      ${facts.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
  </section>`;
}

function abilities({ abilities: all }: ExporterView): string {
  if (all.length === 0) return 'not known yet';
  const names = (has: boolean): string =>
    all
      .filter((ability) => ability.has === has)
      .map(({ name }) => name)
      .join(', ');
  return [names(true), names(false) && `not: ${names(false)}`].filter(Boolean).join('; ');
}

function collectors({ collectors: all }: ExporterView): string {
  const words = {
    on: '',
    disabled: ' (switched off)',
    lacking: ' (not in this JIM)',
    failing: ' ✗ failing',
  };
  return all
    .map(
      ({ name, state, reason }) =>
        `${name}${words[state]}${reason === null ? '' : `: ${spaced(reason)}`}`,
    )
    .join(', ');
}
