import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptsGzip, negotiateFormat } from '../../src/web/negotiation.ts';

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

describe('the format', () => {
  test.each([
    ['no header', null, TEXT],
    ['an empty header', '', TEXT],
    ['curl', '*/*', TEXT],
    ['wget', 'text/html, */*', TEXT],
    [
      'Chrome',
      'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7',
      TEXT,
    ],
    ['Firefox', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', TEXT],
    [
      'Prometheus 2.26, which knows OpenMetrics 0.0.1 alone',
      'application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      TEXT,
    ],
    [
      'Prometheus 2.42',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      OPENMETRICS,
    ],
    [
      'Prometheus 2.49, whose last weight is no weight',
      'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=2',
      OPENMETRICS,
    ],
    [
      'Prometheus 2.49 told to scrape OpenMetrics alone',
      'application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=4',
      OPENMETRICS,
    ],
    ['Prometheus 2.49 told to scrape text alone', 'text/plain;version=0.0.4;q=0.5,*/*;q=4', TEXT],
    [
      'Prometheus 2.55 with native histograms: protobuf is not ours',
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      OPENMETRICS,
    ],
    [
      'Prometheus 3',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      `${OPENMETRICS}; escaping=allow-utf-8`,
    ],
    [
      'Prometheus 3 preferring text 1.0.0, which is not ours: its 0.0.4',
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1',
      TEXT,
    ],
    ['text weighs more', 'application/openmetrics-text;q=0.3,text/plain;q=0.4', TEXT],
    ['OpenMetrics weighs more', 'text/plain;q=0.3,application/openmetrics-text;q=0.4', OPENMETRICS],
    ['equal weights: the first', 'application/openmetrics-text,text/plain', OPENMETRICS],
    ['equal weights: the first', 'text/plain,application/openmetrics-text', TEXT],
    ['a wildcard that weighs more', 'application/openmetrics-text;q=0.1,*/*;q=0.9', TEXT],
    [
      'a narrower range decides',
      'text/plain;q=0.1,text/*,application/openmetrics-text;q=0.5',
      OPENMETRICS,
    ],
    ['equal weights: the narrower', '*/*,application/openmetrics-text', OPENMETRICS],
    ['any application type', 'application/*', OPENMETRICS],
    ['any text type', 'text/*', TEXT],
    ['OpenMetrics refused', 'application/openmetrics-text;q=0,*/*;q=0.1', TEXT],
    ['all refused: never a 406', 'text/plain;q=0,application/openmetrics-text;q=0,*/*;q=0', TEXT],
    ['nothing that fits: never a 406', 'application/json', TEXT],
    [
      'text refused, the other not',
      'text/plain;q=0,application/openmetrics-text;q=0.001',
      OPENMETRICS,
    ],
    ['an unknown version', 'application/openmetrics-text;version=2.0.0', TEXT],
    ['no version', 'application/openmetrics-text', OPENMETRICS],
    ['a quoted version', 'application/openmetrics-text;version="1.0.0"', OPENMETRICS],
    ['upper case', 'APPLICATION/OpenMetrics-Text;Version=1.0.0;Q=1', OPENMETRICS],
    [
      'spaces',
      ' application/openmetrics-text ; version=1.0.0 ; q=0.9 , text/plain;q=0.1',
      OPENMETRICS,
    ],
    ['unknown parameters', 'application/openmetrics-text;version=1.0.0;a=b;c', OPENMETRICS],
    [
      'repeated parameters: the first',
      'application/openmetrics-text;version=1.0.0;version=9',
      OPENMETRICS,
    ],
    [
      'a comma in quotes',
      'text/plain;a="x,application/openmetrics-text";q=0.5,application/openmetrics-text;q=0.4',
      TEXT,
    ],
    ['a weight that is no number', 'application/openmetrics-text;q=high', OPENMETRICS],
    [
      'an escaping that Prometheus knows',
      'application/openmetrics-text;escaping=underscores',
      `${OPENMETRICS}; escaping=underscores`,
    ],
    ['an escaping that nobody knows', 'application/openmetrics-text;escaping=evil', OPENMETRICS],
    [
      'an escaping asked of text is not repeated',
      'text/plain;version=0.0.4;escaping=allow-utf-8',
      TEXT,
    ],
    ['junk', ';;;,,,=;q=,"', TEXT],
  ])('%s', (_, accept, expected) => {
    expect(negotiateFormat(accept).contentType).toBe(expected);
  });

  test('any header whatever gets one of the two', () => {
    const pieces = [
      'text/plain',
      'application/openmetrics-text',
      '*/*',
      ';',
      ',',
      'q=',
      '"',
      '\\',
      '0.5',
      'version=',
      '1.0.0',
      ' ',
    ];
    const header = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...pieces)).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(header, (accept) => {
        const { format, contentType } = negotiateFormat(accept);
        expect(contentType.replace(/; escaping=[a-z0-9-]+$/, '')).toBe(
          format === 'text' ? TEXT : OPENMETRICS,
        );
      }),
    );
  });
});

describe('gzip', () => {
  test.each([
    [null, false],
    ['', false],
    ['identity', false],
    ['deflate, br', false],
    ['gzip', true],
    ['gzip, deflate, br, zstd', true],
    ['GZIP', true],
    ['x-gzip', true],
    ['*', true],
    ['*;q=0', false],
    ['gzip;q=0', false],
    ['gzip;q=0, *', false],
    ['gzip;q=0.0', false],
    ['gzip;q=0.5', true],
    ['gzip;q=0.5, identity', false],
    ['identity;q=0.5, gzip;q=0.5', true],
    ['identity;q=0', false],
    ['gzip;q=nonsense', true],
  ])('%s → %s', (header, expected) => {
    expect(acceptsGzip(header)).toBe(expected);
  });
});
