/**
 * Writes families as text: the Prometheus text format 0.0.4 and OpenMetrics 1.0.0. They differ in the name
 * of a counter's family, in the escaping of HELP, in exemplars and in the end; all else is written once.
 */
import type { Definition, Sample, SampleExemplar } from './catalogue/family.ts';

/** The same lines in both formats; often the very same string. */
export interface Written {
  readonly text: string;
  readonly openMetrics: string;
}

/** OpenMetrics 1.0.0 ends with this line; a cut-off answer is then no valid one. */
export const OPEN_METRICS_END = '# EOF\n';

/** OpenMetrics 1.0.0: names and values of an exemplar's labels together. */
const MAX_EXEMPLAR_CHARACTERS = 128;
const EXEMPLAR_LABEL = 'activity_id';

/** HELP and TYPE, once per family. In OpenMetrics a counter's family has no `_total`, only its samples do. */
export function writeHead({ name, type, help }: Definition): Written {
  const familyName = type === 'counter' ? name.replace(/_total$/, '') : name;
  return {
    text: `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`,
    openMetrics: `# HELP ${familyName} ${escapeQuoted(help)}\n# TYPE ${familyName} ${type}\n`,
  };
}

/** The lines of some samples of one family. */
export function writeSamples(
  { name, labels }: Pick<Definition, 'name' | 'labels'>,
  samples: readonly Sample[],
): Written {
  const labelsText = createLabelsWriter(labels);
  let text = '';
  let openMetrics: string | null = null;
  for (const sample of samples) {
    let line = `${name}${sample.suffix}${labelsText(sample.labels)}`;
    line += writeNumber(sample.value);
    const exemplar = sample.exemplar === null ? '' : writeExemplar(sample.exemplar);
    // One string serves both formats until the first exemplar.
    if (exemplar !== '') openMetrics ??= text;
    if (openMetrics !== null) openMetrics += `${line}${exemplar}\n`;
    text += `${line}\n`;
  }
  return { text, openMetrics: openMetrics ?? text };
}

/**
 * Writes label values after their names, up to the space before the sample's value. What a line has in common with the
 * one before it, as a run profile's lines have, is not put together again.
 */
function createLabelsWriter(names: readonly string[]): (values: readonly string[]) => string {
  const openings = names.map((name, index) => `${index === 0 ? '{' : '",'}${name}="`);
  // A bucket has one value more than its family has labels: its upper bound.
  openings.push(names.length === 0 ? '{le="' : '",le="');
  let before: readonly string[] = [];
  /** Of the first values of the line before: none, one, two and so on. */
  const texts = [''];
  return (values) => {
    let same = 0;
    while (same < values.length && values[same] === before[same]) same += 1;
    for (let index = same; index < values.length; index += 1)
      texts[index + 1] = `${texts[index]}${openings[index]}${escapeQuoted(values[index] ?? '')}`;
    before = values;
    return values.length === 0 ? ' ' : `${texts[values.length]}"} `;
  };
}

function writeExemplar({ activityId, value, atMs }: SampleExemplar): string {
  if (EXEMPLAR_LABEL.length + activityId.length > MAX_EXEMPLAR_CHARACTERS) return '';
  const label = `${EXEMPLAR_LABEL}="${escapeQuoted(activityId)}"`;
  return ` # {${label}} ${writeNumber(value)} ${writeNumber(atMs / 1_000)}`;
}

/** JavaScript's shortest form is read back exactly by Go; only the infinities are spelled differently. */
export function writeNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

const QUOTED_NEEDS_ESCAPE = /[\\"\n]/;

/** Label values in both formats, and HELP in OpenMetrics. */
function escapeQuoted(value: string): string {
  return QUOTED_NEEDS_ESCAPE.test(value) ? escapeHelp(value).replaceAll('"', '\\"') : value;
}

/** HELP in the text format. */
function escapeHelp(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
