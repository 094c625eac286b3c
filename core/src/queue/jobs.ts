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

/**
 * The job that looks at what has arrived of an upload while the rest still does.
 *
 * @param received - files that have arrived; the number makes the job's id
 */
export function earlyIntakeJob(upload: Pick<UploadRow, 'id' | 'serviceLevel'>, received: number): QueuedJob {
  return {
    queue: 'intake',
    jobId: `early-${upload.id}-${received}`,
    payload: { uploadId: upload.id, early: true },
    priority: priorityOf(upload.serviceLevel),
    runAt: new Date(),
  };
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
