/** What Prometheus and Alertmanager make of a recording: which alerts fire when, and which of them a person hears. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { GROUPS, RULES_TEXT } from '../alerts/rules-file.ts';
import { THRIFTY_GO } from '../programs.ts';
import type { Recording } from './chain.ts';
import { STEP_MINUTES } from './chain.ts';

export type Labels = Readonly<Record<string, string>>;
/** The alerts that fire, by minute. */
export type Firing = ReadonlyMap<number, readonly Labels[]>;

const FIRING = 'ALERTS{alertstate="firing",alertname!="JimWatchdog"}';

/** A story that was played. */
export interface Played {
  readonly recording: Recording;
  readonly minutes: number;
  readonly step?: number;
}

/**
 * Asks promtool at each step what fires, by claiming that nothing does: it then says what it got. Each story is a
 * target of its own beside the others in one Prometheus: the rules keep targets apart, and most of the time goes
 * into the rules, however many targets they look at. All have the same step.
 */
export async function firingAfter(
  promtool: string,
  stories: readonly Played[],
): Promise<readonly Firing[]> {
  const step = stepOf(stories);
  const minutes = Math.max(...stories.map((story) => story.minutes));
  const folder = mkdtempSync(join(tmpdir(), 'jim-incident-'));
  try {
    const file = join(folder, 'incident.yaml');
    writeFileSync(join(folder, 'jim.rules.yaml'), rulesWithin(minutes, step));
    const times = Array.from({ length: Math.ceil(minutes / step) }, (_, index) => index * step);
    const interval = `${step}m`;
    const test = {
      interval,
      input_series: stories.flatMap(({ recording }, story) =>
        [...recording].map(([series, values]) => ({
          series: ofTarget(series, story),
          values: runLengths(values),
        })),
      ),
      promql_expr_test: times.map((minute) => ({
        expr: FIRING,
        eval_time: `${minute}m`,
        exp_samples: [],
      })),
    };
    // JSON is YAML. As in the file: without the order promtool takes another each time, and alerts begin a step apart.
    writeFileSync(
      file,
      JSON.stringify({
        rule_files: ['jim.rules.yaml'],
        evaluation_interval: interval,
        group_eval_order: GROUPS.map(({ name }) => name),
        tests: [test],
      }),
    );
    const firing = firingAsTold(await runPromtool(promtool, ['test', 'rules', file]));
    return stories.map((story, index) => ofStory(firing, story, index));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function stepOf(stories: readonly Played[]): number {
  const [step = STEP_MINUTES, ...others] = new Set(
    stories.map((story) => story.step ?? STEP_MINUTES),
  );
  if (others.length > 0) throw new Error('stories of different steps cannot be judged together');
  return step;
}

/** As the scrape job of the examples has it. */
function ofTarget(series: string, story: number): string {
  const target = `job="jim-exporter",instance="${instanceOf(story)}"`;
  return series.endsWith('}') ? `${series.slice(0, -1)},${target}}` : `${series}{${target}}`;
}

function instanceOf(story: number): string {
  return `exporter-${story}:10190`;
}

/** What fires of one story until its end; another one may go on. */
function ofStory(firing: Firing, { minutes }: Played, story: number): Firing {
  const its = [...firing].map(([minute, alerts]) => {
    const mine = alerts.filter(({ instance }) => instance === instanceOf(story));
    return [minute, mine] as const;
  });
  return new Map(its.filter(([minute, alerts]) => minute < minutes && alerts.length > 0));
}

/**
 * Subqueries that look back behind the story's beginning, where there is nothing, need not: they cost most of the
 * time, and their steps are multiples of 10 minutes whatever their length. Nor need they look between two scrapes:
 * promtool takes 10,000 samples at most.
 */
function rulesWithin(minutes: number, step: number): string {
  return RULES_TEXT.replaceAll(/\[(\d+)([hd]):10m\]/g, (_, count: string, unit: string) => {
    const window = Math.min(minutes, Number(count) * (unit === 'h' ? 60 : 1_440));
    return `[${window}m:${Math.max(10, step)}m]`;
  });
}

/** Prometheus' notation for tests: `5x2` is 5 three times. */
function runLengths(values: readonly string[]): string {
  const runs: string[] = [];
  for (let from = 0; from < values.length;) {
    const value = values[from] ?? '_';
    let to = from + 1;
    while (values[to] === value) to += 1;
    const count = to - from;
    // A gap counts its scrapes, a value the repetitions after the first.
    if (value === '_') runs.push(`_x${count}`);
    else runs.push(count === 1 ? value : `${value}x${count - 1}`);
    from = to;
  }
  return runs.join(' ');
}

function runPromtool(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...THRIFTY_GO };
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    let text = '';
    const hear = (chunk: string): void => {
      text += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}

function firingAsTold(text: string): Firing {
  const firing = new Map<number, readonly Labels[]>();
  let minute: number | null = null;
  for (const line of text.split('\n')) {
    const time = /time: (?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:0s)?,/.exec(line);
    if (time !== null) {
      const [days, hours, minutes] = time.slice(1).map((count) => Number(count ?? 0));
      minute = ((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0);
    }
    if (minute !== null && line.includes('got: {')) firing.set(minute, labelSetsIn(line));
  }
  const strangers = [...firing.values()].flat().filter(({ instance }) => instance === undefined);
  if (strangers.length > 0) throw new Error(`of no story: ${JSON.stringify(strangers)}`);
  const isJudged = firing.size > 0 ? text.includes('FAILED') : text.includes('SUCCESS');
  if (!isJudged || /unexpected|parse error|unable|\berr: /i.test(text))
    throw new Error(`promtool did not judge: ${text.slice(0, 2_000)}`);
  return firing;
}

/** Label sets as PromQL writes them, without what only the server's own series have. */
function labelSetsIn(line: string): readonly Labels[] {
  return [...line.matchAll(/\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}/g)].map(([, inside = '']) => {
    const pairs = [...inside.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g)].map(
      ([, name = '', value = '']) => [name, z.string().parse(JSON.parse(value))] as const,
    );
    return Object.fromEntries(
      pairs.filter(([name]) => name !== '__name__' && name !== 'alertstate'),
    );
  });
}

/** Each alert's first and last minute. */
export function spans(firing: Firing): ReadonlyMap<string, readonly [from: number, to: number]> {
  const found = new Map<string, readonly [number, number]>();
  for (const [minute, alerts] of [...firing].toSorted(([a], [b]) => a - b)) {
    for (const { alertname = '' } of alerts)
      found.set(alertname, [found.get(alertname)?.[0] ?? minute, minute]);
  }
  return found;
}

/**
 * Names of the alerts that a running Alertmanager would have told a person in the course of a story: those that
 * nothing inhibited at some time. It asks until they are the ones expected, as inhibition begins a moment after the post.
 */
export async function heardOf(
  url: string,
  story: string,
  firing: Firing,
  expected: readonly string[],
): Promise<readonly string[]> {
  const moments = new Map([...firing.values()].map((alerts) => [JSON.stringify(alerts), alerts]));
  // A JIM of its own for each moment: what another left behind inhibits nothing here.
  const posted = [...moments.values()].flatMap((alerts, moment) =>
    alerts.map((labels) => ({ labels: { ...labels, instance: `${story} ${moment}` } })),
  );
  if (posted.length === 0) return [];
  const answer = await fetch(`${url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(posted),
  });
  if (!answer.ok) throw new Error(`Alertmanager: ${answer.status} ${await answer.text()}`);
  const mine = new URLSearchParams({ filter: `instance=~"${story} [0-9]+"` });
  const deadline = Date.now() + INHIBITION_DEADLINE_MS;
  for (;;) {
    const shown = SHOWN.parse(
      await (await fetch(`${url}/api/v2/alerts?${mine.toString()}`)).json(),
    );
    const heard = namesOf(shown.filter(({ status }) => status.inhibitedBy.length === 0));
    const isRight = shown.length === posted.length && heard.join() === expected.toSorted().join();
    if (isRight || Date.now() > deadline) return heard;
    await wait(50);
  }
}

const INHIBITION_DEADLINE_MS = 10_000;

const SHOWN = z.array(
  z.object({
    labels: z.record(z.string(), z.string()),
    status: z.object({ state: z.string(), inhibitedBy: z.array(z.string()) }),
  }),
);

function namesOf(alerts: readonly { readonly labels: Labels }[]): readonly string[] {
  return [...new Set(alerts.map(({ labels }) => labels['alertname'] ?? ''))].toSorted();
}
