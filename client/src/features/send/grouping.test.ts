import { buildDicom, type DicomOptions, makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it } from 'vitest';
import { inspectFile } from '../../workers/inspect-file.js';
import { announcementOf, type StudyDetails } from './announcement.js';
import { groupStudies, type InspectedFile } from './grouping.js';

async function inspected(path: string, bytes: Uint8Array): Promise<InspectedFile> {
  const file = new File([bytes.slice()], path.slice(path.lastIndexOf('/') + 1));
  return { file, path, inspection: await inspectFile(file, file.name) };
}

const slice = (path: string, options: DicomOptions = {}) => inspected(path, buildDicom(options));

it('sorts files into studies and counts their series', async () => {
  const ct = { studyInstanceUid: newUid(), patientName: 'Roe^Richard', modality: 'CT' };
  const mr = { studyInstanceUid: newUid(), patientName: 'Doe^Jane', modality: 'MR', studyDate: '20260114' };
  const series = newUid();
  const { studies } = groupStudies([
    await slice('a/1', { ...ct, seriesInstanceUid: series }),
    await slice('b/1', mr),
    await slice('a/2', { ...ct, seriesInstanceUid: series }),
    await slice('a/3', ct),
  ]);
  expect(studies.map((study) => [study.patientName, study.files.length, study.seriesCount])).toEqual([
    ['Doe, Jane', 1, 1],
    ['Roe, Richard', 3, 2],
  ]);
  expect(studies[0]).toMatchObject({
    key: mr.studyInstanceUid,
    modalities: ['MR'],
    header: { studyDate: '2026-01-14' },
  });
  expect(studies[1]?.totalBytes).toBe(studies[1]?.files.reduce((sum, { file }) => sum + file.size, 0));
});

it('takes a file once however often it was picked, and two slices of one name twice', async () => {
  const study = { studyInstanceUid: newUid() };
  const once = makeSlice(study);
  const { studies, others } = groupStudies([
    await inspected('CD/IM1', once),
    await inspected('copy of CD/IM1', once),
    await slice('S1/IM1', study),
    await slice('S2/IM1', study),
    await inspected('notes.txt', Buffer.from('hello')),
    await inspected('notes.txt', Buffer.from('hello')),
  ]);
  expect(studies[0]?.files.map(({ path }) => path)).toEqual(['CD/IM1', 'S1/IM1', 'S2/IM1']);
  expect(others).toHaveLength(1);
});

it('keeps damaged images out of what is sent and says in which study and why', async () => {
  const study = { studyInstanceUid: newUid() };
  const { studies, damaged } = groupStudies([
    await slice('1', study),
    await slice('2', { ...study, truncateTo: 1500 }),
    await slice('3', { studyInstanceUid: newUid(), truncateTo: 1500 }),
  ]);
  expect(studies).toHaveLength(1);
  expect(studies[0]?.files.map(({ path }) => path)).toEqual(['1']);
  expect(studies[0]?.damaged).toEqual([{ path: '2', reason: expect.stringMatching(/ends too early/) }]);
  expect(damaged.map(({ path }) => path)).toEqual(['3']);
});

it('leaves out what could only be delivered edited', async () => {
  const preamble = new Uint8Array(128);
  preamble.set([0x4d, 0x5a]);
  const { studies, damaged } = groupStudies([await slice('1', { preamble })]);
  expect(studies).toEqual([]);
  expect(damaged[0]?.reason).toMatch(/program/);
});

it('says of everything else why it is left out', async () => {
  const { studies, others } = groupStudies([
    await inspected('report.pdf', Buffer.from('%PDF-1.4')),
    await inspected('empty.dcm', new Uint8Array(0)),
    await inspected('study.zip', Buffer.from('PK\x03\x04')),
    await inspected('photo.JPG', Buffer.from([0xff, 0xd8])),
  ]);
  expect(studies).toEqual([]);
  expect(others.map(({ reason }) => reason)).toEqual([
    'This is not a DICOM file.',
    'The file is empty.',
    expect.stringMatching(/unpack it first/),
    expect.stringMatching(/Photos/),
  ]);
  expect(others.map(({ empty }) => empty)).toEqual([false, true, false, false]);
});

it('names the modality of the images, not that of a report beside them', async () => {
  const study = { studyInstanceUid: newUid() };
  const { studies } = groupStudies([
    await slice('1', { ...study, modality: 'SR' }),
    await slice('2', { ...study, modality: 'SR' }),
    await slice('3', { ...study, modality: 'PT' }),
    await slice('4', { ...study, modality: 'CT' }),
    await slice('5', { ...study, modality: 'CT' }),
  ]);
  expect(studies[0]?.modalities).toEqual(['CT', 'PT', 'SR']);
  expect(studies[0]?.header.modality).toBe('CT');
});

it('notices when the images of one study name different patients', async () => {
  const study = { studyInstanceUid: newUid() };
  const same = groupStudies([
    await slice('1', { ...study, patientId: 'A', patientName: 'Doe^Jane' }),
    await slice('2', { ...study, patientId: 'A', patientName: 'DOE^JANE' }),
  ]);
  expect(same.studies[0]?.patients).toEqual([]);
  const mixed = groupStudies([
    await slice('1', { ...study, patientId: 'A', patientName: 'Doe^Jane' }),
    await slice('2', { ...study, patientId: 'B', patientName: 'Roe^Richard' }),
  ]);
  expect(mixed.studies[0]?.patients).toEqual(['Doe, Jane', 'Roe, Richard']);
});

const DETAILS: StudyDetails = {
  patientName: 'Doe, Jane',
  studyDate: '2026-01-14',
  modality: 'CT',
  serviceLevel: 'stat',
  clinicalHistory: '  Fall from a ladder.\nHeadache.  ',
};

it('announces a study with what its headers say', async () => {
  const uid = newUid();
  const { studies } = groupStudies([
    await slice('1', {
      studyInstanceUid: uid,
      patientId: 'P-7',
      patientBirthDate: '19700301',
      patientSex: 'F',
    }),
  ]);
  expect(announcementOf(studies[0]!, DETAILS).request).toEqual({
    patientName: 'Doe, Jane',
    studyDate: '2026-01-14',
    modality: 'CT',
    serviceLevel: 'stat',
    fileCount: 1,
    totalBytes: studies[0]!.totalBytes,
    patientId: 'P-7',
    patientBirthDate: '1970-03-01',
    patientSex: 'F',
    studyDescription: 'Test study',
    clinicalHistory: 'Fall from a ladder.\nHeadache.',
    studyInstanceUid: uid,
  });
});

it('leaves out optional header values the contract does not take instead of blocking the study', async () => {
  const { studies } = groupStudies([
    await slice('1', { patientId: 'x'.repeat(80), patientSex: 'N', studyDescription: '' }),
  ]);
  const { request } = announcementOf(studies[0]!, DETAILS);
  expect(request).toBeDefined();
  for (const field of ['patientId', 'patientSex', 'studyDescription'])
    expect(request).not.toHaveProperty(field);
});

it('asks for what is required and missing, field by field', async () => {
  const { studies } = groupStudies([await slice('1')]);
  const { errors } = announcementOf(studies[0]!, {
    ...DETAILS,
    patientName: ' ',
    studyDate: '2026-02-30',
    modality: 'c t',
  });
  expect(errors).toEqual({
    patientName: 'Enter the name of the patient.',
    studyDate: expect.stringMatching(/YYYY-MM-DD/),
    modality: expect.stringMatching(/CT, MR/),
  });
});
