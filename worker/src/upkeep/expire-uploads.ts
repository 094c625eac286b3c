import { type PacsTargets, targetName } from '@relaypacs/core/config-targets.js';
import { UPLOAD_EXPIRED_IN_PART, type UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import {
  deleteEarlyStudies,
  expireEarlyStudy,
  isAnyUnderWay,
  listWentOut,
  lockEarlyStudies,
} from '@relaypacs/core/db/early-studies.js';
import type { StudyRow } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { sumUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { changeUploadStatus, listOverdueUploads, lockUpload } from '@relaypacs/core/db/uploads.js';
import { wentOutWords } from '@relaypacs/core/domain/early-delivery.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { receiveUpload } from '@relaypacs/core/uploads/receive-upload.js';

const BATCH = 100;

const EXPIRED: UploadProblem = {
  code: 'UPLOAD_EXPIRED',
  title: 'Not finished in time',
  detail: 'The transfer was not finished in time and nothing was sent to the PACS. Send the study again.',
  remedy: 'new_upload',
};

/** Of which something was delivered early. */
const expiredInPart = (words: string): UploadProblem => ({
  code: UPLOAD_EXPIRED_IN_PART,
  title: 'Not finished in time, and in the PACS in part',
  detail: `The transfer was not finished in time. ${words}, so the study there is incomplete; the others were not sent. Send the whole study again: what the PACS has is not sent twice. Until then tell the people who read it that images are missing.`,
  remedy: 'new_upload',
});

/**
 * Ends open uploads whose time is over, or, where they were complete before, goes on with what they have; their bytes are removed by {@link removeBytes}. One with which that fails is
 * logged and comes again; the others go on.
 *
 * @returns how many were looked after
 */
export async function expireUploads({
  db,
  transact,
  storage,
  config,
  logger,
}: Pick<Platform, 'db' | 'transact' | 'storage' | 'config' | 'logger'>): Promise<number> {
  let done = 0;
  for (const { id } of await listOverdueUploads(db, BATCH)) {
    try {
      const abandoned = await transact((unit) => expire(unit, config.pacs, id));
      // Images of it are on their way into the PACS: it ends when they are there.
      if (!abandoned) continue;
      await storage.remove(abandoned);
      done += 1;
    } catch (error) {
      logger.error('An upload could not be ended', { uploadId: id, error });
    }
  }
  return done;
}

async function expire(
  unit: UnitOfWork,
  pacs: Pick<PacsTargets, 'all'>,
  uploadId: string,
): Promise<string[] | undefined> {
  // Its last file may have arrived since it was listed.
  const upload = await lockUpload(unit.trx, uploadId);
  if (!upload || !takesFiles(upload.status)) return [];
  const totals = (await sumUploadFiles(unit.trx, [uploadId])).get(uploadId);
  // It was complete once and opened again for more files: what had arrived by then is a study somebody relies on.
  if (upload.receivedAt !== null && totals) return receiveUpload(unit, upload, totals, SYSTEM_ACTOR);
  const went = await endEarlyStudies(unit, pacs, uploadId);
  if (!went) return undefined;
  await changeUploadStatus(unit, {
    uploadId,
    to: 'expired',
    actor: SYSTEM_ACTOR,
    problem: went.problem ?? EXPIRED,
    ...(went.problem ? { detail: { imagesSent: went.images } } : {}),
  });
  return [];
}

/**
 * Ends what was delivered early.
 *
 * @returns what is in the PACS and what is told of it; undefined while something is under way
 */
async function endEarlyStudies(
  { trx }: UnitOfWork,
  pacs: Pick<PacsTargets, 'all'>,
  uploadId: string,
): Promise<{ images: number; problem: UploadProblem | undefined } | undefined> {
  const studies = await lockEarlyStudies(trx, uploadId);
  if (await isAnyUnderWay(trx, studies)) return undefined;
  const went = await listWentOut(trx, studies);
  const isBegun = ({ id }: StudyRow) => went.some(({ studyId }) => studyId === id);
  await deleteEarlyStudies(
    trx,
    studies.filter((study) => !isBegun(study)),
  );
  if (went.length === 0) return { images: 0, problem: undefined };
  const problem = expiredInPart(wentOutWords(went, (key) => targetName(pacs, key)));
  for (const { id } of studies.filter(isBegun)) {
    await expireEarlyStudy(trx, id, problem);
  }
  return { images: went.length, problem };
}
