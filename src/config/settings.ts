/**
 * Settings from several layers, read section by section. What is wrong is collected, not thrown, so that all
 * of it can be told at once, each with the place where somebody wrote it.
 */
import type { Secret } from './secret.ts';
import { didYouMean, secretInFile, shown } from './values.ts';
import type { Parser } from './values.ts';
import type { YamlPath } from './yaml.ts';

export interface Fault {
  /** A flag (`--jim.url`), a variable (`JIM_URL`), a key with its line (`jim.yaml:3: jim.url`), or a key that stands nowhere. */
  readonly where: string;
  /** What is wrong and what to do, in one sentence without a full stop. */
  readonly message: string;
}

/** A value as somebody wrote it, and where. */
export interface Given {
  readonly value: unknown;
  readonly where: string;
  /** What a relative path in it starts from. */
  readonly folder: string;
}

export interface SettingsFile {
  /** As the user named it. */
  readonly name: string;
  readonly folder: string;
  readonly value: unknown;
  lineOf(path: YamlPath): number | null;
}

export interface Settings {
  readonly root: Section;
  readonly faults: readonly Fault[];
  /** A fault about several settings at once; told at the first of them, and only while none of them has one of its own. */
  contradiction(paths: readonly string[], message: string): void;
}

export interface Section {
  /** Its keys that were written in the file, in their order. */
  readonly keys: readonly string[];
  /** Reports every key in the file that is none of these. */
  only(known: readonly string[]): Section;
  /** The value, or `fallback` where it is not set (or has a fault, which is then noted). */
  value<T>(key: string, parser: Parser<T>, fallback: T): T;
  /** As `value`; that it is not set is a fault too, and `help` says how to set it. */
  required<T>(key: string, parser: Parser<T>, placeholder: T, help: string): T;
  /** `key` or `key_file`, never both; null where neither is set. */
  secret(
    key: string,
    parser: Parser<Secret>,
    faultOf: (secret: string) => string | null,
  ): Secret | null;
  section(key: string): Section;
  /** A list of sections. */
  sections(key: string): readonly Section[];
  isSet(key: string): boolean;
  fault(key: string, message: string): void;
  /** That a key is not set, and what to do; said only of a section that could be read. */
  missing(key: string, help: string): void;
  /** The dotted path of a key, as `contradiction` wants it. */
  pathOf(key: string): string;
}

/** `given`: what flags and environment say, by dotted path; it goes before the file. */
export function readSettings(
  file: SettingsFile | null,
  given: ReadonlyMap<string, Given>,
): Settings {
  const faults: Fault[] = [];
  const faulty = new Set<string>();

  function fault(path: YamlPath, message: string): void {
    faulty.add(dotted(path));
    faults.push({ where: given.get(dotted(path))?.where ?? whereInFile(path), message });
  }

  function whereInFile(path: YamlPath): string {
    const line = file?.lineOf(path) ?? null;
    if (file !== null && path.length === 0) return file.name;
    return file === null || line === null ? dotted(path) : `${file.name}:${line}: ${dotted(path)}`;
  }

  /** `isSound`: every section around it could be read. */
  function sectionAt(path: YamlPath, written: unknown, isSound = true): Section {
    const mapping = isMapping(written) ? written : {};
    const isReadable = isSound && (written === null || isMapping(written));
    if (isSound && !isReadable) {
      fault(
        path,
        `${shown(written)} is no section; write its keys below it, each on an indented line`,
      );
    }
    const at = (key: string): YamlPath => [...path, key];

    /** From the file alone: null is not set, as in `url:` with nothing after it. */
    function inFile(key: string): Given | null {
      const value = Object.hasOwn(mapping, key) ? mapping[key] : null;
      if (value === null || file === null) return null;
      return { value, where: whereInFile(at(key)), folder: file.folder };
    }
    const find = (key: string): Given | null => given.get(dotted(at(key))) ?? inFile(key);

    function parse<T>(key: string, here: Given, parser: Parser<T>, fallback: T): T {
      const parsed = parser(here.value, here.folder);
      if ('value' in parsed) return parsed.value;
      fault(at(key), parsed.fault);
      return fallback;
    }

    const section: Section = {
      keys: Object.keys(mapping),
      only(known) {
        for (const key of Object.keys(mapping)) {
          if (!known.includes(key)) fault(at(key), unknownKey(key, known));
        }
        return section;
      },
      value(key, parser, fallback) {
        const here = find(key);
        return here === null ? fallback : parse(key, here, parser, fallback);
      },
      required(key, parser, placeholder, help) {
        const here = find(key);
        if (here !== null) return parse(key, here, parser, placeholder);
        section.missing(key, help);
        return placeholder;
      },
      secret(key, parser, faultOf) {
        const fileKey = `${key}_file`;
        const isGiven = [key, fileKey].some((name) => given.has(dotted(at(name))));
        const lookUp = isGiven ? (name: string) => given.get(dotted(at(name))) ?? null : inFile;
        const [value, fromFile] = [lookUp(key), lookUp(fileKey)];
        if (value !== null && fromFile !== null) {
          fault(at(key), `is set together with ${fileKey}; keep one of them`);
          return null;
        }
        if (value !== null) return parse<Secret | null>(key, value, parser, null);
        if (fromFile !== null) {
          return parse<Secret | null>(fileKey, fromFile, secretInFile(faultOf), null);
        }
        return null;
      },
      section: (key) => sectionAt(at(key), inFile(key)?.value ?? null, isReadable),
      sections(key) {
        const list = inFile(key)?.value ?? [];
        if (!Array.isArray(list)) {
          fault(at(key), `${shown(list)} is no list; start each of its entries with a dash`);
          return [];
        }
        return list.map((entry: unknown, i) => sectionAt([...at(key), i], entry));
      },
      isSet: (key) => find(key) !== null,
      fault: (key, message) => fault(at(key), message),
      missing(key, help) {
        if (isReadable) fault(at(key), `is missing; ${help}`);
      },
      pathOf: (key) => dotted(at(key)),
    };
    return section;
  }

  return {
    root: sectionAt([], file?.value ?? null),
    faults,
    contradiction(paths, message) {
      const [first] = paths;
      if (first === undefined || paths.some((path) => faulty.has(path))) return;
      faults.push({ where: given.get(first)?.where ?? whereInFile(undotted(first)), message });
    },
  };
}

function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = didYouMean(key, known);
  return `is no key known here${suggestion === '' ? `; known are ${known.join(', ')}` : suggestion}`;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `alerting.alertmanagers[0].url` */
function dotted(path: YamlPath): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

function undotted(path: string): YamlPath {
  return path
    .split(/[.[\]]+/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}
