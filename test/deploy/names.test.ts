/** Every flag and variable of ours that deploy/ and the Dockerfile name, comments too, is one that the program knows. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { environmentName, FLAGS } from '../../src/config/flags.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname;
const FILES = [
  'Dockerfile',
  ...readdirSync(join(REPOSITORY, 'deploy'), { recursive: true, encoding: 'utf8' })
    .map((path) => join('deploy', path))
    .filter((path) => statSync(join(REPOSITORY, path)).isFile()),
];
const VARIABLES = new Set([
  'JIM_API_KEY',
  ...FLAGS.flatMap(({ name, alias }) => [
    environmentName(name),
    ...(alias === null ? [] : [alias]),
  ]),
]);
const NAMES = new Set<string>(FLAGS.map(({ name }) => name));
/** Not --web.listen-address and the like, which Prometheus and Alertmanager have too. */
const OUR_FLAG = /--((?:jim|poll|config|web\.telemetry|web\.max|web\.disable)[\w.-]*[\w])/g;
const OUR_VARIABLE = /\bJIM_[A-Z_]+\b/g;

test('there are files to look at', () => {
  expect(FILES.length).toBeGreaterThan(15);
});

test.each(FILES)('%s', (path) => {
  const text = readFileSync(join(REPOSITORY, path), 'utf8');
  const flags = [...text.matchAll(OUR_FLAG)].map(([, name = '']) => name);
  expect(flags.filter((name) => !NAMES.has(name))).toEqual([]);
  const variables = [...text.matchAll(OUR_VARIABLE)].map(([name]) => name);
  expect(variables.filter((name) => !VARIABLES.has(name))).toEqual([]);
});
