import { CreateUploadRequestSchema } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import { HttpProblem } from './http-problem.js';
import { parse } from './validate.js';

const study = {
  patientName: 'Roe^Mary',
  studyDate: '2026-03-04',
  modality: 'MR',
  serviceLevel: 'stat',
  fileCount: 1,
  totalBytes: 1,
};

function refusal(value: unknown, at: readonly string[] = []): HttpProblem {
  try {
    parse(CreateUploadRequestSchema, value, at);
  } catch (error) {
    if (error instanceof HttpProblem) return error;
  }
  throw new Error('It was not refused');
}

it('says of a field what is to be put right, in plain words', () => {
  const { patientName, ...nameless } = study;
  const problem = refusal(nameless);
  expect(problem.message).toBe(
    'Please check patient name: This field is needed. Nothing was changed; correct it and send again.',
  );
  expect(problem.members.errors).toEqual([{ path: 'patientName', message: 'This field is needed' }]);
  expect(refusal({ ...study, fileCount: '1' }).message).toContain(
    'Please check file count: A number is needed here.',
  );
  expect(refusal({ ...study, patientSex: 'X' }).message).toContain(
    'Please check patient sex: Choose one of M, F, O.',
  );
});

it('says how many more are wrong', () => {
  const wrong = { ...study, patientName: '', fileCount: 0 };
  expect(refusal(wrong).message).toBe(
    'Please check patient name: This field is needed. 1 more field is not right either. Nothing was changed; correct them and send again.',
  );
  expect(refusal({ ...wrong, surprise: 1 }).message).toContain('2 more fields are not right either.');
});

it('says what a whole request should be', () => {
  expect(refusal([]).message).toBe(
    'Please check the request: A JSON object with named fields is needed here. Nothing was changed; correct it and send again.',
  );
});

it('leaves the place of a nested field as it is', () => {
  expect(refusal({ ...study, patientName: 5 }, ['Upload-Metadata']).message).toMatch(
    /^Please check Upload-Metadata\.patientName: Text is needed here\./,
  );
});
