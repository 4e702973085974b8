/** Both writers, to the byte: by hand, against prom-client where it is right, and against any label value. */
import * as fc from 'fast-check';
import type { OpenMetricsContentType } from 'prom-client';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { Definition, Sample } from '../../src/metrics/catalogue/family.ts';
import { bucketBound, sample } from '../../src/metrics/catalogue/family.ts';
import {
  OPEN_METRICS_END,
  writeHead,
  writeNumber,
  writeSamples,
} from '../../src/metrics/exposition.ts';
import { parseExposition, seriesKey } from './strict-parser.ts';

const COUNTER: Definition = {
  name: 'jim_things_total',
  type: 'counter',
  help: 'A "thing" of C:\\jim,\nas polled.',
  labels: ['connected_system', 'status'],
};
const GAUGE: Definition = { name: 'jim_up', type: 'gauge', help: 'Up.', labels: [] };
const HISTOGRAM: Definition = {
  name: 'jim_wait_seconds',
  type: 'histogram',
  help: 'Waiting.',
  labels: ['queue'],
};

function written(definition: Definition, samples: readonly Sample[]) {
  const head = writeHead(definition);
  const lines = writeSamples(definition, samples);
  return { text: head.text + lines.text, openMetrics: head.openMetrics + lines.openMetrics };
}

const bucket = (queue: string, bound: number, value: number): Sample => ({
  suffix: '_bucket',
  labels: [queue, bucketBound(bound)],
  value,
  exemplar: null,
});

describe('the writers', () => {
  it('write a counter: in OpenMetrics its family has no _total, and HELP escapes quotes', () => {
    const samples = [
      { ...sample(['HR', 'Complete'], 3), exemplar: { activityId: 'a-1', value: 1, atMs: 1_500 } },
      sample(['', 'Cancelled'], 0),
    ];
    expect(written(COUNTER, samples)).toEqual({
      text:
        '# HELP jim_things_total A "thing" of C:\\\\jim,\\nas polled.\n' +
        '# TYPE jim_things_total counter\n' +
        'jim_things_total{connected_system="HR",status="Complete"} 3\n' +
        'jim_things_total{connected_system="",status="Cancelled"} 0\n',
      openMetrics:
        '# HELP jim_things A \\"thing\\" of C:\\\\jim,\\nas polled.\n' +
        '# TYPE jim_things counter\n' +
        'jim_things_total{connected_system="HR",status="Complete"} 3 # {activity_id="a-1"} 1 1.5\n' +
        'jim_things_total{connected_system="",status="Cancelled"} 0\n',
    });
  });

  it('write a gauge without labels without braces, the same in both formats', () => {
    const both = '# HELP jim_up Up.\n# TYPE jim_up gauge\njim_up 1\n';
    expect(written(GAUGE, [sample([], 1)])).toEqual({ text: both, openMetrics: both });
  });

  it('write a histogram, bounds as floats', () => {
    const samples: readonly Sample[] = [
      bucket('a', 0.25, 1),
      bucket('a', 1, 2),
      bucket('a', Number.POSITIVE_INFINITY, 2),
      { suffix: '_sum', labels: ['a'], value: 0.75, exemplar: null },
      { suffix: '_count', labels: ['a'], value: 2, exemplar: null },
    ];
    expect(written(HISTOGRAM, samples).text).toBe(
      '# HELP jim_wait_seconds Waiting.\n' +
        '# TYPE jim_wait_seconds histogram\n' +
        'jim_wait_seconds_bucket{queue="a",le="0.25"} 1\n' +
        'jim_wait_seconds_bucket{queue="a",le="1.0"} 2\n' +
        'jim_wait_seconds_bucket{queue="a",le="+Inf"} 2\n' +
        'jim_wait_seconds_sum{queue="a"} 0.75\n' +
        'jim_wait_seconds_count{queue="a"} 2\n',
    );
    const unlabelled = { ...HISTOGRAM, labels: [] };
    const inf = { ...bucket('', Number.POSITIVE_INFINITY, 2), labels: ['+Inf'] };
    expect(writeSamples(unlabelled, [inf]).text).toBe('jim_wait_seconds_bucket{le="+Inf"} 2\n');
  });

  it('leave out an exemplar of more than 128 characters, and keep one of 128', () => {
    const line = (id: string): string =>
      writeSamples(COUNTER, [
        { ...sample(['x', 'y'], 1), exemplar: { activityId: id, value: 1, atMs: 0 } },
      ]).openMetrics;
    const longest = 'a'.repeat(128 - 'activity_id'.length);
    expect(line(longest)).toContain(`# {activity_id="${longest}"} 1 0`);
    expect(line(`${longest}a`)).not.toContain('#');
  });

  it.each([
    [0, '0'],
    [-0, '0'],
    [12_400, '12400'],
    [40.779177, '40.779177'],
    [1_795_417_200.123, '1795417200.123'],
    [1e21, '1e+21'],
    [5e-7, '5e-7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [Number.POSITIVE_INFINITY, '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
  ])('write the number %d as %s', (value, text) => {
    expect(writeNumber(value)).toBe(text);
  });

  it.each([
    [0.005, '0.005'],
    [1, '1.0'],
    [43_200, '43200.0'],
    [Number.POSITIVE_INFINITY, '+Inf'],
  ])('write the bound %d as %s', (bound, text) => {
    expect(bucketBound(bound)).toBe(text);
  });
});

const HOSTILE = [
  'a "quoted" name',
  'back\\slash',
  'ends in a backslash\\',
  'two\nlines',
  '\\n is no newline, \\" no quote',
  'emoji 🚦 and é',
  'line\u2028separator',
  '{a="b"} 1 # EOF',
  '# HELP jim_up x',
];

describe('label values', () => {
  it.each(HOSTILE)('arrive as they were: %j', (value) => {
    for (const format of ['text', 'openMetrics'] as const) {
      const end = format === 'text' ? '' : OPEN_METRICS_END;
      const body = written(COUNTER, [sample([value, 'Complete'], 7)])[format] + end;
      const parsed = parseExposition(body, format === 'text' ? 'text' : 'openmetrics');
      const key = seriesKey(COUNTER.name, { connected_system: value, status: 'Complete' });
      expect([...parsed.series.keys()]).toEqual([key]);
    }
  });

  it('arrive as they were, whatever they are, and both formats carry the same series', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' })), {
          selector: (pair) => JSON.stringify(pair),
          maxLength: 20,
        }),
        (pairs) => {
          fc.pre(pairs.length > 0);
          const both = written(
            COUNTER,
            pairs.map((pair, index) => sample(pair, index)),
          );
          const text = parseExposition(Buffer.from(both.text), 'text');
          const openMetrics = parseExposition(
            Buffer.from(both.openMetrics + OPEN_METRICS_END),
            'openmetrics',
          );
          expect([...text.series]).toEqual([...openMetrics.series]);
          const [system, status] = pairs[0] ?? ['', ''];
          const labels = { connected_system: system, status };
          expect(text.series.has(seriesKey(COUNTER.name, labels))).toBe(true);
        },
      ),
    );
  });
});

describe('prom-client writes the same, where it is right', () => {
  const NAMES = ['connected_system', 'status'] as const;

  it.each(HOSTILE)('counters and gauges in text: %j', async (value) => {
    const registry = new Registry();
    const options = { help: 'Things\\ of\nall kinds.', labelNames: NAMES, registers: [registry] };
    const counter = new Counter({ name: 'jim_things_total', ...options });
    const gauge = new Gauge({ name: 'jim_level', ...options });
    counter.inc({ connected_system: value, status: 'Complete' }, 12.5);
    gauge.set({ connected_system: value, status: 'Complete' }, -3);
    const ours = (name: string, type: 'counter' | 'gauge', number: number): string =>
      written({ name, type, help: options.help, labels: [...NAMES] }, [
        sample([value, 'Complete'], number),
      ]).text;
    expect(await registry.metrics()).toBe(
      `${ours('jim_things_total', 'counter', 12.5)}\n${ours('jim_level', 'gauge', -3)}`,
    );
  });

  it('counters in OpenMetrics, of a registry that renders nothing else', async () => {
    const registry = new Registry<OpenMetricsContentType>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const counter = new Counter({
      name: 'jim_things_total',
      help: 'Things.',
      labelNames: NAMES,
      registers: [registry],
    });
    counter.inc({ connected_system: 'HR', status: 'Complete' }, 2);
    const ours = written({ ...COUNTER, help: 'Things.' }, [sample(['HR', 'Complete'], 2)]);
    expect(await registry.metrics()).toBe(ours.openMetrics + OPEN_METRICS_END);
  });

  it('histograms, but for its integer bounds: le="1" is another series than le="1.0"', async () => {
    const registry = new Registry();
    const histogram = new Histogram({
      name: 'jim_wait_seconds',
      help: 'Waiting.',
      buckets: [0.5, 1],
      registers: [registry],
    });
    histogram.observe(0.75);
    histogram.observe(4);
    const le = (bound: number, value: number): Sample => ({
      ...bucket('', bound, value),
      labels: [bucketBound(bound)],
    });
    const ours = written({ ...HISTOGRAM, labels: [] }, [
      le(0.5, 0),
      le(1, 1),
      le(Number.POSITIVE_INFINITY, 2),
      { suffix: '_sum', labels: [], value: 4.75, exemplar: null },
      { suffix: '_count', labels: [], value: 2, exemplar: null },
    ]).text;
    expect((await registry.metrics()).replace('le="1"', 'le="1.0"')).toBe(ours);
  });
});
