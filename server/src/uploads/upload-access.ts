import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { Principal } from '../auth/authenticate.js';

type Owned = Pick<UploadRow, 'id' | 'userId'>;

/** True when the principal may change the upload: its owner, a program of the owner's, or the holder of its token. */
export function mayChangeUpload(principal: Principal, upload: Owned): boolean {
  return principal.kind === 'upload' ? principal.uploadId === upload.id : principal.userId === upload.userId;
}

/** True for an admin who is signed in. An admin's API token is for the admin's own uploads: it lies in some script. */
export function seesEverything(principal: Principal): boolean {
  return principal.kind === 'user' && principal.user.role === 'Admin';
}

/** True when the principal may look at the upload: who may change it, or an admin. */
export function maySeeUpload(principal: Principal, upload: Owned): boolean {
  return mayChangeUpload(principal, upload) || seesEverything(principal);
}
