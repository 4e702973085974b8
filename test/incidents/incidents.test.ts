/** Incidents, each with exactly the alerts that it deserves; the table of what was seen is printed at the end. */
import { afterAll, describe, expect, test } from 'vitest';
import { resetToFactory, signIn, upgrade } from '../../src/demo/administration.ts';
import { BADGES, CLOUD, DELTA, HR } from '../../src/demo/company-set-up.ts';
import { DEMO_API_KEY } from '../../src/demo/world.ts';
import { requireProgram } from '../programs.ts';
import type { Fired, Incident, Stage } from './chain.ts';
import { firedIn, recorded } from './chain.ts';

interface Expected extends Incident {
  readonly expected: readonly string[];
  readonly clearedBy: string;
  /** Longer than the incident is played. */
  readonly stands?: true;
}

const KEY = { key: DEMO_API_KEY, role: 'Administrator', isInfrastructure: false } as const;

const INCIDENTS: readonly Expected[] = [
  {
    name: 'a quiet morning',
    minutes: 120,
    story: {},
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'one import cannot connect',
    minutes: 75,
    story: { 5: ({ company }) => company.incidents.failNextRun(HR, 'connector', 'DeltaImport') },
    expected: ['JimRunFailed'],
    clearedBy: 'the next success',
  },
  {
    name: 'a connected system is away for an hour',
    minutes: 110,
    story: {
      5: ({ company }) => company.incidents.stopConnector(CLOUD),
      65: ({ company }) => company.incidents.startConnector(CLOUD),
    },
    expected: ['JimRunFailed', 'JimRunFailsRepeatedly'],
    clearedBy: 'the next success',
  },
  {
    name: 'a run ends with unhandled errors',
    minutes: 75,
    story: {
      5: ({ company }) => company.incidents.failNextRun(BADGES, 'unhandled', 'DeltaImport'),
    },
    expected: ['JimRunEndedWithErrors'],
    clearedBy: 'the next success',
  },
  {
    name: 'a warning, which is normal',
    minutes: 60,
    story: { 5: ({ company }) => company.incidents.failNextRun(HR, 'warning', 'DeltaImport') },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a failure that JIM itself takes back at once',
    minutes: 60,
    story: {
      5: ({ company }) => company.incidents.failNextRun(HR, 'flips_to_complete', 'DeltaImport'),
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'JIM is down for 3 minutes',
    minutes: 45,
    story: { 5: ({ company }) => company.incidents.goDown(3 * 60_000) },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'JIM is down for 20 minutes',
    minutes: 60,
    story: { 5: ({ company }) => company.incidents.goDown(20 * 60_000) },
    expected: ['JimUnreachable'],
    clearedBy: 'its first answer',
  },
  {
    name: 'JIM is down while a run fails',
    minutes: 75,
    story: {
      11: ({ company }) => {
        company.incidents.failNextRun(HR, 'connector', 'DeltaImport');
        company.incidents.goDown(12 * 60_000);
      },
    },
    expected: ['JimRunFailed', 'JimUnreachable'],
    clearedBy: 'the next success',
  },
  {
    name: 'the exporter dies after a failure and comes back',
    minutes: 75,
    story: {
      5: ({ company }) => company.incidents.failNextRun(HR, 'connector', 'DeltaImport'),
      20: ({ rig }) => rig.restart(),
    },
    expected: ['JimRunFailed'],
    clearedBy: 'the next success',
  },
  {
    name: 'the exporter is gone for 10 minutes',
    minutes: 60,
    story: {},
    gone: [20, 30],
    expected: ['JimExporterDown'],
    clearedBy: 'its first answer',
  },
  {
    name: 'the clocks drift apart, and NTP mends it',
    minutes: 75,
    story: {
      5: ({ company }) => {
        company.world.clockOffsetMs = 60_000;
      },
      40: ({ company }) => {
        company.world.clockOffsetMs = 0;
      },
    },
    expected: ['JimClocksApart'],
    clearedBy: 'equal clocks',
  },
  {
    name: 'JIM refuses the key, until it is known again',
    minutes: 70,
    story: {
      5: ({ company: { world } }) => {
        world.apiKeys = [];
      },
      25: ({ company: { world } }) => {
        world.apiKeys = [KEY];
      },
    },
    expected: ['JimKeyRefused'],
    clearedBy: 'the key',
  },
  {
    name: 'many sign-ins fail',
    minutes: 110,
    story: { 10: ({ company }) => company.incidents.failSignIns(15) },
    expected: ['JimAuthenticationFailures'],
    clearedBy: 'an hour without',
  },
  {
    name: 'a few sign-ins fail',
    minutes: 60,
    story: { 10: ({ company }) => company.incidents.failSignIns(3) },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'the disk is full for half an hour',
    minutes: 75,
    story: Object.fromEntries(
      Array.from({ length: 30 }, (_, minute) => [
        minute + 5,
        ({ company, rig }: Stage) => {
          signIn(company.world, 'succeeded');
          rig.disk.fail('before');
        },
      ]),
    ),
    expected: ['JimDataStale', 'JimStorageFailing'],
    clearedBy: 'a write that succeeds',
  },
  {
    name: 'one write fails',
    minutes: 45,
    story: {
      13: ({ rig }) => {
        rig.disk.fail('before');
      },
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a source fails and recovers between two scrapes',
    minutes: 60,
    story: {
      20: ({ company, rig }) => {
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
    name: 'the worker dies and is restarted two minutes later',
    minutes: 75,
    story: {
      5: ({ company }) => company.incidents.slowDown(HR, 40),
      14: ({ company }) => company.incidents.crashWorker(),
      16: ({ company }) => {
        company.incidents.slowDown(HR, 1);
        company.incidents.restartWorker();
      },
    },
    expected: ['JimRunFailed'],
    clearedBy: 'the next success',
  },
  {
    name: 'a run is cancelled by hand',
    minutes: 60,
    story: {
      5: ({ company }) => company.incidents.slowDown(HR, 40),
      14: ({ company }) => {
        company.incidents.slowDown(HR, 1);
        if (company.incidents.cancelRunning().length === 0) throw new Error('nothing is running');
      },
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a factory reset',
    minutes: 45,
    story: {
      10: ({ company: { world, worker } }) => {
        resetToFactory(world, worker, world.random.fork('reset'), { force: true, keepKeys: true });
      },
    },
    expected: ['JimHistoryGap'],
    clearedBy: 'a day',
    stands: true,
  },
  {
    name: 'an upgrade to the next version in four minutes',
    minutes: 60,
    story: {
      18: ({ company: { world, worker } }) =>
        upgrade(world, worker, world.random.fork('upgrade'), 'main', 4 * 60_000),
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'every object of an import fails',
    minutes: 75,
    story: {
      5: ({ company }) => company.incidents.failNextRun(CLOUD, 'all_objects', 'DeltaImport'),
    },
    expected: ['JimRunFailed'],
    clearedBy: 'the next success',
  },
  {
    name: 'a schedule is switched off for an hour',
    minutes: 90,
    story: {
      5: ({ company }) => company.incidents.setScheduleEnabled(DELTA, false),
      65: ({ company }) => company.incidents.setScheduleEnabled(DELTA, true),
    },
    expected: [],
    clearedBy: '-',
  },
];

const rows: string[] = [];

afterAll(() => {
  process.stdout.write(`incident | expected | seen (minutes) | cleared by\n${rows.join('\n')}\n`);
});

describe('an incident fires exactly its alerts, and they clear:', () => {
  test.for(INCIDENTS)('$name', { timeout: 60_000 }, async (incident, { skip }) => {
    const promtool = requireProgram({ skip }, 'promtool');
    const fired = firedIn(promtool, await recorded(incident), incident.minutes);
    rows.push(row(incident, fired));
    expect(Object.keys(fired).toSorted()).toEqual(incident.expected.toSorted());
    const last = Math.max(0, ...Object.values(fired).map(([, minute]) => minute));
    expect(last === incident.minutes - 1, 'fires at the end').toBe(incident.stands === true);
  });
});

function row({ name, expected, clearedBy }: Expected, fired: Fired): string {
  const seen = Object.entries(fired).map(([alert, [from, to]]) => `${alert} ${from}-${to}`);
  return [name, expected.join(', ') || 'none', seen.join(', ') || 'none', clearedBy].join(' | ');
}
