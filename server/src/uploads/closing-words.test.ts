import type { LeftInPacs } from '@relaypacs/core/db/left-in-pacs.js';
import { expect, it } from 'vitest';
import { closedProblem, closedStudyProblem } from './closing-words.js';

const left = (more: Partial<LeftInPacs>): LeftInPacs => ({
  target: 'default',
  images: 60,
  there: 0,
  unsure: 0,
  documents: 0,
  faulty: 0,
  ...more,
});
const NAMES: Record<string, string> = { default: 'PACS', archive: 'Archive' };
const words = (...all: LeftInPacs[]) => told(false, ...all).detail;
const told = (hasSuperseded: boolean, ...all: LeftInPacs[]) =>
  closedProblem({ left: all, nameOf: (key) => NAMES[key] ?? key, isSender: true, hasSuperseded });

it('says for each PACS what it has, what it may have, and what to do for the rest', () => {
  expect(
    words(left({ there: 2, unsure: 1, documents: 2 }), left({ target: 'archive', images: 1, there: 1 })),
  ).toBe(
    'Closed by its sender after it had failed. Nothing more of it is sent, and its files are removed here. 2 of 60 images are in the PACS and stay there, with the clinical history, and 1 more may be. 1 of 1 image is in Archive and stays there. What is missing there can be sent as a new upload; what the PACS has is not stored twice.',
  );
  expect(words(left({ unsure: 3 }))).toContain('3 of 60 images may be in the PACS.');
  expect(words(left({ documents: 1 }))).toContain('The clinical history is in the PACS and stays there.');
});

it('says that nothing is there only where that is so', () => {
  expect(words(left({}))).toMatch(/Nothing of it is in the PACS\. If the study is needed, send it/);
  expect(words()).toContain('Nothing of it is in the PACS.');
  expect(words(left({}), left({ target: 'archive' }))).toContain('Nothing of it is in the PACS or Archive.');
  expect(told(true, left({})).detail).toContain('what went there before it was corrected stays there');
});

it('puts first what should not be in the PACS', () => {
  const problem = told(false, left({ images: 2, there: 2, faulty: 1 }));
  expect(problem).toMatchObject({ code: 'FAULT_AFTER_EARLY_DELIVERY', remedy: 'contact_pacs' });
  expect(problem.detail).toMatch(
    /1 image is, or may be, in the PACS and should not be: .* 2 of 2 images are/,
  );
  expect(problem.detail).not.toMatch(/new upload/);
});

it('keeps why a study was not delivered, without advice that is over', () => {
  const before = { code: 'X', title: '1 of 2 images', detail: 'Press Retry.', remedy: 'retry' as const };
  expect(closedStudyProblem(before, ['The PACS refused the image'])).toEqual({
    code: 'X',
    title: '1 of 2 images',
    detail: 'The PACS refused the image. Nothing more of it is sent, because the upload was closed.',
    remedy: 'new_upload',
  });
  expect(closedStudyProblem(null, []).detail).toMatch(/^Not delivered\. /);
});
