import type { FileFinding } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import {
  contentsWords,
  fileWords,
  isDamaged,
  leftOutWords,
  reasonOf,
  remarksOf,
  unlisted,
} from './file-words.js';

const file = { kind: 'dicom', status: 'accepted', size: 512_000 } as const;
const problem = { code: 'DICOMDIR', title: 'x', detail: 'This is the table of contents of a disc.' };
const findings: FileFinding[] = [
  { code: 'NO_PREAMBLE', tier: 'repair', message: 'The file lacks the usual header.' },
  { code: 'PRIVATE_SOP_CLASS', tier: 'warn', message: 'Only its manufacturer knows it.' },
  { code: 'PIXEL_LENGTH', tier: 'reject', message: 'Part of the image is missing.' },
];

it('says what became of a file, what it is, and how large', () => {
  expect(fileWords(file)).toBe('Accepted, DICOM image, 512 KB');
  expect(fileWords({ ...file, kind: 'image' })).toContain('photo');
  expect(fileWords({ ...file, kind: 'dicomdir', status: 'ignored', size: 0 })).toBe(
    'Left out, table of contents, 0 B',
  );
  expect(fileWords({ kind: null, status: 'uploading', size: null })).toBe('Arriving');
});

it('gives a reason for every file that does not go on, and for no other', () => {
  expect(reasonOf({ ...file, findings })).toBeUndefined();
  expect(reasonOf({ ...file, status: 'ignored', problem, findings: [] })).toBe(problem.detail);
  expect(reasonOf({ ...file, status: 'rejected', findings })).toBe('Part of the image is missing.');
  expect(reasonOf({ ...file, status: 'rejected', findings: [] })).toBe('The file was not accepted.');
  expect(reasonOf({ ...file, status: 'ignored', findings: [] })).toBe('It does not belong to the images.');
});

it('is quiet about what is for programs only', () => {
  const note: FileFinding = { code: 'NO_ACCESSION_NUMBER', tier: 'note', message: 'It is missing.' };
  expect(remarksOf({ status: 'accepted', findings: [note] })).toEqual({ repairs: [], warnings: [] });
});

it('keeps repairs and remarks apart, and speaks of neither where the file did not go on', () => {
  expect(remarksOf({ status: 'accepted', findings })).toEqual({
    repairs: ['The file lacks the usual header.'],
    warnings: ['Only its manufacturer knows it.'],
  });
  expect(remarksOf({ status: 'rejected', findings })).toEqual({ repairs: [], warnings: [] });
});

it('advises another export only where that can help', () => {
  expect(isDamaged({ problem: { ...problem, code: 'PIXEL_LENGTH' } })).toBe(true);
  expect(isDamaged({ problem: { ...problem, code: 'CONFLICTING_COPY' } })).toBe(false);
  expect(isDamaged({ problem: { ...problem, code: 'IMAGE_UNSUPPORTED' } })).toBe(false);
});

it('says calmly what was left out', () => {
  expect(leftOutWords([{ kind: 'other' }, { kind: 'dicomdir' }, { kind: 'other' }])).toBe(
    '3 files were left out: they are no images',
  );
  expect(leftOutWords([{ kind: 'other' }])).toBe('1 file was left out: it is no image');
  expect(leftOutWords([{ kind: 'other' }, { kind: 'image' }])).toBe(
    '2 files were left out: they do not belong to the study',
  );
});

it('sums up what an archive held', () => {
  expect(contentsWords({ accepted: 1200, rejected: 2, ignored: 5 })).toBe(
    '1,200 accepted, 2 not accepted, 5 left out',
  );
  expect(contentsWords({ accepted: 3, rejected: 0, ignored: 0 })).toBe('3 accepted');
  expect(contentsWords({ accepted: 0, rejected: 0, ignored: 0 })).toBe('nothing');
});

it('counts what an archive held beyond the entries that are told', () => {
  const entry = { path: 'a', size: 1, kind: 'other', findings } as const;
  const entries = [
    { ...entry, status: 'rejected' as const },
    { ...entry, status: 'accepted' as const },
  ];
  expect(unlisted({ accepted: 9, rejected: 3, ignored: 2, entries })).toBe(4);
  expect(unlisted({ accepted: 9, rejected: 1, ignored: 0, entries })).toBe(0);
});
