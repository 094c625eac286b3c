import { describe, expect, it } from 'vitest';
import { HttpProblem } from '../http/http-problem.js';
import { readFileMetadata, readStudyMetadata } from './metadata.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const header = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([key, value]) => `${key} ${base64(value)}`.trim())
    .join(',');

function refusal(read: () => unknown) {
  try {
    read();
  } catch (error) {
    if (error instanceof HttpProblem) return { code: error.code, ...error.members };
    throw error;
  }
  return undefined;
}

describe('what the metadata say of a file', () => {
  it('may be nothing', () => {
    for (const none of [undefined, '', 'filename', 'private,of,the,client']) {
      expect(readFileMetadata(none)).toEqual({
        uploadId: undefined,
        filename: 'unnamed',
        filetype: undefined,
        relativePath: undefined,
        clientId: undefined,
      });
    }
  });

  it('is read whatever the alphabet', () => {
    const values = {
      uploadId: 'u-1',
      filename: 'Röntgen 山田.dcm',
      filetype: 'application/dicom',
      relativePath: '../a/b',
      clientId: 'c-1',
    };
    expect(readFileMetadata(header({ ...values, more: 'x' }))).toEqual(values);
  });

  it.each(['filename !!!', ',', 'filename YQ== YQ==', 'filename YQ==,filename YQ=='])(
    'cannot be read from "%s"',
    (broken) => {
      expect(refusal(() => readFileMetadata(broken))).toMatchObject({ code: 'MALFORMED_REQUEST' });
    },
  );

  it('has limits, each named by its key', () => {
    for (const [key, most] of [
      ['uploadId', 64],
      ['filename', 512],
      ['filetype', 256],
      ['relativePath', 2048],
      ['clientId', 128],
    ] as const) {
      expect(readFileMetadata(header({ [key]: 'a'.repeat(most) }))[key]).toHaveLength(most);
      for (const bad of ['a'.repeat(most + 1), 'a\0b', 'a\nb', 'a\u0085b']) {
        expect(refusal(() => readFileMetadata(header({ [key]: bad })))).toMatchObject({
          code: 'VALIDATION_FAILED',
          errors: [{ path: `Upload-Metadata.${key}` }],
        });
      }
    }
  });
});

describe('what the metadata say of a study', () => {
  it('has stand-ins for all that is missing', () => {
    const standIns = { patientName: 'Unknown', modality: 'OT', serviceLevel: 'routine' };
    expect(readStudyMetadata(undefined)).toEqual(standIns);
    expect(readStudyMetadata(`${header({ filename: 'a' })},patientName`)).toEqual(standIns);
  });

  it('is read', () => {
    const values = {
      patientName: 'Doe^Jane',
      studyDate: '2026-01-02',
      modality: 'CT',
      serviceLevel: 'stat',
      patientId: '4711',
      clinicalHistory: 'fell\noff a bicycle',
    };
    expect(readStudyMetadata(header(values))).toEqual(values);
  });

  it('is refused with every value that cannot be used', () => {
    const bad = header({
      studyDate: '2026-02-30',
      modality: 'x-ray',
      serviceLevel: 'soon',
      patientName: 'a\0',
    });
    const answer = refusal(() => readStudyMetadata(bad)) as { code: string; errors: { path: string }[] };
    expect(answer.code).toBe('VALIDATION_FAILED');
    expect(answer.errors.map(({ path }) => path).sort()).toEqual(
      ['modality', 'patientName', 'serviceLevel', 'studyDate'].map((key) => `Upload-Metadata.${key}`),
    );
  });
});
