/**
 * A list that changes while it is read, in ways that may have hidden rows: the poll fails and nothing of it is used, so
 * that the next one counts what is there, each once.
 */
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { DialectName } from '../../src/demo/dialects.ts';
import type { Transport } from '../../src/http.ts';
import type { Rig } from './rig.ts';
import { createRig, runsCounted } from './rig.ts';
import { RUN, loadFinished } from './rows.ts';

const ROWS = 250;
const DIALECTS: readonly DialectName[] = ['0.14', 'main'];

type Answer = Awaited<ReturnType<Transport>>;
interface Shown {
  readonly items: readonly { readonly created: string }[];
}

async function changed(answer: Answer, change: (shown: Shown) => Shown): Promise<Answer> {
  const shown = JSON.parse(await text(answer.body)) as Shown;
  return { ...answer, body: Readable.from([Buffer.from(JSON.stringify(change(shown)))]) };
}

const isBelowTheFirstPage = (url: URL): boolean =>
  url.searchParams.get('sortBy') === 'created' &&
  (Number(url.searchParams.get('page')) > 1 || url.searchParams.has('createdTo'));

/** An exporter that knows an empty list, and a `lie` about answers from then on. */
async function rigWith(
  dialect: DialectName,
  lie: (url: URL, answer: Answer) => Promise<Answer>,
): Promise<Rig> {
  let lies = false;
  const transport =
    (inner: Transport): Transport =>
    async (request) => {
      const answer = await inner(request);
      return lies ? lie(request.url, answer) : answer;
    };
  const rig = await createRig({ dialect, publish: false, mutant: { transport } });
  await rig.poll();
  rig.pass(15_000);
  lies = true;
  return rig;
}

function failureOf(rig: Rig): unknown {
  const failed = rig.lines.filter(({ msg }) => msg === 'poll failed').map(({ fields }) => fields);
  return failed.at(-1);
}

test.each(DIALECTS)(
  '%s: a page without rows, where more were promised, is no end of the list',
  async (dialect) => {
    let isOwed = true;
    const rig = await rigWith(dialect, async (url, answer) => {
      if (!isOwed || !isBelowTheFirstPage(url)) return answer;
      isOwed = false;
      return changed(answer, (shown) => ({ ...shown, items: [] }));
    });
    loadFinished(rig.world, ROWS);
    await rig.poll();
    expect(isOwed).toBe(false);
    expect(failureOf(rig)).toMatchObject({
      reason: 'bad_response',
      err: { message: "JIM's list ended where its own count had promised more rows." },
    });
    expect(runsCounted(rig)).toBe(0);
    await rig.pollFor(60_000);
    expect(rig.poller.seen().failure).toBeNull();
    expect(runsCounted(rig)).toBe(ROWS);
  },
);

test('0.14: rows that vanish above the walk have moved others past it', async () => {
  let isOwed = true;
  const rig = await rigWith('0.14', async (url, answer) => {
    if (!isOwed || url.searchParams.get('page') !== '1') return answer;
    if (url.searchParams.get('sortBy') !== 'created') return answer;
    // The whole first page, after it was read: the second page is what was the third.
    isOwed = false;
    const newest = rig.world.table.rows.slice(-101).map(({ id }) => id);
    rig.world.table.removeAll(new Set(newest));
    return answer;
  });
  loadFinished(rig.world, ROWS);
  await rig.poll();
  expect(failureOf(rig)).toMatchObject({
    reason: 'bad_response',
    err: { message: "Rows of JIM's list vanished while it was read." },
  });
  await rig.pollFor(60_000);
  expect(runsCounted(rig)).toBe(ROWS - 101);
});

test('0.14: rows of one instant that keep moving across the end of a page are not guessed at', async () => {
  let lies = true;
  const rig = await rigWith('0.14', async (url, answer) => {
    // Pages of other sizes are asked for to show the whole group: here they never show what lies above it.
    if (!lies || url.searchParams.get('pageSize') === '100') return answer;
    return changed(answer, (shown) => {
      const at = shown.items.find(
        ({ created }, index) => created === shown.items[index + 1]?.created,
      );
      return { ...shown, items: shown.items.filter(({ created }) => created === at?.created) };
    });
  });
  loadFinished(rig.world, 90);
  const created = rig.world.jimNow - 3_600e6 * 24;
  for (let row = 0; row < 20; row += 1)
    rig.world.insert({
      ...RUN,
      created,
      executed: created + 70_000,
      status: 'Complete',
      executionTime: 1e6,
      totalActivityTime: 2e6,
    });
  loadFinished(rig.world, 90, { endsAgoSeconds: 48 * 3_600 });
  await rig.poll();
  expect(failureOf(rig)).toMatchObject({
    reason: 'bad_response',
    err: { message: "Rows of one instant kept moving between pages of JIM's list." },
  });
  expect(runsCounted(rig)).toBe(0);
  lies = false;
  await rig.pollFor(60_000);
  expect(runsCounted(rig)).toBe(200);
});
