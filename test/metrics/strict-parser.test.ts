/** The parser that other tests trust: it must refuse what a server, or a careful reader, would trip over. */
import { describe, expect, it } from 'vitest';
import type { ExpositionFormat } from './strict-parser.ts';
import { parseExposition, valueOf } from './strict-parser.ts';

const GAUGE = '# HELP a_b Help.\n# TYPE a_b gauge\n';
const COUNTER = '# HELP a Help.\n# TYPE a counter\n';
const HISTOGRAM = '# HELP h Help.\n# TYPE h histogram\n';
const EOF = '# EOF\n';

it('reads values, labels, escapes and exemplars', () => {
  const parsed = parseExposition(
    `${COUNTER}a_total{x="q\\"b\\\\n\\n",y=""} 1.5 # {activity_id="i"} 1 12.5\n${EOF}`,
    'openmetrics',
  );
  expect(valueOf(parsed, 'a_total', { y: '', x: 'q"b\\n\n' })).toBe(1.5);
  expect([...parsed.series.values()][0]?.exemplar).toEqual({
    labels: { activity_id: 'i' },
    value: 1,
    timestamp: 12.5,
  });
});

describe('is refused', () => {
  const histogram = (lines: string): string => HISTOGRAM + lines;
  it.each<readonly [why: string, format: ExpositionFormat, body: string, message: string]>([
    ['a blank line', 'text', `${GAUGE}\na_b 1\n`, 'unexpected text'],
    ['a byte order mark', 'text', `\ufeff${GAUGE}a_b 1\n`, 'unexpected text'],
    ['a last line without end', 'text', `${GAUGE}a_b 1`, 'does not end'],
    ['no end mark', 'openmetrics', `${GAUGE}a_b 1\n`, 'no # EOF'],
    ['an end mark in text', 'text', `${GAUGE}a_b 1\n${EOF}`, 'neither HELP nor TYPE'],
    ['text after the end mark', 'openmetrics', `${GAUGE}a_b 1\n${EOF}a_b 2\n`, 'no # EOF'],
    ['a sample without TYPE', 'text', 'a_b 1\n', 'before its HELP and TYPE'],
    ['a second HELP', 'text', `${GAUGE}a_b 1\n${GAUGE}`, 'second HELP'],
    ['a second TYPE', 'text', `${GAUGE}# TYPE a_b gauge\n`, 'second TYPE'],
    ['a family without samples', 'text', GAUGE, 'no samples'],
    ['a sample of another family', 'text', `${GAUGE}a_c 1\n`, 'another family'],
    ['the same series twice', 'text', `${GAUGE}a_b{x="1"} 1\na_b{x="1"} 2\n`, 'twice'],
    [
      'the same series in two families',
      'text',
      `${histogram('h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n')}# HELP h_sum H.\n# TYPE h_sum gauge\nh_sum 1\n`,
      'h_sum belongs to two families',
    ],
    ['different labels', 'text', `${GAUGE}a_b{x="1"} 1\na_b{y="1"} 2\n`, 'different labels'],
    ['a label twice', 'text', `${GAUGE}a_b{x="1",x="2"} 1\n`, 'label x twice'],
    ['a comma at the end', 'text', `${GAUGE}a_b{x="1",} 1\n`, 'unexpected text'],
    ['an unknown escape', 'text', `${GAUGE}a_b{x="\\t"} 1\n`, 'no """'],
    ['a raw quote in HELP', 'openmetrics', `# HELP a_b "x".\n`.concat(EOF), 'not escaped'],
    ['a timestamp', 'text', `${GAUGE}a_b 1 1700000000000\n`, 'text after the value'],
    ['Nan', 'text', `${GAUGE}a_b Nan\n`, 'is no number'],
    ['NaN', 'text', `${GAUGE}a_b NaN\n`, 'NaN'],
    ['undefined', 'text', `${GAUGE}a_b undefined\n`, 'is no number'],
    ['a counter below 0', 'openmetrics', `${COUNTER}a_total -1\n${EOF}`, 'below 0'],
    [
      'a counter family with _total',
      'openmetrics',
      `# HELP a_total H.\n# TYPE a_total counter\n${EOF}`,
      '_total',
    ],
    ['a counter family without it', 'text', COUNTER, '_total'],
    ['_total_total', 'openmetrics', `${COUNTER}a_total_total 1\n${EOF}`, 'another family'],
    ['_created', 'openmetrics', `${COUNTER}a_created 1\n${EOF}`, 'another family'],
    [
      'an exemplar in text',
      'text',
      `# HELP a_total H.\n# TYPE a_total counter\na_total 1 # {i="x"} 1 1\n`,
      'after the value',
    ],
    ['an exemplar on a gauge', 'openmetrics', `${GAUGE}a_b 1 # {i="x"} 1 1\n${EOF}`, 'exemplar'],
    [
      'an exemplar without time',
      'openmetrics',
      `${COUNTER}a_total 1 # {i="x"} 1\n${EOF}`,
      'no " "',
    ],
    [
      'a long exemplar',
      'openmetrics',
      `${COUNTER}a_total 1 # {i="${'x'.repeat(128)}"} 1 1\n${EOF}`,
      '128',
    ],
    ['no +Inf bucket', 'text', histogram('h_bucket{le="1.0"} 1\nh_sum 1\nh_count 1\n'), '+Inf'],
    [
      'falling buckets',
      'text',
      histogram('h_bucket{le="1.0"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'),
      'ascend',
    ],
    [
      'unordered buckets',
      'text',
      histogram(
        'h_bucket{le="2.0"} 1\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
      ),
      'ascend',
    ],
    [
      'an integer bound',
      'text',
      histogram('h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'),
      'no float',
    ],
    ['another count', 'text', histogram('h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n'), '_count'],
    [
      'an exemplar outside its bucket',
      'openmetrics',
      `${histogram('h_bucket{le="1.0"} 1 # {i="x"} 2 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n')}${EOF}`,
      'outside',
    ],
  ])('%s', (_, format, body, message) => {
    expect(() => parseExposition(body, format)).toThrow(message);
  });

  it('what is wrong as a whole, though each line was read before where it stands now', () => {
    const [one, two] = ['a_b{x="1"} 1\n', 'a_b{x="2"} 1\n'];
    parseExposition(GAUGE + one + two, 'text');
    parseExposition(GAUGE + two + one, 'text');
    expect(() => parseExposition(GAUGE + one + one, 'text')).toThrow('twice');
    const h = (low: number, all: number): string =>
      `${HISTOGRAM}h_bucket{le="1.0"} ${low}\nh_bucket{le="+Inf"} ${all}\nh_sum 1\nh_count ${all}\n`;
    parseExposition(h(1, 1), 'text');
    parseExposition(h(2, 2), 'text');
    expect(() => parseExposition(h(2, 1), 'text')).toThrow('ascend');
    parseExposition(HISTOGRAM.replace('histogram', 'gauge').concat('h 1\n'), 'text');
    expect(() => parseExposition(`${HISTOGRAM}h 1\n`, 'text')).toThrow('another family');
  });

  it('what is no UTF-8', () => {
    expect(() => parseExposition(Uint8Array.of(0x61, 0xff, 0x0a), 'text')).toThrow('utf-8');
  });
});
