/** The built program on a bad disk and a bad state file: exact totals or a clear refusal, never a silent restart from 0. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeLedger } from '../../src/ledger/encoding.ts';
import { DEMO_API_KEY } from '../../src/demo/world.ts';
import type { Scene } from './scene.ts';
import { createScene, eventually, scrape, sum } from './scene.ts';

const STORAGE_FAILURE = /jim_exporter_poll_failures_total\{reason="storage"\} [1-9]/;

let scene: Scene;
beforeEach(async () => {
  scene = await createScene('storage');
});
afterEach(() => scene.close());

const runsShown = (metrics: string): number => sum(metrics, 'jim_runs_total');

describe('a state file', () => {
  test(
    'cut off anywhere, or with any byte changed, is refused and left alone',
    { timeout: 120_000 },
    async () => {
      await scene.firstLook();
      const text = readFileSync(scene.stateFile, 'utf8');
      // Every length and every bit are tried in state-file.test.ts; here, that the program ends so.
      const damaged = [
        '',
        text.slice(0, 30),
        text.slice(0, text.length - 1),
        `${text.slice(0, 200)}${text[200] === '0' ? '1' : '0'}${text.slice(201)}`,
        text.replace('"version":1', '"version":2'),
      ];
      for (const bad of damaged) {
        writeFileSync(scene.stateFile, bad);
        const { code, stderr } = await scene.run();
        expect(stderr).toMatch(
          /The (state )?file .* (is damaged|was written by another version|is not a state file)/,
        );
        expect(code).toBe(1);
        expect(readFileSync(scene.stateFile, 'utf8')).toBe(bad);
      }
    },
  );

  test(
    'copied at any time is whole, and put back goes on from there: what finished since is counted once',
    { timeout: 120_000 },
    async () => {
      await scene.firstLook();
      const backup = join(scene.folder, 'backup.state');
      const first = scene.start();
      scene.finishRuns(3);
      await eventually(first, (metrics) => {
        copyFileSync(scene.stateFile, backup);
        decodeLedger(readFileSync(backup), backup);
        return runsShown(metrics) === 3;
      });
      scene.finishRuns(4);
      await eventually(first, (metrics) => runsShown(metrics) === 7);
      first.kill('SIGTERM');
      expect(await first.ended).toBe(0);
      scene.finishRuns(2);
      copyFileSync(backup, scene.stateFile);
      const second = scene.start();
      await eventually(second, (metrics) => runsShown(metrics) >= 9);
      await wait(2_500);
      expect(runsShown(await scrape(second))).toBe(9);
    },
  );
});

describe('a storage path', () => {
  test(
    'removed while serving fails polls with a sentence, and the exporter goes on serving',
    { timeout: 60_000 },
    async () => {
      const exporter = scene.start();
      await eventually(exporter, (metrics) => metrics.includes('\njim_up 1'));
      rmSync(scene.data, { recursive: true });
      scene.finishRuns(1);
      const metrics = await eventually(exporter, (text) => STORAGE_FAILURE.test(text));
      expect(metrics).toMatch(STORAGE_FAILURE);
      expect(runsShown(metrics)).toBe(0);
      expect(exporter.stderr()).toContain('nothing was counted');
    },
  );

  test(
    'in use by another exporter is refused, and the first one counts on',
    { timeout: 60_000 },
    async () => {
      const first = scene.start();
      await eventually(first, (metrics) => metrics.includes('\njim_up 1'));
      const { code, stderr } = await scene.run();
      expect(code).toBe(1);
      expect(stderr).toContain(`is held by another exporter (process ${first.pid} on `);
      scene.finishRuns(2);
      expect(runsShown(await eventually(first, (metrics) => runsShown(metrics) === 2))).toBe(2);
    },
  );
});

/** Only root may mount, and not in every container. */
function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'jim-exporter-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'none', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}

/** The ledger of so many runs is longer than a page of the file system. */
const MORE_THAN_A_PAGE = 90;

describe.skipIf(!canMount())('a small disk of its own', () => {
  beforeEach(() => {
    mkdirSync(scene.data);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', scene.data]);
  });
  afterEach(() => {
    // Lazily: the exporter may still be there, and the scene that ends it closes after this.
    execFileSync('umount', ['-l', scene.data]);
  });

  test(
    'that fills up stops counting until there is room: nothing is half-written, and then nothing is missing',
    { timeout: 120_000 },
    async () => {
      const exporter = scene.start();
      await eventually(exporter, (metrics) => metrics.includes('\njim_up 1'));
      const filler = join(scene.data, 'filler');
      expect(() => writeFileSync(filler, Buffer.alloc(1_000_000))).toThrow(/ENOSPC/);
      // A page is left: it takes a part of what is written, and then refuses the rest.
      truncateSync(filler, statSync(filler).size - 4_096);
      scene.finishRuns(MORE_THAN_A_PAGE);
      const full = await eventually(exporter, (text) => STORAGE_FAILURE.test(text));
      expect(full).toMatch(STORAGE_FAILURE);
      expect(runsShown(full)).toBe(0);
      expect(exporter.stderr()).toMatch(/nothing was counted: ENOSPC/);
      const kept = decodeLedger(readFileSync(scene.stateFile), scene.stateFile);
      expect(kept.counted.size).toBe(0);
      expect(readdirSync(scene.data).toSorted()).toEqual(['filler', 'ledger.lock', 'ledger.state']);
      exporter.kill('SIGKILL');
      await exporter.ended;
      rmSync(filler);
      const again = scene.start();
      const healed = await eventually(again, (text) => runsShown(text) >= MORE_THAN_A_PAGE);
      expect(runsShown(healed)).toBe(MORE_THAN_A_PAGE);
    },
  );

  test(
    'that turns read-only stops counting, refuses a start, and heals',
    { timeout: 120_000 },
    async () => {
      const exporter = scene.start();
      await eventually(exporter, (metrics) => metrics.includes('\njim_up 1'));
      const remount = (how: 'ro' | 'rw'): void =>
        void execFileSync('mount', ['-o', `remount,${how}`, scene.data]);
      remount('ro');
      scene.finishRuns(2);
      const stuck = await eventually(exporter, (text) => STORAGE_FAILURE.test(text));
      expect(runsShown(stuck)).toBe(0);
      expect(exporter.stderr()).toMatch(/nothing was counted: EROFS/);
      remount('rw');
      expect(runsShown(await eventually(exporter, (text) => runsShown(text) >= 2))).toBe(2);
      exporter.kill('SIGTERM');
      expect(await exporter.ended).toBe(0);
      remount('ro');
      const { code, stderr } = await scene.run();
      expect(code).toBe(1);
      expect(stderr).toMatch(/The storage path .* cannot be written \(EROFS/);
      remount('rw');
    },
  );
});

describe('a key that JIM refuses', () => {
  test(
    'is told in the metric and the log, and healed by a new file without a restart',
    { timeout: 60_000 },
    async () => {
      const keyFile = join(scene.folder, 'jim.key');
      writeFileSync(keyFile, 'jim_ak_wrong');
      const exporter = scene.start({ JIM_API_KEY_FILE: 'jim.key' });
      const refused = await eventually(exporter, (text) =>
        /poll_failures_total\{reason="unauthorized"\} [1-9]/.test(text),
      );
      expect(refused).toContain('\njim_up 0');
      expect(exporter.stderr()).toMatch(
        /level=error source=poll msg="poll failed" reason=unauthorized/,
      );
      expect(exporter.stderr()).not.toContain('jim_ak_wrong');
      writeFileSync(keyFile, DEMO_API_KEY);
      const healed = await eventually(exporter, (text) => text.includes('\njim_up 1'));
      expect(healed).toContain('\njim_up 1');
    },
  );
});
