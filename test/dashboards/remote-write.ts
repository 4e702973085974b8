/**
 * Prometheus' remote-write request (version 1), as far as a test needs it: series with samples and exemplars as
 * protobuf, in a snappy block that does not compress. It brings a recorded night into a real Prometheus.
 */

/** Instead of a value: the series has left the exposition. Prometheus writes it as one certain NaN. */
export const STALE = 'stale';
const STALE_BITS = 0x7ff0000000000002n;

export interface RecordedSeries {
  /** With `__name__`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [timeMs: number, value: number | typeof STALE])[];
  readonly exemplars: readonly RecordedExemplar[];
}
export interface RecordedExemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timeMs: number;
}

export const REMOTE_WRITE_HEADERS = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
} as const;

/** A `WriteRequest` of prometheus/prompb/remote.proto. */
export function encodeWriteRequest(series: readonly RecordedSeries[]): Buffer {
  return snappyLiteral(Buffer.concat(series.map((one) => message(1, timeSeries(one)))));
}

/** Labels must be sorted, or Prometheus refuses the request. */
function timeSeries({ labels, points, exemplars }: RecordedSeries): Buffer {
  return Buffer.concat([
    ...labelPairs(labels),
    samples(points),
    ...exemplars.map((exemplar) =>
      message(
        3,
        Buffer.concat([
          ...labelPairs(exemplar.labels),
          double(2, exemplar.value),
          int64(3, exemplar.timeMs),
        ]),
      ),
    ),
  ]);
}

/** In one piece: there are millions. */
function samples(points: RecordedSeries['points']): Buffer {
  const bytes = Buffer.alloc(points.length * SAMPLE_BYTES);
  let end = 0;
  const put = (byte: number): void => {
    bytes[end] = byte;
    end += 1;
  };
  for (const [timeMs, value] of points) {
    const time = varint(timeMs);
    put(2 * 8 + LENGTH_DELIMITED);
    put(1 + 8 + 1 + time.length);
    put(8 + FIXED64);
    if (value === STALE) bytes.writeBigUInt64LE(STALE_BITS, end);
    else bytes.writeDoubleLE(value, end);
    end += 8;
    put(2 * 8 + VARINT);
    for (const byte of time) put(byte);
  }
  return bytes.subarray(0, end);
}
/** A message's head of 2, the value's 9, and a time's 10 at most. */
const SAMPLE_BYTES = 21;

function labelPairs(labels: Readonly<Record<string, string>>): Buffer[] {
  return Object.keys(labels)
    .toSorted()
    .map((name) => message(1, Buffer.concat([text(1, name), text(2, labels[name] ?? '')])));
}

const LENGTH_DELIMITED = 2;
const FIXED64 = 1;
const VARINT = 0;

function message(field: number, body: Buffer): Buffer {
  return Buffer.concat([tag(field, LENGTH_DELIMITED), Buffer.from(varint(body.length)), body]);
}
function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value, 'utf8'));
}
function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, FIXED64), bytes]);
}
function int64(field: number, value: number): Buffer {
  return Buffer.concat([tag(field, VARINT), Buffer.from(varint(value))]);
}
function tag(field: number, wireType: number): Buffer {
  return Buffer.from(varint(field * 8 + wireType));
}
/** Not negative, at most 2^53. */
function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** A literal of snappy with its length in two bytes holds at most this. */
const MAX_LITERAL = 0x1_0000;
const TWO_LENGTH_BYTES = 61 << 2;

function snappyLiteral(body: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from(varint(body.length))];
  for (let from = 0; from < body.length; from += MAX_LITERAL) {
    const part = body.subarray(from, from + MAX_LITERAL);
    const head = Buffer.from([TWO_LENGTH_BYTES, 0, 0]);
    head.writeUInt16LE(part.length - 1, 1);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}
