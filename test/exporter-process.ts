/** Runs the built program (`npm run build` made it) as its users do: arguments and environment in, lines and exit code out. */
import { spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';

const MAIN = new URL('../dist/main.js', import.meta.url).pathname;

export interface ExporterProcess {
  readonly pid: number;
  /** All of stderr, and of stdout, so far. */
  readonly stderr: () => string;
  readonly stdout: () => string;
  /** Resolves with the match once stdout and stderr together hold it; rejects when the process ends or `withinMs` passes before. */
  waitFor(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export interface ExporterOptions {
  readonly args?: readonly string[];
  /** Beside PATH and HOME; nothing else of this process's environment is passed on. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Arguments of Node itself. */
  readonly nodeArgs?: readonly string[];
}

export function startExporter(options: ExporterOptions): ExporterProcess {
  const child = spawn(
    process.execPath,
    [...(options.nodeArgs ?? []), MAIN, ...(options.args ?? [])],
    {
      cwd: options.folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: options.folder,
        TMPDIR: options.folder,
        ...options.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  let isRunning = true;
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      isRunning = false;
      resolve(code ?? signal ?? -1);
    });
  });
  return {
    pid: child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    ended,
    async waitFor(pattern, withinMs = 20_000) {
      const deadline = Date.now() + withinMs;
      for (;;) {
        const match = pattern.exec(stdout + stderr);
        if (match !== null) return match;
        if (!isRunning || Date.now() > deadline) {
          const why = isRunning ? `after ${withinMs} ms` : 'when it ended';
          throw new Error(`no ${String(pattern)} ${why}, but:\n${stdout}${stderr}`);
        }
        await wait(20);
      }
    },
  };
}

/** One whole life of the program: what it wrote and how it ended. */
export async function runExporter(options: ExporterOptions): Promise<{
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}> {
  const exporter = startExporter(options);
  const code = await exporter.ended;
  return { code, stdout: exporter.stdout(), stderr: exporter.stderr() };
}
