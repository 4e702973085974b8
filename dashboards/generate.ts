/** `npm run dashboards`: writes each dashboard's JSON beside its source, or into the folder that is given. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DASHBOARDS } from './all.ts';
import { build } from './dashboard.ts';

/** This file runs compiled, as dist/dashboards/generate.js: the sources are three folders up. */
const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const folder = process.argv[2] ?? SOURCES;
for (const source of DASHBOARDS) {
  writeFileSync(join(folder, `${source.uid}.json`), `${JSON.stringify(build(source), null, 2)}\n`);
}
