import { FAULT_AFTER_EARLY_DELIVERY } from '../contract/uploads.js';
import { PACS_REFUSALS } from '../domain/pacs-refusals.js';
import type { Queryable } from './database.js';

/** What a PACS has of the studies of an upload. */
export interface LeftInPacs {
  /** Key of the PACS. */
  target: string;
  /** Images that are part of the upload and were to go there; those of `faulty` are not among them. */
  images: number;
  /** Of these: those the PACS has, by its own word. */
  there: number;
  /** Of these: those that were sent and may be there; nobody knows. */
  unsure: number;
  /** Documents made of the clinical history that are there. */
  documents: number;
  /** Images that are, or may be, there and should not be. */
  faulty: number;
}

/** Counts what each PACS has, or may have, of these studies. */
export async function countLeftInPacs(db: Queryable, studyIds: readonly string[]): Promise<LeftInPacs[]> {
  const isDocument = `coalesce(f.is_derived AND i.modality IN ('DOC', 'SR'), false)`;
  const isFaulty = `coalesce(i.problem->>'code' = :fault, false)`;
  const isThere = `i.status IN ('stored', 'warning', 'verified')`;
  // A send is counted before its first byte leaves, and what was refused in the end may have arrived before that.
  const isUnsure = `NOT (${isThere}) AND (i.stored_at IS NOT NULL OR i.sends > 1 OR (i.sends > 0
    AND NOT (i.status = 'failed' AND coalesce(i.problem->>'code', '') = ANY(:refusals::text[]))))`;
  const { rows }: { rows: LeftInPacs[] } = await db.raw(
    `SELECT s.target,
       (count(*) FILTER (WHERE NOT ${isDocument} AND NOT ${isFaulty}))::integer AS images,
       (count(*) FILTER (WHERE NOT ${isDocument} AND NOT ${isFaulty} AND ${isThere}))::integer AS there,
       (count(*) FILTER (WHERE NOT ${isDocument} AND NOT ${isFaulty} AND ${isUnsure}))::integer AS unsure,
       (count(*) FILTER (WHERE ${isDocument} AND ${isThere}))::integer AS documents,
       (count(*) FILTER (WHERE ${isFaulty}))::integer AS faulty
     FROM instances i
     JOIN studies s ON s.id = i.study_id
     JOIN upload_files f ON f.id = i.upload_file_id
     WHERE i.study_id = ANY(:ids::uuid[]) AND i.superseded_at IS NULL
     GROUP BY s.target ORDER BY s.target`,
    { fault: FAULT_AFTER_EARLY_DELIVERY, refusals: [...PACS_REFUSALS], ids: [...studyIds] },
  );
  return rows;
}

/** Why instances of each study were not delivered, in a few words each; a study without such a reason has no entry. */
export async function listFailureTitles(
  db: Queryable,
  studyIds: readonly string[],
): Promise<Map<string, string[]>> {
  const rows: Array<{ studyId: string; title: string }> = await db('instances')
    .whereIn('studyId', [...studyIds])
    .where({ status: 'failed', supersededAt: null })
    .whereNotNull('problem')
    .distinct('studyId', db.raw(`problem->>'title' AS title`))
    .orderBy('title');
  const titles = new Map<string, string[]>();
  for (const { studyId, title } of rows) titles.set(studyId, [...(titles.get(studyId) ?? []), title]);
  return titles;
}
