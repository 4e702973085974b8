/** What flags and environment say, laid over each other: a flag goes before a variable. Contradictions within a layer are faults. */
import { ENVIRONMENT_PREFIX, environmentName, FLAGS } from './flags.ts';
import type { Flag, FlagValues } from './flags.ts';
import type { Fault, Given } from './settings.ts';
import { didYouMean } from './values.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** By the dotted path that a setting has, or would have, in the configuration file. */
export interface Layers {
  readonly given: ReadonlyMap<string, Given>;
  readonly faults: readonly Fault[];
}

/** The key itself has no flag, as every user of the machine could read it there. */
const API_KEY_VARIABLE = 'JIM_API_KEY';

export function layersOf(
  flags: FlagValues,
  environment: Environment,
  workingFolder: string,
): Layers {
  const given = new Map<string, Given>();
  const faults: Fault[] = [...unknownVariables(environment)];
  for (const flag of FLAGS) {
    const inFlags = flags[flag.name];
    const here: Written | null =
      inFlags === undefined
        ? inEnvironment(flag, environment, faults)
        : { where: `--${flag.name}`, value: inFlags };
    if (here !== null) given.set(settingOf(flag.name), { ...here, folder: workingFolder });
  }
  addApiKey(given, environment, workingFolder, faults);
  return { given, faults };
}

interface Written {
  readonly where: string;
  readonly value: unknown;
}

/** The dotted path of a flag's setting: jim.api_key_file for jim.api-key-file. */
function settingOf(flag: string): string {
  return flag.replaceAll('-', '_');
}

function inEnvironment(flag: Flag, environment: Environment, faults: Fault[]): Written | null {
  const names = [flag.alias, environmentName(flag.name)].filter((name) => name !== null);
  const written = names.flatMap((where) => {
    const value = variable(environment, where);
    return value === null ? [] : [{ where, value }];
  });
  const [first, second] = written;
  if (first === undefined) return null;
  if (second !== undefined && second.value !== first.value) {
    faults.push({
      where: first.where,
      message: `differs from ${second.where}, which sets the same; remove one of them`,
    });
  }
  const value =
    flag.kind === 'list' ? first.value.split(',').map((part) => part.trim()) : first.value;
  return { where: first.where, value };
}

/** An empty variable is as good as none (compose files pass `${X}` so), but for the storage path, where '' has a meaning of its own. */
function variable(environment: Environment, name: string): string | null {
  const value = environment[name];
  if (value === undefined) return null;
  return value === '' && name !== environmentName('storage.path') ? null : value;
}

/** A flag for the key's file beats the variable; two variables of the same rank contradict each other. */
function addApiKey(
  given: Map<string, Given>,
  environment: Environment,
  folder: string,
  faults: Fault[],
): void {
  const value = variable(environment, API_KEY_VARIABLE);
  if (value === null) return;
  const file = given.get('jim.api_key_file');
  if (file?.where.startsWith('--')) return;
  if (file !== undefined) {
    faults.push({
      where: API_KEY_VARIABLE,
      message: `is set together with ${file.where}; keep one of them`,
    });
    return;
  }
  given.set('jim.api_key', { where: API_KEY_VARIABLE, value, folder });
}

/**
 * Kubernetes gives every pod variables for each Service around; for a Service named `jim-exporter` they begin with
 * our prefix (JIM_EXPORTER_SERVICE_HOST, JIM_EXPORTER_PORT_10190_TCP_ADDR), and nobody misspelt anything.
 */
const KUBERNETES_SERVICE =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)?)$/;

function unknownVariables(environment: Environment): Fault[] {
  const known = FLAGS.map((flag) => environmentName(flag.name));
  return Object.keys(environment)
    .filter((name) => name.startsWith(ENVIRONMENT_PREFIX))
    .filter((name) => !known.includes(name) && !KUBERNETES_SERVICE.test(name))
    .map((name) => ({
      where: name,
      message: `is no variable known here${didYouMean(name, [...known, API_KEY_VARIABLE])}`,
    }));
}
