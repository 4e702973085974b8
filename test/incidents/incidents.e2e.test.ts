/**
 * Incidents, each with exactly the alerts that it deserves: the simulated company, the exporter with its collectors,
 * the rule engines of both versions of Prometheus, and the inhibitions of both versions of Alertmanager.
 * The table of what was seen is printed at the end.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RealAlertmanager } from '../alertmanager/real.ts';
import { ALERTS_FOLDER } from '../alerts/rules-file.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import { STEP_MINUTES, play } from './chain.ts';
import type { Firing, Played } from './judge.ts';
import { firingAfter, heardOf, spans } from './judge.ts';
import { OF_RUNS } from './of-runs.ts';
import { OF_SCHEDULES_AND_OBJECTS } from './of-schedules-and-objects.ts';
import { OF_WATCHING } from './of-watching.ts';
import type { Incident } from './stories.ts';

const INCIDENTS: readonly Incident[] = [...OF_WATCHING, ...OF_RUNS, ...OF_SCHEDULES_AND_OBJECTS];
const EXAMPLE = readFileSync(join(ALERTS_FOLDER, 'alertmanager.example.yaml'), 'utf8');

/** Judged together: so many that no query of the rules meets more samples than promtool takes, 10,000. */
const MAX_TOGETHER = 12;
const ROUNDS: readonly (readonly Incident[])[] = [
  ...new Set(INCIDENTS.map(({ step = STEP_MINUTES }) => step)),
].flatMap((step) => inRounds(INCIDENTS.filter((one) => (one.step ?? STEP_MINUTES) === step)));

/** Those of about the same length: the rules are evaluated until the longest of a round has ended. */
function inRounds(incidents: readonly Incident[]): readonly (readonly Incident[])[] {
  const byLength = incidents.toSorted((a, b) => a.minutes - b.minutes);
  return Array.from({ length: Math.ceil(incidents.length / MAX_TOGETHER) }, (_, round) =>
    byLength.slice(round * MAX_TOGETHER, (round + 1) * MAX_TOGETHER),
  );
}

/** Each round is played once, one after the other. */
const played: Promise<readonly Played[]>[] = [];
function playedRound(round: number): Promise<readonly Played[]> {
  const known = played[round];
  if (known !== undefined) return known;
  const before = round === 0 ? Promise.resolve() : playedRound(round - 1);
  const playing = before.then(() => playAll(ROUNDS[round] ?? []));
  played[round] = playing;
  return playing;
}

async function playAll(incidents: readonly Incident[]): Promise<readonly Played[]> {
  const all: Played[] = [];
  for (const incident of incidents) all.push({ ...incident, recording: await play(incident) });
  return all;
}

describe.each(PROGRAM_VERSIONS)('with Prometheus and Alertmanager %d', (version) => {
  const isMissing = [
    lacksProgram('promtool', version),
    lacksProgram('prometheus-alertmanager', version),
  ];

  describe.skipIf(isMissing.includes(true))(
    'an incident fires exactly its alerts, and they clear:',
    () => {
      const promtool = findProgram('promtool', version) ?? '';
      const rows: string[] = [];
      let alertmanager: RealAlertmanager;
      /** By round; while one is judged, the next is played. */
      let judged: readonly Promise<readonly Firing[]>[] = [];

      beforeAll(async () => {
        const program = findProgram('prometheus-alertmanager', version) ?? '';
        alertmanager = await RealAlertmanager.create(program, EXAMPLE);
        await alertmanager.start();
        judged = ROUNDS.map((_, round) =>
          playedRound(round).then((all) => firingAfter(promtool, all)),
        );
        // The tests of a round tell why it failed.
        void Promise.allSettled(judged);
      });
      afterAll(async () => {
        await alertmanager.dispose();
        process.stdout.write(
          `Prometheus ${version}: incident | expected | seen (minutes) | heard | cleared by\n${rows.join('\n')}\n`,
        );
      });

      test.concurrent.for(INCIDENTS)('$name', { timeout: 600_000 }, async (incident) => {
        const round = ROUNDS.findIndex((incidents) => incidents.includes(incident));
        const firing = (await judged[round])?.[ROUNDS[round]?.indexOf(incident) ?? -1];
        if (firing === undefined) throw new Error('this incident is in no round');
        const { expected, heard = expected } = incident;
        const seen = spans(firing);
        const told = await heardOf(alertmanager.url, incident.name, firing, heard);
        rows.push(row(incident, firing, told));
        expect([...seen.keys()].toSorted()).toEqual(expected.toSorted());
        expect(told).toEqual(heard.toSorted());
        const { minutes, step = STEP_MINUTES } = incident;
        const lastMinute = Math.floor((minutes - 1) / step) * step;
        expect(firing.has(lastMinute), 'fires at the end').toBe(incident.stands === true);
      });
    },
  );
});

function row(
  { name, expected, clearedBy }: Incident,
  firing: Firing,
  told: readonly string[],
): string {
  const seen = [...spans(firing)].map(([alert, [from, to]]) => `${alert} ${from}-${to}`);
  const cells = [expected.join(', '), seen.join(', '), told.join(', ')].map((one) => one || 'none');
  return [name, ...cells, clearedBy].join(' | ');
}
