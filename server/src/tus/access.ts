import type { Config } from '@relaypacs/core/config.js';
import type { Database } from '@relaypacs/core/db/database.js';
import { isId } from '@relaypacs/core/db/ids.js';
import { type FileWithUpload, findFilesWithUploads } from '@relaypacs/core/db/upload-files.js';
import { findUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { addLogContext } from '@relaypacs/core/observability/logger.js';
import type { Request, RequestHandler } from 'express';
import { type Principal, principalOf } from '../auth/authenticate.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { actorOf, baseUrlOf } from '../http/request-context.js';
import { mayChangeUpload } from '../uploads/upload-access.js';
import { batched } from './batched.js';
import { BodyReader } from './body-reader.js';
import { Checksum } from './checksum.js';
import { newImplicitUpload } from './implicit-upload.js';
import { readFileMetadata } from './metadata.js';
import { isFinalCreation, isPartialCreation } from './protocol.js';
import { rememberTusRequest, type TusUpload } from './tus-request.js';

/** The upload a creation joins: the token's, or the one named in the metadata; both must agree. */
async function announcedUpload(
  db: Database,
  principal: Principal,
  named: string | undefined,
): Promise<UploadRow | undefined> {
  const fromToken = principal.kind === 'upload' ? principal.uploadId : undefined;
  const id = fromToken ?? named;
  if (id === undefined) return undefined;
  const upload = isId(id) && (named === undefined || named === id) ? await findUpload(db, id) : undefined;
  if (!upload || !mayChangeUpload(principal, upload)) throw notFound('upload');
  return upload;
}

/** @throws HttpProblem GONE when the upload was cancelled or its time is over */
export function assertTakesBytes(upload: Pick<TusUpload, 'status' | 'expiresAt'>): void {
  if (
    upload.status === 'expired' ||
    (takesFiles(upload.status) && upload.expiresAt.getTime() <= Date.now())
  ) {
    throw new HttpProblem('GONE', 'The time to finish this upload is over. Send the study in a new upload.');
  }
  if (upload.status === 'cancelled')
    throw new HttpProblem('GONE', 'This upload was cancelled. Nothing more is needed.');
}

export interface AccessDeps {
  db: Database;
  config: Pick<Config, 'publicUrl' | 'uploads' | 'pacs'>;
  dedupeSecret: Buffer;
}

/**
 * Lets a tus request through when it concerns an upload of whoever sends it. The same answer is given for a file
 * that does not exist and one that is somebody else's.
 */
export function authorizeTus({ db, config, dedupeSecret }: AccessDeps): RequestHandler {
  const implicitUpload = (req: Request, { userId }: Principal): UploadRow => {
    const length = isFinalCreation(req) ? undefined : req.get('upload-length');
    return newImplicitUpload(config, dedupeSecret, {
      userId,
      tusMetadata: req.get('upload-metadata'),
      size: length === undefined ? undefined : Number(length),
      isSlice: isPartialCreation(req),
    });
  };

  const findFile = batched<string, FileWithUpload | undefined>(async (ids) => {
    const found = await findFilesWithUploads(db, ids);
    return ids.map((id) => found.get(id));
  });

  return async (req, res, next) => {
    const principal = principalOf(res);
    const request = {
      method: req.method,
      actor: { ...actorOf(req, res), userId: principal.userId },
      baseUrl: baseUrlOf(req, config),
      isPartial: req.method === 'POST' && isPartialCreation(req),
      tusMetadata: req.get('upload-metadata') ?? null,
      body: new BodyReader(req, config.uploads.idleSeconds * 1000),
      checksum: Checksum.announcedIn(req.get('upload-checksum')),
      lease: undefined,
    };
    if (req.method === 'POST') {
      const { uploadId } = readFileMetadata(req.get('upload-metadata'));
      const announced = await announcedUpload(db, principal, uploadId);
      const implicit = announced ? undefined : implicitUpload(req, principal);
      const upload = announced ?? (implicit as UploadRow);
      // Whether it takes more files is seen later: what is sent again because its answer was lost may be its last.
      assertTakesBytes(upload);
      rememberTusRequest(req, { ...request, upload, implicit, file: undefined });
      addLogContext({ uploadId: upload.id });
      return next();
    }
    const fileId = String(req.params.fileId ?? '');
    const found = isId(fileId) ? await findFile(fileId) : undefined;
    if (!found || !mayChangeUpload(principal, found.upload)) throw notFound('file');
    const { file, upload } = found;
    addLogContext({ uploadId: upload.id });
    assertTakesBytes(upload);
    if (req.method === 'DELETE' && !takesFiles(upload.status)) {
      throw new HttpProblem(
        'UPLOAD_NOT_OPEN',
        `The upload is ${upload.status}; its files can no longer be removed.`,
      );
    }
    rememberTusRequest(req, { ...request, upload, implicit: undefined, file });
    next();
  };
}
