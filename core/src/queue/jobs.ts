import type { QueuedJob } from '../contract/jobs.js';
import type { StudyRow } from '../db/studies.js';
import type { UploadRow } from '../db/uploads.js';
import { priorityOf } from '../domain/service-level.js';

/**
 * The intake job of an upload. Its id carries the number of attempts begun, so a job that is added twice exists
 * once, and one that follows a failed attempt is new.
 */
export function intakeJob(
  upload: Pick<UploadRow, 'id' | 'attempts' | 'serviceLevel' | 'nextAttemptAt'>,
): QueuedJob {
  return {
    queue: 'intake',
    jobId: `intake-${upload.id}-${upload.attempts}`,
    payload: { uploadId: upload.id },
    priority: priorityOf(upload.serviceLevel),
    runAt: upload.nextAttemptAt ?? new Date(),
  };
}

const AHEAD_AFTER_MS = 250;

/**
 * The job that looks at what has arrived of an upload while the rest still does.
 *
 * @param what - makes the job's id: the number of files that have arrived, or what else it is about
 * @param urgency - `early`: images may go at once; `ahead`: it has a queue of its own, so that it takes no turn of an
 * upload that is here as a whole, and waits for more to arrive, as a job for each file would cost more than looking at it
 * @param waitMs - of `ahead`, in milliseconds; less where there is enough to do already
 */
export function arrivedFilesJob(
  { id, serviceLevel }: Pick<UploadRow, 'id' | 'serviceLevel'>,
  what: number | string,
  urgency: 'early' | 'ahead',
  waitMs = AHEAD_AFTER_MS,
): QueuedJob {
  const job = { jobId: `${urgency}-${id}-${what}`, priority: priorityOf(serviceLevel) };
  return urgency === 'early'
    ? { ...job, queue: 'intake', payload: { uploadId: id, early: true }, runAt: new Date() }
    : { ...job, queue: 'arrivals', payload: { uploadId: id }, runAt: new Date(Date.now() + waitMs) };
}

/** The delivery job of a study; see {@link intakeJob} for its id. */
export function deliveryJob(
  study: Pick<StudyRow, 'id' | 'attempts' | 'nextAttemptAt'>,
  serviceLevel: UploadRow['serviceLevel'],
): QueuedJob {
  return {
    queue: 'delivery',
    jobId: `delivery-${study.id}-${study.attempts}`,
    payload: { studyId: study.id },
    priority: priorityOf(serviceLevel),
    runAt: study.nextAttemptAt ?? new Date(),
  };
}
