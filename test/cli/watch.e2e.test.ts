/**
 * `activities watch` as a person and as a pipe see it: the built program on a pseudo-terminal (util-linux's script)
 * and in a pipe, beside each other, on one simulated import of an hour that passes in seconds.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSimulator } from '../../src/demo/simulator.ts';
import { startSimulatorServer } from '../../src/demo/server.ts';
import { DEMO_API_KEY, World } from '../../src/demo/world.ts';
import { runExporter } from '../exporter-process.ts';
import { RUN } from '../poll/rows.ts';
import { requireProgram } from '../programs.ts';

const START_MS = Date.UTC(2026, 10, 23, 6);
const MAIN = new URL('../../dist/main.js', import.meta.url).pathname;
/** The hour takes ten seconds: five looks or so, two seconds apart. */
const SPEED = 360;

test('an hour-long import moves a bar on a terminal, and is plain lines in a pipe', async (context) => {
  const script = requireProgram(context, 'script');
  const world = new World({ seed: 2, startMs: START_MS });
  const id = world.insert({ ...RUN, executed: world.jimNow + 100_000, objectsToProcess: 3_600 });
  for (let second = 10; second < 3_600; second += 10)
    world.update(id, { objectsProcessed: second }, { atMs: START_MS + second * 1_000 });
  const end = { objectsProcessed: 3_600, executionTime: 3_600e6, totalActivityTime: 3_600e6 };
  world.update(id, { ...end, status: 'CompleteWithWarning' }, { atMs: START_MS + 3_600_000 });
  // Time passes once both look: on a busy machine a program takes seconds to start.
  let looks = 0;
  let begunMs = Number.POSITIVE_INFINITY;
  const simulator = createSimulator({
    world,
    now: () => START_MS + Math.max(0, Date.now() - begunMs) * SPEED,
    quirks: { rateLimit: false },
  });
  simulator.onRequest(({ path }) => {
    if (path.endsWith('/progress')) looks += 1;
    if (looks === 3) begunMs = Math.min(begunMs, Date.now());
  });
  const server = await startSimulatorServer(simulator);
  const folder = mkdtempSync(join(tmpdir(), 'jim-watch-'));
  const environment = { JIM_URL: server.url, JIM_API_KEY: DEMO_API_KEY };
  try {
    const [terminal, pipe] = await Promise.all([
      onTerminal(script, `${process.execPath} ${MAIN} activities watch ${id}`, environment),
      runExporter({ folder, environment, args: ['activities', 'watch', id] }),
    ]);

    const drawn = terminal.shown.split('\r\u001B[K').slice(1);
    const last = drawn.pop();
    expect(last).toBe('CompleteWithWarning: 100 %, 3600 of 3600 objects\r\n');
    const filled = drawn.map((look) => /^\[(#*)(\.*)\] \d+ %, /.exec(look));
    expect(filled).not.toContain(null);
    const lengths = filled.map((bar) => bar?.[1]?.length ?? 0);
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
    expect(new Set(lengths).size).toBeGreaterThan(2);
    for (const bar of filled) expect((bar?.[1] ?? '') + (bar?.[2] ?? '')).toHaveLength(20);
    expect(drawn.at(-1)).toMatch(/ left, \d+ a second, \d+ of 3600 objects$/);
    expect(terminal.code).toBe(0);

    const lines = pipe.stdout.split('\n');
    expect(lines.slice(-2)).toEqual(['CompleteWithWarning: 100 %, 3600 of 3600 objects', '']);
    for (const line of lines.slice(0, -2)) expect(line).toMatch(/^\d+ %, .*of 3600 objects$/);
    expect(lines.length).toBeGreaterThan(4);
    expect(pipe).toMatchObject({ code: 0, stderr: '' });
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
});

async function onTerminal(
  script: string,
  command: string,
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly shown: string; readonly code: number | null }> {
  const child = spawn(script, ['-qec', command, '/dev/null'], {
    env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { shown, code };
}
