/** JIM's recorded answers (test/recordings), as parsed JSON and as raw HTTP answers. */
import { readdirSync, readFileSync } from 'node:fs';

const ROOT = new URL('../recordings/', import.meta.url);

export const RECORDED_VERSIONS = ['0.12', '0.14', 'main'] as const;
export type RecordedVersion = (typeof RECORDED_VERSIONS)[number];

export function recording(version: RecordedVersion, name: string): unknown {
  return JSON.parse(readFileSync(new URL(`${version}/${name}`, ROOT), 'utf8')) as unknown;
}

/** File names of one version that begin with `prefix`. */
export function recordingNames(version: RecordedVersion, prefix: string): readonly string[] {
  return readdirSync(new URL(`${version}/`, ROOT))
    .filter((name) => name.startsWith(prefix))
    .toSorted();
}

export interface RecordedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer of `http/`: status line, headers, empty line, body. */
export function recordedAnswer(name: string): RecordedAnswer {
  const text = readFileSync(new URL(`http/${name}.http`, ROOT), 'utf8').replaceAll('\r\n', '\n');
  const end = text.indexOf('\n\n');
  const [statusLine = '', ...lines] = text.slice(0, end).split('\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 2).trim() };
}
