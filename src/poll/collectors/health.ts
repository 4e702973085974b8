/** `/health/ready`: whether JIM says it is ready, and whether it is in maintenance. Needs no key. */
import type { Collector } from './collector.ts';
import { nothingLacking } from './collector.ts';

export function createHealth(): Collector {
  return {
    name: 'health',
    lacking: nothingLacking,
    needsKey: false,
    leavesAtOnce: true,
    collect: async ({ jim, call }) => ({ health: await jim.healthReady(call) }),
  };
}
