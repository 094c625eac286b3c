import { DEFAULT_ARCHIVE_LIMITS } from '@relaypacs/core/archive/limits.js';
import type { Config } from '@relaypacs/core/config.js';
import { hasUnseenFiles, putBackUnseen, takeUnseenFiles } from '@relaypacs/core/db/arrived-files.js';
import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { mayGoEarly } from '@relaypacs/core/domain/early-delivery.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { arrivedFilesJob } from '@relaypacs/core/queue/jobs.js';
import { inParallel } from '../in-parallel.js';
import { examineSingleObject, type FileExaminationDeps } from './examine-file.js';
import type { CheckedFile } from './examined.js';
import { keepExamined } from './examined-before.js';
import { recordEarly } from './record-early.js';
import type { IntakeDeps } from './take-in-upload.js';

export interface ArrivedFilesDeps extends Omit<IntakeDeps, 'storage' | 'config'> {
  config: Pick<Config, 'delivery' | 'intake' | 'uploads' | 'pacs'>;
}

/** Looked at before what was found is kept and others have their turn; images that may go at once do not wait for many. */
const BATCH = { early: 20, ahead: 100, bytes: 64 * 1024 * 1024 };
const FILES_AT_ONCE = 2;

/**
 * Looks at files that have arrived of an upload while the rest still does: those that are DICOM objects by themselves.
 * What is found is kept for the intake of the whole upload, which then needs not read them, and what is beyond doubt may
 * go to delivery early. The rest of a long list is left to another job. Does nothing for an upload that is here as a
 * whole.
 */
export async function examineArrived(deps: ArrivedFilesDeps, uploadId: string): Promise<void> {
  const { transact, db, config, stopping, logger } = deps;
  const taken = await transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload || !takesFiles(upload.status)) return undefined;
    const urgency = mayGoEarly(upload, config) ? 'early' : 'ahead';
    const most = { files: BATCH[urgency], bytes: BATCH.bytes };
    const files = await takeUnseenFiles(unit.trx, uploadId, most);
    // Files that come from now on have a job of their own.
    if (await hasUnseenFiles(unit.trx, uploadId))
      unit.enqueue(arrivedFilesJob(upload, `after-${files.at(-1)?.id}`, urgency, 0));
    return { upload, files };
  });
  if (!taken || taken.files.length === 0) return;
  const ids = taken.files.map(({ id }) => id);
  try {
    const checked = await examineObjects(deps, taken.upload, taken.files);
    await transact(async (unit) => {
      const upload = await lockUpload(unit.trx, uploadId);
      // Here as a whole by now, or ended: its intake has begun without these.
      if (!upload || !takesFiles(upload.status)) return;
      await keepExamined(unit.trx, checked);
      if (mayGoEarly(upload, config)) await recordEarly(unit, config, upload, checked);
    });
  } catch (error) {
    if (!stopping.aborted) logger.warn('What has arrived could not be looked at yet', { error });
    await putBackUnseen(db, ids);
  }
}

/** Of these files those that are objects by themselves. */
async function examineObjects(
  deps: ArrivedFilesDeps,
  upload: UploadRow,
  files: readonly UploadFileRow[],
): Promise<CheckedFile[]> {
  const examination: FileExaminationDeps = {
    files: await deps.files.locate(files.map(({ id }) => id)),
    tasks: deps.tasks,
    uploadId: upload.id,
    studyInstanceUid: upload.studyInstanceUid ?? undefined,
    patientId: undefined,
    limits: { ...DEFAULT_ARCHIVE_LIMITS, ...deps.config.intake.archive },
    // Tables of contents are read with the whole upload.
    spent: { entries: 0, bytes: 0, dicomdirs: Number.POSITIVE_INFINITY },
    signal: deps.stopping,
  };
  const found: CheckedFile[] = [];
  await inParallel(files, FILES_AT_ONCE, async (file) => {
    deps.stopping.throwIfAborted();
    const checked = await examineSingleObject(examination, file).catch((error: unknown) => {
      if (deps.stopping.aborted) throw error;
      // It is read with the whole upload, which says what becomes of it; the others are not held up by it.
      deps.logger.warn('A file that has arrived could not be looked at yet', { fileId: file.id, error });
      return undefined;
    });
    if (checked) found.push(checked);
  });
  return found;
}
