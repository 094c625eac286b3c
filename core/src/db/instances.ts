import type { InstanceStatus, UploadProblem } from '../contract/uploads.js';
import type { Queryable } from './database.js';

export interface InstanceRow {
  id: string;
  studyId: string;
  uploadFileId: string;
  sopInstanceUid: string;
  seriesInstanceUid: string;
  sopClassUid: string;
  transferSyntaxUid: string;
  modality: string | null;
  seriesNumber: number | null;
  instanceNumber: number | null;
  /** Where the object begins in its file, and its length; bytes. */
  sourceOffset: number;
  size: number;
  sha256: Buffer;
  status: InstanceStatus;
  problem: UploadProblem | null;
  /** How often its bytes were put into a STOW-RS request. */
  sends: number;
  storedAt: Date | null;
  verifiedAt: Date | null;
}

export type NewInstance = Omit<InstanceRow, 'status' | 'problem' | 'sends' | 'storedAt' | 'verifiedAt'>;

const ROWS_PER_INSERT = 500;

export async function insertInstances(trx: Queryable, instances: readonly NewInstance[]): Promise<void> {
  for (let from = 0; from < instances.length; from += ROWS_PER_INSERT) {
    const rows = instances.slice(from, from + ROWS_PER_INSERT);
    await trx('instances').insert(rows.map((row) => ({ ...row, status: 'pending' })));
  }
}

/** In series and instance order, so that a study arrives as a person would read it. */
export async function listInstances(db: Queryable, studyId: string): Promise<InstanceRow[]> {
  return db<InstanceRow>('instances')
    .where({ studyId })
    .orderBy(['seriesNumber', 'seriesInstanceUid', 'instanceNumber', 'id']);
}

/** Counts a send before the first byte of it leaves. */
export async function recordSends(db: Queryable, ids: readonly string[]): Promise<void> {
  await db('instances')
    .whereIn('id', [...ids])
    .increment('sends', 1);
}

/** Records what the PACS said of instances. A remark of the PACS stays with an instance when it is verified. */
export async function recordInstanceStatus(
  db: Queryable,
  ids: readonly string[],
  status: InstanceStatus,
  problem: UploadProblem | null = null,
): Promise<void> {
  if (ids.length === 0) return;
  const now = new Date();
  await db<InstanceRow>('instances')
    .whereIn('id', [...ids])
    .update({
      status,
      ...(status === 'verified' ? {} : { problem }),
      ...(status === 'stored' || status === 'warning' ? { storedAt: now } : {}),
      ...(status === 'verified' ? { verifiedAt: now } : {}),
    });
}
