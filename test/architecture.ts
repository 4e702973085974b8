/**
 * The architecture as rules over source text: which room may import which, where each library enters, what the pure
 * core must not touch, where time and chance come from. A rule broken is a sentence that names file and rule.
 */
import { posix } from 'node:path';

/** Path below the repository → text. */
export type Tree = ReadonlyMap<string, string>;

/**
 * Value imports between rooms; types and the log are free to all. A room is a file or folder directly in src/; one
 * file of a room can be named where only that one is meant. Arrows point down: whoever stands lower knows nobody above.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'main.ts': [
    'fetch-classes.ts',
    'app.ts',
    'cli',
    'config',
    'demo',
    'build-info.ts',
    'scheduler.ts', // its judgement of schedules goes into the configuration
    'surroundings.ts',
    'alertmanager/client.ts', // for test-alert, which talks to the Alertmanagers alone
  ],
  demo: ['app.ts', 'jim', 'http.ts'],
  'app.ts': [
    'poll',
    'jim',
    'ledger',
    'metrics',
    'alertmanager',
    'web',
    'config',
    'http.ts',
    'scheduler.ts',
    'app-settings.ts',
    'timetable.ts',
    'page-from-parts.ts',
    'request-meter.ts',
  ],
  // What each part of the app takes from the configuration, and when each has its turn.
  'app-settings.ts': ['jim/activity.ts'],
  'timetable.ts': ['poll', 'scheduler.ts'],
  // What the status page shows of a snapshot: the page itself knows neither ledger nor JIM.
  'page-from-parts.ts': ['ledger', 'jim/activity.ts'],
  // check-config judges the web configuration file too; the Activities commands ask JIM by themselves.
  cli: ['config', 'jim', 'http.ts', 'request-error.ts', 'web/web-config.ts', 'alertmanager'],
  poll: ['jim', 'ledger', 'metrics', 'alertmanager', 'request-error.ts'],
  alertmanager: ['http.ts', 'request-error.ts', 'ledger', 'jim/activity.ts'],
  metrics: ['ledger', 'jim/activity.ts', 'jim/words.ts'],
  ledger: ['jim/activity.ts', 'jim/words.ts'],
  // The web configuration file is read with the same tools as our own.
  web: ['metrics/publication.ts', 'config'],
  jim: ['http.ts', 'request-error.ts'],
  'surroundings.ts': ['http.ts'],
  'http.ts': ['network-failure.ts', 'request-error.ts'],
  'network-failure.ts': ['request-error.ts'],
  'fetch-classes.ts': ['without-node-fetch.ts'],
  'build-stamp.ts': ['build-info.ts'],
  // What runs the built program imports nothing of it.
  'launch.ts': ['compiled-program.ts'],
  'code-cache.ts': ['compiled-program.ts'],
};

/** Each library enters at one place, so that replacing it changes one place. */
const LIBRARY_PLACES: Readonly<Record<string, RegExp>> = {
  '@hono/node-server': /^src\/web\//,
  '@node-rs/bcrypt': /^src\/web\//,
  commander: /^src\/cli\/arguments\.ts$/,
  'csv-stringify': /^src\/cli\/list\.ts$/,
  hono: /^src\/(web|demo)\//,
  'node-cron': /^src\/scheduler\.ts$/,
  pino: /^src\/log\.ts$/,
  'prom-client': /^src\/metrics\/runtime\.ts$/,
  'string-width': /^src\/cli\/terminal\.ts$/,
  undici: /^src\/(http|fetch-classes)\.ts$/,
  yaml: /^src\/config\/yaml\.ts$/,
  zod: /^src\/jim\/wire(-\w+)?\.ts$/,
};

/** Values in, values out: neither node: nor a package, so that every input is an argument. */
const PURE = [
  /^src\/jim\/(activity|words|row|moments|dialect)\.ts$/,
  /^src\/ledger\/(?!(state-file|lock|encoding)\.ts$)/,
  /^src\/metrics\/(catalogue|snapshot|exposition)\b/,
  /^src\/alertmanager\/(alerts|annotations)\.ts$/,
];

/** Where the clock and chance come from; everybody else gets them as arguments. */
const CLOCKS = /^src\/(surroundings|log|build-stamp|app|main|demo\/demo)\.ts$/;
const CLOCK_READING = /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bMath\.random\b/;

/** Timers that a clock argument cannot stand for: sockets, the process itself, giving way to the event loop; a script for browsers. */
const TIMERS =
  /^src\/(surroundings|app|main|scheduler|http|web\/(page-look|server|protocols|request-listener)|ledger\/(lock|state-file)|metrics\/publication|demo\/(demo|transport|server))\.ts$/;
const TIMER = /\bset(Timeout|Interval|Immediate)\b/;

/** `error-types.ts` names its subject, `types.ts` and `string-utils.ts` do not. */
const VAGUE_NAMES = /\/(types|misc|shared|index)\.ts$|[/-](utils?|common|helpers?)\.ts$/;

/** All that is wrong with the files of src/; empty where the architecture holds. */
export function architectureFaults(tree: Tree): readonly string[] {
  return [...tree].flatMap(([path, text]) => {
    const code = withoutComments(text);
    const imports = importsOf(code);
    return [
      ...imports.flatMap((entry) => importFaults(path, entry)),
      ...textFaults(path, code),
      ...(VAGUE_NAMES.test(path)
        ? [`${path}: name the subject, not "${posix.basename(path)}"`]
        : []),
    ];
  });
}

/** Value imports between the given rooms as `a --> b`, each once; file endings left out. */
export function arrowsBetween(tree: Tree, rooms: readonly string[]): readonly string[] {
  const arrows = [...tree].flatMap(([path, text]) =>
    importsOf(withoutComments(text))
      .filter(({ target, isType }) => target.startsWith('.') && !isType)
      .map(({ target }) => [roomOf(path), roomOf(resolved(path, target))])
      .map((ends) => ends.map((room) => room.replace(/\.ts$/, '')))
      .filter(([from, to]) => from !== to)
      .filter((ends) => ends.every((room) => rooms.includes(room)))
      .map(([from, to]) => `${from} --> ${to}`),
  );
  return [...new Set(arrows)].toSorted();
}

function importFaults(path: string, { target, isType }: Import): readonly string[] {
  if (target.startsWith('.')) return roomFaults(path, resolved(path, target), isType);
  if (PURE.some((pattern) => pattern.test(path)) && !isType) {
    return [`${path}: the pure core must not import ${target}`];
  }
  if (target.startsWith('node:')) return [];
  const name = target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
  const place = LIBRARY_PLACES[name];
  if (place === undefined) return [`${path}: ${name} is a library without a place`];
  return place.test(path) ? [] : [`${path}: ${name} must not enter here`];
}

function roomFaults(from: string, to: string, isType: boolean): readonly string[] {
  const [here, there] = [roomOf(from), roomOf(to)];
  if (here === there || there === 'log.ts') return [];
  if (there === 'main.ts') return [`${from}: nothing imports main`];
  if (there === 'demo' && here !== 'main.ts') return [`${from}: only main imports the demo`];
  if (isType) return [];
  const allowed = MAY_IMPORT[here] ?? [];
  const inRoom = to.replace(/^src\//, '');
  if (allowed.includes(there) || allowed.includes(inRoom)) return [];
  return [`${from}: ${here} must not import ${inRoom}`];
}

function textFaults(path: string, code: string): readonly string[] {
  const faults: string[] = [];
  if (/\bexport\s+(type\s+)?(\*|\{[^}]*\})\s*(as\s+\w+\s*)?from\b/.test(code)) {
    faults.push(`${path}: exports what another file owns (a barrel)`);
  }
  if (/\bexport\s+default\b/.test(code)) faults.push(`${path}: a default export`);
  if (!CLOCKS.test(path) && CLOCK_READING.test(code)) {
    faults.push(`${path}: reads the clock or chance, which are arguments`);
  }
  if (!TIMERS.test(path) && TIMER.test(code)) {
    faults.push(`${path}: sets a timer, which a clock argument should`);
  }
  return faults;
}

interface Import {
  readonly target: string;
  /** Gone after compilation. */
  readonly isType: boolean;
}

function importsOf(code: string): readonly Import[] {
  const named = /\bimport\s+(type\s+)?([^;'"()]*?)\s*from\s*['"]([^'"]+)['"]/g;
  const bare = /\bimport\s*\(?\s*['"]([^'"]+)['"]/g;
  return [
    ...Array.from(code.matchAll(named), ([, type, names = '', target = '']) => ({
      target,
      isType: type !== undefined || isTypesOnly(names),
    })),
    ...Array.from(code.matchAll(bare), ([, target = '']) => ({ target, isType: false })),
  ];
}

/** `{ type A, type B }` */
function isTypesOnly(names: string): boolean {
  const items = /^\{([^}]*)\}$/.exec(names)?.[1]?.split(',') ?? [''];
  const written = items.map((item) => item.trim()).filter((item) => item !== '');
  return written.length > 0 && written.every((item) => item.startsWith('type '));
}

function resolved(from: string, target: string): string {
  return posix.join(posix.dirname(from), target);
}

function roomOf(path: string): string {
  return path.split('/')[1] ?? path;
}

/** Comments give examples and names; only code is judged. Strings stay, since imports are strings. */
export function withoutComments(text: string): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return text.replace(token, (found) => (/^\/[/*]/.test(found) ? ' ' : found));
}
