/** Which build this is: for --version, the first log line and `jim_exporter_build_info`. */
import { readFileSync } from 'node:fs';

export interface BuildInfo {
  readonly version: string;
  /** The commit, shortened; 'unknown' when built outside of a repository. */
  readonly revision: string;
  /** ISO 8601; 'unknown' while running from source. */
  readonly buildDate: string;
  /** As in `v22.11.0`. */
  readonly nodeVersion: string;
}

/** What `npm run build` wrote beside the compiled files. */
export const BUILD_STAMP = new URL('build.json', import.meta.url);

export function readBuildInfo(): BuildInfo {
  const manifest = readJson(new URL('../package.json', import.meta.url));
  const stamp = readJson(BUILD_STAMP);
  const word = (value: unknown): string => (typeof value === 'string' ? value : 'unknown');
  return {
    version: word(manifest['version']),
    revision: word(stamp['revision']),
    buildDate: word(stamp['buildDate']),
    nodeVersion: process.version,
  };
}

/** What every Prometheus program prints for --version. */
export function versionText(build: BuildInfo): string {
  return [
    `jim-exporter, version ${build.version} (revision: ${build.revision})`,
    `  build date:    ${build.buildDate}`,
    `  node version:  ${build.nodeVersion}`,
  ].join('\n');
}

/** A build that says nothing of itself still runs. */
function readJson(file: URL): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
