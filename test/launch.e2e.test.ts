/** The built program is started from what V8 made of it, and without it wherever that is not its own. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const DIST = new URL('../dist', import.meta.url).pathname;
const run = promisify(execFile);

let folder: string;
let program: string;
let cache: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-launch-'));
  cpSync(DIST, folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  program = join(folder, 'program.cjs');
  cache = join(folder, 'program.cache');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function version(): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [join(folder, 'main.js'), '--version']);
  expect(stderr).toBe('');
  return stdout;
}

test('a program that is not the one V8 made it of is compiled', async () => {
  const text = readFileSync(program, 'utf8');
  const changed = text.replace('(revision: ', '(REVISION: ');
  expect(changed).not.toBe(text);
  writeFileSync(program, changed);
  expect(await version()).toContain('(REVISION: ');
});

test('what V8 made of the program when it was built is taken by V8', async () => {
  const script = `import(${JSON.stringify(join(folder, 'compiled-program.js'))}).then((built) => {
    const compile = Object.values(built).find(({ name }) => name === 'compileProgram');
    console.log(compile().cachedDataRejected);
  })`;
  const { stdout } = await run(process.execPath, ['-e', script]);
  expect(stdout).toBe('false\n');
});

function damaged(): Buffer {
  const bytes = readFileSync(cache);
  bytes.writeUInt32LE(0xffff_ffff, bytes.length >> 1);
  return bytes;
}

test.each([
  { what: 'garbage', spoil: () => writeFileSync(cache, 'no code') },
  { what: 'empty', spoil: () => writeFileSync(cache, '') },
  { what: 'cut', spoil: () => writeFileSync(cache, readFileSync(cache).subarray(0, 10_000)) },
  { what: 'damaged', spoil: () => writeFileSync(cache, damaged()) },
  { what: 'missing', spoil: () => rmSync(cache) },
])('$what, it is left aside', async ({ spoil }) => {
  spoil();
  expect(await version()).toContain('(revision: ');
});

test("the program loads no undici of Node's own beside ours", async () => {
  const script = `process.argv = ['node', 'jim-exporter', '--version'];
    process.on('exit', () => console.log(process.moduleLoadList.filter((name) => name.includes('undici'))));
    require(${JSON.stringify(program)});`;
  const { stdout } = await run(process.execPath, ['-e', script]);
  expect(stdout).toMatch(/revision: [^]*\n\[\]\n$/);
});
