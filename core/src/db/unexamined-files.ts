import type { Queryable } from './database.js';
import type { UploadFileRow } from './upload-files.js';
import type { UploadRow } from './uploads.js';

/** Code of the problem of an upload whose files could not be read for checking. */
export const INTAKE_FAILED = 'INTAKE_FAILED';

/** Whether a file of an upload arrived about which the checks have not said anything yet. */
export async function hasUnexaminedFiles(db: Queryable, uploadId: string): Promise<boolean> {
  const file = await db<UploadFileRow>('uploadFiles')
    .where({ uploadId, isDerived: false, status: 'received' })
    .first('id');
  return file !== undefined;
}

/** Whether an upload that ended is to be checked before anything of it is delivered, its last check having failed. */
export async function isToBeChecked(
  db: Queryable,
  { id, status, problem }: Pick<UploadRow, 'id' | 'status' | 'problem'>,
): Promise<boolean> {
  if (status !== 'failed') return false;
  return problem?.code === INTAKE_FAILED || (await hasUnexaminedFiles(db, id));
}
