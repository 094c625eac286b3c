import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { Principal } from '../auth/authenticate.js';

/** True when the principal may change the upload: its owner, or the holder of its token. */
export function mayChangeUpload(principal: Principal, upload: UploadRow): boolean {
  return principal.kind === 'upload' ? principal.uploadId === upload.id : principal.userId === upload.userId;
}

/** True when the principal may look at the upload: who may change it, or an admin. */
export function maySeeUpload(principal: Principal, upload: UploadRow): boolean {
  return mayChangeUpload(principal, upload) || (principal.kind === 'user' && principal.user.role === 'Admin');
}
