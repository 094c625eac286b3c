import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { PacsTls } from './config-pacs.js';
import type { Reader } from './config-reader.js';
import type { VariableName } from './config-variables.js';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads and checks the files now: a wrong one is to stop the start, not the first delivery. */
export function readPacsTls(reader: Reader): PacsTls {
  return { ca: readCertificates(reader, 'PACS_CA_FILE')?.pem, client: readClient(reader) };
}

function readClient(reader: Reader): PacsTls['client'] {
  const before = reader.complaints.length;
  const certificates = readCertificates(reader, 'PACS_CLIENT_CERT_FILE');
  const keyPem = reader.file('PACS_CLIENT_KEY_FILE');
  const passphrase = reader.text('PACS_CLIENT_KEY_PASSPHRASE');
  if (reader.complaints.length > before || (!certificates && keyPem === undefined)) return undefined;
  if (!certificates || keyPem === undefined) {
    reader.complain('PACS_CLIENT_CERT_FILE and PACS_CLIENT_KEY_FILE must both be set, or neither.');
    return undefined;
  }
  const key = readKey(reader, keyPem, passphrase);
  if (!key) return undefined;
  const [own] = certificates.parsed;
  if (!own?.checkPrivateKey(key)) {
    reader.complain(
      'PACS_CLIENT_KEY_FILE is not the key of the certificate that stands first in PACS_CLIENT_CERT_FILE.',
    );
    return undefined;
  }
  const client = { cert: certificates.pem, key: keyPem, passphrase };
  try {
    createSecureContext({ cert: client.cert, key: keyPem, ...(passphrase !== undefined && { passphrase }) });
    return client;
  } catch (error) {
    // Such as a key that is too short for what OpenSSL takes; its words name no secret.
    reader.complain(
      `PACS_CLIENT_CERT_FILE and PACS_CLIENT_KEY_FILE cannot be used for TLS: ${reasonOf(error)}.`,
    );
    return undefined;
  }
}

function readKey(reader: Reader, pem: string, passphrase: string | undefined): KeyObject | undefined {
  try {
    return createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
  } catch {
    const encrypted = /ENCRYPTED/.test(pem);
    reader.complain(
      encrypted
        ? `PACS_CLIENT_KEY_FILE is encrypted: PACS_CLIENT_KEY_PASSPHRASE ${passphrase === undefined ? 'is needed' : 'does not open it'}.`
        : 'PACS_CLIENT_KEY_FILE must hold a private key in PEM.',
    );
    return undefined;
  }
}

/** The certificates of a PEM file, and those alone: what else stands in it is left out. */
function readCertificates(
  reader: Reader,
  name: VariableName,
): { pem: string; parsed: X509Certificate[] } | undefined {
  const text = reader.file(name);
  if (text === undefined) return undefined;
  const blocks = text.match(CERTIFICATE) ?? [];
  try {
    const parsed = blocks.map((block) => new X509Certificate(block));
    if (parsed.length > 0) return { pem: `${blocks.join('\n')}\n`, parsed };
  } catch {
    // Said below.
  }
  reader.complain(`${name} must name a file with certificates in PEM, but there is none that can be read.`);
  return undefined;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
