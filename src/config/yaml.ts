/** Reads YAML text strictly into plain values, and remembers where each stands. The only place that knows the YAML library. */
import { LineCounter, isMap, isNode, isSeq, parseDocument, visit } from 'yaml';
import type { ErrorCode } from 'yaml';

/** A path into the values: keys and list positions. */
export type YamlPath = readonly (string | number)[];

export type ParsedYaml =
  | {
      readonly ok: true;
      /** Plain values; null for an empty text. */
      readonly value: unknown;
      /** The line (from 1) of a key or, where the path leads nowhere, of its nearest ancestor; null for the whole text. */
      lineOf(path: YamlPath): number | null;
    }
  | { readonly ok: false; readonly faults: readonly YamlFault[] };

export interface YamlFault {
  readonly line: number | null;
  /** What is wrong, in our words: the library's quote the source, which may hold a secret. */
  readonly message: string;
}

/** YAML 1.2 (`no` and `off` are words), one document, no duplicate keys, no merge keys or custom tags. Never throws. */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line;

  // An unknown tag is only a warning to the library, and would pass as a plain string.
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    return {
      ok: false,
      faults: problems.map(({ pos, code }) => ({
        line: lineAt(pos[0]),
        message: sentenceOf(code),
      })),
    };
  }
  const danglingAliases: YamlFault[] = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      const line = alias.range ? lineAt(alias.range[0]) : null;
      danglingAliases.push({ line, message: sentenceOf('BAD_ALIAS') });
    },
  });
  if (danglingAliases.length > 0) return { ok: false, faults: danglingAliases };

  let value: unknown;
  try {
    value = document.toJS();
  } catch {
    // The library's guard against aliases that multiply.
    return { ok: false, faults: [{ line: null, message: sentenceOf('RESOURCE_EXHAUSTION') }] };
  }

  function lineOf(path: YamlPath): number | null {
    let node: unknown = document.contents;
    let line: number | null = null;
    for (const step of path) {
      const next = childOf(node, step);
      if (next === null) break;
      line = next.offset === null ? line : lineAt(next.offset);
      node = next.node;
    }
    return line;
  }
  return { ok: true, value, lineOf };
}

function childOf(
  node: unknown,
  step: string | number,
): { node: unknown; offset: number | null } | null {
  if (isMap(node)) {
    const pair = node.items.find(
      ({ key }) => isNode(key) && 'value' in key && String(key.value) === String(step),
    );
    if (pair === undefined) return null;
    return { node: pair.value, offset: isNode(pair.key) ? (pair.key.range?.[0] ?? null) : null };
  }
  if (isSeq(node) && typeof step === 'number') {
    const item = node.items[step];
    if (item === undefined) return null;
    return { node: item, offset: isNode(item) ? (item.range?.[0] ?? null) : null };
  }
  return null;
}

function sentenceOf(code: ErrorCode): string {
  return SENTENCES[code] ?? 'this is not valid YAML; check indentation, colons and quotes';
}

const SENTENCES: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_ALIAS:
    'an alias (*name) has no anchor (&name) before it; put text that starts with * in quotes',
  BAD_DQ_ESCAPE: 'a double-quoted text has an escape that YAML does not know; use single quotes',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_SCALAR_START: 'a text starts with a character that YAML reserves; put it in quotes',
  DUPLICATE_KEY: 'this key stands twice in its section; keep one',
  MISSING_CHAR: 'a closing quote or bracket, a comma, or the space after a colon is missing',
  MULTIPLE_DOCS: 'the file holds more than one document; remove what follows the second ---',
  RESOURCE_EXHAUSTION: 'too many aliases or too deep a nesting',
  TAB_AS_INDENT: 'a tab is used for indentation; use spaces',
  TAG_RESOLVE_FAILED:
    'a tag (!name) is used, which this file does not know; put the text in quotes',
};
