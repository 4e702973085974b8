/**
 * Every query of every panel, asked of a real Prometheus that holds a bad night as the real exporter showed it:
 * each returns data, or its panel says when there is none.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DASHBOARDS } from '../../dashboards/all.ts';
import { build } from '../../dashboards/dashboard.ts';
import { JIM_DOWN_CODE, JIM_UP_CODE, STATUS_CODES } from '../../dashboards/promql.ts';
import { BADGES, CLOUD, HR } from '../../src/demo/company-set-up.ts';
import { startChromium } from '../chromium.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import type { ShownWindow } from './look-charts.ts';
import { drawDashboard, pageSize } from './look.ts';
import type { Night } from './night.ts';
import { HOURS, SCRAPE_INTERVAL_SECONDS, endingAt, playNight } from './night.ts';
import type { Prometheus } from './prometheus.ts';
import { startPrometheus } from './prometheus.ts';
import type { Choices } from './promql.ts';
import { interpolate } from './promql.ts';
import { PANEL_QUERIES, seriesFound } from './queries.ts';

const RULES = new URL('../../alerts/jim.rules.yaml', import.meta.url).pathname;
/** For playing and writing it, on a machine that has other things to do. */
const NIGHT_MS = 900_000;
const AHEAD_MS = 120_000;
const STEP_SECONDS = 300;
/** The connected system whose name has quotes and a backslash. */
const CHOICES: Choices = {
  job: '.+',
  instance: '.+',
  connectedSystem: BADGES,
  rangeSeconds: HOURS * 3_600,
  stepSeconds: STEP_SECONDS,
  scrapeIntervalSeconds: SCRAPE_INTERVAL_SECONDS,
};

let played: Promise<Night> | undefined;
function night(): Promise<Night> {
  played ??= playNight();
  return played;
}

describe.each(PROGRAM_VERSIONS)('with Prometheus %d', (version) => {
  const isMissing = lacksProgram('prometheus', version);

  describe.skipIf(isMissing)('every query', () => {
    let prometheus: Prometheus;
    let window: ShownWindow;

    beforeAll(async () => {
      const asPlayed = await night();
      // A little later than now: by then the rules have been evaluated, and alerts can be asked for.
      const recorded = endingAt(asPlayed, Date.now() + AHEAD_MS);
      window = {
        startMs: recorded.endMs - CHOICES.rangeSeconds * 1_000,
        endMs: recorded.endMs,
        stepSeconds: STEP_SECONDS,
        clockShiftMs: asPlayed.endMs - recorded.endMs,
      };
      prometheus = await startPrometheus(findProgram('prometheus', version) ?? '');
      await prometheus.write(recorded);
      await prometheus.evaluate([RULES]);
    }, NIGHT_MS);
    afterAll(() => prometheus.stop());

    test.each(PANEL_QUERIES)('%s returns data, or says when not', async (_, panelQuery) => {
      const found = await seriesFound(prometheus, panelQuery, CHOICES, window);
      expect(found > 0 || panelQuery.query.emptyWhen !== undefined).toBe(true);
    });

    test.each(PANEL_QUERIES.filter(([, { query }]) => query.exemplars === true))(
      '%s has exemplars that name their Activity',
      async (_, { query }) => {
        const found = await prometheus.exemplars(interpolate(query.expr, CHOICES), window);
        const ids = found.flatMap(({ exemplars }) =>
          exemplars.map(({ labels }) => labels['activity_id']),
        );
        expect(ids).not.toEqual([]);
        expect(ids.filter((id) => !/^[0-9a-f-]{36}$/.test(id ?? ''))).toEqual([]);
      },
    );

    describe('tells the story:', () => {
      const ask = async (dashboard: string, panel: string, query: number) => {
        const expr = interpolate(exprOf(dashboard, panel, query), CHOICES);
        return prometheus.instant(expr, window.endMs);
      };
      const valueFor = async (query: number, system: string, profile: string) =>
        (await ask('jim-overview', 'Last run of every run profile', query)).find(
          ({ metric }) =>
            metric['connected_system'] === system && metric['run_profile'] === profile,
        )?.value[1];
      const overTime = async (dashboard: string, panel: string, query: number) =>
        prometheus.range(interpolate(exprOf(dashboard, panel, query), CHOICES), window);

      test('the import that began the nightly cycle failed and has not succeeded since', async () => {
        expect(await valueFor(0, HR, 'Full Import')).toBe(String(STATUS_CODES.FailedWithError));
        expect(await valueFor(4, HR, 'Full Import')).toBe('1');
        expect(await valueFor(0, HR, 'Full Synchronisation')).toBe(String(STATUS_CODES.Cancelled));
      });

      test('the cloud has been away for hours', async () => {
        expect(await valueFor(0, CLOUD, 'Delta Import')).toBe(String(STATUS_CODES.FailedWithError));
        expect(Number(await valueFor(4, CLOUD, 'Delta Import'))).toBeGreaterThan(10);
      });

      test('both are counted as failing, and alerts fire for them', async () => {
        expect((await ask('jim-overview', 'Run profiles failing', 0))[0]?.value[1]).toBe('2');
        const alerts = await ask('jim-overview', 'Alerts firing', 0);
        expect(alerts.map(({ metric }) => metric)).toEqual(
          expect.arrayContaining([
            expect.objectContaining({ alertname: 'JimRunFailed', connected_system: HR }),
            expect.objectContaining({ alertname: 'JimRunFailed', connected_system: CLOUD }),
            expect.objectContaining({
              alertname: 'JimRunFailsRepeatedly',
              connected_system: CLOUD,
            }),
          ]),
        );
      });

      test('the timeline shows errors that mended themselves, and JIM out of reach', async () => {
        const rows = await overTime('jim-overview', 'Run profiles over time', 1);
        const badges = rows.find(
          ({ metric }) =>
            metric['connected_system'] === BADGES && metric['run_profile'] === 'Delta Import',
        );
        const states = badges?.values.map(([, value]) => Number(value)) ?? [];
        expect(states).toContain(STATUS_CODES.CompleteWithError);
        expect(states.at(-1)).toBe(STATUS_CODES.Complete);
        const [jim] = await overTime('jim-overview', 'Run profiles over time', 0);
        const reached = new Set(jim?.values.map(([, value]) => Number(value)));
        expect(reached).toEqual(new Set([JIM_UP_CODE, JIM_DOWN_CODE]));
      });

      test('sign-ins were refused, and polls failed while JIM was down', async () => {
        const events = await overTime('jim-overview', 'Sign-ins and API keys', 0);
        const failed = events.find(({ metric }) => metric['event'] === 'sign_in_failed');
        expect(
          Math.max(...(failed?.values ?? []).map(([, value]) => Number(value))),
        ).toBeGreaterThan(3);
        const failures = await overTime('jim-exporter', 'Polls and failed polls', 1);
        const unreachable = failures.find(({ metric }) => metric['reason'] === 'unreachable');
        expect(unreachable?.values.some(([, value]) => Number(value) > 0)).toBe(true);
      });
    });

    test.each(DASHBOARDS)('$title can be drawn and looked at', async (source) => {
      const json = build(source);
      const html = await drawDashboard(json, prometheus, window, CHOICES);
      for (const { title } of json.panels ?? []) expect(html).toContain(title);
      expect(html).not.toMatch(/undefined|NaN|\[object/);
      await keepPicture(`${source.uid}-${version}`, html, pageSize(json));
    });
  });
});

function exprOf(uid: string, title: string, query: number): string {
  const dashboard = DASHBOARDS.find((one) => one.uid === uid);
  const panel = dashboard?.rows.flatMap((row) => row.panels).find((one) => one.title === title);
  const expr = panel?.queries[query]?.expr;
  if (expr === undefined) throw new Error(`${uid} has no query ${query} in a panel ${title}`);
  return expr;
}

/** For people: JIM_LOOK=folder keeps the pages and, where Chromium is installed, pictures of them. */
async function keepPicture(
  name: string,
  html: string,
  size: ReturnType<typeof pageSize>,
): Promise<void> {
  const folder = process.env['JIM_LOOK'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const page = join(folder, `${name}.html`);
  writeFileSync(page, html);
  const chromium = findProgram('chromium');
  if (chromium === undefined) return;
  const browser = await startChromium(chromium);
  try {
    await browser.open(pathToFileURL(page).href, { ...size, scheme: 'light' });
    writeFileSync(join(folder, `${name}.png`), await browser.screenshot());
  } finally {
    await browser.close();
  }
}
