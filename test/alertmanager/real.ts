/** Real Alertmanagers and the receivers they notify, on free ports and in folders of their own. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.ts';

/** What one webhook call told: the body of Alertmanager's webhook, version 4. */
export interface Notification {
  /** The path that was called: which receiver. */
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
  readonly groupKey: string;
  readonly alerts: readonly {
    readonly status: 'firing' | 'resolved';
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly startsAt: string;
    readonly endsAt: string;
    readonly generatorURL: string;
  }[];
}

export interface Receiver {
  readonly url: string;
  /** All notifications so far, oldest first. */
  readonly notifications: Notification[];
  /** How often it was told that an alert fires, and that one is resolved. */
  told(): { readonly firing: number; readonly resolved: number };
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const notifications: Notification[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Notification;
      notifications.push({ ...body, receiver: request.url ?? '' });
      response.end();
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    notifications,
    told: () => {
      const told = { firing: 0, resolved: 0 };
      for (const { alerts } of notifications) for (const { status } of alerts) told[status] += 1;
      return told;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** How long a peer in a cluster waits for another to tell it: on busy cores 400 ms were too few. */
export const PEER_TIMEOUT_MS = 2_000;

/**
 * One receiver for everything, quick enough for a test. In a cluster `groupInterval` must be well above
 * `PEER_TIMEOUT_MS`: a peer that waited its turn would tell what it saw before it waited.
 */
export function plainConfig(receiverUrl: string, groupInterval = '1s'): string {
  return `
route:
  receiver: all
  group_by: [alertname, jim, connected_system]
  group_wait: 500ms
  group_interval: ${groupInterval}
  repeat_interval: 1h
receivers:
  - name: all
    webhook_configs: [{ url: '${receiverUrl}/all', send_resolved: true }]
`;
}

export class RealAlertmanager {
  readonly url: string;
  readonly #program: string;
  readonly #folder: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;

  private constructor(program: string, url: string, folder: string, flags: readonly string[]) {
    this.#program = program;
    this.url = url;
    this.#folder = folder;
    this.#flags = flags;
  }

  static async create(
    program: string,
    config: string,
    cluster: { readonly own: number; readonly peer: number } | null = null,
  ): Promise<RealAlertmanager> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'jim-exporter-alertmanager-'));
    writeFileSync(join(folder, 'config.yaml'), config);
    const clustering =
      cluster === null
        ? ['--cluster.listen-address=']
        : [
            `--cluster.listen-address=127.0.0.1:${cluster.own}`,
            `--cluster.advertise-address=127.0.0.1:${cluster.own}`,
            `--cluster.peer=127.0.0.1:${cluster.peer}`,
            `--cluster.peer-timeout=${PEER_TIMEOUT_MS}ms`,
            '--cluster.settle-timeout=3s',
            '--cluster.gossip-interval=50ms',
            '--cluster.pushpull-interval=500ms',
            '--cluster.reconnect-interval=500ms',
          ];
    return new RealAlertmanager(program, `http://127.0.0.1:${port}`, folder, [
      `--config.file=${join(folder, 'config.yaml')}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      ...clustering,
    ]);
  }

  async start(): Promise<void> {
    this.#child = spawn(this.#program, this.#flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    const log: string[] = [];
    this.#child.stderr?.on('data', (chunk: Buffer) => log.push(chunk.toString('utf8')));
    await until(
      () => `Alertmanager is ready: ${log.join('')}`,
      async () => (await fetch(`${this.url}/-/ready`)).ok,
    );
  }

  /** `SIGTERM` lets it write its notification log, `SIGKILL` does not. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  /** How often it has looked up what was told: once for each flush of a group, after waiting for its peers. */
  async flushes(): Promise<number> {
    const metrics = await (await fetch(`${this.url}/metrics`)).text();
    return Number(/^alertmanager_nflog_queries_total (\S+)$/m.exec(metrics)?.[1]);
  }

  /** The alerts it shows as firing. */
  async firing(): Promise<readonly { readonly labels: Readonly<Record<string, string>> }[]> {
    const answer = await fetch(`${this.url}/api/v2/alerts`);
    return (await answer.json()) as readonly { labels: Record<string, string> }[];
  }

  async dispose(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `alerts/alertmanager.example.yaml` with its receivers replaced and its waits shortened. */
export function exampleConfig(receiverUrl: string): string {
  const file = new URL('../../alerts/alertmanager.example.yaml', import.meta.url);
  return readFileSync(file, 'utf8')
    .replaceAll('http://127.0.0.1:9', receiverUrl)
    .replace('group_wait: 30s', 'group_wait: 500ms')
    .replace('group_interval: 5m', 'group_interval: 1s');
}

/** Asks every 50 ms until it is so; throws with `what` after `timeoutMs`. A question that throws is a no. */
export async function until(
  what: string | (() => string),
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    try {
      if (await isSo()) return;
    } catch {
      // Not yet.
    }
    if (Date.now() > deadlineMs) {
      throw new Error(`Waited in vain until ${typeof what === 'string' ? what : what()}`);
    }
    await sleep(50);
  }
}
