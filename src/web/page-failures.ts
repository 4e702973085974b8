/**
 * The first thing a person asks in the morning: what failed since yesterday, and why. Each failure is one
 * sentence with a link to its Activity's page; the table below has the rest.
 */
import { html } from 'hono/html';
import type { Markup } from './page-parts.ts';
import { NOTHING, status, when } from './page-parts.ts';
import type { EarlierFailureView, LastRunView, PageView, RunProfileView } from './page-view.ts';
import { ago, lookOf, number, plural, spaced } from './page-words.ts';

/** Where a run profile stands: the worst first, as in the table. */
export type Standing = 'failing' | 'warning' | 'cancelled' | 'recovered' | 'complete' | 'neverRun';

export function standingOf({ last, failuresInARow, earlierFailure }: RunProfileView): Standing {
  if (failuresInARow > 0) return 'failing';
  if (last === null) return 'neverRun';
  switch (lookOf(last.status).className) {
    case 'bad':
      return 'failing';
    case 'warn':
      return 'warning';
    case 'none':
      return 'cancelled';
    case 'good':
      return earlierFailure === null ? 'complete' : 'recovered';
  }
}

/** Failures that are told in a sentence; a fleet that fails as a whole is told by its table. */
const MAX_TOLD = 12;
/** Names of one group that are told. */
const MAX_NAMES = 8;

const WHY: Readonly<Record<string, string>> = {
  worker_crash: 'JIM’s worker crashed or was restarted',
  previous_step_failed: 'an earlier step of its schedule failed',
  cancelled: 'it was cancelled',
  object_errors: 'objects had errors',
  exception: 'an exception ended it (its page in JIM has the message)',
};

/** @param worstFirst in the order of the table. */
export function failures(
  worstFirst: readonly RunProfileView[],
  { jimNowMs }: Pick<PageView, 'jimNowMs'>,
): Markup {
  const stopped = worstFirst.filter(isStopped);
  const sentences = (those: (profile: RunProfileView) => boolean): readonly Markup[] =>
    worstFirst
      .filter((profile) => !isStopped(profile) && those(profile))
      .map((profile) => sentenceOf(profile, jimNowMs))
      .filter((sentence) => sentence !== null);
  const told = [
    ...sentences((profile) => standingOf(profile) !== 'recovered'),
    ...(stopped.length === 0 ? [] : [stoppedSentence(stopped)]),
    ...sentences((profile) => standingOf(profile) === 'recovered'),
  ];
  if (told.length === 0) return NOTHING;
  const rest = told.length - MAX_TOLD;
  return html`<section aria-labelledby="failures">
    <h2 id="failures">What failed, and why</h2>
    <ul class="failures">
      ${told.slice(0, MAX_TOLD)}
      ${rest > 0 ? html`<li class="none"><span>and ${number(rest)} more, in the table below</span></li>` : ''}
    </ul>
  </section>`;
}

/** Cancelled as a consequence: told together, after what caused it. */
function isStopped(profile: RunProfileView): boolean {
  return standingOf(profile) === 'cancelled' && profile.last?.cause === 'previous_step_failed';
}

function sentenceOf(profile: RunProfileView, jimNowMs: number): Markup | null {
  const { last, earlierFailure } = profile;
  switch (standingOf(profile)) {
    case 'failing':
    case 'warning':
    case 'cancelled':
      return last === null ? null : lasting(profile, last, jimNowMs);
    case 'recovered':
      return last === null || earlierFailure === null
        ? null
        : overcome(profile, last, earlierFailure, jimNowMs);
    case 'complete':
    case 'neverRun':
      return null;
  }
}

function lasting(profile: RunProfileView, last: LastRunView, jimNowMs: number): Markup {
  const { failuresInARow } = profile;
  const { className } = failuresInARow > 0 ? lookOf('FailedWithError') : lookOf(last.status);
  const reasons = [
    whyOf(last),
    last.errors === 0 ? null : errorsOf(last),
    failuresInARow > 1 ? `${number(failuresInARow)} failures in a row` : null,
  ].filter((reason) => reason !== null);
  return html`<li class="${className}">
    ${nameOf(profile)} ${status(last.status, last.link)}
    ${when(last.endedMs, ago(jimNowMs, last.endedMs))}
    ${reasons.length === 0 ? '' : html`<p>${reasons.join('; ')}</p>`}
  </li>`;
}

/** Null where the errors themselves say it. */
function whyOf({ cause, errors }: LastRunView): string | null {
  if (cause === null || (cause === 'object_errors' && errors > 0)) return null;
  return WHY[cause] ?? spaced(cause);
}

function errorsOf({ errors, errorTypes }: LastRunView): string {
  const types = errorTypes.map(({ word, count }) => `${number(count)} ${word}`).join(', ');
  const objects = plural(errors, 'object with errors', 'objects with errors');
  return types === '' ? objects : `${objects}: ${types}`;
}

function overcome(
  profile: RunProfileView,
  last: LastRunView,
  { status: word, beganMs, link }: EarlierFailureView,
  jimNowMs: number,
): Markup {
  return html`<li class="good">
    ${nameOf(profile)} ${status(word, link)} ${when(beganMs, ago(jimNowMs, beganMs))}
    <p>${last.status} again ${ago(jimNowMs, last.endedMs)}</p>
  </li>`;
}

function stoppedSentence(stopped: readonly RunProfileView[]): Markup {
  const names = stopped
    .slice(0, MAX_NAMES)
    .map(({ connectedSystem, runProfile }) => `${connectedSystem} ${runProfile}`);
  const more = stopped.length - names.length;
  const those = more > 0 ? [...names, `${number(more)} more`] : names;
  return html`<li class="none">
    <strong>${plural(stopped.length, 'run', 'runs')}</strong>
    ${status('Cancelled', null)}
    <p>an earlier step of the schedule failed: ${those.join('; ')}</p>
  </li>`;
}

function nameOf({ connectedSystem, runProfile }: RunProfileView): Markup {
  return html`<strong>${connectedSystem}</strong> <span>${runProfile}</span>`;
}
