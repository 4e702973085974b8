/**
 * Bad configurations and the exact sentences they get. Each row is one thing that somebody could write; the
 * YAML rows stand on top of a good `jim` section unless they bring their own.
 */

export interface BadConfiguration {
  readonly rule: string;
  readonly yaml?: string;
  readonly flags?: Readonly<Record<string, string | readonly string[] | boolean>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whole lines, in order; `FOLDER` stands for the folder of the file. */
  readonly faults: readonly string[];
}

/** Lines 1 to 3 of every YAML below that does not begin with `jim:`. */
export const GOOD_JIM = 'jim:\n  url: https://jim.example.com\n  api_key: jim_ak_0123456789\n';

const DURATION_HELP = 'write it as 300ms, 15s, 1h30m or 8d (y w d h m s ms, in this order)';
const JIM_KEYS =
  'url, api_key, api_key_file, external_url, timeout, requests_per_minute, tls_config, proxy_url';

/** A row whose YAML adds one setting to `jim`, on line 4. */
function jim(rule: string, setting: string, fault: string): BadConfiguration {
  return { rule, yaml: `${GOOD_JIM}  ${setting}\n`, faults: [`jim.yaml:4: ${fault}`] };
}
/** A row whose YAML adds one setting in another section: its own line is 5. */
function below(section: string, rule: string, setting: string, fault: string): BadConfiguration {
  return { rule, yaml: `${GOOD_JIM}${section}:\n  ${setting}\n`, faults: [`jim.yaml:5: ${fault}`] };
}
function flag(name: string, value: string, fault: string): BadConfiguration {
  return {
    rule: `--${name}=${value}`,
    yaml: GOOD_JIM,
    flags: { [name]: value },
    faults: [`--${name}: ${fault}`],
  };
}

export const BAD_CONFIGURATIONS: readonly BadConfiguration[] = [
  // What is missing.
  {
    rule: 'nothing is configured',
    faults: [
      'jim.url: is missing; give the address of JIM with --jim.url=https://jim.example.com, JIM_URL, or url below jim in the configuration file',
      'jim.api_key: is missing; name the file that holds it with --jim.api-key-file, JIM_API_KEY_FILE or api_key_file, or give it in the variable JIM_API_KEY',
    ],
  },
  {
    rule: 'a key without a value is not set',
    yaml: 'jim:\n  url:\n  api_key: jim_ak_0123456789\n',
    faults: [
      'jim.yaml:2: jim.url: is missing; give the address of JIM with --jim.url=https://jim.example.com, JIM_URL, or url below jim in the configuration file',
    ],
  },

  // The file itself.
  {
    rule: 'no such file',
    flags: { 'config.file': 'nowhere.yaml' },
    faults: [
      '--config.file: nowhere.yaml cannot be read (there is no such file); correct the path or its permissions',
    ],
  },
  {
    rule: 'a folder is no file; other faults are told beside',
    flags: { 'config.file': '.', 'log.level': 'loud' },
    faults: [
      '--config.file: . cannot be read (it is a folder); correct the path or its permissions',
      '--log.level: "loud" is none of debug, info, warn, error',
    ],
  },
  {
    rule: 'a key twice',
    yaml: 'jim:\n  url: https://a\n  url: https://b\n',
    faults: ['jim.yaml:3: this key stands twice in its section; keep one'],
  },
  {
    rule: 'a tab',
    yaml: 'jim:\n\turl: https://a\n',
    faults: ['jim.yaml:2: a tab is used for indentation; use spaces'],
  },
  {
    rule: 'an open quote, whose text is not repeated',
    yaml: 'jim:\n  api_key: "jim_ak_secret\n',
    faults: [
      'jim.yaml:3: a closing quote or bracket, a comma, or the space after a colon is missing',
    ],
  },
  {
    rule: 'two documents',
    yaml: `${GOOD_JIM}---\npoll: {}\n`,
    faults: [
      'jim.yaml:4: the file holds more than one document; remove what follows the second ---',
    ],
  },
  {
    rule: 'a tag',
    yaml: 'jim:\n  api_key: !vault jim_ak_secret\n',
    faults: [
      'jim.yaml:2: a tag (!name) is used, which this file does not know; put the text in quotes',
    ],
  },
  {
    rule: 'an alias without an anchor, whose name is not repeated',
    yaml: 'jim:\n  api_key: *jim_ak_secret\n',
    faults: [
      'jim.yaml:2: an alias (*name) has no anchor (&name) before it; put text that starts with * in quotes',
    ],
  },
  {
    rule: 'a list instead of sections',
    yaml: '- jim\n',
    faults: ['jim.yaml: a list is no section; write its keys below it, each on an indented line'],
  },

  // Unknown keys.
  {
    rule: 'an unknown section',
    yaml: `${GOOD_JIM}scrape_configs: []\n`,
    faults: [
      'jim.yaml:4: scrape_configs: is no key known here; known are jim, poll, collectors, storage, alerting, web, log',
    ],
  },
  {
    rule: 'a misspelt section',
    yaml: `${GOOD_JIM}aleting: {}\n`,
    faults: ['jim.yaml:4: aleting: is no key known here; did you mean "alerting"?'],
  },
  {
    rule: 'flags are not set in the file',
    yaml: `${GOOD_JIM}web:\n  max_requests: 3\nlog: { level: debug }\n`,
    faults: [
      'jim.yaml:4: web: is set by flags (--web.…) or variables (JIM_EXPORTER_WEB_…), not in this file; remove it',
      'jim.yaml:6: log: is set by flags (--log.…) or variables (JIM_EXPORTER_LOG_…), not in this file; remove it',
    ],
  },
  jim('a misspelt key', 'timout: 30s', 'jim.timout: is no key known here; did you mean "timeout"?'),
  jim(
    'another case',
    'apiKeyFile: key',
    'jim.apiKeyFile: is no key known here; did you mean "api_key_file"?',
  ),
  jim('a key of nowhere', 'colour: red', `jim.colour: is no key known here; known are ${JIM_KEYS}`),
  below(
    'poll',
    'of another section',
    'path: /data',
    'poll.path: is no key known here; known are schedule, settle, overlap, lookback, lookback_pages, open_limit, zero_hold, series_retention, max_label_sets',
  ),
  below(
    'collectors',
    'a misspelt collector',
    'worker_task: {}',
    'collectors.worker_task: is no key known here; did you mean "worker_tasks"?',
  ),

  // Addresses.
  jim(
    'not http',
    'external_url: jim.example.com',
    'jim.external_url: "jim.example.com" is no address; write it as https://host or https://host:port/path',
  ),
  jim(
    'no host',
    'external_url: "https://"',
    'jim.external_url: "https://" is no address; write it as https://host or https://host:port/path',
  ),
  jim('a number', 'external_url: 8080', 'jim.external_url: 8080 is not text; put it in quotes'),
  jim(
    'a password, which is not repeated',
    'external_url: https://me:secret@jim',
    'jim.external_url: holds a user name or a password, which would show in logs; remove it from the address',
  ),
  jim(
    'a password in a bad address is not repeated either',
    'external_url: "https://me:secret@jim:99999"',
    'jim.external_url: this is no address; write it as https://host or https://host:port/path',
  ),
  jim('a query', 'external_url: https://jim/?a=b', 'jim.external_url: must end before the ? or #'),
  jim(
    'the API instead of JIM',
    'external_url: https://jim/api/v1/activities',
    'jim.external_url: give the address without /api/v1 and what follows it',
  ),
  jim(
    'a proxy without a scheme',
    'proxy_url: proxy:3128',
    'jim.proxy_url: is no address of a proxy; write it as http://host:port',
  ),
  jim(
    'a proxy of another kind',
    'proxy_url: socks5://proxy:1080',
    'jim.proxy_url: is no address of a proxy; write it as http://host:port',
  ),
  flag(
    'jim.url',
    'htps://jim',
    '"htps://jim" is no address; write it as https://host or https://host:port/path',
  ),

  // Durations.
  jim('no unit', 'timeout: 30', 'jim.timeout: 30 has no unit; write 30s, 30m or the like'),
  jim('an unknown unit', 'timeout: 30sec', `jim.timeout: "30sec" is no duration; ${DURATION_HELP}`),
  jim('another order', 'timeout: 30s1m', `jim.timeout: "30s1m" is no duration; ${DURATION_HELP}`),
  jim('a fraction', 'timeout: 1.5s', `jim.timeout: "1.5s" is no duration; ${DURATION_HELP}`),
  jim('a negative one', 'timeout: -5s', `jim.timeout: "-5s" is no duration; ${DURATION_HELP}`),
  jim('none at all', 'timeout: ""', `jim.timeout: "" is no duration; ${DURATION_HELP}`),
  jim('nothing', 'timeout: 0', 'jim.timeout: 0s is outside the range from 1ms to 10m'),
  jim('too much', 'timeout: 2h', 'jim.timeout: 2h is outside the range from 1ms to 10m'),
  below('poll', 'a list', 'settle: [1s]', `poll.settle: a list is no duration; ${DURATION_HELP}`),
  below(
    'alerting',
    'too often',
    'resend_interval: 100ms',
    'alerting.resend_interval: 100ms is outside the range from 1s to 1h',
  ),
  below(
    'alerting',
    'at once',
    'resolve_after: 0s',
    'alerting.resolve_after: 0s is outside the range from 1s to 10y',
  ),

  // Numbers, words, switches.
  jim(
    'too few',
    'requests_per_minute: 5',
    'jim.requests_per_minute: 5 is no whole number from 10 to 100000',
  ),
  jim(
    'a fraction',
    'requests_per_minute: 99.5',
    'jim.requests_per_minute: 99.5 is no whole number from 10 to 100000',
  ),
  jim(
    'a word',
    'requests_per_minute: many',
    'jim.requests_per_minute: "many" is no whole number from 10 to 100000',
  ),
  below(
    'poll',
    'none',
    'max_label_sets: 0',
    'poll.max_label_sets: 0 is no whole number from 1 to 10000',
  ),
  below(
    'poll',
    'a negative one',
    'lookback_pages: -1',
    'poll.lookback_pages: -1 is no whole number from 1 to 10000',
  ),
  below(
    'collectors',
    'a misspelt word',
    'run_stats: allways',
    'collectors.run_stats: "allways" is none of auto, always, never; did you mean "always"?',
  ),
  below(
    'collectors',
    'a switch where a word is due',
    'run_stats: { enabled: false }',
    'collectors.run_stats: a section is none of auto, always, never',
  ),
  below(
    'collectors',
    'a word where a section is due',
    'health: never',
    'collectors.health: "never" is no section; write its keys below it, each on an indented line',
  ),
  below(
    'collectors',
    'neither true nor false',
    'progress: { enabled: "yes" }',
    'collectors.progress.enabled: "yes" is neither true nor false',
  ),
  below(
    'alerting',
    'neither true nor false',
    'include_error_message: 2',
    'alerting.include_error_message: 2 is neither true nor false',
  ),
  flag('log.level', 'warning', '"warning" is none of debug, info, warn, error'),
  flag('log.level', 'infos', '"infos" is none of debug, info, warn, error; did you mean "info"?'),
  flag('log.format', 'xml', '"xml" is none of logfmt, json'),
  flag('web.max-requests', '-1', '"-1" is no whole number from 0 to 100000'),

  // Schedules.
  below(
    'poll',
    'five fields',
    'schedule: "*/5 * * * *"',
    'poll.schedule: "*/5 * * * *" has five fields; six are needed, seconds first: write "0 */5 * * * *"',
  ),
  below(
    'poll',
    'a nickname',
    'schedule: "@hourly"',
    'poll.schedule: "@hourly" is no schedule; write six fields, as in "0 */5 * * * *" for every five minutes',
  ),
  below(
    'poll',
    'a duration',
    'schedule: 15s',
    'poll.schedule: "15s" is no schedule; write six fields, as in "0 */5 * * * *" for every five minutes',
  ),
  below(
    'poll',
    'no such minute',
    'schedule: "0 75 * * * *"',
    'poll.schedule: "0 75 * * * *" is no schedule: it cannot have minute "75"',
  ),
  below(
    'collectors',
    'no such hour and weekday',
    'inventory: { schedule: "0 0 24 * * 9" }',
    'collectors.inventory.schedule: "0 0 24 * * 9" is no schedule: it cannot have hour "24" and weekday "9"',
  ),
  below(
    'collectors',
    'a day that never comes',
    'certificates: { schedule: "0 0 0 31 2 *" }',
    'collectors.certificates.schedule: "0 0 0 31 2 *" is no schedule: it cannot have day of the month "31"',
  ),
  below(
    'collectors',
    'one for what goes with each poll',
    'worker_tasks: { schedule: "0 * * * * *" }',
    'collectors.worker_tasks.schedule: is not for this collector: it goes with each poll; remove it',
  ),
  below(
    'collectors',
    'one for what goes with each run',
    'error_types: { schedule: "0 * * * * *" }',
    'collectors.error_types.schedule: is not for this collector: it goes with each finished run; remove it',
  ),

  // Secrets, none of which is repeated.
  {
    rule: 'two keys',
    yaml: 'jim:\n  url: https://jim\n  api_key: jim_ak_secret\n  api_key_file: key\n',
    faults: ['jim.yaml:3: jim.api_key: is set together with api_key_file; keep one of them'],
  },
  {
    rule: 'a variable in the path of a file',
    yaml: 'jim:\n  url: https://jim\n  api_key_file: ${CREDENTIALS_DIRECTORY}/key\n',
    faults: [
      'jim.yaml:3: jim.api_key_file: holds a variable, and variables are not replaced here; write the path itself (systemd has credentials in /run/credentials/NAME.service/)',
    ],
  },
  {
    rule: 'a number',
    yaml: 'jim:\n  url: https://jim\n  api_key: 4711\n',
    faults: ['jim.yaml:3: jim.api_key: must be text; put it in quotes'],
  },
  {
    rule: 'an empty key',
    yaml: 'jim:\n  url: https://jim\n  api_key: ""\n',
    faults: ['jim.yaml:3: jim.api_key: must not be empty'],
  },
  {
    rule: 'a key with a line break',
    yaml: 'jim:\n  url: https://jim\n  api_key: "jim_ak\\nX-Evil: 1"\n',
    faults: [
      'jim.yaml:3: jim.api_key: has spaces, line breaks or characters that no HTTP header can carry',
    ],
  },
  {
    rule: 'a variable',
    yaml: 'jim:\n  url: https://jim\n  api_key: ${JIM_KEY}\n',
    faults: [
      'jim.yaml:3: jim.api_key: looks like a variable, and variables are not replaced in this file; name a file with api_key_file, or use the environment',
    ],
  },
  {
    rule: 'a file that is not there',
    yaml: 'jim:\n  url: https://jim\n  api_key_file: keys/jim\n',
    faults: [
      'jim.yaml:3: jim.api_key_file: FOLDER/keys/jim cannot be read (there is no such file); correct the path or its permissions',
    ],
  },
  {
    rule: 'a file that is empty',
    yaml: 'jim:\n  url: https://jim\n  api_key_file: empty\n',
    faults: ['jim.yaml:3: jim.api_key_file: FOLDER/empty is empty; write the secret into it'],
  },
  {
    rule: 'a file that holds two lines',
    yaml: 'jim:\n  url: https://jim\n  api_key_file: jim.yaml\n',
    faults: [
      'jim.yaml:3: jim.api_key_file: what FOLDER/jim.yaml holds has spaces, line breaks or characters that no HTTP header can carry',
    ],
  },
  {
    rule: 'a folder',
    yaml: 'jim:\n  url: https://jim\n  api_key_file: .\n',
    faults: ['jim.yaml:3: jim.api_key_file: FOLDER is a folder; give the path of a file'],
  },

  // TLS.
  jim(
    'a certificate without its key',
    'tls_config: { cert_file: cert.pem }',
    'jim.tls_config.cert_file: needs key_file beside it: a client certificate is of use only with its key',
  ),
  jim(
    'a key without its certificate',
    'tls_config: { key_file: key.pem }',
    'jim.tls_config.key_file: needs cert_file beside it: a client certificate is of use only with its key',
  ),
  jim(
    'no PEM',
    'tls_config: { ca_file: jim.yaml }',
    'jim.tls_config.ca_file: FOLDER/jim.yaml holds no certificate in PEM form',
  ),
  jim(
    'no key in PEM',
    'tls_config: { cert_file: cert.pem, key_file: cert.pem }',
    'jim.tls_config.key_file: FOLDER/cert.pem holds no private key in PEM form without a passphrase',
  ),
  jim(
    'the key of another certificate',
    'tls_config: { cert_file: cert.pem, key_file: other.pem }',
    'jim.tls_config.key_file: is not the key of the certificate in cert_file',
  ),
  jim(
    'a CA that is never asked',
    'tls_config: { ca_file: cert.pem, insecure_skip_verify: true }',
    'jim.tls_config.insecure_skip_verify: contradicts ca_file: without verification the CA would never be used; remove one of them',
  ),
  jim(
    'a misspelt key',
    'tls_config: { insecure_skip_verfy: true }',
    'jim.tls_config.insecure_skip_verfy: is no key known here; did you mean "insecure_skip_verify"?',
  ),
  {
    rule: 'TLS over plain HTTP',
    yaml: 'jim:\n  url: http://jim\n  api_key: jim_ak_0123456789\n  tls_config: { server_name: jim }\n',
    faults: [
      'jim.yaml:4: jim.tls_config: has no effect, since the url is http://; make that https:// or remove tls_config',
    ],
  },

  // Polling times that contradict each other.
  below(
    'poll',
    'lookback < overlap',
    'lookback: 5m',
    'poll.lookback: 5m is shorter than poll.overlap (15m): the first look must reach as far back as every later one',
  ),
  below(
    'poll',
    'overlap < settle',
    'overlap: 2s',
    'poll.overlap: 2s is shorter than poll.settle (5s): a row would leave the window before it has settled',
  ),
  below(
    'poll',
    'series_retention < lookback',
    'series_retention: 7d',
    'poll.series_retention: 7d is shorter than poll.lookback (8d): what the first look finds would leave again at once',
  ),
  {
    rule: 'open_limit < settle',
    yaml: `${GOOD_JIM}poll:\n  open_limit: 5m\n  settle: 10m\n`,
    faults: [
      'jim.yaml:5: poll.open_limit: 5m is shorter than poll.settle (10m): a row would be given up before it has settled',
    ],
  },

  // Listening.
  flag(
    'web.listen-address',
    '10190',
    '"10190" is no address to listen on; write :10190, 127.0.0.1:10190 or [::1]:10190',
  ),
  flag(
    'web.listen-address',
    '::1:10190',
    '"::1:10190" is no address to listen on; write :10190, 127.0.0.1:10190 or [::1]:10190',
  ),
  flag(
    'web.listen-address',
    ':70000',
    '":70000" is no address to listen on; write :10190, 127.0.0.1:10190 or [::1]:10190',
  ),
  {
    rule: 'the same address twice',
    yaml: GOOD_JIM,
    flags: { 'web.listen-address': [':10190', ':10190'] },
    faults: ['--web.listen-address: :10190 and :10190 take the same port; keep one of them'],
  },
  {
    rule: 'every address, and one of them',
    yaml: GOOD_JIM,
    environment: { JIM_EXPORTER_WEB_LISTEN_ADDRESS: ':10190, 127.0.0.1:10190' },
    faults: [
      'JIM_EXPORTER_WEB_LISTEN_ADDRESS: 127.0.0.1:10190 and :10190 take the same port; keep one of them',
    ],
  },
  flag('web.telemetry-path', '', 'must not be empty; write /metrics'),
  flag('web.telemetry-path', 'metrics', '"metrics" is no path; write it as /metrics'),
  flag('web.telemetry-path', '/a/../b', '"/a/../b" is no path; write it as /metrics'),
  flag(
    'web.telemetry-path',
    '/-/ready',
    '/-/ready is taken by the exporter itself; choose another path',
  ),
  flag(
    'web.config.file',
    'web.yml',
    'FOLDER/web.yml cannot be read (there is no such file); correct the path or its permissions',
  ),

  // Flags and environment against each other.
  {
    rule: 'two names for one address',
    yaml: GOOD_JIM,
    environment: { JIM_URL: 'https://a', JIM_EXPORTER_JIM_URL: 'https://b' },
    faults: ['JIM_URL: differs from JIM_EXPORTER_JIM_URL, which sets the same; remove one of them'],
  },
  {
    rule: 'two names for one key file',
    yaml: GOOD_JIM,
    environment: { JIM_API_KEY_FILE: 'key', JIM_EXPORTER_JIM_API_KEY_FILE: 'other' },
    faults: [
      'JIM_API_KEY_FILE: differs from JIM_EXPORTER_JIM_API_KEY_FILE, which sets the same; remove one of them',
    ],
  },
  {
    rule: 'a key and the file of a key',
    yaml: GOOD_JIM,
    environment: { JIM_API_KEY: 'jim_ak_secret', JIM_API_KEY_FILE: 'key' },
    faults: ['JIM_API_KEY: is set together with JIM_API_KEY_FILE; keep one of them'],
  },
  {
    rule: 'a misspelt variable',
    yaml: GOOD_JIM,
    environment: { JIM_EXPORTER_WEB_LISTEN_ADRESS: ':1' },
    faults: [
      'JIM_EXPORTER_WEB_LISTEN_ADRESS: is no variable known here; did you mean "JIM_EXPORTER_WEB_LISTEN_ADDRESS"?',
    ],
  },
  {
    rule: 'a switch that is neither',
    yaml: GOOD_JIM,
    environment: { JIM_EXPORTER_WEB_ENABLE_LIFECYCLE: 'on' },
    faults: ['JIM_EXPORTER_WEB_ENABLE_LIFECYCLE: "on" is neither true nor false'],
  },
  {
    rule: 'a bad key in the environment is not repeated',
    yaml: GOOD_JIM,
    environment: { JIM_API_KEY: 'jim ak secret' },
    faults: ['JIM_API_KEY: has spaces, line breaks or characters that no HTTP header can carry'],
  },

  // Alerting.
  below(
    'alerting',
    'no list',
    'alertmanagers: http://am',
    'alerting.alertmanagers: "http://am" is no list; start each of its entries with a dash',
  ),
  below(
    'alerting',
    'no section',
    'alertmanagers: [http://am]',
    'alerting.alertmanagers[0]: "http://am" is no section; write its keys below it, each on an indented line',
  ),
  below(
    'alerting',
    'no address',
    'alertmanagers: [{ timeout: 5s }]',
    'alerting.alertmanagers[0].url: is missing; write the address of the Alertmanager, as http://alertmanager:9093',
  ),
  below(
    'alerting',
    'the API instead of the Alertmanager',
    'alertmanagers: [{ url: "http://am:9093/api/v2/alerts" }]',
    'alerting.alertmanagers[0].url: give the address without /api/v2 and what follows it',
  ),
  below(
    'alerting',
    'one Alertmanager twice',
    'alertmanagers: [{ url: "http://am:9093" }, { url: "http://am:9093/" }]',
    'alerting.alertmanagers: names http://am:9093 twice; keep one of them',
  ),
  below(
    'alerting',
    'both kinds of credentials',
    'alertmanagers: [{ url: "http://am", basic_auth: { username: u, password: p }, authorization: { credentials: c } }]',
    'alerting.alertmanagers[0].authorization: is set together with basic_auth; keep one of them',
  ),
  below(
    'alerting',
    'no password',
    'alertmanagers: [{ url: "http://am", basic_auth: { username: u } }]',
    'alerting.alertmanagers[0].basic_auth.password: is missing; write password or password_file',
  ),
  below(
    'alerting',
    'two passwords',
    'alertmanagers: [{ url: "http://am", basic_auth: { username: u, password: p, password_file: key } }]',
    'alerting.alertmanagers[0].basic_auth.password: is set together with password_file; keep one of them',
  ),
  below(
    'alerting',
    'no user',
    'alertmanagers: [{ url: "http://am", basic_auth: { password: p } }]',
    'alerting.alertmanagers[0].basic_auth.username: is missing; write the user name',
  ),
  below(
    'alerting',
    'a user with a colon',
    'alertmanagers: [{ url: "http://am", basic_auth: { username: "a:b", password: p } }]',
    'alerting.alertmanagers[0].basic_auth.username: has a colon, which basic auth cannot carry in a user name',
  ),
  below(
    'alerting',
    'basic auth by the wrong key',
    'alertmanagers: [{ url: "http://am", authorization: { type: basic, credentials: c } }]',
    'alerting.alertmanagers[0].authorization.type: must not be Basic; use basic_auth instead',
  ),
  below(
    'alerting',
    'a misspelt status',
    'severities: { FailedWithErrors: critical }',
    'alerting.severities.FailedWithErrors: is no status that can fire an alert; did you mean "FailedWithError"?',
  ),
  below(
    'alerting',
    'another word',
    'severities: { Broken: critical }',
    'alerting.severities.Broken: is no status that can fire an alert; those are CompleteWithWarning, CompleteWithError, FailedWithError, Cancelled',
  ),
  below(
    'alerting',
    'a success',
    'severities: { Complete: info }',
    'alerting.severities.Complete: is what resolves an alert and cannot fire one; remove it',
  ),
  below(
    'alerting',
    'an empty severity',
    'severities: { Cancelled: "" }',
    'alerting.severities.Cancelled: must not be empty',
  ),
  {
    rule: 'Alertmanagers that never hear anything',
    yaml: `${GOOD_JIM}alerting:\n  alertmanagers: [{ url: "http://am" }]\n  severities: {}\n`,
    faults: [
      'jim.yaml:6: alerting.severities: is empty, so no alert could ever fire; name a status, or remove alertmanagers',
    ],
  },
  below(
    'alerting',
    'a reserved label',
    'labels: { severity: page }',
    'alerting.labels.severity: is set by the exporter itself; choose another name',
  ),
  below(
    'alerting',
    'no name of a label',
    'labels: { "1st-line": yes }',
    'alerting.labels.1st-line: is no name of a label; use letters, digits and _, and no digit or __ at its start',
  ),
  below(
    'alerting',
    'a name that Prometheus keeps',
    'labels: { __name__: x }',
    'alerting.labels.__name__: is no name of a label; use letters, digits and _, and no digit or __ at its start',
  ),
  below(
    'alerting',
    'an empty label',
    'labels: { team: "" }',
    'alerting.labels.team: must not be empty',
  ),
  below(
    'alerting',
    'a number as a label',
    'labels: { floor: 3 }',
    'alerting.labels.floor: 3 is not text; put it in quotes',
  ),
  below(
    'storage',
    'a number as a path',
    'path: 7',
    'storage.path: 7 is not text; put it in quotes',
  ),

  // All at once.
  {
    rule: 'all faults together, from every layer',
    yaml: 'jim:\n  url: jim\n  timeout: 5\npoll:\n  settel: 1s\nstorage: [x]\n',
    flags: { 'poll.schedule': '* *', 'log.format': 'text' },
    environment: { JIM_EXPORTER_LOGLEVEL: 'debug' },
    faults: [
      'JIM_EXPORTER_LOGLEVEL: is no variable known here; did you mean "JIM_EXPORTER_LOG_LEVEL"?',
      'jim.yaml:2: jim.url: "jim" is no address; write it as https://host or https://host:port/path',
      'jim.yaml:1: jim.api_key: is missing; name the file that holds it with --jim.api-key-file, JIM_API_KEY_FILE or api_key_file, or give it in the variable JIM_API_KEY',
      'jim.yaml:3: jim.timeout: 5 has no unit; write 5s, 5m or the like',
      'jim.yaml:5: poll.settel: is no key known here; did you mean "settle"?',
      '--poll.schedule: "* *" is no schedule; write six fields, as in "0 */5 * * * *" for every five minutes',
      'jim.yaml:6: storage: a list is no section; write its keys below it, each on an indented line',
      '--log.format: "text" is none of logfmt, json',
    ],
  },
];
