/** A JIM that becomes another one while we poll it. */
import { expect, test } from 'vitest';
import { dialectNamed } from '../../src/demo/dialects.ts';
import { createRig, runsCounted } from './rig.ts';
import { loadFinished } from './rows.ts';

test('filters that are ignored from one request to the next fail one poll; then JIM is read without them', async () => {
  const rig = await createRig({ dialect: 'main', publish: false });
  loadFinished(rig.world, 300, { endsAgoSeconds: 86_400 });
  await rig.poll();
  expect(rig.poller.seen().dialect?.filters).toBe(true);
  // An older JIM behind the same address: no connection was lost, so nobody asked for its version.
  rig.world.dialect = dialectNamed('0.14');
  rig.pass(15_000);
  loadFinished(rig.world, 150);
  await rig.poll();
  expect(rig.poller.seen()).toMatchObject({ failure: 'bad_response' });
  expect(rig.lines.at(-1)).toMatchObject({
    level: 'error',
    msg: 'poll failed',
    fields: { reason: 'bad_response' },
  });
  expect(runsCounted(rig)).toBe(0);
  await rig.pollFor(30_000);
  expect(rig.poller.seen()).toMatchObject({ failure: null, dialect: { filters: false } });
  expect(runsCounted(rig)).toBe(150);
});
