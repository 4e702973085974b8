/** What the Activities commands are given, and how they end. */
import type { JimClient } from '../jim/client.ts';
import type { Terminal } from './terminal.ts';

export interface ActivitiesOptions extends Terminal {
  readonly jim: JimClient;
  /** What people click. */
  readonly externalUrl: string;
  readonly clock: { readonly nowMs: () => number; readonly sleep: (ms: number) => Promise<void> };
  readonly complain: (line: string) => void;
}

export const EXIT = { done: 0, unsuccessful: 1, cancelled: 2, unknown: 3 } as const;
