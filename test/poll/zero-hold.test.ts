/** A label set's zeros are scraped before its increments show, also when our clock was set back. */
import { expect, test } from 'vitest';
import { createRig } from './rig.ts';
import { RUN } from './rows.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const COMPLETE = /^jim_runs_total\{.*run_profile="Full Import".*status="Complete"\} (\d+)$/m;

test.each([
  { name: 'what was published before is scraped after it', scrapesAtOnce: true },
  { name: 'the scrapes pause after it', scrapesAtOnce: false },
])('zeros are served first though our clock was set back: $name', async ({ scrapesAtOnce }) => {
  const rig = await createRig({ settings: { zeroHoldMs: 2 * MINUTE_MS } });
  const shown = (): string | undefined => COMPLETE.exec(rig.scrape() ?? '')?.[1];
  await rig.poll();
  expect(shown()).toBeUndefined();
  rig.setOurClock(-3 * HOUR_MS);
  if (scrapesAtOnce) expect(shown()).toBeUndefined();
  const ended = { status: 'Complete', executionTime: 1e6, totalActivityTime: 2e6 };
  rig.world.insert({ ...RUN, ...ended });
  // Longer than the zero hold, shorter than its time limit.
  await rig.pollFor(4 * MINUTE_MS);
  expect(shown()).toBe('0');
  await rig.poll();
  expect(shown()).toBe('1');
});
