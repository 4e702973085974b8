/** Incidents, each with exactly the alerts that it deserves; the table of what was seen is printed at the end. */
import { afterAll, describe, expect, test } from 'vitest';
import { BADGES, CLOUD, HR } from '../../src/demo/company-set-up.ts';
import { requireProgram } from '../programs.ts';
import type { Fired, Incident } from './chain.ts';
import { firedIn, recorded } from './chain.ts';

interface Expected extends Incident {
  readonly expected: readonly string[];
  readonly clearedBy: string;
}

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
];

const rows: string[] = [];

afterAll(() => {
  process.stdout.write(`incident | expected | seen (minutes) | cleared by\n${rows.join('\n')}\n`);
});

describe('an incident fires exactly its alerts, and they clear:', () => {
  test.for(INCIDENTS)(
    '$name',
    async (incident, { skip }) => {
      const promtool = requireProgram({ skip }, 'promtool');
      const fired = firedIn(promtool, await recorded(incident), incident.minutes);
      rows.push(row(incident, fired));
      expect(Object.keys(fired).toSorted()).toEqual(incident.expected.toSorted());
      const last = Math.max(0, ...Object.values(fired).map(([, minute]) => minute));
      expect(last, 'it still fires at the end').toBeLessThan(incident.minutes - 1);
    },
    60_000,
  );
});

function row({ name, expected, clearedBy }: Expected, fired: Fired): string {
  const seen = Object.entries(fired).map(([alert, [from, to]]) => `${alert} ${from}-${to}`);
  return [name, expected.join(', ') || 'none', seen.join(', ') || 'none', clearedBy].join(' | ');
}
