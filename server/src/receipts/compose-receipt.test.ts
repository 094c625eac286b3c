import { ReceiptSchema } from '@relaypacs/core/contract/receipts.js';
import type { DeliveredInstance } from '@relaypacs/core/db/receipts.js';
import type { StudyRow } from '@relaypacs/core/db/studies.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { expect, it } from 'vitest';
import {
  composeReceipt,
  type DeliveredStudy,
  deliveredStudies,
  type ReceiptFacts,
} from './compose-receipt.js';

function study(id: string, more: Partial<StudyRow> = {}): StudyRow {
  return {
    id,
    uploadId: 'upload',
    studyInstanceUid: `1.2.${id}`,
    target: 'default',
    resendOf: null,
    patientName: 'Doe, Jane',
    patientId: 'P-1',
    patientBirthDate: '1970-05-06',
    patientSex: 'F',
    studyDate: '2026-03-03',
    studyDescription: 'Head',
    accessionNumber: 'A-1',
    modalities: ['CT'],
    status: 'delivered',
    deliveredAt: new Date('2026-03-04T10:00:00Z'),
    ...more,
  } as StudyRow;
}

const ids = (studies: readonly StudyRow[], status: UploadRow['status'] = 'delivered') =>
  deliveredStudies({ status }, studies).map(({ id }) => id);

it('is about every delivery, the first one first', () => {
  const later = new Date('2026-03-05T10:00:00Z');
  expect(ids([study('2', { deliveredAt: later }), study('3'), study('1')])).toEqual(['1', '3', '2']);
});

it.each([
  ['nothing was found in the upload', []],
  [
    'one study of two is not delivered yet',
    [study('1'), study('2', { status: 'delivering', deliveredAt: null })],
  ],
  ['one study of two has failed', [study('1'), study('2', { status: 'failed', deliveredAt: null })]],
])('is about nothing while %s', (_, studies) => {
  expect(ids(studies)).toEqual([]);
});

it('is about what arrived while a study is sent once more, and about both deliveries after that', () => {
  const again = study('2', { resendOf: '1', target: 'archive', status: 'pending', deliveredAt: null });
  expect(ids([study('1'), again])).toEqual(['1']);
  const arrived = { ...again, status: 'delivered' as const, deliveredAt: new Date('2026-03-05T10:00:00Z') };
  expect(ids([study('1'), arrived])).toEqual(['1', '2']);
});

it.each(['failed', 'delivering', 'cancelled'] as const)('is about no upload that is %s', (status) => {
  expect(ids([study('1')], status)).toEqual([]);
});

it('is about nothing when a study failed first, also where it arrived when it was sent again', () => {
  const failed = study('1', { status: 'failed', deliveredAt: null });
  expect(ids([failed, study('2', { resendOf: '1' })])).toEqual([]);
});

const VERIFIED = new Date('2026-03-04T09:59:58.123Z');

const instance = (
  studyId: string,
  index: number,
  more: Partial<DeliveredInstance> = {},
): DeliveredInstance => ({
  studyId,
  sopInstanceUid: `1.2.${index}`,
  seriesInstanceUid: '1.3',
  sopClassUid: '1.4',
  transferSyntaxUid: '1.5',
  seriesNumber: 1,
  instanceNumber: index,
  size: 10,
  sha256: Buffer.alloc(32, index),
  alreadyThere: false,
  problem: null,
  verification: 'bytes',
  verifiedAt: VERIFIED,
  isRepaired: false,
  isDerived: false,
  uploadedSha256: Buffer.alloc(32, index),
  ...more,
});

function compose(
  studies: readonly StudyRow[],
  instances: readonly DeliveredInstance[],
  more: Partial<ReceiptFacts> = {},
) {
  const upload = { id: 'upload', createdAt: new Date(0), receivedAt: new Date(1) } as UploadRow;
  return ReceiptSchema.parse(
    composeReceipt({
      id: 'receipt',
      issuer: 'https://relay.example.org',
      issuedAt: new Date('2026-03-06T00:00:00Z'),
      upload,
      sender: { username: 'jane', fullName: null, facility: 'North' },
      files: { uploadId: 'upload', received: 4, receivedBytes: 1, unfinished: 0, rejected: 1, ignored: 2 },
      studies: studies as DeliveredStudy[],
      instances,
      pacs: { all: [] },
      ...more,
    }),
  );
}

it('names each instance with what was sent and how it was confirmed', () => {
  const problem = { code: 'PACS_WARNING', title: '', detail: '' };
  const { deliveries } = compose(
    [study('1')],
    [instance('1', 1, { verification: 'uids', problem, alreadyThere: true })],
  );
  expect(deliveries[0]?.instances).toEqual([
    {
      sopInstanceUid: '1.2.1',
      seriesInstanceUid: '1.3',
      sopClassUid: '1.4',
      transferSyntaxUid: '1.5',
      seriesNumber: 1,
      instanceNumber: 1,
      size: 10,
      sha256: '01'.repeat(32),
      origin: 'as_uploaded',
      verification: 'uids',
      verifiedAt: '2026-03-04T09:59:58.123Z',
      alreadyThere: true,
      sent: false,
      remark: 'PACS_WARNING',
    },
  ]);
});

it('claims to have sent only what was sent', () => {
  const held = { code: 'HELD_NOT_COMPARED', title: '', detail: '' };
  const rows = [
    instance('1', 1),
    instance('1', 2, { alreadyThere: true }),
    instance('1', 3, { verification: 'uids', problem: held }),
  ];
  const { deliveries } = compose([study('1')], rows);
  expect(deliveries[0]?.instances.map(({ sent }) => sent)).toEqual([true, false, false]);
});

it('says of what was repaired what it was before, where that was a file, and what was made here', () => {
  const before = Buffer.alloc(32, 7);
  const rows = [
    instance('1', 1, { isRepaired: true, uploadedSha256: before }),
    instance('1', 2, { isRepaired: true, uploadedSha256: null }),
    instance('1', 3, { isDerived: true }),
  ];
  const { deliveries } = compose([study('1')], rows);
  expect(deliveries[0]?.instances.map(({ origin, uploadedSha256 }) => [origin, uploadedSha256])).toEqual([
    ['repaired', '07'.repeat(32)],
    ['repaired', undefined],
    ['made', undefined],
  ]);
});

it('claims no more of a delivery than was compared', () => {
  const listed = { verification: 'uids' } as const;
  const receipt = compose(
    [study('1'), study('2', { resendOf: '1' }), study('3')],
    [
      ...[1, 2].map((index) => instance('1', index)),
      ...[instance('2', 1), instance('2', 2, listed)],
      ...[1, 2].map((index) => instance('3', index, listed)),
    ],
  );
  expect(receipt.deliveries.map(({ verification, isResend }) => ({ ...verification, isResend }))).toEqual([
    { level: 'bytes', instances: 2, compared: 2, remarks: 0, isResend: false },
    { level: 'sample', instances: 2, compared: 1, remarks: 0, isResend: true },
    { level: 'uids', instances: 2, compared: 0, remarks: 0, isResend: false },
  ]);
});

it('says who, when and where, and nothing of the address of the PACS', () => {
  const archive = {
    key: 'archive',
    name: 'Archive',
    url: 'https://10.1.2.3/rs',
  } as ReceiptFacts['pacs']['all'][0];
  const later = new Date('2026-03-05T10:00:00Z');
  const receipt = compose(
    [study('1', { target: 'archive' }), study('2', { target: 'gone', deliveredAt: later })],
    [instance('1', 1), instance('2', 1)],
    { pacs: { all: [archive] } },
  );
  expect(receipt).toMatchObject({
    sender: { username: 'jane', fullName: null, facility: 'North' },
    announcedAt: '1970-01-01T00:00:00.000Z',
    receivedAt: '1970-01-01T00:00:00.001Z',
    deliveredAt: later.toISOString(),
    files: { received: 4, rejected: 1, ignored: 2 },
  });
  expect(receipt.deliveries.map(({ target }) => target)).toEqual([
    { key: 'archive', name: 'Archive' },
    { key: 'gone', name: 'gone' },
  ]);
  expect(JSON.stringify(receipt)).not.toContain('10.1.2.3');
});
