/**
 * The flags as data: the command line's options and help, the environment variables, and what the README lists all
 * come from this table. A setting that the configuration file has too stands there under the same name, with `_` for `-`.
 */

export interface Flag<Name extends string = string> {
  readonly name: Name;
  /** text takes a value, list takes one and may be repeated, switch takes none. */
  readonly kind: 'text' | 'list' | 'switch';
  readonly placeholder: string;
  readonly help: string;
  /** As shown in the help; null where there is none. */
  readonly default: string | null;
  /** A second, shorter name in the environment. */
  readonly alias: string | null;
}

function flag<Name extends string>(
  kind: Flag['kind'],
  name: Name,
  placeholder: string,
  help: string,
  fallback: string | null = null,
  alias: string | null = null,
): Flag<Name> {
  return { name, kind, placeholder, help, default: fallback, alias };
}

export const FLAGS = [
  flag('text', 'config.file', 'FILE', 'Configuration file (YAML).'),
  flag('text', 'jim.url', 'URL', "JIM's address, as in https://jim.example.com.", null, 'JIM_URL'),
  flag(
    'text',
    'jim.api-key-file',
    'FILE',
    "File with JIM's API key (of an Administrator).",
    null,
    'JIM_API_KEY_FILE',
  ),
  flag(
    'text',
    'poll.schedule',
    'CRON',
    'When to ask JIM, in six fields: second, minute, hour, day, month, weekday.',
    '*/15 * * * * *',
  ),
  flag(
    'text',
    'storage.path',
    'FOLDER',
    'Folder of the state file; "" keeps nothing over a restart.',
    './data',
  ),
  flag(
    'list',
    'web.listen-address',
    'ADDRESS',
    'Address to listen on, as :10190 or [::1]:10190; repeatable.',
    ':10190',
  ),
  flag('text', 'web.telemetry-path', 'PATH', 'Path of the metrics.', '/metrics'),
  flag(
    'text',
    'web.config.file',
    'FILE',
    'Web configuration file of the exporter-toolkit: TLS, basic auth, headers.',
  ),
  flag('text', 'web.max-requests', 'NUMBER', 'Scrapes served at once; 0 is unlimited.', '40'),
  flag('switch', 'web.disable-exporter-metrics', '', 'Leave out process_* and nodejs_*.'),
  flag('switch', 'web.enable-lifecycle', '', 'Allow a reload by POST /-/reload.'),
  flag('text', 'log.level', 'LEVEL', 'debug, info, warn or error.', 'info'),
  flag('text', 'log.format', 'FORMAT', 'logfmt or json.', 'logfmt'),
] as const;

export type FlagName = (typeof FLAGS)[number]['name'];

/** The flags a command line gave: text as a string, list as strings, switch as a boolean. */
export type FlagValues = Readonly<Partial<Record<FlagName, string | readonly string[] | boolean>>>;

/** JIM_EXPORTER_WEB_LISTEN_ADDRESS for web.listen-address. */
export function environmentName(flagName: string): string {
  return `${ENVIRONMENT_PREFIX}${flagName.toUpperCase().replaceAll(/[.-]/g, '_')}`;
}
export const ENVIRONMENT_PREFIX = 'JIM_EXPORTER_';
