/**
 * `npm run bench`: measures against goals and beside peers in one run, and prints a Markdown table. Ratios hold
 * from machine to machine, absolutes do not. Letters choose (`npm run bench -- a c`), `--quick` takes a minute.
 * Never part of the tests.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { onceStopped, stopAll, stopAllOnInterrupt } from './cleanup.ts';
import type { Effort } from './effort.ts';
import { QUICK, WHOLE } from './effort.ts';
import { measureCatchUp, measureMemory, measureStart } from './processes-measured.ts';
import { measureScrapes } from './scrapes.ts';
import type { Line, Measured } from './table.ts';
import { formatTable, growthLines, isMet, median } from './table.ts';

const MEASUREMENTS: Readonly<Record<string, (effort: Effort) => Promise<Measured>>> = {
  a: measureScrapes,
  b: () => measuredInside('b'),
  c: () => measuredInside('c'),
  d: measureCatchUp,
  e: () => measuredInside('e'),
  f: () => measuredInside('f'),
  g: measureMemory,
  h: measureStart,
};

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const wanted = words.filter((word) => word !== '--quick');
const unknown = wanted.find((letter) => MEASUREMENTS[letter] === undefined);
if (unknown !== undefined) {
  const letters = Object.keys(MEASUREMENTS).join(' ');
  console.error(`There is no measurement ${unknown}: choose of ${letters}, and --quick.`);
  process.exit(2);
}

stopAllOnInterrupt();
try {
  await measureAll(wanted.length > 0 ? wanted : Object.keys(MEASUREMENTS));
} finally {
  await stopAll();
}

async function measureAll(letters: readonly string[]): Promise<void> {
  const begunMs = performance.now();
  const shares = [shareOfCore()];
  const all: Measured[] = [];
  for (const letter of letters) {
    const before = performance.now();
    const measured = await MEASUREMENTS[letter]?.(quick ? QUICK : WHOLE);
    if (measured !== undefined) all.push(measured);
    shares.push(shareOfCore());
    console.error(`(${letter}) took ${((performance.now() - before) / 1_000).toFixed(0)} s`);
  }
  const lines = all.flatMap((measured) => measured.lines);
  const growth = growthLines(all.flatMap(({ points }) => points));
  console.log(formatTable([...lines, ...growth]));
  console.log(`\n${summary(lines)}`);
  for (const note of all.flatMap(({ notes }) => notes)) console.log(note);
  console.log(surroundings(median(shares), (performance.now() - begunMs) / 1_000));
}

function summary(lines: readonly Line[]): string {
  const short = lines.filter((one) => isMet(one) === false);
  const judged = lines.filter((one) => isMet(one) !== null);
  if (short.length === 0) return `All ${judged.length} goals are met.`;
  const names = short.map(({ what }) => `- ${what}`).join('\n');
  return `${short.length} of ${judged.length} goals fall short:\n${names}`;
}

function surroundings(share: number, seconds: number): string {
  const [load = 0] = loadavg();
  const busy =
    share < 0.9
      ? ` Other programs kept it busy, so that absolute results are too bad by up to ${(1 / share).toFixed(1)} ×; ratios to peers hold.`
      : '';
  return `Node ${process.version}, ${cpus().length} cores, load ${load.toFixed(1)}, ${(share * 100).toFixed(0)} % of a core for whoever wanted one; ${seconds.toFixed(0)} s in all.${busy}`;
}

/** How much of a core a busy loop gets: less than all of it where other programs compete. */
function shareOfCore(): number {
  const before = performance.now();
  const cpuBefore = process.cpuUsage();
  while (performance.now() - before < 200);
  const { user, system } = process.cpuUsage(cpuBefore);
  return Math.min(1, (user + system) / 1_000 / (performance.now() - before));
}

/** In a process of its own, whose heap holds nothing else. */
async function measuredInside(letter: string): Promise<Measured> {
  const script = fileURLToPath(new URL('inside.js', import.meta.url));
  const child = fork(script, [letter, quick ? 'quick' : 'whole']);
  const ended = once(child, 'exit');
  const stop = onceStopped(async () => {
    child.kill();
    await ended;
  });
  let measured: Measured | null = null;
  child.on('message', (message: Measured) => {
    measured = message;
  });
  await ended;
  await stop();
  if (measured === null) throw new Error(`(${letter}) was not measured`);
  return measured;
}
