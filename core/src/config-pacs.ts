import { readPacsTls } from './config-pacs-tls.js';
import type { Reader } from './config-reader.js';
import type { VariableName } from './config-variables.js';

/** What can stand in an Authorization header behind `Bearer`. */
export const BEARER_TOKEN = /^[\x21-\x7e]+$/;

export type PacsAuth =
  | { mode: 'none' }
  | { mode: 'basic'; username: string; password: string }
  /** With `tokenFile`, the file the token was read from, which somebody may renew. */
  | { mode: 'bearer'; token: string; tokenFile?: string }
  /** OAuth 2 client credentials (RFC 6749 §4.4). */
  | {
      mode: 'oidc';
      tokenUrl: string;
      clientId: string;
      clientSecret: string;
      scope: string | undefined;
      audience: string | undefined;
    };

/** What a TLS connection is made with; everything in PEM. */
export interface PacsTls {
  /** Certificates of authorities trusted beside the usual ones. */
  ca: string | undefined;
  /** By what we show who we are, where we are asked. */
  client: { cert: string; key: string; passphrase: string | undefined } | undefined;
}

/** A PACS and how it is talked to. */
export interface PacsConfig {
  /** DICOMweb root, without a slash at its end. */
  url: string;
  auth: PacsAuth;
  /** Sent with every request to the PACS, and nowhere else. */
  headers: Readonly<Record<string, string>>;
  tls: PacsTls;
  /** Longest time to make a connection. */
  connectTimeoutMs: number;
  /** Longest silence while something is sent or received. */
  timeoutMs: number;
  /** Longest time from the last byte of instances to the beginning of the answer. */
  answerTimeoutMs: number;
}

/** @returns undefined when no PACS is configured */
export function readPacs(reader: Reader): PacsConfig | undefined {
  const url = reader.url('PACS_URL', ['http', 'https']);
  const mode = reader.choice('PACS_AUTH', ['none', 'basic', 'bearer', 'oidc'], 'none');
  const timeouts = {
    connectTimeoutMs: reader.number('PACS_CONNECT_TIMEOUT_SECONDS', 10, 1, 3600) * 1000,
    timeoutMs: reader.number('PACS_TIMEOUT_SECONDS', 60, 1, 3600) * 1000,
    answerTimeoutMs: reader.number('PACS_ANSWER_TIMEOUT_SECONDS', 300, 1, 3600) * 1000,
  };
  if (!url) return undefined;
  if (holdsCredentials(url)) {
    reader.complain(
      'PACS_URL must not hold a user or password; set PACS_AUTH=basic, PACS_USERNAME and PACS_PASSWORD.',
    );
  }
  const auth = readAuth(reader, mode);
  const tls = readPacsTls(reader);
  const secured = [url, auth.mode === 'oidc' ? auth.tokenUrl : ''].some((used) => /^https:/i.test(used));
  if (tls.client && !secured) {
    reader.complain('PACS_CLIENT_CERT_FILE is of no use unless PACS_URL starts with https://.');
  }
  return { url, auth, headers: readHeaders(reader), tls, ...timeouts };
}

function readAuth(reader: Reader, mode: PacsAuth['mode']): PacsAuth {
  const needed = (name: VariableName) => reader.needed(name, `PACS_AUTH is ${mode}`);
  if (mode === 'basic') {
    return { mode, username: needed('PACS_USERNAME'), password: needed('PACS_PASSWORD') };
  }
  if (mode === 'bearer') {
    const token = needed('PACS_TOKEN');
    if (token !== '' && !BEARER_TOKEN.test(token)) {
      reader.complain('PACS_TOKEN must be the token alone, without blanks and line breaks.');
    }
    const tokenFile = reader.sourceFile('PACS_TOKEN');
    return { mode, token, ...(tokenFile !== undefined && { tokenFile }) };
  }
  if (mode === 'none') return { mode };
  needed('PACS_OIDC_TOKEN_URL');
  const tokenUrl = reader.url('PACS_OIDC_TOKEN_URL', ['http', 'https']) ?? '';
  if (holdsCredentials(tokenUrl)) {
    reader.complain(
      'PACS_OIDC_TOKEN_URL must not hold a user or password; set PACS_OIDC_CLIENT_ID and PACS_OIDC_CLIENT_SECRET.',
    );
  }
  return {
    mode,
    tokenUrl,
    clientId: needed('PACS_OIDC_CLIENT_ID'),
    clientSecret: needed('PACS_OIDC_CLIENT_SECRET'),
    scope: reader.text('PACS_OIDC_SCOPE'),
    audience: reader.text('PACS_OIDC_AUDIENCE'),
  };
}

function holdsCredentials(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username !== '' || password !== '';
}

/** Set by RelayPACS for each request, or a matter of the connection itself (RFC 9110 §7.6.1). */
const OWN_HEADERS = [
  'Authorization',
  'Content-Type',
  'Content-Length',
  'Host',
  'Accept',
  'Connection',
  'Keep-Alive',
  'Proxy-Connection',
  'TE',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
  'Expect',
];
/** RFC 9110 §5.1 and §5.5: what `node:http` sends, and nothing that could end the line. */
const HEADER_NAME = /^[!#$%&'*+.^`|~\w-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The text may hold keys: a complaint names a header by its place, or by a name that is on our own list. */
function readHeaders(reader: Reader): Record<string, string> {
  const text = reader.text('PACS_HEADERS')?.trim() ?? '';
  if (text === '') return {};
  const entries = text.startsWith('{') ? entriesOfJson(text) : entriesOfLines(text);
  if (!entries) {
    reader.complain(
      'PACS_HEADERS must be a JSON object such as {"X-Api-Key": "…"}, or have one "Name: value" a line.',
    );
    return {};
  }
  const headers = new Map<string, string>();
  const seen = new Set<string>();
  for (const [index, [name, value]] of entries.entries()) {
    const own = OWN_HEADERS.find((header) => header.toLowerCase() === name.toLowerCase());
    if (own !== undefined) {
      const hint = own === 'Authorization' ? 'PACS_AUTH does' : 'RelayPACS does';
      reader.complain(`PACS_HEADERS must not set ${own}; ${hint}.`);
    } else if (!HEADER_NAME.test(name)) {
      reader.complain(`PACS_HEADERS: header ${index + 1} has a name that no header can have.`);
    } else if (typeof value !== 'string' || !HEADER_VALUE.test(value)) {
      reader.complain(
        `PACS_HEADERS: the value of header ${index + 1} must be one line of text, without control characters.`,
      );
    } else if (seen.has(name.toLowerCase())) {
      reader.complain(`PACS_HEADERS: header ${index + 1} is there twice.`);
    } else {
      seen.add(name.toLowerCase());
      headers.set(name, value);
    }
  }
  return Object.fromEntries(headers);
}

type Entries = ReadonlyArray<readonly [string, unknown]>;

function entriesOfJson(text: string): Entries | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed !== null && typeof parsed === 'object' ? Object.entries(parsed) : undefined;
  } catch {
    return undefined;
  }
}

function entriesOfLines(text: string): Entries | undefined {
  const entries: Array<[string, string]> = [];
  // A lone CR is no end of a line here: it would be one for some PACS, and is refused with the value it stands in.
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') continue;
    const colon = line.indexOf(':');
    if (colon < 1) return undefined;
    entries.push([line.slice(0, colon).trim(), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]);
  }
  return entries;
}
