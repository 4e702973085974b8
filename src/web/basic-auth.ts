/**
 * Basic authentication against bcrypt hashes. A check costs a twentieth of a second and more, so it runs
 * off the event loop, one at a time, and what was right once is remembered. How long a refusal takes tells
 * nothing about who is known here.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export type AuthVerdict =
  | 'accepted'
  /** No or wrong credentials. */
  | 'refused'
  /** Too many others are waiting for their check. */
  | 'busy';

export interface BasicAuth {
  /** `authorization`: the header as sent. `users`: bcrypt hashes by name. */
  check(authorization: string | null, users: ReadonlyMap<string, string>): Promise<AuthVerdict>;
}

export interface BasicAuthOptions {
  /** Whether a password belongs to a bcrypt hash; never rejects for a well-formed hash. */
  readonly verifyPassword?: (password: string, hash: string) => Promise<boolean>;
}

/** Right credentials that are remembered: more than any exporter has scrapers. */
const MAX_REMEMBERED = 100;
/** Checks that may wait: at 60 ms each, the last of them still comes within a scrape's time-out. */
const MAX_WAITING = 100;

export function createBasicAuth({
  verifyPassword = verifyByBcrypt,
}: BasicAuthOptions = {}): BasicAuth {
  /** Of this process, so that what is remembered is worth nothing anywhere else. */
  const key = randomBytes(32);
  /** Digests of right credentials, the oldest first. Wrong ones are not kept: they would push out the right ones. */
  const remembered: Buffer[] = [];
  /** By digest, so that fifty scrapers that start together cost one check. */
  const underWay = new Map<string, Promise<boolean>>();
  let last: Promise<unknown> = Promise.resolve();

  const isRemembered = (digest: Buffer): boolean => {
    let found = false;
    for (const known of remembered) found = timingSafeEqual(known, digest) || found;
    return found;
  };

  return {
    async check(authorization, users) {
      const credentials = parseBasic(authorization);
      if (credentials === null) return 'refused';
      const { name, password } = credentials;
      const hash = users.get(name);
      const digest = digestOf(key, [name, hash ?? '', password]);
      if (hash !== undefined && isRemembered(digest)) return 'accepted';
      const same = digest.toString('base64');
      if (!underWay.has(same)) {
        if (underWay.size >= MAX_WAITING) return 'busy';
        const before = last;
        const result = before.then(() => verifyAtFullCost(password, hash, users, verifyPassword));
        underWay.set(same, result);
        last = result.finally(() => underWay.delete(same)).catch(() => undefined);
      }
      if ((await underWay.get(same)) !== true) return 'refused';
      if (!isRemembered(digest)) remembered.push(digest);
      if (remembered.length > MAX_REMEMBERED) remembered.shift();
      return 'accepted';
    },
  };
}

/** Loaded when first needed: native code, which a process without basic authentication may be forbidden to load. */
async function verifyByBcrypt(password: string, hash: string): Promise<boolean> {
  const { verify } = await import('@node-rs/bcrypt');
  return verify(password, hash);
}

/**
 * Works as long for every name: as long as the costliest hash there is. An unknown name is checked against
 * a hash that nothing matches. A cheaper hash is topped up: its own work and that of the costs from its own
 * to one below the highest add up to the highest (2^c + 2^c + … + 2^(max−1) = 2^max).
 */
async function verifyAtFullCost(
  password: string,
  hash: string | undefined,
  users: ReadonlyMap<string, string>,
  verifyPassword: (password: string, hash: string) => Promise<boolean>,
): Promise<boolean> {
  const highest = Math.max(...[...users.values()].map(costOf));
  const isRight = await verifyPassword(password, hash ?? unmatchable(highest));
  for (let cost = hash === undefined ? highest : costOf(hash); cost < highest; cost += 1) {
    await verifyPassword(password, unmatchable(cost));
  }
  return hash !== undefined && isRight;
}

/** `$2y$10$…`: the second number, of which the work is the power of two. */
function costOf(hash: string): number {
  return Number(hash.slice(4, 6));
}

/** A hash that no password is known for, well-formed to its last bit: a malformed one would be refused at once. */
function unmatchable(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'x'.repeat(21)}u${'x'.repeat(30)}y`;
}

/** Null for anything but `Basic` with a name and a password. */
function parseBasic(
  authorization: string | null,
): { readonly name: string; readonly password: string } | null {
  const encoded = /^basic +(?<encoded>[A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '')?.groups?.[
    'encoded'
  ];
  if (encoded === undefined) return null;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon === -1) return null;
  return { name: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** Lengths go in as well: `ab` + `c` must not equal `a` + `bc`. */
function digestOf(key: Buffer, parts: readonly string[]): Buffer {
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest();
}
