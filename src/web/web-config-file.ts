/**
 * The web configuration file, followed: a changed file, certificate or key counts within a second, without a
 * restart. A file that turned bad is no reason to serve without it, nor to serve what it no longer says.
 */
import { formatFault } from '../config/load.ts';
import type { Fault } from '../config/settings.ts';
import { createLastingFaults } from '../log.ts';
import type { Log } from '../log.ts';
import { readSmallFile, readWebConfig } from './web-config.ts';
import type { ReadFile, WebConfig } from './web-config.ts';

export interface WebConfigFile {
  /** What counts now; the files are looked at again at most once a second. */
  current(): FollowedConfig;
}

export interface FollowedConfig {
  /** The last good reading. `tls` stays the same object while nothing about TLS changes. */
  readonly config: WebConfig;
  /** The file is bad at present: requests are to be answered 500, over the last good TLS. */
  readonly broken: boolean;
}

export interface WebConfigFileOptions {
  readonly path: string;
  readonly nowMs: () => number;
  readonly log: Log;
  readonly readFile?: ReadFile;
}

export class WebConfigError extends Error {
  override readonly name = 'WebConfigError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super(faults.map(formatFault).join('\n'));
    this.faults = faults;
  }
}

const CHECK_INTERVAL_MS = 1_000;

/** Throws a `WebConfigError` when the file is bad from the start. */
export function followWebConfig(options: WebConfigFileOptions): WebConfigFile {
  const { path, nowMs, log, readFile = readSmallFile } = options;
  const faults = createLastingFaults(log, nowMs);
  /** Of every file that the last reading looked at. */
  let contents = new Map<string, string | null>();
  let checkedAtMs = nowMs();

  /** The content, or null where it cannot be had: that is a state of the file like another. */
  const look = (file: string): string | null => {
    try {
      return readFile(file);
    } catch {
      return null;
    }
  };
  const read = (): ReturnType<typeof readWebConfig> => {
    contents = new Map();
    return readWebConfig(path, (file) => {
      contents.set(file, null);
      const content = readFile(file);
      contents.set(file, content);
      return content;
    });
  };
  const isChanged = (): boolean => [...contents].some(([file, seen]) => look(file) !== seen);

  const first = read();
  if (!first.ok) throw new WebConfigError(first.faults);
  let current: FollowedConfig = { config: first.config, broken: false };

  const follow = (): void => {
    const reading = read();
    if (reading.ok) {
      current = { config: keepingTls(current.config, reading.config), broken: false };
      faults.gone('web_config', 'Web configuration file is good again');
      log.info('Loaded the changed web configuration file', { file: path });
    } else {
      current = { config: current.config, broken: true };
      const reason = reading.faults.map(formatFault).join('; ');
      faults.present('web_config', 'Web configuration file is bad, requests get 500', { reason });
    }
  };

  return {
    current() {
      const ageMs = nowMs() - checkedAtMs;
      if (ageMs >= 0 && ageMs < CHECK_INTERVAL_MS) return current;
      checkedAtMs = nowMs();
      if (isChanged()) follow();
      return current;
    },
  };
}

function keepingTls(before: WebConfig, after: WebConfig): WebConfig {
  const isSame = JSON.stringify(before.tls) === JSON.stringify(after.tls);
  return isSame ? { ...after, tls: before.tls } : after;
}
