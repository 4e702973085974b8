/**
 * The publication: the bytes that `/metrics` serves, made once when something changed and swapped in whole.
 * A scrape costs no rendering, no compressing but the first in its format, and never waits for JIM.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createGzip } from './gzip.ts';
import type { Blocks } from './renderer.ts';
import { createRenderer } from './renderer.ts';
import type { Runtime } from './runtime.ts';
import type { Snapshot } from './snapshot.ts';

export interface Representation {
  /**
   * Joined from the same blocks when it is first asked for: Prometheus asks for gzip, and at 100,000 series the
   * two copies would take 25 MB and a fifth of the time of a publication.
   */
  readonly plain: Uint8Array;
  /**
   * One gzip member: at hand once somebody asked for the format, else compressed when they do; few scrapers ask
   * for more than one. Null where compressing is switched off.
   */
  compressed(): Uint8Array | Promise<Uint8Array> | null;
}

export interface Published {
  /** Prometheus text format 0.0.4. */
  readonly text: Representation;
  /** OpenMetrics 1.0.0. */
  readonly openMetrics: Representation;
  /** `nowMs` of the snapshot: our clock. */
  readonly publishedAtMs: number;
}

export interface Publication {
  /**
   * Shows a snapshot. Of overlapping calls the last one wins, and all resolve once it is shown; what is
   * shown never goes back. Rejects only for a bug; the publication before then stays.
   */
  publish(snapshot: Snapshot): Promise<void>;
  /** What to serve; null before the first publication. */
  current(): Published | null;
  /** Told by the web server: a scrape was answered with the publication of that time. */
  served(publishedAtMs: number, nowMs: number): void;
  /**
   * Whether a scrape was answered with a publication made after `bornAtMs` (design, section 2, rule 8; one of the same
   * millisecond may have been made before), as far as can be known at `nowMs`: what was scraped before our clock was
   * set back proves nothing by the new time.
   */
  servedSince(bornAtMs: number, nowMs: number): boolean;
}

export interface PublicationOptions {
  readonly runtime: Pick<Runtime, 'read'>;
  /** Whether to compress as well; default true. */
  readonly gzip?: boolean;
  /** Lets the event loop take a turn; default the next turn of Node's. */
  readonly yieldToLoop?: () => Promise<void>;
}

export function createPublication(options: PublicationOptions): Publication {
  const yieldToLoop = options.yieldToLoop ?? (() => nextTurn());
  const renderer = createRenderer(yieldToLoop);
  const gzip = (options.gzip ?? true) ? createGzip() : null;
  const scrapes = createScrapeMemory();
  const wanted = { text: false, openMetrics: false };
  let current: Published | null = null;
  let waiting: Snapshot | null = null;
  let working: Promise<void> | null = null;

  const show = async (snapshot: Snapshot): Promise<void> => {
    const blocks = await renderer.render(snapshot, await options.runtime.read(), beginToCompress);
    const text = represent('text', blocks.text);
    const openMetrics = represent('openMetrics', blocks.openMetrics);
    // What was asked for before will be again: compressed before it is shown, so that no scrape waits for it.
    if (wanted.text) await text.compressed();
    if (wanted.openMetrics) await openMetrics.compressed();
    current = { text, openMetrics, publishedAtMs: snapshot.nowMs };
  };

  /** In zlib's threads, while later families are written here. */
  const beginToCompress = (blocks: Blocks): void => {
    for (const format of ['text', 'openMetrics'] as const)
      if (wanted[format]) gzip?.begin(blocks[format]);
  };

  const represent = (
    format: keyof typeof wanted,
    blocks: readonly Uint8Array[],
  ): Representation => {
    let joined: Uint8Array | null = null;
    let compressed: Uint8Array | Promise<Uint8Array> | null = null;
    return {
      get plain() {
        return (joined ??= Buffer.concat(blocks));
      },
      compressed: () => {
        wanted[format] = true;
        if (gzip === null) return null;
        compressed ??= gzip.compress(blocks).then((bytes) => (compressed = bytes));
        return compressed;
      },
    };
  };

  const showWaiting = async (): Promise<void> => {
    try {
      while (waiting !== null) {
        const snapshot: Snapshot = waiting;
        waiting = null;
        // One at a time, so that none overtakes another.
        await show(snapshot);
      }
    } finally {
      working = null;
    }
  };

  return {
    publish: (snapshot) => {
      waiting = snapshot;
      working ??= showWaiting();
      return working;
    },
    current: () => current,
    served: (publishedAtMs, nowMs) => scrapes.served(publishedAtMs, nowMs),
    servedSince: (bornAtMs, nowMs) => scrapes.servedSince(bornAtMs, nowMs),
  };
}

interface ScrapeMemory {
  served(publishedAtMs: number, nowMs: number): void;
  servedSince(bornAtMs: number, nowMs: number): boolean;
}

/** The newest publication that a scrape was answered with. */
function createScrapeMemory(): ScrapeMemory {
  let newest: { readonly publishedAtMs: number; readonly atMs: number } | null = null;
  return {
    served: (publishedAtMs, nowMs) => {
      // Made before our clock was set back: it would stand as the newest until the clock has caught up.
      if (publishedAtMs > nowMs) return;
      // A slow scrape of an older publication takes nothing back; after our clock was set back, its new time counts.
      const clockWentBack = newest !== null && nowMs < newest.atMs;
      if (newest === null || clockWentBack || publishedAtMs >= newest.publishedAtMs)
        newest = { publishedAtMs, atMs: nowMs };
    },
    servedSince: (bornAtMs, nowMs) =>
      newest !== null && newest.atMs <= nowMs && newest.publishedAtMs > bornAtMs,
  };
}
