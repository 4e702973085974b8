/** Placeholder: the JIM client's interface, which the poll and the collectors are written against. */
import type { Activity, ActivityId, Instant } from './activity.ts';

export type ListQuery = {
  readonly sortBy: 'created' | 'status';
  readonly direction: 'asc' | 'desc';
  readonly page: number;
  readonly pageSize: number;
  /** Only where the dialect filters (`dialect.filters`); inclusive. */
  readonly createdFrom?: Instant;
  readonly createdTo?: Instant;
  readonly status?: 'InProgress';
};

/** A row that could not be read. `reason` is a closed word. `created` where that much could be read. */
export interface RejectedRow {
  readonly id: ActivityId | null;
  readonly created: Instant | null;
  readonly reason: RejectReason;
}
export type RejectReason =
  'not_an_object' | 'id' | 'created' | 'status' | 'times' | 'totals' | 'other';

export interface ActivityPage {
  readonly activities: readonly Activity[];
  readonly rejected: readonly RejectedRow[];
  /** Rows the server sent, readable or not. */
  readonly rowCount: number;
  readonly totalCount: number;
  readonly page: number;
  /** The effective size: JIM clamps silently. */
  readonly pageSize: number;
  readonly hasNextPage: boolean;
  /** The `Date` header of this very answer (whole seconds, JIM's clock). */
  readonly date: Instant;
  /** Our clock when the answer came, ms. */
  readonly receivedAtMs: number;
}
