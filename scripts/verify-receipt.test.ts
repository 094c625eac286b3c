import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Receipt, ReceiptInstance } from '@relaypacs/core/contract/receipts.js';
import { makeSlice } from '@relaypacs/core/dicom/testing/build.js';
import { renderPdf } from '@relaypacs/core/documents/render-pdf.js';
import { makeReceipt, makeReceiptDelivery, makeReceiptInstance } from '@relaypacs/core/testing/receipts.js';
import { CompactSign, exportJWK, type JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderReceiptPdf } from '../server/src/receipts/receipt-pdf.js';
import { signReceipt, withSignature } from '../server/src/receipts/sign-receipt.js';
import { verifyReceipt } from './verify-receipt.js';

const KEY = 'the-key';
const newKey = (modulusLength = 2048) => generateKeyPairSync('rsa', { modulusLength });
const ours = newKey();
const receipt = makeReceipt([
  makeReceiptDelivery([0, 1, 2].map((i) => makeReceiptInstance(i, i === 2 ? { verification: 'uids' } : {}))),
]);
let folder: string;
let jws: string;
let jwks: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaypacs-receipt-'));
  jws = await signReceipt({ keyId: KEY, privateKey: ours.privateKey }, receipt);
  jwks = await writeKeys('jwks.json', ours.publicKey);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = async (name: string, content: string | Uint8Array) => {
  const file = path.join(folder, name);
  await writeFile(file, content);
  return file;
};
const writeKeys = async (name: string, key: KeyObject, kid = KEY) =>
  write(name, JSON.stringify({ keys: [{ ...(await exportJWK(key)), kid, alg: 'RS256', use: 'sig' }] }));

/** What the command says of a file, and with which exit code. */
async function verdictOn(content: string | Uint8Array, ...more: string[]): Promise<[number, string]> {
  const file = await write('receipt', content);
  const lines: string[] = [];
  const given = more.includes('--jwks') ? more : ['--jwks', jwks, ...more];
  const code = await verifyReceipt([file, ...given], (line) => lines.push(line));
  return [code, lines.join('\n')];
}

describe('a genuine receipt', () => {
  it.each([
    ['the JSON of the API', async () => withSignature(jws)],
    ['a JWS', async () => `${jws}\n`],
    ['a PDF', () => renderReceiptPdf(jws)],
  ])('is known as %s', async (_, content) => {
    const [code, words] = await verdictOn(await content());
    expect(code).toBe(0);
    expect(words).toMatch(/^GENUINE: signed with the key "the-key"/);
    for (const part of [
      'Sarah Chen, schen, Rural Clinic North',
      'relay.example.org',
      'Müller, Änne',
      '2.25.1',
    ]) {
      expect(words).toContain(part);
    }
    expect(words).toMatch(/announced 2026-03-04T10:00:00/i);
    expect(words).toContain('to Radiology archive (default), 2026-03-04T10:11:12.000Z');
    expect(words).toContain('3 instances, all listed by the PACS; contents of 2 retrieved');
  });

  it('is known by keys that are fetched', async () => {
    const key = { ...(await exportJWK(ours.publicKey)), kid: KEY, alg: 'RS256' };
    const server = createServer((_, response) => response.end(JSON.stringify({ keys: [key] }))).listen(0);
    await once(server, 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`;
      expect((await verdictOn(jws, '--jwks', url))[0]).toBe(0);
    } finally {
      server.close();
    }
  });

  it('cannot steer the terminal by what stands in it', async () => {
    const [delivery] = receipt.deliveries;
    const patient = { ...delivery!.patient, name: 'Evil\u001b[2JName' };
    const evil = { ...receipt, deliveries: [{ ...delivery!, patient }] };
    const signed = await signReceipt({ keyId: KEY, privateKey: ours.privateKey }, evil);
    expect((await verdictOn(signed))[1]).toContain('Evil[2JName');
  });
});

describe('a receipt that is not to be trusted', () => {
  const parts = () => jws.split('.') as [string, string, string];
  const forged = (change: (forging: Receipt) => unknown) =>
    Buffer.from(JSON.stringify(change(structuredClone(receipt)))).toString('base64url');
  const otherSender = (forging: Receipt) => ({
    ...forging,
    sender: { ...forging.sender, username: 'mallory' },
  });

  it.each([
    ['another sender', () => [parts()[0], forged(otherSender), parts()[2]]],
    ['a cut signature', () => [parts()[0], parts()[1], parts()[2].slice(0, -4)]],
    ['a header of its own', () => [headerOf({ alg: 'RS256', kid: KEY, extra: 1 }), parts()[1], parts()[2]]],
    ['no signature needed', () => [headerOf({ alg: 'none', kid: KEY }), parts()[1], 'AA']],
  ])('has %s', async (_, forge) => {
    const forging = forge().join('.');
    for (const content of [forging, withSignature(forging), await renderReceiptPdf(forging)]) {
      const [code, words] = await verdictOn(content);
      expect([code, words]).toEqual([1, expect.stringMatching(/^TAMPERED: the signature does not belong/)]);
      expect(words).not.toContain('mallory');
    }
  });

  const headerOf = (header: Record<string, unknown>) =>
    Buffer.from(JSON.stringify({ typ: 'relaypacs-receipt+jws', ...header })).toString('base64url');

  it.each([
    ['a changed digest', (text: string) => text.replace(/"sha256":"0{63}1"/, `"sha256":"${'f'.repeat(64)}"`)],
    ['a changed count', (text: string) => text.replace('"compared":2', '"compared":3')],
    ['something more', (text: string) => text.replace('{"version"', '{"note":"paid","version"')],
    ['something less', (text: string) => text.replace('"facility":"Rural Clinic North"', '"x":1')],
  ])('has %s beside a good signature', async (_, change) => {
    const text = withSignature(jws);
    const changed = change(text);
    expect(changed).not.toBe(text);
    const [code, words] = await verdictOn(changed);
    expect([code, words]).toEqual([
      1,
      'TAMPERED: what can be read is not what was signed. Do not rely on it.',
    ]);
  });

  it('was signed by somebody else under the name of our key', async () => {
    const theirs = await signReceipt({ keyId: KEY, privateKey: newKey().privateKey }, receipt);
    expect(await verdictOn(theirs)).toEqual([1, expect.stringMatching(/^TAMPERED/)]);
  });

  it('was signed by the public key as a password', async () => {
    const secret = Buffer.from(ours.publicKey.export({ type: 'spki', format: 'pem' }));
    const theirs = await new CompactSign(Buffer.from(JSON.stringify(receipt)))
      .setProtectedHeader({ alg: 'HS256', kid: KEY, typ: 'relaypacs-receipt+jws' })
      .sign(secret);
    expect((await verdictOn(theirs))[0]).toBe(1);
  });

  it('was signed with another key than those at hand', async () => {
    const others = await writeKeys('others.json', newKey().publicKey, 'another-key');
    const [code, words] = await verdictOn(jws, '--jwks', others);
    expect([code, words]).toEqual([
      1,
      expect.stringMatching(/^NOT CONFIRMED: .*"the-key", which is not among/),
    ]);
  });
});

describe('what is no receipt', () => {
  it.each([
    ['a text', async () => 'Dear colleague'],
    ['another JSON', async () => '{"id":"1"}'],
    ['a list', async () => '[1]'],
    ['an empty file', async () => ''],
    ['a PDF without a receipt', () => renderPdf(emptyDocument)],
    ['three words with dots', async () => 'a.b.c'],
    ['a receipt that was signed as something else', () => signed('JWT', receipt)],
    ['something else that was signed as a receipt', () => signed('relaypacs-receipt+jws', { sub: 'jane' })],
  ])('is told apart: %s', async (_, content) => {
    const [code, words] = await verdictOn(await content());
    expect([code, words]).toEqual([2, expect.stringMatching(/^NOT A RECEIPT: /)]);
  });

  const signed = (typ: string, content: object) =>
    new CompactSign(Buffer.from(JSON.stringify(content)))
      .setProtectedHeader({ alg: 'RS256', kid: KEY, typ })
      .sign(ours.privateKey);
  const emptyDocument: Parameters<typeof renderPdf>[0] = {
    pageSize: 'A4',
    pageMargins: [10, 10, 10, 10],
    info: { title: 'x', creator: 'x', producer: 'x', creationDate: new Date(0) },
    content: ['Delivered'],
    styles: {},
    defaultStyle: { font: 'Roboto' },
  };
});

describe('the files of a folder', () => {
  const slices = [makeSlice(), makeSlice(), makeSlice()];
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const listing = slices.map((bytes, i) => makeReceiptInstance(i, { sha256: digest(bytes) }));
  const about = makeReceipt([makeReceiptDelivery(listing), makeReceiptDelivery(listing, { isResend: true })]);
  const sign = () => signReceipt({ keyId: KEY, privateKey: ours.privateKey }, about);

  const signListed = (instances: ReceiptInstance[]) =>
    signReceipt({ keyId: KEY, privateKey: ours.privateKey }, makeReceipt([makeReceiptDelivery(instances)]));
  const uidSlices = (...uids: string[]) => uids.map((sopInstanceUid) => makeSlice({ sopInstanceUid }));

  async function writeStudy(name: string, files: readonly Uint8Array[]): Promise<string> {
    const directory = path.join(folder, name);
    await mkdir(path.join(directory, 'series'), { recursive: true });
    for (const [i, bytes] of files.entries())
      await writeFile(path.join(directory, 'series', `${i}.dcm`), bytes);
    await writeFile(path.join(directory, 'README.TXT'), 'No image');
    return directory;
  }

  it('are those that were delivered, however often', async () => {
    const [code, words] = await verdictOn(await sign(), '--files', await writeStudy('whole', slices));
    expect(code).toBe(0);
    expect(words).toMatch(/3 of 3 listed files are there, byte for byte\.$/);
  });

  it('are named where one is missing, was changed, or is not listed', async () => {
    const changed = slices[1]!.slice();
    changed.set([changed.at(-1)! ^ 1], changed.length - 1);
    const directory = await writeStudy('part', [slices[0]!, changed]);
    const [code, words] = await verdictOn(await sign(), '--files', directory);
    expect(code).toBe(1);
    expect(words).toContain('1 of 3 listed files are there');
    expect(words).toContain(`${listing[1]!.sopInstanceUid} sha256 ${listing[1]!.sha256}`);
    expect(words).toContain(`${listing[2]!.sopInstanceUid} sha256 ${listing[2]!.sha256}`);
    expect(words).toMatch(/not listed:\n +series.1\.dcm$/);
  });

  it('are known again though they were repaired before they were sent, and it is said of each', async () => {
    const [whole, bare, changed, copied] = [makeSlice(), makeSlice(), ...uidSlices('2.25.1000', '2.25.2000')];
    const listed = [
      makeReceiptInstance(0, { sha256: digest(whole!), origin: 'as_uploaded' }),
      // Its digest as it came, and another one as it was sent.
      makeReceiptInstance(1, { origin: 'repaired', uploadedSha256: digest(bare!) }),
    ];
    const directory = await writeStudy('repaired', [whole!, bare!]);
    const [code, words] = await verdictOn(await signListed(listed), '--files', directory);
    expect(code).toBe(0);
    expect(words).toContain('2 of 2 listed files are there: 1 byte for byte, 1 as it was before its repair.');
    expect(words).toMatch(
      new RegExp(`repaired .* before .* sent.*:\\n +series.1\\.dcm is ${listed[1]!.sopInstanceUid}\\b`),
    );
    expect(words).not.toMatch(/not there|not listed/);

    const odd = [
      makeReceiptInstance(2, { sopInstanceUid: '2.25.1000', origin: 'repaired' }),
      makeReceiptInstance(3, { sopInstanceUid: '2.25.2000', origin: 'as_uploaded' }),
    ];
    const [oddCode, oddWords] = await verdictOn(
      await signListed(odd),
      '--files',
      await writeStudy('odd', [changed!, copied!]),
    );
    expect(oddCode).toBe(1);
    expect(oddWords).toContain('0 of 2 listed files are there');
    expect(oddWords).toMatch(/repaired .*cannot be told.*:\n +series.0\.dcm is 2\.25\.1000\n/);
    expect(oddWords).toMatch(/changed.*:\n +series.1\.dcm is 2\.25\.2000$/);
    expect(oddWords).not.toMatch(/not there|not listed/);
  });

  it('may have been repaired where a receipt of an earlier version does not say', async () => {
    const [changed] = uidSlices('2.25.1000');
    const listed = [makeReceiptInstance(2, { sopInstanceUid: '2.25.1000' })];
    const directory = await writeStudy('earlier', [changed!]);
    const [code, words] = await verdictOn(await signListed(listed), '--files', directory);
    expect(code).toBe(1);
    expect(words).toMatch(/changed.*or repaired.*does not say.*:\n +series.0\.dcm is 2\.25\.1000$/);
  });

  it('need not hold what was made here', async () => {
    const listed = [
      makeReceiptInstance(0, { sha256: digest(slices[0]!), origin: 'as_uploaded' }),
      makeReceiptInstance(1, { origin: 'made' }),
    ];
    const directory = await writeStudy('made', [slices[0]!]);
    const [code, words] = await verdictOn(await signListed(listed), '--files', directory);
    expect(code).toBe(0);
    expect(words).toContain('1 of 1 listed files are there, byte for byte.');
    expect(words).toMatch(/made by RelayPACS.*:\n +2\.25\.10001 sha256/);
  });

  it('are not looked at when the receipt is not to be trusted', async () => {
    const [head, , signature] = (await sign()).split('.');
    const forged = [head, Buffer.from(JSON.stringify(receipt)).toString('base64url'), signature].join('.');
    const [code, words] = await verdictOn(forged, '--files', await writeStudy('forged', slices));
    expect([code, words]).toEqual([1, expect.stringMatching(/^TAMPERED[^\n]*$/)]);
  });
});

describe('what keeps a receipt from being checked', () => {
  const answer = async (...args: string[]) => {
    const lines: string[] = [];
    return [await verifyReceipt(args, (line) => lines.push(line)), lines.join('\n')];
  };

  it.each([
    ['two under one name', async (key: JWK) => [key, { ...key, n: key.n?.replace(/^./, 'x') }]],
    ['one that is no RSA key', async (key: JWK) => [{ kid: key.kid, kty: 'RSA', n: 'AQAB' }]],
    [
      'one that is too short',
      async (key: JWK) => [{ ...(await exportJWK(newKey(1024).publicKey)), kid: key.kid }],
    ],
    ['one of another kind', async (key: JWK) => [{ kid: key.kid, alg: 'RS256', kty: 'unknown' }]],
  ])('is not called a forgery where it lies with the keys: %s', async (_, make) => {
    const key = { ...(await exportJWK(ours.publicKey)), kid: KEY, alg: 'RS256' };
    const keys = await write('odd-keys.json', JSON.stringify({ keys: await make(key) }));
    const [code, words] = await verdictOn(jws, '--jwks', keys);
    expect(words).not.toMatch(/TAMPERED|forged/);
    expect([code, words]).toEqual([2, expect.stringMatching(/^The public keys cannot be used/)]);
  });

  it('is an address anybody on the way could answer for', async () => {
    for (const url of ['http://relay.example.org/jwks.json', 'http://localhost.example.org/jwks.json']) {
      const [code, words] = await verdictOn(jws, '--jwks', url);
      expect([code, words]).toEqual([2, expect.stringMatching(/https:/)]);
      expect(words).toMatch(/anybody on the way/);
    }
  });

  it('is said with what to do', async () => {
    const file = await write('receipt.jws', jws);
    const noKeys = await write('no-keys.json', '{"kid":"x"}');
    expect(await answer()).toEqual([2, expect.stringMatching(/^Usage: relaypacs verify-receipt/)]);
    expect(await answer(file, '--unknown')).toEqual([2, expect.stringMatching(/^Usage/)]);
    expect(await answer(file, file, '--jwks', jwks)).toEqual([2, expect.stringMatching(/^Usage/)]);
    expect(await answer(`${file}.gone`, '--jwks', jwks)).toEqual([
      2,
      expect.stringMatching(/cannot be read/),
    ]);
    expect(await answer(file, '--jwks', `${jwks}.gone`)).toEqual([
      2,
      expect.stringMatching(/Save them once/),
    ]);
    expect(await answer(file, '--jwks', noKeys)).toEqual([2, expect.stringMatching(/holds no public keys/)]);
    expect(await answer(file, '--jwks', jwks, '--files', `${folder}/gone`)).toEqual([
      2,
      expect.stringMatching(/The folder cannot be read/),
    ]);
  });
});
