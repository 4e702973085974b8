/** When a life may be judged: not while the disk holds what the process has yet to count and show. */
import { expect, test } from 'vitest';
import { createRig } from '../poll/rig.ts';
import { RUN } from '../poll/rows.ts';
import { Observer } from './observer.ts';

test('a life is not calm after a commit that reached the disk but failed', async () => {
  const rig = await createRig({ publish: 'when asked' });
  const observer = new Observer();
  const open = rig.world.insert(RUN);
  const beganMs = rig.nowMs();
  await rig.poll();
  observer.started(beganMs, rig.nowMs());
  await observer.scraped(rig);
  rig.pass(300_000);
  await rig.poll();
  rig.world.update(open, {
    status: 'Complete',
    executionTime: 1_000_000,
    totalActivityTime: 301_000_000,
  });
  rig.pass(60_000);

  rig.disk.fail('after');
  await rig.poll();
  expect(rig.poller.seen().failure).toBe('storage');
  expect(rig.disk.durable?.counted.size).toBe(1);
  expect(rig.ledger().counted.size).toBe(0);
  expect(observer.isCalm(rig)).toBe(false);

  await rig.poll();
  await observer.scraped(rig);
  expect(rig.ledger().counted.size).toBe(1);
  expect(observer.isCalm(rig)).toBe(true);
  expect(observer.judge(rig)).toEqual({ discrepancies: [], counted: 1 });
});
