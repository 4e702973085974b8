/** What a reload can change in a running exporter, and what it cannot. */
import type { Config } from './config.ts';

export interface Reloaded {
  /** The new configuration, with the old values where only a restart could change them. */
  readonly config: Config;
  /** The settings that differ and were kept. */
  readonly needRestart: readonly string[];
}

/**
 * The state file tells of one JIM and lies in one place, so neither changes under a running exporter; where we listen
 * and how we log comes from flags and environment, which cannot change. All else is taken over at once.
 */
export function reloaded(old: Config, loaded: Config): Reloaded {
  const kept = {
    'jim.url': loaded.jim.url !== old.jim.url,
    'storage.path': loaded.storage.path !== old.storage.path,
  };
  const followsUrl = loaded.jim.externalUrl === loaded.jim.url;
  return {
    config: {
      ...loaded,
      jim: {
        ...loaded.jim,
        url: old.jim.url,
        externalUrl: kept['jim.url'] && followsUrl ? old.jim.externalUrl : loaded.jim.externalUrl,
      },
      storage: old.storage,
      web: old.web,
      log: old.log,
    },
    needRestart: Object.entries(kept).flatMap(([setting, differs]) => (differs ? [setting] : [])),
  };
}

/** Every secret of a configuration, for the log to mask: what is configured as a value, and what files hold now (if they can be read). */
export function secretsOf(config: Config): readonly string[] {
  const alertmanagers = config.alerting.alertmanagers;
  const secrets = [
    config.jim.apiKey,
    config.jim.proxyUrl,
    ...alertmanagers.map(({ basicAuth }) => basicAuth?.password),
    ...alertmanagers.map(({ authorization }) => authorization?.credentials),
    ...alertmanagers.map((alertmanager) => alertmanager.proxyUrl),
  ];
  return secrets.flatMap((secret) => {
    try {
      return secret ? [secret.read()] : [];
    } catch {
      return []; // a file that cannot be read holds nothing that could slip out
    }
  });
}
