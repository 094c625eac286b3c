import { prepared, type Queryable } from './database.js';
import type { UploadFileRow } from './upload-files.js';

/**
 * A lease says which server process writes a file now. It is renewed while it is held and runs out by itself; a
 * holder that is dead is known at once by the advisory lock its process held (see {@link holderLock}).
 */
export interface LeaseRow {
  /** Rises with every lease of any file. */
  token: number;
  /** True when the last holder had not given it back. */
  takenOver: boolean;
  /** The file as it is now. */
  file: Pick<UploadFileRow, 'id' | 'status' | 'size' | 'bytesReceived'>;
}

type LeasedFile = LeaseRow['file'];

/** NOTIFY channel; payloads are `wanted <fileId>` and `freed <fileId>`. */
export const LEASE_CHANNEL = 'relaypacs_leases';

/** The advisory lock a server process holds on a connection of its own for as long as it lives. */
export const holderLock = 'hashtextextended(?, 0)';

/**
 * Takes the lease when it is free, has run out, or its holder's process is gone.
 *
 * @param seconds - how long it holds from now, by the database's clock
 * @returns undefined when another process holds it
 * @throws a foreign key violation (SQLSTATE 23503) when there is no such file
 */
export async function takeLease(
  db: Queryable,
  fileId: string,
  holder: string,
  seconds: number,
): Promise<LeaseRow | undefined> {
  const { rows }: { rows: { token: number; takenOver: boolean }[] } = await db
    .raw(
      `INSERT INTO file_leases AS held (file_id, holder, token, expires_at)
       VALUES (:fileId, :holder, nextval('file_lease_tokens'), now() + :seconds * interval '1 second')
       ON CONFLICT (file_id) DO UPDATE
         SET holder = excluded.holder, token = excluded.token, expires_at = excluded.expires_at,
             release_requested_at = NULL
         WHERE held.expires_at < now() OR held.holder = excluded.holder OR NOT EXISTS (
           SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND (CAST(classid AS bigint) << 32) | CAST(objid AS bigint)
               = hashtextextended(CAST(held.holder AS text), 0))
       RETURNING token, xmax <> 0 AS taken_over`,
      { fileId, holder, seconds },
    )
    .options(prepared('take lease'));
  const [lease] = rows;
  if (!lease) return undefined;
  // A statement of its own: the one above may have waited for the last holder, and sees what was before.
  const file: LeasedFile | undefined = await db('uploadFiles')
    .where({ id: fileId })
    .first('id', 'status', 'size', 'bytesReceived')
    .options(prepared('read leased file'));
  return file && { ...lease, file };
}

/**
 * Asks the holder to give the lease back: by a notification, and by a mark it finds when that gets lost.
 *
 * @returns false when nobody holds it any more
 */
export async function requestRelease(db: Queryable, fileId: string): Promise<boolean> {
  const { rows }: { rows: unknown[] } = await db.raw(
    `WITH wanted AS (
       UPDATE file_leases SET release_requested_at = now() WHERE file_id = :fileId RETURNING file_id
     ) SELECT pg_notify(:channel, 'wanted ' || file_id) FROM wanted`,
    { fileId, channel: LEASE_CHANNEL },
  );
  return rows.length > 0;
}

export interface RenewedLease {
  fileId: string;
  token: number;
  releaseRequestedAt: Date | null;
}

/**
 * Prolongs leases of a process; those that are not among the answer are lost. Others of the process, which it does not
 * know of any more, run out.
 */
export async function renewLeases(
  db: Queryable,
  holder: string,
  fileIds: readonly string[],
  seconds: number,
): Promise<RenewedLease[]> {
  // Always locked in the same order, here and where they are released.
  const { rows }: { rows: RenewedLease[] } = await db.raw(
    `WITH ours AS MATERIALIZED (
       SELECT file_id FROM file_leases WHERE holder = :holder AND file_id = ANY(:fileIds)
       ORDER BY file_id FOR UPDATE
     ) UPDATE file_leases l SET expires_at = now() + :seconds * interval '1 second'
     FROM ours WHERE l.file_id = ours.file_id RETURNING l.file_id, l.token, l.release_requested_at`,
    { holder, fileIds: [...fileIds], seconds },
  );
  return rows;
}

/** Gives leases back, where they are still ours, and tells those who wait. */
export async function releaseLeases(
  db: Queryable,
  leases: ReadonlyArray<{ fileId: string; token: number }>,
): Promise<void> {
  await db
    .raw(
      `WITH ours AS MATERIALIZED (
         SELECT l.file_id FROM file_leases l
         JOIN unnest(CAST(:fileIds AS uuid[]), CAST(:tokens AS bigint[])) AS mine (file_id, token)
           ON l.file_id = mine.file_id AND l.token = mine.token
         ORDER BY l.file_id FOR UPDATE OF l
       ), freed AS (
         DELETE FROM file_leases l USING ours WHERE l.file_id = ours.file_id
         RETURNING l.file_id, l.release_requested_at
       ) SELECT pg_notify(:channel, 'freed ' || file_id) FROM freed WHERE release_requested_at IS NOT NULL`,
      {
        fileIds: leases.map(({ fileId }) => fileId),
        tokens: leases.map(({ token }) => token),
        channel: LEASE_CHANNEL,
      },
    )
    .options(prepared('release leases'));
}

/** Gives back whatever lease a process has on a file: one it was given without hearing of it. */
export async function releaseUnknown(db: Queryable, fileId: string, holder: string): Promise<void> {
  await db.raw(
    `WITH freed AS (DELETE FROM file_leases WHERE file_id = :fileId AND holder = :holder RETURNING file_id)
     SELECT pg_notify(:channel, 'freed ' || file_id) FROM freed`,
    { fileId, holder, channel: LEASE_CHANNEL },
  );
}
