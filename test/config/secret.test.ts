import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SecretError, secretFile, secretValue } from '../../src/config/secret.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jim-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a secret', () => {
  it('in place is what was written', () => {
    expect(secretValue(' as it is ').read()).toBe(' as it is ');
  });

  it.each([
    ['a line end', 'jim_ak_1\n'],
    ['a Windows line end', 'jim_ak_1\r\n'],
    ['a byte order mark and blanks', '\uFEFF  jim_ak_1  '],
  ])('in a file stands without %s', (_, content) => {
    writeFileSync(join(folder, 'key'), content);
    expect(secretFile(join(folder, 'key')).read()).toBe('jim_ak_1');
  });

  it.each<[string, string | null, string]>([
    ['missing', null, 'cannot be read (there is no such file)'],
    ['empty', ' \n', 'is empty; write the secret into it'],
    ['large', 'x'.repeat(70_000), "is larger than 65536 bytes, so it is no secret's file"],
  ])('in a file that is %s cannot be had', (_, content, sentence) => {
    const path = join(folder, 'key');
    if (content !== null) writeFileSync(path, content);
    expect(() => secretFile(path).read()).toThrow(new SecretError(`${path} ${sentence}`));
  });
});
