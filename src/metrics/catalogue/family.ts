/**
 * What a metric is, as data: a family says its name, type, help and labels once, and how its samples
 * follow from a snapshot. Pure: the writers, the README and the completeness tests all read it.
 */
import type { Snapshot } from '../snapshot.ts';

export type FamilyType = 'gauge' | 'counter' | 'histogram';

/** Name, type, help and labels: what HELP and TYPE lines and the reference in the README say. */
export interface Definition {
  /** With `_total` on counters, in both formats. */
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  readonly labels: readonly string[];
}

/** A family computed from the snapshot: all of `jim_*`, and what the exporter knows as values. */
export interface SnapshotFamily extends Definition {
  readonly source: 'snapshot';
  read(snapshot: Snapshot): Reading;
}

/**
 * A family's samples at one moment, by the immutable values they follow from. The same source means the
 * same samples, so that what was written of it before can be used again: an idle poll renders nothing.
 */
export interface Reading {
  readonly sources: readonly object[];
  /** The samples of `sources[index]`. */
  samples(index: number): readonly Sample[];
}

/** A family that prom-client keeps while the process lives (`runtime.ts`). */
export interface RuntimeFamily extends Definition {
  readonly source: 'runtime';
  /** Upper bounds of a histogram's buckets, ascending, without +Inf. */
  readonly buckets?: readonly number[];
}

export type Family = SnapshotFamily | RuntimeFamily;

/** One line of an exposition. */
export interface Sample {
  /** What follows the family's name: only histograms have more than one kind of line. */
  readonly suffix: '' | '_bucket' | '_sum' | '_count';
  /** Values of the family's labels, in their order; a bucket's upper bound follows them. */
  readonly labels: readonly string[];
  readonly value: number;
  readonly exemplar: SampleExemplar | null;
}

/** Written by OpenMetrics only, and only on counters and buckets. */
export interface SampleExemplar {
  readonly activityId: string;
  readonly value: number;
  /** Our clock, milliseconds since 1970. */
  readonly atMs: number;
}

/** A line without exemplar. */
export function sample(labels: readonly string[], value: number): Sample {
  return { suffix: '', labels, value, exemplar: null };
}

/** No line, where there is nothing to say: absence is honest, `time() - 0` is fifty years. */
export function sampleIfKnown(
  labels: readonly string[],
  value: number | null | undefined,
): readonly Sample[] {
  return value === null || value === undefined || !Number.isFinite(value)
    ? []
    : [sample(labels, value)];
}

interface Rule<Source extends object> {
  readonly type: FamilyType;
  readonly labels: readonly string[];
  readonly help: string;
  /** The values that the samples follow from; unchanged references mean unchanged samples. */
  from(snapshot: Snapshot): Iterable<Source>;
  samples(source: Source): readonly Sample[];
}

/** A family whose samples follow from the snapshot, value by value. */
export function family<Source extends object>(name: string, rule: Rule<Source>): SnapshotFamily {
  return {
    name,
    type: rule.type,
    help: rule.help,
    labels: rule.labels,
    source: 'snapshot',
    read: (snapshot) => {
      const sources = Array.from(rule.from(snapshot));
      return {
        sources,
        samples: (index) => {
          const source = sources[index];
          return source === undefined ? [] : rule.samples(source);
        },
      };
    },
  };
}

/** A gauge without labels that one part of the snapshot decides; absent while that is null. */
export function singleGauge<Source extends object>(
  name: string,
  help: string,
  from: (snapshot: Snapshot) => Source,
  value: (source: Source) => number | null,
): SnapshotFamily {
  return family(name, {
    type: 'gauge',
    labels: [],
    help,
    from: (snapshot) => [from(snapshot)],
    samples: (source) => sampleIfKnown([], value(source)),
  });
}

/** All samples of a family, in the order written. */
export function samplesOf(of: SnapshotFamily, snapshot: Snapshot): readonly Sample[] {
  const reading = of.read(snapshot);
  return reading.sources.flatMap((_, index) => reading.samples(index));
}

/** Our clock's milliseconds as the seconds of a `_timestamp_seconds` gauge. */
export function secondsOf(milliseconds: number | null): number | null {
  return milliseconds === null ? null : milliseconds / 1_000;
}

/** A bucket's `le`: a float always, as Prometheus 3 stores it, in Go's form for bounds from 0.0001 to 999,999: `1.0`, `0.25`, `+Inf`. */
export function bucketBound(bound: number): string {
  if (bound === Number.POSITIVE_INFINITY) return '+Inf';
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}
