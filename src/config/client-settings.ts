/** The settings that every outgoing HTTP client has, named as in all of Prometheus: `tls_config`, `basic_auth`, `authorization`, `proxy_url`. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AlertmanagerConfig, TlsConfig } from './config.ts';
import { SECRET_MASK, secretValue } from './secret.ts';
import type { Section, Settings } from './settings.ts';
import {
  faultOfHeaderSecret,
  faultOfPassword,
  headerSecret,
  passwordSecret,
  readableFile,
  text,
  yesNo,
} from './values.ts';
import type { Parser } from './values.ts';

export const NO_TLS: TlsConfig = {
  caFile: null,
  certFile: null,
  keyFile: null,
  serverName: null,
  insecureSkipVerify: false,
};

/** `tls_config` of `parent`, whose address is `url`. Certificates and keys are opened once, so that a wrong file is told now. */
export function readTls(settings: Settings, parent: Section, url: string): TlsConfig {
  const keys = ['ca_file', 'cert_file', 'key_file', 'server_name', 'insecure_skip_verify'];
  const section = parent.section('tls_config').only(keys);
  const tls: TlsConfig = {
    caFile: section.value<string | null>('ca_file', readableFile, null),
    certFile: section.value<string | null>('cert_file', readableFile, null),
    keyFile: section.value<string | null>('key_file', readableFile, null),
    serverName: section.value<string | null>('server_name', text, null),
    insecureSkipVerify: section.value('insecure_skip_verify', yesNo, false),
  };
  for (const [one, other] of [
    ['cert_file', 'key_file'],
    ['key_file', 'cert_file'],
  ] as const) {
    if (section.isSet(one) && !section.isSet(other)) {
      section.fault(
        one,
        `needs ${other} beside it: a client certificate is of use only with its key`,
      );
    }
  }
  if (section.isSet('ca_file') && tls.insecureSkipVerify) {
    settings.contradiction(
      [section.pathOf('insecure_skip_verify'), section.pathOf('ca_file')],
      'contradicts ca_file: without verification the CA would never be used; remove one of them',
    );
  }
  if (section.keys.length > 0 && url.startsWith('http://')) {
    settings.contradiction(
      [parent.pathOf('tls_config'), parent.pathOf('url')],
      'has no effect, since the url is http://; make that https:// or remove tls_config',
    );
  }
  checkPems(section, tls);
  return tls;
}

function checkPems(section: Section, tls: TlsConfig): void {
  if (tls.caFile !== null) openCertificate(section, 'ca_file', tls.caFile);
  if (tls.certFile === null || tls.keyFile === null) return;
  const certificate = openCertificate(section, 'cert_file', tls.certFile);
  const key = openKey(section, tls.keyFile);
  if (certificate !== null && key !== null && !certificate.checkPrivateKey(key)) {
    section.fault('key_file', 'is not the key of the certificate in cert_file');
  }
}

function openCertificate(section: Section, key: string, path: string): X509Certificate | null {
  try {
    return new X509Certificate(readFileSync(path));
  } catch {
    section.fault(key, `${path} holds no certificate in PEM form`);
    return null;
  }
}

function openKey(section: Section, path: string): KeyObject | null {
  try {
    return createPrivateKey(readFileSync(path));
  } catch {
    section.fault('key_file', `${path} holds no private key in PEM form without a passphrase`);
    return null;
  }
}

/** `basic_auth` and `authorization` of `parent`; at most one of them. */
export function readCredentials(
  settings: Settings,
  parent: Section,
): Pick<AlertmanagerConfig, 'basicAuth' | 'authorization'> {
  const credentials = {
    basicAuth: parent.isSet('basic_auth') ? readBasicAuth(parent.section('basic_auth')) : null,
    authorization: parent.isSet('authorization')
      ? readAuthorization(parent.section('authorization'))
      : null,
  };
  if (credentials.basicAuth !== null && credentials.authorization !== null) {
    settings.contradiction(
      [parent.pathOf('authorization'), parent.pathOf('basic_auth')],
      'is set together with basic_auth; keep one of them',
    );
  }
  return credentials;
}

function readBasicAuth(section: Section): AlertmanagerConfig['basicAuth'] {
  section.only(['username', 'password', 'password_file']);
  const username = section.required('username', userName, '', 'write the user name');
  const password = section.secret('password', passwordSecret, faultOfPassword);
  if (password === null && !section.isSet('password') && !section.isSet('password_file')) {
    section.missing('password', 'write password or password_file');
  }
  return { username, password: password ?? secretValue(SECRET_MASK) };
}

function readAuthorization(section: Section): AlertmanagerConfig['authorization'] {
  section.only(['type', 'credentials', 'credentials_file']);
  const type = section.value('type', authorizationType, 'Bearer');
  const credentials = section.secret('credentials', headerSecret, faultOfHeaderSecret);
  if (credentials === null && !section.isSet('credentials') && !section.isSet('credentials_file')) {
    section.missing('credentials', 'write credentials or credentials_file');
  }
  return { type, credentials: credentials ?? secretValue(SECRET_MASK) };
}

const userName: Parser<string> = (given, folder) => {
  const parsed = text(given, folder);
  if ('value' in parsed && parsed.value.includes(':')) {
    return { fault: 'has a colon, which basic auth cannot carry in a user name' };
  }
  return parsed;
};

const authorizationType: Parser<string> = (given, folder) => {
  const parsed = text(given, folder);
  if ('fault' in parsed) return parsed;
  if (parsed.value.toLowerCase() === 'basic') {
    return { fault: 'must not be Basic; use basic_auth instead' };
  }
  return /^[A-Za-z][\w-]*$/.test(parsed.value) ? parsed : { fault: 'must be one word, as Bearer' };
};
