import type { Database } from '@relaypacs/core/db/database.js';
import { isId } from '@relaypacs/core/db/ids.js';
import { findUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import type { Request, Response } from 'express';
import { type Principal, principalOf } from '../auth/authenticate.js';
import { notFound } from '../http/http-problem.js';

/**
 * The upload that the path names by `:id`.
 *
 * @throws HttpProblem NOT_FOUND when there is none, or the principal may not do this with it
 */
export async function permittedUpload(
  db: Database,
  req: Request,
  res: Response,
  allowed: (principal: Principal, upload: UploadRow) => boolean,
): Promise<UploadRow> {
  const id = String(req.params.id);
  const upload = isId(id) ? await findUpload(db, id) : undefined;
  if (!upload || !allowed(principalOf(res), upload)) throw notFound('upload');
  return upload;
}
