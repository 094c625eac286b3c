import { describe, expect, it } from 'vitest';
import { areNamesCompatible, isPlaceholder, normalisedNameWords } from './patient-name.js';
import { mixedPatients, patientsOf } from './patients.js';

const jane = { patientId: '1', patientName: 'Doe^Jane', patientBirthDate: '1970-05-06' };

describe('names', () => {
  it.each([
    ['Doe^Jane', 'jane doe'],
    ['Doe^Jane', 'Doe, Jane'],
    ['Doe^Jane', 'Doe'],
    ['Doe^Jane^Mary', 'Doe^Jane'],
    ['Doe^Jane^M', 'Doe^Jane^Mary'],
    ['Doe^J', 'Doe^Jane'],
    ['Doe^Jane^^Dr', 'Doe^Jane^Mary'],
    ['Müller^Jürgen', 'MULLER JURGEN'],
    ['Müller^Jürgen', 'Mueller, Juergen'],
    ["O'Brien^Pat", 'OBrien^Pat'],
    ['Doe^Anne-Marie', 'Doe^Annemarie'],
    ['van der Berg^Jan', 'Vanderberg^Jan'],
    ['Yamada^Tarou=山田^太郎', 'Yamada^Tarou'],
    ['山田^太郎', 'Yamada^Tarou'],
    ['=山田^太郎', '山田^太郎'],
    ['Unknown', 'Doe^Jane'],
    ['', 'Doe^Jane'],
    ['NO NAME', 'Doe^Jane'],
    ['^^^^', 'Doe^Jane'],
  ])('%s and %s may be one', (one, other) => {
    expect(areNamesCompatible(one, other)).toBe(true);
    expect(areNamesCompatible(other, one)).toBe(true);
  });

  it.each([
    ['Doe^Jane', 'Roe^Jane'],
    ['Doe^Jane', 'Doe^John'],
    ['Doe^John^^^Jr', 'Doe^John^^^Sr'],
    ['Trauma^Alpha', 'Doe^Jane'],
    ['Doe^Jane', '12345'],
    ['山田^太郎', '王^小东'],
  ])('%s and %s are two', (one, other) => {
    expect(areNamesCompatible(one, other)).toBe(false);
    expect(areNamesCompatible(other, one)).toBe(false);
  });

  it('are taken apart as the search for a known study does', () => {
    expect(normalisedNameWords('Doe^Zoë-Ann=山田')).toEqual(['doe', 'zoe', 'ann']);
    expect(normalisedNameWords('=山田^太郎=やまだ')).toEqual(['山田', '太郎']);
    expect(normalisedNameWords('=^= ')).toEqual([]);
  });

  it.each(['Unknown', 'UNKNOWN^UNKNOWN', 'Anonymous', 'No^Name', 'n/a', '', '???'])(
    '%s stands for no name',
    (name) => {
      expect(isPlaceholder(name)).toBe(true);
    },
  );

  it('of a hostile length are compared soon', () => {
    const one = 'a b '.repeat(100_000);
    const startedAt = performance.now();
    areNamesCompatible(one, `${'b a '.repeat(100_000)}c`);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

describe('a study', () => {
  it('of one patient is no mix', () => {
    expect(
      patientsOf([jane, jane, { ...jane, patientName: 'DOE^JANE' }, { ...jane, patientId: ' 1 ' }]),
    ).toEqual({ mixed: undefined, warnings: [] });
    expect(patientsOf([])).toEqual({ mixed: undefined, warnings: [] });
    expect(patientsOf([{}, {}])).toEqual({ mixed: undefined, warnings: [] });
    expect(patientsOf([jane, {}, { patientName: 'Doe' }, { patientId: '1' }]).mixed).toBeUndefined();
  });

  it.each([
    ['two IDs and names', jane, { ...jane, patientId: '2', patientName: 'Roe^Richard' }],
    ['two IDs and no names', { patientId: '1' }, { patientId: '2' }],
    ['two IDs and placeholders', { patientId: '1', patientName: 'Unknown' }, { patientId: '2' }],
    ['IDs that differ by a zero', { patientId: '01' }, { patientId: '1' }],
    ['two names without an ID', { patientName: 'Doe^Jane' }, { patientName: 'Roe^Jane' }],
    [
      'two names under a placeholder',
      { ...jane, patientId: 'ANON' },
      { patientId: 'ANON', patientName: 'Roe' },
    ],
    ['two IDs and dates of birth', jane, { ...jane, patientId: '2', patientBirthDate: '1980-05-06' }],
    [
      'two names and dates under one ID',
      jane,
      { ...jane, patientName: 'Roe', patientBirthDate: '1980-05-06' },
    ],
  ])('with %s is a mix', (_name, one, other) => {
    expect(mixedPatients([one, other])).toHaveLength(2);
    expect(mixedPatients([other, one])).toHaveLength(2);
  });

  it('that is a mix names the patients as people read them', () => {
    expect(mixedPatients([{ patientId: '2', patientName: 'Roe^Richard' }, jane])).toEqual([
      'Doe, Jane (ID 1)',
      'Roe, Richard (ID 2)',
    ]);
    expect(
      mixedPatients([{ patientName: 'Doe^Jane', patientBirthDate: '1970-05-06' }, { patientName: 'Roe' }]),
    ).toEqual(['Doe, Jane (born 1970-05-06)', 'Roe']);
  });

  it.each([
    ['PATIENT_ID_DIFFERS', { ...jane, patientId: '2' }],
    ['PATIENT_ID_DIFFERS', { patientId: '2', patientName: 'Doe' }],
    ['PATIENT_NAME_DIFFERS', { patientId: '1', patientName: 'Trauma^Alpha', patientBirthDate: '1900-01-01' }],
    ['PATIENT_BIRTH_DATE_DIFFERS', { ...jane, patientBirthDate: '1970-06-05' }],
  ])('with %s may be one patient, which is worth a look', (code, other) => {
    for (const instances of [
      [jane, other],
      [other, jane, other],
    ]) {
      const { mixed, warnings } = patientsOf(instances);
      expect(mixed).toBeUndefined();
      expect(warnings.map((warning) => warning.code)).toEqual([code]);
    }
  });

  it('is not joined to a mix by images that could be anyone', () => {
    const roe = { patientId: '2', patientName: 'Roe^Richard' };
    expect(mixedPatients([{}, { patientName: 'Unknown' }, jane, roe])).toEqual([
      'Doe, Jane (ID 1)',
      'Roe, Richard (ID 2)',
    ]);
  });

  it('of thousands of patients is found out soon', () => {
    const crowd = Array.from({ length: 5_000 }, (_, i) => ({ patientId: `P${i}` }));
    const startedAt = performance.now();
    expect(mixedPatients(crowd)).toHaveLength(10);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
