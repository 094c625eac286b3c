import type { ArchiveContents, ArchiveEntry } from '../contract/uploads.js';
import type { Queryable } from './database.js';
import { NOTED_FINDINGS, toldFinding } from './told-findings.js';

export interface ArchiveEntryRow extends ArchiveEntry {
  uploadFileId: string;
  /** In the order in which the archive lists them. */
  position: number;
}

const ROWS_PER_INSERT = 500;
/** Entries of one upload that are told; the counts are of all. */
const MOST_TOLD = 500;

/** It has a finding that is worth a look. */
const REMARKED = `EXISTS (SELECT 1 FROM jsonb_array_elements(findings) AS f WHERE f->>'code' <> ALL(?::text[]))`;

/** Replaces what is known of the contents of an upload's archives. */
export async function replaceArchiveEntries(
  trx: Queryable,
  uploadId: string,
  entriesByFile: ReadonlyMap<string, readonly ArchiveEntry[]>,
): Promise<void> {
  const files = trx('uploadFiles').where({ uploadId }).select('id');
  await trx<ArchiveEntryRow>('archiveEntries').whereIn('uploadFileId', files).delete();
  const rows = [...entriesByFile].flatMap(([uploadFileId, entries]) =>
    entries.map((entry, position) => ({
      ...entry,
      uploadFileId,
      position,
      problem: entry.problem ? JSON.stringify(entry.problem) : null,
      findings: JSON.stringify(entry.findings),
    })),
  );
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
    await trx('archiveEntries').insert(rows.slice(from, from + ROWS_PER_INSERT));
  }
}

/** What the archives among these files held; a file that is none has no entry. */
export async function readArchiveContents(
  db: Queryable,
  fileIds: readonly string[],
): Promise<Map<string, ArchiveContents>> {
  if (fileIds.length === 0) return new Map();
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
  const contents = new Map(
    counts.map(({ uploadFileId, ...totals }) => [uploadFileId, { ...totals, entries: [] as ArchiveEntry[] }]),
  );
  const rows = await db<ArchiveEntryRow>('archiveEntries')
    .whereIn('uploadFileId', [...fileIds])
    .where((notable) => notable.whereNot('status', 'accepted').orWhereRaw(REMARKED, [[...NOTED_FINDINGS]]))
    .orderByRaw(`array_position(ARRAY['rejected', 'accepted', 'ignored'], status), upload_file_id, position`)
    .limit(MOST_TOLD);
  for (const { uploadFileId, path, size, kind, status, problem, findings } of rows) {
    contents.get(uploadFileId)?.entries.push({
      path,
      size,
      kind,
      status,
      ...(problem ? { problem } : {}),
      findings: findings.map(toldFinding),
    });
  }
  return contents;
}
