import * as fc from 'fast-check';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createGzip } from '../../src/metrics/gzip.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

/** How much of the answer its first gzip member takes: some clients read no further. */
function firstMemberBytes(gzip: Uint8Array): number {
  const { engine } = inflateRawSync(gzip.subarray(HEADER_BYTES), {
    info: true,
  }) as unknown as { engine: { bytesWritten: number } };
  return HEADER_BYTES + engine.bytesWritten + TRAILER_BYTES;
}

describe('the compressor', () => {
  it('gives back what it was given, for any blocks, new and known, in one member', async () => {
    const block = fc
      .oneof(
        fc.string({ maxLength: 200 }),
        fc.string({ maxLength: 3 }).map((text) => text.repeat(25_000)),
      )
      .map(bytes);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(block, { maxLength: 12 }), { maxLength: 4 }),
        async (turns) => {
          const { compress, begin } = createGzip();
          const known: Uint8Array[] = [];
          for (const blocks of turns) {
            // Every other turn shows the old blocks again, between the new ones.
            const shown = blocks.flatMap((one, index) => [one, known[index] ?? bytes('')]);
            known.push(...blocks);
            for (let count = 1; count <= shown.length; count += 3) begin(shown.slice(0, count));
            const answer = await compress(shown);
            expect(Buffer.compare(answer, await createGzip().compress(shown))).toBe(0);
            expect(gunzipSync(answer).equals(Buffer.concat(shown))).toBe(true);
            expect(firstMemberBytes(answer)).toBe(answer.length);
          }
        },
      ),
    );
  });

  it('counts nothing for an empty block', async () => {
    const shown = [bytes('a 1\n'), new Uint8Array(0), bytes('b 1\n'), Buffer.from('')];
    expect(gunzipSync(await createGzip().compress(shown)).toString()).toBe('a 1\nb 1\n');
  });

  it('makes an empty member of nothing', async () => {
    const answer = await createGzip().compress([]);
    expect(gunzipSync(answer).length).toBe(0);
    expect(firstMemberBytes(answer)).toBe(answer.length);
  });

  it('follows a group of small blocks in which one changes, comes or goes', async () => {
    const { compress } = createGzip();
    const [a, b, c, d] = [bytes('a 1\n'), bytes('b 1\n'), bytes('c 1\n'), bytes('d 1\n')];
    const large = bytes('large 1\n'.repeat(10_000));
    for (const blocks of [[a, b, large, c], [a, d, large, c], [a, large, c], [large, a, b], [a]]) {
      expect(gunzipSync(await compress(blocks)).equals(Buffer.concat(blocks))).toBe(true);
    }
  });

  it('has deflated what was begun by the time it is asked', async () => {
    const { compress, begin } = createGzip();
    const [large, last] = [Buffer.from('x 1\n'.repeat(20_000)), bytes('z 1\n')];
    begin([large, last]);
    // Zlib's threads take one after the other: when these are done, so is what was begun before them.
    await createGzip().compress(Array.from({ length: 12 }, () => Buffer.from(large)));
    large.write('y');
    const begun = await compress([large, last]);
    // Of the bytes as they were when it was begun: the checksum tells them apart.
    expect(() => gunzipSync(begun)).toThrow('incorrect data check');
  });

  it('does not look into a block again that it knows', async () => {
    const { compress } = createGzip();
    const large = Buffer.from('x 1\n'.repeat(20_000));
    const before = await compress([large]);
    large.write('y');
    const after = await compress([large]);
    // Only the checksum is of the new bytes: what was deflated is what was deflated before.
    expect(after.subarray(0, -TRAILER_BYTES)).toEqual(before.subarray(0, -TRAILER_BYTES));
  });
});
