/**
 * What the status page shows, as values. The app builds them (`src/page-from-parts.ts`), `page.ts` turns them into HTML.
 * Names are those of systems, run profiles and schedules; nothing else that people wrote may enter.
 */

export interface PageView {
  /** Our clock. */
  readonly nowMs: number;
  /** JIM's clock at that moment, as far as it is known: ages of what JIM dated are taken from it. */
  readonly jimNowMs: number;
  readonly telemetryPath: string;
  readonly jim: JimView;
  /** What somebody should do something about, each in one sentence. */
  readonly warnings: readonly string[];
  readonly runProfiles: readonly RunProfileView[];
  readonly progress: readonly ProgressView[];
  /** Tasks of the worker by status; null where this JIM does not tell, or has not told yet. */
  readonly queue: readonly Count[] | null;
  /** Null where they were not read (yet). */
  readonly schedules: readonly ScheduleView[] | null;
  readonly exporter: ExporterView;
}

/** So many of a word of JIM's: an outcome, an error type, a status. */
export interface Count {
  readonly word: string;
  readonly count: number;
}

export interface JimView {
  /** Null before the first poll has ended. */
  readonly up: boolean | null;
  readonly version: string | null;
  /** A closed word; null while polls succeed. */
  readonly failure: string | null;
  /** Our clock. */
  readonly lastSuccessfulPollMs: number | null;
  readonly ready: boolean | null;
  readonly maintenance: boolean | null;
  /** What people click. */
  readonly url: string;
}

export interface RunProfileView {
  readonly connectedSystem: string;
  readonly runProfile: string;
  readonly runType: string;
  /** Null where no run of it is known. */
  readonly last: LastRunView | null;
  readonly failuresInARow: number;
  /** A failure of the last 24 hours that a success has followed. */
  readonly earlierFailure: EarlierFailureView | null;
  readonly inProgress: number;
}

export interface EarlierFailureView {
  readonly status: string;
  /** JIM's clock. */
  readonly beganMs: number;
  readonly link: string;
}

export interface LastRunView {
  readonly status: string;
  /** JIM's clock. */
  readonly endedMs: number;
  readonly durationSeconds: number | null;
  readonly outcomes: readonly Count[];
  readonly errors: number;
  readonly errorTypes: readonly Count[];
  /** Why it failed: a closed word; null for a success and where it is not known. */
  readonly cause: string | null;
  /** The Activity's page in JIM. */
  readonly link: string;
}

/** A run under way. */
export interface ProgressView {
  readonly connectedSystem: string;
  readonly runProfile: string;
  /** The worker's word, which tells what waits from what runs; else the Activity's. */
  readonly status: string;
  /** JIM's clock; null before it started. */
  readonly startedMs: number | null;
  /** Null where this JIM does not tell, or cannot yet. */
  readonly objects: {
    readonly processed: number;
    /** 0 while it is not known. */
    readonly toProcess: number;
    readonly percent: number | null;
    readonly remainingSeconds: number | null;
  } | null;
  readonly link: string;
}

export interface ScheduleView {
  readonly name: string;
  readonly enabled: boolean;
  /** JIM's clock, like `lastMs`. */
  readonly nextMs: number | null;
  readonly lastMs: number | null;
  readonly lastStatus: string | null;
  readonly inProgress: boolean;
}

export interface ExporterView {
  readonly version: string;
  readonly lastPollMs: number | null;
  readonly pollIntervalSeconds: number;
  readonly caughtUp: boolean;
  /** What this JIM's version can tell, and what not. */
  readonly abilities: readonly { readonly name: string; readonly has: boolean }[];
  readonly collectors: readonly CollectorView[];
  readonly openActivities: number;
  readonly labelSets: number;
  readonly maxLabelSets: number;
  readonly requestsLastMinute: number;
  readonly requestsPerMinute: number;
  /** Null where the ledger is kept in memory only. */
  readonly stateBytes: number | null;
  readonly alertmanagers: number;
  readonly alertsFiring: number;
}

export interface CollectorView {
  readonly name: string;
  readonly state: 'on' | 'disabled' | 'lacking' | 'failing';
  /** Why it fails: a closed word. */
  readonly reason: string | null;
}
