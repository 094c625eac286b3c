import { createHash } from 'node:crypto';
import { loadConfig } from '@relaypacs/core/config.js';
import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { openDatabase } from '@relaypacs/core/db/database.js';
import { makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform } from '@relaypacs/core/platform.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeBytes } from '../worker/src/upkeep/remove-bytes.js';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';

let orthanc: Orthanc;
let stack: Stack;
let jane: ApiClient;

beforeAll(async () => {
  orthanc = await startOrthanc();
  stack = await startStack({ env: pacsVariables(orthanc) });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await stack?.stop();
  await orthanc?.dispose();
});

/** Bytes of all that was delivered go, as they do when their time is over. */
async function removeDeliveredBytes(): Promise<void> {
  const { databaseUrl, dataDir } = stack;
  const config = loadConfig({ DATABASE_URL: databaseUrl, DATA_DIR: dataDir, BYTES_GRACE_HOURS: '0' });
  const platform = await openPlatform(config, createLogger('test', 'error'));
  try {
    expect(await removeBytes(platform, 0)).toBeGreaterThan(0);
  } finally {
    await platform.close();
  }
}

const settled = (id: string) =>
  jane.waitFor(id, ({ status }) => ['delivered', 'rejected', 'failed'].includes(status));

describe('a study on its way into the PACS', () => {
  it('arrives complete and byte for byte, and only then is called delivered', async () => {
    const study = makeStudy(25, { patientId: 'P-1', studyDate: '20260102', studyDescription: 'Head' });
    const upload = await settled(await jane.send(study.files));
    expect(upload).toMatchObject({
      status: 'delivered',
      waitingFor: null,
      problem: null,
      filesReceived: 25,
      filesRejected: 0,
      instances: { total: 25, stored: 25, verified: 25, failed: 0 },
      studies: [
        {
          studyInstanceUid: study.studyInstanceUid,
          status: 'delivered',
          patientName: 'Doe, Jane',
          patientId: 'P-1',
          studyDate: '2026-01-02',
          modalities: ['CT'],
          seriesCount: 1,
        },
      ],
    });
    expect(upload.timeline.map(({ event }) => event)).toEqual([
      'created',
      'uploading',
      'received',
      'processing',
      'delivering',
      'delivered',
    ]);
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });

  it('is looked at file by file while the rest of it still arrives', async () => {
    const study = makeStudy(30);
    const totalBytes = study.files.reduce((sum, file) => sum + file.length, 0);
    const upload = await jane.announce({ fileCount: 30, totalBytes });
    const send = (files: Uint8Array[]) =>
      Promise.all(files.map((file) => jane.createFile(upload, file, `${newUid()}.dcm`)));
    await send(study.files.slice(0, 29));
    const db = openDatabase(stack.databaseUrl, 1);
    try {
      const count = async () => (await db('fileExaminations').where({ uploadId: upload.id })).length;
      await expect.poll(count, { timeout: 10_000 }).toBe(29);
      await send(study.files.slice(29));
      expect(await settled(upload.id)).toMatchObject({ status: 'delivered', instances: { verified: 30 } });
      expect(await count()).toBe(0);
    } finally {
      await db.destroy();
    }
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });

  it('is sorted into its studies, each delivered by itself', async () => {
    const [first, second] = [makeStudy(3), makeStudy(2, { modality: 'MR' })];
    const upload = await settled(await jane.send([...first.files, ...second.files]));
    expect(upload.status).toBe('delivered');
    expect(
      upload.studies.map(({ studyInstanceUid, instances }) => [studyInstanceUid, instances.verified]),
    ).toEqual(
      expect.arrayContaining([
        [first.studyInstanceUid, 3],
        [second.studyInstanceUid, 2],
      ]),
    );
    expect(await orthancDigests(orthanc, second.studyInstanceUid)).toEqual(second.digests);
  });

  it('is not sent again when the PACS has it already', async () => {
    const study = makeStudy(4);
    await settled(await jane.send(study.files));
    const again = await settled(await jane.send(study.files));
    expect(again).toMatchObject({ status: 'delivered', instances: { verified: 4 } });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });

  it('is stopped when the PACS has other images under its identifiers, and says so', async () => {
    const sopInstanceUid = newUid();
    const uids = { sopInstanceUid, studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
    // It came there another way: RelayPACS itself would not have sent the second.
    const first = makeSlice({ ...uids, patientId: 'A' });
    const body = first as Uint8Array<ArrayBuffer>;
    expect((await orthanc.rest('/instances', { method: 'POST', body })).status).toBe(200);
    const upload = await settled(await jane.send([makeSlice({ ...uids, patientId: 'B' })]));
    expect(upload).toMatchObject({ status: 'failed', instances: { verified: 0, failed: 1 } });
    expect(upload.problem?.detail).toMatch(/PACS/);
  });

  it('takes an image that was picked twice once, and of two that share an identifier only one', async () => {
    const uids = { sopInstanceUid: newUid(), studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
    const image = makeSlice(uids);
    const upload = await settled(
      await jane.send([image, image, makeSlice({ ...uids, instanceNumber: 99 })], {}, 1),
    );
    expect(upload.instances).toMatchObject({ total: 1, verified: 1 });
    expect(upload.filesRejected).toBe(1);
    expect(upload.files.map(({ problem }) => problem?.code).filter(Boolean)).toEqual(['CONFLICTING_COPY']);
  });

  it('does not pass on a file whose announced digest is another, and says so when it is too late', async () => {
    const study = makeStudy(2);
    await stack.worker.stop();
    const id = await jane.send(study.files);
    const { files } = await jane.upload(id);
    const announce = (digest: string) =>
      jane.post(`/api/v1/uploads/${id}/complete`, {
        files: [{ id: files[0]!.id, size: files[0]!.size, sha256: digest }],
      });
    expect((await announce('0'.repeat(64))).status).toBe(202);
    await stack.worker.start();
    const upload = await settled(id);
    expect(upload).toMatchObject({ status: 'delivered', filesRejected: 1, instances: { verified: 1 } });
    expect(upload.files[0]?.problem?.code).toBe('TRANSFER_DAMAGED');
    expect((await announce('1'.repeat(64))).body).toMatchObject({ status: 409, code: 'CHECKSUM_CONFLICT' });
  });

  it('compares an MD5 that is announced after the files were checked', async () => {
    const [image] = makeStudy(1).files;
    const id = await jane.send([image!]);
    const [file] = (await settled(id)).files;
    const announce = (md5: string) =>
      jane.post(`/api/v1/uploads/${id}/complete`, { files: [{ id: file!.id, size: file!.size, md5 }] });
    expect((await announce('1'.repeat(32))).body).toMatchObject({ status: 409, code: 'CHECKSUM_CONFLICT' });
    const right = createHash('md5').update(image!).digest('hex');
    expect((await announce(right)).status).toBe(202);
    await removeDeliveredBytes();
    expect((await announce(right)).status).toBe(202);
  });

  it('says so when an MD5 is announced of bytes that are no longer kept', async () => {
    const [image] = makeStudy(1).files;
    const id = await jane.send([image!]);
    const [file] = (await settled(id)).files;
    await removeDeliveredBytes();
    const said = { id: file!.id, size: file!.size };
    const announce = (digest: object) =>
      jane.post(`/api/v1/uploads/${id}/complete`, { files: [{ ...said, ...digest }] });
    expect((await announce({ md5: '1'.repeat(32) })).body).toMatchObject({
      status: 409,
      code: 'CHECKSUM_CONFLICT',
      detail: expect.stringMatching(/Announce its SHA-256/),
    });
    const sha256 = createHash('sha256').update(image!).digest('hex');
    expect((await announce({ sha256 })).status).toBe(202);
  });
});

describe('files that cannot be delivered', () => {
  const expectRejected = async (
    file: Uint8Array,
    code: string | RegExp,
    counts: Partial<UploadDetail> = { filesRejected: 1, filesIgnored: 0 },
  ) => {
    const upload = await settled(await jane.send([file]));
    expect(upload).toMatchObject({ status: 'rejected', ...counts, instances: { total: 0 } });
    expect(upload.files[0]?.problem?.code).toMatch(code);
    expect(upload.problem?.detail).toMatch(/None of the files can go to the PACS/);
  };

  it('are rejected with a reason: not DICOM, empty, cut off', async () => {
    const letter = new TextEncoder().encode('Dear colleague, please find attached');
    await expectRejected(letter, 'NOT_DICOM', { filesRejected: 0, filesIgnored: 1 });
    await expectRejected(new Uint8Array(0), 'EMPTY_FILE');
    const whole = makeSlice({ rows: 64, columns: 64 });
    await expectRejected(whole.subarray(0, whole.length - 100), /ELEMENT_BEYOND_END|PIXEL_LENGTH/);
  });

  it('do not keep the good ones of the same upload from arriving', async () => {
    const study = makeStudy(3);
    const [whole] = study.files;
    const cut = whole!.subarray(0, whole!.length - 100);
    const upload = await settled(await jane.send([...study.files, cut]));
    expect(upload).toMatchObject({
      status: 'delivered',
      filesRejected: 1,
      instances: { total: 3, verified: 3 },
    });
    expect(upload.files.filter(({ status }) => status === 'rejected')).toMatchObject([
      { problem: { code: 'ELEMENT_BEYOND_END', detail: expect.stringContaining('ends too early') } },
    ]);
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });

  it('cannot be retried, and the answer says why', async () => {
    const upload = await settled(await jane.send([new Uint8Array(10)]));
    const answer = await jane.post(`/api/v1/uploads/${upload.id}/retry`);
    expect(answer.body).toMatchObject({ status: 409, code: 'UPLOAD_STATE_CONFLICT' });
  });
});
