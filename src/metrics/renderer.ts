/**
 * Renders a snapshot into blocks of bytes, one per family and format. What did not change since the last
 * time keeps its bytes: a block is then the very same object, so that nothing after it works again either.
 * The event loop gets its turn between slices.
 */
import { SNAPSHOT_FAMILIES } from './catalogue.ts';
import type { SnapshotFamily } from './catalogue/family.ts';
import type { Written } from './exposition.ts';
import { OPEN_METRICS_END, writeHead, writeSamples } from './exposition.ts';
import type { ReadFamily } from './runtime.ts';
import type { Snapshot } from './snapshot.ts';

/** The bytes of an exposition, in the order served. Unchanged blocks are unchanged references. */
export interface Blocks {
  readonly text: readonly Uint8Array[];
  readonly openMetrics: readonly Uint8Array[];
}

export interface Renderer {
  render(snapshot: Snapshot, runtime: readonly ReadFamily[]): Promise<Blocks>;
}

/** Lines written between two turns of the event loop: about 3 ms of work. */
const LINES_PER_SLICE = 3_000;
/** Parts looked at and found unchanged weigh this much of a line. */
const LINES_PER_KNOWN_PART = 0.2;

export function createRenderer(yieldToLoop: () => Promise<void>): Renderer {
  const families = SNAPSHOT_FAMILIES.map(createFamilyRenderer);
  const runtimeBlock = createBlockPair();
  const end = Buffer.from(OPEN_METRICS_END);
  return {
    render: async (snapshot, runtime) => {
      const slice = createSlice(yieldToLoop);
      const text: Uint8Array[] = [];
      const openMetrics: Uint8Array[] = [];
      const add = (pair: BlockPair): void => {
        if (pair.text.length === 0) return;
        text.push(pair.text);
        openMetrics.push(pair.openMetrics);
      };
      // One after the other: the slices are there to keep each turn of the loop short.
      // oxlint-disable-next-line no-await-in-loop
      for (const family of families) add(await family.render(snapshot, slice));
      add(runtimeBlock.update(writeRuntime(runtime)));
      return { text, openMetrics: [...openMetrics, end] };
    },
  };
}

/** Counts work and gives the event loop its turn when a slice is full. */
interface Slice {
  worked(lines: number): Promise<void> | null;
}

function createSlice(yieldToLoop: () => Promise<void>): Slice {
  let lines = 0;
  return {
    worked: (more) => {
      lines += more;
      if (lines < LINES_PER_SLICE) return null;
      lines = 0;
      return yieldToLoop();
    },
  };
}

interface FamilyRenderer {
  render(snapshot: Snapshot, slice: Slice): Promise<BlockPair>;
}

function createFamilyRenderer(family: SnapshotFamily): FamilyRenderer {
  const head = writeHead(family);
  const written = new WeakMap<object, Written>();
  const block = createBlockPair();
  let shown: readonly object[] | null = null;
  return {
    render: async (snapshot, slice) => {
      const parts = family.parts(snapshot);
      const sources = parts.map(({ of }) => of);
      const turn = slice.worked(parts.length * LINES_PER_KNOWN_PART);
      if (turn !== null) await turn;
      if (shown !== null && sameReferences(shown, sources)) return block.current();
      const chunks: Written[] = [];
      for (const part of parts) {
        const known = written.get(part.of);
        if (known !== undefined) {
          chunks.push(known);
          continue;
        }
        const samples = part.samples();
        const chunk = writeSamples(family, samples);
        written.set(part.of, chunk);
        chunks.push(chunk);
        const pause = slice.worked(samples.length);
        // oxlint-disable-next-line no-await-in-loop
        if (pause !== null) await pause;
      }
      shown = sources;
      return block.update(under(head, chunks));
    },
  };
}

function sameReferences(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

/** A family without samples is not shown at all. */
function under(head: Written, chunks: readonly Written[]): Written {
  const text = chunks.map((chunk) => chunk.text).join('');
  if (text === '') return { text: '', openMetrics: '' };
  const openMetrics = chunks.some((chunk) => chunk.openMetrics !== chunk.text)
    ? chunks.map((chunk) => chunk.openMetrics).join('')
    : text;
  const whole = head.text + text;
  return {
    text: whole,
    openMetrics:
      openMetrics === text && head.openMetrics === head.text
        ? whole
        : head.openMetrics + openMetrics,
  };
}

/** All families of the process in one block: they are few, and most change at every publication. */
function writeRuntime(families: readonly ReadFamily[]): Written {
  let text = '';
  let openMetrics = '';
  for (const { definition, samples } of families) {
    const family = under(writeHead(definition), [writeSamples(definition, samples)]);
    text += family.text;
    openMetrics += family.openMetrics;
  }
  return { text, openMetrics };
}

interface BlockPair {
  readonly text: Uint8Array;
  readonly openMetrics: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** The bytes of both formats; they stay the same objects while the text stays the same. */
function createBlockPair(): { current(): BlockPair; update(written: Written): BlockPair } {
  let pair: BlockPair = { text: EMPTY, openMetrics: EMPTY };
  return {
    current: () => pair,
    update: (written) => {
      const text = keptOrNew(pair.text, written.text);
      const openMetrics =
        written.openMetrics === written.text
          ? text
          : keptOrNew(pair.openMetrics, written.openMetrics);
      pair = { text, openMetrics };
      return pair;
    },
  };
}

function keptOrNew(before: Uint8Array, written: string): Uint8Array {
  const bytes = Buffer.from(written);
  return bytes.equals(before) ? before : bytes;
}
