/**
 * The status page in a real Chromium, served by our own routes with all their headers: how it looks at two widths in
 * both colour schemes (PAGE_SCREENSHOTS=<folder> keeps the pictures), what axe finds, and what the script does.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import axe from 'axe-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderPage } from '../../src/web/page.ts';
import { SCRIPT } from '../../src/web/page-look.ts';
import type { PageView } from '../../src/web/page-view.ts';
import { createRoutes } from '../../src/web/routes.ts';
import type { Browser, Screen } from '../chromium.ts';
import { startChromium } from '../chromium.ts';
import { findProgram, lacksProgram } from '../programs.ts';
import { hostileView, pageView, runProfileView } from './page-views.ts';

const DESK = { width: 1280, height: 800, scheme: 'light' } as const;
const PHONE = { width: 375, height: 740, scheme: 'light', mobile: true } as const;
const SCREENS: readonly (readonly [string, Screen])[] = (['light', 'dark'] as const).flatMap(
  (scheme) => [
    [`desk-${scheme}`, { ...DESK, scheme }] as const,
    [`phone-${scheme}`, { ...PHONE, scheme }] as const,
  ],
);

/** How the page stands on a screen of that width (a phone's `innerWidth` grows with what overflows): nothing pushed out sideways, nothing of one thing over another. */
const layoutAt = (width: number): string => `({
  sideways: document.documentElement.scrollWidth - ${width},
  cutOff: [...document.querySelectorAll('th, td, li, dd, p, a, span')]
    .filter((e) => e.closest('.only-heard, thead') === null && e.getClientRects().length > 0)
    .filter((e) => e.getBoundingClientRect().right > ${width} + 1 || e.getBoundingClientRect().left < -1)
    .map((e) => e.outerHTML.slice(0, 200)),
  background: getComputedStyle(document.body).backgroundColor,
  columnsAreCards: getComputedStyle(document.querySelector('tbody tr')).display === 'block',
})`;

describe.skipIf(lacksProgram('chromium'))('the status page in Chromium', () => {
  let browser: Browser;
  let view: PageView;
  let served = 0;
  let broken = false;
  let close: () => void;
  let address = '';

  beforeAll(async () => {
    const routes = createRoutes({
      publication: { current: () => null, served: () => undefined },
      telemetryPath: '/metrics',
      lifecycle: { enabled: false, reload: () => Promise.resolve({ ok: true }) },
      ready: () => true,
      maxRequests: 0,
      page: () => {
        served += 1;
        if (broken) throw new Error('broken by the test');
        return renderPage(view);
      },
      nowMs: () => 0,
      log: { debug: silent, info: silent, warn: silent, error: silent, from: () => SILENT },
    });
    const port = await new Promise<number>((resolve) => {
      const fetch = (request: Request): Response | Promise<Response> => routes(request, {});
      const server = serve({ fetch, port: 0, hostname: '127.0.0.1' }, (info) => resolve(info.port));
      close = () => void server.close();
    });
    address = `http://127.0.0.1:${port}/`;
    browser = await startChromium(findProgram('chromium') ?? '');
  });
  afterAll(async () => {
    await browser.close();
    close();
  });

  const open = async (
    shown: PageView,
    screen: Screen = DESK,
    options: { readonly script?: boolean } = {},
  ): Promise<void> => {
    view = shown;
    broken = false;
    await browser.open(address, screen, options);
  };

  describe.each([
    ['a bad morning', pageView()],
    ['hostile names', hostileView()],
    [
      'nothing known',
      pageView({ runProfiles: [runProfileView({ last: null })], progress: [], warnings: [] }),
    ],
  ])('%s', (name, shown) => {
    it.each(SCREENS)('fits on %s, and complains of nothing', async (label, screen) => {
      await open(shown, screen);
      await keep(await browser.screenshot(), `${name.replaceAll(' ', '-')}-${label}`);
      expect(await browser.evaluate(layoutAt(screen.width))).toEqual({
        sideways: 0,
        cutOff: [],
        background: screen.scheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 23, 26)',
        columnsAreCards: screen.mobile === true,
      });
      expect(await browser.evaluate('window.pwned')).toBeUndefined();
      expect(complaintsOf(browser)).toEqual([]);
    });

    // Other contents bring no other colours: for them one screen is enough.
    const looked = name === 'a bad morning' ? SCREENS : SCREENS.slice(-1);
    it.each(looked)('passes every rule of axe on %s', async (_, screen) => {
      await open(shown, screen);
      await browser.evaluate(axe.source);
      const violations = await browser.evaluate(
        `axe.run().then(({ violations, passes }) =>
          passes.length < 10 ? 'axe looked at nothing' :
          violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(' '))))`,
      );
      expect(violations).toEqual([]);
    });
  });

  it('can be read without its style and without its script', async () => {
    await open(pageView(), DESK, { script: false });
    const before = served;
    expect(await browser.evaluate('document.querySelector("noscript meta")?.content')).toBe('15');
    expect(await browser.evaluate('document.getElementById("auto").parentElement.hidden')).toBe(
      true,
    );
    expect(served).toBe(before);
  });

  it('brings the keyboard to every link, from the top', async () => {
    await open(pageView());
    const reached: unknown[] = [];
    for (let step = 0; step < 5; step += 1) {
      await browser.press('Tab');
      reached.push(await browser.evaluate('document.activeElement.innerText.trim()'));
    }
    expect(reached).toEqual([
      'Open JIM',
      '✗ FailedWithError',
      '▲ CompleteWithWarning',
      '✗ CompleteWithError',
      '▶ 1 in progress',
    ]);
    expect(await browser.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe(
      'solid',
    );
  });

  describe('its script', () => {
    /** Renewal as after 15 s: the page listens to this event too. */
    const renew = async (): Promise<void> => {
      const before = served;
      await browser.evaluate("void document.dispatchEvent(new Event('visibilitychange'))");
      for (let i = 0; served === before && i < 100; i += 1) await wait(20);
      await wait(200);
    };
    const headline = (): Promise<unknown> =>
      browser.evaluate('document.querySelector("h1").innerText');
    const calm = pageView({ runProfiles: [runProfileView()], warnings: [] });

    it('renews what is shown, keeps the focus, and tells a screen reader of a new headline', async () => {
      await open(calm);
      await browser.press('Tab');
      view = { ...calm, runProfiles: [runProfileView({ failuresInARow: 1 })] };
      await renew();
      expect(await headline()).toBe('✗ JIM 0.14.0 answers; 1 run profile fails');
      expect(await browser.evaluate('document.title')).toMatch(/^✗ JIM 0.14.0 answers; 1 run/);
      expect(await browser.evaluate('document.getElementById("told").textContent')).toMatch(
        /^✗ JIM/,
      );
      expect(await browser.evaluate('document.activeElement.innerText')).toBe('Open JIM');
      expect(complaintsOf(browser)).toEqual([]);
    });

    it('leaves the page alone where its box is not ticked', async () => {
      await open(calm);
      await browser.evaluate('document.getElementById("auto").click()');
      const before = served;
      await browser.evaluate("void document.dispatchEvent(new Event('visibilitychange'))");
      await wait(300);
      expect(served).toBe(before);
    });

    it('says that we do not answer, keeps what was shown, and comes back by itself', async () => {
      await open(calm);
      const lost = (): Promise<unknown> =>
        browser.evaluate('document.getElementById("lost").hidden');
      broken = true;
      await renew();
      expect([await lost(), await headline()]).toEqual([false, '✓ JIM 0.14.0 answers']);
      broken = false;
      await renew();
      expect(await lost()).toBe(true);
    });

    it('loads another version of the page whole', async () => {
      await open(calm);
      await browser.evaluate('void (window.isOld = true)');
      view = { ...calm, exporter: { ...calm.exporter, version: '2.0.0' } };
      await renew();
      expect(await browser.evaluate('window.isOld')).toBeUndefined();
    });

    it('turns every 15 s', () => {
      expect(SCRIPT).toContain('setInterval(renew, 15000)');
    });
  });
});

function complaintsOf(browser: Browser): readonly string[] {
  // Every browser asks for an icon; nobody sees the 404.
  return browser.complaints().filter((complaint) => !complaint.includes('/favicon.ico'));
}

async function keep(picture: Buffer, name: string): Promise<void> {
  expect(picture.subarray(1, 4).toString()).toBe('PNG');
  const folder = process.env['PAGE_SCREENSHOTS'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.png`), picture);
}

function silent(): void {}
const SILENT = { debug: silent, info: silent, warn: silent, error: silent, from: () => SILENT };
