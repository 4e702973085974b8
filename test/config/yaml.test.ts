import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../src/config/yaml.ts';

describe('YAML', () => {
  it('is read as version 1.2: no and off are words, 010 is ten', () => {
    const parsed = parseYaml('a: no\nb: off\nc: 010\nd: ~\n');
    expect(parsed.ok && parsed.value).toEqual({ a: 'no', b: 'off', c: 10, d: null });
  });

  it('knows the line of each key, or of the nearest that is there', () => {
    const parsed = parseYaml('# comment\na:\n  - b: 1\n    c: 2\n  - d\n');
    if (!parsed.ok) throw new Error('it is good');
    expect(parsed.lineOf(['a'])).toBe(2);
    expect(parsed.lineOf(['a', 0, 'c'])).toBe(4);
    expect(parsed.lineOf(['a', 1])).toBe(5);
    expect(parsed.lineOf(['a', 0, 'nowhere', 'deeper'])).toBe(3);
    expect(parsed.lineOf(['nowhere'])).toBeNull();
  });

  it('stops at aliases that multiply', () => {
    const levels = Array.from({ length: 9 }, (_, i) => {
      const aliases = Array.from({ length: 9 }, () => `*l${i}`).join(', ');
      return `l${i + 1}: &l${i + 1} [${aliases}]`;
    });
    expect(parseYaml(['l0: &l0 [x]', ...levels].join('\n'))).toEqual({
      ok: false,
      faults: [{ line: null, message: 'too many aliases or too deep a nesting' }],
    });
  });

  it('has no key that reaches into the prototype', () => {
    const parsed = parseYaml('__proto__: { polluted: true }\nconstructor: 1\n');
    expect(parsed.ok && Object.keys(parsed.value as object)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('of any kind never throws, and never repeats its text in a fault', () => {
    const pieces = [
      'a',
      ': ',
      '\n',
      '  ',
      '- ',
      '"',
      "'",
      '*',
      '&',
      '!',
      '{',
      '}',
      '[',
      ']',
      '|',
      '#',
      '\t',
      'SECRET',
      '---',
      '%',
      '?',
      ',',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), (parts) => {
        const parsed = parseYaml(parts.join(''));
        const told = parsed.ok ? [] : parsed.faults.map(({ message }) => message);
        expect(told.join()).not.toContain('SECRET');
      }),
      { numRuns: 2_000 },
    );
  });
});
