/**
 * Which alerts the bridge holds: a pure function of the ledger, what the same move saw finish, the
 * configuration and the time. It runs inside the move that counts the runs, so that one commit makes both
 * durable; the sender sees only what was committed.
 *
 * A run profile has at most one alert that tells the truth, its leader: that of its newest run which ended
 * in a status of `severities`. Others (an earlier severity, labels of an earlier configuration) end.
 *
 * History fires too: a run profile whose last run failed before the bridge was switched on, or before the
 * state file was lost, is failing now, and an Alertmanager that already knows takes it as the same alert.
 */
import { activityUrl } from '../jim/activity.ts';
import type { ActivityId, FinishedStatus, Instant } from '../jim/activity.ts';
import type { HeldAlert, LastRun, Ledger, RunAccount, RunLabels } from '../ledger/ledger.ts';
import { consecutiveFailures, runKey } from '../ledger/ledger.ts';
import type { Finished } from '../ledger/totals.ts';
import { lastRunOf } from '../ledger/totals.ts';
import type { Message } from './annotations.ts';
import { annotationsOf, withMessage } from './annotations.ts';

/** Reserved: no alert rule uses it, so that rules and bridge never resolve each other's. */
const ALERT_NAME = 'JimRunUnsuccessful';

/**
 * An alert stays firing this long after an Alertmanager first accepted it, however soon the run profile
 * recovers: one that ends within group_wait and a group_interval (30 s and 5 min by default) notifies nobody.
 */
export const MINIMUM_HOLD_MS = 10 * 60_000;
/** A recovered run profile's alert that no Alertmanager accepted in a day is news to nobody. */
export const UNDELIVERED_HOLD_MS = 24 * 3_600_000;
/** Resolved alerts are sent again at least this long, for an Alertmanager that was away. */
const RESOLVED_RETENTION_MS = 15 * 60_000;
/** And until an Alertmanager that missed all of it has ended the alert by itself. */
const RESOLVED_RETENTION_INTERVALS = 5;

export interface AlertSettings {
  /** The statuses that fire, each with its `severity` label. */
  readonly severities: Readonly<Partial<Record<FinishedStatus, string>>>;
  /** Null: only a success, or the run profile's retirement, resolves. */
  readonly resolveAfterMs: number | null;
  readonly resendIntervalMs: number;
  readonly includeErrorMessage: boolean;
  /** Static labels; they never replace the bridge's own. */
  readonly labels: Readonly<Record<string, string>>;
  /** Base of links to JIM, http or https, perhaps with a path. */
  readonly externalUrl: string;
}

/** A run counted in a move: the bridge tells of it even if a success followed. */
export interface FinishedRun {
  readonly labels: RunLabels;
  readonly run: Finished;
}

/** What the ledger itself does not hold. */
export interface AlertNews {
  /**
   * The runs counted in this move, in any order; not the history of a first start. Without them a failure
   * that was followed by a success before we looked would never be told.
   */
  readonly finished: readonly FinishedRun[];
  /** When an Alertmanager first accepted the alert of this key and start as firing (our clock); null if none did. */
  readonly acceptedAtMs: (key: string, startsAtMs: number) => number | null;
  /** Names of the schedules of each run profile (by `runKey`); null while unknown, which keeps what was told. */
  readonly schedules: ReadonlyMap<string, readonly string[]> | null;
  /** JIM's error messages, by Activity; used only with `includeErrorMessage`. */
  readonly messages: ReadonlyMap<ActivityId, string>;
}

/** Nothing new but the time: for moves that saw no run finish. */
export const NO_NEWS: AlertNews = {
  finished: [],
  acceptedAtMs: () => null,
  schedules: null,
  messages: new Map(),
};

/**
 * The alerts to hold after this move, by identity. Returns `ledger.alerts` itself if nothing changes, so
 * that an idle move commits nothing. `ledger` already counts the finished runs; its alerts are the previous.
 */
export function nextAlerts(
  ledger: Ledger,
  news: AlertNews,
  settings: AlertSettings,
  nowMs: number,
): ReadonlyMap<string, HeldAlert> {
  const context: Context = { news, settings, nowMs, jim: new URL(settings.externalUrl).host };
  const held = groupByProfile(ledger.alerts, nowMs);
  const told = newestUnsuccessful(ledger, news, settings);
  const next = new Map<string, HeldAlert>();
  for (const profile of new Set([...held.keys(), ...told.keys()])) {
    const alerts = alertsOfProfile(context, {
      account: ledger.runs.get(profile) ?? null,
      told: told.get(profile) ?? null,
      held: held.get(profile) ?? new Map<string, HeldAlert>(),
    });
    for (const [key, alert] of alerts) next.set(key, alert);
  }
  return sameAlerts(ledger.alerts, next) ? ledger.alerts : next;
}

interface Context {
  readonly news: AlertNews;
  readonly settings: AlertSettings;
  readonly nowMs: number;
  readonly jim: string;
}

/** The newest run of a run profile that ended in a status of `severities`. */
interface Told {
  readonly labels: RunLabels;
  readonly run: LastRun;
  /** Counted in this move: told even where a success followed it. */
  readonly counted: boolean;
}

interface Profile {
  readonly account: RunAccount | null;
  readonly told: Told | null;
  readonly held: ReadonlyMap<string, HeldAlert>;
}

function newestUnsuccessful(
  ledger: Ledger,
  { finished }: AlertNews,
  { severities }: AlertSettings,
): ReadonlyMap<string, Told> {
  const newest = new Map<string, Told>();
  const isTold = ({ status }: Pick<LastRun, 'status'>): boolean => severities[status] !== undefined;
  const consider = (told: Told): void => {
    const key = runKey(told.labels);
    // Folded and retired run profiles have no last run, and no alert.
    if (ledger.runs.get(key)?.last == null) return;
    const known = newest.get(key);
    if (known === undefined || told.run.end > known.run.end) newest.set(key, told);
  };
  for (const { labels, run } of finished)
    if (isTold(run)) consider({ labels, run: lastRunOf(run), counted: true });
  for (const { labels, last } of ledger.runs.values())
    if (last !== null && isTold(last)) consider({ labels, run: last, counted: false });
  return newest;
}

function groupByProfile(
  alerts: ReadonlyMap<string, HeldAlert>,
  nowMs: number,
): ReadonlyMap<string, ReadonlyMap<string, HeldAlert>> {
  const groups = new Map<string, Map<string, HeldAlert>>();
  for (const [key, alert] of alerts) {
    const profile = runKey(runLabelsOf(alert));
    const group = groups.get(profile) ?? new Map<string, HeldAlert>();
    groups.set(profile, group.set(key, notInTheFuture(alert, nowMs)));
  }
  return groups;
}

/** Our clock may have been set back: a hold must not last until it has caught up. */
function notInTheFuture(alert: HeldAlert, nowMs: number): HeldAlert {
  const { startsAtMs, foundAtMs, acceptedAtMs, resolvedAtMs } = alert;
  if (Math.max(startsAtMs, foundAtMs, acceptedAtMs ?? 0, resolvedAtMs ?? 0) <= nowMs) return alert;
  return {
    ...alert,
    startsAtMs: Math.min(startsAtMs, nowMs),
    foundAtMs: Math.min(foundAtMs, nowMs),
    acceptedAtMs: acceptedAtMs === null ? null : Math.min(acceptedAtMs, nowMs),
    resolvedAtMs: resolvedAtMs === null ? null : Math.min(resolvedAtMs, nowMs),
  };
}

function alertsOfProfile(
  context: Context,
  profile: Profile,
): readonly (readonly [string, HeldAlert])[] {
  const leader = leaderOf(context, profile);
  const alerts = new Map(profile.held);
  if (leader !== null && leader.told !== null) {
    const alert = tell(context, profile, leader.told, leader.key);
    if (alert !== null) alerts.set(leader.key, alert);
  }
  return [...alerts]
    .map(([key, alert]) => [key, aged(context, profile, alert, key, leader?.key)] as const)
    .filter((entry): entry is readonly [string, HeldAlert] => entry[1] !== null);
}

/** The key of the one alert that tells the truth, and the run it is to tell, if there is one; null without either. */
function leaderOf(
  context: Context,
  { account, told, held }: Profile,
): { readonly key: string; readonly told: Told | null } | null {
  let newest: { key: string; end: Instant } | null = null;
  if (account !== null) {
    const configured = configuredKeys(context, account.labels);
    for (const [key, { runEnd }] of held) {
      if (configured.has(key) && (newest === null || runEnd > newest.end))
        newest = { key, end: runEnd };
    }
  }
  // A catch-up may read an older failure after a newer one: the newer stays.
  if (told !== null && (newest === null || told.run.end >= newest.end)) {
    return { key: identityKey(labelsOfRun(context, told)), told };
  }
  return newest === null ? null : { key: newest.key, told: null };
}

function configuredKeys(context: Context, labels: RunLabels): ReadonlySet<string> {
  const severities = Object.values(context.settings.severities);
  return new Set(severities.map((severity) => identityKey(labelsFor(context, labels, severity))));
}

/** The leader's alert with the told run in it: opened, opened again, or brought up to date. Null: nothing to tell. */
function tell(context: Context, profile: Profile, told: Told, key: string): HeldAlert | null {
  const { nowMs } = context;
  const held = profile.held.get(key);
  const isKnown = held?.activityId === told.run.id;
  if (held !== undefined && held.resolvedAtMs === null) {
    const updated = written(context, profile, told, held);
    return isKnown ? updated : { ...updated, foundAtMs: nowMs };
  }
  const isOver = recovered(profile.account, told.run.end);
  if (isKnown && (isOver || expired(context, held))) return held;
  // A counted run is told even if a success followed it, but only once.
  const alreadyTold = [...profile.held.values()].some(
    ({ activityId }) => activityId === told.run.id,
  );
  if (isOver && (!told.counted || alreadyTold)) return null;
  return written(context, profile, told, {
    labels: labelsOfRun(context, told),
    annotations: held?.annotations ?? {},
    generatorUrl: '',
    startsAtMs: nowMs,
    resolvedAtMs: null,
    activityId: told.run.id,
    runEnd: told.run.end,
    foundAtMs: nowMs,
    acceptedAtMs: null,
  });
}

/** What a newer run, error types read later or a schedule change: everything but identity and times. */
function written(context: Context, profile: Profile, told: Told, alert: HeldAlert): HeldAlert {
  const { news, settings } = context;
  const { labels, run } = told;
  return {
    ...alert,
    annotations: annotationsOf({
      labels,
      run,
      failuresInARow: profile.account === null ? 0 : consecutiveFailures(profile.account),
      schedules: news.schedules?.get(runKey(labels)) ?? (news.schedules === null ? null : []),
      before: alert.annotations,
      message: messageOf(context, run.id, alert.activityId === run.id ? 'keep' : 'none'),
    }),
    generatorUrl: activityUrl(settings.externalUrl, run.id),
    activityId: run.id,
    runEnd: run.end,
  };
}

/** The message of this run, or `otherwise`; none where it is not configured, not even one told before. */
function messageOf(
  { news, settings }: Context,
  id: ActivityId,
  otherwise: 'keep' | 'none',
): Message {
  if (!settings.includeErrorMessage) return 'none';
  const text = news.messages.get(id);
  return text === undefined ? otherwise : { text };
}

/** What time, acceptance and recovery do to a held alert; null once it is forgotten. */
function aged(
  context: Context,
  profile: Profile,
  alert: HeldAlert,
  key: string,
  leader: string | undefined,
): HeldAlert | null {
  const { news, settings, nowMs } = context;
  const leads = key === leader;
  const isFailing = leads && !recovered(profile.account, alert.runEnd);
  const isWanted = isFailing && !expired(context, alert);
  if (alert.resolvedAtMs !== null) {
    if (isWanted) return { ...alert, startsAtMs: nowMs, resolvedAtMs: null, acceptedAtMs: null };
    // Resolved by `resolve_after`, it is remembered while its run still fails, or it would fire again.
    return isFailing || isResent(alert, settings.resendIntervalMs, nowMs) ? alert : null;
  }
  const accepted = withAcceptance(alert, news.acceptedAtMs(key, alert.startsAtMs));
  const current = withMessage(accepted, messageOf(context, alert.activityId, 'keep'));
  if (isWanted || !isHeldLongEnough(current, settings, nowMs)) return current;
  return { ...current, resolvedAtMs: nowMs };
}

/** Whether an Alertmanager is still told of this alert: it fires, or was resolved not long ago. */
export function isResent(
  { resolvedAtMs }: Pick<HeldAlert, 'resolvedAtMs'>,
  resendIntervalMs: number,
  nowMs: number,
): boolean {
  const retentionMs = Math.max(
    RESOLVED_RETENTION_MS,
    RESOLVED_RETENTION_INTERVALS * resendIntervalMs,
  );
  return resolvedAtMs === null || nowMs - resolvedAtMs < retentionMs;
}

function withAcceptance(alert: HeldAlert, acceptedAtMs: number | null): HeldAlert {
  return alert.acceptedAtMs !== null || acceptedAtMs === null ? alert : { ...alert, acceptedAtMs };
}

function isHeldLongEnough(
  { acceptedAtMs, foundAtMs }: HeldAlert,
  { resolveAfterMs }: AlertSettings,
  nowMs: number,
): boolean {
  if (acceptedAtMs === null) return nowMs - foundAtMs >= UNDELIVERED_HOLD_MS;
  // Who sets a shorter `resolve_after` has shorter waits in Alertmanager, and means it.
  return nowMs - acceptedAtMs >= Math.min(MINIMUM_HOLD_MS, resolveAfterMs ?? MINIMUM_HOLD_MS);
}

/** Whether a success ended after this unsuccessful run, or the run profile is retired. Cancelled resolves nothing. */
function recovered(account: RunAccount | null, runEnd: Instant): boolean {
  if (account === null || account.last === null) return true;
  return account.lastSuccess !== null && account.lastSuccess.end > runEnd;
}

function expired({ settings, nowMs }: Context, alert: Pick<HeldAlert, 'foundAtMs'>): boolean {
  return settings.resolveAfterMs !== null && nowMs - alert.foundAtMs >= settings.resolveAfterMs;
}

function labelsOfRun(
  context: Context,
  { labels, run }: Pick<Told, 'labels' | 'run'>,
): Readonly<Record<string, string>> {
  return labelsFor(context, labels, context.settings.severities[run.status] ?? '');
}

/** The identity: stable while the alert fires. Empty values are left out, since Alertmanager drops them anyway. */
function labelsFor(
  { settings, jim }: Context,
  { connectedSystem, runProfile, runType }: RunLabels,
  severity: string,
): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {
    ...settings.labels,
    alertname: ALERT_NAME,
    jim,
    connected_system: connectedSystem,
    run_profile: runProfile,
    run_type: runType,
    severity,
  };
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''));
}

/** The run profile an alert belongs to, read back from its identity. */
function runLabelsOf({ labels }: HeldAlert): RunLabels {
  return {
    connectedSystem: labels['connected_system'] ?? '',
    runProfile: labels['run_profile'] ?? '',
    runType: labels['run_type'] ?? '',
  };
}

/** Label values hold no NUL: one text per label set, whatever the order of its labels. */
export function identityKey(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flat()
    .join('\u0000');
}

function sameAlerts(
  before: ReadonlyMap<string, HeldAlert>,
  after: ReadonlyMap<string, HeldAlert>,
): boolean {
  return (
    before.size === after.size &&
    [...after].every(([key, alert]) => {
      const earlier = before.get(key);
      return earlier !== undefined && sameAlert(earlier, alert);
    })
  );
}

function sameAlert(a: HeldAlert, b: HeldAlert): boolean {
  return (
    a === b ||
    (a.startsAtMs === b.startsAtMs &&
      a.resolvedAtMs === b.resolvedAtMs &&
      a.activityId === b.activityId &&
      a.runEnd === b.runEnd &&
      a.foundAtMs === b.foundAtMs &&
      a.acceptedAtMs === b.acceptedAtMs &&
      a.generatorUrl === b.generatorUrl &&
      sameTexts(a.annotations, b.annotations))
  );
}

function sameTexts(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
