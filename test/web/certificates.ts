/** Certificates made for one test run by the openssl command, so that no key is ever committed. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /** `sans` as openssl writes them: `DNS:localhost,IP:127.0.0.1`. */
  issue(commonName: string, sans: string, purpose: 'server' | 'client'): Certificate;
}

export interface CertificateFolder {
  readonly folder: string;
  authority(name: string): Authority;
  remove(): void;
}

export function createCertificateFolder(): CertificateFolder {
  const folder = mkdtempSync(join(tmpdir(), 'jim-exporter-certificates-'));
  let serial = 0;
  /** No word of a command has a space in it. */
  const openssl = (command: string): void => {
    execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'pipe' });
  };
  // Keys on prime256v1 are made in no time; RSA would take seconds.
  const request = (name: string, commonName: string): string =>
    `req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${name}.key -subj /CN=${commonName}`;
  const load = (name: string): Certificate => {
    const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
    const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
    return { certFile, keyFile, cert, key };
  };
  return {
    folder,
    authority(name) {
      openssl(`${request(name, name)} -x509 -days 2 -out ${name}.crt`);
      return {
        ...load(name),
        issue(commonName, sans, purpose) {
          serial += 1;
          const file = `${name}-${serial}`;
          writeFileSync(
            join(folder, `${file}.ext`),
            `subjectAltName=${sans}\nextendedKeyUsage=${purpose}Auth\n`,
          );
          openssl(`${request(file, commonName)} -out ${file}.csr`);
          openssl(
            `x509 -req -in ${file}.csr -days 2 -out ${file}.crt -CA ${name}.crt -CAkey ${name}.key -set_serial ${serial} -extfile ${file}.ext`,
          );
          return load(file);
        },
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
