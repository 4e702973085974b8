import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alternativeNames, judgeClient } from '../../src/web/client-certificate.ts';
import type { ClientAuthType } from '../../src/web/tls-section.ts';
import { createCertificateFolder } from './certificates.ts';
import type { CertificateFolder } from './certificates.ts';

let files: CertificateFolder;
let certificate: Uint8Array;
beforeAll(() => {
  files = createCertificateFolder();
  const client = files
    .authority('ca')
    .issue(
      'scraper',
      'DNS:scraper.example.org,DNS:b.example.org,IP:10.0.0.1,IP:2001:db8::1,email:sre@example.org,URI:spiffe://example.org/scraper',
      'client',
    );
  certificate = new X509Certificate(client.cert).raw;
});
afterAll(() => files.remove());

describe('the five types', () => {
  test.each<readonly [ClientAuthType, none: string, unverified: string, verified: string]>([
    ['NoClientCert', 'accepted', 'accepted', 'accepted'],
    ['RequestClientCert', 'accepted', 'accepted', 'accepted'],
    ['RequireAnyClientCert', 'certificate_missing', 'accepted', 'accepted'],
    ['VerifyClientCertIfGiven', 'accepted', 'certificate_unverified', 'accepted'],
    ['RequireAndVerifyClientCert', 'certificate_missing', 'certificate_unverified', 'accepted'],
  ])('%s', (clientAuth, none, unverified, verified) => {
    const setup = { clientAuth, clientAllowedSans: null };
    expect([
      judgeClient(setup, { certificate: null, authorized: false }),
      judgeClient(setup, { certificate, authorized: false }),
      judgeClient(setup, { certificate, authorized: true }),
    ]).toEqual([none, unverified, verified]);
  });
});

describe('allowed names', () => {
  test.each([
    [['scraper.example.org'], 'accepted'],
    [['other', 'b.example.org'], 'accepted'],
    [['10.0.0.1'], 'accepted'],
    [['2001:DB8:0:0:0:0:0:1'], 'accepted'],
    [['sre@example.org'], 'accepted'],
    [['spiffe://example.org/scraper'], 'accepted'],
    [['scraper'], 'san_not_allowed'],
    [['*.example.org'], 'san_not_allowed'],
    [['example.org'], 'san_not_allowed'],
    [['SCRAPER.example.org'], 'san_not_allowed'],
    [['spiffe://example.org/'], 'san_not_allowed'],
  ])('%j → %s', (clientAllowedSans, verdict) => {
    const setup = { clientAuth: 'RequireAndVerifyClientCert' as const, clientAllowedSans };
    expect(judgeClient(setup, { certificate, authorized: true })).toBe(verdict);
  });

  test.each([
    [undefined, []],
    ['', []],
    ['DNS:a', ['a']],
    ['DNS:a, IP Address:10.0.0.1, URI:b:c', ['a', '10.0.0.1', 'b:c']],
    ['URI:"http://x/, DNS:evil", DNS:good', ['http://x/, DNS:evil', 'good']],
    [String.raw`DNS:"a\", DNS:evil", DNS:good`, ['a", DNS:evil', 'good']],
    ['DirName:"CN = evil, DNS:evil", othername:<unsupported>', []],
    ['IP Address:2001:DB8:0:0:0:0:0:1', ['2001:db8::1']],
    ['DNS:', ['']],
  ])('Node renders %j, which are %j', (rendered, names) => {
    expect(alternativeNames(rendered)).toEqual(names);
  });
});
