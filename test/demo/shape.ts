/** The shape of JSON: field names in order, and which kinds of value stand where. */
import { isArray, type JsonValue } from './recorded.ts';

export interface Shape {
  /** Kinds of the scalars met here, or `object`, `array`. */
  readonly kinds: ReadonlySet<string>;
  /** Fields in order, of the objects met here. */
  readonly fields: ReadonlyMap<string, Shape>;
  /** What the arrays met here hold; null while all were empty. */
  readonly elements: Shape | null;
}

const KINDS: ReadonlyArray<readonly [string, RegExp]> = [
  ['guid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  // From the database: microseconds, trailing zeros trimmed, an offset.
  ['date', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?\+00:00$/],
  // Made in process: ticks of 100 ns, Z.
  ['timestamp', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z$/],
  ['timespan', /^-?(\d+\.)?\d\d:\d\d:\d\d(\.\d{7})?$/],
];

function kindOf(value: string | number | boolean | null): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'fraction';
  if (typeof value !== 'string') return 'boolean';
  return KINDS.find(([, pattern]) => pattern.test(value))?.[0] ?? 'text';
}

export function shapeOf(value: JsonValue): Shape {
  if (isArray(value)) {
    const elements = value.length === 0 ? null : value.map(shapeOf).reduce(union);
    return { kinds: new Set(['array']), fields: new Map(), elements };
  }
  if (typeof value === 'object' && value !== null) {
    const fields = new Map(Object.entries(value).map(([name, field]) => [name, shapeOf(field)]));
    return { kinds: new Set(['object']), fields, elements: null };
  }
  return { kinds: new Set([kindOf(value)]), fields: new Map(), elements: null };
}

function union(a: Shape, b: Shape): Shape {
  const fields = new Map(a.fields);
  for (const [name, shape] of b.fields) {
    const known = fields.get(name);
    fields.set(name, known === undefined ? shape : union(known, shape));
  }
  const elements =
    a.elements === null || b.elements === null
      ? (a.elements ?? b.elements)
      : union(a.elements, b.elements);
  return { kinds: new Set([...a.kinds, ...b.kinds]), fields, elements };
}

/**
 * Where a simulated shape says what the recorded one does not: other field names or another order, another
 * kind of value. A field that was always null in the recordings may be anything; a whole number may stand for
 * a fraction. `nullable` names fields that JIM may leave null though none of these recordings does.
 */
export function differences(
  recorded: Shape,
  simulated: Shape,
  nullable: ReadonlySet<string>,
  path = '',
): readonly string[] {
  const found: string[] = [];
  const onlyNull = recorded.kinds.size === 1 && recorded.kinds.has('null');
  for (const kind of simulated.kinds) {
    const isKnown =
      recorded.kinds.has(kind) ||
      onlyNull ||
      (kind === 'null' && nullable.has(path.slice(path.lastIndexOf('.') + 1))) ||
      (kind === 'integer' && recorded.kinds.has('fraction'));
    if (!isKnown) found.push(`${path} is ${kind}, recorded ${[...recorded.kinds].join(' or ')}`);
  }
  const names = [...recorded.fields.keys()].join(', ');
  const simulatedNames = [...simulated.fields.keys()].join(', ');
  const hasFields = recorded.fields.size > 0 && simulated.fields.size > 0;
  if (hasFields && names !== simulatedNames) {
    found.push(`${path} has ${simulatedNames}, recorded ${names}`);
  }
  for (const [name, field] of simulated.fields) {
    const other = recorded.fields.get(name);
    if (other !== undefined) found.push(...differences(other, field, nullable, `${path}.${name}`));
  }
  if (recorded.elements !== null && simulated.elements !== null) {
    found.push(...differences(recorded.elements, simulated.elements, nullable, `${path}[]`));
  }
  return found;
}
