import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Attributes } from '../dicom-json.js';
import { makeDicomFile, newUid } from '../testing/dicom-file.js';
import { TestSandbox } from '../testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start({ personality: 'google' });
});
afterEach(() => sandbox.stop());

const failuresOf = (body: Attributes) => (body['00081198']?.Value ?? []) as Attributes[];

it('is below a DICOM store', () => {
  expect(new URL(sandbox.url).pathname).toMatch(
    /^\/v1\/projects\/\w+\/locations\/\w+\/datasets\/\w+\/dicomStores\/\w+\/dicomWeb$/,
  );
});

it('answers 200 when all is stored and 409 as soon as one is not, with the others stored', async () => {
  const [held, fresh] = [makeDicomFile(), makeDicomFile()];
  expect(await sandbox.stow([held.bytes])).toMatchObject({ status: 200, stored: [held.sopUid], failed: {} });
  expect(await sandbox.stow([held.bytes, fresh.bytes])).toMatchObject({
    status: 409,
    stored: [fresh.sopUid],
    failed: { [held.sopUid]: 272 },
  });
});

it('says "already exists" of what it holds, and keeps it', async () => {
  const first = makeDicomFile();
  const second = makeDicomFile({ ...first, elements: { '00100010': ['PN', 'Other^Name'] } });
  await sandbox.stow([first.bytes]);
  const [failure] = failuresOf((await sandbox.stow([second.bytes])).body);
  expect(failure?.['00091097']?.Value).toEqual(['already exists']);
  expect(failure?.['00090010']?.Value).toEqual(['GOOGLE']);
  const path = `/studies/${first.studyUid}/series/${first.seriesUid}/instances/${first.sopUid}`;
  const single = await sandbox.get(path, { accept: 'application/dicom; transfer-syntax=*' });
  expect(single.headers.get('content-type')).toBe('application/dicom');
  expect(Buffer.from(await single.arrayBuffer())).toEqual(first.bytes);
});

it('names no study and no series in the rows of instances', async () => {
  const { bytes, studyUid, sopUid } = makeDicomFile();
  await sandbox.stow([bytes]);
  const [row] = await sandbox.json(`/studies/${studyUid}/instances`);
  expect(row?.['00080018']?.Value).toEqual([sopUid]);
  expect(row).not.toHaveProperty('0020000D');
  expect(row).not.toHaveProperty('0020000E');
});

it('gives 100 studies where no limit is given, and takes no offset above a million', async () => {
  const files = Array.from({ length: 103 }, () => makeDicomFile({ studyUid: newUid() }).bytes);
  await sandbox.stow(files);
  expect(await sandbox.json('/studies')).toHaveLength(100);
  expect(await sandbox.json('/studies?limit=5001')).toHaveLength(103);
  expect(await sandbox.json('/instances')).toHaveLength(103);
  expect((await sandbox.get('/studies?offset=1000001')).status).toBe(400);
});

it('answers 200 to a search that finds nothing, and errors as Google does', async () => {
  const nothing = await sandbox.get('/studies');
  expect([nothing.status, await nothing.json()]).toEqual([200, []]);
  const unknown = await sandbox.get('/patients');
  expect(await unknown.json()).toEqual({
    error: { code: 404, message: 'Unknown resource', status: 'NOT_FOUND' },
  });
});
