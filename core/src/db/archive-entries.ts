import type { ArchiveContents, ArchiveEntry } from '../contract/uploads.js';
import type { Queryable } from './database.js';

export interface ArchiveEntryRow extends ArchiveEntry {
  uploadFileId: string;
  /** In the order in which the archive lists them. */
  position: number;
}

const ROWS_PER_INSERT = 500;
/** Entries of one archive that are told; the counts are of all. */
const MOST_TOLD = 500;

/** Replaces what is known of the contents of an archive. */
export async function replaceArchiveEntries(
  trx: Queryable,
  uploadFileId: string,
  entries: readonly ArchiveEntry[],
): Promise<void> {
  await trx<ArchiveEntryRow>('archiveEntries').where({ uploadFileId }).delete();
  const rows = entries.map((entry, position) => ({
    ...entry,
    uploadFileId,
    position,
    problem: entry.problem ? JSON.stringify(entry.problem) : null,
    findings: JSON.stringify(entry.findings),
  }));
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
    await trx('archiveEntries').insert(rows.slice(from, from + ROWS_PER_INSERT));
  }
}

/** What the archives among these files held; a file that is none has no entry. */
export async function readArchiveContents(
  db: Queryable,
  fileIds: readonly string[],
): Promise<Map<string, ArchiveContents>> {
  const counts: Array<Omit<ArchiveContents, 'entries'> & { uploadFileId: string }> = await db(
    'archiveEntries',
  )
    .whereIn('uploadFileId', [...fileIds])
    .groupBy('uploadFileId')
    .select(
      'uploadFileId',
      db.raw(`count(*) FILTER (WHERE status = 'accepted') AS accepted`),
      db.raw(`count(*) FILTER (WHERE status = 'rejected') AS rejected`),
      db.raw(`count(*) FILTER (WHERE status = 'ignored') AS ignored`),
    );
  const contents = new Map<string, ArchiveContents>();
  for (const { uploadFileId, ...totals } of counts) {
    const rows = await db<ArchiveEntryRow>('archiveEntries')
      .where({ uploadFileId })
      .where((notable) => notable.whereNot('status', 'accepted').orWhereRaw(`findings <> '[]'::jsonb`))
      .orderByRaw(`array_position(ARRAY['rejected', 'accepted', 'ignored'], status), position`)
      .limit(MOST_TOLD);
    contents.set(uploadFileId, {
      ...totals,
      entries: rows.map(({ path, size, kind, status, problem, findings }) => ({
        path,
        size,
        kind,
        status,
        ...(problem ? { problem } : {}),
        findings,
      })),
    });
  }
  return contents;
}
