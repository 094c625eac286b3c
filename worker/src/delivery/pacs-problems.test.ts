import { expect, it } from 'vitest';
import { CONFLICT, refusal, studyProblem, uploadProblem, waitingProblem } from './pacs-problems.js';

const failed = (instanceNumber: number, problem = refusal(43264)) => ({
  seriesNumber: 2,
  instanceNumber,
  sopInstanceUid: `1.2.${instanceNumber}`,
  problem,
});

it('explains the refusals that can be told apart', () => {
  expect(refusal(42871)).toMatchObject({ code: 'PACS_PATIENT_ID_MISSING' });
  expect(refusal(42872)).toMatchObject({ code: 'PACS_PATIENT_CONFLICT' });
  expect(refusal(290)).toMatchObject({ code: 'PACS_UNSUPPORTED_IMAGE' });
  expect(refusal(43264)).toMatchObject({ code: 'PACS_INVALID_IMAGE' });
  expect(refusal(50329)).toMatchObject({ code: 'PACS_INVALID_IMAGE' });
  expect(refusal(undefined)).toMatchObject({ code: 'PACS_REFUSED' });
});

it('says what happened, that the image is safe, and what to do', () => {
  const { detail } = refusal(42871);
  expect(detail).toMatch(/patient ID/);
  expect(detail).toMatch(/kept safely/);
  expect(detail).toMatch(/Retry/);
});

it('names the images of a study that were not delivered', () => {
  const problem = studyProblem([failed(14), failed(15)], 20);
  expect(problem.code).toBe('PACS_INVALID_IMAGE');
  expect(problem.title).toBe('2 of 20 images could not be delivered');
  expect(problem.detail).toMatch(/series 2 image 14, series 2 image 15\./);
  expect(problem.detail).toMatch(/other 18 are confirmed in the PACS/);
});

it('names ten of many images, and the identifier of one without numbers', () => {
  const many = Array.from({ length: 13 }, (_, index) => failed(index));
  expect(studyProblem(many, 13).detail).toMatch(/image 9 and 3 more\.$/);
  const unnumbered = [{ ...failed(1), instanceNumber: null }];
  expect(studyProblem(unnumbered, 2).detail).toMatch(/the image 1\.2\.1/);
});

it('tells every reason where there are several', () => {
  const problem = studyProblem([failed(1), failed(2, CONFLICT)], 2);
  expect(problem.code).toBe('DELIVERY_INCOMPLETE');
  expect(problem.detail).toMatch(/make sense/);
  expect(problem.detail).toMatch(/different image under the same identifier/);
});

it('says for an upload of several studies how many of them failed', () => {
  const problem = studyProblem([failed(1)], 2);
  expect(uploadProblem([problem], 1)).toEqual(problem);
  expect(uploadProblem([problem], 3).title).toBe('1 of 3 studies could not be delivered completely');
});

it('bothers nobody with a PACS that is only away', () => {
  expect(waitingProblem('unreachable')).toBeUndefined();
  expect(waitingProblem('busy')).toBeUndefined();
  expect(waitingProblem('denied')).toMatchObject({ code: 'PACS_ACCESS_DENIED' });
});
