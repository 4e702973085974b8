/**
 * Every open connection, so that thousands of idle ones cannot lock out a scraper (the longest idle
 * makes room) and so that stopping need not wait for clients that merely keep a connection alive.
 *
 * A connection is known by its addresses and ports, since with TLS the socket that was accepted and the
 * socket that a request arrives on are two objects.
 */
import type { Socket } from 'node:net';

/** The part of a socket, plain or TLS or behind HTTP/2, that names its connection. */
export type Endpoints = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>;

export interface Connections {
  /** Takes in an accepted connection; false (and the socket is gone) when all others are busy. */
  admit(socket: Socket): boolean;
  /** Marks the connection as answering a request, until the returned function is called. */
  begin(endpoints: Endpoints, onGone: () => void): () => void;
  /** Closes those open now as soon as no request is being answered on them; the idle ones at once. */
  retire(): void;
  destroyAll(): void;
}

interface Entry {
  readonly socket: Socket;
  /** What to call if the connection goes while requests are being answered; empty is idle. */
  readonly underWay: Set<() => void>;
  retired: boolean;
}

export function createConnections(limit: number): Connections {
  /** In the order in which they became idle, so that the first idle one is the longest idle. */
  const entries = new Map<string, Entry>();

  /** False when every connection is busy. */
  const makeRoom = (): boolean => {
    if (entries.size < limit) return true;
    for (const [name, { socket, underWay }] of entries) {
      if (underWay.size > 0) continue;
      entries.delete(name);
      socket.destroy();
      return true;
    }
    return false;
  };

  return {
    admit(socket) {
      const name = nameOf(socket);
      if (name === null || !makeRoom()) {
        socket.destroy();
        return false;
      }
      const entry: Entry = { socket, underWay: new Set(), retired: false };
      entries.set(name, entry);
      socket.once('close', () => {
        // The same ports may already be in use by a successor.
        if (entries.get(name) === entry) entries.delete(name);
        for (const gone of entry.underWay) gone();
      });
      return true;
    },

    begin(endpoints, onGone) {
      const name = nameOf(endpoints);
      const entry = name === null ? undefined : entries.get(name);
      if (name === null || entry === undefined) return () => undefined;
      entry.underWay.add(onGone);
      return () => {
        entry.underWay.delete(onGone);
        if (entry.underWay.size > 0 || entries.get(name) !== entry) return;
        if (entry.retired) entry.socket.destroySoon();
        entries.delete(name);
        entries.set(name, entry);
      };
    },

    retire() {
      for (const entry of entries.values()) {
        entry.retired = true;
        if (entry.underWay.size === 0) entry.socket.destroy();
      }
    },

    destroyAll() {
      for (const { socket } of entries.values()) socket.destroy();
    },
  };
}

/** Null for a connection that is already gone. */
function nameOf(socket: Endpoints): string | null {
  if (socket.remotePort === undefined) return null;
  return `${socket.remoteAddress}:${socket.remotePort} ${socket.localAddress}:${socket.localPort}`;
}
