/** The programs that we compare ourselves with, on 127.0.0.1, each ended by its `stop`. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Peer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves the gzip bytes as a static file: the fastest that this machine can be expected to do. */
export async function startNginx(gzip: Uint8Array): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), 'jim-bench-'));
  // Its worker is another user when started by root.
  await chmod(folder, 0o755);
  const port = await freePort();
  await mkdir(join(folder, 'www'));
  await writeFile(join(folder, 'www', 'metrics'), gzip);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ');
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;
events {} http { access_log off; keepalive_requests 1000000; ${temporary}
server { listen 127.0.0.1:${port}; root ${folder}/www; default_type text/plain;
add_header Content-Encoding gzip; } }`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: 'ignore',
  });
  return serving(child, `http://127.0.0.1:${port}/metrics`, () => rm(folder, { recursive: true }));
}

/** Holds the same samples as were pushed to it, and renders them for each scrape. */
export async function startPushgateway(text: Uint8Array): Promise<Peer> {
  const port = await freePort();
  const child = spawn('prometheus-pushgateway', [`--web.listen-address=127.0.0.1:${port}`], {
    stdio: 'ignore',
  });
  const base = `http://127.0.0.1:${port}/metrics`;
  const peer = await serving(child, base, async () => undefined);
  const answer = await fetch(`${base}/job/bench`, { method: 'PUT', body: Buffer.from(text) });
  if (answer.ok) return peer;
  await peer.stop();
  throw new Error(`pushgateway refused the samples: ${await answer.text()}`);
}

async function serving(
  child: ChildProcess,
  url: string,
  clear: () => Promise<void>,
): Promise<Peer> {
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
    await clear();
  };
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok === true) return { url, stop };
    await sleep(50);
  }
  await stop();
  throw new Error(`${url} does not answer`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
