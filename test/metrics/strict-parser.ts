/**
 * A parser of both exposition formats that accepts less than Prometheus does: whatever is doubtful is an
 * error with its line. It shares no code with the writers, so that they cannot agree on a mistake.
 */

import { isAscii } from 'node:buffer';

export type ExpositionFormat = 'text' | 'openmetrics';

export interface ParsedExemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly exemplar: ParsedExemplar | null;
}

export interface ParsedFamily {
  /** As in the HELP line: without `_total` for counters of OpenMetrics. */
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
  /** By `seriesKey`. */
  readonly series: ReadonlyMap<string, ParsedSample>;
}

export interface ParsedExposition {
  /** A family that reads as it did before is the same object as before, in the text format. */
  readonly families: ReadonlyMap<string, ParsedFamily>;
  /** By `seriesKey`. */
  readonly series: ReadonlyMap<string, ParsedSample>;
}

/** One series' identity: `name{a="x",b="y"}` with sorted labels, values as JSON strings. */
export function seriesKey(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.keys(labels)
    .toSorted()
    .map((label) => `${label}=${JSON.stringify(labels[label])}`);
  return `${name}{${pairs.join(',')}}`;
}

/** The value of a series, or undefined where it is absent. */
export function valueOf(
  exposition: ParsedExposition,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  return exposition.series.get(seriesKey(name, labels))?.value;
}

export function parseExposition(
  bytes: string | Uint8Array,
  format: ExpositionFormat,
): ParsedExposition {
  const buffer =
    typeof bytes === 'string'
      ? Buffer.from(bytes)
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new Parser(buffer, format).parse();
}

interface OpenFamily {
  readonly name: string;
  readonly help: string;
  type: string;
  readonly samples: ParsedSample[];
  readonly series: Map<string, ParsedSample>;
}

const METRIC_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const NUMBER = /^(?:[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)$/;
const BUCKET_BOUND = /^(?:-?(?:0|[1-9][0-9]*)\.[0-9]+|[1-9](?:\.[0-9]+)?e[+-][0-9]{2,}|\+Inf)$/;
const TYPES: readonly string[] = ['counter', 'gauge', 'histogram'];
const MAX_EXEMPLAR_CHARACTERS = 128;

/** What a line says by itself. */
interface ReadLine {
  readonly text: string;
  readonly sample: ParsedSample;
  readonly key: string;
  /** Its labels but `le`: the names, and names and values. */
  readonly labelNames: string;
  readonly group: string;
}
/** A family as it was read before: simulations read the same lines thousands of times. */
interface KnownFamily {
  readonly family: OpenFamily;
  readonly lines: readonly ReadLine[];
}
/** By the family's text, which in the text format means the same wherever it stands. */
const KNOWN_FAMILIES = new Map<string, KnownFamily>();
const MAX_KNOWN_FAMILIES = 1_000;
/** As last read, by name: most lines of a family that changed are what they were, where they were. */
const LATEST = new Map<string, KnownFamily>();
/** Lines of families that changed elsewhere. */
const KNOWN_LINES = new Map<string, ReadLine>();
const MAX_KNOWN_LINES = 20_000;

/** A byte order mark is no part of either format: it stays, and no line begins with it. */
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Parser {
  readonly #bytes: Buffer;
  readonly #format: ExpositionFormat;
  readonly #families = new Map<string, OpenFamily>();
  /** Of samples: no series can be in two families that share none. */
  readonly #names = new Set<string>();
  #family: OpenFamily | null = null;
  #line = '';
  #number = 0;

  constructor(bytes: Buffer, format: ExpositionFormat) {
    this.#bytes = bytes;
    this.#format = format;
  }

  parse(): ParsedExposition {
    for (const text of this.#familyTexts()) {
      const known = this.#format === 'text' ? KNOWN_FAMILIES.get(text) : undefined;
      if (known === undefined) this.#readFamily(text);
      else this.#addKnown(known, text);
    }
    const families = this.#families;
    let series: Map<string, ParsedSample> | null = null;
    return {
      families,
      get series() {
        return (series ??= new Map([...families.values()].flatMap((one) => [...one.series])));
      },
    };
  }

  /**
   * Without the end: each from its HELP to the next, of which the first begins the exposition. Each is a string of its
   * own: a part of a larger one would keep that for as long as the part is known.
   */
  #familyTexts(): readonly string[] {
    const end = this.#format === 'openmetrics' ? '# EOF\n' : '';
    const size = this.#bytes.length - end.length;
    const tail = this.#bytes.toString('latin1', Math.max(0, size - 1));
    if (!tail.endsWith('\n')) this.#fail('the last line does not end');
    if (tail !== `\n${end}` && tail !== end) this.#fail('no # EOF at the end');
    const texts: string[] = [];
    for (let from = 0; from < size;) {
      const next = this.#bytes.indexOf('\n# HELP ', from, 'latin1');
      const to = next === -1 ? size : next + 1;
      const bytes = this.#bytes.subarray(from, to);
      texts.push(isAscii(bytes) ? bytes.toString('latin1') : UTF_8.decode(bytes));
      from = to;
    }
    return texts;
  }

  #readFamily(text: string): void {
    const lines: ReadLine[] = [];
    let latest: KnownFamily | undefined;
    for (const line of text.split('\n').slice(0, -1)) {
      this.#number += 1;
      this.#line = line;
      if (line.startsWith('# HELP ')) this.#help(line.slice('# HELP '.length));
      else if (line.startsWith('# TYPE ')) {
        this.#type(line.slice('# TYPE '.length));
        latest = this.#latest();
      } else if (line.startsWith('#')) this.#fail('neither HELP nor TYPE');
      else lines.push(this.#sample(line, latest?.lines[lines.length]));
    }
    const family = this.#family;
    if (family === null) return;
    this.#checkFamily(family, lines);
    this.#addNames(family);
    if (this.#format !== 'text') return;
    const known = { family, lines };
    LATEST.set(family.name, known);
    if (KNOWN_FAMILIES.size >= MAX_KNOWN_FAMILIES) KNOWN_FAMILIES.clear();
    KNOWN_FAMILIES.set(text, known);
  }

  /** All of its own was checked when it was read; what is left is that nothing is there twice. */
  #addKnown({ family, lines }: KnownFamily, text: string): void {
    this.#line = text.slice(0, text.indexOf('\n'));
    if (this.#families.has(family.name)) this.#fail('a second HELP, or a family in two places');
    this.#families.set(family.name, family);
    this.#addNames(family);
    this.#number += lines.length + 2;
  }

  #addNames({ name, type }: OpenFamily): void {
    for (const suffix of this.#suffixes(type)) {
      const ofSamples = name + suffix;
      if (this.#names.has(ofSamples)) this.#fail(`${ofSamples} belongs to two families`);
      this.#names.add(ofSamples);
    }
  }

  /** The same family as last time, of the same type: what was true of a line of it is true again. */
  #latest(): KnownFamily | undefined {
    const latest = this.#format === 'text' ? LATEST.get(this.#family?.name ?? '') : undefined;
    return latest?.family.type === this.#family?.type ? latest : undefined;
  }

  #help(rest: string): void {
    const { name, after } = this.#nameAnd(rest);
    if (this.#families.has(name)) this.#fail('a second HELP, or a family in two places');
    const quoted = this.#format === 'openmetrics';
    this.#family = {
      name,
      help: this.#unescape(after, quoted),
      type: '',
      samples: [],
      series: new Map(),
    };
    this.#families.set(name, this.#family);
  }

  #type(rest: string): void {
    const { name, after } = this.#nameAnd(rest);
    if (this.#family?.name !== name) this.#fail('TYPE of another family than HELP');
    if (this.#family.type !== '') this.#fail('a second TYPE');
    if (!TYPES.includes(after)) this.#fail('a type that we do not use');
    const endsInTotal = name.endsWith('_total');
    if (after === 'counter' && endsInTotal !== (this.#format === 'text'))
      this.#fail('_total belongs to the family in text and not in OpenMetrics');
    if (after !== 'counter' && endsInTotal) this.#fail('_total on what is no counter');
    this.#family.type = after;
  }

  #nameAnd(rest: string): { name: string; after: string } {
    const space = rest.indexOf(' ');
    const name = rest.slice(0, space);
    if (space === -1 || !METRIC_NAME.test(name)) this.#fail('no metric name');
    return { name, after: rest.slice(space + 1) };
  }

  /** The same line of the text format means the same: it is read once. `before` stood here last time. */
  #sample(line: string, before: ReadLine | undefined): ReadLine {
    if (before?.text === line) {
      this.#place(before);
      return before;
    }
    const known = this.#format === 'text' ? KNOWN_LINES.get(line) : undefined;
    const read = known ?? this.#readSample(line);
    this.#checkSample(read.sample);
    this.#place(read);
    if (known !== undefined || this.#format !== 'text') return read;
    if (KNOWN_LINES.size >= MAX_KNOWN_LINES) KNOWN_LINES.clear();
    KNOWN_LINES.set(line, read);
    return read;
  }

  #readSample(text: string): ReadLine {
    const reader = new LineReader(text, (why) => this.#fail(why));
    const name = reader.take(/[a-zA-Z_][a-zA-Z0-9_]*/y);
    const labels = reader.labels();
    reader.expect(' ');
    const value = reader.number();
    let exemplar: ParsedExemplar | null = null;
    if (this.#format === 'openmetrics' && reader.skip(' # ')) exemplar = this.#exemplar(reader);
    if (!reader.atEnd) this.#fail('text after the value');
    const { le: _, ...others } = labels;
    return {
      text,
      sample: { name, labels, value, exemplar },
      key: seriesKey(name, labels),
      labelNames: Object.keys(others).toSorted().join(','),
      group: seriesKey('', others),
    };
  }

  #exemplar(reader: LineReader): ParsedExemplar {
    const labels = reader.labels();
    reader.expect(' ');
    const value = reader.number();
    reader.expect(' ');
    const timestamp = reader.number();
    const characters = Array.from(Object.entries(labels).flat().join(''));
    if (characters.length > MAX_EXEMPLAR_CHARACTERS)
      this.#fail('an exemplar longer than 128 characters');
    if (!(timestamp >= 0)) this.#fail('an exemplar without a time');
    return { labels, value, timestamp };
  }

  #checkSample(sample: ParsedSample): void {
    const family = this.#family;
    if (family === null || family.type === '') this.#fail('a sample before its HELP and TYPE');
    const suffix = this.#suffixOf(family, sample.name);
    if ((suffix === '_bucket') !== 'le' in sample.labels) this.#fail('le belongs to buckets');
    if (family.type !== 'gauge' && !(sample.value >= 0)) this.#fail('a counter below 0, or NaN');
    if (Number.isNaN(sample.value)) this.#fail('NaN');
    if (sample.exemplar !== null && !['_total', '_bucket'].includes(suffix))
      this.#fail('an exemplar on what is neither _total nor _bucket');
  }

  #place({ sample, key }: ReadLine): void {
    if (this.#family?.series.has(key) !== false) this.#fail('the same series twice');
    this.#family.series.set(key, sample);
    this.#family.samples.push(sample);
  }

  #suffixOf(family: OpenFamily, name: string): string {
    if (!name.startsWith(family.name)) this.#fail(`a sample of another family than ${family.name}`);
    const suffix = name.slice(family.name.length);
    if (!this.#suffixes(family.type).includes(suffix))
      this.#fail(`a sample of another family than ${family.name}`);
    return suffix;
  }

  #suffixes(type: string): readonly string[] {
    if (type === 'histogram') return ['_bucket', '_sum', '_count'];
    return [type === 'counter' && this.#format === 'openmetrics' ? '_total' : ''];
  }

  #checkFamily(family: OpenFamily, lines: readonly ReadLine[]): void {
    const where = (why: string): never => {
      throw new Error(`${family.name}: ${why}`);
    };
    if (family.type === '') where('no TYPE');
    if (family.samples.length === 0) where('no samples');
    const [first] = lines;
    if (lines.some(({ labelNames }) => labelNames !== first?.labelNames))
      where('samples with different labels');
    if (family.type === 'histogram') checkHistograms(lines, where);
  }

  #unescape(text: string, quoted: boolean): string {
    if (quoted && /(?<!\\)(?:\\\\)*"/.test(text)) this.#fail('a quote that is not escaped');
    return text.replaceAll(/\\(.?)/g, (_, character: string) => {
      if (character === 'n') return '\n';
      if (character === '\\' || (quoted && character === '"')) return character;
      return this.#fail(`an unknown escape \\${character}`);
    });
  }

  #fail(why: string): never {
    throw new Error(`line ${this.#number}: ${why}: ${this.#line}`);
  }
}

function checkHistograms(lines: readonly ReadLine[], fail: (why: string) => never): void {
  const groups = new Map<string, ParsedSample[]>();
  for (const { group, sample } of lines) {
    const samples = groups.get(group) ?? [];
    samples.push(sample);
    groups.set(group, samples);
  }
  for (const samples of groups.values()) {
    const buckets = samples.filter(({ name }) => name.endsWith('_bucket'));
    const bounds = buckets.map(({ labels }) => boundOf(labels['le'] ?? '', fail));
    const counts = buckets.map(({ value }) => value);
    const ascending = bounds.every((bound, index) => bound > (bounds[index - 1] ?? -Infinity));
    const growing = counts.every((value, index) => value >= (counts[index - 1] ?? 0));
    if (!ascending || !growing) fail('buckets that do not ascend');
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) fail('no +Inf bucket');
    const count = samples.find(({ name }) => name.endsWith('_count'));
    if (count?.value !== buckets.at(-1)?.value) fail('_count is not the +Inf bucket');
    if (!samples.some(({ name }) => name.endsWith('_sum'))) fail('no _sum');
    for (const [index, upper] of bounds.entries()) {
      const exemplar = buckets[index]?.exemplar ?? null;
      const lower = bounds[index - 1] ?? -Infinity;
      if (exemplar !== null && !(exemplar.value > lower && exemplar.value <= upper))
        fail('an exemplar outside its bucket');
    }
  }
}

function boundOf(le: string, fail: (why: string) => never): number {
  if (!BUCKET_BOUND.test(le)) fail(`le="${le}" is no float`);
  return le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
}

/** Reads one sample line from left to right. */
class LineReader {
  readonly #line: string;
  readonly #fail: (why: string) => never;
  #at = 0;

  constructor(line: string, fail: (why: string) => never) {
    this.#line = line;
    this.#fail = fail;
  }

  get atEnd(): boolean {
    return this.#at === this.#line.length;
  }

  take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#line)?.[0];
    if (found === undefined) return this.#fail(`unexpected text at column ${this.#at + 1}`);
    this.#at += found.length;
    return found;
  }

  skip(text: string): boolean {
    if (!this.#line.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  expect(text: string): void {
    if (!this.skip(text)) this.#fail(`no "${text}" at column ${this.#at + 1}`);
  }

  number(): number {
    const text = this.take(/[^ ]+/y);
    if (!NUMBER.test(text)) this.#fail(`${text} is no number`);
    return Number(text.replace('Inf', 'Infinity'));
  }

  labels(): Readonly<Record<string, string>> {
    const labels: Record<string, string> = {};
    if (!this.skip('{')) return labels;
    do {
      const name = this.take(/[a-zA-Z_][a-zA-Z0-9_]*/y);
      if (name in labels) this.#fail(`the label ${name} twice`);
      this.expect('="');
      const value = this.take(/(?:[^"\\]|\\["\\n])*/y);
      labels[name] = value.replaceAll(/\\(.)/g, (_, escaped: string) =>
        escaped === 'n' ? '\n' : escaped,
      );
      this.expect('"');
    } while (this.skip(','));
    this.expect('}');
    return labels;
  }
}
