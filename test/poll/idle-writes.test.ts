/** Nothing is written when nothing changed, however much is read again. */
import { expect, test } from 'vitest';
import { createRig } from './rig.ts';
import { insertOpen, loadFinished } from './rows.ts';

test.each([
  { open: 0, why: 'the window fits into a page' },
  { open: 150, why: 'the window is read in turns, a page at a time' },
])('idle polls with $open open Activities write no state: $why', async ({ open }) => {
  const rig = await createRig({ dialect: '0.14', publish: false });
  rig.simulator.quirks = { rateLimit: false, shuffledTies: false };
  loadFinished(rig.world, 50);
  insertOpen(rig.world, open, 300);
  // What was born is held at 0 for five minutes.
  for (let poll = 0; poll < 24; poll += 1) {
    await rig.poll();
    rig.pass(15_000);
  }
  const before = rig.disk.commits;
  for (let poll = 0; poll < 20; poll += 1) {
    await rig.poll();
    rig.pass(15_000);
  }
  expect(rig.ledger().open.size).toBe(open);
  expect(rig.disk.commits - before).toBe(0);
});
