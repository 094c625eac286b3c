import type { Config } from '@relaypacs/core/config.js';
import type { Database } from '@relaypacs/core/db/database.js';
import { isId } from '@relaypacs/core/db/ids.js';
import { findUploadFile } from '@relaypacs/core/db/upload-files.js';
import { findUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { addLogContext } from '@relaypacs/core/observability/logger.js';
import type { RequestHandler } from 'express';
import { type Principal, principalOf } from '../auth/authenticate.js';
import { HttpProblem, invalidFields, notFound } from '../http/http-problem.js';
import { actorOf, baseUrlOf } from '../http/request-context.js';
import { mayChangeUpload } from '../uploads/upload-access.js';
import { readFileMetadata } from './metadata.js';
import { rememberTusRequest } from './tus-request.js';

/** The upload a creation joins: the token's, or the one named in the metadata; both must agree. */
async function uploadForCreation(
  db: Database,
  principal: Principal,
  named: string | undefined,
): Promise<UploadRow> {
  const fromToken = principal.kind === 'upload' ? principal.uploadId : undefined;
  const id = fromToken ?? named;
  if (id === undefined) {
    throw invalidFields([
      { path: 'Upload-Metadata.uploadId', message: 'Name the upload, or send its upload token' },
    ]);
  }
  const upload = isId(id) && (named === undefined || named === id) ? await findUpload(db, id) : undefined;
  if (!upload || !mayChangeUpload(principal, upload)) throw notFound('upload');
  return upload;
}

function assertTakesBytes(upload: UploadRow): void {
  if (
    upload.status === 'expired' ||
    (takesFiles(upload.status) && upload.expiresAt.getTime() <= Date.now())
  ) {
    throw new HttpProblem('GONE', 'The time to finish this upload is over. Send the study in a new upload.');
  }
  if (upload.status === 'cancelled')
    throw new HttpProblem('GONE', 'This upload was cancelled. Nothing more is needed.');
}

/**
 * Lets a tus request through when it concerns an upload of whoever sends it. The same answer is given for a file
 * that does not exist and one that is somebody else's.
 */
export function authorizeTus(db: Database, config: Pick<Config, 'publicUrl'>): RequestHandler {
  return async (req, res, next) => {
    const principal = principalOf(res);
    const request = { actor: actorOf(req, res), baseUrl: baseUrlOf(req, config) };
    if (req.method === 'POST') {
      const upload = await uploadForCreation(
        db,
        principal,
        readFileMetadata(req.get('upload-metadata')).uploadId,
      );
      assertTakesBytes(upload);
      if (!takesFiles(upload.status)) {
        throw new HttpProblem('UPLOAD_NOT_OPEN', `The upload is ${upload.status}; it takes no more files.`);
      }
      rememberTusRequest(req, { ...request, upload, file: undefined });
      addLogContext({ uploadId: upload.id });
      return next();
    }
    const fileId = String(req.params.fileId ?? '');
    const file = isId(fileId) ? await findUploadFile(db, fileId) : undefined;
    const upload = file && (await findUpload(db, file.uploadId));
    if (!file || !upload || !mayChangeUpload(principal, upload)) throw notFound('file');
    addLogContext({ uploadId: upload.id });
    assertTakesBytes(upload);
    if (req.method === 'DELETE' && !takesFiles(upload.status)) {
      throw new HttpProblem(
        'UPLOAD_NOT_OPEN',
        `The upload is ${upload.status}; its files can no longer be removed.`,
      );
    }
    rememberTusRequest(req, { ...request, upload, file });
    next();
  };
}
