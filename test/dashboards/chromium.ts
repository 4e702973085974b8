/** Pictures of pages by Chromium, for people to look at. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const QUIET_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-scrollbars',
];

/** Writes a PNG of the page to `file`. */
export function photograph(
  chromium: string,
  html: string,
  size: { readonly width: number; readonly height: number },
  file: string,
): void {
  const folder = mkdtempSync(join(tmpdir(), 'jim-look-'));
  try {
    const page = join(folder, 'page.html');
    writeFileSync(page, html);
    execFileSync(
      chromium,
      [
        ...QUIET_FLAGS,
        `--user-data-dir=${join(folder, 'profile')}`,
        `--window-size=${size.width},${size.height}`,
        `--screenshot=${file}`,
        pathToFileURL(page).href,
      ],
      { stdio: 'ignore', timeout: PATIENCE_MS },
    );
  } finally {
    rmSync(folder, { recursive: true, maxRetries: 5 });
  }
}

const PATIENCE_MS = 60_000;
