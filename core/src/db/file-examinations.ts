import type { Queryable } from './database.js';

/** What was found in a file while the rest of its upload still arrived. */
export interface FileExaminationRow {
  fileId: string;
  /** Number of the rules by which it was examined. */
  rules: number;
  /** Null where the sender had announced none by then. */
  md5: Buffer | null;
  sha256: Buffer;
  /** As JSON; its meaning is the examination's own. */
  found: unknown;
}

/** Those of files that were removed meanwhile are left out. */
export async function insertFileExaminations(
  trx: Queryable,
  rows: readonly FileExaminationRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await trx.raw(
    `INSERT INTO file_examinations (file_id, upload_id, rules, md5, sha256, found)
     SELECT f.id, f.upload_id, e.rules, e.md5, e.sha256, e.found::json
     FROM unnest(CAST(:ids AS uuid[]), CAST(:rules AS integer[]), CAST(:md5s AS bytea[]), CAST(:sha256s AS bytea[]),
                 CAST(:found AS text[])) AS e (id, rules, md5, sha256, found)
     JOIN upload_files f ON f.id = e.id
     ON CONFLICT (file_id) DO UPDATE
     SET rules = excluded.rules, md5 = excluded.md5, sha256 = excluded.sha256, found = excluded.found`,
    {
      ids: rows.map(({ fileId }) => fileId),
      rules: rows.map(({ rules }) => rules),
      md5s: rows.map(({ md5 }) => md5),
      sha256s: rows.map(({ sha256 }) => sha256),
      found: rows.map(({ found }) => JSON.stringify(found)),
    },
  );
}

/** What is known of the files of an upload by these rules. */
export async function listFileExaminations(
  db: Queryable,
  uploadId: string,
  rules: number,
): Promise<FileExaminationRow[]> {
  return db('fileExaminations').where({ uploadId, rules });
}

/** Forgets what was found: it stands in the files' own rows, or nobody needs it any more. */
export async function deleteFileExaminations(trx: Queryable, uploadId: string): Promise<void> {
  await trx('fileExaminations').where({ uploadId }).delete();
}
