import { expect, it } from 'vitest';
import { CONFLICT, DAMAGED, NOT_CONFIRMED, PATIENT_ID_MISSING, refusal } from './pacs-problems.js';
import { resendProblem, studyProblem, uploadProblem } from './study-problems.js';

const failed = (instanceNumber: number, problem = refusal(43264)) => ({
  seriesNumber: 2,
  instanceNumber,
  sopInstanceUid: `1.2.${instanceNumber}`,
  problem,
});

it('names the images of a study that were not delivered', () => {
  const problem = studyProblem([failed(14), failed(15)], 20, true);
  expect(problem.code).toBe('PACS_INVALID_IMAGE');
  expect(problem.title).toBe('2 of 20 images could not be delivered');
  expect(problem.detail).toMatch(/series 2 image 14, series 2 image 15\./);
  expect(problem.detail).toMatch(/other 18 are confirmed in the PACS/);
});

it('names ten of many images, and the identifier of one without numbers', () => {
  const many = Array.from({ length: 13 }, (_, index) => failed(index));
  expect(studyProblem(many, 13, true).detail).toMatch(/image 9 and 3 more\.$/);
  const unnumbered = [{ ...failed(1), instanceNumber: null }];
  expect(studyProblem(unnumbered, 2, true).detail).toMatch(/the image 1\.2\.1/);
});

it('tells every reason where there are several', () => {
  const problem = studyProblem([failed(1), failed(2, CONFLICT)], 2, true);
  expect(problem.code).toBe('DELIVERY_INCOMPLETE');
  expect(problem.detail).toMatch(/make sense/);
  expect(problem.detail).toMatch(/different image under the same identifier/);
});

it('says for an upload of several studies how many of them failed', () => {
  const problem = studyProblem([failed(1)], 2, true);
  expect(uploadProblem([problem], 1)).toEqual(problem);
  const fault = {
    code: 'FAULT_AFTER_EARLY_DELIVERY',
    title: '',
    detail: 'Went.',
    remedy: 'new_upload',
  } as const;
  expect(uploadProblem([problem, fault], 3)).toMatchObject({
    code: 'FAULT_AFTER_EARLY_DELIVERY',
    remedy: 'retry',
    detail: expect.stringContaining('Went.'),
  });
  expect(uploadProblem([fault, fault], 2).remedy).toBe('new_upload');
  expect(uploadProblem([fault], 2)).toMatchObject({ code: fault.code, remedy: 'new_upload' });
  expect(uploadProblem([problem], 3).title).toBe('1 of 3 studies could not be delivered completely');
});

it('says once what several reasons have in common', () => {
  const { detail } = studyProblem(
    [failed(1), failed(2, refusal(0x0122)), failed(3, refusal(0xc122))],
    3,
    true,
  );
  expect(detail.match(/It is still kept safely here\./g)).toHaveLength(1);
  expect(detail.match(/Please show this message/g)).toHaveLength(1);
  expect(detail).toMatch(/make sense.*this kind of image.*compressed in this way.*kept safely.*Please show/);
});

it('offers what the sender can do before what others have to, and giving up last', () => {
  const remedyOf = (...reasons: Array<ReturnType<typeof refusal>>) => {
    const { remedy, fields } = studyProblem(
      reasons.map((reason, index) => failed(index, reason)),
      9,
      true,
    );
    return [remedy, fields];
  };
  expect(remedyOf(DAMAGED)).toEqual(['new_upload', undefined]);
  expect(remedyOf(DAMAGED, CONFLICT)).toEqual(['contact_pacs', undefined]);
  expect(remedyOf(DAMAGED, CONFLICT, NOT_CONFIRMED)).toEqual(['retry', undefined]);
  expect(remedyOf(DAMAGED, CONFLICT, NOT_CONFIRMED, PATIENT_ID_MISSING)).toEqual(['correct', ['patientId']]);
});

it('does not ask for a patient ID that cannot be added', () => {
  const problem = studyProblem([failed(1, PATIENT_ID_MISSING)], 1, false);
  expect(problem).toMatchObject({ code: 'PACS_PATIENT_ID_MISSING', remedy: 'new_upload' });
  expect(problem.fields).toBeUndefined();
  expect(problem.detail).not.toMatch(/Add it/);
});

it('hands the remedy of a study on to its upload', () => {
  const lacking = studyProblem([failed(1, PATIENT_ID_MISSING)], 1, true);
  const other = studyProblem([failed(1)], 1, true);
  expect(uploadProblem([other, lacking], 3)).toMatchObject({
    code: 'DELIVERY_INCOMPLETE',
    remedy: 'correct',
    fields: ['patientId'],
  });
});

it('says of what was sent again that the first delivery stays, and sends nobody to a button that is not there', () => {
  const problem = resendProblem([failed(1), failed(2, PATIENT_ID_MISSING)], 5);
  expect(problem).toMatchObject({
    code: 'DELIVERY_INCOMPLETE',
    title: '2 of 5 images could not be sent again',
    remedy: 'contact_pacs',
  });
  expect(problem.detail).toMatch(/could not read the image\. The image has no patient ID\./);
  expect(problem.detail).toMatch(/delivered before is not touched.*series 2 image 1, series 2 image 2\.$/);
  expect(problem.detail).not.toMatch(/Retry|Add it/);
});
