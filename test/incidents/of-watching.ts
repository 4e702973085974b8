/** Incidents between JIM, the exporter and Prometheus: who watches, and what the watching itself meets. */
import { resetToFactory, signIn, upgrade } from '../../src/demo/administration.ts';
import { HR } from '../../src/demo/company-set-up.ts';
import { DEMO_API_KEY } from '../../src/demo/world.ts';
import type { Stage } from './chain.ts';
import { MINUTE_MS, utc } from './chain.ts';
import type { Incident } from './stories.ts';

const startMs = utc('2026-03-03T07:02:30');
const KEY = { key: DEMO_API_KEY, role: 'Administrator', isInfrastructure: false } as const;

export const OF_WATCHING: readonly Incident[] = [
  { name: 'a quiet hour', startMs, minutes: 60, expected: [], clearedBy: '-' },
  {
    name: 'JIM is down for 3 minutes',
    startMs,
    minutes: 30,
    story: { 5: ({ company }) => company.incidents.goDown(3 * MINUTE_MS) },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'JIM is down for 20 minutes',
    startMs,
    minutes: 45,
    story: { 5: ({ company }) => company.incidents.goDown(20 * MINUTE_MS) },
    expected: ['JimUnreachable'],
    clearedBy: 'its first answer',
  },
  {
    name: 'a run has failed, and then JIM is down',
    startMs,
    minutes: 60,
    story: {
      5: ({ company }) => company.incidents.failNextRun(HR, 'connector', 'DeltaImport'),
      18: ({ company }) => company.incidents.goDown(20 * MINUTE_MS),
    },
    expected: ['JimRunFailed', 'JimScheduleStopped', 'JimUnreachable'],
    clearedBy: 'its first answer, and the success that it then tells',
  },
  {
    name: 'JIM is down while a run fails',
    startMs,
    minutes: 45,
    story: {
      11: ({ company }) => {
        company.incidents.failNextRun(HR, 'connector', 'DeltaImport');
        company.incidents.goDown(12 * MINUTE_MS);
      },
    },
    expected: ['JimRunFailed', 'JimScheduleStopped', 'JimUnreachable'],
    clearedBy: 'the next success',
  },
  {
    name: 'JIM is not ready, and not for maintenance',
    startMs,
    minutes: 60,
    story: {
      5: ({ company, rig }) => {
        company.world.maintenance = true;
        const edit = (): unknown => ({ status: 'not_ready', reason: 'database_unavailable' });
        rig.simulator.faults.inject({ kind: 'edit', edit }, { path: READY, times: Infinity });
      },
      40: ({ company, rig }) => {
        company.world.maintenance = false;
        rig.simulator.faults.clear();
      },
    },
    expected: ['JimNotReady'],
    clearedBy: 'its readiness',
  },
  {
    name: 'a maintenance window, in which JIM is away for half an hour',
    startMs,
    minutes: 75,
    story: {
      10: ({ company }) => company.incidents.setMaintenance(true),
      15: ({ company }) => company.incidents.goDown(30 * MINUTE_MS),
      50: ({ company }) => company.incidents.setMaintenance(false),
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'an upgrade to the next version in four minutes',
    startMs,
    minutes: 45,
    story: {
      18: ({ company: { world, worker } }) =>
        upgrade(world, worker, world.random.fork('upgrade'), 'main', 4 * MINUTE_MS),
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'a factory reset',
    startMs,
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
    name: 'retention deletes the history of before this morning',
    startMs,
    minutes: 45,
    story: {
      20: ({ company: { world } }) => {
        const before = utc('2026-03-03T06:00:00') * 1_000;
        const doomed = world.table.rows.filter(({ created }) => created < before);
        for (const { id } of doomed) world.remove(id);
      },
    },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'the exporter is killed within a poll, after a failure, and comes back',
    startMs,
    minutes: 45,
    story: {
      5: ({ company }) => company.incidents.failNextRun(HR, 'connector', 'DeltaImport'),
      20: async ({ rig }) => {
        rig.crashAfter(1);
        await rig.poll().catch(() => undefined);
        await rig.restart();
      },
    },
    expected: ['JimRunFailed', 'JimScheduleStopped'],
    clearedBy: 'the next success',
  },
  {
    name: 'the exporter is gone for 10 minutes',
    startMs,
    minutes: 45,
    gone: [20, 30],
    expected: ['JimExporterDown'],
    clearedBy: 'its first answer',
  },
  {
    name: 'the clocks drift apart, and NTP mends it',
    startMs,
    minutes: 60,
    story: {
      5: ({ company }) => {
        company.world.clockOffsetMs = MINUTE_MS;
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
    startMs,
    minutes: 50,
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
    name: 'the disk is full for half an hour',
    startMs,
    minutes: 65,
    story: {
      ...Object.fromEntries(
        // Something to store, each minute.
        Array.from({ length: 30 }, (_, minute) => [
          minute + 6,
          ({ company }: Stage) => signIn(company.world, 'succeeded'),
        ]),
      ),
      5: ({ rig }) => {
        rig.disk.full = true;
      },
      37: ({ rig }) => {
        rig.disk.full = false;
      },
    },
    expected: ['JimDataStale', 'JimStorageFailing'],
    clearedBy: 'a write that succeeds',
  },
  {
    name: 'one write fails',
    startMs,
    minutes: 30,
    story: { 13: ({ rig }) => rig.disk.fail('before') },
    expected: [],
    clearedBy: '-',
  },
  {
    name: 'JIM’s list has a row that cannot be read',
    startMs,
    minutes: 40,
    story: {
      14: ({ rig }) => {
        rig.simulator.faults.inject(
          { kind: 'malformed_row', damage: 'status_is_a_number' },
          { path: '/api/v1/activities', times: 2 },
        );
      },
    },
    expected: ['JimRowsRejected'],
    clearedBy: 'six hours without',
    stands: true,
  },
  {
    name: 'JIM cannot tell its schedules for more than an hour',
    startMs,
    minutes: 100,
    story: {
      6: ({ rig }) => {
        rig.simulator.faults.inject(
          { kind: 'status', status: 500 },
          { path: /\/schedules/, times: Infinity },
        );
      },
      80: ({ rig }) => rig.simulator.faults.clear(),
    },
    expected: ['JimCollectorFailing'],
    clearedBy: 'the collector’s success',
  },
];

const READY = '/api/v1/health/ready';
