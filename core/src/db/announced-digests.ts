import type { Queryable } from './database.js';
import type { UploadFileRow } from './upload-files.js';

/** Writes the digests a sender announced for many files in one statement. */
export async function recordAnnouncedDigests(
  db: Queryable,
  files: ReadonlyArray<Pick<UploadFileRow, 'id' | 'announcedMd5' | 'announcedSha256'>>,
): Promise<void> {
  if (files.length === 0) return;
  await db.raw(
    `UPDATE upload_files AS file
     SET announced_md5 = decode(said.md5, 'hex'), announced_sha256 = decode(said.sha256, 'hex')
     FROM json_to_recordset(?::json) AS said (id uuid, md5 text, sha256 text)
     WHERE file.id = said.id`,
    [
      JSON.stringify(
        files.map(({ id, announcedMd5, announcedSha256 }) => ({
          id,
          md5: announcedMd5?.toString('hex'),
          sha256: announcedSha256?.toString('hex'),
        })),
      ),
    ],
  );
}

/** Records the MD5 of what arrived of a file, where it was not taken when the file was looked at. */
export async function recordMd5(db: Queryable, fileId: string, md5: Buffer): Promise<void> {
  await db<UploadFileRow>('uploadFiles').where({ id: fileId, md5: null }).update({ md5 });
}
