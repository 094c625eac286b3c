import { DEFAULT_ARCHIVE_LIMITS } from '@relaypacs/core/archive/limits.js';
import type { Config } from '@relaypacs/core/config.js';
import { putBackUnseen, takeUnseenFiles } from '@relaypacs/core/db/early-files.js';
import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { mayGoEarly } from '@relaypacs/core/domain/early-delivery.js';
import { ObjectMissing } from '@relaypacs/core/storage/object-storage.js';
import { inParallel } from '../in-parallel.js';
import { readHead, sniff } from './examine-content.js';
import { examineFile, type FileExaminationDeps } from './examine-file.js';
import type { CheckedFile } from './examined.js';
import { recordEarly } from './record-early.js';
import type { IntakeDeps } from './take-in-upload.js';

export interface EarlyIntakeDeps extends Omit<IntakeDeps, 'storage' | 'config'> {
  config: Pick<Config, 'delivery' | 'intake' | 'uploads' | 'pacs'>;
}

/** Files that are looked at before what was found in them is handed on. */
const BATCH = 20;
const FILES_AT_ONCE = 2;

/**
 * Looks at what has arrived of an upload while the rest still does, and hands on to delivery what is beyond doubt by
 * itself: single DICOM objects that need no repair and contradict nothing. Everything else waits for the intake of the
 * whole upload, which looks at these files once more. Does nothing where nothing may go early.
 */
export async function takeInEarly(deps: EarlyIntakeDeps, uploadId: string): Promise<void> {
  const { transact, db, config, stopping, logger } = deps;
  while (!stopping.aborted) {
    const taken = await transact(async ({ trx }) => {
      const upload = await lockUpload(trx, uploadId);
      if (!upload || !mayGoEarly(upload, config)) return undefined;
      return { upload, files: await takeUnseenFiles(trx, uploadId, BATCH) };
    });
    if (!taken || taken.files.length === 0) return;
    try {
      const objects = await findObjects(deps, taken.upload, taken.files);
      if (objects.length > 0) await transact((unit) => recordEarly(unit, config, uploadId, objects));
    } catch (error) {
      if (!stopping.aborted) logger.warn('What has arrived could not be looked at early', { error });
      await putBackUnseen(
        db,
        taken.files.map(({ id }) => id),
      );
      return;
    }
  }
}

/** Of these files those that are single DICOM objects. */
async function findObjects(
  deps: EarlyIntakeDeps,
  upload: UploadRow,
  files: readonly UploadFileRow[],
): Promise<CheckedFile[]> {
  const examination: FileExaminationDeps = {
    files: deps.files,
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
    if (!(await beginsAsDicom(deps, file))) return;
    const checked = await examineFile(examination, file);
    if (checked.object) found.push(checked);
  });
  return found;
}

/** Archives are large, and are opened with the whole upload. */
async function beginsAsDicom(
  { files }: Pick<EarlyIntakeDeps, 'files'>,
  { id }: UploadFileRow,
): Promise<boolean> {
  const object = await files.open(id).catch((error: unknown) => {
    if (error instanceof ObjectMissing) return undefined;
    throw error;
  });
  if (!object) return false;
  try {
    return sniff(await readHead(object)) === 'dicom';
  } catch (error) {
    if (error instanceof ObjectMissing) return false;
    throw error;
  } finally {
    await object.close();
  }
}
