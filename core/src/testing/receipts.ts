/** Receipts made by code, for the tests of what issues, prints and checks them. */
import type { Receipt, ReceiptDelivery, ReceiptInstance } from '../contract/receipts.js';

const AT = '2026-03-04T10:11:12.000Z';

export function makeReceiptInstance(index: number, more: Partial<ReceiptInstance> = {}): ReceiptInstance {
  return {
    sopInstanceUid: `2.25.1000${index}`,
    seriesInstanceUid: '2.25.2',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    seriesNumber: 1,
    instanceNumber: index + 1,
    size: 524_288,
    sha256: index.toString(16).padStart(64, '0'),
    verification: 'bytes',
    verifiedAt: AT,
    alreadyThere: false,
    sent: true,
    remark: null,
    ...more,
  };
}

/** A delivery of so many instances, or of these. */
export function makeReceiptDelivery(
  instances: number | ReceiptInstance[],
  more: Partial<ReceiptDelivery> = {},
): ReceiptDelivery {
  const list =
    typeof instances === 'number'
      ? Array.from({ length: instances }, (_, index) => makeReceiptInstance(index))
      : instances;
  const compared = list.filter(({ verification }) => verification === 'bytes').length;
  return {
    studyInstanceUid: '2.25.1',
    studyDescription: 'Head without contrast',
    studyDate: '2026-03-03',
    accessionNumber: 'A-17',
    modalities: ['CT'],
    patient: { name: 'Müller, Änne', id: 'M-1', birthDate: '1970-05-06', sex: 'F' },
    target: { key: 'default', name: 'Radiology archive' },
    isResend: false,
    deliveredAt: AT,
    verification: {
      level: compared === list.length ? 'bytes' : compared > 0 ? 'sample' : 'uids',
      instances: list.length,
      compared,
      remarks: list.filter(({ remark }) => remark !== null).length,
    },
    instances: list,
    ...more,
  };
}

/** A receipt about one study, or about these deliveries. */
export function makeReceipt(deliveries: ReceiptDelivery[], more: Partial<Receipt> = {}): Receipt {
  return {
    version: 1,
    id: '0199a000-0000-7000-8000-000000000001',
    issuer: 'https://relay.example.org',
    issuedAt: '2026-03-04T12:00:00.000Z',
    uploadId: '0199a000-0000-7000-8000-000000000002',
    sender: { username: 'schen', fullName: 'Sarah Chen', facility: 'Rural Clinic North' },
    announcedAt: '2026-03-04T10:00:00.000Z',
    receivedAt: '2026-03-04T10:05:00.000Z',
    deliveredAt: AT,
    files: { received: 3, rejected: 0, ignored: 0 },
    deliveries,
    ...more,
  };
}
