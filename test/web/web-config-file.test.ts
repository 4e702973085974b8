import { describe, expect, test } from 'vitest';
import { followWebConfig, WebConfigError } from '../../src/web/web-config-file.ts';
import type { FollowedConfig } from '../../src/web/web-config-file.ts';
import { recordingLog } from './fakes.ts';

const HASH = '$2y$04$zVHmKQtGGQob.b/Nc7l9NO8UlrYcW05FiuCj/SxsFO/ZtiN9.mNzy';

/** A followed file in memory, with a clock that stands until the test moves it. */
function follow(text: string) {
  const files = new Map([['/etc/web.yml', text]]);
  let nowMs = 1_000_000;
  let reads = 0;
  const log = recordingLog();
  const file = followWebConfig({
    path: '/etc/web.yml',
    nowMs: () => nowMs,
    log,
    readFile: (path) => {
      reads += 1;
      const content = files.get(path);
      if (content === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
      return content;
    },
  });
  return {
    log,
    files,
    reads: () => reads,
    after: (ms: number): FollowedConfig => {
      nowMs += ms;
      return file.current();
    },
  };
}

describe('the followed web configuration file', () => {
  test('a file that is bad from the start is refused with all its faults', () => {
    expect(() => follow('rate_limits: {}\nbasic_auth_users: { alice: x }')).toThrow(
      new WebConfigError([
        {
          where: '/etc/web.yml:1: rate_limits',
          message: 'is no key known here; did you mean "rate_limit"?',
        },
        {
          where: '/etc/web.yml:2: basic_auth_users.alice',
          message: 'is no bcrypt hash; make one with: htpasswd -nBC 10 ""',
        },
      ]),
    );
  });

  test('a change counts within a second, and is looked for at most each second', () => {
    const { files, after, reads } = follow('');
    files.set('/etc/web.yml', `basic_auth_users: { alice: '${HASH}' }`);
    const before = reads();
    expect(after(999).config.users.size).toBe(0);
    expect(reads()).toBe(before);
    expect(after(1).config.users.size).toBe(1);
  });

  test('a file that turned bad is broken until mended, and the log says so once each way', () => {
    const { files, after, log } = follow(`basic_auth_users: { alice: '${HASH}' }`);
    files.set('/etc/web.yml', 'basic_auth_users: { alice: hunter2 }');
    expect(after(1_000)).toMatchObject({ broken: true });
    expect(after(1_000)).toMatchObject({ broken: true });
    files.set('/etc/web.yml', '');
    expect(after(60_000)).toMatchObject({ broken: false });
    expect(log.lines).toEqual([
      'warn Web configuration file is bad, requests get 500 reason=/etc/web.yml:1: basic_auth_users.alice: is no bcrypt hash; make one with: htpasswd -nBC 10 ""',
      'info Web configuration file is good again lasted_seconds=61 times=1',
      'info Loaded the changed web configuration file file=/etc/web.yml',
    ]);
  });

  test('a file that is gone is broken, not unprotected', () => {
    const { files, after } = follow(`basic_auth_users: { alice: '${HASH}' }`);
    files.delete('/etc/web.yml');
    expect(after(1_000)).toMatchObject({ broken: true });
    files.set('/etc/web.yml', `basic_auth_users: { alice: '${HASH}' }`);
    expect(after(1_000)).toMatchObject({ broken: false });
  });

  test('a clock that goes back does not stop the looking', () => {
    const { files, after } = follow('');
    files.set('/etc/web.yml', `basic_auth_users: { alice: '${HASH}' }`);
    expect(after(-3_600_000).config.users.size).toBe(1);
  });
});
