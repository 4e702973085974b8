/**
 * The label values of Activities as they are met: names are admitted or folded, words kept or reported
 * (design, section 2, rules 1, 10 and 11). How one name is decided on stands in `labels.ts`.
 */
import type { Activity } from '../jim/activity.ts';
import { connectedSystemOf, isKnownStatus, isRun } from '../jim/activity.ts';
import type { Word } from './labels.ts';
import { admit, admitWord, labelValue, nameAs, noteUnknownWord, runLabelsAs } from './labels.ts';
import type { Admissions, Open, RunLabels } from './ledger.ts';
import { runKey } from './ledger.ts';

/** The label values of one Activity; `run` is null for what is no run. */
export type Labelled = Pick<Open, 'targetType' | 'operation' | 'connectedSystem' | 'run'>;

export type NamingEvent =
  | { readonly kind: 'unrecognised'; readonly field: string; readonly word: string }
  | { readonly kind: 'folded'; readonly count: number };

export class Naming {
  readonly #nowMs: number;
  readonly #tell: (event: NamingEvent) => void;
  /** By target context and name: of a catch-up's thousands of rows most are runs of the same few run profiles. */
  readonly #names = new Map<string | null, Map<string | null, readonly Names[]>>();
  #admissions: Admissions;

  constructor(admissions: Admissions, nowMs: number, tell: (event: NamingEvent) => void) {
    this.#admissions = admissions;
    this.#nowMs = nowMs;
    this.#tell = tell;
  }

  get admissions(): Admissions {
    return this.#admissions;
  }

  /** Admits or folds all names of an observation together, so that their order in it does not matter. */
  admit(activities: readonly Activity[]): void {
    const names = activities.map((activity) => this.#namesOf(activity));
    const systemNames = names.map(({ connectedSystem }) => connectedSystem);
    const runKeys = names.flatMap(({ run }) => (run === null ? [] : run.key));
    const systems = admit(this.#admissions, 'connectedSystems', systemNames, this.#nowMs);
    const runs = admit(systems.admissions, 'runs', runKeys, this.#nowMs);
    this.#admissions = runs.admissions;
    const count = systems.newlyFolded + runs.newlyFolded;
    if (count > 0) this.#tell({ kind: 'folded', count });
  }

  /** The same reference for the same names: nothing is admitted between two rows of an observation. */
  labelsOf(activity: Activity): Labelled {
    const names = this.#namesOf(activity);
    return (names.labelled ??= this.#labelled(activity, names));
  }

  #labelled(activity: Activity, names: Names): Labelled {
    const targetType = this.#word('targetType', activity.targetType);
    const operation = this.#word('operation', activity.operation);
    const connectedSystem = nameAs(this.#admissions, 'connectedSystems', names.connectedSystem);
    if (names.run === null) return { targetType, operation, connectedSystem, run: null };
    const { labels, key } = names.run;
    const run = {
      ...runLabelsAs(this.#admissions, labels, key),
      runType: this.#word('runType', labels.runType),
    };
    return { targetType, operation, connectedSystem, run };
  }

  /** Asked for to admit and again to label: cleaned once. */
  #namesOf(activity: Activity): Names {
    const { targetContext, targetName } = activity;
    const ofTarget = this.#names.get(targetContext)?.get(targetName) ?? [];
    const known = ofTarget.find(({ of }) => isOfOneKind(of, activity));
    if (known !== undefined) return known;
    const names = namesOf(activity);
    const ofContext = this.#names.get(targetContext) ?? new Map<string | null, readonly Names[]>();
    this.#names.set(targetContext, ofContext.set(targetName, [...ofTarget, names]));
    return names;
  }

  /** A status word unknown to us is reported once; its Activity counts as in progress. */
  noteStatus(word: string): void {
    if (!isKnownStatus(word))
      this.#note('status', word, noteUnknownWord(this.#admissions, 'status', word));
  }

  #word(field: 'targetType' | 'operation' | 'runType', word: string): string {
    return this.#note(field, word, admitWord(this.#admissions, field, word));
  }

  #note(field: string, word: string, { value, admissions, unrecognised }: Word): string {
    this.#admissions = admissions;
    if (unrecognised) this.#tell({ kind: 'unrecognised', field, word });
    return value;
  }
}

/** Names as label values, before they are admitted or folded. */
interface Names {
  /** One of the Activities that have them. */
  readonly of: Activity;
  labelled: Labelled | null;
  readonly connectedSystem: string;
  readonly run: { readonly labels: RunLabels; readonly key: string } | null;
}

function isOfOneKind(a: Activity, b: Activity): boolean {
  return a.runType === b.runType && a.operation === b.operation && a.targetType === b.targetType;
}

function namesOf(activity: Activity): Names {
  const of = activity;
  const connectedSystem = labelValue(connectedSystemOf(activity));
  if (!isRun(activity)) return { of, labelled: null, connectedSystem, run: null };
  const labels: RunLabels = {
    connectedSystem: labelValue(activity.targetContext ?? ''),
    runProfile: labelValue(activity.targetName ?? ''),
    runType: labelValue(activity.runType),
  };
  return { of, labelled: null, connectedSystem, run: { labels, key: runKey(labels) } };
}
