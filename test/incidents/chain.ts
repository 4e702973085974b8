/**
 * A story through the real chain in virtual time: the simulated company, the exporter's own poll cycle with all
 * its collectors and its publication, and what Prometheus would have scraped of it.
 */
import { isAscii } from 'node:buffer';
import type { Company } from '../../src/demo/company.ts';
import { createCompany } from '../../src/demo/company.ts';
import type { DialectName } from '../../src/demo/dialects.ts';
import type { PollSettings } from '../../src/poll/turn.ts';
import type { Rig } from '../poll/rig.ts';
import { createRig } from '../poll/rig.ts';
import { isFamilyLookedAt, isLookedAt } from './looked-at.ts';

export const MINUTE_MS = 60_000;

export interface Stage {
  readonly company: Company;
  readonly rig: Rig;
}
export interface Story {
  /** Our clock at minute 0. */
  readonly startMs: number;
  readonly minutes: number;
  /** Minutes from one poll, scrape and evaluation to the next; 2 unless said. */
  readonly step?: number;
  /** Minutes from turn to turn of the collectors with a schedule of their own. */
  readonly turns?: CollectorTurns;
  readonly seed?: string;
  readonly dialect?: DialectName;
  readonly settings?: Partial<PollSettings>;
  /** Before minute 0: what is to happen later, by the company's own agenda. */
  readonly prepare?: (company: Company) => void;
  /** What happens, by minutes since the beginning, before the next poll. */
  readonly story?: Readonly<Record<number, (stage: Stage) => void | Promise<void>>>;
  /** Minutes in which Prometheus finds no exporter. */
  readonly gone?: readonly [from: number, to: number];
}

/** What was scraped, by series as the exposition writes it: a value for each step, `_` where there was none. */
export type Recording = ReadonlyMap<string, readonly string[]>;

export async function play(story: Story): Promise<Recording> {
  const recorder = createRecorder(story.startMs);
  await playInto(recorder, story);
  return recorder.recording();
}

/** Takes what a target answers, step by step. */
export interface Scraper {
  /** The exposition of a step, in parts of whole lines; null where the target did not answer. */
  scraped(index: number, exposition: readonly string[] | null): void;
}

export async function playInto(scraper: Scraper, story: Story): Promise<void> {
  const { startMs, minutes, step = STEP_MINUTES, seed = 'incidents' } = story;
  const company = createCompany({
    seed,
    startMs,
    days: 1,
    quiet: true,
    ...(story.dialect === undefined ? {} : { dialect: story.dialect }),
  });
  const rig = await createRig({
    world: company.world,
    publish: false,
    settings: { runStats: 'auto', ...story.settings },
  });
  story.prepare?.(company);
  for (let minute = 0; minute < minutes; minute += step) {
    for (let at = Math.max(0, minute - step + 1); at <= minute; at += 1) {
      const happening = story.story?.[at];
      if (happening === undefined) continue;
      passTo(rig, startMs + at * MINUTE_MS);
      await happening({ company, rig });
    }
    passTo(rig, startMs + minute * MINUTE_MS);
    await rig.poll();
    await collect(rig, minute, { step, turns: story.turns ?? COLLECTOR_TURNS });
    await rig.publish();
    const [from, to] = story.gone ?? [Infinity, Infinity];
    scraper.scraped(minute / step, minute >= from && minute < to ? null : scrape(rig));
  }
}

/** Of the bytes of a scrape: larger strings are slow to come and to go, and these are gigabytes. */
const PART_BYTES = 65_536;

/** As the rig's own scrape, in parts that end with a line; quick with what is ASCII, as nearly all is. */
function scrape(rig: Rig): readonly string[] {
  const sent = rig.scrapeBytes();
  if (sent === null) return [];
  const bytes = Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength);
  const encoding = isAscii(bytes) ? 'latin1' : 'utf8';
  const parts: string[] = [];
  for (let from = 0; from < bytes.length;) {
    const isLast = bytes.length - from <= PART_BYTES;
    const to = isLast ? bytes.length : bytes.lastIndexOf('\n', from + PART_BYTES - 1) + 1;
    parts.push(bytes.toString(encoding, from, to));
    from = to;
  }
  return parts;
}

/** The rules' windows hold four scrapes and more of these. */
export const STEP_MINUTES = 2;

function passTo(rig: Rig, ms: number): void {
  rig.pass(Math.max(1, ms - rig.nowMs()));
}

/** As the default schedules have them; certificates oftener than hourly, since a story lasts an hour or two. */
const COLLECTOR_TURNS: CollectorTurns = { schedules: 1, inventory: 10, certificates: 30 };

export type CollectorTurns = Readonly<Record<'schedules' | 'inventory' | 'certificates', number>>;

async function collect(
  { collectors }: Rig,
  minute: number,
  { step, turns }: { readonly step: number; readonly turns: CollectorTurns },
): Promise<void> {
  await collectors.afterPoll({});
  // Their first turns went with the first poll.
  for (const name of ['schedules', 'inventory', 'certificates'] as const) {
    const isDue = minute % Math.max(step, turns[name]) < step;
    if (minute > 0 && isDue) await collectors.turn(name, {});
  }
}

const HELP = '# HELP ';

/**
 * The samples of an exposition that the rules look at. A place of their own for each series, as `newSeries` makes it:
 * most series come again in each scrape, millions of times, and are looked at once.
 */
export function createReader<Place>(
  newSeries: (series: string) => Place,
): (exposition: readonly string[], take: (place: Place, value: string) => void) => void {
  const places = new Map<string, Place | null>();
  return (exposition, take) => {
    let skips = false;
    for (const lines of exposition) {
      let end = 0;
      for (let from = 0; from < lines.length; from = end + 1) {
        if (skips && !lines.startsWith(HELP, from)) {
          const next = lines.indexOf(`\n${HELP}`, from);
          if (next === -1) break;
          from = next + 1;
        }
        end = lines.indexOf('\n', from);
        if (lines.startsWith('#', from)) {
          if (lines.startsWith(HELP, from))
            skips = !isFamilyLookedAt(
              lines.slice(from + HELP.length, lines.indexOf(' ', from + HELP.length)),
            );
          continue;
        }
        // No value holds a space, and no line a timestamp.
        const space = lines.lastIndexOf(' ', end);
        const series = lines.slice(from, space);
        let place = places.get(series);
        if (place === undefined) {
          place = isLookedAt(series) ? newSeries(series) : null;
          places.set(series, place);
        }
        if (place !== null) take(place, lines.slice(space + 1, end));
      }
    }
  };
}

interface Recorder extends Scraper {
  recording(): Recording;
}

interface RecordedValues {
  /** What to take from a value: promtool's time begins at 0, and so must the moments that metrics tell. */
  readonly zero: number;
  readonly values: string[];
}

function createRecorder(startMs: number): Recorder {
  const recording = new Map<string, string[]>();
  const newSeries = (series: string): RecordedValues => {
    const values: string[] = [];
    recording.set(series, values);
    const isMoment = series.replace(/\{.*$/s, '').endsWith('_timestamp_seconds');
    return { zero: isMoment ? startMs / 1_000 : 0, values };
  };
  const read = createReader(newSeries);
  const up = newSeries('up');
  let scrapes = 0;
  return {
    scraped(index, exposition) {
      scrapes = index + 1;
      const add = ({ zero, values }: RecordedValues, value: string): void => {
        fill(values, index);
        values.push(zero === 0 ? value : String(Number(value) - zero));
      };
      add(up, exposition === null ? '0' : '1');
      read(exposition ?? [], add);
    },
    recording() {
      for (const values of recording.values()) fill(values, scrapes);
      return recording;
    },
  };
}

/** A series that has left is marked, as Prometheus does, and then missing. */
function fill(values: string[], length: number): void {
  while (values.length < length) {
    const isAbsent = values.length === 0 || values.at(-1) === '_' || values.at(-1) === 'stale';
    values.push(isAbsent ? '_' : 'stale');
  }
}

/** The companies of the stories live in UTC, as JIM reckons. */
export function utc(text: string): number {
  return Date.parse(`${text}Z`);
}
