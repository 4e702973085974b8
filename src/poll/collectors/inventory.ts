/**
 * JIM's connected systems and their run profiles. Each listed system costs JIM three counts over its largest
 * tables, so a turn reads ten systems; only when all were read does the ledger hear of it.
 */
import type { ConnectedSystem, RunProfile } from '../../jim/wire-state.ts';
import { admit, admitWord, labelValue, nameAs } from '../../ledger/labels.ts';
import type { Admissions, RunLabels } from '../../ledger/ledger.ts';
import { applyInventory } from '../../ledger/retire.ts';
import type { ConnectedSystemReading } from '../../metrics/snapshot.ts';
import type { Collector, CollectorTurn } from './collector.ts';
import { nothingLacking } from './collector.ts';

const SYSTEMS_PER_TURN = 10;
/** Systems that are read at all. */
const MAX_SYSTEMS = 1_000;

interface ReadSystem {
  readonly system: ConnectedSystem;
  readonly runProfiles: readonly RunProfile[];
}

export interface Inventory {
  readonly collector: Collector;
  /** The label set of a run profile by JIM's ids; null while it was not read. */
  labelsOf(connectedSystemId: number | null, runProfileId: number | null): RunLabels | null;
}

export function createInventory(): Inventory {
  /** As last read, and as read in the sweep under way. */
  let known: ReadonlyMap<number, ReadSystem> = new Map();
  let sweep = new Map<number, ReadSystem>();
  let page = 1;

  /** True when the sweep is complete. */
  const readPage = async ({ jim, call }: CollectorTurn): Promise<boolean> => {
    const { rows, totalCount, hasNextPage } = await jim.connectedSystems({
      ...call,
      page,
      pageSize: SYSTEMS_PER_TURN,
    });
    for (const system of rows) {
      sweep.set(system.id, { system, runProfiles: await jim.runProfiles(system.id, call) });
    }
    known = new Map([...known, ...sweep]);
    if (hasNextPage && sweep.size < MAX_SYSTEMS) {
      page += 1;
      return false;
    }
    // Systems that came or went meanwhile have moved the pages: then this sweep proves nothing.
    const complete = sweep.size === totalCount;
    if (complete) known = sweep;
    sweep = new Map();
    page = 1;
    return complete;
  };

  return {
    labelsOf: (connectedSystemId, runProfileId) => {
      const read = connectedSystemId === null ? undefined : known.get(connectedSystemId);
      const profile = read?.runProfiles.find(({ id }) => id === runProfileId);
      return read === undefined || profile === undefined ? null : runLabels(read.system, profile);
    },
    collector: {
      name: 'inventory',
      lacking: nothingLacking,
      needsKey: true,
      leavesAtOnce: false,
      collect: async (turn) => {
        const complete = await readPage(turn);
        const labels = await admitRead(turn);
        if (complete) await tellLedger(turn);
        return {
          connectedSystems: [...known.values()].map((read) => readingOf(read, labels)),
        };
      },
    },
  };

  /** Names and words of what was read become label values; what is new is reported once it is durable. */
  async function admitRead({ move, nowMs, telemetry }: CollectorTurn): Promise<Admissions> {
    const names = [...known.values()].map(({ system }) => labelValue(system.name));
    const words = [...known.values()].flatMap(({ runProfiles }) => runProfiles);
    let folded = 0;
    let unrecognised = 0;
    const { labels } = await move((ledger) => {
      const admitted = admit(ledger.labels, 'connectedSystems', names, nowMs());
      folded = admitted.newlyFolded;
      unrecognised = 0;
      let admissions = admitted.admissions;
      for (const { runType } of words) {
        const word = admitWord(admissions, 'runType', runType);
        if (word.unrecognised) unrecognised += 1;
        admissions = word.admissions;
      }
      return admissions === ledger.labels ? ledger : { ...ledger, labels: admissions };
    });
    if (folded > 0) telemetry.labelSetsFolded(folded);
    for (let count = 0; count < unrecognised; count += 1) telemetry.valueUnrecognised('runType');
    return labels;
  }

  async function tellLedger({ move, nowMs, telemetry }: CollectorTurn): Promise<void> {
    const systems = [...known.values()];
    let folded = 0;
    await move((ledger) => {
      const applied = applyInventory(
        ledger,
        {
          connectedSystems: systems.map(({ system }) => labelValue(system.name)),
          runProfiles: systems.flatMap(({ system, runProfiles }) =>
            runProfiles.map((profile) => {
              const labels = runLabels(system, profile);
              const { value } = admitWord(ledger.labels, 'runType', labels.runType);
              return { ...labels, runType: value };
            }),
          ),
        },
        nowMs(),
      );
      folded = applied.newlyFolded;
      return applied.ledger;
    });
    if (folded > 0) telemetry.labelSetsFolded(folded);
  }
}

function runLabels(system: ConnectedSystem, profile: RunProfile): RunLabels {
  return {
    connectedSystem: labelValue(system.name),
    runProfile: labelValue(profile.name),
    runType: labelValue(profile.runType),
  };
}

function readingOf(
  { system, runProfiles }: ReadSystem,
  labels: Admissions,
): ConnectedSystemReading {
  return {
    name: nameAs(labels, 'connectedSystems', labelValue(system.name)),
    objects: system.objects,
    joinedObjects: system.joinedObjects,
    pendingExports: system.pendingExports,
    runProfiles: runProfiles.map(({ name, runType }) => ({ name: labelValue(name), runType })),
  };
}
