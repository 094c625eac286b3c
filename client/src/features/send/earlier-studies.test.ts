import type { UploadDetail, UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import { earlierStudiesOf, mayHoldStudies, studyWords, uploadWords } from './earlier-studies.js';

const upload = {
  id: 'u1',
  patientName: 'Doe, Jane',
  patientId: 'announced',
  studyDate: '2026-01-14',
  modality: 'CT',
  studies: [
    {
      studyInstanceUid: '1.2.3',
      patientName: 'Doe^Jane',
      patientId: '42',
      patientBirthDate: '1970-03-01',
      patientSex: 'F',
      studyDate: '2026-01-13',
      studyDescription: 'Head',
      modalities: ['CT', 'SR'],
    },
    {
      studyInstanceUid: '1.2.4',
      patientName: null,
      patientId: null,
      patientBirthDate: null,
      patientSex: null,
      studyDate: null,
      studyDescription: null,
      modalities: [],
    },
  ],
} as unknown as UploadDetail;

it('takes over what the images say, and of the announcement only what has to be there', () => {
  expect(earlierStudiesOf(upload)).toEqual([
    {
      uploadId: 'u1',
      studyInstanceUid: '1.2.3',
      patientName: 'Doe^Jane',
      patientId: '42',
      patientBirthDate: '1970-03-01',
      patientSex: 'F',
      studyDate: '2026-01-13',
      studyDescription: 'Head',
      modalities: 'CT, SR',
    },
    {
      uploadId: 'u1',
      studyInstanceUid: '1.2.4',
      patientName: 'Doe, Jane',
      studyDate: '2026-01-14',
      modalities: 'CT',
    },
  ]);
});

it('names an upload and its studies in one line', () => {
  expect(uploadWords({ ...upload, studyDescription: null })).toBe('Doe, Jane · CT · 14 Jan 2026');
  expect(earlierStudiesOf(upload).map(studyWords)[0]).toBe('Doe, Jane · CT, SR · 13 Jan 2026 · Head');
});

it('passes over uploads that came to nothing', () => {
  const may = (status: UploadSummary['status']) => mayHoldStudies({ ...upload, status });
  expect([may('delivered'), may('processing'), may('failed')]).toEqual([true, true, true]);
  expect([may('uploading'), may('cancelled'), may('rejected'), may('expired')]).toEqual([
    false,
    false,
    false,
    false,
  ]);
});
