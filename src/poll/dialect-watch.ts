/** Knows which JIM answers: asked at start, hourly, and after every reconnect; its filters are probed, never assumed. */
import type { CallOptions } from '../jim/ask.ts';
import type { JimClient } from '../jim/client.ts';
import type { Dialect } from '../jim/dialect.ts';
import { dialectOf } from '../jim/dialect.ts';
import { RequestError } from '../request-error.ts';
import type { PollLog } from './report.ts';

/** The version is asked again this often. */
const MAX_AGE_MS = 3_600_000;

export interface DialectWatch {
  current(): Dialect | null;
  /** The dialect, asked anew where it is old or `reconnected`. Rejects with RequestError. */
  know(nowMs: number, reconnected: boolean, call: CallOptions): Promise<Dialect>;
  /** An answer contradicted the dialect: it is probed again at the next poll. */
  doubt(): void;
}

export function createDialectWatch(
  jim: Pick<JimClient, 'version' | 'probeFilters'>,
  log: PollLog,
): DialectWatch {
  let dialect: Dialect | null = null;
  let isDoubted = false;
  let askedMs = 0;

  /** A server that does not tell its version is treated as the oldest. */
  async function versionOrUnknown(call: CallOptions): Promise<string> {
    try {
      return await jim.version(call);
    } catch (error) {
      if (error instanceof RequestError && error.reason === 'bad_response') return 'unknown';
      throw error;
    }
  }

  return {
    current: () => dialect,
    know: async (nowMs, reconnected, call) => {
      const isFresh = nowMs >= askedMs && nowMs - askedMs < MAX_AGE_MS;
      if (dialect !== null && isFresh && !reconnected && !isDoubted) return dialect;
      const version = await versionOrUnknown(call);
      const next = dialectOf(version, await jim.probeFilters(call));
      if (dialect?.version !== next.version || dialect.filters !== next.filters) tell(next, log);
      dialect = next;
      isDoubted = false;
      askedMs = nowMs;
      return next;
    },
    doubt: () => {
      isDoubted = true;
    },
  };
}

function tell({ version, versionKnown, filters }: Dialect, log: PollLog): void {
  log.info('JIM answers', { version, filters_by_created: filters });
  if (versionKnown) return;
  log.warn("JIM's version is no number; only the abilities of the oldest version are used", {
    version,
  });
}
