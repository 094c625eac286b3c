import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import { listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { buildDicom, newUid } from '@relaypacs/core/dicom/testing/build.js';
import type { FileOpener, UploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';
import { expect, it } from 'vitest';
import { examineArrived } from '../worker/src/intake/examine-arrived.js';
import { takeInUpload } from '../worker/src/intake/take-in-upload.js';
import { removeBytes } from '../worker/src/upkeep/remove-bytes.js';
import { makeStudy } from './support/delivery-fixture.js';
import {
  addArriving,
  config,
  deps as earlyDeps,
  fixture,
  isSeen,
  setStatus,
  slice,
  theStudy,
} from './support/early-fixture.js';

const deps = () => earlyDeps({ delivery: { ...config.delivery, eager: 'off' } });

const known = (uploadId: string) => fixture.db('fileExaminations').where({ uploadId });

/** The stored files, of which something happens once it is known where they lie. */
const filesThat = (happens: (opener: FileOpener) => Promise<FileOpener>): UploadedFiles => ({
  ...fixture.files,
  locate: async (ids) => happens(await fixture.files.locate(ids)),
});

/** The intake of the whole upload, in which no byte of a stored file is read; only looked at how long it is. */
async function takeInUnread(uploadId: string): Promise<void> {
  await setStatus(uploadId, 'received');
  const refuse = () => Promise.reject(new Error('A file was read again'));
  const unread = filesThat(async ({ open }) => ({
    open: async (id) => {
      const object = await open(id);
      return { size: object.size, read: refuse, stream: refuse as never, close: () => object.close() };
    },
  }));
  await takeInUpload({ ...deps(), files: unread }, uploadId);
}

const takeIn = async (uploadId: string) => {
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
};

it('is looked at while the rest arrives, and is not read again for the check of all', async () => {
  const { objects } = makeStudy(3, slice);
  const uploadId = await addArriving(objects);
  await examineArrived(deps(), uploadId);
  expect(await known(uploadId)).toHaveLength(3);
  await takeInUnread(uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering', problem: null });
  const instances = await fixture.instances((await theStudy(uploadId)).id);
  expect(instances.map(({ sopInstanceUid }) => sopInstanceUid).sort()).toEqual(
    objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(),
  );
  const files = await listUploadFiles(fixture.db, uploadId);
  expect(files).toMatchObject(objects.map(() => ({ status: 'accepted', kind: 'dicom' })));
  // Names of patients are not kept twice.
  expect(await known(uploadId)).toEqual([]);
});

it('comes to what the check of all comes to, remarks and digests included', async () => {
  const objects = [
    { sopInstanceUid: newUid(), bytes: buildDicom({ ...slice, studyInstanceUid: '1.2.3', patientSex: 'X' }) },
    {
      sopInstanceUid: newUid(),
      bytes: buildDicom({ ...slice, studyInstanceUid: '1.2.3', patientName: 'Se\0cret' }),
    },
    {
      sopInstanceUid: newUid(),
      bytes: buildDicom({ ...slice, studyInstanceUid: '1.2.3', omit: [0x00080020] }),
    },
  ];
  const outcome = async (uploadId: string) => {
    await takeIn(uploadId);
    const files = await listUploadFiles(fixture.db, uploadId);
    const study = await theStudy(uploadId);
    const { patientName, patientSex, warnings, modalities } = study;
    const instances = await fixture.instances(study.id);
    return {
      files: files.map(({ findings, sha256, md5, status }) => ({ findings, sha256, md5, status })),
      study: { patientName, patientSex, warnings, modalities },
      instances: instances.map(({ id, studyId, uploadFileId, ...instance }) => instance),
    };
  };
  const whole = await outcome(await addArriving(objects));
  await fixture.db('uploads').delete();
  const uploadId = await addArriving(objects);
  await examineArrived(deps(), uploadId);
  expect(await known(uploadId)).toHaveLength(3);
  expect(await outcome(uploadId)).toEqual(whole);
});

it('is looked at again where the rules have changed since, or it is to be given a Patient ID', async () => {
  const withoutId = buildDicom({ ...slice, omit: [0x00100020] });
  for (const change of ['rules', 'patient'] as const) {
    const uploadId = await addArriving([{ sopInstanceUid: newUid(), bytes: withoutId }]);
    await examineArrived(deps(), uploadId);
    expect(await known(uploadId)).toHaveLength(1);
    if (change === 'rules') await fixture.db('fileExaminations').update({ rules: 0 });
    else
      await fixture.db('uploads').where({ id: uploadId }).update({ addsPatientId: true, patientId: '4711' });
    await takeInUnread(uploadId);
    expect(await fixture.upload(uploadId)).toMatchObject({ status: 'processing' });
    await takeIn(uploadId);
    expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering' });
  }
});

it('is not believed to be there when it is gone or cut short', async () => {
  const uploadId = await addArriving(makeStudy(3, slice).objects);
  await examineArrived(deps(), uploadId);
  const keys = await fixture.db('fileSegments').orderBy('fileId').pluck('key');
  await rm(path.join(fixture.directory, keys[0]));
  await writeFile(path.join(fixture.directory, keys[1]), 'short');
  await takeIn(uploadId);
  const [gone, short, whole] = await listUploadFiles(fixture.db, uploadId);
  expect(gone?.problem?.code).toBe('STORED_BYTES_DAMAGED');
  expect(short?.problem?.code).toBe('STORED_BYTES_DAMAGED');
  expect(whole).toMatchObject({ status: 'accepted', problem: null });
});

it('is refused when another digest than its own is announced afterwards', async () => {
  const uploadId = await addArriving(makeStudy(2, slice).objects);
  await examineArrived(deps(), uploadId);
  const [first, second] = await listUploadFiles(fixture.db, uploadId);
  const announce = (id: string | undefined, digests: object) =>
    fixture.db('uploadFiles').where({ id }).update(digests);
  await announce(first?.id, { announcedSha256: Buffer.alloc(32) });
  await announce(second?.id, { announcedMd5: Buffer.alloc(16) });
  await takeIn(uploadId);
  const codes = (await listUploadFiles(fixture.db, uploadId)).map(({ problem }) => problem?.code);
  expect(codes).toEqual(['TRANSFER_DAMAGED', 'TRANSFER_DAMAGED']);
});

it('is left to the check of all where it is no object that goes as it came', async () => {
  const [object] = makeStudy(1, slice).objects;
  const bytes = object?.bytes ?? new Uint8Array();
  const others = {
    archive: buildZip([{ path: 'IM1', content: bytes }]),
    'to be repaired': buildDicom({ ...slice, preamble: new TextEncoder().encode('MZ'.padEnd(128, '\0')) }),
    'cut off': bytes.subarray(0, 400),
    text: new TextEncoder().encode('How to use the viewer'),
  };
  const uploadId = await addArriving(
    Object.values(others).map((content) => ({ sopInstanceUid: newUid(), bytes: content })),
  );
  await examineArrived(deps(), uploadId);
  expect(await isSeen(uploadId)).toEqual(Object.values(others).map(() => true));
  expect(await known(uploadId)).toEqual([]);
  await takeIn(uploadId);
  const statuses = (await listUploadFiles(fixture.db, uploadId)).map(({ status }) => status);
  expect(statuses).toEqual(['accepted', 'accepted', 'rejected', 'ignored']);
});

it('goes on in another job after 100 files, in a queue of its own', async () => {
  const uploadId = await addArriving(makeStudy(103, slice).objects);
  await fixture.takeJobs();
  await examineArrived(deps(), uploadId);
  expect((await isSeen(uploadId)).filter(Boolean)).toHaveLength(100);
  const last = (await listUploadFiles(fixture.db, uploadId))[99]?.id;
  expect(await fixture.takeJobs()).toMatchObject([
    { queue: 'arrivals', jobId: `ahead-${uploadId}-after-${last}`, payload: { uploadId } },
  ]);
  await examineArrived(deps(), uploadId);
  expect(await fixture.takeJobs()).toEqual([]);
  expect(await known(uploadId)).toHaveLength(103);
});

it('is held up by no file that cannot be read, which is left to the check of all', async () => {
  const uploadId = await addArriving(makeStudy(3, slice).objects);
  const [first] = await listUploadFiles(fixture.db, uploadId);
  const failing = filesThat(async ({ open }) => ({
    open: (id) => (id === first?.id ? Promise.reject(new Error('EIO')) : open(id)),
  }));
  await examineArrived({ ...deps(), files: failing }, uploadId);
  expect(await isSeen(uploadId)).toEqual([true, true, true]);
  expect(await known(uploadId)).toHaveLength(2);
  await takeIn(uploadId);
  expect(await fixture.instances((await theStudy(uploadId)).id)).toHaveLength(3);
});

it('counts by bytes where files are large, one at least', async () => {
  const uploadId = await addArriving(makeStudy(3, slice).objects);
  const [first] = await listUploadFiles(fixture.db, uploadId);
  const setSize = (size: number) => fixture.db('uploadFiles').where({ id: first?.id }).update({ size });
  await setSize(3_000_000_000);
  await examineArrived(deps(), uploadId);
  expect(await isSeen(uploadId)).toEqual([true, false, false]);
});

it('is forgotten with its bytes, and not kept where it was removed meanwhile', async () => {
  const uploadId = await addArriving(makeStudy(2, slice).objects);
  const [first] = await listUploadFiles(fixture.db, uploadId);
  const removing = filesThat(async (opener) => {
    await fixture.db('uploadFiles').where({ id: first?.id }).delete();
    return opener;
  });
  await examineArrived({ ...deps(), files: removing }, uploadId);
  expect(await known(uploadId)).toHaveLength(1);
  await fixture
    .db('uploads')
    .where({ id: uploadId })
    .update({ status: 'cancelled', endedAt: new Date(0) });
  expect(await removeBytes({ ...deps(), config }, 0)).toBe(1);
  expect(await known(uploadId)).toEqual([]);
});

it('is not kept when all of the upload was received meanwhile', async () => {
  const uploadId = await addArriving();
  const receiving = filesThat(async (opener) => {
    await setStatus(uploadId, 'received');
    return opener;
  });
  await examineArrived({ ...deps(), files: receiving }, uploadId);
  expect(await known(uploadId)).toEqual([]);
});
