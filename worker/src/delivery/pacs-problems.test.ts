import { PACS_REFUSALS } from '@relaypacs/core/domain/pacs-refusals.js';
import { expect, it } from 'vitest';
import * as problems from './pacs-problems.js';

const { httpRefusal, PATIENT_ID_MISSING, refusal, waitingProblem } = problems;

it('explains the refusals that can be told apart', () => {
  expect(refusal(42871)).toMatchObject({ code: 'PACS_PATIENT_ID_MISSING' });
  expect(refusal(42872)).toMatchObject({ code: 'PACS_PATIENT_CONFLICT' });
  expect(refusal(290)).toMatchObject({ code: 'PACS_UNSUPPORTED_IMAGE' });
  expect(refusal(43264)).toMatchObject({
    code: 'PACS_INVALID_IMAGE',
    detail: expect.stringContaining('the reason A900H.'),
  });
  expect(refusal(50329)).toMatchObject({ code: 'PACS_INVALID_IMAGE' });
  expect(refusal(undefined)).toMatchObject({ code: 'PACS_REFUSED' });
});

/** Every way in which an image is not delivered for good. */
const PERMANENT = [
  ...[undefined, 0x0122, 0xc122, 0xa777, 0xa778, 0xa771, 0x0124, 0xa900, 0xc000].map(refusal),
  ...[413, 400].map(httpRefusal),
  problems.NO_WORD,
  problems.NOT_CONFIRMED,
  problems.BREAKS_PACS,
  problems.CONFLICT,
  problems.ALTERED,
  problems.PATIENT_ID_NOT_ADDED,
];

it.each(PERMANENT)(
  'says of $code that the image is safe and what to do, in words and for programs',
  (problem) => {
    expect(problem.detail).toMatch(/still kept safely here/);
    expect(problem.detail).toMatch(/press Retry|Press Retry|send again|in a new upload/);
    expect(problem.remedy).toBeDefined();
  },
);

it('knows of which images the PACS has nothing, having refused them', () => {
  const reasons = [undefined, 0x0122, 0xc122, 0xa777, 0xa778, 0xa771, 0x0124, 0xa900, 0xc000];
  const refused = [...reasons.map(refusal), ...[413, 400].map(httpRefusal), problems.PATIENT_ID_NOT_ADDED];
  expect(new Set(refused.map(({ code }) => code))).toEqual(PACS_REFUSALS);
  const { NO_WORD, NOT_CONFIRMED, BREAKS_PACS, CONFLICT, ALTERED, NOT_HANDED_OUT, DAMAGED } = problems;
  for (const { code } of [NO_WORD, NOT_CONFIRMED, BREAKS_PACS, CONFLICT, ALTERED, NOT_HANDED_OUT, DAMAGED]) {
    expect(PACS_REFUSALS.has(code)).toBe(false);
  }
});

it('does not call safe what was damaged here', () => {
  expect(problems.DAMAGED).toMatchObject({ remedy: 'new_upload' });
  expect(problems.DAMAGED.detail).toMatch(/send the study again/);
  expect(problems.DAMAGED.detail).not.toMatch(/safe/);
});

it('has a patient ID added where it is missing', () => {
  expect(refusal(0xa777)).toBe(PATIENT_ID_MISSING);
  expect(PATIENT_ID_MISSING).toMatchObject({ remedy: 'correct', fields: ['patientId'] });
  expect(PATIENT_ID_MISSING.detail).toMatch(
    /^The PACS refuses images without a patient ID\. Add it and send again\./,
  );
});

it('bothers nobody with a PACS that is only away', () => {
  expect(waitingProblem('unreachable')).toBeUndefined();
  expect(waitingProblem('busy')).toBeUndefined();
  expect(waitingProblem('denied')).toMatchObject({ code: 'PACS_ACCESS_DENIED' });
});
