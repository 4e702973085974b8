/**
 * Runs `main.ts`, which the build put into one file with all that it imports. To compile that is a third of a start, so
 * the build keeps beside it what V8 made of it (`code-cache.ts`). It is a hint: V8 refuses what another version of itself
 * made, and compiles.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script, constants } from 'node:vm';

const PROGRAM = fileURLToPath(new URL('program.cjs', import.meta.url));
/** What V8 made of the program, after the checksum of both. */
const CODE_CACHE = fileURLToPath(new URL('program.cache', import.meta.url));
const CHECKSUM_BYTES = 32;
/** As require() wraps a file. */
const BEFORE = Buffer.from('(function (exports, require, module, __filename, __dirname) {');
const AFTER = Buffer.from('\n})');

export function compileProgram(): Script {
  const program = readFileSync(PROGRAM);
  // It is ASCII, which as Latin-1 is one copy that stays outside of V8's heap: 10 ms less than as UTF-8.
  const text = Buffer.concat([BEFORE, program, AFTER]).toString('latin1');
  return new Script(text, {
    filename: PROGRAM,
    cachedData: keptCode(program),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

export function runProgram(script: Script): void {
  const wrapper: unknown = script.runInThisContext();
  if (typeof wrapper !== 'function') throw new Error(`${PROGRAM} is not as it was built`);
  const module = { exports: {} };
  const given = [module.exports, createRequire(PROGRAM), module, PROGRAM, dirname(PROGRAM)];
  Reflect.apply(wrapper, module.exports, given);
}

export function keepCode(script: Script): void {
  const code = script.createCachedData();
  writeFileSync(CODE_CACHE, Buffer.concat([checksum(readFileSync(PROGRAM), code), code]));
}

/** V8 tells programs apart by their lengths alone, and believes a damaged file: both are looked at here. */
function keptCode(program: Buffer): Buffer | undefined {
  let kept: Buffer;
  try {
    kept = readFileSync(CODE_CACHE);
  } catch {
    return undefined;
  }
  const code = kept.subarray(CHECKSUM_BYTES);
  return checksum(program, code).equals(kept.subarray(0, CHECKSUM_BYTES)) ? code : undefined;
}

function checksum(program: Buffer, code: Buffer): Buffer {
  return createHash('sha256').update(program).update(code).digest();
}
