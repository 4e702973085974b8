/** Upstream accidents: thousands of run profiles, names of any kind, a year of them. */
import { describe, expect, test } from 'vitest';
import { emptyLedger, OTHER } from '../../src/ledger/ledger.ts';
import {
  admit,
  admitWord,
  byCodePoint,
  labelValue,
  noteUnknownWord,
  runLabelsAs,
  withLimit,
} from '../../src/ledger/labels.ts';
import { applyInventory, retire } from '../../src/ledger/retire.ts';
import type { WorldRow } from '../../src/demo/row.ts';
import { bytesOf } from './bytes-of.ts';
import { keptMegabytes } from '../garbage.ts';
import { parseExposition } from '../metrics/strict-parser.ts';
import type { Rig } from '../poll/rig.ts';
import { createRig, runsCounted } from '../poll/rig.ts';
import { RUN } from '../poll/rows.ts';

const DONE = { status: 'Complete', executionTime: 1e6, totalActivityTime: 2e6 } as const;
const NOW_MS = Date.UTC(2026, 10, 23);

async function finish(rig: Rig, rows: readonly Partial<WorldRow>[]): Promise<void> {
  for (const row of rows) rig.world.insert({ ...RUN, ...DONE, ...row });
  rig.pass(30_000);
  await rig.pollFor(60_000);
}

describe('label values', () => {
  test.each([
    [
      'a quote, a backslash and a newline stay',
      'Badge "Office" \\ System\nEast',
      'Badge "Office" \\ System\nEast',
    ],
    ['control characters leave', 'a\u0000b\u0007c\td', 'abcd'],
    ['characters that turn the direction of text leave', 'a\u202Eb\u2066c\u200Fd', 'abcd'],
    ['lone surrogates leave', 'a\uD800b', 'ab'],
    ['line and paragraph separators leave', 'a\u2028b\u2029c', 'abc'],
    ['an emoji stays', 'HR 🦄', 'HR 🦄'],
    ['5,000 characters become 128', 'x'.repeat(5_000), 'x'.repeat(128)],
    ['128 code points, not 128 halves of them', '🦄'.repeat(200), '🦄'.repeat(128)],
    ['__proto__ is a name like another', '__proto__', '__proto__'],
  ])('%s', (_rule, name, expected) => {
    expect(labelValue(name)).toBe(expected);
  });

  test('order is that of code points, not of UTF-16', () => {
    expect(['\u{1F984}', '\uFF5E'].toSorted(byCodePoint)).toEqual(['\uFF5E', '\u{1F984}']);
  });
});

describe('enum words', () => {
  const { labels } = emptyLedger(10);

  test('that JIM always had are as they are, and no news', () => {
    expect(admitWord(labels, 'runType', 'FullImport')).toEqual({
      value: 'FullImport',
      admissions: labels,
      unrecognised: false,
    });
  });

  test('of a later JIM are as they are, and news once', () => {
    const met = admitWord(labels, 'runType', 'DryRun');
    expect(met).toMatchObject({ value: 'DryRun', unrecognised: true });
    expect(admitWord(met.admissions, 'runType', 'DryRun')).toEqual({ ...met, unrecognised: false });
    // Each field has words of its own.
    expect(admitWord(met.admissions, 'errorType', 'DryRun').unrecognised).toBe(true);
  });

  test.each(['', 'two words', 'x'.repeat(1_000), 'Müller', '(other)'])(
    'that look like no word, as %j, are folded, and news once',
    (word) => {
      const met = noteUnknownWord(labels, 'status', word);
      expect(met).toMatchObject({ value: OTHER, unrecognised: true });
      expect(noteUnknownWord(met.admissions, 'status', 'another one')).toEqual({
        value: OTHER,
        admissions: met.admissions,
        unrecognised: false,
      });
    },
  );

  /** Words of JIM have no digits. */
  const laterWord = (index: number): string => `Later${'r'.repeat(index)}`;

  test('beyond fifty of a field are folded; those met before stay', () => {
    let admissions = labels;
    for (let index = 0; index < 50; index += 1)
      ({ admissions } = admitWord(admissions, 'runType', laterWord(index)));
    const beyond = admitWord(admissions, 'runType', laterWord(50));
    expect(beyond).toMatchObject({ value: OTHER, unrecognised: true });
    expect(admitWord(beyond.admissions, 'runType', laterWord(49)).value).toBe(laterWord(49));
    expect(admitWord(beyond.admissions, 'runType', laterWord(51)).unrecognised).toBe(false);
  });
});

describe('folding', () => {
  test('the same names fold whatever order they come in', () => {
    const names = Array.from({ length: 40 }, (_, index) => `profile ${(index * 17) % 40}`);
    const forwards = admit(emptyLedger(10).labels, 'runs', names, NOW_MS).admissions;
    const backwards = admit(emptyLedger(10).labels, 'runs', names.toReversed(), NOW_MS).admissions;
    expect([...forwards.runs].toSorted()).toEqual([...backwards.runs].toSorted());
    expect(forwards.runs.size).toBe(10);
  });

  test('a decision is not taken again under a lower limit, and what was folded may come in under a higher one', () => {
    const { admissions, newlyFolded } = admit(
      emptyLedger(2).labels,
      'runs',
      ['a', 'b', 'c'],
      NOW_MS,
    );
    expect(newlyFolded).toBe(1);
    expect(admit(admissions, 'runs', ['c'], NOW_MS)).toEqual({ admissions, newlyFolded: 0 });
    expect([...withLimit(admissions, 1).runs]).toEqual(['a', 'b']);
    expect([...admit(withLimit(admissions, 3), 'runs', ['c'], NOW_MS).admissions.runs]).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  test('a folded run keeps its run type', () => {
    const labels = { connectedSystem: 'HR', runProfile: 'Import', runType: 'FullImport' };
    expect(runLabelsAs(emptyLedger(1).labels, labels)).toEqual({
      connectedSystem: OTHER,
      runProfile: OTHER,
      runType: 'FullImport',
    });
  });

  test('5,000 run profiles: none is lost, 100 have series of their own, and a restart changes nothing', async () => {
    const rig = await createRig({ maxLabelSets: 100, publish: false });
    await rig.poll();
    await finish(
      rig,
      Array.from({ length: 5_000 }, (_, index) => ({
        targetName: `Profile ${index}`,
        targetContext: `System ${index % 300}`,
      })),
    );
    for (let poll = 0; poll < 20 && !rig.poller.seen().caughtUp; poll += 1) await rig.poll();
    expect(runsCounted(rig)).toBe(5_000);
    expect(rig.ledger().labels.runs.size).toBe(100);
    expect(rig.ledger().labels.connectedSystems.size).toBe(100);
    const before = await bytesOf(rig.ledger());
    await rig.keeper.flush();
    await rig.restart();
    expect((await bytesOf(rig.ledger())).equals(before)).toBe(true);
    expect(before.length).toBeLessThan(3_000_000);
  }, 60_000);

  test('hostile names: all counted, and the exposition parses', async () => {
    const rig = await createRig();
    await rig.poll();
    const names = [
      '__proto__',
      'constructor',
      'x'.repeat(5_000),
      `${'x'.repeat(5_000)}y`,
      '"\\\n',
      '\u0000',
      '🦄'.repeat(300),
      '',
    ];
    await finish(
      rig,
      names.map((targetName) => ({ targetName, targetContext: `in ${targetName}` })),
    );
    rig.pass(600_000);
    await rig.poll();
    expect(runsCounted(rig)).toBe(names.length);
    const parsed = parseExposition(rig.scrape() ?? '', 'text');
    const counted = parsed.families
      .get('jim_runs_total')
      ?.samples.reduce((sum, { value }) => sum + value, 0);
    expect(counted).toBe(names.length);
    // Two names of 5,000 characters are equal once they are cut: one label set.
    expect(
      new Set([...rig.ledger().runs.values()].map(({ labels }) => labels.runProfile)).size,
    ).toBe(6);
  });
});

describe('a year of run profiles that come and go', () => {
  test('state and memory stay bounded, and what is gone for series_retention leaves', async () => {
    const rig = await createRig({ maxLabelSets: 60, publish: false });
    await rig.poll();
    const sizes: number[] = [];
    let warmMegabytes = 0;
    for (let week = 0; week < 52; week += 1) {
      const names = Array.from({ length: 8 }, (_, index) => ({
        targetName: `Week ${week} profile ${index}`,
        targetContext: `System ${week}`,
      }));
      await finish(rig, names);
      rig.pass(7 * 86_400_000);
      const listed = names.map(({ targetName, targetContext }) => ({
        connectedSystem: targetContext,
        runProfile: targetName,
        runType: 'FullImport',
      }));
      const inventory = { runProfiles: listed, connectedSystems: [`System ${week}`] };
      await rig.keeper.move((ledger) => applyInventory(ledger, inventory, rig.nowMs()).ledger);
      await rig.pollFor(30_000);
      sizes.push((await bytesOf(rig.ledger())).length);
      if (week === 10) warmMegabytes = keptMegabytes();
    }
    // 35 days of retention: some six weeks of eight run profiles at any time, and never a folded one.
    expect(rig.ledger().labels.runs.size).toBeLessThanOrEqual(60);
    expect([...rig.ledger().runs.values()].some(({ labels }) => labels.runProfile === OTHER)).toBe(
      false,
    );
    expect(Math.max(...sizes.slice(-10))).toBeLessThan(Math.max(...sizes.slice(10, 20)) * 1.6);
    expect(Math.max(...sizes)).toBeLessThan(120_000);
    // The simulated JIM keeps its rows: two of these.
    expect(keptMegabytes() - warmMegabytes).toBeLessThan(4);
  }, 60_000);

  test('increments held for longer than series_retention are shown before their label set leaves', async () => {
    const rig = await createRig({ settings: { seriesRetentionMs: 86_400_000 } });
    await rig.poll();
    rig.world.insert({ ...RUN, ...DONE, created: rig.world.jimNow - 60e6 });
    rig.pass(15_000);
    await rig.poll();
    const nothing = { runProfiles: [], connectedSystems: [] };
    await rig.keeper.move((ledger) => applyInventory(ledger, nothing, rig.nowMs()).ledger);
    rig.pass(2 * 86_400_000);
    await rig.restart();
    await rig.poll();
    expect(rig.scrape()).toMatch(/^jim_runs_total\{.*status="Complete".*\} 1$/m);
    rig.pass(15_000);
    await rig.poll();
    expect(rig.ledger().runs.size).toBe(0);
  });

  test('what came after the inventory was read stays until another lacks it', async () => {
    const rig = await createRig({ settings: { seriesRetentionMs: 86_400_000 } });
    await rig.poll();
    const nothing = { runProfiles: [], connectedSystems: [] };
    const readNothing = async (): Promise<void> => {
      await rig.keeper.move((ledger) => applyInventory(ledger, nothing, rig.nowMs()).ledger);
    };
    await readNothing();
    await finish(rig, [{ created: rig.world.jimNow }]);
    rig.scrape();
    await rig.pollFor(200_000);
    const run = /^jim_runs_total\{.*status="Complete".*\} 1$/m;
    const ofSystem = /^jim_activities_total\{.*connected_system="HR System".*\} 1$/m;
    expect(rig.scrape()).toMatch(run);
    // Longer than series_retention, and JIM's connected systems could not be read all the while.
    rig.pass(2 * 86_400_000);
    await rig.pollFor(60_000);
    expect(rig.scrape()).toMatch(run);
    expect(rig.scrape()).toMatch(ofSystem);
    await readNothing();
    await rig.pollFor(30_000);
    expect(rig.scrape()).not.toMatch(run);
    expect(rig.scrape()).not.toMatch(ofSystem);
  });

  test('nothing retires while an inventory has not been read', () => {
    const ledger = { ...emptyLedger(10), started: true };
    expect(retire(ledger, NOW_MS, 1)).toBe(ledger);
  });
});
