/**
 * A disk that fills up while the ledger is written: the file before it stays whole. The kernel's limit on a file's
 * size stands in for the disk: it, too, takes a part of what is written and then refuses the rest.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { decodeLedger } from '../../src/ledger/encoding.ts';
import { requireProgram } from '../programs.ts';

const BUILT = new URL('../../dist/ledger/', import.meta.url).href;
/** Less than the second ledger, more than the first. */
const LIMIT_BYTES = 20_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-full-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Commits an empty ledger, then one that does not fit, and tells what came of it. */
const COMMITS = `
  import { openStateFile } from '${BUILT}state-file.js';
  import { emptyLedger } from '${BUILT}ledger.js';
  // Told by an error instead of by the end of the process.
  process.on('SIGXFSZ', () => undefined);
  const small = emptyLedger(500);
  const large = {
    ...small,
    started: true,
    counted: new Map(Array.from({ length: 1_000 }, (_, id) => ['id-' + id, { created: id, fingerprint: 'f' }])),
  };
  const store = await openStateFile(process.argv[1], Date.now);
  await store.commit(small);
  console.log(await store.commit(large).then(() => 'committed', (error) => error.code));
  await store.close();
`;

it('leaves what was committed before, and nothing half-written', (context) => {
  const prlimit = requireProgram(context, 'prlimit');
  const { stdout, stderr } = spawnSync(
    prlimit,
    [
      `--fsize=${LIMIT_BYTES}`,
      process.execPath,
      '--input-type=module',
      '--eval',
      COMMITS,
      '--',
      folder,
    ],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(stdout).toBe('EFBIG\n');
  expect(readdirSync(folder)).toEqual(['ledger.state']);
  const kept = decodeLedger(readFileSync(join(folder, 'ledger.state'), 'utf8'), 'the file');
  expect(kept.counted.size).toBe(0);
});
