/**
 * What an alert says: one sentence, one paragraph, and the same facts one by one for templates. Pure.
 * No names of people and no error texts, but for `error_message` where the operator asked for it.
 */
import type { FinishedStatus, Instant, Micros } from '../jim/activity.ts';
import type { HeldAlert, LastRun, RunLabels } from '../ledger/ledger.ts';

/** What to do when this alert fires. */
export const RUNBOOK_URL =
  'https://github.com/jim-exporter/jim-exporter/blob/main/alerts/runbooks/bridge.md#jimrununsuccessful';

/** Code points of JIM's error message that are kept. */
const MAX_MESSAGE_CODE_POINTS = 1_000;
/** Kinds named in a list; the rest is summed up, so that no annotation outgrows a chat message. */
const MAX_LISTED = 10;
/** The ledger keeps so many ends of failures. */
const MAX_FAILURES_KNOWN = 100;

export interface Telling {
  readonly labels: RunLabels;
  readonly run: LastRun;
  readonly failuresInARow: number;
  /** Null while unknown: then what was told before stays. */
  readonly schedules: readonly string[] | null;
  /** The annotations that these replace. */
  readonly before: Readonly<Record<string, string>>;
  readonly message: Message;
}

/** JIM's error message, if it is told at all; 'keep' leaves what was told before. */
export type Message = { readonly text: string } | 'keep' | 'none';

/** The annotations of an alert that tells of `run`; those that do not apply are left out. */
export function annotationsOf(telling: Telling): Readonly<Record<string, string>> {
  const { labels, run, failuresInARow, before } = telling;
  const schedule =
    telling.schedules === null ? (before['schedule'] ?? '') : telling.schedules.join(', ');
  const annotations: Record<string, string> = {
    summary: summaryOf(labels, run.status),
    description: describe(run, failuresInARow, schedule),
    activity_id: run.id,
    status: run.status,
    errors: String(run.errors),
    error_types: listed(run.errorsByType ?? {}),
    changed: listed(run.outcomes),
    duration: run.duration === null ? '' : durationText(run.duration),
    queue_time: durationText(run.queue),
    ended_at: momentText(run.end),
    failures_in_a_row: failuresInARow === 0 ? '' : failuresText(failuresInARow),
    schedule,
    runbook_url: RUNBOOK_URL,
    error_message: messageText(telling.message, before),
  };
  return Object.fromEntries(
    Object.entries(annotations)
      .filter(([, text]) => text !== '')
      .map(([name, text]) => [name, wellFormed(text)]),
  );
}

/** The alert with only its error message changed: it may be read later than the run was found. */
export function withMessage(alert: HeldAlert, message: Message): HeldAlert {
  const text = wellFormed(messageText(message, alert.annotations));
  if (text === (alert.annotations['error_message'] ?? '')) return alert;
  const { error_message: _replaced, ...others } = alert.annotations;
  return { ...alert, annotations: text === '' ? others : { ...others, error_message: text } };
}

function messageText(message: Message, before: Readonly<Record<string, string>>): string {
  if (message === 'none') return '';
  if (message === 'keep') return before['error_message'] ?? '';
  return cut(message.text.trim(), MAX_MESSAGE_CODE_POINTS);
}

const VERBS = {
  Complete: 'completed',
  CompleteWithWarning: 'completed with warnings',
  CompleteWithError: 'completed with errors',
  FailedWithError: 'failed',
  Cancelled: 'was cancelled',
} satisfies Record<FinishedStatus, string>;

/** "Full Import of HR System failed". */
function summaryOf(
  { connectedSystem, runProfile, runType }: RunLabels,
  status: FinishedStatus,
): string {
  const subject = [runProfile, runType, 'A run'].find((name) => name !== '');
  const system = connectedSystem === '' ? '' : ` of ${connectedSystem}`;
  return `${subject}${system} ${VERBS[status]}`;
}

function describe(run: LastRun, failuresInARow: number, schedule: string): string {
  const changed = listed(run.outcomes);
  return [
    `${run.status}, ${errorsText(run)}.`,
    `${endText(run)}.`,
    changed === '' ? 'Nothing was changed.' : `Changed: ${changed}.`,
    failuresInARow > 1 ? `${failuresText(failuresInARow)} failures in a row.` : '',
    schedule === '' ? '' : `Schedule: ${schedule}.`,
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}

function errorsText({ errors, errorsByType }: LastRun): string {
  if (errors === 0) return 'no objects with errors';
  const types = listed(errorsByType ?? {});
  const objects = `${errors} ${errors === 1 ? 'object' : 'objects'} with errors`;
  return types === '' ? objects : `${objects} (${types})`;
}

function endText({ end, duration, queue }: LastRun): string {
  const ran =
    duration === null ? 'without having run' : `after running for ${durationText(duration)}`;
  return `Ended ${momentText(end)} ${ran}, having waited ${durationText(queue)}`;
}

/** "12 Added, 3 Updated", the largest first. */
function listed(counts: Readonly<Record<string, number | undefined>>): string {
  const entries = Object.entries(counts)
    .map(([name, count]) => ({ name, count: count ?? 0 }))
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
  const rest = entries.slice(MAX_LISTED);
  const named = entries.slice(0, MAX_LISTED).map(({ name, count }) => `${count} ${cut(name, 64)}`);
  if (rest.length > 0) {
    named.push(`${rest.reduce((sum, { count }) => sum + count, 0)} of ${rest.length} other kinds`);
  }
  return named.join(', ');
}

function failuresText(failuresInARow: number): string {
  return failuresInARow >= MAX_FAILURES_KNOWN ? `${failuresInARow} or more` : `${failuresInARow}`;
}

/** "2026-11-23 06:00:12 UTC", by JIM's clock. */
function momentText(moment: Instant): string {
  const [day, time] = new Date(moment / 1_000).toISOString().split('T');
  return `${day} ${time?.slice(0, 8)} UTC`;
}

/** "1h 2m 3s"; below 10 s with one decimal. */
function durationText(duration: Micros): string {
  const seconds = duration / 1_000_000;
  if (seconds < 10) return `${Math.round(seconds * 10) / 10}s`;
  const whole = Math.round(seconds);
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}

function cut(text: string, codePoints: number): string {
  if (text.length <= codePoints) return text;
  return Array.from(text.slice(0, codePoints * 2))
    .slice(0, codePoints)
    .join('');
}

/** Half a surrogate pair is no UTF-8: one would make an Alertmanager refuse the batch. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}
