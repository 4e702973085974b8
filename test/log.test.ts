import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLastingFaults, createLog, describeError } from '../src/log.ts';
import type { LogFields, LogFormat, LogLevel, RootLog } from '../src/log.ts';

const AT = Date.UTC(2026, 10, 23, 7, 0, 0, 5);

function logInto(
  format: LogFormat,
  level: LogLevel = 'info',
): { readonly log: RootLog; readonly lines: string[] } {
  const lines: string[] = [];
  const log = createLog({
    level,
    format,
    source: 'main',
    write: (line) => lines.push(line),
    nowMs: () => AT,
  });
  return { log, lines };
}

/** One event's line in a format. */
function lineOf(format: LogFormat, msg: string, fields: LogFields = {}): string {
  const { log, lines } = logInto(format);
  log.info(msg, fields);
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
}

describe('a log line', () => {
  it('is logfmt', () => {
    const fields = { version: '0.1.0', listenAddress: ':10190', tls: false, seconds: 0.25 };
    expect(lineOf('logfmt', 'Listening on', fields)).toBe(
      'time=2026-11-23T07:00:00.005Z level=info source=main msg="Listening on" version=0.1.0 listen_address=:10190 tls=false seconds=0.25\n',
    );
  });

  it('is JSON with the same keys', () => {
    const fields = { version: '0.1.0', listenAddress: ':10190', tls: false };
    const parsed = JSON.parse(lineOf('json', 'Listening on', fields)) as object;
    expect(parsed).toEqual({
      time: '2026-11-23T07:00:00.005Z',
      level: 'info',
      source: 'main',
      msg: 'Listening on',
      version: '0.1.0',
      listen_address: ':10190',
      tls: false,
    });
  });

  it.each<[string, unknown, string]>([
    ['a word', 'plain', 'plain'],
    ['nothing in it', '', '""'],
    ['a space', 'two words', '"two words"'],
    ['an equals sign', 'a=b', '"a=b"'],
    ['a quote', 'say "x"', '"say \\"x\\""'],
    ['a backslash', 'a\\b', '"a\\\\b"'],
    ['a line break', 'a\nlevel=error', '"a\\nlevel=error"'],
    ['a carriage return and a tab', 'a\r\tb', '"a\\r\\tb"'],
    ['an escape sequence', 'a\u001b[31mb', '"a\\u001b[31mb"'],
    ['a C1 control character', 'a\u009b31mb', '"a\\u009b31mb"'],
    ['a direction override', 'a\u202eb', '"a\\u202eb"'],
    ['a line separator', 'a\u2028b', '"a\\u2028b"'],
    ['half a character', 'a\ud800b', '"a\\ud800b"'],
    ['letters of any script', 'Größe-名', 'Größe-名'],
    ['NaN', Number.NaN, 'NaN'],
    ['infinity', Infinity, 'Infinity'],
    ['a section', { a: [1] }, '"{\\"a\\":[1]}"'],
    ['a circle', circular(), 'object'],
    [
      'an error and its cause',
      new Error('no answer', { cause: new Error('ECONNREFUSED') }),
      '"no answer: ECONNREFUSED"',
    ],
  ])('in logfmt carries %s', (_, value, written) => {
    expect(lineOf('logfmt', 'm', { field: value })).toBe(
      `time=2026-11-23T07:00:00.005Z level=info source=main msg=m field=${written}\n`,
    );
  });

  it('leaves out what is not there', () => {
    expect(lineOf('logfmt', 'm', { a: undefined, b: null, c: 0 })).toMatch(/msg=m c=0\n$/);
  });

  it('is cut where a server sends a novel', () => {
    expect(lineOf('logfmt', 'm', { name: 'x'.repeat(100_000) })).toMatch(/ name=x{2000}…\n$/);
  });

  it('cannot be forged, in either format, by any text in any place', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        fc.constantFrom('\n', '"', '\\', '=', ' ', '\u2028', '\u009b'),
      ),
    });
    fc.assert(
      fc.property(text, text, text, (msg, key, value) => {
        for (const format of ['logfmt', 'json'] as const) {
          const line = lineOf(format, msg, { [`key${key}`]: value });
          expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*\n$/u);
        }
        const parsed = JSON.parse(lineOf('json', msg, { value })) as Record<string, unknown>;
        expect([parsed['msg'], parsed['value']]).toEqual([msg, value]);
        expect(Object.keys(parsed)).toHaveLength(5);
      }),
    );
  });
});

describe('a level', () => {
  it('leaves out what is below it, until it is changed, for every source', () => {
    const { log, lines } = logInto('logfmt', 'warn');
    const poll = log.from('poll');
    log.info('one');
    poll.warn('two');
    log.setLevel('debug');
    poll.debug('three');
    log.setLevel('error');
    poll.warn('four');
    expect(lines.map((line) => line.replace(/^time=\S+ /, ''))).toEqual([
      'level=warn source=poll msg=two\n',
      'level=debug source=poll msg=three\n',
    ]);
  });
});

describe('a hidden secret', () => {
  it.each(['logfmt', 'json'] as const)(
    'never shows in %s, however it got into a text',
    (format) => {
      const { log, lines } = logInto(format);
      log.hide('jim_ak_"0/42"');
      log.hide('short');
      const url = `https://host/?key=${encodeURIComponent('jim_ak_"0/42"')}`;
      log.from('poll').error('refused jim_ak_"0/42"', {
        err: new Error('key jim_ak_"0/42"'),
        url,
        short: 'short',
      });
      expect(lines[0]).not.toMatch(/jim_ak/);
      expect(lines[0]).toContain('refused <secret>');
      expect(lines[0]).toContain('key <secret>');
      expect(lines[0]).toContain('https://host/?key=<secret>');
      expect(lines[0]).toContain('short');
    },
  );
});

describe('a lasting fault', () => {
  it('is logged once, then again where it changes, then its end with how long it lasted', () => {
    const { log, lines } = logInto('logfmt');
    let nowMs = 0;
    const faults = createLastingFaults(log, () => nowMs);
    faults.gone('jim', 'JIM answers again');
    faults.present('jim', 'the poll failed', { reason: 'timeout' });
    nowMs = 15_000;
    faults.present('jim', 'the poll failed', { reason: 'timeout' });
    nowMs = 30_000;
    faults.present('jim', 'the poll failed', { reason: 'unauthorized' });
    faults.present('disk', 'the disk is full');
    nowMs = 95_500;
    faults.gone('jim', 'JIM answers again', { polls: 7 });
    faults.gone('jim', 'JIM answers again');
    expect(lines.map((line) => line.replace(/^time=\S+ /, ''))).toEqual([
      'level=warn source=main msg="the poll failed" reason=timeout\n',
      'level=warn source=main msg="the poll failed" reason=unauthorized\n',
      'level=warn source=main msg="the disk is full"\n',
      'level=info source=main msg="JIM answers again" polls=7 lasted_seconds=95.5 times=3\n',
    ]);
  });

  it('is a debug line each time in between', () => {
    const { log, lines } = logInto('logfmt', 'debug');
    const faults = createLastingFaults(log, () => 0);
    faults.present('jim', 'the poll failed');
    faults.present('jim', 'the poll failed');
    expect(lines.map((line) => /level=(\w+)/.exec(line)?.[1])).toEqual(['warn', 'debug']);
  });
});

describe('an error in one line', () => {
  it.each<[string, unknown, string]>([
    ['its message', new Error('a'), 'a'],
    ['its causes', new Error('a', { cause: new TypeError('b', { cause: 'c' }) }), 'a: b: c'],
    ['a sentence and its cause', new Error('A.', { cause: new Error('b') }), 'A. Cause: b'],
    ['no cause twice', new Error('a: b', { cause: new Error('b') }), 'a: b'],
    ['its name where it has no message', new RangeError(), 'RangeError'],
    ['whatever was thrown', 'text', 'text'],
    ['even nothing', undefined, ''],
  ])('is %s', (_, error, line) => {
    expect(describeError(error)).toBe(line);
  });

  it('ends, though its causes run in a circle', () => {
    const error = new Error('a');
    error.cause = error;
    expect(describeError(error)).toBe('a');
  });
});

function circular(): object {
  const circle: { self?: object } = {};
  circle.self = circle;
  return circle;
}
