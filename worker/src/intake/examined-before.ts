import type { Queryable } from '@relaypacs/core/db/database.js';
import {
  type FileExaminationRow,
  insertFileExaminations,
  listFileExaminations,
} from '@relaypacs/core/db/file-examinations.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { type CheckedFile, type DeliverableObject, isLost, type KnownObject } from './examined.js';

/**
 * Number of the rules by which files are examined: to be raised with every change of what is found in a file, so that
 * nothing is believed that an older worker found.
 */
const RULES = 1;

/** What is kept of an accepted object that is delivered as it came; all else is looked at again. */
interface Found extends Pick<DeliverableObject, 'attributes' | 'transferSyntaxUid'> {
  findings: KnownObject['findings'];
}

/** Keeps what was found in files until all of their upload is taken in. */
export async function keepExamined(trx: Queryable, checked: readonly CheckedFile[]): Promise<void> {
  await insertFileExaminations(
    trx,
    checked.flatMap((file) => toRow(file) ?? []),
  );
}

function toRow(checked: CheckedFile): FileExaminationRow | undefined {
  if (isLost(checked)) return undefined;
  const { file, status, object, findings, md5, sha256 } = checked;
  if (status !== 'accepted' || !object || object.pieces !== undefined) return undefined;
  const { attributes, transferSyntaxUid } = object;
  const found: Found = { attributes, transferSyntaxUid, findings };
  return { fileId: file.id, rules: RULES, md5, sha256, found };
}

/**
 * What was found in files of an upload before all of it was here, by the ids of the files.
 *
 * @param upload - an object that is to be given its Patient ID has to be looked at again
 */
export async function recallExamined(
  db: Queryable,
  upload: Pick<UploadRow, 'id' | 'addsPatientId'>,
  sizes: ReadonlyMap<string, number>,
): Promise<Map<string, KnownObject>> {
  const known = new Map<string, KnownObject>();
  for (const { fileId, md5, sha256, found } of await listFileExaminations(db, upload.id, RULES)) {
    const { attributes, transferSyntaxUid, findings } = found as Found;
    const size = sizes.get(fileId);
    if (size === undefined || (upload.addsPatientId && attributes.patientId === undefined)) continue;
    const object = { attributes, transferSyntaxUid, size, sha256, steps: [], pieces: undefined };
    known.set(fileId, {
      kind: 'dicom',
      status: 'accepted',
      problem: undefined,
      findings,
      object,
      size,
      md5,
      sha256,
      entries: [],
    });
  }
  return known;
}
