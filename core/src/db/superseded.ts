import type { Queryable } from './database.js';
import type { InstanceRow } from './instances.js';
import type { StudyRow } from './studies.js';

/** Code of the warning at an upload of which a PACS has objects that are no longer part of it. */
export const SUPERSEDED_IN_PACS = 'SUPERSEDED_IN_PACS';

/** An object a PACS has or may have, that is no longer part of its upload. */
export type SupersededInstance = Pick<InstanceRow, 'studyId' | 'sopInstanceUid'> & { target: string };

/** Whether a PACS has an instance, or may have it: a send counts before its first byte leaves. */
export const mayBeInPacs = ({
  sends,
  status,
  alreadyThere,
}: Pick<InstanceRow, 'sends' | 'status' | 'alreadyThere'>) =>
  sends > 0 || alreadyThere || status === 'stored' || status === 'warning' || status === 'verified';

/**
 * Marks instances of a study as no longer part of the upload, in further deliveries of it as well: what of those was not
 * sent yet will not be.
 */
export async function supersedeInstances(
  trx: Queryable,
  first: StudyRow,
  sopInstanceUids: readonly string[],
): Promise<SupersededInstance[]> {
  if (sopInstanceUids.length === 0) return [];
  const deliveries: StudyRow[] = await trx<StudyRow>('studies')
    .where({ id: first.id })
    .orWhere({ resendOf: first.id });
  const superseded: SupersededInstance[] = [];
  for (const { id, target } of deliveries) {
    const rows: InstanceRow[] = await trx('instances')
      .where({ studyId: id, supersededAt: null })
      // One parameter: a statement takes 65,535 of them, and a study may have more instances.
      .whereRaw('sop_instance_uid = ANY(?::text[])', [[...sopInstanceUids]])
      .update({ supersededAt: new Date(), supersededTarget: target })
      .returning('*');
    const inPacs = rows.filter(mayBeInPacs);
    superseded.push(...inPacs.map(({ studyId, sopInstanceUid }) => ({ studyId, sopInstanceUid, target })));
  }
  return superseded;
}

/** What one PACS has or may have of objects that are no longer part of an upload. */
export interface SupersededCounts {
  target: string;
  images: number;
  /** Made of the clinical history. */
  documents: number;
  /** Of both together: those the PACS has confirmed. */
  verified: number;
}

export async function countSuperseded(db: Queryable, uploadId: string): Promise<SupersededCounts[]> {
  const isDocument = `f.is_derived AND i.modality IN ('DOC', 'SR')`;
  return db('instances as i')
    .join('studies as s', 's.id', 'i.studyId')
    .join('uploadFiles as f', 'f.id', 'i.uploadFileId')
    .where('s.uploadId', uploadId)
    .whereNotNull('i.supersededAt')
    .whereRaw(`(i.sends > 0 OR i.already_there OR i.status IN ('stored', 'warning', 'verified'))`)
    .groupBy('i.supersededTarget')
    .orderBy('i.supersededTarget')
    .select(
      'i.supersededTarget as target',
      // The same object may have gone there more than once.
      db.raw(
        `count(DISTINCT i.sop_instance_uid) FILTER (WHERE NOT coalesce(${isDocument}, false)) AS images`,
      ),
      db.raw(`count(DISTINCT i.sop_instance_uid) FILTER (WHERE ${isDocument}) AS documents`),
      db.raw(`count(DISTINCT i.sop_instance_uid) FILTER (WHERE i.status = 'verified') AS verified`),
    );
}
