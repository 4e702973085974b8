/** A small world for the bridge's tests: run profiles whose runs end, counted by the real ledger code, and a held alert. */
import type { FinishedStatus } from '../../src/jim/activity.ts';
import { OUTCOMES, activityId, instant, micros } from '../../src/jim/activity.ts';
import type { AlertNews, AlertSettings, FinishedRun } from '../../src/alertmanager/alerts.ts';
import { NO_NEWS, identityKey, nextAlerts } from '../../src/alertmanager/alerts.ts';
import type { BridgeOptions } from '../../src/alertmanager/sender.ts';
import type { HeldAlert, LastRun, Ledger, RunLabels } from '../../src/ledger/ledger.ts';
import { emptyLedger, runKey } from '../../src/ledger/ledger.ts';
import type { Finished } from '../../src/ledger/totals.ts';
import { newRunAccount, rememberRun } from '../../src/ledger/totals.ts';

export const MINUTE = 60_000;
export const HR_IMPORT: RunLabels = {
  connectedSystem: 'HR System',
  runProfile: 'Full Import',
  runType: 'FullImport',
};

export const SETTINGS: AlertSettings = {
  severities: { FailedWithError: 'critical', CompleteWithError: 'warning' },
  resolveAfterMs: null,
  resendIntervalMs: MINUTE,
  includeErrorMessage: false,
  labels: { source: 'jim-exporter' },
  externalUrl: 'https://jim.example:8443/identity/',
};

/** 2026-11-23T06:00:00Z, on our clock and on JIM's. */
export const SIX_MS = Date.UTC(2026, 10, 23, 6);

export interface RunSketch {
  readonly id?: string;
  readonly labels?: RunLabels;
  readonly status?: FinishedStatus;
  /** When it ended, seconds after six by JIM's clock. */
  readonly end?: number;
  readonly errors?: number;
  readonly outcomes?: LastRun['outcomes'];
  readonly seconds?: number;
  readonly queueSeconds?: number;
}

/** For bridges whose metrics and log nobody reads. */
export const UNWATCHED: Pick<BridgeOptions, 'telemetry' | 'log'> = {
  telemetry: {
    alertmanagersConfigured: () => undefined,
    notificationsEnded: () => undefined,
    notificationTook: () => undefined,
    notificationsQueued: () => undefined,
  },
  log: { info: () => undefined, warn: () => undefined },
};

let serial = 0;

/** A finished run as JIM's row. */
export function run(sketch: RunSketch = {}): Finished & { readonly labels: RunLabels } {
  const { labels = HR_IMPORT, seconds = 190, queueSeconds = 4 } = sketch;
  serial += 1;
  const end = SIX_MS * 1_000 + (sketch.end ?? 0) * 1_000_000;
  const created = instant(end - (seconds + queueSeconds) * 1_000_000);
  return {
    id: activityId(sketch.id ?? `00000000-0000-4000-8000-${String(serial).padStart(12, '0')}`),
    labels,
    created,
    executed: instant(created + queueSeconds * 1_000_000),
    status: sketch.status ?? 'FailedWithError',
    targetType: 'ConnectedSystemRunProfile',
    operation: 'Execute',
    targetName: labels.runProfile,
    targetContext: labels.connectedSystem,
    runType: labels.runType,
    objectsToProcess: 0,
    objectsProcessed: 0,
    executionTime: micros(seconds * 1_000_000),
    totalActivityTime: micros((seconds + queueSeconds) * 1_000_000),
    outcomes: {
      ...(Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Finished['outcomes']),
      ...sketch.outcomes,
    },
    errors: sketch.errors ?? 0,
  };
}

type Row = ReturnType<typeof run>;

export function finished(row: Row): FinishedRun {
  return { labels: row.labels, run: row };
}

/** The ledger after these runs, counted in this order. */
export function ledgerAfter(rows: readonly Row[], before: Ledger = emptyLedger(500)): Ledger {
  const runs = new Map(before.runs);
  for (const row of rows) {
    const key = runKey(row.labels);
    runs.set(key, rememberRun(runs.get(key) ?? newRunAccount(row.labels, 0), row));
  }
  return { ...before, started: true, runs };
}

/** A bridge's memory moved by runs and time: what each commit would hold. */
export class Book {
  ledger: Ledger = emptyLedger(500);
  settings: AlertSettings = SETTINGS;
  nowMs = SIX_MS;
  accepted = new Map<string, number>();

  /** One move: these runs are counted, and the alerts decided. */
  move(rows: readonly Row[] = [], news: Partial<AlertNews> = {}): readonly HeldAlert[] {
    const ledger = ledgerAfter(rows, this.ledger);
    const alerts = nextAlerts(
      ledger,
      {
        ...NO_NEWS,
        finished: rows.map(finished),
        acceptedAtMs: (key) => this.accepted.get(key) ?? null,
        ...news,
      },
      this.settings,
      this.nowMs,
    );
    this.ledger = { ...ledger, alerts };
    return this.alerts();
  }

  /** The same, `ms` later, with the alerts accepted at once. */
  later(ms: number, rows: readonly Row[] = []): readonly HeldAlert[] {
    for (const [key, { resolvedAtMs }] of this.ledger.alerts) {
      if (resolvedAtMs === null && !this.accepted.has(key)) this.accepted.set(key, this.nowMs);
    }
    this.nowMs += ms;
    return this.move(rows);
  }

  alerts(): readonly HeldAlert[] {
    return [...this.ledger.alerts.values()];
  }

  /** Severity and state of each, in words. */
  states(): readonly string[] {
    return this.alerts().map(
      ({ labels, resolvedAtMs }) =>
        `${labels['severity']} ${resolvedAtMs === null ? 'firing' : 'resolved'}`,
    );
  }
}

/** A held alert for the sender's tests. */
export function held(name: string, changes: Partial<HeldAlert> = {}): HeldAlert {
  return {
    labels: { alertname: 'JimRunUnsuccessful', run_profile: name },
    annotations: { summary: `${name} failed` },
    generatorUrl: `https://jim.example/activity/${name}`,
    startsAtMs: SIX_MS,
    resolvedAtMs: null,
    activityId: activityId(name),
    runEnd: instant(SIX_MS * 1_000),
    foundAtMs: SIX_MS,
    acceptedAtMs: null,
    ...changes,
  };
}

export function byKey(alerts: readonly HeldAlert[]): ReadonlyMap<string, HeldAlert> {
  return new Map(alerts.map((alert) => [identityKey(alert.labels), alert]));
}
