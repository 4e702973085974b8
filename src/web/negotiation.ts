/**
 * Which of our two exposition formats a scraper gets, and whether compressed: RFC 9110's weights, with
 * the tolerance that real scrapers need. There is always an answer, never a 406: a scraper that asks
 * for something we lack understands text, and a human with a browser wants to see something.
 */

export type ExpositionFormat = 'text' | 'openMetrics';

export interface Negotiated {
  readonly format: ExpositionFormat;
  /** The exact header: Prometheus 3 fails a scrape whose Content-Type it does not know. */
  readonly contentType: string;
}

const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/**
 * The closed set of Prometheus 3. Our names are valid in the oldest scheme, so every scheme leaves them
 * as they are and the answer may repeat the one that was asked.
 */
const ESCAPINGS: readonly string[] = ['allow-utf-8', 'underscores', 'dots', 'values'];

/** Less than any weight a sane header carries: three decimals are the most that RFC 9110 permits. */
const LAST_RESORT = 0.0001;

/** How narrowly a media range names a format; a narrower range decides over a wider one. */
const NAMED_TYPE = 3;
const ANY_SUBTYPE = 2;
const ANY_TYPE = 1;

/** The format for an `Accept` header (`null`: none was sent). */
export function negotiateFormat(accept: string | null): Negotiated {
  const ranges = splitList(accept ?? '').map(parseMediaRange);
  const text = bestMatch(ranges, matchesText);
  const openMetrics = bestMatch(ranges, matchesOpenMetrics);
  return prefersOpenMetrics(openMetrics, text)
    ? { format: 'openMetrics', contentType: OPENMETRICS_TYPE + escapingOf(openMetrics?.range) }
    : { format: 'text', contentType: TEXT_TYPE };
}

/** Whether the answer may be gzip. A header that names neither it nor `*` does not want it. */
export function acceptsGzip(acceptEncoding: string | null): boolean {
  let gzip: number | undefined;
  let any: number | undefined;
  let identity: number | undefined;
  for (const entry of splitList(acceptEncoding ?? '')) {
    const { name, parameters } = parseEntry(entry);
    const weight = parseWeight(parameters.get('q')) ?? 1;
    if (name === 'gzip' || name === 'x-gzip') gzip ??= weight;
    if (name === '*') any ??= weight;
    if (name === 'identity') identity ??= weight;
  }
  const wanted = gzip ?? any ?? 0;
  return wanted > 0 && wanted >= (identity ?? 0);
}

interface MediaRange {
  /** Lower case, `type/subtype`. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly weight: number;
}

interface Match {
  readonly range: MediaRange;
  readonly narrowness: number;
  /** Place in the header: between equals, the one named first. */
  readonly index: number;
}

function prefersOpenMetrics(openMetrics: Match | undefined, text: Match | undefined): boolean {
  if (openMetrics === undefined || openMetrics.range.weight === 0) return false;
  if (text === undefined || text.range.weight === 0) return true;
  if (openMetrics.range.weight !== text.range.weight) {
    return openMetrics.range.weight > text.range.weight;
  }
  if (openMetrics.narrowness !== text.narrowness) return openMetrics.narrowness > text.narrowness;
  return openMetrics.index < text.index;
}

/** The range that decides for a format: the narrowest, then the heaviest, then the first. */
function bestMatch(
  ranges: readonly MediaRange[],
  narrownessOf: (range: MediaRange) => number,
): Match | undefined {
  let best: Match | undefined;
  for (const [index, range] of ranges.entries()) {
    const narrowness = narrownessOf(range);
    if (narrowness === 0) continue;
    const better =
      best === undefined ||
      narrowness > best.narrowness ||
      (narrowness === best.narrowness && range.weight > best.range.weight);
    if (better) best = { range, narrowness, index };
  }
  return best;
}

function matchesText({ type, parameters }: MediaRange): number {
  if (type === '*/*') return ANY_TYPE;
  if (type === 'text/*') return ANY_SUBTYPE;
  // Prometheus 3 also asks for text 1.0.0, which we do not speak.
  return type === 'text/plain' && (parameters.get('version') ?? '0.0.4') === '0.0.4'
    ? NAMED_TYPE
    : 0;
}

function matchesOpenMetrics({ type, parameters }: MediaRange): number {
  if (type === 'application/*') return ANY_SUBTYPE;
  // `*/*` is left to text: whoever cannot name OpenMetrics may not be able to read it.
  return type === 'application/openmetrics-text' &&
    (parameters.get('version') ?? '1.0.0') === '1.0.0'
    ? NAMED_TYPE
    : 0;
}

function escapingOf(range: MediaRange | undefined): string {
  const asked = range?.parameters.get('escaping')?.toLowerCase();
  return asked !== undefined && ESCAPINGS.includes(asked) ? `; escaping=${asked}` : '';
}

function parseMediaRange(entry: string): MediaRange {
  const { name, parameters } = parseEntry(entry);
  // Prometheus 2.49 sends `*/*;q=2`: read as 1 it would outrank the formats that it names.
  const unreadable = name.endsWith('*') ? LAST_RESORT : 1;
  return { type: name, parameters, weight: parseWeight(parameters.get('q')) ?? unreadable };
}

/** Undefined when it is no number from 0 to 1; an absent weight is 1. */
function parseWeight(text: string | undefined): number | undefined {
  if (text === undefined) return 1;
  return /^(?:0(?:\.\d*)?|1(?:\.0*)?|\.\d+)$/.test(text) ? Number(text) : undefined;
}

/** `name;key=value;key="value"`, names and keys in lower case; of a repeated key the first counts. */
function parseEntry(entry: string): {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
} {
  const [name = '', ...rest] = splitOutsideQuotes(entry, ';');
  const parameters = new Map<string, string>();
  for (const parameter of rest) {
    const equals = parameter.indexOf('=');
    if (equals === -1) continue;
    const key = parameter.slice(0, equals).trim().toLowerCase();
    if (!parameters.has(key)) parameters.set(key, unquote(parameter.slice(equals + 1).trim()));
  }
  return { name: name.trim().toLowerCase(), parameters };
}

function splitList(header: string): readonly string[] {
  return splitOutsideQuotes(header, ',').filter((entry) => entry.trim() !== '');
}

function splitOutsideQuotes(text: string, separator: string): readonly string[] {
  if (!text.includes('"')) return text.split(separator);
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted && character === '\\') at += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function unquote(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1')
    : value;
}
