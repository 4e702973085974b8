/** PromQL as the dashboards write it: Grafana's variables replaced as Grafana does, and what a query names. */
import { parser } from '@prometheus-io/lezer-promql';

/** What a person has chosen at the top of a dashboard. */
export interface Choices {
  readonly job: string;
  readonly instance: string;
  readonly connectedSystem: string;
  /** Seconds shown, and seconds between two points. */
  readonly rangeSeconds: number;
  readonly stepSeconds: number;
  readonly scrapeIntervalSeconds: number;
}

export const EVERYTHING: Choices = {
  job: '.+',
  instance: '.+',
  connectedSystem: 'HR System',
  rangeSeconds: 86_400,
  stepSeconds: 60,
  scrapeIntervalSeconds: 15,
};

/** The query as Grafana sends it. */
export function interpolate(expr: string, choices: Choices): string {
  const values: Readonly<Record<string, string>> = {
    $job: choices.job,
    $instance: choices.instance,
    '${connected_system:regex}': escapeRegex(choices.connectedSystem),
    '${run_profile:regex}': '.+',
    $__range: `${choices.rangeSeconds}s`,
    // Grafana: the longer of a step and one scrape, and of four scrapes.
    $__rate_interval: `${Math.max(choices.stepSeconds + choices.scrapeIntervalSeconds, 4 * choices.scrapeIntervalSeconds)}s`,
  };
  return expr.replaceAll(/\$\{[^}]*\}|\$\w+/g, (variable) => {
    const value = values[variable];
    if (value === undefined)
      throw new Error(`${variable} is no variable of our dashboards: ${expr}`);
    return value;
  });
}

/** As Grafana's `regex` format writes a value. */
function escapeRegex(value: string): string {
  return value.replaceAll(/[\\^$*+?.()|[\]{}/]/g, String.raw`\$&`);
}

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly {
    readonly label: string;
    readonly op: string;
    readonly value: string;
  }[];
  /** In `x[5m]`: the window, and the function around it. */
  readonly range: string | null;
  readonly call: string | null;
}

export interface Parsed {
  /** Where the text is no PromQL. */
  readonly faults: readonly string[];
  readonly selectors: readonly Selector[];
  /** Labels named by `by`, `without`, `on`, `ignoring` and `group_left`. */
  readonly groupingLabels: readonly string[];
}

type Node = ReturnType<typeof parser.parse>['topNode'];

/** A query without variables, taken apart. */
export function parse(expr: string): Parsed {
  const text = (node: Node | null) => (node === null ? '' : expr.slice(node.from, node.to));
  const faults: string[] = [];
  const selectors: Selector[] = [];
  const groupingLabels: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ node }) => {
      if (node.type.isError)
        faults.push(`at ${node.from}: ${expr.slice(node.from, node.from + 30)}`);
      if (node.name === 'GroupingLabels') {
        groupingLabels.push(...node.getChildren('LabelName').map(text));
      }
      if (node.name === 'VectorSelector') selectors.push(selector(node, text));
    },
  });
  return { faults, selectors, groupingLabels };
}

function selector(node: Node, text: (node: Node | null) => string): Selector {
  const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
  const matrix = node.parent?.name === 'MatrixSelector' ? node.parent : null;
  const call = matrix?.parent?.parent;
  return {
    metric: text(node.getChild('Identifier')),
    matchers: matchers.map((matcher) => ({
      label: text(matcher.getChild('LabelName')),
      op: text(matcher.getChild('MatchOp')),
      value: text(matcher.getChild('StringLiteral')).slice(1, -1),
    })),
    range:
      matrix === null
        ? null
        : text(matrix.lastChild === null ? null : matrix).replace(/^.*\[(.*)\]$/s, '$1'),
    call: call?.name === 'FunctionCall' ? text(call.getChild('FunctionIdentifier')) : null,
  };
}
