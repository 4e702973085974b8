/** The `jim` section: where JIM is, and with which key and limits it is asked. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NO_TLS, readTls } from './client-settings.ts';
import type { JimConfig } from './config.ts';
import type { Environment } from './layers.ts';
import { SECRET_MASK, secretFile, secretValue } from './secret.ts';
import type { Secret } from './secret.ts';
import type { Section, Settings } from './settings.ts';
import {
  duration,
  faultOfHeaderSecret,
  headerSecret,
  httpUrl,
  proxyUrl,
  wholeNumber,
} from './values.ts';

export function jimOf(settings: Settings, environment: Environment): JimConfig {
  const section = settings.root
    .section('jim')
    .only([
      'url',
      'api_key',
      'api_key_file',
      'external_url',
      'timeout',
      'requests_per_minute',
      'tls_config',
      'proxy_url',
    ]);
  const address = httpUrl({ notBelow: '/api/v1' });
  const url = section.required(
    'url',
    address,
    '',
    'give the address of JIM with --jim.url=https://jim.example.com, JIM_URL, or url below jim in the configuration file',
  );
  return {
    url,
    apiKey: apiKeyOf(section, environment),
    externalUrl: section.value('external_url', address, url),
    timeoutMs: section.value('timeout', duration('1ms', '10m'), 30_000),
    requestsPerMinute: section.value('requests_per_minute', wholeNumber(10, 100_000), 120),
    tls: section.isSet('tls_config') ? readTls(settings, section, url) : NO_TLS,
    proxyUrl: section.value<Secret | null>('proxy_url', proxyUrl, null),
  };
}

/** systemd's LoadCredential= puts a file of this name into the folder that it names in the environment. */
const SYSTEMD_CREDENTIAL = 'jim_api_key';

function apiKeyOf(section: Section, environment: Environment): Secret {
  const key = section.secret('api_key', headerSecret, faultOfHeaderSecret);
  if (key !== null) return key;
  if (!section.isSet('api_key') && !section.isSet('api_key_file')) {
    const credentials = environment['CREDENTIALS_DIRECTORY'] ?? '';
    const credential = join(credentials, SYSTEMD_CREDENTIAL);
    if (credentials !== '' && existsSync(credential)) return secretFile(credential);
    section.missing(
      'api_key',
      'name the file that holds it with --jim.api-key-file, JIM_API_KEY_FILE or api_key_file, or give it in the variable JIM_API_KEY',
    );
  }
  return secretValue(SECRET_MASK); // the fault keeps this from being used
}
