import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { reloaded, secretsOf } from '../../src/config/reload.ts';

function configOf(environment: Readonly<Record<string, string>>): Config {
  const loaded = loadConfig({
    flags: {},
    environment: { JIM_URL: 'https://jim', JIM_API_KEY: 'jim_ak_old_key', ...environment },
    workingFolder: '/somewhere',
    scheduleFault: () => null,
  });
  if (!loaded.ok) throw new Error('it is good');
  return loaded.config;
}

describe('a reload', () => {
  const old = configOf({});

  it('takes over what a running exporter can change', () => {
    const next = {
      ...old,
      poll: { ...old.poll, schedule: '0 * * * * *', settleMs: 1 },
      jim: { ...old.jim, timeoutMs: 1, externalUrl: 'https://elsewhere' },
    };
    expect(reloaded(old, next)).toEqual({ config: next, needRestart: [] });
  });

  it('keeps and names what only a restart changes', () => {
    const next = configOf({ JIM_URL: 'https://other', JIM_EXPORTER_STORAGE_PATH: 'elsewhere' });
    const { config, needRestart } = reloaded(old, next);
    expect(needRestart).toEqual(['jim.url', 'storage.path']);
    expect(config.jim.url).toBe('https://jim');
    expect(config.jim.externalUrl).toBe('https://jim');
    expect(config.storage).toEqual({ path: '/somewhere/data' });
  });

  it('keeps an external address that was set on purpose', () => {
    const next = configOf({ JIM_URL: 'https://other' });
    const set = { ...next, jim: { ...next.jim, externalUrl: 'https://people' } };
    expect(reloaded(old, set).config.jim.externalUrl).toBe('https://people');
  });
});

describe('the secrets of a configuration', () => {
  it('are all of them, but for files that cannot be read', () => {
    const old = configOf({});
    const gone = {
      kind: 'file' as const,
      file: '/gone',
      read: () => {
        throw new Error('gone');
      },
      toJSON: () => '',
      toString: () => '',
    };
    const secret = (value: string): Config['jim']['apiKey'] => ({
      ...old.jim.apiKey,
      read: () => value,
    });
    const alertmanager = {
      url: 'http://am',
      timeoutMs: 1,
      basicAuth: { username: 'u', password: secret('password') },
      authorization: { type: 'Bearer', credentials: secret('token') },
      tls: old.jim.tls,
      proxyUrl: gone,
    };
    const config = {
      ...old,
      jim: { ...old.jim, proxyUrl: secret('http://u:p@proxy') },
      alerting: { ...old.alerting, alertmanagers: [alertmanager] },
    };
    expect(secretsOf(config)).toEqual(['jim_ak_old_key', 'http://u:p@proxy', 'password', 'token']);
  });
});
