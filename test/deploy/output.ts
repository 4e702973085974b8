/** What a program writes, both streams as one, and how it ends. */
import type { ChildProcess } from 'node:child_process';

export interface Output {
  readonly text: () => string;
  /** The exit code; null after a signal. */
  readonly ended: Promise<number | null>;
  /** Resolves with the match once it is written; rejects when the program ends before. */
  match(pattern: RegExp): Promise<RegExpExecArray>;
  /** To its whole process group, as Ctrl+C in a terminal does; it was started `detached`. */
  interrupt(): void;
}

export function outputOf(program: ChildProcess): Output {
  let text = '';
  for (const stream of [program.stdout, program.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const ended = new Promise<number | null>((resolve) => program.on('close', resolve));
  return {
    text: () => text,
    ended,
    interrupt: () => {
      if (program.pid !== undefined) process.kill(-program.pid, 'SIGINT');
    },
    match: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(text);
          if (found !== null) resolve(found);
        };
        for (const stream of [program.stdout, program.stderr]) stream?.on('data', look);
        void ended.then(() => reject(new Error(`it ended without ${String(pattern)}:\n${text}`)));
      }),
  };
}
