/** What deployments may rely on, from the program and its package themselves. */
import { readFileSync } from 'node:fs';
import { FLAGS } from '../../src/config/flags.ts';
import type { FlagName } from '../../src/config/flags.ts';
import { loadConfig } from '../../src/config/load.ts';

export const MANIFEST = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { readonly name: string; readonly version: string };

export const DEFAULT_PORT = Number(/^:(\d+)$/.exec(defaultOf('web.listen-address'))?.[1]);

export function defaultOf(name: FlagName): string {
  const value = FLAGS.find((flag) => flag.name === name)?.default;
  if (value === null || value === undefined) throw new Error(`--${name} has no default`);
  return value;
}

/** A scrape interval longer than this would miss the zeros that counters are born with. */
export function zeroHoldSeconds(): number {
  const loaded = loadConfig({
    flags: {},
    environment: { JIM_URL: 'https://jim', JIM_API_KEY: 'jim_ak' },
    workingFolder: '/',
    scheduleFault: () => null,
  });
  if (!loaded.ok) throw new Error('the defaults are no configuration');
  return loaded.config.poll.zeroHoldMs / 1_000;
}
