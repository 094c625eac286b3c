import { CorrectUploadRequestSchema } from '@relaypacs/core/contract/corrections.js';
import { ResendRequestSchema } from '@relaypacs/core/contract/resends.js';
import {
  CancelQuerySchema,
  CompleteUploadRequestSchema,
  CreateUploadRequestSchema,
  type CreateUploadResponse,
  ReopenUploadRequestSchema,
  type UploadList,
  UploadListQuerySchema,
  type UploadTokenResponse,
} from '@relaypacs/core/contract/uploads.js';
import { listUploadObjectKeys } from '@relaypacs/core/db/file-segments.js';
import { isId } from '@relaypacs/core/db/ids.js';
import { listUploads, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { type Request, type Response, Router } from 'express';
import { type Guards, type Principal, principalOf } from '../auth/authenticate.js';
import type { KeyStore } from '../auth/key-store.js';
import type { TokenSigner } from '../auth/tokens.js';
import { HttpProblem, invalidFields } from '../http/http-problem.js';
import type { RateLimits } from '../http/rate-limits.js';
import { actorOf, baseUrlOf } from '../http/request-context.js';
import { readBody, readQuery } from '../http/validate.js';
import { cancelUpload } from './cancel-upload.js';
import { assertMayChoose } from './choose-target.js';
import { completeUpload } from './complete-upload.js';
import { confirmUpload } from './confirm-upload.js';
import { correctUpload } from './correct-upload.js';
import { createUpload } from './create-upload.js';
import { listInstances } from './list-instances.js';
import { permittedUpload } from './permitted-upload.js';
import { presentUpload, presentUploads, type Viewer } from './present-upload.js';
import { reopenUpload } from './reopen-upload.js';
import { resendStudies } from './resend-studies.js';
import { retryUpload } from './retry-upload.js';
import type { RemoveBytes } from './unneeded-bytes.js';
import { mayChangeUpload, maySeeUpload, seesEverything } from './upload-access.js';

export interface UploadDeps {
  platform: Platform;
  keys: KeyStore;
  signer: TokenSigner;
  guards: Guards;
  rateLimits: RateLimits;
  removeBytes: RemoveBytes;
}

/** `/api/v1/uploads`. */
export function uploadRoutes(deps: UploadDeps): Router {
  const { platform, keys, signer, guards, rateLimits, removeBytes } = deps;
  const { db, transact, config } = platform;
  const router = Router();

  const uploadFor = (
    req: Request,
    res: Response,
    allowed: (principal: Principal, upload: UploadRow) => boolean,
  ): Promise<UploadRow> => permittedUpload(db, req, res, allowed);

  const viewerOf = (res: Response): Viewer => ({ seesSenders: seesEverything(principalOf(res)) });

  async function readyForFiles(req: Request, upload: UploadRow): Promise<CreateUploadResponse> {
    return {
      id: upload.id,
      status: upload.status,
      uploadToken: await signer.uploadToken(upload.userId, upload.id, upload.expiresAt),
      tusEndpoint: `${baseUrlOf(req, config)}/files`,
      expiresAt: upload.expiresAt.toISOString(),
      chunkSize: config.uploads.chunkSize,
      maxChunkSize: config.uploads.maxChunkSize,
      checksumAlgorithm: 'sha256',
    };
  }

  router.post('/', guards.requireUploader, rateLimits.uploadInit, async (req, res) => {
    const announcement = readBody(CreateUploadRequestSchema, req);
    assertMayChoose(config.pacs, announcement.target);
    const { userId } = principalOf(res);
    const upload = await createUpload(transact, config.uploads, keys.dedupeSecret, announcement, {
      ...actorOf(req, res),
      userId,
    });
    res
      .status(201)
      .location(`/api/v1/uploads/${upload.id}`)
      .json(await readyForFiles(req, upload));
  });

  router.get('/', guards.requireUploader, async (req, res) => {
    const { limit, cursor, userId, ...filter } = readQuery(UploadListQuerySchema, req);
    if (cursor !== undefined && !isId(cursor)) {
      throw invalidFields([{ path: 'cursor', message: 'Use the nextCursor of the page before' }]);
    }
    const principal = principalOf(res);
    // An account sees its own uploads whatever it asks for; an admin sees all, or those of one account.
    const owner = seesEverything(principal) ? userId : principal.userId;
    if (owner !== undefined && !isId(owner)) {
      throw invalidFields([{ path: 'userId', message: 'This is not the id of an account' }]);
    }
    const rows = await listUploads(db, { ...filter, userId: owner }, limit + 1, cursor);
    const page = rows.slice(0, limit);
    const answer: UploadList = {
      items: await presentUploads(db, page, viewerOf(res)),
      nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
    };
    res.json(answer);
  });

  router.get('/:id', guards.requireUserOrUpload, async (req, res) => {
    res.json(await presentUpload(db, config.pacs, await uploadFor(req, res, maySeeUpload), viewerOf(res)));
  });

  router.get('/:id/instances', guards.requireUserOrUpload, async (req, res) => {
    res.json(await listInstances(db, await uploadFor(req, res, maySeeUpload), req));
  });

  router.post('/:id/complete', guards.requireUserOrUpload, async (req, res) => {
    const upload = await uploadFor(req, res, mayChangeUpload);
    const request = readBody(CompleteUploadRequestSchema, req);
    const { upload: completed, abandoned } = await completeUpload(
      platform,
      upload.id,
      request,
      actorOf(req, res),
    );
    await removeBytes(abandoned);
    res.status(202).json({ id: completed.id, status: completed.status });
  });

  router.post('/:id/token', guards.requireUploader, async (req, res) => {
    const upload = await uploadFor(req, res, mayChangeUpload);
    if (!takesFiles(upload.status) || upload.expiresAt.getTime() <= Date.now()) {
      throw new HttpProblem('UPLOAD_NOT_OPEN', `The upload is ${upload.status}; it takes no more files.`);
    }
    const answer: UploadTokenResponse = {
      uploadToken: await signer.uploadToken(upload.userId, upload.id, upload.expiresAt),
      expiresAt: upload.expiresAt.toISOString(),
    };
    res.json(answer);
  });

  router.post('/:id/confirm', guards.requireUserOrUpload, async (req, res) => {
    // An administrator too: the sender may be gone, and the study must not wait for ever.
    const upload = await uploadFor(req, res, maySeeUpload);
    const confirmed = await confirmUpload(transact, upload.id, actorOf(req, res));
    res.status(202).json({ id: confirmed.id, status: confirmed.status });
  });

  router.post('/:id/reopen', guards.requireUploader, async (req, res) => {
    const upload = await uploadFor(req, res, mayChangeUpload);
    const more = readBody(ReopenUploadRequestSchema, req);
    const { upload: reopened, abandoned } = await reopenUpload(
      transact,
      config.uploads,
      upload.id,
      more,
      actorOf(req, res),
    );
    await removeBytes(abandoned);
    res.json(await readyForFiles(req, reopened));
  });

  router.post('/:id/retry', guards.requireUploader, async (req, res) => {
    const upload = await uploadFor(req, res, maySeeUpload);
    const retried = await retryUpload(transact, upload.id, actorOf(req, res));
    res.status(202).json({ id: retried.id, status: retried.status });
  });

  router.patch('/:id', guards.requireUploader, async (req, res) => {
    const upload = await uploadFor(req, res, maySeeUpload);
    const fields = readBody(CorrectUploadRequestSchema, req);
    const actor = actorOf(req, res);
    const corrected = await correctUpload(transact, keys.dedupeSecret, upload.id, fields, actor);
    res.json(await presentUpload(db, config.pacs, corrected, viewerOf(res)));
  });

  router.post('/:id/resend', guards.requireUploader, async (req, res) => {
    const upload = await uploadFor(req, res, maySeeUpload);
    if (!seesEverything(principalOf(res))) {
      throw new HttpProblem(
        'FORBIDDEN',
        'Only a signed-in administrator can have a study sent again or elsewhere. Nothing was changed.',
      );
    }
    const request = readBody(ResendRequestSchema, req);
    res.status(202).json(await resendStudies(transact, config.pacs, upload.id, request, actorOf(req, res)));
  });

  router.delete('/:id', guards.requireUploader, async (req, res) => {
    const upload = await uploadFor(req, res, maySeeUpload);
    const closes = readQuery(CancelQuerySchema, req).status === 'failed';
    if (await cancelUpload(transact, config.pacs, upload.id, actorOf(req, res), closes)) {
      await removeBytes(await listUploadObjectKeys(db, upload.id));
    }
    res.status(204).end();
  });

  return router;
}
