/** What deployments may rely on, from the flags themselves. */
import { FLAGS } from '../../src/config/flags.ts';
import type { FlagName } from '../../src/config/flags.ts';

export const DEFAULT_PORT = Number(/^:(\d+)$/.exec(defaultOf('web.listen-address'))?.[1]);

export function defaultOf(name: FlagName): string {
  const value = FLAGS.find((flag) => flag.name === name)?.default;
  if (value === null || value === undefined) throw new Error(`--${name} has no default`);
  return value;
}
