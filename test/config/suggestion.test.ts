import { describe, expect, it } from 'vitest';
import { suggestionFor } from '../../src/config/suggestion.ts';

describe('a suggestion', () => {
  const keys = ['url', 'api_key', 'api_key_file', 'timeout', 'requests_per_minute'];

  it.each([
    ['timout', 'timeout'],
    ['timeuot', 'timeout'],
    ['apikey', 'api_key'],
    ['api-key-file', 'api_key_file'],
    ['request_per_minute', 'requests_per_minute'],
    ['ur', 'url'],
    ['URL', 'url'],
    ['completely_different', null],
    ['x', null],
    ['', null],
  ])('for %j is %j', (word, suggestion) => {
    expect(suggestionFor(word, keys)).toBe(suggestion);
  });
});
