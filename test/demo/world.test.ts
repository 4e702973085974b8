import { describe, expect, test } from 'vitest';
import { createCompany } from '../../src/demo/company.ts';
import { createSimulator } from '../../src/demo/simulator.ts';
import { World } from '../../src/demo/world.ts';
import { ask, NEWEST_FIRST } from './ask.ts';

const START = Date.parse('2026-11-23T12:00:00Z');

function worldOf(options: { readonly clockOffsetMs?: number } = {}): World {
  return new World({ seed: 1, startMs: START, ...options });
}

describe('virtual time', () => {
  test('plays what is due, in order, each at its own moment', () => {
    const world = worldOf();
    const played: string[] = [];
    const note = (name: string) => () => {
      played.push(`${name} at ${world.nowMs - START}`);
    };
    world.after(30, note('third'));
    world.after(10, note('first'));
    world.after(10, note('second'));
    world.after(500, note('never'));
    world.after(20, () => {
      world.after(5, note('born on the way'));
    });
    world.advanceTo(START + 100);
    expect(played).toEqual(['first at 10', 'second at 10', 'born on the way at 25', 'third at 30']);
    expect(world.nowMs).toBe(START + 100);
  });

  test('never goes back', () => {
    const world = worldOf();
    world.advanceTo(START + 100);
    world.advanceTo(START);
    expect(world.nowMs).toBe(START + 100);
  });

  test('keeps what was meant for before a reset from happening after it', () => {
    const world = worldOf();
    let happened = false;
    world.afterInEpoch(10, () => {
      happened = true;
    });
    world.truncate();
    world.advanceTo(START + 100);
    expect(happened).toBe(false);
  });
});

describe('rows', () => {
  test('are born as JIM makes them: in progress, executed within a millisecond of created', () => {
    const world = worldOf();
    const row = world.row(world.insert({ targetName: 'x' }));
    expect(row).toMatchObject({
      created: START * 1000,
      status: 'InProgress',
      executionTime: null,
      totalActivityTime: null,
      runType: 'NotSet',
    });
    expect((row?.executed ?? 0) - START * 1000).toBeGreaterThan(0);
    expect((row?.executed ?? 0) - START * 1000).toBeLessThan(700);
  });

  test('are stamped by the clock that JIM has at the time', () => {
    const world = worldOf({ clockOffsetMs: -90_000 });
    const early = world.insert({});
    world.clockOffsetMs = 5000;
    const late = world.insert({});
    expect(world.row(early)?.created).toBe((START - 90_000) * 1000);
    expect(world.row(late)?.created).toBe((START + 5000) * 1000);
  });

  test('can be changed and deleted at a moment, hidden or not', () => {
    const world = worldOf();
    const id = world.insert({}, { visibleAtMs: START + 50 });
    world.update(id, { status: 'Complete' }, { atMs: START + 20 });
    world.remove(id, { atMs: START + 80 });
    const seen = [10, 20, 50, 80].map((ms) => {
      world.advanceTo(START + ms);
      return [world.row(id)?.status, world.table.get(id)?.status];
    });
    expect(seen).toEqual([
      ['InProgress', undefined],
      ['Complete', undefined],
      ['Complete', 'Complete'],
      [undefined, undefined],
    ]);
  });
});

describe('the truth', () => {
  test('knows every ending that could be seen, and for how long', () => {
    const world = worldOf();
    const id = world.insert({
      targetType: 'ConnectedSystemRunProfile',
      targetOperationType: 'Execute',
      targetName: 'Export',
      targetContext: 'Directory',
      runType: 'Export',
    });
    world.update(id, { status: 'FailedWithError', executionTime: 7 }, { atMs: START + 10 });
    world.update(id, { message: 'shown to nobody who counts' }, { atMs: START + 11 });
    world.update(id, { status: 'Complete' }, { atMs: START + 15 });
    world.update(id, { status: 'InProgress' }, { atMs: START + 40 });
    world.update(id, { status: 'Cancelled' }, { atMs: START + 60 });
    world.remove(id, { atMs: START + 90 });
    world.advanceTo(START + 100);
    const run = { connectedSystem: 'Directory', runProfile: 'Export', runType: 'Export' };
    expect(world.truth()).toMatchObject([
      {
        id,
        listed: true,
        goneAtMs: START + 90,
        endings: [
          { status: 'FailedWithError', fromMs: START + 10, toMs: START + 15, run },
          { status: 'Complete', fromMs: START + 15, toMs: START + 40, executionTime: 7 },
          { status: 'Cancelled', fromMs: START + 60, toMs: START + 90 },
        ],
      },
    ]);
  });

  test('leaves out what never finished while anybody could see it', () => {
    const world = worldOf();
    world.insert({});
    const unseen = world.insert({ status: 'Complete' }, { visibleAtMs: START + 50 });
    world.remove(unseen, { atMs: START + 40 });
    world.advanceTo(START + 100);
    expect(world.truth()).toEqual([]);
  });

  test.each([
    ['ConnectedSystem', 'HR', null, 'HR'],
    ['ConnectedSystemRunProfile', 'Export', 'HR', 'HR'],
    ['SynchronisationRule', 'HR Rule', 'HR', 'HR'],
    ['SynchronisationRule', 'Mapping to Mail', 'HR Rule', ''],
    ['SynchronisationRule', 'Attribute priority order for Mail', null, ''],
    ['ObjectMatchingRule', 'Rule for person', 'HR', ''],
    ['PasswordSynchronisation', 'HR', 'HR', 'HR'],
    ['Authentication', 'Interactive sign-in failed', null, ''],
  ])('knows the system of a %s named %s', (targetType, targetName, targetContext, system) => {
    const world = worldOf();
    world.insert({ status: 'Complete', targetType, targetName, targetContext });
    expect(world.truth()[0]?.endings[0]?.connectedSystem).toBe(system);
  });
});

describe('a backup', () => {
  test('brings back what was deleted since, opens what has finished since, and loses what was born since', () => {
    const world = worldOf();
    const deleted = world.insert({ status: 'Complete' });
    const finished = world.insert({});
    const backup = world.backup();
    world.advanceTo(START + 1000);
    world.remove(deleted);
    world.update(finished, { status: 'Complete' });
    const born = world.insert({ status: 'Complete' });
    world.advanceTo(START + 2000);
    world.restore(backup);
    expect(world.row(deleted)?.status).toBe('Complete');
    expect(world.row(finished)?.status).toBe('InProgress');
    expect(world.row(born)).toBeUndefined();
    expect(
      world
        .truth()
        .map(({ id, goneAtMs, endings }) => [
          id,
          goneAtMs,
          endings.map(({ fromMs, toMs }) => [fromMs - START, toMs === null ? null : toMs - START]),
        ]),
    ).toEqual([
      [
        deleted,
        null,
        [
          [0, 1000],
          [2000, null],
        ],
      ],
      [finished, null, [[1000, 2000]]],
      [born, START + 2000, [[1000, 2000]]],
    ]);
  });
});

describe('the same seed', () => {
  const hourOf = async (seed: number): Promise<string> => {
    const company = createCompany({ seed, startMs: START, days: 0.25, dialect: 'main' });
    const texts: string[] = [];
    let now = START;
    const simulator = createSimulator({
      world: company.world,
      now: () => now,
      quirks: { countDrift: 3 },
    });
    company.world.after(20 * 60_000, () => {
      company.incidents.crashWorker();
    });
    for (let minute = 0; minute < 60; minute += 1) {
      now = START + minute * 60_000;
      const page = await ask(simulator, `${NEWEST_FIRST}&pageSize=100`);
      const tasks = await ask(simulator, '/api/v1/worker-tasks');
      texts.push(page.text, tasks.text, page.headers.get('date') ?? '');
    }
    return texts.join('\n');
  };

  test('makes the same bytes, and another seed others', async () => {
    const first = await hourOf(7);
    expect(await hourOf(7)).toBe(first);
    expect(await hourOf(8)).not.toBe(first);
  });
});
