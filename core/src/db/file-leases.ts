import type { Segment } from '../storage/object-storage.js';
import { prepared, type Queryable } from './database.js';
import type { UploadFileRow } from './upload-files.js';

/**
 * A lease says which server process writes a file now. It is renewed while it is held and runs out by itself; a
 * holder that is dead is known at once by the advisory lock its process held (see {@link holderLock}).
 */
export interface LeaseRow {
  /** Rises with every lease of any file. */
  token: number;
  /** True when the last holder had not given it back: its last writes may still be under way. */
  takenOver: boolean;
  /** The file as it is now. */
  file: Pick<UploadFileRow, 'id' | 'status' | 'size' | 'bytesReceived'>;
  /** Where its last bytes lie. */
  lastSegment: Segment | undefined;
}

interface LeaseRecord {
  token: number;
  takenOver: boolean;
  id: string;
  status: UploadFileRow['status'];
  size: number | null;
  bytesReceived: number;
  lastStart: number | null;
  lastKey: string | null;
}

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
  const { rows }: { rows: LeaseRecord[] } = await db
    .raw(
      `WITH lease AS (
     INSERT INTO file_leases AS held (file_id, holder, token, expires_at)
     VALUES (:fileId, :holder, nextval('file_lease_tokens'), now() + :seconds * interval '1 second')
     ON CONFLICT (file_id) DO UPDATE
       SET holder = excluded.holder, token = excluded.token, expires_at = excluded.expires_at,
           release_requested_at = NULL
       WHERE held.expires_at < now() OR held.holder = excluded.holder OR NOT EXISTS (
         SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND (CAST(classid AS bigint) << 32) | CAST(objid AS bigint) = hashtextextended(CAST(held.holder AS text), 0))
     RETURNING file_id, token, xmax <> 0 AS taken_over
     ) SELECT token, taken_over, f.id, f.status, f.size, f.bytes_received, s.start AS last_start, s.key AS last_key
     FROM lease JOIN upload_files f ON f.id = lease.file_id LEFT JOIN LATERAL (
       SELECT start, key FROM file_segments WHERE file_id = f.id ORDER BY start DESC LIMIT 1
     ) s ON true`,
      { fileId, holder, seconds },
    )
    .options(prepared('take lease'));
  const [row] = rows;
  if (!row) return undefined;
  const { token, takenOver, lastStart, lastKey, ...file } = row;
  const lastSegment = lastStart === null || lastKey === null ? undefined : { start: lastStart, key: lastKey };
  return { token, takenOver, file, lastSegment };
}

/** Asks the holder to give the lease back: by a notification, and by a mark it finds when that gets lost. */
export async function requestRelease(db: Queryable, fileId: string): Promise<void> {
  await db.raw(
    `WITH wanted AS (
       UPDATE file_leases SET release_requested_at = now() WHERE file_id = :fileId RETURNING file_id
     ) SELECT pg_notify(:channel, 'wanted ' || file_id) FROM wanted`,
    { fileId, channel: LEASE_CHANNEL },
  );
}

export interface RenewedLease {
  fileId: string;
  token: number;
  releaseRequestedAt: Date | null;
}

/** Prolongs all leases of a process; those that are not among the answer are lost. */
export async function renewLeases(db: Queryable, holder: string, seconds: number): Promise<RenewedLease[]> {
  const { rows }: { rows: RenewedLease[] } = await db.raw(
    `UPDATE file_leases SET expires_at = now() + :seconds * interval '1 second'
     WHERE holder = :holder RETURNING file_id, token, release_requested_at`,
    { holder, seconds },
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
      `WITH freed AS (
       DELETE FROM file_leases l USING unnest(CAST(:fileIds AS uuid[]), CAST(:tokens AS bigint[])) AS mine (file_id, token)
       WHERE l.file_id = mine.file_id AND l.token = mine.token RETURNING l.file_id, l.release_requested_at
     ) SELECT pg_notify(:channel, 'freed ' || file_id) FROM freed WHERE release_requested_at IS NOT NULL`,
      {
        fileIds: leases.map(({ fileId }) => fileId),
        tokens: leases.map(({ token }) => token),
        channel: LEASE_CHANNEL,
      },
    )
    .options(prepared('release leases'));
}
