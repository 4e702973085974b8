import { describe, expect, it } from 'vitest';
import { SNAPSHOT_FAMILIES } from '../../src/metrics/catalogue.ts';
import { samplesOf } from '../../src/metrics/catalogue/family.ts';
import { OPEN_METRICS_END, writeHead, writeSamples } from '../../src/metrics/exposition.ts';
import { createRenderer } from '../../src/metrics/renderer.ts';
import type { Blocks } from '../../src/metrics/renderer.ts';
import type { Snapshot } from '../../src/metrics/snapshot.ts';
import type { RunLabels } from '../../src/ledger/ledger.ts';
import { runKey } from '../../src/ledger/ledger.ts';
import {
  NOW_MS,
  busyRunAccount,
  fullSnapshot,
  largeLedger,
  ledgerOf,
  runAccount,
  snapshotOf,
} from './snapshots.ts';
import { parseExposition } from './strict-parser.ts';

const atOnce = (): Promise<void> => Promise.resolve();
const textOf = (blocks: readonly Uint8Array[]): string => Buffer.concat(blocks).toString();

/** The expositions written without any memory: what a renderer must show, whatever it showed before. */
function afresh(snapshot: Snapshot): { text: string; openMetrics: string } {
  let text = '';
  let openMetrics = '';
  for (const family of SNAPSHOT_FAMILIES) {
    const samples = samplesOf(family, snapshot);
    if (samples.length === 0) continue;
    const head = writeHead(family);
    const lines = writeSamples(family, samples);
    text += head.text + lines.text;
    openMetrics += head.openMetrics + lines.openMetrics;
  }
  return { text, openMetrics: openMetrics + OPEN_METRICS_END };
}

describe('the renderer', () => {
  it('writes the whole page, to the byte', async () => {
    const blocks = await createRenderer(atOnce).render(fullSnapshot(), []);
    await expect(textOf(blocks.text)).toMatchFileSnapshot('golden/full.txt');
    await expect(textOf(blocks.openMetrics)).toMatchFileSnapshot('golden/full.openmetrics');
  });

  it('writes pages that a strict parser reads, with the same series and values in both formats', async () => {
    for (const snapshot of [
      snapshotOf(ledgerOf({})),
      fullSnapshot(),
      snapshotOf(largeLedger(9_000)),
    ]) {
      const blocks = await createRenderer(atOnce).render(snapshot, []);
      const text = parseExposition(textOf(blocks.text), 'text');
      const openMetrics = parseExposition(textOf(blocks.openMetrics), 'openmetrics');
      const valuesOf = (series: typeof text.series): readonly (readonly [string, number])[] =>
        [...series].map(([key, { value }]) => [key, value]);
      expect(valuesOf(openMetrics.series)).toEqual(valuesOf(text.series));
    }
  });

  it('keeps the very blocks of what did not change', async () => {
    const renderer = createRenderer(atOnce);
    const before = snapshotOf(largeLedger(20_000));
    const first = await renderer.render(before, []);
    const again = await renderer.render({ ...before, nowMs: NOW_MS + 15_000 }, []);
    expect(changed(first, again)).toBe(0);
    const key = [...before.ledger.runs.keys()][100];
    if (key === undefined) throw new Error('too few runs');
    const runs = new Map(before.ledger.runs);
    runs.set(key, busyRunAccount(labelsAt(before, key), 4_711));
    const other = await renderer.render({ ...before, ledger: { ...before.ledger, runs } }, []);
    // One block of each of the eight families in which the changed run profile shows other numbers.
    expect(changed(first, other)).toBe(8);
    expect(first.text.length).toBeGreaterThan(100);
  });

  it('shows what a renderer without memory would show, whatever changes, comes and goes', async () => {
    const renderer = createRenderer(atOnce);
    const full = fullSnapshot();
    const { ledger } = full;
    const large = largeLedger(10_000);
    const fewer = new Map([...large.runs].filter((_, index) => index % 3 !== 0));
    const never = new Map(
      [...large.runs].map(([key, { labels }]) => [key, runAccount({ labels })]),
    );
    const history: readonly Snapshot[] = [
      snapshotOf(ledgerOf({})),
      full,
      { ...full, jim: { ...full.jim, up: false } },
      { ...full, readings: { ...full.readings, workerTasks: null, schedules: [] } },
      { ...full, ledger: { ...ledger, open: new Map() } },
      { ...full, ledger: { ...ledger, runs: new Map([...ledger.runs, ...large.runs]) } },
      { ...full, ledger: large },
      { ...full, ledger: { ...large, runs: never } },
      { ...full, ledger: { ...large, runs: new Map([...never, ...fewer]) } },
      { ...full, ledger: { ...large, runs: fewer } },
      snapshotOf(ledgerOf({ runs: [runAccount()] })),
      full,
    ];
    for (const snapshot of history) {
      const blocks = await renderer.render(snapshot, []);
      expect(textOf(blocks.text)).toBe(afresh(snapshot).text);
      expect(textOf(blocks.openMetrics)).toBe(afresh(snapshot).openMetrics);
    }
  });

  it('gives the event loop its turn at least every few thousand lines', async () => {
    let turns = 0;
    const renderer = createRenderer(() => {
      turns += 1;
      return Promise.resolve();
    });
    const snapshot = snapshotOf(largeLedger(50_000));
    await renderer.render(snapshot, []);
    expect(turns).toBeGreaterThan(20);
    turns = 0;
    await renderer.render(snapshot, []);
    expect(turns).toBeLessThan(5);
  });

  it('shares one block between the formats where they are equal', async () => {
    const { text, openMetrics } = await createRenderer(atOnce).render(fullSnapshot(), []);
    expect(openMetrics.filter((block) => text.includes(block)).length).toBeGreaterThan(40);
  });
});

function changed(before: Blocks, after: Blocks): number {
  return after.text.filter((block) => !before.text.includes(block)).length;
}

function labelsAt(snapshot: Snapshot, key: string): RunLabels {
  const account = snapshot.ledger.runs.get(key);
  if (account === undefined || runKey(account.labels) !== key) throw new Error(`no run ${key}`);
  return account.labels;
}
