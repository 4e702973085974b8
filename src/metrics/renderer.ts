/**
 * Renders a snapshot into blocks of bytes, a few per family and format. What did not change since the last
 * time keeps its bytes: a block is then the very same object, so that nothing after it works again either.
 * The event loop gets its turn between slices.
 */
import { SNAPSHOT_FAMILIES } from './catalogue.ts';
import type { Sample, SnapshotFamily } from './catalogue/family.ts';
import type { Written } from './exposition.ts';
import { OPEN_METRICS_END, writeHead, writeSamples } from './exposition.ts';
import type { ReadFamily } from './runtime.ts';
import type { Snapshot } from './snapshot.ts';

/** The bytes of both expositions, in the order served. Unchanged blocks are unchanged references. */
export interface Blocks {
  readonly text: readonly Uint8Array[];
  readonly openMetrics: readonly Uint8Array[];
}

export interface Renderer {
  /** `soFar` is told of all blocks before the last, family by family. */
  render(
    snapshot: Snapshot,
    runtime: readonly ReadFamily[],
    soFar?: (blocks: Blocks) => void,
  ): Promise<Blocks>;
}

/**
 * Sources written into one block. Fewer would mean less to write again when one of them changes, more a
 * better compression and less to look through.
 */
const SOURCES_PER_BLOCK = 64;
/** Lines written between two turns of the event loop: 1 to 2 ms of work. */
const LINES_PER_SLICE = 1_000;
/** To find a block unchanged costs about as much as to write so many lines. */
const LINES_PER_KNOWN_BLOCK = 2;

export function createRenderer(yieldToLoop: () => Promise<void>): Renderer {
  const families = SNAPSHOT_FAMILIES.map(createFamilyRenderer);
  const process = createBlock();
  const end = Buffer.from(OPEN_METRICS_END);
  return {
    render: async (snapshot, runtime, soFar) => {
      const slice = createSlice(yieldToLoop);
      const shown: Block[] = [];
      for (const family of families) {
        shown.push(...(await family.render(snapshot, slice)));
        soFar?.(bytesOf(shown));
      }
      process.write(writeRuntime(runtime));
      const { text, openMetrics } = bytesOf([...shown, process]);
      return { text, openMetrics: [...openMetrics, end] };
    },
  };
}

function bytesOf(shown: readonly Block[]): Blocks {
  return {
    text: shown.map(({ text }) => text),
    openMetrics: shown.map(({ openMetrics }) => openMetrics),
  };
}

/** Counts work, and gives the event loop its turn when a slice is full. */
interface Slice {
  /** Null while there is room: an await would cost more than the work it counts. */
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
  render(snapshot: Snapshot, slice: Slice): Promise<readonly Block[]>;
}

/** Some of a family's sources, and the block written of them. */
interface Segment {
  readonly block: Block;
  sources: readonly object[];
  /** HELP and TYPE stand in the first block that has lines. */
  first: boolean;
}

function createFamilyRenderer(family: SnapshotFamily): FamilyRenderer {
  const head = writeHead(family);
  const segments: Segment[] = [];
  return {
    render: async (snapshot, slice) => {
      const reading = family.read(snapshot);
      const count = Math.ceil(reading.sources.length / SOURCES_PER_BLOCK);
      segments.length = Math.min(segments.length, count);
      let first = true;
      for (let index = 0; index < count; index += 1) {
        const start = index * SOURCES_PER_BLOCK;
        const sources = reading.sources.slice(start, start + SOURCES_PER_BLOCK);
        const segment: Segment = segments[index] ?? { block: createBlock(), sources: [], first };
        segments[index] = segment;
        let lines = LINES_PER_KNOWN_BLOCK;
        if (segment.first !== first || !sameReferences(segment.sources, sources)) {
          const samples: Sample[] = [];
          for (let at = start; at < start + sources.length; at += 1)
            samples.push(...reading.samples(at));
          segment.block.write(under(first ? head : NO_HEAD, writeSamples(family, samples)));
          segment.sources = sources;
          segment.first = first;
          lines = samples.length;
        }
        if (segment.block.text.length > 0) first = false;
        const turn = slice.worked(lines);
        if (turn !== null) await turn;
      }
      return segments.map(({ block }) => block).filter(({ text }) => text.length > 0);
    },
  };
}

function sameReferences(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

const NO_HEAD: Written = { text: '', openMetrics: '' };

/** Lines under their HELP and TYPE; without lines a family is not shown at all. */
function under(head: Written, lines: Written): Written {
  if (lines.text === '') return NO_HEAD;
  return {
    text: head.text + lines.text,
    openMetrics: head.openMetrics + lines.openMetrics,
  };
}

/** All families of the process in one block: they are few, and most change at every publication. */
function writeRuntime(families: readonly ReadFamily[]): Written {
  const written = families.map(({ definition, samples }) =>
    under(writeHead(definition), writeSamples(definition, samples)),
  );
  return {
    text: written.map(({ text }) => text).join(''),
    openMetrics: written.map(({ openMetrics }) => openMetrics).join(''),
  };
}

/** The bytes of both formats, one object where they are equal. They stay the same objects while the text does. */
interface Block {
  readonly text: Uint8Array;
  readonly openMetrics: Uint8Array;
  write(written: Written): void;
}

function createBlock(): Block {
  let text: Uint8Array = new Uint8Array(0);
  let openMetrics = text;
  return {
    get text() {
      return text;
    },
    get openMetrics() {
      return openMetrics;
    },
    write: (written) => {
      text = keptOrNew(text, written.text);
      openMetrics =
        written.openMetrics === written.text ? text : keptOrNew(openMetrics, written.openMetrics);
    },
  };
}

function keptOrNew(before: Uint8Array, written: string): Uint8Array {
  const bytes = Buffer.from(written);
  return bytes.equals(before) ? before : bytes;
}
