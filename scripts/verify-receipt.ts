// `relaypacs verify-receipt`: checks a receipt without asking anybody. Its answers are for people, its exit code for programs.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Receipt, ReceiptDelivery, ReceiptInstance } from '@relaypacs/core/contract/receipts.js';
import type { JSONWebKeySet } from 'jose';
import { isMainModule } from './main-module.js';
import { compareFolder, type FileOfInstance } from './receipt-files.js';
import { checkSignature, UnusableKeys } from './receipt-signature.js';
import { NotAReceipt, readReceipt } from './receipt-source.js';

/** Genuine, and the files are those it lists · not to be trusted, or files are missing · could not be checked. */
export const EXIT = { good: 0, bad: 1, unchecked: 2 } as const;

const USAGE = `Usage: relaypacs verify-receipt <receipt.json | receipt.jws | receipt.pdf> --jwks <file or URL> [--files <folder>]

  --jwks   the public keys of the RelayPACS that issued the receipt, saved from its /.well-known/jwks.json,
           or that address itself; jwks.json in this folder where it is left out
  --files  a folder of DICOM files to be compared with the list

Exit code 0: genuine, and no listed file is missing. 1: not to be trusted, or files are missing or other ones. 2: not checked.`;

const DEFAULT_KEYS = 'jwks.json';
const KEYS_HINT =
  'Save them once from /.well-known/jwks.json of the RelayPACS you trust, and name the file by --jwks.';
const FETCH_WITHIN_MS = 15_000;
const LISTED = 20;

/** Something that keeps the receipt from being checked, in words for a person. */
class Unchecked extends Error {}

/**
 * Checks a receipt as the arguments say.
 *
 * @param print - given each line of the answer
 * @returns the exit code
 */
export async function verifyReceipt(args: readonly string[], print: (line: string) => void): Promise<number> {
  // What stands in files from outside must not steer the terminal.
  const say = (line: string) => print(line.replace(/[^\P{Cc}\n]/gu, ''));
  try {
    const { file, jwks, files } = readArguments(args);
    const source = readReceipt(await read(file));
    const verdict = await checkSignature(source, await readKeys(jwks));
    if (verdict.kind === 'otherKey') {
      say(`NOT CONFIRMED: the receipt is signed with the key "${verdict.keyId}", which is not among these.`);
      say(
        'Use the keys that the RelayPACS published when it issued the receipt. If these are they, it is forged.',
      );
      return EXIT.bad;
    }
    if (verdict.kind === 'tampered') {
      say(`TAMPERED: ${verdict.how}. Do not rely on it.`);
      return EXIT.bad;
    }
    say(`GENUINE: signed with the key "${verdict.keyId}".`);
    for (const line of describe(verdict.receipt)) say(line);
    return files === undefined ? EXIT.good : await tellFiles(files, verdict.receipt, say);
  } catch (error) {
    if (error instanceof NotAReceipt) say(`NOT A RECEIPT: ${error.message}.`);
    else if (error instanceof Unchecked) say(error.message);
    else if (error instanceof UnusableKeys) {
      say(`The public keys cannot be used: ${error.message}\n${KEYS_HINT}`);
    } else throw error;
    return EXIT.unchecked;
  }
}

function readArguments(args: readonly string[]): { file: string; jwks: string; files: string | undefined } {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { jwks: { type: 'string', default: DEFAULT_KEYS }, files: { type: 'string' } },
    });
    const [file, ...more] = positionals;
    if (file !== undefined && more.length === 0) return { file, jwks: values.jwks, files: values.files };
  } catch {
    // An option that is not known: said below.
  }
  throw new Unchecked(USAGE);
}

async function read(file: string): Promise<Buffer> {
  return readFile(file).catch((error: Error) => {
    throw new Unchecked(`The file cannot be read: ${error.message}`);
  });
}

async function readKeys(where: string): Promise<JSONWebKeySet> {
  const isUrl = /^https?:\/\//.test(where);
  let keys: unknown;
  try {
    keys = JSON.parse(isUrl ? await fetchText(where) : await readFile(where, 'utf8'));
  } catch (error) {
    throw new Unchecked(
      `The public keys cannot be read from ${where}: ${(error as Error).message}\n${KEYS_HINT}`,
    );
  }
  if (typeof keys !== 'object' || keys === null || !('keys' in keys) || !Array.isArray(keys.keys)) {
    throw new Unchecked(`${where} holds no public keys: a JSON object with a list "keys" is needed.`);
  }
  return keys as JSONWebKeySet;
}

async function fetchText(url: string): Promise<string> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:' && !['127.0.0.1', 'localhost'].includes(hostname)) {
    throw new Error('over http: anybody on the way could answer with keys of their own. Use https:');
  }
  // A redirection may lead to where nobody is asked who answers.
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_WITHIN_MS) });
  if (!response.ok) throw new Error(`answered with ${response.status}`);
  return response.text();
}

function describe(receipt: Receipt): string[] {
  const { sender, files } = receipt;
  return [
    `Receipt ${receipt.id} of ${receipt.issuer}, issued ${receipt.issuedAt}`,
    `Upload ${receipt.uploadId} by ${[sender.fullName, sender.username, sender.facility].filter(Boolean).join(', ')}`,
    `Announced ${receipt.announcedAt}, received ${receipt.receivedAt ?? '-'}, delivered ${receipt.deliveredAt}`,
    ...(files.rejected > 0 ? [`${files.rejected} of its files could not be delivered.`] : []),
    ...receipt.deliveries.flatMap(describeDelivery),
  ];
}

function describeDelivery(delivery: ReceiptDelivery): string[] {
  const { patient, target, verification } = delivery;
  const { instances, compared, remarks } = verification;
  const who = [patient.name, patient.id, patient.birthDate].filter(Boolean).join(', ');
  const what = [delivery.studyDescription, delivery.modalities.join('/'), delivery.studyDate].filter(Boolean);
  return [
    '',
    `Study ${delivery.studyInstanceUid}${delivery.isResend ? ', sent again' : ''}`,
    `  ${who || 'no patient named'} · ${what.join(', ')}`,
    `  to ${target.name} (${target.key}), ${delivery.deliveredAt}`,
    `  ${instances} ${instances === 1 ? 'instance' : 'instances'}, all listed by the PACS; contents of ${compared} retrieved and the same as sent${remarks > 0 ? `; remarks on ${remarks}` : ''}`,
  ];
}

async function tellFiles(folder: string, receipt: Receipt, say: (line: string) => void): Promise<number> {
  const { found, beforeRepair, otherBytes, made, missing, unlisted } = await compareFolder(
    folder,
    receipt,
  ).catch((error: Error) => {
    throw new Unchecked(`The folder cannot be read: ${error.message}`);
  });
  const repaired = new Set(beforeRepair.map(({ instance }) => instance));
  const wrong = new Set(otherBytes.map(({ instance }) => instance).filter((each) => !found.includes(each)));
  const there = found.length + repaired.size;
  const how =
    repaired.size > 0
      ? `: ${found.length} byte for byte, ${repaired.size} as ${repaired.size === 1 ? 'it was before its' : 'they were before their'} repair`
      : ', byte for byte';
  say('');
  say(`${folder}: ${there} of ${there + wrong.size + missing.length} listed files are there${how}.`);
  const tell = (title: string, names: readonly string[]) => {
    if (names.length === 0) return;
    say(title);
    for (const name of names.slice(0, LISTED)) say(`  ${name}`);
    if (names.length > LISTED) say(`  and ${names.length - LISTED} more`);
  };
  const named = ({ file, instance }: FileOfInstance) => `${file} is ${instance.sopInstanceUid}`;
  tell(
    'These are byte for byte what was uploaded. RelayPACS repaired their headers before they were sent, so what the PACS has differs from them:',
    beforeRepair.map((each) => `${named(each)}, sent with sha256 ${each.instance.sha256}`),
  );
  for (const [title, isMeant] of OTHER_BYTES) {
    tell(title, otherBytes.filter(({ instance }) => isMeant(instance)).map(named));
  }
  const listing = ({ sopInstanceUid, sha256 }: ReceiptInstance) => `${sopInstanceUid} sha256 ${sha256}`;
  tell('Listed, but not there (or not as they were sent):', missing.map(listing));
  tell(
    'Listed, made by RelayPACS of pictures or the clinical history, and no files of the sender:',
    made.map(listing),
  );
  tell('DICOM files that are not listed:', unlisted);
  return wrong.size + missing.length === 0 ? EXIT.good : EXIT.bad;
}

/** The receipt has its digest as it was uploaded. */
const isKnownAsUploaded = ({ origin, uploadedSha256 }: ReceiptInstance) =>
  origin !== 'repaired' || uploadedSha256 !== undefined;

/** What may be said of a file with the identifier of a listed instance and other bytes. */
const OTHER_BYTES: ReadonlyArray<[title: string, isMeant: (instance: ReceiptInstance) => boolean]> = [
  [
    'These have the identifiers of listed ones, which RelayPACS repaired before they were sent. Whether these are what was uploaded cannot be told, as the receipt does not have the digest of that:',
    (instance) => !isKnownAsUploaded(instance),
  ],
  [
    'These have the identifiers of listed ones and other bytes: they were changed, or are others:',
    (instance) => instance.origin !== undefined && isKnownAsUploaded(instance),
  ],
  [
    'These have the identifiers of listed ones and other bytes: they were changed, or repaired by RelayPACS before they were sent, which a receipt of its version does not say:',
    ({ origin }) => origin === undefined,
  ],
];

if (isMainModule(import.meta.url)) {
  process.exitCode = await verifyReceipt(process.argv.slice(2), (line) => console.log(line));
}
