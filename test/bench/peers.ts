/** The programs that we compare ourselves with, on 127.0.0.1, each ended by its `stop`. */
import type { ChildProcess } from 'node:child_process';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../free-port.ts';
import { onceStopped } from './cleanup.ts';

export interface Peer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** A program of Debian's that is not installed: the comparison is left out, and says so. */
export class MissingProgram extends Error {
  override readonly name = 'MissingProgram';
}

export interface StaticFiles {
  readonly gzip: Uint8Array;
  readonly plain: Uint8Array;
}

/** Serves bytes as static files, `/gzip` and `/plain`: the fastest that this machine can be expected to do. */
export async function startNginx({ gzip, plain }: StaticFiles): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), 'jim-bench-'));
  // Its worker is another user when started by root.
  await chmod(folder, 0o755);
  const port = await freePort();
  const files = join(folder, 'www');
  await mkdir(files);
  await writeFile(join(files, 'gzip'), gzip);
  await writeFile(join(files, 'plain'), plain);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ');
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;
events {} http { access_log off; keepalive_requests 1000000; sendfile on; ${temporary}
server { listen 127.0.0.1:${port}; root ${files}; default_type text/plain;
location /gzip { add_header Content-Encoding gzip; } } }`,
  );
  const child = spawn('nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], {
    stdio: 'ignore',
  });
  return serving('nginx', child, {
    url: `http://127.0.0.1:${port}`,
    probe: '/plain',
    clear: () => rm(folder, { recursive: true }),
  });
}

/** Holds the same samples as were pushed to it, and renders them for each scrape of `/metrics`. */
export async function startPushgateway(text: Uint8Array): Promise<Peer> {
  const port = await freePort();
  const child = spawn('prometheus-pushgateway', [`--web.listen-address=127.0.0.1:${port}`], {
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  const peer = await serving('prometheus-pushgateway', child, { url, probe: '/-/ready' });
  const answer = await fetch(`${url}/metrics/job/bench`, {
    method: 'PUT',
    body: Buffer.from(text),
  });
  if (answer.ok) return peer;
  await peer.stop();
  throw new Error(`pushgateway refused the samples: ${await answer.text()}`);
}

/** prom-client as its manual shows it: `register.metrics()` for each scrape, of as many series. */
export async function startPromClient(series: number): Promise<Peer> {
  const script = fileURLToPath(new URL('prom-client-server.js', import.meta.url));
  const child = fork(script, [String(series)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [port] = (await once(child, 'message')) as [number];
  return serving('prom-client', child, { url: `http://127.0.0.1:${port}`, probe: '/metrics' });
}

async function serving(
  program: string,
  child: ChildProcess,
  at: { readonly url: string; readonly probe: string; readonly clear?: () => Promise<void> },
): Promise<Peer> {
  let failure: Error | null = null;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      failure = error;
      resolve();
    });
  });
  const stop = onceStopped(async () => {
    child.kill();
    await ended;
    await at.clear?.();
  });
  for (let attempt = 0; attempt < 200 && failure === null; attempt += 1) {
    const answer = await fetch(at.url + at.probe).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.ok === true) return { url: at.url, pid: child.pid ?? -1, stop };
    await sleep(50);
  }
  await stop();
  if (failure !== null) throw new MissingProgram(`${program} is not installed`);
  throw new Error(`${program} does not answer at ${at.url}${at.probe}`);
}
