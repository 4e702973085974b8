/** Alertmanager's API v2 as this bridge speaks it: one held alert as JSON, and whether it may be sent at all. */
import type { HeldAlert } from '../ledger/ledger.ts';

/** One element of the body of `POST /api/v2/alerts`. */
export interface WireAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly generatorURL: string;
  /** RFC 3339, UTC. Both are always sent: with endsAt alone startsAt lands in the future. */
  readonly startsAt: string;
  readonly endsAt: string;
}

/** A firing alert ends this many resend intervals from now unless it is sent again: three sendings may fail. */
const INTERVALS_UNTIL_END = 4;

/**
 * The alert as sent now. `offsetMs` is the Alertmanager's clock less ours: it judges by its own whether an
 * alert has ended.
 */
export function toWire(
  alert: HeldAlert,
  times: {
    readonly nowMs: number;
    readonly resendIntervalMs: number;
    readonly offsetMs: number;
  },
): WireAlert {
  const { nowMs, resendIntervalMs, offsetMs } = times;
  const startsAtMs = Math.min(alert.startsAtMs, nowMs);
  const endsAtMs =
    alert.resolvedAtMs === null
      ? nowMs + INTERVALS_UNTIL_END * resendIntervalMs
      : Math.max(startsAtMs, Math.min(alert.resolvedAtMs, nowMs));
  return {
    labels: alert.labels,
    annotations: alert.annotations,
    generatorURL: alert.generatorUrl,
    startsAt: new Date(startsAtMs + offsetMs).toISOString(),
    endsAt: new Date(endsAtMs + offsetMs).toISOString(),
  };
}

/** Why an Alertmanager would refuse the alert, and its whole batch with it; null if it would not. */
export function faultOf(
  alert: Pick<HeldAlert, 'labels' | 'annotations' | 'generatorUrl'>,
): AlertFault | null {
  const labels = Object.entries(alert.labels);
  const annotations = Object.entries(alert.annotations);
  if (!labels.some(([, value]) => value !== '')) return 'no_labels';
  if ([...labels, ...annotations].some(([name]) => !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)))
    return 'name';
  if ([...labels, ...annotations].some(([, value]) => !isText(value))) return 'value';
  return isAbsolute(alert.generatorUrl) ? null : 'generator_url';
}
export type AlertFault = 'no_labels' | 'name' | 'value' | 'generator_url';

/** A string that has a UTF-8 form: half a surrogate pair has none. The state file could hold anything. */
function isText(value: unknown): boolean {
  return typeof value === 'string' && !/\p{Surrogate}/u.test(value);
}

function isAbsolute(url: string): boolean {
  return /^https?:\/\//.test(url) && URL.canParse(url);
}
