import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatFault } from '../../src/config/load.ts';
import { readWebConfig } from '../../src/web/web-config.ts';
import type { WebConfig } from '../../src/web/web-config.ts';
import { PROGRAM_VERSIONS, requireProgram } from '../programs.ts';
import { createCertificateFolder } from './certificates.ts';
import type { Authority, Certificate, CertificateFolder } from './certificates.ts';

/** Of "secret", at the lowest cost that bcrypt has. */
const HASH = '$2y$04$zVHmKQtGGQob.b/Nc7l9NO8UlrYcW05FiuCj/SxsFO/ZtiN9.mNzy';

let files: CertificateFolder;
let server: Certificate;
let other: Certificate;
let ca: Authority;
let path: string;
beforeAll(() => {
  files = createCertificateFolder();
  ca = files.authority('ca');
  server = ca.issue('localhost', 'DNS:localhost', 'server');
  other = ca.issue('localhost', 'DNS:localhost', 'server');
  path = join(files.folder, 'web.yml');
  writeFileSync(join(files.folder, 'junk.pem'), 'no certificate at all');
  writeFileSync(
    join(files.folder, 'broken.pem'),
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  );
  writeFileSync(
    join(files.folder, 'encrypted.key'),
    '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n',
  );
  writeFileSync(join(files.folder, 'huge.pem'), Buffer.alloc(1024 * 1024 + 1));
  mkdirSync(join(files.folder, 'directory'));
});
afterAll(() => files.remove());

/** `<cert>`, `<key>`, `<other key>`, `<ca>` and `<hash>` stand for files and a hash of this run. */
function filled(yaml: string): string {
  return yaml
    .replaceAll('<cert>', basename(server.certFile))
    .replaceAll('<key>', basename(server.keyFile))
    .replaceAll('<other key>', basename(other.keyFile))
    .replaceAll('<ca>', basename(ca.certFile))
    .replaceAll('<hash>', `'${HASH}'`);
}

function faultsOf(yaml: string): readonly string[] {
  writeFileSync(path, filled(yaml));
  const reading = readWebConfig(path);
  return reading.ok
    ? []
    : reading.faults.map((fault) => formatFault(fault).replaceAll(`${files.folder}/`, ''));
}

function configOf(yaml: string): WebConfig {
  writeFileSync(path, filled(yaml));
  const reading = readWebConfig(path);
  if (!reading.ok) throw new Error(reading.faults.map(formatFault).join('\n'));
  return reading.config;
}

const TLS = 'tls_server_config: { cert_file: <cert>, key_file: <key> }';
const tls = (more: string): string =>
  `tls_server_config:\n  cert_file: <cert>\n  key_file: <key>\n${more.replaceAll(/^/gm, '  ')}\n`;

describe('a bad file', () => {
  test.each<readonly [what: string, yaml: string, faults: readonly string[]]>([
    [
      'no YAML',
      'a: b: c',
      ['web.yml:1: this is not valid YAML; check indentation, colons and quotes'],
    ],
    [
      'a list',
      '- a',
      ['web.yml: holds no sections; start with tls_server_config: or basic_auth_users:'],
    ],
    [
      'a password',
      'hunter2',
      ['web.yml: holds no sections; start with tls_server_config: or basic_auth_users:'],
    ],
    [
      'a key nobody knows',
      'tls_config: {}',
      [
        'web.yml:1: tls_config: is no key known here; known are tls_server_config, http_server_config, basic_auth_users, rate_limit',
      ],
    ],
    [
      'a misspelt key',
      tls('min_verison: TLS12'),
      [
        'web.yml:4: tls_server_config.min_verison: is no key known here; did you mean "min_version"?',
      ],
    ],
    [
      'a key twice',
      'rate_limit: {}\nrate_limit: {}',
      ['web.yml:2: this key stands twice in its section; keep one'],
    ],
    [
      'no key',
      'tls_server_config: { cert_file: <cert> }',
      ['web.yml:1: tls_server_config.key: is missing; TLS needs key or key_file'],
    ],
    [
      'no certificate',
      "tls_server_config: { cert_file: '', key_file: <key> }",
      ['web.yml:1: tls_server_config.cert: is missing; TLS needs cert or cert_file'],
    ],
    [
      'TLS settings without TLS',
      'tls_server_config: { min_version: TLS13 }',
      [
        'web.yml:1: tls_server_config.cert: is missing; TLS needs cert or cert_file',
        'web.yml:1: tls_server_config.key: is missing; TLS needs key or key_file',
      ],
    ],
    [
      'a certificate in place and in a file',
      tls('cert: x'),
      ['web.yml:4: tls_server_config.cert: is set together with cert_file; keep one of them'],
    ],
    [
      'files that are not there',
      'tls_server_config:\n  cert_file: gone.pem\n  key_file: directory',
      [
        'web.yml:2: tls_server_config.cert_file: gone.pem cannot be read (there is no such file); correct the path or its permissions',
        'web.yml:3: tls_server_config.key_file: directory cannot be read (it is a folder); correct the path or its permissions',
      ],
    ],
    [
      'a file too large',
      'tls_server_config: { cert_file: huge.pem, key_file: <key> }',
      [
        'web.yml:1: tls_server_config.cert_file: huge.pem cannot be read (EFBIG); correct the path or its permissions',
      ],
    ],
    [
      'a certificate that is none',
      'tls_server_config: { cert_file: junk.pem, key_file: <key> }',
      [
        'web.yml:1: tls_server_config.cert_file: holds no certificate; it must start with -----BEGIN CERTIFICATE-----',
      ],
    ],
    [
      'a key that is none',
      'tls_server_config: { cert_file: <cert>, key_file: junk.pem }',
      [
        'web.yml:1: tls_server_config.key_file: holds no private key; it must be PEM and start with -----BEGIN PRIVATE KEY----- or the like',
      ],
    ],
    [
      'a key with a passphrase',
      'tls_server_config: { cert_file: <cert>, key_file: encrypted.key }',
      [
        'web.yml:1: tls_server_config.key_file: holds a key with a passphrase; remove it (openssl pkey -in old.pem -out new.pem)',
      ],
    ],
    [
      'two that do not belong together',
      'tls_server_config: { cert_file: <cert>, key_file: <other key> }',
      [
        'web.yml:1: tls_server_config.key_file: is not the key of the certificate; give two that belong together',
      ],
    ],
    [
      'a key that is a number, which is not shown',
      'tls_server_config: { cert_file: <cert>, key: 12345678 }',
      ['web.yml:1: tls_server_config.key: must be text; put it in quotes'],
    ],
    [
      'a client CA that asks nobody',
      tls('client_ca_file: <ca>'),
      [
        'web.yml:1: tls_server_config.client_auth_type: asks nobody for a certificate, yet there is a client_ca; write RequireAndVerifyClientCert',
      ],
    ],
    [
      'a verification against nothing',
      tls('client_auth_type: RequireAndVerifyClientCert'),
      [
        "web.yml:4: tls_server_config.client_auth_type: RequireAndVerifyClientCert needs client_ca or client_ca_file: the system's authorities are not used",
      ],
    ],
    [
      'a client CA that is none',
      tls('client_ca_file: junk.pem\nclient_auth_type: RequireAndVerifyClientCert'),
      [
        'web.yml:4: tls_server_config.client_ca_file: holds no certificate; it must start with -----BEGIN CERTIFICATE-----',
      ],
    ],
    [
      'a client authentication nobody knows',
      tls('client_auth_type: RequireAndVerify'),
      [
        'web.yml:4: tls_server_config.client_auth_type: "RequireAndVerify" is none of NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert',
      ],
    ],
    [
      'allowed names that a client could evade',
      tls('client_auth_type: RequestClientCert\nclient_allowed_sans: [a]'),
      [
        'web.yml:5: tls_server_config.client_allowed_sans: needs the client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert, or a client without a certificate would pass',
      ],
    ],
    [
      'no allowed names',
      tls('client_auth_type: RequireAnyClientCert\nclient_allowed_sans: []'),
      [
        'web.yml:5: tls_server_config.client_allowed_sans: is empty, so that nobody could connect; name at least one',
      ],
    ],
    [
      'a version nobody knows',
      tls('min_version: TLS1.2'),
      [
        'web.yml:4: tls_server_config.min_version: "TLS1.2" is none of TLS10, TLS11, TLS12, TLS13; did you mean "TLS12"?',
      ],
    ],
    [
      'versions the wrong way round',
      tls('min_version: TLS13\nmax_version: TLS12'),
      ['web.yml:4: tls_server_config.min_version: TLS13 is above max_version TLS12'],
    ],
    [
      'suites nobody knows',
      tls('cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA257, ECDHE-RSA-AES128-GCM-SHA256]'),
      [
        'web.yml:4: tls_server_config.cipher_suites: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA257", "ECDHE-RSA-AES128-GCM-SHA256" is no cipher suite by Go\'s names; did you mean "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"?',
      ],
    ],
    [
      'a suite that is no list',
      tls('cipher_suites: TLS_AES_128_GCM_SHA256'),
      [
        'web.yml:4: tls_server_config.cipher_suites: is no list; start each cipher suite with a dash',
      ],
    ],
    [
      'suites that HTTP/2 cannot do with',
      tls('cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]'),
      [
        'web.yml:4: tls_server_config.cipher_suites: lacks what HTTP/2 requires; add TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, or write http2: false',
      ],
    ],
    [
      'suites for no version that is allowed',
      `${tls('cipher_suites: [TLS_AES_128_GCM_SHA256]\nmax_version: TLS12')}http_server_config: { http2: off }`,
      [
        'web.yml:4: tls_server_config.cipher_suites: has none for TLS 1.2 and below, and max_version allows no other',
      ],
    ],
    [
      'a curve nobody knows',
      tls('curve_preferences: [P256]'),
      ['web.yml:4: tls_server_config.curve_preferences: "P256" is no curve by Go\'s names'],
    ],
    [
      'HTTP/2 perhaps',
      'http_server_config: { http2: perhaps }',
      ['web.yml:1: http_server_config.http2: must be true or false'],
    ],
    [
      'a header that nobody may set',
      'http_server_config: { headers: { Server: x } }',
      [
        'web.yml:1: http_server_config.headers.Server: is no key known here; known are Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection',
      ],
    ],
    [
      'header values that mean nothing',
      'http_server_config:\n  headers:\n    X-Content-Type-Options: sniff\n    X-Frame-Options: allow',
      [
        'web.yml:3: http_server_config.headers.X-Content-Type-Options: must be nosniff',
        'web.yml:4: http_server_config.headers.X-Frame-Options: must be deny or sameorigin',
      ],
    ],
    [
      'a header with a line break',
      'http_server_config: { headers: { Content-Security-Policy: "a\\r\\nSet-Cookie: b" } }',
      [
        'web.yml:1: http_server_config.headers.Content-Security-Policy: has line breaks or characters that no HTTP header can carry',
      ],
    ],
    [
      'passwords in the place of hashes, which are not shown',
      "basic_auth_users:\n  alice: hunter2\n  bob: '$2y$10$short'\n  carol: 12345678",
      ['alice', 'bob', 'carol'].map(
        (name, i) =>
          `web.yml:${i + 2}: basic_auth_users.${name}: is no bcrypt hash; make one with: htpasswd -nBC 10 ""`,
      ),
    ],
    [
      'users that are a password',
      'basic_auth_users: hunter2',
      [
        'web.yml:1: basic_auth_users: is no section; write one line "name: hash" for each user below it',
      ],
    ],
    [
      'a hash that would take days',
      `basic_auth_users: { alice: '${HASH.replace('$04$', '$31$')}' }`,
      ['web.yml:1: basic_auth_users.alice: has the cost 31, outside 4 to 18; 10 to 12 are usual'],
    ],
    [
      'a hash whose last character has bits too many',
      `basic_auth_users: { alice: '${HASH.slice(0, -1)}z' }`,
      ['web.yml:1: basic_auth_users.alice: is no bcrypt hash; make one with: htpasswd -nBC 10 ""'],
    ],
    [
      'a name that no client can send',
      'basic_auth_users: { "a:b": <hash> }',
      ['web.yml:1: basic_auth_users.a:b: a name with a colon can never log in; choose another'],
    ],
    [
      'a limit that lets nobody in',
      'rate_limit: { interval: 1s }',
      ['web.yml:1: rate_limit.burst: must be at least 1, or every request would be refused'],
    ],
    [
      'a duration of another kind',
      'rate_limit: { interval: 1d, burst: 1 }',
      [
        'web.yml:1: rate_limit.interval: is no duration as Go writes it; write it as 100ms, 1s or 1m30s',
      ],
    ],
    [
      'a burst that is no number',
      'rate_limit: { interval: 1s, burst: many }',
      ['web.yml:1: rate_limit.burst: "many" is no whole number from 0 to 1000000000'],
    ],
    [
      'many faults, all told at once',
      'tls_server_config: { cert_file: gone.pem, max_version: TLS14 }\nbasic_auth_users: { alice: x }\nrate_limits: {}',
      [
        'web.yml:3: rate_limits: is no key known here; did you mean "rate_limit"?',
        'web.yml:1: tls_server_config.cert_file: gone.pem cannot be read (there is no such file); correct the path or its permissions',
        'web.yml:1: tls_server_config.key: is missing; TLS needs key or key_file',
        'web.yml:1: tls_server_config.max_version: "TLS14" is none of TLS10, TLS11, TLS12, TLS13; did you mean "TLS10"?',
        'web.yml:2: basic_auth_users.alice: is no bcrypt hash; make one with: htpasswd -nBC 10 ""',
      ],
    ],
  ])('%s', (_, yaml, faults) => {
    expect(faultsOf(yaml)).toEqual(faults);
  });

  test('that is not there', () => {
    rmSync(path, { force: true });
    expect(readWebConfig(path)).toEqual({
      ok: false,
      faults: [
        {
          where: path,
          message:
            'cannot be read (there is no such file); correct --web.config.file or the permissions',
        },
      ],
    });
  });

  test('never shows a private key', () => {
    const shown = faultsOf(
      `tls_server_config:\n  cert_file: <cert>\n  key: |\n${other.key.replaceAll(/^/gm, '    ')}`,
    ).join('\n');
    expect(shown).toContain('is not the key of the certificate');
    for (const line of other.key.split('\n').filter((text) => /^[\w+/=]{20,}$/.test(text))) {
      expect(shown).not.toContain(line);
    }
  });
});

/** What is good for us, and for promtool: of each version that knows all of its keys. */
const GOOD: readonly (readonly [what: string, yaml: string, knownTo: readonly number[]])[] = [
  ['nothing', '', [2, 3]],
  ['TLS', TLS, [2, 3]],
  [
    'everything about TLS',
    tls(
      `client_ca_file: <ca>
client_auth_type: RequireAndVerifyClientCert
client_allowed_sans: [scraper.example.org, 10.0.0.1]
min_version: TLS12
max_version: TLS13
prefer_server_cipher_suites: no
curve_preferences: [X25519, CurveP256, CurveP384, CurveP521]
cipher_suites:
  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
  - TLS_AES_128_GCM_SHA256`,
    ),
    [3],
  ],
  ['old versions', tls('min_version: TLS10\nmax_version: TLS11'), [2, 3]],
  ['the older name of a client authentication', tls('client_auth_type: RequireClientCert'), [2, 3]],
  ['a request for certificates', tls('client_auth_type: RequestClientCert'), [2, 3]],
  ['HTTP/2 off', `${TLS}\nhttp_server_config: { http2: false }`, [2, 3]],
  [
    'all headers',
    `http_server_config:
  headers:
    Content-Security-Policy: default-src 'self'
    Strict-Transport-Security: max-age=31536000; includeSubDomains
    X-Content-Type-Options: nosniff
    X-Frame-Options: sameorigin
    X-XSS-Protection: "0"`,
    [2, 3],
  ],
  [
    'users',
    `basic_auth_users:\n  alice: <hash>\n  no: '${HASH.replace('$2y$', '$2a$')}'\n  123: '${HASH.replace('$2y$', '$2b$')}'`,
    [2, 3],
  ],
  ['a rate limit', 'rate_limit: { interval: 1m30.5s, burst: 20 }', [3]],
];

describe('a good file', () => {
  test.each(GOOD)('%s', (_, yaml) => {
    expect(faultsOf(yaml)).toEqual([]);
  });

  test.for(
    GOOD.flatMap(([what, yaml, knownTo]) =>
      PROGRAM_VERSIONS.filter((version) => knownTo.includes(version)).map(
        (version) => [what, version, yaml] as const,
      ),
    ),
  )('%s: promtool %i agrees', ([, version, yaml], context) => {
    const promtool = requireProgram(context, 'promtool', version);
    writeFileSync(path, filled(yaml));
    expect(() =>
      execFileSync(promtool, ['check', 'web-config', path], { stdio: 'pipe' }),
    ).not.toThrow();
  });

  test('means what it says', () => {
    const config = configOf(
      `${GOOD[2]?.[1]}\nbasic_auth_users: { no: <hash> }\nrate_limit: { interval: 1m30.5s, burst: 20 }\nhttp_server_config: { headers: { X-Frame-Options: deny } }`,
    );
    expect(config).toEqual({
      tls: {
        options: {
          cert: server.cert,
          key: server.key,
          ca: ca.cert,
          minVersion: 'TLSv1.2',
          maxVersion: 'TLSv1.3',
          ciphers:
            'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
          ecdhCurve: 'X25519:P-256:P-384:P-521',
          honorCipherOrder: false,
          requestCert: true,
          rejectUnauthorized: true,
          ALPNProtocols: ['h2', 'http/1.1'],
        },
        clientAuth: 'RequireAndVerifyClientCert',
        clientAllowedSans: ['scraper.example.org', '10.0.0.1'],
      },
      headers: [['X-Frame-Options', 'deny']],
      users: new Map([['no', HASH]]),
      rateLimit: { intervalMs: 90_500, burst: 20 },
    });
  });

  test('takes certificate, key and authority in place', () => {
    const indented = (pem: string): string => `|\n${pem.trim().replaceAll(/^/gm, '    ')}\n`;
    const config = configOf(
      `tls_server_config:\n  cert: ${indented(server.cert)}  key: ${indented(server.key)}  client_ca: ${indented(ca.cert)}  client_auth_type: VerifyClientCertIfGiven\n`,
    );
    expect(config.tls?.options).toMatchObject({ cert: server.cert, key: server.key, ca: ca.cert });
  });

  test.each([
    ['interval: 0, burst: 0', null],
    ['interval: 0s', null],
    ['interval: 100ms, burst: 1', 100],
    ['interval: 1000000, burst: 1', 1],
    ['interval: 2us, burst: 1', 0.002],
    ['interval: 1h2m3s, burst: 1', 3_723_000],
    ['interval: 1s1h, burst: 1', 3_601_000],
    ['interval: .5s, burst: 1', 500],
  ])('rate_limit %s', (yaml, intervalMs) => {
    expect(configOf(`rate_limit: { ${yaml} }`).rateLimit?.intervalMs ?? null).toBe(intervalMs);
  });
});
