import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Published } from '../../src/metrics/publication.ts';
import { createPublication } from '../../src/metrics/publication.ts';
import type { ReadFamily } from '../../src/metrics/runtime.ts';
import { createRuntime } from '../../src/metrics/runtime.ts';
import { NOW_MS, fullSnapshot, largeLedger, ledgerOf, snapshotOf } from './snapshots.ts';
import { parseExposition, valueOf } from './strict-parser.ts';

const NO_RUNTIME = { read: () => Promise.resolve([]) };
const EMPTY = snapshotOf(ledgerOf({}));
const textOf = (published: Published | null): string =>
  Buffer.from(published?.text.plain ?? []).toString();

describe('the publication', () => {
  it('is null before the first, then both formats, plain and compressed, at the time of the snapshot', async () => {
    const publication = createPublication({ runtime: NO_RUNTIME });
    expect(publication.current()).toBeNull();
    await publication.publish(fullSnapshot());
    const published = publication.current();
    if (published === null) throw new Error('nothing published');
    expect(published.publishedAtMs).toBe(NOW_MS);
    for (const representation of [published.text, published.openMetrics]) {
      const compressed = await representation.compressed();
      expect(gunzipSync(compressed ?? Buffer.alloc(0)).equals(representation.plain)).toBe(true);
    }
    expect(valueOf(parseExposition(published.text.plain, 'text'), 'jim_up')).toBe(1);
    expect(valueOf(parseExposition(published.openMetrics.plain, 'openmetrics'), 'jim_up')).toBe(1);
  });

  it('has at hand, compressed, the formats that somebody asked for', async () => {
    const publication = createPublication({ runtime: NO_RUNTIME });
    await publication.publish(fullSnapshot());
    const first = publication.current();
    expect(first?.openMetrics.compressed()).toBeInstanceOf(Promise);
    await publication.publish({ ...fullSnapshot(), nowMs: NOW_MS + 1 });
    const second = publication.current();
    expect(second?.openMetrics.compressed()).toBeInstanceOf(Uint8Array);
    const text = second?.text.compressed();
    expect(text).toBeInstanceOf(Promise);
    expect(await text).toBe(second?.text.compressed());
  });

  it('is not compressed where that is switched off', async () => {
    const publication = createPublication({ runtime: NO_RUNTIME, gzip: false });
    await publication.publish(EMPTY);
    expect(publication.current()?.text.compressed()).toBeNull();
  });

  it('changes in one step: before it is complete the old one is served, unchanged', async () => {
    const publication = createPublication({ runtime: NO_RUNTIME });
    await publication.publish(EMPTY);
    const before = publication.current();
    const beforeText = textOf(before);
    const publishing = publication.publish(snapshotOf(largeLedger(5_000), { nowMs: NOW_MS + 1 }));
    expect(publication.current()).toBe(before);
    await publishing;
    expect(publication.current()?.publishedAtMs).toBe(NOW_MS + 1);
    expect(textOf(before)).toBe(beforeText);
  });

  it('measures the process anew each time', async () => {
    const runtime = createRuntime({ disableExporterMetrics: true });
    const publication = createPublication({ runtime });
    await publication.publish(EMPTY);
    runtime.telemetry.pollEnded({ seconds: 0.5, failure: 'timeout' });
    await publication.publish(EMPTY);
    const parsed = parseExposition(textOf(publication.current()), 'text');
    expect(valueOf(parsed, 'jim_exporter_polls_total')).toBe(1);
    expect(valueOf(parsed, 'jim_exporter_poll_failures_total', { reason: 'timeout' })).toBe(1);
  });

  it('of overlapping ones the last is shown, and none in between goes back', async () => {
    const shown: number[] = [];
    const publication = createPublication({
      runtime: NO_RUNTIME,
      yieldToLoop: () => {
        shown.push(publication.current()?.publishedAtMs ?? 0);
        return Promise.resolve();
      },
    });
    const ledger = largeLedger(3_000);
    const publishing = [1, 2, 3, 4].map((nowMs) =>
      publication.publish(snapshotOf(ledger, { nowMs })),
    );
    await Promise.all(publishing);
    expect(publication.current()?.publishedAtMs).toBe(4);
    expect(shown).toEqual(shown.toSorted((a, b) => a - b));
    await publication.publish(snapshotOf(ledger, { nowMs: 5 }));
    expect(publication.current()?.publishedAtMs).toBe(5);
  });

  it('takes a snapshot that comes in the very moment in which another is done', async () => {
    // Nothing here leaves the microtask queue, so that the second call comes right behind the swap.
    const publication = createPublication({
      runtime: NO_RUNTIME,
      gzip: false,
      yieldToLoop: () => Promise.resolve(),
    });
    const first = publication.publish(snapshotOf(EMPTY.ledger, { nowMs: 1 }));
    for (let turn = 0; turn < 10_000 && publication.current() === null; turn += 1)
      await Promise.resolve();
    await publication.publish(snapshotOf(EMPTY.ledger, { nowMs: 2 }));
    await first;
    expect(publication.current()?.publishedAtMs).toBe(2);
  });

  it('that fails leaves the one before, and the next succeeds', async () => {
    let broken = false;
    const read = (): Promise<readonly ReadFamily[]> =>
      broken ? Promise.reject(new Error('a collector of prom-client threw')) : Promise.resolve([]);
    const publication = createPublication({ runtime: { read } });
    await publication.publish(snapshotOf(EMPTY.ledger, { nowMs: 1 }));
    broken = true;
    await expect(publication.publish(snapshotOf(EMPTY.ledger, { nowMs: 2 }))).rejects.toThrow(
      'prom-client',
    );
    expect(publication.current()?.publishedAtMs).toBe(1);
    broken = false;
    await publication.publish(snapshotOf(EMPTY.ledger, { nowMs: 3 }));
    expect(publication.current()?.publishedAtMs).toBe(3);
  });
});

describe('what scrapes have seen', () => {
  it('is nothing before the first scrape, and nothing later than what it was answered with', () => {
    const publication = createPublication({ runtime: NO_RUNTIME });
    expect(publication.servedSince(0, 1_100)).toBe(false);
    publication.served(1_000, 1_200);
    expect(publication.servedSince(999, 1_200)).toBe(true);
    // Born in the very millisecond of the publication: after it, for all that can be known.
    expect(publication.servedSince(1_000, 1_200)).toBe(false);
  });

  it('is not taken back by a slow scrape of an older publication', () => {
    const publication = createPublication({ runtime: NO_RUNTIME });
    publication.served(2_000, 2_100);
    publication.served(1_000, 2_200);
    expect(publication.servedSince(1_999, 2_300)).toBe(true);
  });

  it('starts anew when our clock was set back: the old times prove nothing', () => {
    const publication = createPublication({ runtime: NO_RUNTIME });
    publication.served(9_000_000, 9_000_100);
    expect(publication.servedSince(1_000, 1_100)).toBe(false);
    publication.served(1_000, 1_100);
    expect(publication.servedSince(999, 1_200)).toBe(true);
    expect(publication.servedSince(2_000, 2_200)).toBe(false);
  });

  it('is not what was made before our clock was set back, though scraped after it', () => {
    const publication = createPublication({ runtime: NO_RUNTIME });
    publication.served(9_000_000, 900);
    expect(publication.servedSince(1_000, 1_100)).toBe(false);
    publication.served(1_000, 1_200);
    expect(publication.servedSince(999, 1_300)).toBe(true);
    expect(publication.servedSince(2_000, 2_200)).toBe(false);
  });
});
