import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Attributes } from '../dicom-json.js';
import { makeDicomFile } from '../testing/dicom-file.js';
import { partsOf, TestSandbox } from '../testing/sandbox-client.js';

const ALREADY_EXISTS = 45070;
let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start({ personality: 'azure' });
});
afterEach(() => sandbox.stop());

it('is at /v2', () => {
  expect(sandbox.url).toBe(`${sandbox.origin}/v2`);
});

it('refuses what it holds with 45070: 202 beside new ones, 409 alone', async () => {
  const [held, fresh] = [makeDicomFile(), makeDicomFile()];
  expect(await sandbox.stow([held.bytes])).toMatchObject({ status: 200, stored: [held.sopUid], failed: {} });
  const failed = { [held.sopUid]: ALREADY_EXISTS };
  expect(await sandbox.stow([held.bytes, fresh.bytes])).toMatchObject({
    status: 202,
    stored: [fresh.sopUid],
    failed,
  });
  expect(await sandbox.stow([held.bytes])).toMatchObject({ status: 409, stored: [], failed });
});

it('stores one of two copies that come at the same time, and refuses the other', async () => {
  const file = makeDicomFile();
  const answers = await Promise.all(Array.from({ length: 6 }, () => sandbox.stow([file.bytes])));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
});

it('names no instance for a part it cannot read', async () => {
  const answer = await sandbox.stow([Buffer.from('garbage')]);
  expect(answer.status).toBe(409);
  expect(answer.body['00081198']?.Value).toEqual([{ '00081197': { vr: 'US', Value: [272] } }]);
  expect(answer.body).not.toHaveProperty('00081199');
});

it('refuses other studies than the address names, and missing UIDs', async () => {
  const other = makeDicomFile();
  const missing = makeDicomFile({ elements: { '0020000E': undefined } });
  expect((await sandbox.stow([other.bytes], '/studies/1.2.3')).failed).toEqual({ [other.sopUid]: 43265 });
  expect((await sandbox.stow([missing.bytes])).failed).toEqual({ [missing.sopUid]: 43264 });
});

it('gives back the bytes it got', async () => {
  const { bytes, studyUid } = makeDicomFile();
  await sandbox.stow([bytes]);
  expect(await partsOf(await sandbox.get(`/studies/${studyUid}`))).toEqual([bytes]);
});

it('takes limits from 1 to 200, and gives 100 rows where there is none', async () => {
  await sandbox.stow(Array.from({ length: 103 }, () => makeDicomFile().bytes));
  expect(await sandbox.json('/instances')).toHaveLength(100);
  expect(await sandbox.json('/instances?limit=200')).toHaveLength(103);
  for (const limit of [0, 201]) expect((await sandbox.get(`/instances?limit=${limit}`)).status).toBe(400);
});

it('hands out an instance as a single part, too', async () => {
  const { bytes, studyUid, seriesUid, sopUid } = makeDicomFile();
  await sandbox.stow([bytes]);
  const path = `/studies/${studyUid}/series/${seriesUid}/instances/${sopUid}`;
  const answer = await sandbox.get(path, { accept: 'application/dicom; transfer-syntax=*' });
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes);
});

it('answers 204 to a search that finds nothing, and a JSON string to what it does not know', async () => {
  expect((await sandbox.get('/studies')).status).toBe(204);
  const unknown = await sandbox.get('/patients');
  expect([unknown.status, (await unknown.json()) as Attributes]).toEqual([404, 'Unknown resource']);
});
