/**
 * A real Chromium, driven over its debugging pipe (file descriptors 3 and 4, JSON between NUL bytes), so that no
 * driver has to be installed. One page, in one profile of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-pipe',
];

export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
  /** A phone: touch, and the page's own viewport. */
  readonly mobile?: boolean;
}

export interface Browser {
  /** Opens the address and waits until it is loaded; what the console and the policy complain of is collected anew. */
  open(url: string, screen: Screen, options?: { readonly script?: boolean }): Promise<void>;
  /** The value of an expression in the page; a promise is awaited. The page's policy does not bind it. */
  evaluate(expression: string): Promise<unknown>;
  /** The whole page, PNG. */
  screenshot(): Promise<Buffer>;
  press(key: 'Tab' | 'Enter'): Promise<void>;
  /** Errors, warnings and violations of the policy since the page was opened. */
  complaints(): readonly string[];
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export async function startChromium(program: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'jim-exporter-chromium-'));
  const child = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    // A group of its own: its helpers end with it.
    detached: true,
  });
  const closed = once(child, 'close');
  const toBrowser = child.stdio[3] as Writable;
  const answers = new Map<number, (message: Message) => void>();
  const listeners = new Set<(message: Message) => void>();
  readMessages(child.stdio[4] as Readable, (message) => {
    if (message.id === undefined) for (const listen of listeners) listen(message);
    else answers.get(message.id)?.(message);
  });

  let lastId = 0;
  const call = async (
    method: string,
    params: object = {},
    sessionId?: string,
  ): Promise<Record<string, unknown>> => {
    lastId += 1;
    const id = lastId;
    const answer = new Promise<Message>((resolve) => answers.set(id, resolve));
    toBrowser.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const gone = closed.then((): Message => ({ error: { message: 'Chromium has ended' } }));
    const { result, error } = await Promise.race([answer, gone]);
    answers.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  };

  const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  const page = (method: string, params: object = {}): Promise<Record<string, unknown>> =>
    call(method, params, String(sessionId));
  for (const domain of ['Page', 'Runtime', 'Log']) await page(`${domain}.enable`);

  let complaints: string[] = [];
  listeners.add(({ method, params }) => {
    if (method === 'Log.entryAdded' || method === 'Runtime.exceptionThrown')
      complaints.push(JSON.stringify(params));
  });
  const event = (name: string): Promise<void> =>
    new Promise((resolve) => {
      const listen = ({ method }: Message): void => {
        if (method !== name) return;
        listeners.delete(listen);
        resolve();
      };
      listeners.add(listen);
    });

  const evaluate: Browser['evaluate'] = async (expression) => {
    const answer = await page('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    const { result, exceptionDetails } = answer as {
      result: { value?: unknown };
      exceptionDetails?: unknown;
    };
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  };

  return {
    evaluate,
    complaints: () => complaints,
    async open(url, { width, height, scheme, mobile = false }, { script = true } = {}) {
      const metrics = { width, height, deviceScaleFactor: 1, mobile };
      await page('Emulation.setDeviceMetricsOverride', metrics);
      await page('Emulation.setEmulatedMedia', {
        features: [{ name: 'prefers-color-scheme', value: scheme }],
      });
      await page('Emulation.setScriptExecutionDisabled', { value: !script });
      complaints = [];
      const loaded = event('Page.loadEventFired');
      await page('Page.navigate', { url });
      await loaded;
    },
    async screenshot() {
      const { data } = await page('Page.captureScreenshot', { captureBeyondViewport: true });
      return Buffer.from(String(data), 'base64');
    },
    async press(key) {
      const code = { Tab: 9, Enter: 13 }[key];
      const params = { key, code: key, windowsVirtualKeyCode: code };
      await page('Input.dispatchKeyEvent', { type: 'keyDown', ...params });
      await page('Input.dispatchKeyEvent', { type: 'keyUp', ...params });
    },
    async close() {
      await Promise.race([call('Browser.close').catch(() => undefined), closed]);
      await closed;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function readMessages(stream: Readable, take: (message: Message) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop() ?? '';
    for (const part of parts) take(JSON.parse(part) as Message);
  });
}
