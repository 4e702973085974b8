/** What can go wrong in a life, each by its own chance, so that a failing life can be shrunk by leaving kinds out. */
import type { Fault, RowDamage } from '../../src/demo/faults.ts';
import type { Random } from '../../src/demo/random.ts';

export const TROUBLES = [
  'fault',
  'crash',
  'disk',
  'downtime',
  'idle_days',
  'insert_between_requests',
  'late_rows',
  'ties',
  'burst',
  'flip',
  'reopen',
  'orphan',
  'long_run',
  'retention',
  'vanish',
  'reset',
  'restore',
  'state_restore',
  'upgrade',
  'rename',
  'inventory',
  'clock',
  'clock_hours',
  'our_clock',
  'limits',
  'short_memory',
] as const;
export type Trouble = (typeof TROUBLES)[number];

/** Whether a trouble happens now, by its chance. */
export type May = (trouble: Trouble, chance: number) => boolean;

const MIB = 1024 * 1024;

/** How a request can fail; what is no failure of the whole answer stands below. */
const FAILURES: readonly [Fault, ...Fault[]] = [
  { kind: 'status', status: 500 },
  { kind: 'status', status: 502, body: 'html' },
  { kind: 'status', status: 503, retryAfter: 5 },
  { kind: 'status', status: 429, retryAfter: 60 },
  { kind: 'status', status: 401, body: 'unauthorized' },
  { kind: 'status', status: 403, body: 'empty' },
  { kind: 'html' },
  { kind: 'garbage' },
  { kind: 'redirect' },
  { kind: 'refuse' },
  { kind: 'reset' },
  { kind: 'truncate' },
  { kind: 'truncate', bytes: 0 },
  { kind: 'hang' },
  { kind: 'slow', ms: 4_000 },
];

/** Damages that leave the row's id and time: without them nobody could know later that it is the same row. */
const DAMAGES: readonly [RowDamage, ...RowDamage[]] = [
  'status_is_a_number',
  'total_is_negative',
  'total_is_text',
  'name_is_a_number',
];

export function drawFault(random: Random): Fault {
  if (random.chance(0.1))
    return { kind: 'malformed_row', damage: random.pick(DAMAGES), row: random.int(0, 20) };
  // Sixteen MiB and a byte take a while even in memory.
  if (random.chance(0.02)) return { kind: 'oversized', bytes: 16 * MIB + 1 };
  return random.pick(FAILURES);
}
