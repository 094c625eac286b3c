import type { UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { count, formatBytes } from '../../ui/format.js';

type Facts = Pick<
  UploadSummary,
  'status' | 'receivedAt' | 'fileCount' | 'totalBytes' | 'filesReceived' | 'bytesReceived'
>;

/** `38 files, 18.5 MB`: what arrived, or as long as files are awaited, or did not come, what was announced. */
export function sizeWords(upload: Facts): string {
  const isAwaited = upload.status === 'created' || upload.status === 'uploading';
  return upload.receivedAt === null || isAwaited
    ? `${count(upload.fileCount, 'file')}, ${formatBytes(upload.totalBytes)}`
    : `${count(upload.filesReceived, 'file')}, ${formatBytes(upload.bytesReceived)}`;
}
