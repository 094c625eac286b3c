import { gzipSync } from 'node:zlib';
import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { buildDicom, makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables, sha256 } from './support/orthanc-contents.js';
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

const settled = (id: string) =>
  jane.waitFor(id, ({ status }) => ['delivered', 'rejected', 'failed'].includes(status), 60_000);
const waitsForSender = (id: string) => jane.waitFor(id, ({ waitingFor }) => waitingFor === 'sender');
const codes = (warnings: ReadonlyArray<{ code: string }>) => warnings.map(({ code }) => code).sort();
const studyOf = (upload: UploadDetail, uid: string) =>
  upload.studies.find(({ studyInstanceUid }) => studyInstanceUid === uid);

async function sendOne(file: Uint8Array, more: Parameters<ApiClient['send']>[1] = {}): Promise<UploadDetail> {
  return settled(await jane.send([file], more));
}

describe('an archive', () => {
  it('is opened in place, and its images arrive byte for byte, packed or not', async () => {
    const study = makeStudy(12);
    const entries = study.files.map((content, i) => ({
      path: `DISC/IMAGES/IM${i}`,
      content,
      deflate: i % 2 === 0,
    }));
    const archive = buildZip([
      ...entries,
      { path: 'DISC/VIEWER.EXE', content: new TextEncoder().encode('MZ no image') },
    ]);
    const upload = await sendOne(archive);
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 12, verified: 12 } });
    expect(upload.files[0]).toMatchObject({
      kind: 'archive',
      status: 'accepted',
      contents: {
        accepted: 12,
        rejected: 0,
        ignored: 1,
        entries: [
          { path: 'DISC/VIEWER.EXE', kind: 'other', status: 'ignored', problem: { code: 'NOT_DICOM' } },
        ],
      },
    });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });

  it('may hold archives of several studies, packed once more', async () => {
    const studies = [makeStudy(30), makeStudy(5, { patientName: 'Roe^Mary', patientId: 'R-1' })];
    const inner = studies.map(({ files }, s) => ({
      path: `study${s}.zip`,
      content: buildZip(files.map((content, i) => ({ path: `IM${i}`, content, deflate: true }))),
      deflate: true,
    }));
    const upload = await sendOne(buildZip(inner));
    expect(upload.status).toBe('delivered');
    expect(upload.studies).toHaveLength(2);
    for (const { studyInstanceUid, digests } of studies) {
      expect(studyOf(upload, studyInstanceUid)).toMatchObject({ status: 'delivered' });
      expect(await orthancDigests(orthanc, studyInstanceUid)).toEqual(digests);
    }
  });

  it('gives what cannot be taken a reason, and the rest goes on', async () => {
    const study = makeStudy(3);
    const [one, two, three] = study.files;
    const upload = await sendOne(
      buildZip([
        { path: 'a', content: one! },
        { path: '../../etc/passwd', content: two! },
        { path: 'secret', content: three!, encrypted: true },
        { path: 'cut', content: one!.subarray(0, 900) },
      ]),
    );
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 1 } });
    const problems = upload.files[0]?.contents?.entries.map(({ problem }) => problem?.code).sort();
    expect(problems).toEqual(['ELEMENT_BEYOND_END', 'ENTRY_ENCRYPTED', 'ENTRY_PATH_UNSAFE']);
    expect(codes(upload.warnings)).toContain('FILES_NOT_ACCEPTED');
  });

  it('of nothing but other files, or one that is no archive any more, is rejected with a reason', async () => {
    const text = new TextEncoder().encode('How to use the viewer');
    const junk = await sendOne(buildZip([{ path: 'README.TXT', content: text }]));
    expect(junk).toMatchObject({ status: 'rejected', filesIgnored: 1 });
    const study = makeStudy(1);
    const whole = buildZip([{ path: 'IM', content: study.files[0]!, deflate: true }]);
    const cut = await sendOne(whole.subarray(0, 60));
    expect(cut).toMatchObject({ status: 'rejected', problem: { detail: expect.stringMatching(/archive/i) } });
  });

  it("may be a single gzip'ed image", async () => {
    const study = makeStudy(1);
    const upload = await sendOne(new Uint8Array(gzipSync(study.files[0]!)));
    expect(upload).toMatchObject({ status: 'delivered', files: [{ kind: 'dicom', status: 'accepted' }] });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });
});

describe('what one upload says of itself', () => {
  it('refuses a study of two patients as a whole, and delivers the study beside it', async () => {
    const studyInstanceUid = newUid();
    const mixed = [
      makeSlice({ studyInstanceUid, patientName: 'Doe^Jane', patientId: 'D-1' }),
      makeSlice({ studyInstanceUid, patientName: 'Roe^Mary', patientId: 'R-2' }),
    ];
    const good = makeStudy(2);
    const upload = await settled(await jane.send([...mixed, ...good.files]));
    expect(upload).toMatchObject({ status: 'delivered', filesRejected: 2 });
    expect(upload.studies.map((study) => study.studyInstanceUid)).toEqual([good.studyInstanceUid]);
    const warning = upload.warnings.find(({ code }) => code === 'MIXED_PATIENTS');
    expect(warning?.message).toMatch(/Doe, Jane.*Roe, Mary/);
    expect(await orthancDigests(orthanc, studyInstanceUid)).toEqual(new Map());
  });

  it('lists junk beside images without fuss', async () => {
    const study = makeStudy(2);
    const text = new TextEncoder().encode('notes');
    const upload = await settled(await jane.send([...study.files, text]));
    expect(upload).toMatchObject({ status: 'delivered', filesRejected: 0, filesIgnored: 1 });
    expect(codes(upload.warnings)).toEqual([]);
  });

  it('says where the headers differ from what was entered', async () => {
    const study = makeStudy(1, { patientName: 'Doe^Jane', patientId: 'D-7' });
    const upload = await settled(
      await jane.send(study.files, { patientName: 'Roe, Jane', patientId: 'D-8', modality: 'MR' }),
    );
    const [{ warnings } = { warnings: [] }] = upload.studies;
    expect(codes(warnings)).toEqual(
      expect.arrayContaining(['MODALITY_MISMATCH', 'PATIENT_ID_MISMATCH', 'PATIENT_NAME_MISMATCH']),
    );
    expect(warnings.find(({ code }) => code === 'PATIENT_NAME_MISMATCH')?.message).toBe(
      'The file says Doe^Jane, you entered Roe, Jane.',
    );
  });
});

describe('an image with a known fault', () => {
  it('is repaired, and arrives with nothing else changed', async () => {
    const sopInstanceUid = newUid();
    const studyInstanceUid = newUid();
    const options = { sopInstanceUid, studyInstanceUid, seriesInstanceUid: newUid() };
    const preamble = new Uint8Array(128).fill(0x4d);
    preamble.set(new TextEncoder().encode('MZ'));
    const upload = await sendOne(buildDicom({ ...options, preamble }));
    expect(upload).toMatchObject({ status: 'delivered', files: [{ status: 'accepted' }] });
    expect(upload.files[0]?.findings).toMatchObject([{ code: 'PREAMBLE_EXECUTABLE', tier: 'repair' }]);
    expect(await orthancDigests(orthanc, studyInstanceUid)).toEqual(
      new Map([[sopInstanceUid, sha256(buildDicom(options))]]),
    );
  });
});

describe('images the PACS has already', () => {
  it('are counted and not sent again; others under their identifiers are stopped', async () => {
    const study = makeStudy(4);
    await settled(await jane.send(study.files));
    const again = await settled(await jane.send(study.files));
    expect(again).toMatchObject({
      status: 'delivered',
      instances: { total: 4, verified: 4, alreadyThere: 4 },
    });
    expect(codes(again.studies[0]?.warnings ?? [])).toContain('SENT_BEFORE');
    const [uid = ''] = study.digests.keys();
    const other = makeSlice({
      studyInstanceUid: study.studyInstanceUid,
      sopInstanceUid: uid,
      instanceNumber: 9,
    });
    const conflict = await sendOne(other);
    expect(conflict).toMatchObject({
      status: 'rejected',
      files: [{ status: 'rejected', problem: { code: 'CONFLICTING_INSTANCE' } }],
    });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });
});

/** Agrees with the headers of a made slice, so that only what is missing is in doubt. */
const ASKED = { onDoubt: 'ask', studyDate: '2026-01-05' } as const;

describe('a study of which images are missing', () => {
  const withGap = () => {
    const study = makeStudy(9);
    const missing = study.files.splice(3, 2);
    return { study, missing };
  };

  it('is delivered with a warning unless its sender wants to be asked', async () => {
    const { study } = withGap();
    const upload = await settled(await jane.send(study.files));
    expect(upload.status).toBe('delivered');
    const [warning] = upload.studies[0]?.warnings ?? [];
    expect(warning).toMatchObject({ code: 'INSTANCE_NUMBER_GAP', message: expect.stringMatching(/4.*5/) });
  });

  it('waits for its sender, who sends it as it is', async () => {
    const { study } = withGap();
    const id = await jane.send(study.files, ASKED);
    const waiting = await waitsForSender(id);
    expect(waiting.status).toBe('processing');
    expect(codes(waiting.studies[0]?.warnings ?? [])).toContain('INSTANCE_NUMBER_GAP');
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(new Map());
    for (let round = 0; round < 2; round += 1) {
      expect((await jane.post(`/api/v1/uploads/${id}/confirm`)).status).toBe(202);
    }
    expect(await settled(id)).toMatchObject({
      status: 'delivered',
      waitingFor: null,
      instances: { verified: 7 },
    });
  });

  it('waits for its sender, who adds the missing files', async () => {
    const { study, missing } = withGap();
    const id = await jane.send(study.files, ASKED);
    await waitsForSender(id);
    const totalBytes = missing.reduce((sum, file) => sum + file.length, 0);
    const reopened = await jane.post(`/api/v1/uploads/${id}/reopen`, {
      fileCount: missing.length,
      totalBytes,
    });
    expect(reopened).toMatchObject({ status: 200, body: { id, status: 'uploading' } });
    for (const [i, file] of missing.entries()) {
      const { uploadToken } = reopened.body as { uploadToken: string };
      expect((await jane.createFile({ uploadToken }, file, `more${i}`)).status).toBe(201);
    }
    const upload = await settled(id);
    expect(upload).toMatchObject({ status: 'delivered', fileCount: 9, instances: { verified: 9 } });
    expect(upload.studies[0]?.warnings).toEqual([]);
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });

  it('can be taken back while it waits, and answers only its sender', async () => {
    const { study } = withGap();
    const id = await jane.send(study.files, ASKED);
    await waitsForSender(id);
    const other = await ApiClient.signUp(stack.baseUrl);
    expect((await other.post(`/api/v1/uploads/${id}/confirm`)).status).toBe(404);
    expect((await jane.request('DELETE', `/api/v1/uploads/${id}`)).status).toBe(204);
    expect((await jane.post(`/api/v1/uploads/${id}/confirm`)).body).toMatchObject({
      code: 'UPLOAD_STATE_CONFLICT',
    });
    const more = await jane.post(`/api/v1/uploads/${id}/reopen`, { fileCount: 1, totalBytes: 10 });
    expect(more.body).toMatchObject({ code: 'UPLOAD_STATE_CONFLICT' });
  });

  it('is checked anew when digests that differ are announced while it waits', async () => {
    const { study } = withGap();
    const id = await jane.send(study.files, ASKED);
    const [file] = (await waitsForSender(id)).files;
    const files = [{ id: file?.id, size: file?.size, sha256: '0'.repeat(64) }];
    expect((await jane.post(`/api/v1/uploads/${id}/complete`, { files })).status).toBe(202);
    const again = await jane.waitFor(
      id,
      (upload) => upload.filesRejected === 1 && upload.waitingFor === 'sender',
    );
    expect(again.files[0]?.problem?.code).toBe('TRANSFER_DAMAGED');
  });

  it('may be closed with fewer files than announced, by the word of its sender', async () => {
    const study = makeStudy(2);
    const announced = await jane.announce({ fileCount: 3, totalBytes: 1_000_000 });
    for (const [i, file] of study.files.entries()) await jane.createFile(announced, file, `IM${i}`);
    const complete = (body: object) => jane.post(`/api/v1/uploads/${announced.id}/complete`, body);
    expect((await complete({})).body).toMatchObject({ code: 'FILES_INCOMPLETE' });
    expect((await complete({ sendIncomplete: true })).status).toBe(202);
    const upload = await settled(announced.id);
    expect(upload.status).toBe('delivered');
    expect(codes(upload.warnings)).toEqual(['FEWER_FILES_THAN_ANNOUNCED']);
  });
});
