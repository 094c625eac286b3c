import type { Study } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import { doubtsOf } from './doubts.js';

const mismatch = { code: 'PATIENT_NAME_MISMATCH', message: 'The file says Doe^Jane, you entered Roe, Jane.' };
const gap = { code: 'INSTANCE_NUMBER_GAP', message: 'Series 3 (AX T2): images 12 to 15 seem to be missing.' };

function study(more: Partial<Study>): Study {
  return {
    id: 's1',
    studyInstanceUid: '1.2.3',
    resendOf: null,
    target: 'default',
    targetName: 'PACS',
    patientName: null,
    patientId: null,
    patientBirthDate: null,
    patientSex: null,
    studyDate: '2026-01-14',
    studyDescription: null,
    modalities: ['CT'],
    seriesCount: 1,
    status: 'pending',
    incomplete: false,
    waitingFor: null,
    instances: {
      total: 60,
      stored: 0,
      verified: 0,
      verifiedBytes: 0,
      failed: 0,
      alreadyThere: 0,
      documents: 0,
    },
    problem: null,
    warnings: [],
    deliveredAt: null,
    ...more,
  };
}

it('gives the doubts about the upload first, then those about its study as they are', () => {
  expect(doubtsOf({ warnings: [mismatch], studies: [study({ warnings: [gap] })] })).toEqual([mismatch, gap]);
});

it('says which study a doubt is about when there are several', () => {
  const studies = [
    study({ warnings: [gap] }),
    study({ modalities: ['MR'], studyDescription: 'Knee', warnings: [gap] }),
    study({ modalities: [], studyDate: null, warnings: [gap] }),
  ];
  expect(doubtsOf({ warnings: [], studies }).map(({ message }) => message)).toEqual([
    `CT · 14 Jan 2026: ${gap.message}`,
    `MR · 14 Jan 2026 · Knee: ${gap.message}`,
    `A study: ${gap.message}`,
  ]);
});
