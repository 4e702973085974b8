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
  let text = '';
  let openMetrics = '';
  let exemplars = false;
  for (const sample of samples) {
    const line = `${name}${sample.suffix}${writeLabels(labels, sample.labels)} ${writeNumber(sample.value)}`;
    text += `${line}\n`;
    const exemplar = sample.exemplar === null ? '' : writeExemplar(sample.exemplar);
    if (exemplar === '') {
      openMetrics += `${line}\n`;
    } else {
      openMetrics += `${line}${exemplar}\n`;
      exemplars = true;
    }
  }
  return exemplars ? { text, openMetrics } : { text, openMetrics: text };
}

/** A bucket's samples have one value more than the family has labels: its upper bound. */
function writeLabels(names: readonly string[], values: readonly string[]): string {
  if (values.length === 0) return '';
  let written = '{';
  for (let index = 0; index < values.length; index += 1) {
    if (index > 0) written += ',';
    written += `${names[index] ?? 'le'}="${escapeQuoted(values[index] ?? '')}"`;
  }
  return `${written}}`;
}

function writeExemplar({ activityId, value, atMs }: SampleExemplar): string {
  if (EXEMPLAR_LABEL.length + activityId.length > MAX_EXEMPLAR_CHARACTERS) return '';
  const labels = writeLabels([EXEMPLAR_LABEL], [activityId]);
  return ` # ${labels} ${writeNumber(value)} ${writeNumber(atMs / 1_000)}`;
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
