import type { Queryable } from './database.js';
import type { UploadRow } from './uploads.js';

/** When the bytes of ended uploads go. */
export interface RemovalTimes {
  /** After a delivery, a rejection, and the end of the last resend. */
  graceHours: number;
  /** After a cancellation or expiry: requests under way have ended by then. */
  settleSeconds: number;
}

/**
 * Ended uploads whose bytes nobody needs: soon when they were cancelled or expired, after the grace time when
 * they were delivered or rejected. Those of a failed upload stay until it is closed, because the PACS does not have them;
 * so do those of one that is being sent again.
 */
export async function listUploadsToEmpty(
  db: Queryable,
  times: RemovalTimes,
  limit: number,
): Promise<UploadRow[]> {
  return uploadsToEmpty(db, times).orderBy('uploads.id').limit(limit);
}

/** Whether {@link listUploadsToEmpty} would still name an upload; to be asked while its row is held. */
export async function isToBeEmptied(trx: Queryable, id: string, times: RemovalTimes): Promise<boolean> {
  return (await uploadsToEmpty(trx, times).where('uploads.id', id).first('uploads.id')) !== undefined;
}

function uploadsToEmpty(db: Queryable, { graceHours, settleSeconds }: RemovalTimes) {
  const neededByResends = db('studies as resend')
    .whereRaw('resend.upload_id = uploads.id')
    .whereNotNull('resend.resendOf')
    .where((needed) =>
      needed
        .whereIn('resend.status', ['pending', 'delivering'])
        .orWhereRaw(`resend.updated_at >= now() - ? * interval '1 hour'`, [graceHours]),
    )
    .select(db.raw('1'));
  return db<UploadRow>('uploads')
    .whereNull('bytesRemovedAt')
    .where((ended) =>
      ended
        .where((over) =>
          over
            .whereIn('status', ['cancelled', 'expired'])
            .whereRaw(`ended_at <= now() - ? * interval '1 second'`, [settleSeconds]),
        )
        .orWhere((kept) =>
          kept
            .whereIn('status', ['delivered', 'rejected'])
            .whereRaw(`ended_at < now() - ? * interval '1 hour'`, [graceHours])
            .whereNotExists(neededByResends),
        ),
    );
}

export async function recordBytesRemoved(db: Queryable, id: string): Promise<void> {
  await db<UploadRow>('uploads').where({ id }).update({ bytesRemovedAt: new Date() });
}
