/**
 * Label values: cut, cleaned, admitted or folded (design, section 2, rules 10 and 11). A decision is
 * recorded once and never taken again, so that a restart or a lower limit moves no count to another series.
 */
import type { WordField } from '../jim/words.ts';
import { isKnownWord, looksLikeWord } from '../jim/words.ts';
import type { Admissions, RunLabels } from './ledger.ts';
import { OTHER, runKey } from './ledger.ts';

/** Code points a label value keeps. */
const MAX_LABEL_CODE_POINTS = 128;
/** Unknown words admitted per field. */
const MAX_UNKNOWN_WORDS = 50;
/** Folded names remembered per admissible label set: beyond it the oldest are forgotten, and would be counted as folded again. */
const FOLDED_PER_LIMIT = 20;

/** Control characters, and those that reorder or hide text (bidirectional and other format characters). */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const PLAIN = /^[ -~]*$/;

/**
 * A name from JIM as a label value: a quote, a backslash or an emoji stays; control and format characters leave.
 * A newline is a control character that people do type into names: it becomes the escaped `\n` of the exposition, so it stays.
 */
export function labelValue(name: string): string {
  // Nearly every name; a catch-up asks twice for each of hundreds of thousands of rows.
  if (name.length <= MAX_LABEL_CODE_POINTS && PLAIN.test(name)) return name;
  // Bounded first: names of megabytes must not cost a full pass.
  const bounded =
    name.length > MAX_LABEL_CODE_POINTS * 8 ? name.slice(0, MAX_LABEL_CODE_POINTS * 8) : name;
  const clean = bounded.replace(UNSAFE, (character) => (character === '\n' ? '\n' : ''));
  if (clean.length <= MAX_LABEL_CODE_POINTS) return clean;
  return [...clean].slice(0, MAX_LABEL_CODE_POINTS).join('');
}

export type Admitted = { readonly admissions: Admissions; readonly newlyFolded: number };
type Kind = 'runs' | 'connectedSystems' | 'schedules' | 'certificates';

/** The `(other)` label set that a folded run profile counts into: its run type stays. */
function foldedRun(labels: RunLabels): RunLabels {
  return { connectedSystem: OTHER, runProfile: OTHER, runType: labels.runType };
}

/** Decides on names not met before, in code-point order so that the same rows always fold the same names. */
export function admit(
  admissions: Admissions,
  kind: Kind,
  names: Iterable<string>,
  nowMs: number,
): Admitted {
  const unknown = [...new Set(names)].filter(
    (name) =>
      name !== '' && !admissions[kind].has(name) && !admissions.folded.has(foldKey(kind, name)),
  );
  if (unknown.length === 0) return { admissions, newlyFolded: 0 };
  const accepted = new Set(admissions[kind]);
  const folded = new Map(admissions.folded);
  let newlyFolded = 0;
  for (const name of unknown.toSorted(byCodePoint)) {
    if (accepted.size < admissions.limit) {
      accepted.add(name);
    } else {
      folded.set(foldKey(kind, name), nowMs);
      newlyFolded += 1;
    }
  }
  for (const oldest of folded.keys()) {
    if (folded.size <= admissions.limit * FOLDED_PER_LIMIT) break;
    folded.delete(oldest);
  }
  return { admissions: { ...admissions, [kind]: accepted, folded }, newlyFolded };
}

/** The label set a run counts into, once its name was admitted or folded; `key` is the name's. */
export function runLabelsAs(
  admissions: Admissions,
  labels: RunLabels,
  key: string = runKey(labels),
): RunLabels {
  return admissions.runs.has(key) ? labels : foldedRun(labels);
}

/** The value a name is shown as, once it was admitted or folded. */
export function nameAs(admissions: Admissions, kind: Exclude<Kind, 'runs'>, name: string): string {
  return name === '' || admissions[kind].has(name) ? name : OTHER;
}

/** With a higher limit than the one they were folded under, folded names may be admitted when they are met again. */
export function withLimit(admissions: Admissions, limit: number): Admissions {
  if (limit === admissions.limit) return admissions;
  return { ...admissions, limit, folded: limit > admissions.limit ? new Map() : admissions.folded };
}

export interface Word {
  /** The label value. */
  readonly value: string;
  readonly admissions: Admissions;
  /** The word was never met before: to be reported once. */
  readonly unrecognised: boolean;
}

/** An enum word as a label value: known ones as they are, unknown ones while they look like words and are few. */
export function admitWord(
  admissions: Admissions,
  field: Exclude<WordField, 'status'>,
  word: string,
): Word {
  if (isKnownWord(field, word)) return { value: word, admissions, unrecognised: false };
  const { value, admissions: after, unrecognised } = noteUnknownWord(admissions, field, word);
  return { value, admissions: after, unrecognised };
}

/** Remembers an unknown word of a field, so that it is reported once. */
export function noteUnknownWord(admissions: Admissions, field: WordField, word: string): Word {
  const seen = admissions.words[field] ?? [];
  if (seen.includes(word)) return { value: word, admissions, unrecognised: false };
  if (!looksLikeWord(word) || seen.length >= MAX_UNKNOWN_WORDS) {
    const marked = seen.includes(OTHER);
    return {
      value: OTHER,
      admissions: marked
        ? admissions
        : { ...admissions, words: { ...admissions.words, [field]: [...seen, OTHER] } },
      unrecognised: !marked,
    };
  }
  return {
    value: word,
    admissions: { ...admissions, words: { ...admissions.words, [field]: [...seen, word] } },
    unrecognised: true,
  };
}

function foldKey(kind: Kind, name: string): string {
  return `${kind}\u0000${name}`;
}

/** Order by Unicode code points; `<` on strings compares UTF-16 units, which differ for emoji. */
export function byCodePoint(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index += 1) {
    const difference = (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
