import type { UploadStatus } from '../contract/uploads.js';

/** Every allowed change of an upload's status. What is not here is refused. */
const CHANGES: Record<UploadStatus, readonly UploadStatus[]> = {
  created: ['uploading', 'received', 'cancelled', 'expired'],
  uploading: ['received', 'cancelled', 'expired'],
  received: ['processing', 'cancelled'],
  // Back to `uploading` only while it waits for its sender, who adds files.
  processing: ['delivering', 'uploading', 'rejected', 'failed', 'cancelled'],
  delivering: ['delivered', 'failed'],
  delivered: [],
  // Back to the checks when what was entered was corrected.
  rejected: ['processing', 'cancelled'],
  // Closed by a person who gives it up; what the PACS has of it stays there.
  failed: ['processing', 'delivering', 'cancelled'],
  expired: [],
  cancelled: [],
};

/** True when an upload may go from `from` to `to`. A status never changes to itself. */
export function mayChange(from: UploadStatus, to: UploadStatus): boolean {
  return CHANGES[from].includes(to);
}

/** The upload still takes files and bytes. */
export function takesFiles(status: UploadStatus): boolean {
  return status === 'created' || status === 'uploading';
}

/** Nothing will happen to the upload any more unless a person asks for it. */
export function isSettled(status: UploadStatus): boolean {
  return ['delivered', 'rejected', 'failed', 'expired', 'cancelled'].includes(status);
}

/** The sender may still take the upload back: nothing of it has gone towards the PACS. */
export function isCancellable(status: UploadStatus): boolean {
  return status !== 'failed' && mayChange(status, 'cancelled');
}

/** Asked for a change that the table does not have. */
export class StatusChangeRefused extends Error {
  readonly from: UploadStatus;
  readonly to: UploadStatus;
  constructor(from: UploadStatus, to: UploadStatus) {
    super(`An upload cannot go from ${from} to ${to}`);
    this.name = 'StatusChangeRefused';
    this.from = from;
    this.to = to;
  }
}

/** Throws {@link StatusChangeRefused} unless the change is in the table. */
export function assertMayChange(from: UploadStatus, to: UploadStatus): void {
  if (!mayChange(from, to)) throw new StatusChangeRefused(from, to);
}
