import { describe, expect, test } from 'vitest';
import {
  changeConfiguration,
  cleanUp,
  initialise,
  renameSystem,
  resetToFactory,
  restore,
  signIn,
  upgrade,
} from '../../src/demo/administration.ts';
import { createCompany, type Company } from '../../src/demo/company.ts';
import { HR, NIGHTLY } from '../../src/demo/company-set-up.ts';
import type { DialectName } from '../../src/demo/dialects.ts';
import { createRandom } from '../../src/demo/random.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { SYSTEM_INITIATOR } from '../../src/demo/births.ts';
import { World } from '../../src/demo/world.ts';
import { ACTIVITIES, ask, askJson, type Page, type Row } from './ask.ts';

const START = Date.parse('2026-11-23T12:05:00Z');
const DAY_MICROS = 86_400_000_000;
const random = createRandom(5);

function worldOn(dialect: DialectName): World {
  return new World({ seed: 1, startMs: START, dialect });
}

function companyOn(dialect: DialectName): Company {
  return createCompany({ seed: 1, startMs: START, days: 0.1, dialect });
}

describe('a configuration change', () => {
  const change = { targetType: 'ConnectedSystem', operation: 'Update', targetName: 'HR System' };

  test('is in progress for a moment, then complete', () => {
    const world = worldOn('0.14');
    const id = changeConfiguration(world, random, change, SYSTEM_INITIATOR);
    expect(world.row(id)?.status).toBe('InProgress');
    world.advanceTo(START + 700);
    expect(world.row(id)).toMatchObject({ status: 'Complete', runType: 'NotSet' });
  });

  test('that an exception cut off is in progress for ever', () => {
    const world = worldOn('0.14');
    const id = changeConfiguration(world, random, change, SYSTEM_INITIATOR, 'never_ends');
    world.advanceTo(START + 30 * 86_400_000);
    expect(world.row(id)?.status).toBe('InProgress');
  });
});

describe('sign-ins', () => {
  test('are complete when they are born, failed ones too, and only from 0.14 on', () => {
    for (const dialect of ['0.8', '0.12', '0.13'] as const) {
      const world = worldOn(dialect);
      signIn(world, 'failed');
      expect(world.table.listed).toBe(0);
    }
    const world = worldOn('0.14');
    signIn(world, 'failed');
    expect(world.table.rows).toMatchObject([
      { status: 'Complete', targetName: 'Interactive sign-in failed', executionTime: 0 },
    ]);
  });
});

describe('retention', () => {
  test('deletes the hundred oldest of each class, unfinished ones too, and leaves its own row', () => {
    const world = worldOn('0.14');
    const now = START * 1000;
    const born = (days: number, fields: object): string =>
      world.insert({ created: now - days * DAY_MICROS, status: 'Complete', ...fields });
    const general = Array.from({ length: 130 }, (_, day) => born(300 - day, {}));
    const unfinished = born(400, { status: 'InProgress' });
    const configuration = born(3000, { configurationChangeVersion: 1 });
    const ancient = born(3651, { configurationChangeVersion: 1 });
    const signIns = [
      born(366, { targetType: 'Authentication' }),
      born(364, { targetType: 'Authentication' }),
    ];
    cleanUp(world, random);
    world.advanceTo(START + 500);
    const isGone = (id: string): boolean => world.row(id) === undefined;
    expect(general.map(isGone)).toEqual([...Array(99).fill(true), ...Array(31).fill(false)]);
    expect([unfinished, configuration, ancient, ...signIns].map(isGone)).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
    expect(world.table.rows.at(-1)).toMatchObject({
      targetType: 'HistoryRetentionCleanup',
      targetOperationType: 'Delete',
      targetName: null,
      status: 'Complete',
    });
  });

  test('may delete a parent and leave its children where nobody sees them', async () => {
    const world = worldOn('0.14');
    const parent = world.insert({ created: START * 1000 - 91 * DAY_MICROS, status: 'Complete' });
    const child = world.insert({ status: 'Complete', parentActivityId: parent });
    cleanUp(world, random);
    const simulator = createSimulator({ world, now: () => START });
    expect((await ask(simulator, `${ACTIVITIES}/${parent}/children`)).status).toBe(404);
    expect((await ask(simulator, `${ACTIVITIES}/${child}`)).status).toBe(200);
  });
});

describe('a factory reset', () => {
  test('takes every row, the configuration and the key, and leaves a Reset and what JIM builds in', async () => {
    const { world, worker } = companyOn('0.14');
    const simulator = createSimulator({ world, now: () => world.nowMs });
    expect((await ask(simulator, ACTIVITIES)).status).toBe(200);
    expect(resetToFactory(world, worker, random, { force: true })).toBe(true);
    world.advanceTo(world.nowMs + 60_000);
    expect(world.table.rows.map((row) => [row.targetType, row.status])).toEqual([
      ['System', 'Complete'],
      ['SystemInitialisation', 'Complete'],
    ]);
    expect([world.systems, world.schedules, world.tasks]).toEqual([[], [], []]);
    expect((await ask(simulator, ACTIVITIES)).status).toBe(401);
  });

  test('is refused while anything is in progress, and before 0.12', () => {
    const busy = companyOn('0.14');
    busy.incidents.orphan();
    expect(resetToFactory(busy.world, busy.worker, random)).toBe(false);
    expect(busy.world.table.listed).toBeGreaterThan(10);
    const old = companyOn('0.8');
    expect(resetToFactory(old.world, old.worker, random, { force: true })).toBe(false);
  });

  test('lets the company be set up again, with ids from 1', () => {
    const company = companyOn('0.14');
    const { world } = company;
    resetToFactory(world, company.worker, random, { force: true, keepKeys: true });
    company.setUp();
    expect(world.systems.map((system) => system.id)).toEqual([1, 2, 3, 4, 5]);
    world.advanceTo(START + 3_600_000);
    expect(world.executions.map((execution) => execution.scheduleName)).toContain('Delta Cycle');
  });
});

describe('what JIM builds in', () => {
  test('is one Activity with more than a hundred children, from 0.13 on', async () => {
    const world = worldOn('0.14');
    initialise(world, random, 155);
    world.advanceTo(START + 30_000);
    const simulator = createSimulator({ world, now: () => world.nowMs });
    const [parent] = world.table.rows;
    const page = await askJson<Page<Row>>(
      simulator,
      `${ACTIVITIES}/${parent?.id}/children?page=2&pageSize=500`,
    );
    expect(page).toMatchObject({ totalCount: 155, pageSize: 100, totalPages: 2 });
    expect(page.items).toHaveLength(55);
    const old = worldOn('0.12');
    initialise(old, random, 155);
    expect(old.table.listed).toBe(0);
  });
});

describe('an upgrade', () => {
  test('closes the port, then answers as the new version and has renamed what it stores', async () => {
    const company = companyOn('0.12');
    const { world, worker } = company;
    const generated = world.insert({
      status: 'Complete',
      targetType: 'ExampleDataTemplate',
      targetOperationType: 'Execute',
    });
    const rule = world.insert({ status: 'Complete', targetType: 'SynchronisationRule' });
    const running = company.incidents.run(HR, 'FullImport');
    world.advanceTo(START + 5000);
    const simulator = createSimulator({ world, now: () => world.nowMs });
    const nameOf = async (id: string): Promise<string> =>
      (await askJson<Row>(simulator, `${ACTIVITIES}/${id}`)).targetType;
    expect([await nameOf(generated), await nameOf(rule)]).toEqual([
      'ExampleDataTemplate',
      'SyncRule',
    ]);

    upgrade(world, worker, random, '0.13', 40_000);
    await expect(ask(simulator, ACTIVITIES)).rejects.toThrow('refused');
    world.advanceTo(START + 46_000);
    expect([await nameOf(generated), await nameOf(rule)]).toEqual([
      'DataGeneration',
      'SynchronisationRule',
    ]);
    expect(await askJson(simulator, '/api/v1/health/version')).toMatchObject({ version: '0.13.0' });
    world.advanceTo(START + 60_000);
    expect(world.row(running)?.status).toBe('FailedWithError');
  });
});

describe('a restore', () => {
  test('abandons what was being processed when the backup was taken, and goes on', () => {
    const company = companyOn('0.14');
    const { world, worker } = company;
    const running = company.incidents.run(HR, 'FullImport');
    world.advanceTo(START + 10_000);
    const backup = world.backup();
    world.advanceTo(START + 120_000);
    expect(world.row(running)?.status).toBe('Complete');
    const lost = company.incidents.run(HR, 'DeltaImport');
    restore(world, worker, backup);
    expect(world.row(running)?.status).toBe('FailedWithError');
    expect(world.row(lost)).toBeUndefined();
    const next = company.incidents.run(HR, 'DeltaImport');
    world.advanceTo(START + 240_000);
    expect(world.row(next)?.status).toBe('Complete');
    expect(world.schedules.map((schedule) => schedule.name)).toContain(NIGHTLY);
  });
});

describe('a rename', () => {
  test('gives later rows the new name, and leaves the old ones theirs', () => {
    const company = companyOn('0.14');
    const { world, incidents } = company;
    const before = incidents.run(HR, 'DeltaImport');
    renameSystem(world, random, 1, 'Personnel', SYSTEM_INITIATOR);
    const after = incidents.run('Personnel', 'DeltaImport');
    expect([before, after].map((id) => world.row(id)?.targetContext)).toEqual([HR, 'Personnel']);
    expect([before, after].map((id) => world.row(id)?.connectedSystemId)).toEqual([1, 1]);
  });
});
