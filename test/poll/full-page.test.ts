/**
 * JIM counts its rows in one statement and reads a page of them in another: a row inserted between the two is below a
 * full page that calls itself the last.
 */
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { DialectName } from '../../src/demo/dialects.ts';
import type { Transport } from '../../src/http.ts';
import type { Rig } from './rig.ts';
import { createRig, runsCounted } from './rig.ts';
import { loadFinished } from './rows.ts';

const PAGE = 100;
const DIALECTS: readonly DialectName[] = ['0.14', 'main'];

/** The first page of the 101 rows that JIM shows was counted before the last of them was inserted. */
function countedTooEarly(transport: Transport): Transport {
  let isOwed = true;
  return async (request) => {
    const answer = await transport(request);
    if (!isOwed || request.url.searchParams.get('sortBy') !== 'created') return answer;
    const shown = await text(answer.body);
    isOwed = !shown.includes(`"totalCount":${PAGE + 1}`);
    const counted = shown
      .replace(`"totalCount":${PAGE + 1}`, `"totalCount":${PAGE}`)
      .replace('"totalPages":2', '"totalPages":1')
      .replace('"hasNextPage":true', '"hasNextPage":false');
    return { ...answer, body: Readable.from([Buffer.from(counted)]) };
  };
}

/** An exporter that saw an empty list, and of a page and more remembers the newest only. */
async function rigOfEmpty(
  dialect: DialectName,
  mutant: { readonly transport?: typeof countedTooEarly } = {},
): Promise<Rig> {
  const rig = await createRig({ dialect, publish: false, rememberIds: 60, mutant });
  await rig.poll();
  rig.pass(15_000);
  return rig;
}

test.each(DIALECTS)(
  '%s: a row below a full page that calls itself the last is counted',
  async (dialect) => {
    const rig = await rigOfEmpty(dialect, { transport: countedTooEarly });
    loadFinished(rig.world, PAGE + 1);
    await rig.pollFor(300_000);
    expect(runsCounted(rig)).toBe(PAGE + 1);
  },
);

test.each(DIALECTS)(
  '%s: nothing below a full page that is the last is no failure',
  async (dialect) => {
    const rig = await rigOfEmpty(dialect);
    loadFinished(rig.world, PAGE);
    await rig.poll();
    expect(rig.poller.seen()).toMatchObject({ up: true, failure: null });
    expect(runsCounted(rig)).toBe(PAGE);
  },
);
