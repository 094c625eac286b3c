import { describe, expect, it } from 'vitest';
import type { FoundStudy } from './reconciliation.js';
import { reconcile } from './reconciliation.js';

const found: FoundStudy = {
  patientName: 'Doe^Jane',
  patientId: 'P-1',
  patientBirthDate: '1970-05-06',
  patientSex: 'F',
  studyDate: '2026-01-05',
  studyInstanceUid: '1.2.3',
  modalities: ['CT', 'SR'],
};

describe('what was entered', () => {
  it('and agrees with the images is no cause for a warning', () => {
    const announced = {
      patientName: 'jane doe',
      patientId: 'p-1 ',
      patientBirthDate: '19700506',
      patientSex: 'f',
      studyDate: '2026-01-05',
      modality: 'ct',
      studyInstanceUid: '1.2.3',
    };
    expect(reconcile(announced, found)).toEqual([]);
  });

  it.each([
    ['PATIENT_NAME_MISMATCH', { patientName: 'Roe, Jane' }, 'The file says Doe^Jane, you entered Roe, Jane.'],
    ['PATIENT_ID_MISMATCH', { patientId: 'P-2' }, 'The file says patient ID P-1, you entered P-2.'],
    [
      'BIRTH_DATE_MISMATCH',
      { patientBirthDate: '1970-06-05' },
      'The file says date of birth 1970-05-06, you entered 1970-06-05.',
    ],
    ['SEX_MISMATCH', { patientSex: 'M' }, 'The file says sex F, you entered M.'],
    [
      'STUDY_DATE_MISMATCH',
      { studyDate: '2026-01-06' },
      'The file says study date 2026-01-05, you entered 2026-01-06.',
    ],
    ['MODALITY_MISMATCH', { modality: 'MR' }, 'The file says modality CT, you entered MR.'],
    [
      'STUDY_UID_MISMATCH',
      { studyInstanceUid: '1.2.4' },
      'The file says Study Instance UID 1.2.3, you entered 1.2.4.',
    ],
  ])('and contradicts the images leads to %s', (code, announced, message) => {
    expect(reconcile(announced, found)).toEqual([{ code, message }]);
  });

  it('is compared only where both sides say something', () => {
    expect(reconcile({}, found)).toEqual([]);
    expect(reconcile({ patientName: '', patientId: ' ', patientSex: '' }, found)).toEqual([]);
    const full = {
      patientName: 'Roe',
      patientId: '9',
      patientSex: 'O',
      studyDate: '2026-01-01',
      modality: 'MR',
    };
    expect(reconcile(full, { modalities: [] })).toEqual([]);
  });

  it('as Unknown contradicts nothing', () => {
    expect(reconcile({ patientName: 'Unknown', patientId: 'unknown' }, found)).toEqual([]);
    expect(reconcile({ patientName: 'Doe, Jane' }, { ...found, patientName: 'ANONYMOUS' })).toEqual([]);
  });

  it.each([
    ['OT', ['CT']],
    ['SR', ['CT']],
    ['DX', ['CR']],
    ['PT', ['CT', 'PT']],
    ['CT', ['SR', 'OT']],
  ])('as modality %s fits images of %j', (modality, modalities) => {
    expect(reconcile({ modality }, { modalities })).toEqual([]);
  });

  it('names all modalities that there are', () => {
    expect(reconcile({ modality: 'MG' }, { modalities: ['CT', 'PT', 'CT', 'KO'] })[0]?.message).toBe(
      'The file says modality CT, PT, you entered MG.',
    );
  });

  it('is cut where a file is hostile', () => {
    const [warning] = reconcile({ patientName: 'Roe' }, { patientName: 'x'.repeat(16_000), modalities: [] });
    expect(warning?.message.length).toBeLessThan(150);
  });
});
