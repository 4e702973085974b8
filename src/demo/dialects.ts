/** What each simulated version of JIM can do, and how it says it (jim-api: version matrix, sections 1 to 9). */

export const DIALECTS = ['0.8', '0.12', '0.13', '0.14', 'main'] as const;
export type DialectName = (typeof DIALECTS)[number];

export interface Dialect {
  readonly name: DialectName;
  /** What `/health/version` says. A build of main may still say 0.14.0: see the simulator's `reportedVersion`. */
  readonly version: string;
  /** `page` > 1000 is refused (0.14), or more than a million rows deep (main); before, nothing is. */
  readonly pageCeiling: 'none' | 'page_1000' | 'rows_1000000';
  /** `none` ignores every filter but search; `types` knows targetType and initiatorType; `all` knows all. */
  readonly filters: 'none' | 'types' | 'all';
  /** Equal sort keys are ordered by id; before main, in no order at all. */
  readonly tieBreakById: boolean;
  /** `/children` as a page; a plain array before. */
  readonly childrenPaged: boolean;
  /** SyncRule is called SynchronisationRule, and data generation has a target type of its own. */
  readonly laterNames: boolean;
  /** The detail has changeReason, configurationChangeVersion and configurationChangeSnapshot. */
  readonly configurationHistory: boolean;
  readonly workerTasks: boolean;
  readonly serviceSettings: boolean;
  readonly pendingExportsCount: boolean;
  readonly progress: boolean;
  readonly rateLimit: boolean;
  readonly securityHeaders: boolean;
  /** Sign-ins and refused keys become Activities. */
  readonly authenticationActivities: boolean;
  readonly temporalReconciliation: boolean;
  readonly factoryReset: boolean;
  readonly systemInitialisation: boolean;
  /** Run profiles say whether they verify hashes of what they import. */
  readonly importHashes: boolean;
  /** Phases, schedule fields, error detail, discarded entries, last executions of schedules. */
  readonly scheduleFields: boolean;
  /** An import's objectsProcessed is all that it read; before main, it is the number of its errors. */
  readonly importsCountReads: boolean;
  /** How an execution of a schedule that went well is called. */
  readonly completedWord: 'Completed' | 'Complete';
}

const V0_8: Dialect = {
  name: '0.8',
  version: '0.8.0',
  pageCeiling: 'none',
  filters: 'none',
  tieBreakById: false,
  childrenPaged: false,
  laterNames: false,
  configurationHistory: false,
  workerTasks: false,
  serviceSettings: false,
  pendingExportsCount: false,
  progress: false,
  rateLimit: false,
  securityHeaders: false,
  authenticationActivities: false,
  temporalReconciliation: false,
  factoryReset: false,
  systemInitialisation: false,
  importHashes: false,
  scheduleFields: false,
  importsCountReads: false,
  completedWord: 'Completed',
};

const V0_12: Dialect = {
  ...V0_8,
  name: '0.12',
  version: '0.12.0',
  serviceSettings: true,
  pendingExportsCount: true,
  factoryReset: true,
};

const V0_13: Dialect = {
  ...V0_12,
  name: '0.13',
  version: '0.13.0',
  childrenPaged: true,
  laterNames: true,
  configurationHistory: true,
  workerTasks: true,
  temporalReconciliation: true,
  systemInitialisation: true,
};

const V0_14: Dialect = {
  ...V0_13,
  name: '0.14',
  version: '0.14.0',
  pageCeiling: 'page_1000',
  filters: 'types',
  progress: true,
  rateLimit: true,
  securityHeaders: true,
  authenticationActivities: true,
  importHashes: true,
};

const MAIN: Dialect = {
  ...V0_14,
  name: 'main',
  version: '0.15.0',
  pageCeiling: 'rows_1000000',
  filters: 'all',
  tieBreakById: true,
  scheduleFields: true,
  importsCountReads: true,
  completedWord: 'Complete',
};

const BY_NAME: Readonly<Record<DialectName, Dialect>> = {
  '0.8': V0_8,
  '0.12': V0_12,
  '0.13': V0_13,
  '0.14': V0_14,
  main: MAIN,
};

export function dialectNamed(name: DialectName): Dialect {
  return BY_NAME[name];
}
