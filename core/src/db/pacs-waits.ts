import { SYSTEM_ACTOR } from './audit-events.js';
import type { UnitOfWork } from './unit-of-work.js';
import { announceUpload, type UploadRow } from './uploads.js';

interface Told {
  uploadId: string;
  target: string;
  /** The history has it by another study of the upload that waits for the same PACS. */
  byAnother: boolean;
}

const TOLD_BY_ANOTHER = `EXISTS (
  SELECT 1 FROM studies other
  WHERE other.upload_id = study.upload_id AND other.target = study.target AND other.wait_told
    AND other.status IN ('pending', 'delivering') AND other.id <> ALL(ARRAY(SELECT held.id FROM held))
) AS by_another`;

/**
 * Writes into the histories of uploads that they wait for a PACS, once for each outage, upload and PACS. A study that was
 * begun early is not told: its upload is still on its way.
 *
 * @param seconds - a study has waited for at least so long: what passes by itself sooner is no news
 * @param limit - studies at once
 */
export async function tellWaits(unit: UnitOfWork, seconds: number, limit: number): Promise<void> {
  const { rows } = (await unit.trx.raw(
    `WITH held AS (
       SELECT id FROM studies
       WHERE status IN ('pending', 'delivering') AND waiting_for = 'pacs' AND early_delivery IS NULL
         AND NOT wait_told AND waiting_since <= now() - :seconds * interval '1 second'
       ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
     )
     UPDATE studies study SET wait_told = true FROM held WHERE study.id = held.id
     RETURNING study.upload_id, study.target, ${TOLD_BY_ANOTHER}`,
    { seconds, limit },
  )) as { rows: Told[] };
  await tell(unit, 'upload.waiting_for_pacs', rows);
}

/**
 * Notes that studies do not wait for their PACS any more, and writes that into the histories that say they do: with the last
 * study of an upload.
 */
export async function endWaits(unit: UnitOfWork, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const { rows } = (await unit.trx.raw(
    `WITH held AS (
       SELECT id, wait_told FROM studies WHERE id = ANY(:ids::uuid[]) AND waiting_since IS NOT NULL
       ORDER BY id FOR UPDATE
     )
     UPDATE studies study SET waiting_since = NULL, wait_told = false FROM held WHERE study.id = held.id
     RETURNING study.upload_id, study.target, held.wait_told, ${TOLD_BY_ANOTHER}`,
    { ids: [...ids] },
  )) as { rows: Array<Told & { waitTold: boolean }> };
  await tell(
    unit,
    'upload.pacs_back',
    rows.filter(({ waitTold }) => waitTold),
  );
}

async function tell(unit: UnitOfWork, action: string, studies: readonly Told[]): Promise<void> {
  const news = new Map(
    studies
      .filter(({ byAnother }) => !byAnother)
      .map(({ uploadId, target }) => [`${uploadId} ${target}`, { uploadId, target }]),
  );
  if (news.size === 0) return;
  for (const { uploadId, target } of news.values()) {
    unit.audit({
      actor: SYSTEM_ACTOR,
      action,
      objectType: 'upload',
      objectId: uploadId,
      detail: { target },
    });
  }
  const uploads = await unit
    .trx<UploadRow>('uploads')
    // As one value: a list of them could outgrow what one statement may bind.
    .whereRaw('id = ANY(?::uuid[])', [[...new Set([...news.values()].map(({ uploadId }) => uploadId))]])
    .select('id', 'userId', 'status', 'isHidden');
  for (const upload of uploads) announceUpload(unit, upload);
}
