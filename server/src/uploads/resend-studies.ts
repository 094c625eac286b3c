import type { Config } from '@relaypacs/core/config.js';
import { findTarget, targetName } from '@relaypacs/core/config-targets.js';
import type { ResendRequest, ResendResponse } from '@relaypacs/core/contract/resends.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { findFault } from '@relaypacs/core/db/early-faults.js';
import { insertResend, PART_AT_ANOTHER_PACS, redirectStudy } from '@relaypacs/core/db/resends.js';
import {
  countInstances,
  findStudy,
  isFirstDelivery,
  listStudies,
  type StudyRow,
} from '@relaypacs/core/db/studies.js';
import { isToBeChecked } from '@relaypacs/core/db/unexamined-files.js';
import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  announceUpload,
  changeUploadStatus,
  lockUpload,
  type UploadRow,
} from '@relaypacs/core/db/uploads.js';
import { deliveryJob } from '@relaypacs/core/queue/jobs.js';
import { HttpProblem, invalidFields, notFound } from '../http/http-problem.js';

type Pacs = Pick<Config['pacs'], 'all'>;

const conflict = (detail: string) =>
  new HttpProblem('UPLOAD_STATE_CONFLICT', `${detail} Nothing was changed.`);

/**
 * Has studies delivered once more, to the same PACS or another one; and studies that are not delivered yet to another
 * PACS. A study that was delivered stays so, whatever becomes of the further delivery.
 *
 * @throws HttpProblem VALIDATION_FAILED for an unknown PACS or study, UPLOAD_STATE_CONFLICT when it is not possible now
 */
export async function resendStudies(
  transact: Transact,
  pacs: Pacs,
  uploadId: string,
  request: ResendRequest,
  actor: Actor,
): Promise<ResendResponse> {
  assertKnownTarget(pacs, request.target);
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    await assertChecked(unit, upload);
    const deliveries = await listStudies(unit.trx, [uploadId]);
    const begun: Begun[] = [];
    for (const study of chooseStudies(upload, deliveries, request.studyId)) {
      begun.push(
        isSentAgain(study)
          ? await resend(unit, pacs, study, deliveries, request.target)
          : await redirect(unit, pacs, study, request.target),
      );
    }
    for (const { study } of begun) unit.enqueue(deliveryJob(study, upload.serviceLevel));
    recordBegun(unit, uploadId, begun, actor);
    const isRedirected = begun.some(({ event }) => event === 'study.redirected');
    const status =
      upload.status === 'failed' && isRedirected
        ? (await deliverAgain(unit, uploadId, deliveries, actor)).status
        : upload.status;
    announceUpload(unit, { ...upload, status });
    return { id: uploadId, status, studies: begun.map(({ study }) => present(study)) };
  });
}

/** What is in a PACS and should not be is told until it ends. */
async function deliverAgain(
  unit: UnitOfWork,
  uploadId: string,
  deliveries: readonly StudyRow[],
  actor: Actor,
): Promise<UploadRow> {
  const problem = await findFault(unit.trx, deliveries);
  return changeUploadStatus(unit, { uploadId, to: 'delivering', actor, ...(problem ? { problem } : {}) });
}

interface Begun {
  study: StudyRow;
  event: 'study.resent' | 'study.redirected';
}

const present = ({ id, target, resendOf }: StudyRow) => ({ id, target, resendOf });

/** A further delivery has no state of its own that the upload depends on: once it failed, another one is made. */
const isSentAgain = (study: StudyRow) =>
  study.status === 'delivered' || (study.status === 'failed' && !isFirstDelivery(study));

function assertKnownTarget({ all }: Pacs, target: string | undefined): void {
  if (target === undefined || findTarget({ all }, target)) return;
  const message = `There is no such PACS; choose one of ${all.map(({ key }) => key).join(', ')}`;
  throw invalidFields([{ path: 'target', message }]);
}

/**
 * What was made with details that were corrected since names the wrong patient, and files nobody looked at would be left
 * behind: both are checked first.
 */
async function assertChecked({ trx }: UnitOfWork, upload: UploadRow): Promise<void> {
  if (upload.correctedAt !== null) {
    throw conflict(
      'What was entered was corrected, and what is here was made before that. Press Retry first, so that it is made anew; it can be sent elsewhere then.',
    );
  }
  if (await isToBeChecked(trx, upload)) {
    throw conflict(
      'Not all files of the upload were checked. Press Retry first; it can be sent elsewhere then.',
    );
  }
}

function chooseStudies(
  { status, bytesRemovedAt }: UploadRow,
  deliveries: readonly StudyRow[],
  studyId: string | undefined,
): StudyRow[] {
  if (status !== 'delivering' && status !== 'delivered' && status !== 'failed') {
    throw conflict(`The upload is ${status}: nothing of it was delivered, so nothing can be sent again.`);
  }
  if (bytesRemovedAt !== null) {
    throw new HttpProblem(
      'UPLOAD_STATE_CONFLICT',
      'The files are no longer kept here, so they cannot be sent again. If the study is needed once more, have it sent in a new upload.',
    );
  }
  if (studyId !== undefined) {
    const chosen = deliveries.filter(({ id }) => id === studyId);
    if (chosen.length > 0) return chosen;
    throw invalidFields([{ path: 'studyId', message: 'This upload has no such study' }]);
  }
  const first = deliveries.filter(isFirstDelivery);
  const chosen = status === 'delivered' ? first : first.filter((study) => study.status !== 'delivered');
  if (chosen.length === 0) throw conflict('The upload has no studies, so nothing can be sent again.');
  return chosen;
}

async function resend(
  unit: UnitOfWork,
  pacs: Pacs,
  study: StudyRow,
  deliveries: readonly StudyRow[],
  wanted: string | undefined,
): Promise<Begun> {
  const target = wanted ?? study.target;
  const first = deliveries.find(({ id }) => id === study.resendOf) ?? study;
  const isUnderWay = deliveries.some(
    (other) =>
      (other.id === first.id || other.resendOf === first.id) &&
      other.target === target &&
      (other.status === 'pending' || other.status === 'delivering'),
  );
  if (isUnderWay) {
    throw conflict(
      `The study is on its way to ${targetName(pacs, target)} already; wait until that has ended.`,
    );
  }
  const id = await insertResend(unit.trx, first, target);
  const made = await findStudy(unit.trx, id);
  if (!made) throw new Error('The resend was not written');
  return { study: made, event: 'study.resent' };
}

async function redirect(
  unit: UnitOfWork,
  pacs: Pacs,
  study: StudyRow,
  target: string | undefined,
): Promise<Begun> {
  const now = targetName(pacs, study.target);
  if (target === undefined || target === study.target) {
    const what = study.status === 'failed' ? `was not delivered to ${now}` : `is on its way to ${now}`;
    const todo = study.status === 'failed' ? 'Retry it, or name' : 'Name';
    throw conflict(`The study ${what}. ${todo} another PACS to send it there instead.`);
  }
  if (await findFault(unit.trx, [study])) {
    throw conflict(`Images of the study are in ${now} that should not be, so it goes nowhere else.`);
  }
  const counts = (await countInstances(unit.trx, [study.id])).get(study.id);
  const warning = counts && counts.stored > 0 ? partThere(counts, now, targetName(pacs, target)) : undefined;
  const redirected = await redirectStudy(unit.trx, study.id, target, warning);
  if (!redirected) {
    throw conflict(`The study is being delivered to ${now} right now; try again in a moment.`);
  }
  return { study: redirected, event: 'study.redirected' };
}

const partThere = ({ stored, total }: { stored: number; total: number }, from: string, to: string) => ({
  code: PART_AT_ANOTHER_PACS,
  message: `An administrator redirected this study from ${from} to ${to} when ${stored} of its ${total} images had reached ${from}. They are in ${from} as well.`,
});

/** In the upload's own history, so that its sender sees it: one entry for each PACS. */
function recordBegun(unit: UnitOfWork, uploadId: string, begun: readonly Begun[], actor: Actor): void {
  const groups = new Map<string, Begun[]>();
  for (const each of begun) {
    const key = `${each.event} ${each.study.target}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  for (const [one, ...others] of groups.values()) {
    if (!one) continue;
    unit.audit({
      actor,
      action: one.event,
      objectType: 'upload',
      objectId: uploadId,
      detail: { target: one.study.target, studies: others.length + 1 },
    });
  }
}
