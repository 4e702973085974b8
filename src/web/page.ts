/**
 * The status page: what a person wants to know in five seconds. A pure function from values to HTML; hono escapes
 * whatever comes from JIM. No script, no image, no text that JIM's people wrote but names of systems and profiles.
 */
import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';

export interface PageView {
  readonly version: string;
  readonly nowMs: number;
  readonly telemetryPath: string;
  readonly jim: {
    /** Null before the first poll has ended. */
    readonly up: boolean | null;
    readonly version: string | null;
    /** A closed word; null while polls succeed. */
    readonly failure: string | null;
    readonly lastSuccessfulPollMs: number | null;
    readonly ready: boolean | null;
    readonly maintenance: boolean | null;
    readonly url: string;
    /** What this version allows, in words. */
    readonly abilities: string;
  };
  readonly runProfiles: readonly RunProfileView[];
  readonly progress: readonly ProgressView[];
  /** Tasks of the worker by status; null where this JIM does not tell. */
  readonly queue: readonly { readonly status: string; readonly count: number }[] | null;
  readonly schedules: readonly ScheduleView[];
  readonly exporter: {
    readonly caughtUp: boolean;
    readonly openActivities: number;
    readonly labelSets: number;
    readonly maxLabelSets: number;
    readonly requestsPerMinute: number;
    readonly storage: string;
    readonly stateBytes: number;
    readonly alertsFiring: number;
  };
}

export interface RunProfileView {
  readonly connectedSystem: string;
  readonly runProfile: string;
  readonly status: string;
  readonly endedMs: number;
  readonly durationSeconds: number | null;
  readonly objects: readonly { readonly outcome: string; readonly count: number }[];
  readonly errors: number;
  readonly errorTypes: readonly { readonly type: string; readonly count: number }[];
  readonly cause: string | null;
  readonly failuresInARow: number;
  readonly inProgress: number;
  readonly link: string;
}

export interface ProgressView {
  readonly connectedSystem: string;
  readonly runProfile: string;
  readonly percent: number | null;
  readonly objects: string;
  readonly remainingSeconds: number | null;
  readonly link: string;
}

export interface ScheduleView {
  readonly name: string;
  readonly enabled: boolean;
  readonly nextMs: number | null;
  readonly lastStatus: string | null;
  readonly inProgress: boolean;
}

export interface RenderedPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

/** Seconds between two loads of the page by itself. */
const REFRESH_SECONDS = 15;

const STYLE = `:root{color-scheme:light dark;--ink:#1b1f24;--soft:#4d5761;--back:#fff;--card:#f4f6f8;--line:#cfd6dd;--good:#12662c;--warn:#7a4d00;--bad:#a8201a;--link:#0b5394}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--soft:#b3bcc5;--back:#14171a;--card:#1e2328;--line:#3a424a;--good:#74d68f;--warn:#ffc766;--bad:#ff8f88;--link:#8cc4ff}}
*{box-sizing:border-box}body{margin:0 auto;max-width:76rem;padding:1rem;font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--back)}
a{color:var(--link)}h1{font-size:1.35rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .5rem}p{margin:.3rem 0}.soft{color:var(--soft)}
.head{padding:.8rem 1rem;border:1px solid var(--line);border-left:.5rem solid currentColor;border-radius:.4rem;background:var(--card)}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.head p,.head h1{color:var(--ink)}.state{font-weight:600;white-space:nowrap}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid var(--line)}th{font-size:.85rem;color:var(--soft)}td.n{text-align:right;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}progress{width:100%;max-width:16rem;height:.9rem}
@media(max-width:42rem){thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}tr{display:block;border:1px solid var(--line);border-radius:.4rem;margin:0 0 .7rem;padding:.3rem}td{display:grid;grid-template-columns:8rem 1fr;border:0;padding:.15rem .4rem}td.n{text-align:left}td::before{content:attr(data-label);color:var(--soft)}dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}`;

const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** One piece: white space inside the element would change the hash that the policy names. */
const STYLE_ELEMENT = raw(`<style>${STYLE}</style>`);

type Markup = ReturnType<typeof html>;

export function renderPage(view: PageView): RenderedPage {
  const { jim } = view;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="refresh" content="${REFRESH_SECONDS}" />
        <title>${titleOf(view)}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header class="head ${jim.up ? 'good' : 'bad'}">
          <h1>jim-exporter</h1>
          <p><strong>${headline(view)}</strong></p>
          <p class="soft">
            Watches <a href="${jim.url}">JIM</a> for Prometheus:
            <a href=".${view.telemetryPath}">metrics</a>, <a href="./-/healthy">healthy</a>,
            <a href="./-/ready">ready</a>.
          </p>
        </header>
        <main>
          <h2>Run profiles</h2>
          ${runProfiles(view)}
          ${
            view.progress.length === 0
              ? ''
              : html`<h2>In progress</h2>
                  ${progress(view)}`
          }
          ${
            view.schedules.length === 0
              ? ''
              : html`<h2>Schedules</h2>
                  ${schedules(view)}`
          }
          <h2>Queue and exporter</h2>
          ${exporter(view)}
        </main>
      </body>
    </html>`;
  // hono would promise the text if a part of it were a promise; none is.
  if (page instanceof Promise) throw new TypeError('a part of the page is a promise');
  return { html: page.toString(), contentSecurityPolicy: POLICY };
}

function titleOf({ jim, runProfiles: profiles }: PageView): string {
  const failing = profiles.filter(({ failuresInARow }) => failuresInARow > 0).length;
  if (jim.up === false) return 'JIM does not answer – jim-exporter';
  return failing === 0 ? 'JIM – jim-exporter' : `${failing} failing – jim-exporter`;
}

function headline({ jim, nowMs }: PageView): string {
  const age =
    jim.lastSuccessfulPollMs === null
      ? 'never read'
      : `data ${ago(nowMs, jim.lastSuccessfulPollMs)}`;
  if (!jim.up)
    return `✗ JIM does not answer${jim.failure === null ? '' : ` (${jim.failure})`}; ${age}.`;
  const mode =
    jim.maintenance === true ? ', in maintenance mode' : jim.ready === false ? ', not ready' : '';
  return `✓ JIM ${jim.version ?? ''} answers${mode}; ${age}.`;
}

function runProfiles({ runProfiles: profiles, nowMs }: PageView): Markup {
  if (profiles.length === 0) return html`<p>No run is known yet.</p>`;
  const worstFirst = profiles.toSorted(
    (a, b) =>
      severityOf(b) - severityOf(a) || b.failuresInARow - a.failuresInARow || b.endedMs - a.endedMs,
  );
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">Connected system</th>
          <th scope="col">Run profile</th>
          <th scope="col">Last run</th>
          <th scope="col">Ended</th>
          <th scope="col">Took</th>
          <th scope="col">Objects</th>
          <th scope="col">Errors</th>
          <th scope="col">Failures in a row</th>
        </tr>
      </thead>
      <tbody>
        ${worstFirst.map((run) => runProfile(run, nowMs))}
      </tbody>
    </table>
  </div>`;
}

function runProfile(run: RunProfileView, nowMs: number): Markup {
  const { className, shape } = lookOf(run.status);
  const objects = run.objects.map(({ outcome, count }) => `${number(count)} ${outcome}`).join(', ');
  const types = run.errorTypes.map(({ type, count }) => `${number(count)} ${type}`).join(', ');
  return html`<tr>
    <td data-label="Connected system">${run.connectedSystem}</td>
    <td data-label="Run profile">
      ${run.runProfile}${run.inProgress > 0 ? html` <span class="soft">(${run.inProgress} in progress)</span>` : ''}
    </td>
    <td data-label="Last run">
      <span
        ><a class="state ${className}" href="${run.link}">${shape} ${run.status}</a
        >${run.cause === null ? '' : html`<br /><span class="soft">${run.cause.replaceAll('_', ' ')}</span>`}</span
      >
    </td>
    <td data-label="Ended">
      <time datetime="${new Date(run.endedMs).toISOString()}">${ago(nowMs, run.endedMs)}</time>
    </td>
    <td class="n" data-label="Took">
      ${run.durationSeconds === null ? '–' : duration(run.durationSeconds)}
    </td>
    <td data-label="Objects">${objects === '' ? '–' : objects}</td>
    <td data-label="Errors">
      <span
        >${run.errors === 0 ? '0' : html`<strong>${number(run.errors)}</strong>${types === '' ? '' : html`<br /><span class="soft">${types}</span>`}`}</span
      >
    </td>
    <td class="n" data-label="Failures in a row">${run.failuresInARow}</td>
  </tr> `;
}

function progress({ progress: running }: PageView): Markup {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">Connected system</th>
          <th scope="col">Run profile</th>
          <th scope="col">Progress</th>
          <th scope="col">Remaining</th>
        </tr>
      </thead>
      <tbody>
        ${running.map(
          (run) =>
            html`<tr>
              <td data-label="Connected system">${run.connectedSystem}</td>
              <td data-label="Run profile"><a href="${run.link}">${run.runProfile}</a></td>
              <td data-label="Progress">
                <span
                  >${run.percent === null ? html`<progress aria-label="progress of ${run.runProfile}"></progress>` : html`<progress aria-label="progress of ${run.runProfile}" max="100" value="${run.percent}"></progress> ${run.percent} %`}<br /><span
                    class="soft"
                    >${run.objects}</span
                  ></span
                >
              </td>
              <td class="n" data-label="Remaining">
                ${run.remainingSeconds === null ? '–' : duration(run.remainingSeconds)}
              </td>
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

function schedules({ schedules: all, nowMs }: PageView): Markup {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">Schedule</th>
          <th scope="col">Last execution</th>
          <th scope="col">Next</th>
        </tr>
      </thead>
      <tbody>
        ${all.map((schedule) => {
          const { className, shape } = lookOf(schedule.lastStatus ?? '');
          return html`<tr>
            <td data-label="Schedule">
              ${schedule.name}${schedule.enabled ? '' : html` <span class="soft">(disabled)</span>`}
            </td>
            <td data-label="Last execution">
              <span class="state ${className}"
                >${schedule.lastStatus === null ? '–' : `${shape} ${schedule.lastStatus}`}</span
              >${schedule.inProgress ? ' (one in progress)' : ''}
            </td>
            <td data-label="Next">
              ${schedule.nextMs === null || !schedule.enabled ? '–' : until(nowMs, schedule.nextMs)}
            </td>
          </tr> `;
        })}
      </tbody>
    </table>
  </div>`;
}

function exporter({ exporter: own, queue, jim, version }: PageView): Markup {
  const tasks =
    queue === null
      ? 'not told by this JIM'
      : queue.map(({ status, count }) => `${count} ${status}`).join(', ');
  return html`<dl>
    <dt>Worker’s queue</dt>
    <dd>${tasks === '' ? 'empty' : tasks}</dd>
    <dt>jim-exporter</dt>
    <dd>${version}</dd>
    <dt>JIM’s version allows</dt>
    <dd>${jim.abilities}</dd>
    <dt>Reading</dt>
    <dd>
      ${own.caughtUp ? 'caught up' : 'still catching up'}; ${own.openActivities} Activities followed
      until they end
    </dd>
    <dt>Run profiles with series</dt>
    <dd>${own.labelSets} of at most ${own.maxLabelSets}</dd>
    <dt>Requests to JIM</dt>
    <dd>at most ${own.requestsPerMinute} a minute</dd>
    <dt>State</dt>
    <dd>
      ${own.storage}${own.stateBytes === 0 ? '' : `, ${number(Math.ceil(own.stateBytes / 1024))} KiB`}
    </dd>
    <dt>Alerts held firing</dt>
    <dd>${own.alertsFiring}</dd>
  </dl>`;
}

/** A word, a colour and a shape: readable without any one of them. */
function lookOf(status: string): { readonly className: string; readonly shape: string } {
  switch (status) {
    case 'Complete':
      return { className: 'good', shape: '✓' };
    case 'CompleteWithWarning':
      return { className: 'warn', shape: '▲' };
    case 'CompleteWithError':
    case 'FailedWithError':
    case 'Failed':
      return { className: 'bad', shape: '✗' };
    default:
      return { className: 'soft', shape: '■' };
  }
}

function severityOf({ status, failuresInARow }: RunProfileView): number {
  if (failuresInARow > 0) return 3;
  return status === 'CompleteWithWarning' ? 2 : status === 'Cancelled' ? 1 : 0;
}

function number(value: number): string {
  return value.toLocaleString('en-GB');
}

function ago(nowMs: number, atMs: number): string {
  return `${duration(Math.max(0, (nowMs - atMs) / 1_000))} ago`;
}

function until(nowMs: number, atMs: number): string {
  return atMs <= nowMs ? 'due' : `in ${duration((atMs - nowMs) / 1_000)}`;
}

function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3_600)} h`
    : `${Math.round(seconds / 86_400)} days`;
}
