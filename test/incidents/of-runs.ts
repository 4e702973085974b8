/** Incidents of runs: failures, errors, and runs that do not end. */
import { BADGES, CLOUD, DELTA, DIRECTORY, HR, PHONE_BOOK } from '../../src/demo/company-set-up.ts';
import { utc } from './chain.ts';
import type { Incident } from './stories.ts';
import { changeSystem } from './stories.ts';

/** A Tuesday; the delta cycle is due at minute 13 and each quarter of an hour after it. */
const startMs = utc('2026-03-03T07:02:30');

export const OF_RUNS: readonly Incident[] = [
  {
    name: 'one import cannot connect',
    startMs,
    minutes: 40,
    story: { 5: ({ company }) => company.incidents.failNextRun(HR, 'connector', 'DeltaImport') },
    expected: ['JimRunFailed', 'JimScheduleStopped'],
    clearedBy: 'the next success',
  },
  {
    name: 'a connected system is away for an hour',
    startMs,
    minutes: 90,
    story: {
      5: ({ company }) => company.incidents.stopConnector(CLOUD),
      65: ({ company }) => company.incidents.startConnector(CLOUD),
    },
    expected: ['JimRunFailed', 'JimRunFailsRepeatedly', 'JimRunOverdue', 'JimScheduleStopped'],
    clearedBy: 'the next success',
  },
  {
    name: 'an export ends with unhandled errors',
    startMs,
    minutes: 40,
    story: { 5: ({ company }) => company.incidents.failNextRun(DIRECTORY, 'unhandled', 'Export') },
    expected: ['JimRunEndedWithErrors'],
    clearedBy: 'the next success',
  },
  {
    name: 'an import ends with unhandled errors, and its schedule with it',
    startMs,
    minutes: 40,
    story: {
      5: ({ company }) => company.incidents.failNextRun(BADGES, 'unhandled', 'DeltaImport'),
    },
    expected: ['JimRunEndedWithErrors', 'JimScheduleStopped'],
    clearedBy: 'the next success',
  },
  {
    name: 'every object of an import fails',
    startMs,
    minutes: 40,
    story: {
      5: ({ company }) => company.incidents.failNextRun(CLOUD, 'all_objects', 'DeltaImport'),
    },
    expected: ['JimRunFailed', 'JimScheduleStopped'],
    clearedBy: 'the next success',
  },
  {
    name: 'a warning, which is normal',
    startMs,
    minutes: 30,
    story: { 5: ({ company }) => company.incidents.failNextRun(HR, 'warning', 'DeltaImport') },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a failure that JIM itself takes back at once',
    startMs,
    minutes: 30,
    story: {
      5: ({ company }) => company.incidents.failNextRun(HR, 'flips_to_complete', 'DeltaImport'),
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a source fails and recovers between two scrapes',
    startMs,
    minutes: 30,
    story: {
      19: ({ company, rig }) => {
        company.incidents.failNextRun(HR, 'connector', 'DeltaImport');
        company.incidents.run(HR, 'DeltaImport');
        rig.pass(25_000);
        company.incidents.run(HR, 'DeltaImport');
        rig.pass(30_000);
      },
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'the first run ever of a run profile fails',
    startMs,
    minutes: 115,
    story: {
      5: ({ company }) =>
        changeSystem(company, PHONE_BOOK, ({ runProfiles }) => ({
          runProfiles: [...runProfiles, { id: 99, name: 'Delta Import', runType: 'DeltaImport' }],
        })),
      18: ({ company }) => {
        company.incidents.failNextRun(PHONE_BOOK, 'connector', 'DeltaImport');
        company.incidents.run(PHONE_BOOK, 'DeltaImport');
      },
      95: ({ company }) => void company.incidents.run(PHONE_BOOK, 'DeltaImport'),
    },
    expected: ['JimRunFailed', 'JimRunNeverSucceeded'],
    clearedBy: 'the first success',
  },
  {
    name: 'a tenth of an import’s objects fail',
    startMs,
    minutes: 75,
    story: {
      5: ({ company }) => {
        company.incidents.failNextRun(DIRECTORY, 'a_tenth_fails', 'FullImport');
        company.incidents.run(DIRECTORY, 'FullImport');
      },
      50: ({ company }) => void company.incidents.run(DIRECTORY, 'FullImport'),
    },
    expected: ['JimImportErrorShareHigh'],
    clearedBy: 'the next import',
  },
  {
    name: 'a tenth of what is synchronised fails all morning',
    startMs: utc('2026-03-03T09:02:30'),
    minutes: 240,
    step: 5,
    story: {
      5: ({ company }) => {
        for (let run = 0; run < 11; run += 1)
          company.incidents.failNextRun(HR, 'a_tenth_fails', 'DeltaSynchronisation');
      },
    },
    expected: ['JimSynchronisationErrorShareHigh'],
    clearedBy: 'an hour without',
  },
  {
    name: 'a failed import feeds nothing to a green synchronisation',
    startMs,
    minutes: 45,
    story: {
      17: ({ company }) => {
        company.incidents.failNextRun(HR, 'connector', 'DeltaImport');
        company.incidents.run(HR, 'DeltaImport');
      },
      // The first of the two works off what lay there from before.
      19: ({ company }) => void company.incidents.run(HR, 'DeltaSynchronisation'),
      21: ({ company }) => void company.incidents.run(HR, 'DeltaSynchronisation'),
    },
    expected: ['JimRunFailed', 'JimSynchronisationFedByNothing'],
    heard: ['JimRunFailed'],
    clearedBy: 'the next success',
  },
  {
    name: 'a run is cancelled by hand',
    startMs,
    minutes: 40,
    story: {
      5: ({ company }) => company.incidents.slowDown(HR, 40),
      14: ({ company }) => {
        company.incidents.slowDown(HR, 1);
        if (company.incidents.cancelRunning().length === 0) throw new Error('nothing is running');
      },
    },
    expected: ['JimScheduleStopped'],
    clearedBy: 'the next cycle',
  },
  {
    name: 'the worker dies and is restarted two minutes later',
    startMs,
    minutes: 45,
    story: {
      5: ({ company }) => company.incidents.slowDown(HR, 40),
      14: ({ company }) => company.incidents.crashWorker(),
      16: ({ company }) => {
        company.incidents.slowDown(HR, 1);
        company.incidents.restartWorker();
      },
    },
    expected: ['JimRunFailed', 'JimScheduleStopped'],
    clearedBy: 'the next success',
  },
  {
    name: 'the worker stays dead, and the queue stands still',
    startMs,
    minutes: 85,
    story: {
      8: ({ company }) => company.incidents.crashWorker(),
      60: ({ company }) => company.incidents.restartWorker(),
    },
    expected: ['JimQueueNotMoving'],
    clearedBy: 'the worker',
  },
  {
    name: 'a run takes hours instead of seconds',
    startMs,
    minutes: 110,
    story: {
      5: ({ company }) => company.incidents.slowDown(HR, 600),
      80: ({ company }) => {
        company.incidents.slowDown(HR, 1);
        if (company.incidents.cancelRunning().length === 0) throw new Error('nothing is running');
      },
    },
    expected: ['JimRunStuck', 'JimScheduleStopped'],
    clearedBy: 'its end, and the next cycle',
  },
  {
    name: 'a run hangs',
    startMs,
    minutes: 90,
    story: {
      5: ({ company }) => company.incidents.slowDown(HR, 100_000),
      60: ({ company }) => {
        company.incidents.slowDown(HR, 1);
        if (company.incidents.cancelRunning().length === 0) throw new Error('nothing is running');
      },
    },
    expected: ['JimRunNoProgress', 'JimRunStuck', 'JimScheduleStopped'],
    heard: ['JimRunStuck', 'JimScheduleStopped'],
    clearedBy: 'its end, and the next cycle',
  },
  {
    name: 'a run over midnight',
    startMs: utc('2026-03-03T23:31:30'),
    minutes: 75,
    story: {
      10: ({ company }) => company.incidents.slowDown(HR, 130),
      29: ({ company }) => {
        company.incidents.slowDown(HR, 1);
        if (company.world.tasks.every(({ status }) => status !== 'Processing'))
          throw new Error('nothing is running at midnight');
      },
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a configuration change that never ends',
    startMs,
    minutes: 140,
    settings: { openLimitMs: 20 * 60_000 },
    story: {
      5: ({ company }) => {
        const id = company.incidents.orphan();
        company.world.after(55 * 60_000, () => company.world.remove(id));
      },
    },
    expected: ['JimActivitiesOrphaned'],
    clearedBy: 'its deletion',
  },
  {
    name: 'JIM 0.12, which shows less: one import cannot connect',
    startMs,
    minutes: 40,
    dialect: '0.12',
    story: { 5: ({ company }) => company.incidents.failNextRun(HR, 'connector', 'DeltaImport') },
    expected: ['JimRunFailed', 'JimScheduleStopped'],
    clearedBy: 'the next success',
  },
  {
    name: 'the delta cycle is started by hand, and fails once',
    startMs,
    minutes: 35,
    story: {
      5: ({ company }) => {
        company.incidents.failNextRun(BADGES, 'connector', 'DeltaImport');
        company.incidents.startSchedule(DELTA);
      },
    },
    expected: ['JimRunFailed', 'JimScheduleStopped'],
    clearedBy: 'the next success',
  },
];
