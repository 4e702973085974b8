/**
 * The dialect: what one JIM server understands and says, from its version and from the probe. Every
 * ability names the version that brought it (jim-api, section 0, "Version matrix").
 */

export interface Dialect {
  /** As the server reported it; `unknown` where it said nothing usable. */
  readonly version: string;
  /** False where the version was no number: then the oldest abilities are assumed. */
  readonly versionKnown: boolean;
  /** Lists filter by `createdFrom`, `createdTo` and `status`. Only ever from the probe. */
  readonly filters: boolean;
  /** Rows of equal `created` come in the order of their ids, so pages have no seams. */
  readonly tieBreak: boolean;
  /** Higher page numbers are answered with 400; null where there is no such ceiling. */
  readonly maxPage: number | null;
  /** Rows that may lie before a page; further ones are answered with 400. Null where there is no such ceiling. */
  readonly maxOffset: number | null;
  /** `GET /worker-tasks` exists. */
  readonly hasWorkerTasks: boolean;
  /** `GET /activities/{id}/progress` exists. */
  readonly hasProgress: boolean;
  /** Lists filter by `targetType` and `initiatorType`. */
  readonly targetTypeFilter: boolean;
  /** `/stats` and `/items` are cheap: they read stored counters; before, each request aggregates all items of the run. */
  readonly hasRunStats: boolean;
  /** Sign-ins and failed keys are Activities. */
  readonly hasAuthentication: boolean;
  /** An import's objectsProcessed is all it read; before, only its number of errors. */
  readonly importCountsProcessed: boolean;
}

interface Release {
  readonly major: number;
  readonly minor: number;
  readonly isPreRelease: boolean;
}

/**
 * @param version as `/health/version` gave it: `0.14.0`, `v0.14.0`, `0.15.0-dev+abc`, or anything else.
 * @param filters whether the probe found that the server honours them.
 */
export function dialectOf(version: string, filters = false): Dialect {
  const release = parseRelease(version);
  const since = (major: number, minor: number): boolean =>
    release !== null && isAtLeast(release, major, minor);
  return {
    version: version === '' ? 'unknown' : version,
    versionKnown: release !== null,
    filters,
    // The rest of main's abilities came with its filters, while main still reported 0.14.0: the probe
    // tells of them too, and no version number does.
    tieBreak: filters,
    maxPage: !filters && since(0, 14) ? 1000 : null,
    maxOffset: filters ? 1_000_000 : null,
    importCountsProcessed: filters,
    targetTypeFilter: since(0, 14) || filters,
    hasWorkerTasks: since(0, 13) || filters,
    hasProgress: since(0, 14) || filters,
    hasRunStats: since(0, 14) || filters,
    hasAuthentication: since(0, 14) || filters,
  };
}

function parseRelease(version: string): Release | null {
  const match = /^v?(\d{1,6})\.(\d{1,6})(?:\.\d{1,9})*(-[^+]*)?(?:\+.*)?$/.exec(version.trim());
  if (match === null) return null;
  return {
    major: Number(match[1]),
    minor: Number(match[2]),
    isPreRelease: match[3] !== undefined,
  };
}

/** A pre-release of a version is only known to have what the version before it had (semver's order). */
function isAtLeast(release: Release, major: number, minor: number): boolean {
  if (release.major !== major) return release.major > major;
  return release.minor > minor || (release.minor === minor && !release.isPreRelease);
}
