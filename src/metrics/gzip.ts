/**
 * Compresses blocks of bytes into one gzip member, off the event loop. Blocks that were compressed before
 * are not compressed again: each becomes a run of deflate blocks that ends on a byte boundary and refers to
 * nothing before it, so that runs can be put behind one another (RFC 1951; zlib's full flush). Joining whole
 * gzip members would be simpler, but some clients drop all but the first.
 */
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';

const deflate = promisify<Uint8Array, { finishFlush: number }, Buffer>(deflateRaw);

/** RFC 1952: magic, deflate, no flags, no time, no hint, unknown system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** An empty last deflate block. */
const END = Buffer.from([0x03, 0x00]);

/** A compressor that remembers blocks by reference for as long as they are in use. */
export function createGzip(): (blocks: readonly Uint8Array[]) => Promise<Uint8Array> {
  const known = new WeakMap<Uint8Array, Promise<Uint8Array>>();
  const compressed = (block: Uint8Array): Promise<Uint8Array> => {
    const before = known.get(block);
    if (before !== undefined) return before;
    const run = deflate(block, { finishFlush: constants.Z_FULL_FLUSH });
    known.set(block, run);
    return run;
  };
  return async (blocks) => {
    const runs = await Promise.all(blocks.map(compressed));
    return Buffer.concat([HEADER, ...runs, END, trailer(blocks)]);
  };
}

/** CRC-32 and length of what was compressed, both little-endian. */
function trailer(blocks: readonly Uint8Array[]): Uint8Array {
  let checksum = 0;
  let length = 0;
  for (const block of blocks) {
    checksum = crc32(block, checksum);
    length += block.length;
  }
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(checksum, 0);
  bytes.writeUInt32LE(length % 2 ** 32, 4);
  return bytes;
}
