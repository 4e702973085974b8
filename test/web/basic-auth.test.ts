import { hashSync, verify } from '@node-rs/bcrypt';
import { describe, expect, test } from 'vitest';
import { createBasicAuth } from '../../src/web/basic-auth.ts';

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

/** Real bcrypt, with the hashes it was asked about and how many checks ran at once. */
function countingVerifier() {
  const hashes: string[] = [];
  let running = 0;
  let most = 0;
  return {
    hashes,
    mostAtOnce: () => most,
    async verifyPassword(password: string, hash: string): Promise<boolean> {
      hashes.push(hash);
      running += 1;
      most = Math.max(most, running);
      const isRight = await verify(password, hash);
      running -= 1;
      return isRight;
    },
  };
}

const hash = hashSync('secret', 4);
const users = new Map([['alice', hash]]);

/** The work of a list of checks, in units of one cost-0 check. */
const work = (hashes: readonly string[]): number =>
  hashes.reduce((sum, text) => sum + 2 ** Number(text.slice(4, 6)), 0);

describe('credentials', () => {
  test.each([
    ['right', basic('alice', 'secret'), 'accepted'],
    ['scheme in other letters', basic('alice', 'secret').replace('Basic', 'bASIC'), 'accepted'],
    ['wrong password', basic('alice', 'Secret'), 'refused'],
    ['no password', basic('alice', ''), 'refused'],
    ['unknown name', basic('bob', 'secret'), 'refused'],
    ['the name of an inherited property', basic('__proto__', 'secret'), 'refused'],
    ['the hash in place of the password', basic('alice', hash), 'refused'],
    ['none', null, 'refused'],
    ['another scheme', 'Bearer secret', 'refused'],
    ['no colon', `Basic ${Buffer.from('alice').toString('base64')}`, 'refused'],
    ['no base64', 'Basic !!!', 'refused'],
    ['empty', 'Basic ', 'refused'],
  ])('%s → %s', async (_, authorization, verdict) => {
    expect(await createBasicAuth().check(authorization, users)).toBe(verdict);
  });

  test.each(['$2a$', '$2b$', '$2y$'])('hashes that start with %s', async (version) => {
    const known = new Map([['alice', hash.replace('$2b$', version)]]);
    expect(await createBasicAuth().check(basic('alice', 'secret'), known)).toBe('accepted');
    expect(await createBasicAuth().check(basic('alice', 'other'), known)).toBe('refused');
  });

  test('a password may hold colons and letters of any script, a name may be empty', async () => {
    const known = new Map([['', hashSync('a:b:ü日', 4)]]);
    expect(await createBasicAuth().check(basic('', 'a:b:ü日'), known)).toBe('accepted');
  });
});

describe('the cost of a check', () => {
  test('is the same for a known name, a cheap hash and an unknown name', async () => {
    const mixed = new Map([
      ['cheap', hashSync('secret', 4)],
      ['costly', hashSync('secret', 7)],
    ]);
    for (const name of ['cheap', 'costly', 'unknown']) {
      const verifier = countingVerifier();
      await createBasicAuth(verifier).check(basic(name, 'wrong'), mixed);
      expect([name, work(verifier.hashes)]).toEqual([name, 2 ** 7]);
    }
  });

  test('the hash for unknown names makes bcrypt work as a real one does', async () => {
    const known = new Map([['alice', hashSync('secret', 9)]]);
    const verifier = countingVerifier();
    await createBasicAuth(verifier).check(basic('bob', 'secret'), known);
    const [unknown = ''] = verifier.hashes;
    // Whole, of the same cost, in bcrypt's alphabet: anything else it would refuse at once.
    expect(unknown).toMatch(/^\$2[aby]\$09\$[./A-Za-z0-9]{53}$/);
    expect(await verify('secret', unknown)).toBe(false);
  });

  test('is paid once for right credentials, each time for wrong ones', async () => {
    const verifier = countingVerifier();
    const auth = createBasicAuth(verifier);
    for (let i = 0; i < 3; i += 1) await auth.check(basic('alice', 'secret'), users);
    expect(verifier.hashes).toHaveLength(1);
    for (let i = 0; i < 3; i += 1) await auth.check(basic('alice', 'wrong'), users);
    expect(verifier.hashes).toHaveLength(4);
  });

  test('is paid once by fifty scrapers that start together', async () => {
    const verifier = countingVerifier();
    const auth = createBasicAuth(verifier);
    const verdicts = await Promise.all(
      Array.from({ length: 50 }, () => auth.check(basic('alice', 'secret'), users)),
    );
    expect(new Set(verdicts)).toEqual(new Set(['accepted']));
    expect(verifier.hashes).toHaveLength(1);
  });

  test('different credentials wait for each other, and beyond a hundred they are turned away', async () => {
    const verifier = countingVerifier();
    const auth = createBasicAuth(verifier);
    const verdicts = await Promise.all(
      Array.from({ length: 120 }, (_, i) => auth.check(basic('alice', `guess ${i}`), users)),
    );
    expect(verifier.mostAtOnce()).toBe(1);
    expect(verdicts.filter((verdict) => verdict === 'busy')).toHaveLength(20);
    expect(await auth.check(basic('alice', 'secret'), users)).toBe('accepted');
  });

  test('wrong guesses do not push right credentials out of memory', async () => {
    const verifier = countingVerifier();
    const auth = createBasicAuth(verifier);
    await auth.check(basic('alice', 'secret'), users);
    for (let i = 0; i < 150; i += 1) await auth.check(basic('alice', `guess ${i}`), users);
    const before = verifier.hashes.length;
    await auth.check(basic('alice', 'secret'), users);
    expect(verifier.hashes).toHaveLength(before);
  });
});

describe('what is remembered', () => {
  test('ends with the hash it belongs to', async () => {
    const auth = createBasicAuth();
    const authorization = basic('alice', 'secret');
    expect(await auth.check(authorization, users)).toBe('accepted');
    expect(await auth.check(authorization, new Map([['alice', hashSync('other', 4)]]))).toBe(
      'refused',
    );
    expect(await auth.check(authorization, new Map([['bob', hash]]))).toBe('refused');
  });

  test('is bounded, the oldest leaving first', async () => {
    const many = new Map(Array.from({ length: 101 }, (_, i) => [`user ${i}`, hash] as const));
    const verifier = countingVerifier();
    const auth = createBasicAuth(verifier);
    for (const name of many.keys()) await auth.check(basic(name, 'secret'), many);
    await auth.check(basic('user 100', 'secret'), many);
    expect(verifier.hashes).toHaveLength(101);
    await auth.check(basic('user 0', 'secret'), many);
    expect(verifier.hashes).toHaveLength(102);
  });

  test('a check that fails for another reason refuses, and the next one runs', async () => {
    let broken = true;
    const auth = createBasicAuth({
      verifyPassword: async (password, text) => {
        if (broken) throw new Error('no thread');
        return verify(password, text);
      },
    });
    await expect(auth.check(basic('alice', 'secret'), users)).rejects.toThrow('no thread');
    broken = false;
    expect(await auth.check(basic('alice', 'secret'), users)).toBe('accepted');
  });
});
