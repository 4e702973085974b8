/**
 * Thirty quiet days of the demo's company, from a Monday in March over the beginning of summer time: a poll with all
 * collectors, a scrape and an evaluation of every alert each 10 minutes (the inventory hourly). The scrapes are written into a real Prometheus
 * of each version (the series that the rules name), which answers every alert's expression over the whole month;
 * `for` is reckoned here. Nothing is told but the Watchdog.
 *
 * Quiet is not idle: full cycles at night and delta cycles each quarter of an hour, at night only in the first two
 * days; a cycle on weekday evenings only,
 * Saturdays with full runs eight times as long, maintenance on Sundays with JIM away, an upgrade, ordinary
 * errors and warnings every day, mistyped passwords, cancelled runs, new releases of the exporter.
 * QUIET_DAYS=90 plays a quarter of a year.
 */
import { describe, expect, test } from 'vitest';
import { upgrade } from '../../src/demo/administration.ts';
import {
  BADGES,
  CLOUD,
  DELTA,
  DIRECTORY,
  HR,
  NIGHTLY,
  PHONE_BOOK,
} from '../../src/demo/company-set-up.ts';
import type { Company } from '../../src/demo/company.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import { labelsOf } from '../dashboards/night.ts';
import { startPrometheus } from '../dashboards/prometheus.ts';
import { STALE, encodeWriteRequest } from '../dashboards/remote-write.ts';
import type { Scraper, Story } from './chain.ts';
import { MINUTE_MS, createReader, playInto, utc } from './chain.ts';
import { firesAt, rangeAlerts } from './range-rules.ts';
import { addSchedule } from './stories.ts';

const DAYS = Number(process.env['QUIET_DAYS'] ?? 30);
const DAY_MS = 1_440 * MINUTE_MS;
const STEP_MINUTES = 10;
const startMs = utc('2026-03-02T00:02:00');
/** Midnights of the month, Mondays first. */
const midnights = Array.from(
  { length: DAYS },
  (_, day) => utc('2026-03-02T00:00:00') + day * DAY_MS,
);
const SYSTEMS = [HR, BADGES, DIRECTORY, CLOUD, PHONE_BOOK];

const QUIET_MINUTES = DAYS * 1_440;
/** Then something fails, which must be told: a judge that is silent whatever happens proves nothing. */
const BAD_MINUTES = 120;
const badMs = startMs + QUIET_MINUTES * MINUTE_MS;

const MONTH: Story = {
  startMs,
  minutes: QUIET_MINUTES + BAD_MINUTES,
  step: STEP_MINUTES,
  turns: { schedules: 10, inventory: 60, certificates: 1_440 },
  seed: 'a quiet month',
  prepare: (company) => {
    const evenings = midnights.filter((ms) => !isWeekend(ms)).map((ms) => ms + timeOfDay(20, 20));
    addSchedule(company, 'Evening Full Cycle', NIGHTLY, evenings);
    midnights.forEach((midnight, day) => everyDay(company, midnight, day));
    company.world.at(badMs + 30 * MINUTE_MS, () => {
      company.incidents.failNextRun(PHONE_BOOK, 'connector', 'FullImport');
      company.incidents.run(PHONE_BOOK, 'FullImport');
    });
  },
  // A new release of the exporter, on Wednesdays.
  story: Object.fromEntries(
    midnights
      .map((_, day) => day * 1_440 + 600)
      .filter((_, day) => day % 7 === 2)
      .map((minute) => [minute, ({ rig }) => rig.restart()]),
  ),
};

function everyDay(company: Company, midnight: number, day: number): void {
  const { world, worker, incidents } = company;
  const on = (hour: number, minute: number, what: () => void): void =>
    world.at(midnight + timeOfDay(hour, minute), what);
  on(7, 5, () => incidents.failNextRun(CLOUD, 'warning', 'DeltaImport'));
  on(9, 35, () => incidents.failNextRun(BADGES, 'some_objects', 'DeltaImport'));
  on(11, 50, () => incidents.failNextRun(HR, 'some_objects', 'DeltaSynchronisation'));
  on(8, 40, () => incidents.failSignIns(2));
  on(23, 50, () => incidents.failNextRun(PHONE_BOOK, 'warning', 'FullImport'));
  if (!isRoundTheClock(day)) {
    on(6, 1, () => incidents.setScheduleEnabled(DELTA, !isWeekend(midnight)));
    on(20, 1, () => incidents.setScheduleEnabled(DELTA, false));
  }
  if (isSaturday(midnight)) {
    on(0, 50, () => SYSTEMS.forEach((name) => incidents.slowDown(name, 8)));
    on(4, 0, () => SYSTEMS.forEach((name) => incidents.slowDown(name, 1)));
  }
  if (isSunday(midnight)) {
    // Early enough for a poll to see it: here they are 10 minutes apart.
    on(2, 55, () => incidents.setMaintenance(true));
    on(3, 10, () =>
      day === UPGRADE_DAY
        ? upgrade(world, worker, world.random.fork('upgrade'), 'main', 25 * MINUTE_MS)
        : incidents.goDown(25 * MINUTE_MS),
    );
    on(3, 55, () => incidents.setMaintenance(false));
  }
  if (day % 7 === 3) {
    on(14, 20, () => void incidents.run(PHONE_BOOK, 'FullImport'));
    on(14, 20.2, () => void incidents.cancelRunning());
  }
}

/** The second Sunday. */
const UPGRADE_DAY = 13;

function timeOfDay(hour: number, minute: number): number {
  return (hour * 60 + minute) * MINUTE_MS;
}
function isSaturday(ms: number): boolean {
  return new Date(ms).getUTCDay() === 6;
}
function isSunday(ms: number): boolean {
  return new Date(ms).getUTCDay() === 0;
}
function isWeekend(ms: number): boolean {
  return isSaturday(ms) || isSunday(ms);
}

/** Which weeks have delta cycles at night and on weekends; in the others they rest there, as schedules of offices do. */
function isRoundTheClock(day: number): boolean {
  return day < 2;
}

interface Played {
  readonly series: number;
  readonly requests: readonly Buffer[];
}
let played: Promise<Played> | undefined;

async function playMonth(): Promise<Played> {
  const scraper = createMonthScraper();
  await playInto(scraper, MONTH);
  return scraper.played();
}

/** Values by series, a place for each step; NaN where there was none. */
function createMonthScraper(): Scraper & { played(): Played } {
  const steps = MONTH.minutes / STEP_MINUTES;
  const valuesBySeries = new Map<string, Float64Array>();
  const newSeries = (series: string): Float64Array => {
    const values = new Float64Array(steps).fill(Number.NaN);
    valuesBySeries.set(series, values);
    return values;
  };
  const read = createReader(newSeries);
  const up = newSeries('up');
  return {
    scraped(index, exposition) {
      up[index] = exposition === null ? 0 : 1;
      read(exposition ?? [], (values, value) => {
        values[index] = Number(value);
      });
    },
    played() {
      const series = [...valuesBySeries].map(([name, values]) => [name, pointsOf(values)] as const);
      const requests = Array.from(
        { length: Math.ceil(series.length / SERIES_A_REQUEST) },
        (_, request) =>
          encodeWriteRequest(
            series
              .slice(request * SERIES_A_REQUEST, (request + 1) * SERIES_A_REQUEST)
              .map(([name, points]) => ({
                labels: labelsOf(name),
                points: points(),
                exemplars: [],
              })),
          ),
      );
      return { series: series.length, requests };
    },
  };
}

const SERIES_A_REQUEST = 40;

/** With the mark of Prometheus where a series has left. */
function pointsOf(values: Float64Array): () => (readonly [number, number | typeof STALE])[] {
  return () => {
    const points: (readonly [number, number | typeof STALE])[] = [];
    values.forEach((value, index) => {
      const timeMs = startMs + index * STEP_MINUTES * MINUTE_MS;
      if (!Number.isNaN(value)) points.push([timeMs, value]);
      else if (index > 0 && !Number.isNaN(values[index - 1])) points.push([timeMs, STALE]);
    });
    return points;
  };
}

/** A head that takes a whole quarter in any order of series, and never has to make blocks of it. */
const ONE_HEAD = [
  '--storage.tsdb.min-block-duration=400d',
  '--storage.tsdb.max-block-duration=400d',
  '--storage.tsdb.retention.time=10y',
];

/**
 * Prometheus 2 takes a quarter of a minute for this one, for all others together one second: it looks at it every half
 * hour there. Prometheus 3 looks at it as at the others.
 */
const SLOW_IN_2 = 'JimRunNeverSucceeded';
const SLOW_STEPS = 3;

describe.each(PROGRAM_VERSIONS)('the rules in Prometheus %d', (version) => {
  test.skipIf(lacksProgram('prometheus', version))(
    `are silent over ${DAYS} quiet days, and tell of the failure after them`,
    { timeout: 900_000 },
    async ({ onTestFinished }) => {
      played ??= playMonth();
      const { series, requests } = await played;
      // It was a month, and not nothing.
      expect(series).toBeGreaterThan(500);
      const prometheus = await startPrometheus(findProgram('prometheus', version) ?? '', ONE_HEAD);
      onTestFinished(() => prometheus.stop());
      for (const request of requests) await prometheus.send(request);

      const endMs = startMs + (MONTH.minutes - STEP_MINUTES) * MINUTE_MS;
      const fired: { readonly alert: string; readonly at: string; readonly of: string }[] = [];
      for (const { alert, expr, forSeconds } of rangeAlerts()) {
        const isSlow = version === 2 && alert === SLOW_IN_2;
        const stepSeconds = STEP_MINUTES * 60 * (isSlow ? SLOW_STEPS : 1);
        for (const one of await prometheus.range(expr, { startMs, endMs, stepSeconds })) {
          const seconds = firesAt(one, { forSeconds, stepSeconds });
          if (seconds === null) continue;
          const at = new Date(seconds * 1_000).toISOString();
          fired.push({ alert, at, of: JSON.stringify(one.metric) });
        }
      }
      const bad = new Date(badMs).toISOString();
      expect(fired.filter(({ at }) => at < bad)).toEqual([]);
      expect(fired.map(({ alert }) => alert)).toEqual(['JimRunFailed']);
    },
  );
});
