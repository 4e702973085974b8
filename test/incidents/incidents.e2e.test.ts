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
import type { Recording } from './chain.ts';
import { STEP_MINUTES, play } from './chain.ts';
import type { Firing } from './judge.ts';
import { firingAfter, heardOf, spans } from './judge.ts';
import { OF_RUNS } from './of-runs.ts';
import { OF_SCHEDULES_AND_OBJECTS } from './of-schedules-and-objects.ts';
import { OF_WATCHING } from './of-watching.ts';
import type { Incident } from './stories.ts';

const INCIDENTS: readonly Incident[] = [...OF_WATCHING, ...OF_RUNS, ...OF_SCHEDULES_AND_OBJECTS];
const EXAMPLE = readFileSync(join(ALERTS_FOLDER, 'alertmanager.example.yaml'), 'utf8');

/** Played once, judged by both versions. */
const played = new Map<Incident, Promise<Recording>>();
function recordingOf(incident: Incident): Promise<Recording> {
  const recording = played.get(incident) ?? play(incident);
  played.set(incident, recording);
  return recording;
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

      beforeAll(async () => {
        const program = findProgram('prometheus-alertmanager', version) ?? '';
        alertmanager = await RealAlertmanager.create(program, EXAMPLE);
        await alertmanager.start();
      });
      afterAll(async () => {
        await alertmanager.dispose();
        process.stdout.write(
          `Prometheus ${version}: incident | expected | seen (minutes) | heard | cleared by\n${rows.join('\n')}\n`,
        );
      });

      // Together: while one is played, the rules judge another.
      test.concurrent.for(INCIDENTS)('$name', { timeout: 600_000 }, async (incident) => {
        const firing = await firingAfter(promtool, await recordingOf(incident), incident);
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
