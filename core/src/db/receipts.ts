import type { VerificationLevel } from '../contract/uploads.js';
import type { Queryable } from './database.js';
import type { InstanceRow } from './instances.js';

export interface ReceiptRow {
  id: string;
  uploadId: string;
  /** Stands for the deliveries it is about. */
  deliveriesKey: Buffer;
  /** `kid` of the key it was signed with. */
  keyId: string;
  /** The compact JWS. */
  jws: string;
  issuedAt: Date;
}

const COLUMNS = ['id', 'uploadId', 'deliveriesKey', 'keyId', 'jws', 'issuedAt'] as const;

export async function findReceipt(
  db: Queryable,
  uploadId: string,
  deliveriesKey: Buffer,
): Promise<ReceiptRow | undefined> {
  return db<ReceiptRow>('receipts')
    .where({ uploadId, deliveriesKey })
    .first(...COLUMNS);
}

/** @returns false when there is one about the same deliveries already */
export async function insertReceipt(db: Queryable, receipt: ReceiptRow): Promise<boolean> {
  const inserted: unknown[] = await db('receipts')
    .insert(receipt)
    .onConflict(['uploadId', 'deliveriesKey'])
    .ignore()
    .returning('id');
  return inserted.length > 0;
}

/** The receipt as a document, if it was rendered before. */
export async function findReceiptPdf(db: Queryable, id: string): Promise<Buffer | undefined> {
  const row: { pdf: Buffer | null } | undefined = await db('receipts').where({ id }).first('pdf');
  return row?.pdf ?? undefined;
}

export async function recordReceiptPdf(db: Queryable, id: string, pdf: Uint8Array): Promise<void> {
  await db('receipts')
    .where({ id })
    .update({ pdf: Buffer.from(pdf) });
}

/** What a receipt says of a verified instance. */
export type DeliveredInstance = Pick<
  InstanceRow,
  | 'studyId'
  | 'sopInstanceUid'
  | 'seriesInstanceUid'
  | 'sopClassUid'
  | 'transferSyntaxUid'
  | 'seriesNumber'
  | 'instanceNumber'
  | 'size'
  | 'sha256'
  | 'alreadyThere'
  | 'problem'
> & {
  verification: VerificationLevel;
  verifiedAt: Date;
  /** What was sent is not what came. */
  isRepaired: boolean;
  /** It was made here, and no file of the sender's. */
  isDerived: boolean;
  /** Of the file it is; null where it was part of an archive, or where nobody knows. */
  uploadedSha256: Buffer | null;
};

/** The verified instances of studies, of each in series and instance order. */
export async function listDeliveredInstances(
  db: Queryable,
  studyIds: readonly string[],
): Promise<DeliveredInstance[]> {
  return db('instances as i')
    .join('uploadFiles as f', 'f.id', 'i.uploadFileId')
    .whereIn('i.studyId', [...studyIds])
    .where({ 'i.status': 'verified', 'i.supersededAt': null })
    .orderBy(['i.studyId', 'i.seriesNumber', 'i.seriesInstanceUid', 'i.instanceNumber', 'i.id'])
    .select(
      'i.studyId',
      'i.sopInstanceUid',
      'i.seriesInstanceUid',
      'i.sopClassUid',
      'i.transferSyntaxUid',
      'i.seriesNumber',
      'i.instanceNumber',
      'i.size',
      'i.sha256',
      'i.alreadyThere',
      'i.problem',
      'i.verification',
      'i.verifiedAt',
      'f.isDerived',
      db.raw('i.pieces IS NOT NULL AS is_repaired'),
      db.raw('CASE WHEN i.steps IS NULL THEN f.sha256 END AS uploaded_sha256'),
    );
}
