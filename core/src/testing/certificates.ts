/** Certificates for tests, made by the `openssl` on the PATH: Node itself can read certificates, but not make them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A certificate and its key: PEM, and the files it stands in. */
export interface TestCertificate {
  cert: string;
  key: string;
  certFile: string;
  keyFile: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

const atFiles = (stem: string): TestCertificate => {
  const [certFile, keyFile] = [`${stem}.pem`, `${stem}.key`];
  return {
    cert: readFileSync(certFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
    certFile,
    keyFile,
  };
};

/** A certificate authority of its own, in a temporary folder. */
export class TestAuthority {
  readonly certificate: TestCertificate;
  private readonly directory = mkdtempSync(path.join(tmpdir(), 'relay-ca-'));
  private issued = 0;

  constructor(name: string) {
    const stem = path.join(this.directory, 'ca');
    const extensions = ['-addext', 'keyUsage=critical,keyCertSign'];
    const files = ['-keyout', `${stem}.key`, '-out', `${stem}.pem`];
    openssl(
      'req',
      '-x509',
      ...NEW_KEY,
      '-nodes',
      ...files,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      ...extensions,
    );
    this.certificate = atFiles(stem);
  }

  /**
   * Issues a certificate.
   *
   * @param alternativeNames - such as `IP:127.0.0.1` or `DNS:localhost`
   * @param more - `days` it is valid, below 0 for one that is out of date; `passphrase` its key is encrypted by
   */
  issue(alternativeNames: string, more: { days?: number; passphrase?: string } = {}): TestCertificate {
    const { days = 2, passphrase } = more;
    this.issued += 1;
    const stem = path.join(this.directory, String(this.issued));
    const keep = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`];
    openssl(
      ...['req', '-new', ...NEW_KEY, ...keep, '-subj', `/CN=test ${this.issued}`],
      ...['-keyout', `${stem}.key`, '-out', `${stem}.csr`],
    );
    writeFileSync(`${stem}.ext`, `subjectAltName=${alternativeNames}\n`);
    const { certFile, keyFile } = this.certificate;
    openssl(
      ...['x509', '-req', '-in', `${stem}.csr`, '-CA', certFile, '-CAkey', keyFile],
      ...['-set_serial', String(this.issued), '-days', String(days), '-extfile', `${stem}.ext`],
      ...['-out', `${stem}.pem`],
    );
    return atFiles(stem);
  }
}
