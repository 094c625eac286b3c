import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDicomFile, newUid, type TestFile } from '../testing/dicom-file.js';
import { multipartBody, RelentlessClient, TestSandbox } from '../testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start({ personality: 'aws' });
});
afterEach(() => sandbox.stop());

const pathOf = ({ studyUid, seriesUid, sopUid }: TestFile) =>
  `/studies/${studyUid}/series/${seriesUid}/instances/${sopUid}`;
const retrieve = (file: TestFile, accept = 'application/dicom; transfer-syntax=*') =>
  sandbox.get(pathOf(file), { accept });
const bytesOf = async (file: TestFile) => Buffer.from(await (await retrieve(file)).arrayBuffer());

it('is below a data store', () => {
  expect(new URL(sandbox.url).pathname).toMatch(/^\/datastore\/[0-9a-z]{32}$/);
});

it('overwrites what it holds, and says success', async () => {
  const first = makeDicomFile();
  const second = makeDicomFile({ ...first, elements: { '00081030': ['LO', 'Other description'] } });
  await sandbox.stow([first.bytes]);
  expect(await sandbox.stow([second.bytes])).toMatchObject({ status: 200, stored: [first.sopUid] });
  expect(await bytesOf(first)).toEqual(second.bytes);
  await sandbox.restart();
  expect(await bytesOf(first)).toEqual(second.bytes);
});

it('shows nothing of what contradicts its study, and says that it stored it', async () => {
  const first = makeDicomFile();
  const { studyUid, seriesUid } = first;
  const other = makeDicomFile({ studyUid, seriesUid, elements: { '00100020': ['LO', 'ANOTHER-PATIENT'] } });
  const same = makeDicomFile({ ...first, elements: { '00100020': ['LO', 'ANOTHER-PATIENT'] } });
  await sandbox.stow([first.bytes]);
  const answer = await sandbox.stow([other.bytes, same.bytes]);
  expect(answer).toMatchObject({ status: 200, stored: [other.sopUid, first.sopUid] });
  expect(await sandbox.found()).toEqual([first.sopUid]);
  expect((await retrieve(other)).status).toBe(404);
  expect(await bytesOf(first)).toEqual(first.bytes);
});

it('hands out single instances as a single part, and nothing else', async () => {
  const file = makeDicomFile();
  await sandbox.stow([file.bytes]);
  expect(await bytesOf(file)).toEqual(file.bytes);
  const multipart = 'multipart/related; type="application/dicom"; transfer-syntax=*';
  expect((await retrieve(file, multipart)).status).toBe(406);
  expect((await sandbox.get(`/studies/${file.studyUid}`)).status).toBe(404);
});

it('lists the latest of a study first', async () => {
  const [studyUid, seriesUid] = [newUid(), newUid()];
  const files = [1, 2, 3].map(() => makeDicomFile({ studyUid, seriesUid }));
  await sandbox.stow(files.map(({ bytes }) => bytes));
  expect(await sandbox.found()).toEqual(files.map(({ sopUid }) => sopUid).reverse());
});

it('answers 204 to a search that finds nothing', async () => {
  expect((await sandbox.get('/studies')).status).toBe(204);
});

describe('a request larger than it takes', () => {
  beforeEach(async () => {
    await sandbox.stop();
    sandbox = await TestSandbox.start({ personality: 'aws', mostRequestBytes: 100_000 });
  });

  it('is answered 413 before it is read', async () => {
    const client = new RelentlessClient(sandbox);
    await expect.poll(() => client.text).toMatch(/^HTTP\/1\.1 413 /);
    expect(await client.isStalled()).toBe(true);
    client.stop();
  });

  it('is answered 413 where its length is not said, and nothing of it is stored', async () => {
    const file = makeDicomFile();
    const body = multipartBody([file.bytes, Buffer.alloc(200_000)]);
    const response = await fetch(`${sandbox.url}/studies`, {
      method: 'POST',
      headers: { 'Content-Type': 'multipart/related; type="application/dicom"; boundary=test-boundary' },
      body: new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(body));
          controller.close();
        },
      }),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(await sandbox.found()).toEqual([]);
  });

  it('and one that is not is taken', async () => {
    expect((await sandbox.stow([makeDicomFile().bytes])).status).toBe(200);
  });
});
