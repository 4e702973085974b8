/** What a story does to the company beyond its own incidents. */
import { SYSTEM_INITIATOR } from '../../src/demo/births.ts';
import type { Company } from '../../src/demo/company.ts';
import type { Schedule } from '../../src/demo/inventory.ts';
import type { Stage, Story } from './chain.ts';

/** A story with what it deserves. */
export interface Incident extends Story {
  readonly name: string;
  /** The alerts that fire, and no others. */
  readonly expected: readonly string[];
  /** Those of them that Alertmanager passes on; all, unless said: the others are explained by one that it does. */
  readonly heard?: readonly string[];
  readonly clearedBy: string;
  /** Longer than the story is played. */
  readonly stands?: true;
}

const MICROS_PER_MS = 1_000;

/** A schedule with the steps of another, due at moments of our clock that no timetable of the company has. */
export function addSchedule(
  { world, worker }: Company,
  name: string,
  like: string,
  duesMs: readonly number[],
): void {
  const model = world.schedules.find((schedule) => schedule.name === like);
  if (model === undefined) throw new Error(`the company has no schedule ${like}`);
  const id = world.random.guid();
  const nextRunTime = (index: number): number | null => {
    const due = duesMs[index];
    return due === undefined ? null : due * MICROS_PER_MS;
  };
  const added: Schedule = {
    ...model,
    id,
    name,
    isEnabled: true,
    lastRunTime: null,
    nextRunTime: nextRunTime(0),
  };
  world.schedules = [...world.schedules, added];
  duesMs.forEach((due, index) => {
    world.at(due + 5_000, () => {
      worker.startSchedule(added, SYSTEM_INITIATOR);
      changeSchedule(world, name, {
        lastRunTime: world.jimNow,
        nextRunTime: nextRunTime(index + 1),
      });
    });
  });
}

/** JIM's scheduler sleeps over due times of a schedule that is due each quarter of an hour. */
export function missDues({ world }: Company, name: string, duesMs: readonly number[]): void {
  for (const due of duesMs) {
    // The company looks within 20 s after the due time; nobody polls in between.
    world.at(due - 1_000, () => changeSchedule(world, name, { isEnabled: false }));
    world.at(due + 21_000, () => {
      const nextRunTime = (due + 15 * 60_000) * MICROS_PER_MS;
      changeSchedule(world, name, { isEnabled: true, nextRunTime });
    });
  }
}

function changeSchedule(world: Company['world'], name: string, change: Partial<Schedule>): void {
  world.schedules = world.schedules.map((schedule) =>
    schedule.name === name ? { ...schedule, ...change } : schedule,
  );
}

/** A connected system that has other numbers from now on. */
export function changeSystem(
  { world }: Company,
  name: string,
  change: (
    system: Company['world']['systems'][number],
  ) => Partial<Company['world']['systems'][number]>,
): void {
  world.systems = world.systems.map((system) =>
    system.name === name ? { ...system, ...change(system) } : system,
  );
}

/** The recurring deletion of leavers ends so. */
export function housekeeping({ world }: Company, status: 'Complete' | 'FailedWithError'): void {
  world.insert({
    targetType: 'MetaverseObjectHousekeeping',
    targetOperationType: 'Execute',
    targetName: 'Scheduled Identity Deletion',
    status,
    executionTime: 400_000,
    totalActivityTime: 400_100,
  });
}

/** Somebody's script tries a key that JIM does not know. */
export async function tryUnknownKey({ rig }: Stage): Promise<void> {
  const key = `jim_ak_${'f'.repeat(64)}`;
  const request = new Request('http://jim.example/api/v1/activities', {
    headers: { 'X-API-Key': key },
  });
  await rig.simulator.fetch(request);
}
