import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';

/**
 * The studies an administrator can have sent again or elsewhere now: of a delivered upload all, of another one those
 * that are not delivered and that no worker is at.
 */
export function resendableStudies({
  status,
  waitingFor,
  bytesRemovedAt,
  studies,
}: Pick<UploadDetail, 'status' | 'waitingFor' | 'bytesRemovedAt' | 'studies'>): UploadDetail['studies'] {
  if (bytesRemovedAt !== null) return [];
  const first = studies.filter(({ resendOf }) => resendOf === null);
  if (status === 'delivered') return first;
  if (status === 'failed') return first.filter((study) => study.status !== 'delivered');
  if (status !== 'delivering' || waitingFor !== 'pacs') return [];
  return first.filter((study) => study.waitingFor === 'pacs' || study.status === 'failed');
}
