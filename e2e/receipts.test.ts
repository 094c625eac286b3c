import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { loadConfig } from '@relaypacs/core/config.js';
import type { SignedReceipt } from '@relaypacs/core/contract/receipts.js';
import type { InstanceList, UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform, type Platform } from '@relaypacs/core/platform.js';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../scripts/project-root.js';
import { readReceipt } from '../scripts/receipt-source.js';
import { verifyReceipt } from '../scripts/verify-receipt.js';
import { removeBytes } from '../worker/src/upkeep/remove-bytes.js';
import { ApiClient, PASSWORD } from './support/api-client.js';
import { chromiumLaunchOptions } from './support/chromium.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';

let folder: string;
let orthanc: Orthanc;
let stack: Stack;
let platform: Platform;
let admin: ApiClient;
let jane: ApiClient;
let stranger: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaypacs receipts-'));
  orthanc = await startOrthanc();
  const proof = { PACS_VERIFY: 'bytes', PACS_NAME: 'Test archive', PUBLIC_URL: 'https://relay.example.org' };
  stack = await startStack({ env: { ...pacsVariables(orthanc), ...proof } });
  [admin, jane, stranger] = [
    await ApiClient.signUp(stack.baseUrl),
    await ApiClient.signUp(stack.baseUrl),
    await ApiClient.signUp(stack.baseUrl),
  ];
  const { databaseUrl, dataDir } = stack;
  const config = loadConfig({ DATABASE_URL: databaseUrl, DATA_DIR: dataDir, BYTES_GRACE_HOURS: '0' });
  platform = await openPlatform(config, createLogger('test', 'error'));
});
afterAll(async () => {
  await platform?.close();
  await stack?.stop();
  await orthanc?.dispose();
  await rm(folder, { recursive: true, force: true });
});

const settled = (id: string) =>
  jane.waitFor(id, ({ status }) => ['delivered', 'rejected', 'failed'].includes(status));
const receiptPath = (id: string) => `/api/v1/uploads/${id}/receipt`;
const receiptOf = (id: string, client = jane) => client.get<SignedReceipt>(receiptPath(id));

async function pdfOf(id: string): Promise<{ headers: Headers; bytes: Buffer }> {
  const headers = { authorization: `Bearer ${jane.token}` };
  const answer = await fetch(`${stack.baseUrl}${receiptPath(id)}.pdf`, { headers });
  expect(answer.status).toBe(200);
  return { headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

async function deliver(count = 1): Promise<UploadDetail> {
  return settled(await jane.send(makeStudy(count).files));
}

describe('the receipt of an upload', () => {
  it('says who sent what where, and how that was verified, signed with a key of the JWKS', async () => {
    const study = makeStudy(7, { patientName: 'Müller^Änne', patientId: 'R-1', studyDescription: 'Head' });
    const upload = await settled(await jane.send(study.files));
    expect(upload.instances).toMatchObject({ verified: 7, verifiedBytes: 7 });
    const { status, body } = await receiptOf(upload.id);
    expect(status).toBe(200);
    const { jws, ...receipt } = body;
    expect(receipt).toMatchObject({
      version: 1,
      issuer: 'https://relay.example.org',
      uploadId: upload.id,
      sender: { username: jane.username },
      announcedAt: upload.createdAt,
      receivedAt: upload.receivedAt,
      files: { received: 7, rejected: 0, ignored: 0 },
      deliveries: [
        {
          studyInstanceUid: study.studyInstanceUid,
          studyDescription: 'Head',
          modalities: ['CT'],
          patient: { name: 'Müller, Änne', id: 'R-1' },
          target: { key: 'default', name: 'Test archive' },
          deliveredAt: upload.studies[0]?.deliveredAt,
          verification: { level: 'bytes', instances: 7, compared: 7, remarks: 0 },
        },
      ],
    });
    const instances = receipt.deliveries[0]!.instances;
    const listed = new Map(instances.map(({ sopInstanceUid, sha256 }) => [sopInstanceUid, sha256]));
    expect(listed).toEqual(study.digests);
    expect(listed).toEqual(await orthancDigests(orthanc, study.studyInstanceUid));

    const keys = (await jane.get<JSONWebKeySet>('/.well-known/jwks.json')).body;
    const { payload, protectedHeader } = await compactVerify(jws, createLocalJWKSet(keys));
    expect(protectedHeader).toEqual({ alg: 'RS256', kid: keys.keys[0]?.kid, typ: 'relaypacs-receipt+jws' });
    expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(receipt);
  });

  it('is one and the same for everybody who may see the upload, however many ask at once', async () => {
    const announced = await jane.announce({ fileCount: 1 });
    await jane.createFile(announced, makeSlice(), 'IM1');
    const { id } = await settled(announced.id);
    const { body: token } = await jane.post('/api/v1/me/tokens', {
      name: 'CT gateway',
      scopes: ['uploads:write'],
      expiresInDays: 1,
    });
    const bearing = (text: unknown) =>
      jane.request<SignedReceipt>('GET', receiptPath(id), { headers: { authorization: `Bearer ${text}` } });
    const answers = await Promise.all([
      receiptOf(id),
      receiptOf(id, admin),
      bearing(token.token),
      bearing(announced.uploadToken),
    ]);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect((await receiptOf(id)).body).toEqual(answers[0]!.body);
    const events = (await jane.upload(id)).timeline.map(({ event }) => event);
    expect(events.filter((event) => event === 'receipt_issued')).toHaveLength(1);

    expect(await receiptOf(id, stranger)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await stranger.get(`${receiptPath(id)}.pdf`)).status).toBe(404);
    expect((await receiptOf(id, ApiClient.anonymous(stack.baseUrl))).status).toBe(401);
    // It is signed with the key of the tokens, and opens nothing.
    const asToken = { headers: { authorization: `Bearer ${answers[0]!.body.jws}` } };
    expect((await jane.request('GET', '/api/v1/me', asToken)).status).toBe(401);
  });

  it('is not there before everything is delivered', async () => {
    const open = await jane.announce();
    expect((await receiptOf(open.id)).body).toMatchObject({
      status: 409,
      code: 'RECEIPT_NOT_READY',
      detail: expect.stringMatching(/no receipt yet.*is created.*is safe; ask again/),
    });
    expect((await jane.get(`${receiptPath(open.id)}.pdf`)).body).toMatchObject({ code: 'RECEIPT_NOT_READY' });
    const rejected = await settled(await jane.send([new Uint8Array(10)]));
    expect((await receiptOf(rejected.id)).body).toMatchObject({
      status: 409,
      code: 'RECEIPT_NOT_READY',
      detail: expect.stringMatching(/is rejected.*has not confirmed all/),
    });
  });

  it('is a document, too, to which the signed one is attached', async () => {
    const { id } = await deliver(2);
    const { headers, bytes } = await pdfOf(id);
    const { body: receipt } = await receiptOf(id);
    expect(headers.get('content-type')).toBe('application/pdf');
    expect(headers.get('content-disposition')).toBe(`attachment; filename=receipt-${receipt.id}.pdf`);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(readReceipt(bytes).jws).toBe(receipt.jws);
    expect((await pdfOf(id)).bytes.equals(bytes)).toBe(true);
    // It is rendered once, and kept.
    const kept = platform.db('receipts').where({ id: receipt.id });
    expect(await kept.update({ pdf: Buffer.from('%PDF-kept') })).toBe(1);
    expect((await pdfOf(id)).bytes.toString()).toBe('%PDF-kept');
  });

  it('is issued anew when the study was delivered once more', async () => {
    const { id } = await deliver(2);
    const first = (await receiptOf(id)).body;
    expect((await admin.post(`/api/v1/uploads/${id}/resend`, {})).status).toBe(202);
    const { studies } = await jane.waitFor(id, (upload) =>
      upload.studies.every(({ status }) => status === 'delivered'),
    );
    const again = studies.find(({ resendOf }) => resendOf !== null);
    const second = (await receiptOf(id)).body;
    expect(second.id).not.toBe(first.id);
    expect(second.deliveries[0]).toEqual(first.deliveries[0]);
    expect(second.deliveries[1]).toMatchObject({
      isResend: true,
      deliveredAt: again?.deliveredAt,
      verification: { level: 'bytes', instances: 2, compared: 2 },
      instances: [{ alreadyThere: true }, { alreadyThere: true }],
    });
    expect(second.deliveredAt).toBe(again?.deliveredAt);
    expect((await receiptOf(id)).body).toEqual(second);
  });

  it('outlives the bytes, and can be checked in a checkout without a network', async () => {
    const study = makeStudy(3);
    const { id } = await settled(await jane.send(study.files));
    await expect.poll(() => removeBytes(platform, 0)).toBeGreaterThan(0);
    expect((await jane.upload(id)).timeline.at(-1)?.event).toBe('bytes_removed');
    const { body: receipt } = await receiptOf(id);
    const [json, pdf, keys] = ['receipt.json', 'receipt.pdf', 'jwks.json'].map((name) =>
      path.join(folder, name),
    );
    await writeFile(json!, JSON.stringify(receipt));
    await writeFile(pdf!, (await pdfOf(id)).bytes);
    await writeFile(keys!, JSON.stringify((await jane.get('/.well-known/jwks.json')).body));
    const files = await mkdtemp(path.join(folder, 'files-'));
    for (const [index, bytes] of study.files.entries()) await writeFile(path.join(files, `${index}`), bytes);

    const check = (file: string) =>
      promisify(execFile)(process.execPath, [
        path.join(projectRoot, 'scripts', 'relaypacs.js'),
        ...['verify-receipt', file, '--jwks', keys!, '--files', files],
      ]);
    const { stdout } = await check(pdf!);
    expect(stdout).toMatch(/^GENUINE/);
    expect(stdout).toContain('3 of 3 listed files are there');
    const forged = JSON.stringify({ ...receipt, sender: { ...receipt.sender, username: 'mallory' } });
    await writeFile(json!, forged);
    await expect(check(json!)).rejects.toMatchObject({ code: 1, stdout: expect.stringMatching(/^TAMPERED/) });
  });

  it('knows files again whose header was repaired, and what was made here', async () => {
    const study = makeStudy(2);
    // A program could hide there: it is cleared before the image is sent.
    study.files[1]!.set(new TextEncoder().encode('MZ'));
    const { id } = await settled(await jane.send(study.files, { clinicalHistory: 'Fell from a horse' }));
    const { body: receipt } = await receiptOf(id);
    expect(receipt.deliveries[0]!.instances.map(({ origin }) => origin).sort()).toEqual([
      'as_uploaded',
      ...['made', 'made'],
      'repaired',
    ]);
    const [json, keys] = ['repaired.json', 'repaired-jwks.json'].map((name) => path.join(folder, name));
    await writeFile(json!, JSON.stringify(receipt));
    await writeFile(keys!, JSON.stringify((await jane.get('/.well-known/jwks.json')).body));
    const files = await mkdtemp(path.join(folder, 'repaired-'));
    for (const [index, bytes] of study.files.entries()) await writeFile(path.join(files, `${index}`), bytes);
    const said: string[] = [];
    const code = await verifyReceipt([json!, '--jwks', keys!, '--files', files], (line) => said.push(line));
    expect(said.join('\n')).toContain(
      '2 of 2 listed files are there: 1 byte for byte, 1 as it was before its repair.',
    );
    expect(said).toContainEqual(expect.stringMatching(/repaired their headers/));
    expect(code).toBe(0);
  });

  it('of 2,000 images is there at once when it was issued before', async () => {
    const { id, studies } = await deliver();
    const [row] = await platform.db('instances').where({ studyId: studies[0]!.id });
    const copies = Array.from({ length: 1999 }, (_, index) => ({
      ...row,
      id: newId(),
      sopInstanceUid: `2.25.${index}`,
      instanceNumber: index,
    }));
    await platform.db.batchInsert('instances', copies, 500);
    const timed = async <T>(work: () => Promise<T>): Promise<[T, number]> => {
      const began = performance.now();
      return [await work(), performance.now() - began];
    };
    const [first] = await timed(() => receiptOf(id));
    expect(first.body.deliveries[0]?.instances).toHaveLength(2000);
    let isRendered = false;
    const rendering = timed(() => pdfOf(id)).finally(() => {
      isRendered = true;
    });
    const waits: number[] = [];
    while (!isRendered) waits.push((await timed(() => jane.get('/healthz')))[1]);
    const [, renderingMs] = await rendering;
    // Meanwhile the server went on with other things.
    expect(Math.max(...waits)).toBeLessThan(renderingMs / 2);
    expect((await timed(() => receiptOf(id)))[1]).toBeLessThan(renderingMs / 2);
    expect((await timed(() => pdfOf(id)))[1]).toBeLessThan(renderingMs / 2);
  });

  it('leaves no trace of the patient in the log', async () => {
    const { id } = await settled(await jane.send(makeStudy(1, { patientName: 'Geheim^Name' }).files));
    await receiptOf(id);
    await pdfOf(id);
    const log = await readFile(path.join(stack.dataDir, 'server.log'), 'utf8');
    expect(log).toContain(receiptPath(id));
    expect(log).not.toMatch(/Geheim/);
  });
});

describe('the page of a delivered upload', () => {
  it('offers the receipt on a small phone, as PDF and as JSON', async () => {
    const { id } = await deliver();
    const browser = await chromium.launch(chromiumLaunchOptions());
    try {
      const page = await browser.newPage({ viewport: { width: 360, height: 740 }, acceptDownloads: true });
      await page.goto(`${stack.baseUrl}/uploads/${id}`);
      await page.getByLabel(/username/i).fill(jane.username);
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      const pressed = async (name: string) => {
        const button = page.getByRole('button', { name });
        await button.waitFor();
        const box = (await button.boundingBox())!;
        expect(box.height).toBeGreaterThanOrEqual(44);
        expect(box.x + box.width).toBeLessThanOrEqual(360);
        const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
        return [download.suggestedFilename(), await readFile(await download.path())] as const;
      };
      const [pdfName, pdf] = await pressed('Receipt (PDF)');
      const [jsonName, json] = await pressed('For programs (JSON)');
      const { body: receipt } = await receiptOf(id);
      expect([pdfName, jsonName]).toEqual([`receipt-${id}.pdf`, `receipt-${id}.json`]);
      expect(pdf.toString('latin1', 0, 5)).toBe('%PDF-');
      expect(readReceipt(pdf).jws).toBe(receipt.jws);
      expect(JSON.parse(json.toString())).toEqual(receipt);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    } finally {
      await browser.close();
    }
  });
});

describe('the instances of an upload', () => {
  it('are listed page by page, and by status: all that is missing, where the problem names ten', async () => {
    const seriesInstanceUid = newUid();
    const study = makeStudy(15, { patientId: 'ours', seriesInstanceUid });
    const uids = [...study.digests.keys()];
    const { studyInstanceUid } = study;
    for (const [index, sopInstanceUid] of uids.slice(2).entries()) {
      // Other images came there under these identifiers, another way.
      const taken = { studyInstanceUid, seriesInstanceUid, sopInstanceUid, instanceNumber: index + 3 };
      const body = makeSlice({ ...taken, patientId: 'theirs' }) as Uint8Array<ArrayBuffer>;
      expect((await orthanc.rest('/instances', { method: 'POST', body })).status).toBe(200);
    }
    const { id, problem } = await settled(await jane.send(study.files));
    expect(problem?.detail).toMatch(/and 3 more/);
    const list = (query: string, client = jane) =>
      client.get<InstanceList>(`/api/v1/uploads/${id}/instances?${query}`);
    const failed: InstanceList['items'] = [];
    for (let cursor = ''; ; ) {
      const { body } = await list(`status=failed&limit=5${cursor && `&cursor=${cursor}`}`);
      failed.push(...body.items);
      if (body.nextCursor === null) break;
      expect(body.items).toHaveLength(5);
      cursor = body.nextCursor;
    }
    expect(failed.map(({ sopInstanceUid }) => sopInstanceUid).sort()).toEqual(uids.slice(2).sort());
    expect(failed[0]).toMatchObject({
      seriesInstanceUid,
      modality: 'CT',
      seriesNumber: 1,
      instanceNumber: uids.indexOf(failed[0]!.sopInstanceUid) + 1,
      sha256: study.digests.get(failed[0]!.sopInstanceUid),
      status: 'failed',
      verification: null,
      verifiedAt: null,
      problem: { code: 'CONFLICT' },
    });
    const { body: verified } = await list('status=verified');
    expect(verified.items.map(({ verification, problem }) => [verification, problem])).toEqual([
      ['bytes', null],
      ['bytes', null],
    ]);
    expect((await list('')).body.items).toHaveLength(15);
    expect((await list('', admin)).status).toBe(200);
    expect((await list('', stranger)).status).toBe(404);
    expect((await list('status=lost')).status).toBe(422);
    expect((await list('cursor=2')).status).toBe(422);
    expect((await receiptOf(id)).body).toMatchObject({ code: 'RECEIPT_NOT_READY' });
  });
});
