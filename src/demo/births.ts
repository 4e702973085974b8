/** How the Activities of worker tasks are born: when they are queued, in progress at once (jim-api, 5.1). */
import type { PlannedRun } from './run-plan.ts';
import type { WorldRow } from './row.ts';
import type { World } from './world.ts';

/** Who asked for it. Steps of a schedule carry whoever started the schedule. */
export interface Initiator {
  readonly type: 'User' | 'ApiKey' | 'System';
  readonly id: string | null;
  readonly name: string;
}

export const SYSTEM_INITIATOR: Initiator = { type: 'System', id: null, name: 'System' };

export function bearRun(
  world: World,
  systemId: number,
  profileId: number,
  initiator: Initiator,
  fields: Partial<WorldRow> = {},
): string {
  const { system, profile } = runOf(world, systemId, profileId);
  return world.insert({
    targetType: 'ConnectedSystemRunProfile',
    targetOperationType: 'Execute',
    targetName: profile.name,
    targetContext: system.name,
    runType: profile.runType,
    connectedSystemId: system.id,
    connectedSystemRunProfileId: profile.id,
    ...initiatedBy(initiator),
    ...fields,
  });
}

export function bearReconciliation(
  world: World,
  initiator: Initiator,
  fields: Partial<WorldRow>,
): string {
  return world.insert({
    targetType: 'TemporalScopeReconciliation',
    targetOperationType: 'Execute',
    targetName: 'Temporal Scope Reconciliation',
    ...initiatedBy(initiator),
    ...fields,
  });
}

export function runOf(world: World, systemId: number, profileId: number): PlannedRun {
  const system = world.systems.find((candidate) => candidate.id === systemId);
  const profile = system?.runProfiles.find((candidate) => candidate.id === profileId);
  if (system === undefined || profile === undefined) {
    throw new Error(`no run profile ${profileId} of connected system ${systemId}`);
  }
  return { system, profile };
}

export function initiatedBy(
  initiator: Initiator,
): Pick<WorldRow, 'initiatedByType' | 'initiatedById' | 'initiatedByName'> {
  return {
    initiatedByType: initiator.type,
    initiatedById: initiator.id,
    initiatedByName: initiator.name,
  };
}
