import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../src/cli/arguments.ts';
import { environmentName, FLAGS } from '../../src/config/flags.ts';

const VERSION = 'jim-exporter, version 0.1.0';
const parse = (line: string): ReturnType<typeof parseArguments> =>
  parseArguments(line === '' ? [] : line.split(' '), VERSION);

describe('a command line', () => {
  it.each<[string, object]>([
    ['', { command: 'serve', flags: {} }],
    ['serve', { command: 'serve', flags: {} }],
    ['demo', { command: 'demo', flags: {} }],
    ['--jim.url=https://jim', { command: 'serve', flags: { 'jim.url': 'https://jim' } }],
    ['--jim.url https://jim', { command: 'serve', flags: { 'jim.url': 'https://jim' } }],
    ['demo --log.level debug', { command: 'demo', flags: { 'log.level': 'debug' } }],
    ['--log.level=debug demo', { command: 'demo', flags: { 'log.level': 'debug' } }],
    [
      '--web.listen-address=:1 --web.listen-address :2',
      { command: 'serve', flags: { 'web.listen-address': [':1', ':2'] } },
    ],
    ['--web.enable-lifecycle', { command: 'serve', flags: { 'web.enable-lifecycle': true } }],
    ['--no-web.enable-lifecycle', { command: 'serve', flags: { 'web.enable-lifecycle': false } }],
    ['--storage.path=', { command: 'serve', flags: { 'storage.path': '' } }],
    ['--jim.url=a --jim.url=a', { command: 'serve', flags: { 'jim.url': 'a' } }],
    ['check-config', { command: 'check-config', flags: {}, connect: false }],
    ['check-config --connect', { command: 'check-config', flags: {}, connect: true }],
    [
      '--config.file=jim.yaml --config.check',
      { command: 'check-config', flags: { 'config.file': 'jim.yaml' }, connect: false },
    ],
    ['test-alert', { command: 'test-alert', flags: {} }],
    [
      'activities list --status FailedWithError --since=12h --config.file jim.yaml',
      {
        command: 'activities',
        flags: { 'config.file': 'jim.yaml' },
        activities: { action: 'list', options: { status: 'FailedWithError', since: '12h' } },
      },
    ],
    [
      'activities watch 0197-42',
      { command: 'activities', flags: {}, activities: { action: 'watch', id: '0197-42' } },
    ],
  ])('%j is understood', (line, parsed) => {
    expect(parse(line)).toEqual(parsed);
  });

  it.each<[string, string]>([
    [
      '--jim.ulr=x',
      "error: unknown option '--jim.ulr=x'\n(Did you mean --jim.url?)\nTry --help.\n",
    ],
    ['--jim.url', "error: option '--jim.url <URL>' argument missing\nTry --help.\n"],
    [
      '--jim.url=a --jim.url=b',
      "error: option '--jim.url <URL>' argument 'b' is invalid. It is given twice with different values.\nTry --help.\n",
    ],
    [
      '--jim.api-key=jim_ak_1',
      'error: --jim.api-key would show the key to every user of this machine; use --jim.api-key-file or the variable JIM_API_KEY\nTry --help.\n',
    ],
    ['dmeo', 'error: dmeo is no command; did you mean "demo"?\nTry --help.\n'],
    [
      'demo --config.check',
      'error: --config.check does not go with demo; use check-config\nTry --help.\n',
    ],
    ['activities show', "error: missing required argument 'id'\nTry --help.\n"],
  ])('%j is refused', (line, text) => {
    expect(parse(line)).toEqual({ command: 'print', text, exitCode: 1 });
  });

  it('never repeats a key that was given by mistake', () => {
    expect(JSON.stringify(parse('--jim.api-key=jim_ak_1'))).not.toContain('jim_ak_1');
  });

  it('prints the version and ends well', () => {
    expect(parse('--version')).toEqual({ command: 'print', text: `${VERSION}\n`, exitCode: 0 });
  });

  it('explains every flag with its default, and its variable', () => {
    const help = parse('--help');
    if (help.command !== 'print') throw new Error('it prints');
    expect(help.exitCode).toBe(0);
    const text = help.text.replaceAll(/\s+/g, ' ');
    for (const flag of FLAGS) {
      expect(text).toContain(`--${flag.name} `);
      if (flag.default !== null) expect(text).toContain(`(default: ${flag.default})`);
    }
    expect(text).toContain('JIM_EXPORTER_WEB_LISTEN_ADDRESS');
    expect(text).not.toContain('jim.api-key <KEY>');
  });

  it('has the flags and variables of the design', () => {
    expect(FLAGS.map(({ name }) => `${name} ${environmentName(name)}`)).toEqual([
      'config.file JIM_EXPORTER_CONFIG_FILE',
      'jim.url JIM_EXPORTER_JIM_URL',
      'jim.api-key-file JIM_EXPORTER_JIM_API_KEY_FILE',
      'poll.schedule JIM_EXPORTER_POLL_SCHEDULE',
      'storage.path JIM_EXPORTER_STORAGE_PATH',
      'web.listen-address JIM_EXPORTER_WEB_LISTEN_ADDRESS',
      'web.telemetry-path JIM_EXPORTER_WEB_TELEMETRY_PATH',
      'web.config.file JIM_EXPORTER_WEB_CONFIG_FILE',
      'web.max-requests JIM_EXPORTER_WEB_MAX_REQUESTS',
      'web.disable-exporter-metrics JIM_EXPORTER_WEB_DISABLE_EXPORTER_METRICS',
      'web.enable-lifecycle JIM_EXPORTER_WEB_ENABLE_LIFECYCLE',
      'log.level JIM_EXPORTER_LOG_LEVEL',
      'log.format JIM_EXPORTER_LOG_FORMAT',
    ]);
  });
});
