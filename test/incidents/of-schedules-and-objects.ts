/** Incidents of schedules, of what connected systems hold, and of JIM's housekeeping. */
import { BADGES, CLOUD, DELTA, DIRECTORY, HR, NIGHTLY } from '../../src/demo/company-set-up.ts';
import type { Stage } from './chain.ts';
import { utc } from './chain.ts';
import type { Incident } from './stories.ts';
import { addSchedule, changeSystem, housekeeping, missDues, tryUnknownKey } from './stories.ts';

const startMs = utc('2026-03-03T07:02:30');

export const OF_SCHEDULES_AND_OBJECTS: readonly Incident[] = [
  {
    name: 'a schedule is switched off for an hour',
    startMs,
    minutes: 90,
    story: {
      6: ({ company }) => company.incidents.setScheduleEnabled(DELTA, false),
      66: ({ company }) => company.incidents.setScheduleEnabled(DELTA, true),
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'JIM’s scheduler sleeps over three due times',
    startMs,
    minutes: 80,
    prepare: (company) =>
      missDues(company, DELTA, [
        utc('2026-03-03T07:15:00'),
        utc('2026-03-03T07:30:00'),
        utc('2026-03-03T07:45:00'),
      ]),
    expected: ['JimRunOverdue', 'JimScheduledRunMissed'],
    clearedBy: 'the next run',
  },
  {
    name: 'summer time begins: the night’s due time comes an hour earlier',
    startMs: utc('2026-03-28T23:03:30'),
    minutes: 26 * 60,
    step: 10,
    prepare: (company) => {
      company.incidents.setScheduleEnabled(NIGHTLY, false);
      addSchedule(company, 'Nightly by Berlin time', NIGHTLY, [
        utc('2026-03-29T00:30:00'),
        utc('2026-03-29T23:30:00'),
      ]);
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a connected system is renamed',
    startMs,
    minutes: 150,
    story: { 20: ({ company }) => company.incidents.rename(CLOUD, 'Cloud Directory 2') },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a connected system loses a third of its objects, and gets them back',
    startMs,
    minutes: 95,
    story: {
      20: ({ company }) =>
        changeSystem(company, HR, ({ objectCount }) => ({
          objectCount: Math.round(objectCount * 0.6),
        })),
      60: ({ company }) => changeSystem(company, HR, () => ({ objectCount: 12_400 })),
    },
    expected: ['JimConnectedSystemShrank'],
    clearedBy: 'the objects',
  },
  {
    name: 'an import deletes a fifth of a source',
    startMs,
    minutes: 40,
    story: {
      5: ({ company }) => company.incidents.failNextRun(HR, 'mass_deletion', 'DeltaImport'),
    },
    expected: ['JimMassDeletion'],
    clearedBy: 'six hours without',
    stands: true,
  },
  {
    name: 'most exports are given up as not confirmed',
    startMs,
    minutes: 40,
    story: {
      5: ({ company }) =>
        company.incidents.failNextRun(DIRECTORY, 'unconfirmed_exports', 'DeltaImport'),
    },
    expected: ['JimExportConfirmationsFailing'],
    clearedBy: 'a day without',
    stands: true,
  },
  {
    name: 'an export is taken out of the schedules, and a source warns in every run, for days',
    startMs: utc('2026-03-02T10:02:30'),
    minutes: 76 * 60,
    step: 20,
    prepare: (company) => {
      const cloud = company.world.systems.find(({ name }) => name === CLOUD);
      const runProfileId = cloud?.runProfiles.find(({ runType }) => runType === 'Export')?.id;
      company.world.schedules = company.world.schedules.map((schedule) => ({
        ...schedule,
        steps: schedule.steps.filter((step) => step.runProfileId !== runProfileId),
      }));
      changeSystem(company, CLOUD, () => ({ pendingExports: 150 }));
      for (let run = 0; run < 292; run += 1)
        company.incidents.failNextRun(BADGES, 'warning', 'DeltaImport');
    },
    story: { 4400: ({ company }) => void company.incidents.run(CLOUD, 'Export') },
    expected: ['JimPendingExportsPilingUp', 'JimRunWarningsPersist'],
    clearedBy: 'an export; a run without warnings',
  },
  {
    name: 'the deletion of leavers fails again and again',
    startMs,
    minutes: 60,
    story: {
      // Oftener than the company's own, which goes well now and then.
      ...Object.fromEntries(
        [5, 9, 13, 17, 21, 25, 29].map((minute) => [
          minute,
          ({ company }: Stage) => housekeeping(company, 'FailedWithError'),
        ]),
      ),
      40: ({ company }) => housekeeping(company, 'Complete'),
    },
    expected: ['JimHousekeepingFailing'],
    clearedBy: 'the next success',
  },
  {
    name: 'a certificate comes near its end, and is replaced',
    startMs,
    minutes: 150,
    story: {
      0: ({ company }) => company.incidents.setCertificateExpiry('Cloud Directory', 20),
      44: ({ company }) => company.incidents.setCertificateExpiry('Cloud Directory', 2),
      92: ({ company }) => company.incidents.setCertificateExpiry('Cloud Directory', 365),
    },
    expected: ['JimCertificateExpiring', 'JimCertificateExpiryImminent'],
    clearedBy: 'the new certificate',
  },
  {
    name: 'many sign-ins fail',
    startMs,
    minutes: 100,
    story: { 10: ({ company }) => company.incidents.failSignIns(15) },
    expected: ['JimAuthenticationFailures'],
    clearedBy: 'an hour without',
  },
  {
    name: 'a few sign-ins fail',
    startMs,
    minutes: 30,
    story: { 10: ({ company }) => company.incidents.failSignIns(3) },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a script tries a key that JIM does not know, all hour long',
    startMs,
    minutes: 120,
    story: { 6: tryUnknownKey, 22: tryUnknownKey, 38: tryUnknownKey, 54: tryUnknownKey },
    expected: ['JimAuthenticationFailures'],
    clearedBy: 'an hour without',
  },
];
