import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import type { CreateUploadRequest, UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../scripts/test-services.js';
import {
  COLUMNS,
  makeJpeg,
  makeRgbPng,
  ROWS,
  SECRET,
  withMetadata,
} from '../worker/src/wrapping/testing/pictures.js';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';

const SOP_CLASS = {
  photo: '1.2.840.10008.5.1.4.1.1.77.1.4',
  secondaryCapture: '1.2.840.10008.5.1.4.1.1.7',
  pdf: '1.2.840.10008.5.1.4.1.1.104.1',
  basicText: '1.2.840.10008.5.1.4.1.1.88.11',
  ct: '1.2.840.10008.5.1.4.1.1.2',
} as const;

/** Held on its side, with the place it was taken at. */
const CAMERA = { make: 'Phone', takenAt: '2026:01:04 09:08:07' };
const PHOTO = withMetadata(makeJpeg(), { ...CAMERA, orientation: 6 });
/** Held upright: its compressed image goes on unchanged. */
const UPRIGHT_PHOTO = withMetadata(makeJpeg(), CAMERA);
const TRACES = [SECRET, 'Exif\0', 'GPS', 'ns.adobe.com', 'Photoshop'];
const PNG = makeRgbPng();
const HISTORY = 'Sturz aus 3 m Höhe.\nKein Bewusstseinsverlust.';

let folder: string;
let orthanc: Orthanc;
let stack: Stack;
let jane: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaypacs intake-wrapped-'));
  orthanc = await startOrthanc();
  stack = await startStack({ env: pacsVariables(orthanc) });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await stack?.stop();
  await orthanc?.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function sendAll(
  files: ReadonlyArray<Uint8Array>,
  given: Partial<CreateUploadRequest> = {},
): Promise<UploadDetail> {
  const id = await jane.send(files, given);
  return jane.waitFor(id, ({ status }) => ['delivered', 'rejected', 'failed'].includes(status), 60_000);
}

/** An object as Orthanc has it. */
interface HeldObject {
  tags: Record<string, string>;
  bytes: Buffer;
}

/** What Orthanc has of a study, by SOP Class UID. */
async function heldObjects(studyInstanceUid: string): Promise<Map<string, HeldObject[]>> {
  const query = { Level: 'Instance', Query: { StudyInstanceUID: studyInstanceUid } };
  const found = await orthanc.rest('/tools/find', { method: 'POST', body: JSON.stringify(query) });
  const objects = new Map<string, HeldObject[]>();
  for (const id of (await found.json()) as string[]) {
    const [tags, file] = await Promise.all(
      ['simplified-tags', 'file'].map((what) => orthanc.rest(`/instances/${id}/${what}`)),
    );
    const object = {
      tags: (await tags!.json()) as Record<string, string>,
      bytes: Buffer.from(await file!.arrayBuffer()),
    };
    const sopClass = String(object.tags.SOPClassUID);
    objects.set(sopClass, [...(objects.get(sopClass) ?? []), object]);
  }
  return objects;
}

/** What David Clunie's validator calls an error; its exit code does not tell. */
async function errorsOf({ bytes }: HeldObject): Promise<string[]> {
  const program = findProgram('dciodvfy');
  if (!program) throw new Error('dciodvfy is missing (Debian package dicom3tools).');
  const file = path.join(folder, 'object.dcm');
  await writeFile(file, bytes);
  const { stdout, stderr } = await promisify(execFile)(program, [file]).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  const lines = `${stdout}${stderr}`.split('\n');
  // It names what it takes the object for, or it has not looked at it at all.
  expect(lines.length).toBeGreaterThan(1);
  return lines.filter((line) => line.startsWith('Error'));
}

const codes = (warnings: ReadonlyArray<{ code: string }>) => warnings.map(({ code }) => code);
const only = (objects: Map<string, HeldObject[]>, sopClass: string) => {
  const found = objects.get(sopClass) ?? [];
  expect(found).toHaveLength(1);
  return found[0]!;
};

describe('a photo, a picture and a clinical history without a study', () => {
  const sent = {
    patientName: 'Müller, Änne',
    patientId: 'M-1',
    patientBirthDate: '1970-01-02',
    patientSex: 'F',
    studyDate: '2026-01-05',
    modality: 'XC',
    clinicalHistory: HISTORY,
  } as const;
  let upload: UploadDetail;
  let objects: Map<string, HeldObject[]>;

  beforeAll(async () => {
    upload = await sendAll([PHOTO, PNG], sent);
    objects = await heldObjects(String(upload.studies[0]?.studyInstanceUid));
  });

  it('become one study of four objects: VL Photographic, Secondary Capture, PDF and SR', () => {
    expect(upload).toMatchObject({
      status: 'delivered',
      instances: { total: 4, verified: 4 },
      studies: [{ patientName: 'Müller, Änne', patientId: 'M-1', patientBirthDate: '1970-01-02' }],
    });
    expect(upload.files).toMatchObject([
      { kind: 'image', status: 'accepted' },
      { kind: 'image', status: 'accepted' },
    ]);
    const modalities = [...objects].map(([sopClass, found]) => [
      sopClass,
      found.map(({ tags }) => tags.Modality),
    ]);
    expect(new Map(modalities as [string, string[]][])).toEqual(
      new Map([
        [SOP_CLASS.photo, ['XC']],
        [SOP_CLASS.secondaryCapture, ['OT']],
        [SOP_CLASS.pdf, ['DOC']],
        [SOP_CLASS.basicText, ['SR']],
      ]),
    );
  });

  it('name the announced patient, in UTF-8', () => {
    for (const { tags } of [...objects.values()].flat()) {
      expect(tags).toMatchObject({
        SpecificCharacterSet: 'ISO_IR 192',
        PatientName: 'Müller^Änne',
        PatientID: 'M-1',
        PatientBirthDate: '19700102',
        PatientSex: 'F',
        StudyDate: '20260105',
      });
    }
  });

  it('hold nothing of where the photo was taken', () => {
    for (const { bytes } of [...objects.values()].flat()) {
      expect(TRACES.filter((trace) => bytes.includes(trace))).toEqual([]);
    }
    expect(TRACES.filter((trace) => Buffer.from(PHOTO).includes(trace))).toContain(SECRET);
  });

  it('show the photo upright', () => {
    expect(only(objects, SOP_CLASS.photo).tags).toMatchObject({
      Rows: String(COLUMNS),
      Columns: String(ROWS),
    });
    expect(only(objects, SOP_CLASS.secondaryCapture).tags).toMatchObject({
      Rows: String(ROWS),
      Columns: String(COLUMNS),
    });
  });

  it('carry the words of the clinical history', () => {
    expect(only(objects, SOP_CLASS.basicText).bytes.includes('Sturz aus 3 m Höhe.')).toBe(true);
    expect(only(objects, SOP_CLASS.pdf).bytes.includes('%PDF-')).toBe(true);
  });

  it('pass dciodvfy', async () => {
    for (const object of [...objects.values()].flat()) expect(await errorsOf(object)).toEqual([]);
  });
});

describe('a photo', () => {
  it('sent together with a study joins it, with the patient the study is of', async () => {
    const study = makeStudy(2, {
      patientName: 'Grün^Ängela',
      patientId: 'G-7',
      patientBirthDate: '19800203',
      accessionNumber: 'A-77',
    });
    const upload = await sendAll([...study.files, UPRIGHT_PHOTO], { patientName: 'Grün, Ängela' });
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 3, verified: 3 } });
    expect(upload.studies.map(({ studyInstanceUid }) => studyInstanceUid)).toEqual([study.studyInstanceUid]);
    const photo = only(await heldObjects(study.studyInstanceUid), SOP_CLASS.photo);
    expect(photo.tags).toMatchObject({
      PatientName: 'Grün^Ängela',
      PatientID: 'G-7',
      PatientBirthDate: '19800203',
      AccessionNumber: 'A-77',
    });
    expect(TRACES.filter((trace) => photo.bytes.includes(trace))).toEqual([]);
    expect(await errorsOf(photo)).toEqual([]);
  });

  it("sent together with another patient's study stays out of it", async () => {
    const study = makeStudy(2, { patientName: 'Grün^Ängela', patientId: 'G-9' });
    const upload = await sendAll([...study.files, UPRIGHT_PHOTO], {
      patientName: 'Roe^Mary',
      patientId: 'R-1',
    });
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 3, verified: 3 } });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
    const own = upload.studies.find(({ studyInstanceUid }) => studyInstanceUid !== study.studyInstanceUid);
    expect(own).toMatchObject({ patientId: 'R-1', modalities: ['XC'] });
    expect(codes(upload.warnings)).toEqual(['SEVERAL_PATIENTS']);
  });

  it('goes into the study that was announced, which the PACS has already', async () => {
    const patient = { patientName: 'Grün^Ängela', patientId: 'G-8' };
    const study = makeStudy(2, patient);
    await sendAll(study.files, patient);
    const upload = await sendAll([PHOTO], { ...patient, studyInstanceUid: study.studyInstanceUid });
    expect(upload).toMatchObject({
      status: 'delivered',
      instances: { total: 1, verified: 1 },
      studies: [{ studyInstanceUid: study.studyInstanceUid }],
    });
    const objects = await heldObjects(study.studyInstanceUid);
    expect(objects.get(SOP_CLASS.ct)).toHaveLength(2);
    expect(only(objects, SOP_CLASS.photo).tags).toMatchObject({
      PatientName: 'Grün^Ängela',
      PatientID: 'G-8',
    });
  });

  it('of another patient than the announced study is of in the PACS is not added to it', async () => {
    const patient = { patientName: 'Doe^Jane', patientId: 'D-9' };
    const study = makeStudy(1, patient);
    await sendAll(study.files, patient);
    const { studyInstanceUid } = study;
    const upload = await sendAll([PHOTO], { patientName: 'Roe^Mary', patientId: 'R-9', studyInstanceUid });
    expect(upload).toMatchObject({
      status: 'rejected',
      files: [{ kind: 'image', status: 'rejected', problem: { code: 'STUDY_OF_ANOTHER_PATIENT' } }],
      studies: [],
    });
    expect(await orthancDigests(orthanc, studyInstanceUid)).toEqual(study.digests);
    // What belongs to the study is added to it as before.
    const more = makeStudy(1, { ...patient, studyInstanceUid }).files;
    expect(await sendAll(more, patient)).toMatchObject({ status: 'delivered', instances: { verified: 1 } });
  });

  it('that is cut off is rejected with a reason, and the study beside it goes on', async () => {
    const study = makeStudy(2);
    const upload = await sendAll([...study.files, PHOTO.subarray(0, PHOTO.length / 3)]);
    expect(upload).toMatchObject({
      status: 'delivered',
      filesRejected: 1,
      instances: { total: 2, verified: 2 },
    });
    const [rejected] = upload.files.filter(({ status }) => status === 'rejected');
    expect(rejected).toMatchObject({ kind: 'image', problem: { code: expect.stringMatching(/^IMAGE_/) } });
    expect(rejected?.problem?.detail).toMatch(/\.$/);
    const alone = await sendAll([makeJpeg().subarray(0, 400)]);
    expect(alone).toMatchObject({ status: 'rejected', problem: { code: 'NO_USABLE_FILES' }, studies: [] });
  });

  it('that lies in an archive of images belongs to a viewer, and is left out', async () => {
    const study = makeStudy(2);
    const images = study.files.map((content, i) => ({ path: `DISC/IM${i}`, content, deflate: true }));
    const upload = await sendAll([buildZip([...images, { path: 'DISC/HELP/logo.png', content: PNG }])]);
    expect(upload).toMatchObject({ status: 'delivered', filesRejected: 0, filesIgnored: 1 });
    expect(upload.files[0]?.contents?.entries).toMatchObject([
      {
        path: 'DISC/HELP/logo.png',
        kind: 'image',
        status: 'ignored',
        problem: { code: 'IMAGE_BESIDE_STUDY' },
      },
    ]);
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });
});

describe('a clinical history', () => {
  const announced = { patientName: 'Doe, Jane', patientId: 'D-1', clinicalHistory: HISTORY };
  const studiesOfTwo = () => [
    makeStudy(2, { patientName: 'Doe^Jane', patientId: 'D-1' }),
    makeStudy(2, { patientName: 'Roe^Mary', patientId: 'R-2' }),
  ];

  it("goes only into the announced patient's study when the upload holds another patient's too", async () => {
    const [own, other] = studiesOfTwo();
    const upload = await sendAll([...own!.files, ...other!.files], announced);
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 6, verified: 6 } });
    const objects = await heldObjects(own!.studyInstanceUid);
    expect(only(objects, SOP_CLASS.pdf).tags).toMatchObject({ PatientName: 'Doe^Jane', PatientID: 'D-1' });
    expect(only(objects, SOP_CLASS.basicText).tags).toMatchObject({ PatientName: 'Doe^Jane' });
    expect(await orthancDigests(orthanc, other!.studyInstanceUid)).toEqual(other!.digests);
  });

  it('goes nowhere, and says so, when neither study is of the announced patient', async () => {
    const [own, other] = studiesOfTwo();
    const stranger = { ...announced, patientName: 'Poe, Paul', patientId: 'P-3' };
    const upload = await sendAll([...own!.files, ...other!.files], stranger);
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 4, verified: 4 } });
    expect(codes(upload.warnings).sort()).toEqual(['NOTE_NOT_ATTACHED', 'SEVERAL_PATIENTS']);
  });

  it('becomes no object where the operator wants none', async () => {
    await stack.worker.stop();
    const quiet = await stack.addWorker({ CLINICAL_NOTE: 'none' });
    try {
      const slice = makeStudy(1, { patientName: 'Doe^Jane', patientId: 'D-1' });
      const upload = await sendAll([...slice.files, PHOTO], announced);
      expect(upload).toMatchObject({
        status: 'delivered',
        clinicalHistory: HISTORY,
        instances: { total: 2, verified: 2 },
      });
      const objects = await heldObjects(slice.studyInstanceUid);
      expect([...objects.keys()].sort()).toEqual([SOP_CLASS.ct, SOP_CLASS.photo].sort());
    } finally {
      await quiet.stop();
      await stack.worker.start();
    }
  });
});
