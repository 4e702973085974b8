/**
 * Carries out a Dockerfile without Docker, as no image registry can be reached where the tests run: each stage is an
 * overlay over this machine's own files, seen through chroot in a mount namespace. So what is tested are the Dockerfile's
 * own instructions, not a copy of them. What differs from a real build: the base is this machine with its Node, a
 * stage is removed with its folder, and the layer of `npm ci` comes from a cache where this repository's own
 * node_modules are what it would make. Needs root and the right to mount, see `lacksMounts`.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { promisify } from 'node:util';
import { DockerfileParser } from 'dockerfile-ast';
import type { Copy, Instruction, JSONInstruction, PropertyInstruction } from 'dockerfile-ast';

/** What the last stage says about running it. */
export interface Image {
  readonly stage: Stage;
  readonly labels: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** As in `65532:65532`. */
  readonly user: string;
  readonly volumes: readonly string[];
  readonly ports: readonly string[];
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
}

interface Stage {
  readonly name: string;
  /** What this stage wrote, by its path in the image; the overlay's upper folder. */
  readonly written: string;
  readonly work: string;
  readonly mountPoint: string;
  /** Layers of the builder's cache, mounted over what the stage wrote. */
  readonly cached: { readonly from: string; readonly at: string }[];
}

export function parseDockerfile(path: string): readonly Instruction[] {
  return DockerfileParser.parse(readFileSync(path, 'utf8')).getInstructions();
}

/** Why this machine cannot do it; null where it can. */
export function lacksMounts(): string | null {
  try {
    execFileSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'mounts are not permitted here: it takes root in a machine or container that may unshare';
  }
}

interface BuildState {
  readonly stages: Map<string, Stage>;
  /** This repository, installed. */
  readonly installed: string;
  stage: Stage;
  workdir: string;
  readonly args: Map<string, string>;
  environment: Record<string, string>;
}

/**
 * `context`: the folder that COPY takes from; it must hold only what .dockerignore lets through. `scratch`: an empty folder
 * on a tmpfs, since an overlay's upper folder must not lie on an overlay. `installed`: where `npm ci` has been run
 * before, as in the builder's cache. `buildArgs` as with --build-arg.
 */
export async function buildImage(options: {
  readonly dockerfile: string;
  readonly context: string;
  readonly scratch: string;
  readonly installed: string;
  readonly buildArgs: Readonly<Record<string, string>>;
}): Promise<Image> {
  const image = {
    labels: {} as Record<string, string>,
    user: 'root',
    volumes: [] as string[],
    ports: [] as string[],
    entrypoint: [] as readonly string[],
    healthcheck: [] as readonly string[],
  };
  const state: BuildState = {
    stages: new Map(),
    installed: options.installed,
    stage: newStage(options.scratch, 'none'),
    workdir: '/',
    args: new Map(),
    environment: {},
  };
  for (const instruction of parseDockerfile(options.dockerfile)) {
    const words = instruction.getArguments().map((argument) => argument.getValue());
    switch (instruction.getKeyword()) {
      case 'FROM':
        state.stage = newStage(options.scratch, words[2] ?? 'final');
        state.stages.set(state.stage.name, state.stage);
        [state.workdir, state.environment] = ['/', {}];
        break;
      case 'ARG': {
        const [name, value] = assignment(words[0] ?? '');
        state.args.set(name, options.buildArgs[name] ?? value);
        break;
      }
      case 'ENV':
        for (const [name, value] of properties(instruction, state)) state.environment[name] = value;
        break;
      case 'LABEL':
        for (const [name, value] of properties(instruction, state)) image.labels[name] = value;
        break;
      case 'WORKDIR':
        state.workdir = words[0] ?? '/';
        mkdirSync(inStage(state.stage, state.workdir), { recursive: true });
        break;
      case 'COPY':
        copy(instruction as Copy, words, state, options.context);
        break;
      case 'RUN':
        await run(instruction.getRawArgumentsContent() ?? '', state);
        break;
      case 'USER':
        image.user = words[0] ?? '';
        break;
      case 'VOLUME':
        image.volumes.push(...words);
        break;
      case 'EXPOSE':
        image.ports.push(...words);
        break;
      case 'ENTRYPOINT':
        image.entrypoint = execForm(instruction as JSONInstruction);
        break;
      case 'HEALTHCHECK':
        image.healthcheck = execForm(instruction as JSONInstruction);
        break;
      default:
        throw new Error(
          `${instruction.getKeyword()} is not known here; teach it to ${basename(import.meta.url)}`,
        );
    }
  }
  return { ...image, stage: state.stage, environment: state.environment };
}

/** The path in this machine of what the image wrote at `path`. */
export function fileOf(image: Image, path: string): string {
  return inStage(image.stage, path);
}

/**
 * Starts the entrypoint as `docker run --read-only --cap-drop ALL` does: the image's user without any right, all
 * read-only but the volumes, nothing of our environment.
 */
export function startImage(image: Image, args: readonly string[]): ChildProcess {
  const [uid = '', gid = uid] = image.user.split(':');
  const volumes = image.volumes.map((path) => ({ path, source: inStage(image.stage, path) }));
  const mounts = [
    ...volumes.map(
      ({ path, source }) => `mount --bind '${source}' '${image.stage.mountPoint}${path}'`,
    ),
    `mount -o remount,ro '${image.stage.mountPoint}'`,
  ];
  const command = [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
    '--inh-caps=-all',
    ...image.entrypoint,
    ...args,
  ];
  return spawn(
    'unshare',
    [
      '-m',
      'bash',
      '-c',
      script(image.stage, mounts, `exec chroot '${image.stage.mountPoint}' "$@"`),
      'image',
      ...command,
    ],
    {
      env: { PATH: process.env['PATH'], ...image.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
}

function newStage(scratch: string, name: string): Stage {
  const folder = join(scratch, name);
  const stage = {
    name,
    written: join(folder, 'written'),
    work: join(folder, 'work'),
    mountPoint: join(folder, 'root'),
    cached: [],
  };
  for (const path of [stage.written, stage.work, stage.mountPoint])
    mkdirSync(path, { recursive: true });
  return stage;
}

/** Mounts the stage, then `mounts`, then does `last`; all of it ends with the namespace. */
function script(stage: Stage, mounts: readonly string[], last: string): string {
  const overlay = `lowerdir=/,upperdir=${stage.written},workdir=${stage.work}`;
  return [
    'set -e',
    `mount -t overlay overlay -o '${overlay}' '${stage.mountPoint}'`,
    ...['proc', 'dev'].map((name) => `mount --rbind /${name} '${stage.mountPoint}/${name}'`),
    ...stage.cached.flatMap(({ from, at }) => [
      `mkdir -p '${stage.mountPoint}${at}'`,
      `mount --bind -o ro '${from}' '${stage.mountPoint}${at}'`,
    ]),
    ...mounts,
    last,
  ].join('\n');
}

async function run(command: string, state: BuildState): Promise<void> {
  if (command === 'npm ci --ignore-scripts' && isInstalled(state)) {
    const folder = 'node_modules';
    state.stage.cached.push({
      from: join(state.installed, folder),
      at: posix.join(state.workdir, folder),
    });
    return;
  }
  const root = state.stage.mountPoint;
  const inner = `cd '${state.workdir}' && ${command}`;
  const last = `exec chroot '${root}' /bin/sh -c "$1"`;
  await promisify(execFile)(
    'unshare',
    ['-m', 'bash', '-c', script(state.stage, [], last), 'run', inner],
    {
      // Of ours only what says where packages come from, and where they are kept; a build machine has that as well.
      // That it is asked first is for speed alone.
      env: {
        ...npmSurroundings(),
        npm_config_prefer_offline: 'true',
        ...Object.fromEntries(state.args),
        ...state.environment,
      },
      maxBuffer: 16 * 1024 * 1024,
    },
  );
}

/**
 * Whether `npm ci` would make in this stage what it made in the repository: the same files lead it, and what it noted
 * of its work there is what the lock file says. No package has an install script (test/deploy/package.e2e.test.ts
 * looks at those in production), so that --ignore-scripts makes no difference.
 */
function isInstalled({ installed, stage, workdir }: BuildState): boolean {
  const inputs = ['package.json', 'package-lock.json', '.npmrc'];
  const textIn = (folder: string, name: string): string | null => {
    const file = join(folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  };
  const areSame = inputs.every(
    (name) => textIn(inStage(stage, workdir), name) === textIn(installed, name),
  );
  const locked = lockedIn(textIn(installed, 'package-lock.json'));
  const there = lockedIn(textIn(installed, 'node_modules/.package-lock.json'));
  return (
    areSame &&
    Object.values(locked).every(({ hasInstallScript }) => hasInstallScript !== true) &&
    Object.entries(there).every(([path, { integrity }]) => locked[path]?.integrity === integrity) &&
    Object.entries(locked).every(
      ([path, { optional }]) => path === '' || path in there || optional === true,
    )
  );
}

interface LockedPackage {
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}

function lockedIn(text: string | null): Readonly<Record<string, LockedPackage>> {
  if (text === null) return {};
  return (JSON.parse(text) as { packages: Record<string, LockedPackage> }).packages;
}

function npmSurroundings(): NodeJS.ProcessEnv {
  const wanted =
    /^(PATH|HOME|(https?|no)_proxy|npm_config_(registry|cafile|userconfig|cache)|NODE_EXTRA_CA_CERTS)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => wanted.test(name)));
}

/** Docker's rule: into `to` when that ends with a slash, the content of a folder rather than the folder. */
function copy(
  instruction: Copy,
  words: readonly string[],
  state: BuildState,
  context: string,
): void {
  const from = instruction
    .getFlags()
    .find((flag) => flag.getName() === 'from')
    ?.getValue();
  const source = from === null || from === undefined ? null : state.stages.get(from);
  if (source === undefined) throw new Error(`COPY --from=${from}: there is no such stage`);
  const to = words.at(-1) ?? '';
  for (const path of words.slice(0, -1)) {
    const file = source === null ? join(context, path) : inStage(source, path);
    if (!existsSync(file)) throw new Error(`COPY ${path}: not in the build's context`);
    const isIntoFolder = to.endsWith('/') && !statSync(file).isDirectory();
    const target = posix.resolve(state.workdir, isIntoFolder ? posix.join(to, basename(path)) : to);
    cpSync(file, inStage(state.stage, target), { recursive: true, verbatimSymlinks: true });
  }
}

function inStage(stage: Stage, path: string): string {
  return join(stage.written, path);
}

/** `NAME=value …` of ARG, without what it is replaced by. */
function assignment(word: string): [name: string, value: string] {
  const [name = '', ...rest] = word.split('=');
  return [name, rest.join('=')];
}

/** `NAME="value" …` of ENV and LABEL. */
function properties(instruction: Instruction, state: BuildState): [name: string, value: string][] {
  return (instruction as PropertyInstruction)
    .getProperties()
    .map((property) => [property.getName(), expanded(property.getValue() ?? '', state)]);
}

function expanded(text: string, { args, environment }: BuildState): string {
  return text.replaceAll(
    /\$\{(\w+)\}/g,
    (_, name: string) => environment[name] ?? args.get(name) ?? '',
  );
}

/** `["node", "main.js"]`: without a shell in between, which would keep signals for itself. */
function execForm(instruction: JSONInstruction): readonly string[] {
  const text = instruction.getRawArgumentsContent() ?? '';
  const list = /\[.*\]$/s.exec(text)?.[0];
  if (list === undefined)
    throw new Error(`${instruction.getKeyword()} is not in exec form: ${text}`);
  return JSON.parse(list) as string[];
}
