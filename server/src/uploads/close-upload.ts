import { type PacsTargets, targetName } from '@relaypacs/core/config-targets.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import {
  deleteEarlyStudies,
  expireEarlyStudy,
  isAnyUnderWay,
  listWentOut,
  lockEarlyStudies,
} from '@relaypacs/core/db/early-studies.js';
import { countLeftInPacs, type LeftInPacs, listFailureTitles } from '@relaypacs/core/db/left-in-pacs.js';
import {
  isFirstDelivery,
  listEverDelivered,
  listFirstDeliveries,
  type StudyRow,
  updateStudy,
} from '@relaypacs/core/db/studies.js';
import { countSuperseded } from '@relaypacs/core/db/superseded.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { changeUploadStatus, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { HttpProblem } from '../http/http-problem.js';
import { closedProblem, closedStudyProblem } from './closing-words.js';

/**
 * Closes an upload that failed and that nobody means to try again. What the PACS has of it stays there, and is told;
 * the files go with the next removal of bytes.
 *
 * @param upload - its row, held
 * @throws HttpProblem UPLOAD_STATE_CONFLICT while something of it is on its way to a PACS
 */
export async function closeUpload(
  unit: UnitOfWork,
  pacs: Pick<PacsTargets, 'all'>,
  upload: UploadRow,
  actor: Actor,
): Promise<void> {
  const { trx } = unit;
  await assertNothingMoves(unit, upload);
  await forgetUnsent(unit, upload);
  const studies = await listFirstDeliveries(trx, [upload.id]);
  const ids = studies.map(({ id }) => id);
  const left = await countLeftInPacs(trx, ids);
  const titles = await listFailureTitles(trx, ids);
  for (const study of studies.filter(({ status }) => status !== 'delivered')) {
    await endStudy(unit, study, titles.get(study.id) ?? []);
  }
  const problem = closedProblem({
    left,
    nameOf: (key) => targetName(pacs, key),
    isSender: actor.userId === upload.userId,
    hasSuperseded: (await countSuperseded(trx, upload.id)).length > 0,
  });
  const sum = (count: (each: LeftInPacs) => number) => left.reduce((total, each) => total + count(each), 0);
  const faulty = sum((each) => each.faulty);
  await changeUploadStatus(unit, {
    uploadId: upload.id,
    to: 'cancelled',
    actor,
    problem,
    detail: {
      imagesInPacs: sum(({ there }) => there),
      imagesUnsure: sum(({ unsure }) => unsure),
      ...(faulty > 0 ? { sentAndRefused: faulty } : {}),
    },
  });
}

/** @throws HttpProblem UPLOAD_STATE_CONFLICT */
async function assertNothingMoves({ trx }: UnitOfWork, upload: UploadRow): Promise<void> {
  const deliveries = await listEverDelivered(trx, [upload.id]);
  const isMoving = (study: StudyRow) =>
    !isFirstDelivery(study) && (study.status === 'pending' || study.status === 'delivering');
  if (deliveries.some(isMoving)) {
    throw new HttpProblem(
      'UPLOAD_STATE_CONFLICT',
      'An administrator is having a study of this upload sent again, and its files are needed for that. Wait until that has ended, then close it. Nothing was changed.',
    );
  }
  if (await isAnyUnderWay(trx, deliveries)) {
    throw new HttpProblem(
      'UPLOAD_STATE_CONFLICT',
      'Images of this upload are on their way to the PACS right now. Try again in a moment. Nothing was changed.',
    );
  }
}

/** Forgets studies that were begun early and of which nothing has gone. */
async function forgetUnsent({ trx }: UnitOfWork, upload: UploadRow): Promise<void> {
  const early = await lockEarlyStudies(trx, upload.id);
  const went = new Set((await listWentOut(trx, early)).map(({ studyId }) => studyId));
  await deleteEarlyStudies(
    trx,
    early.filter(({ id }) => !went.has(id)),
  );
}

async function endStudy({ trx }: UnitOfWork, study: StudyRow, reasons: readonly string[]): Promise<void> {
  const problem = closedStudyProblem(study.problem, reasons);
  if (study.earlyDelivery !== null) await expireEarlyStudy(trx, study.id, problem);
  else {
    await updateStudy(trx, study.id, { status: 'failed', problem, waitingFor: null, nextAttemptAt: null });
  }
}
