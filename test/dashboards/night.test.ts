/**
 * Every query of every panel, asked of a real Prometheus that holds a bad night as the real exporter showed it:
 * each returns data, or its panel says when there is none.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DASHBOARDS } from '../../dashboards/all.ts';
import { build } from '../../dashboards/dashboard.ts';
import { BADGES } from '../../src/demo/company-set-up.ts';
import { PROGRAM_VERSIONS, findProgram, lacksProgram } from '../programs.ts';
import { photograph } from './chromium.ts';
import type { ShownWindow } from './look-charts.ts';
import { drawDashboard, pageSize } from './look.ts';
import type { Night } from './night.ts';
import { SCRAPE_INTERVAL_SECONDS, endingAt, playNight } from './night.ts';
import type { Prometheus } from './prometheus.ts';
import { startPrometheus } from './prometheus.ts';
import type { Choices } from './promql.ts';
import { interpolate } from './promql.ts';

const RULES = new URL('../../alerts/jim.rules.yaml', import.meta.url).pathname;
const NIGHT_MS = 240_000;
const AHEAD_MS = 60_000;
const STEP_SECONDS = 300;
/** The connected system whose name has quotes and a backslash. */
const CHOICES: Choices = {
  job: '.+',
  instance: '.+',
  connectedSystem: BADGES,
  rangeSeconds: 86_400,
  stepSeconds: STEP_SECONDS,
  scrapeIntervalSeconds: SCRAPE_INTERVAL_SECONDS,
};

const queries = DASHBOARDS.flatMap((dashboard) =>
  dashboard.rows.flatMap((row) =>
    row.panels.flatMap(({ title, kind, queries: asked }) =>
      asked.map((query, index) => ({
        name: `${dashboard.title}: ${title} ${index + 1}`,
        kind,
        query,
      })),
    ),
  ),
);

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

    test.each(queries)('$name returns data, or says when not', async ({ kind, query }) => {
      const expr = interpolate(query.expr, CHOICES);
      const result =
        kind === 'range'
          ? await prometheus.range(expr, window)
          : await prometheus.instant(expr, window.endMs);
      expect(result.length > 0 || query.emptyWhen !== undefined).toBe(true);
    });

    test.each(queries.filter(({ query }) => query.exemplars === true))(
      '$name has exemplars that name their Activity',
      async ({ query }) => {
        const found = await prometheus.exemplars(interpolate(query.expr, CHOICES), window);
        const ids = found.flatMap(({ exemplars }) =>
          exemplars.map(({ labels }) => labels['activity_id']),
        );
        expect(ids).not.toEqual([]);
        expect(ids.filter((id) => !/^[0-9a-f-]{36}$/.test(id ?? ''))).toEqual([]);
      },
    );

    test.each(DASHBOARDS)('$title can be drawn and looked at', async (source) => {
      const json = build(source);
      const html = await drawDashboard(json, prometheus, window, CHOICES);
      for (const { title } of json.panels ?? []) expect(html).toContain(title);
      expect(html).not.toMatch(/undefined|NaN|\[object/);
      keepPicture(`${source.uid}-${version}`, html, pageSize(json));
    });
  });
});

/** For people: JIM_LOOK=folder keeps the pages and, where Chromium is installed, pictures of them. */
function keepPicture(name: string, html: string, size: ReturnType<typeof pageSize>): void {
  const folder = process.env['JIM_LOOK'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.html`), html);
  const chromium = findProgram('chromium');
  if (chromium !== undefined) photograph(chromium, html, size, join(folder, `${name}.png`));
}
