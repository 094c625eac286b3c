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
