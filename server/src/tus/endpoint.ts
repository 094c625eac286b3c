import type { Platform } from '@relaypacs/core/platform.js';
import { type Response as ExpressResponse, type RequestHandler, Router } from 'express';
import type { Guards } from '../auth/authenticate.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import type { RemoveBytes } from '../uploads/unneeded-bytes.js';
import { assertTakesBytes, authorizeTus } from './access.js';
import { answerEarly } from './answer-early.js';
import { CHECKSUM_ALGORITHMS } from './checksum.js';
import { createFile } from './create-file.js';
import { deleteFile } from './delete-file.js';
import { drain } from './drain.js';
import { fileUrl, TusEngine } from './engine.js';
import { finishFile } from './finish-file.js';
import { joinSlices, sliceIds } from './join-slices.js';
import { LeaseLocker } from './lease-locker.js';
import type { Leases } from './leases.js';
import { readFileMetadata } from './metadata.js';
import type { OpenFile } from './open-file.js';
import { createPacing } from './pacing.js';
import { isFinalCreation, overrideMethod, requireProtocol, slicesNamed } from './protocol.js';
import { findEarlierCreation } from './repeated-creation.js';
import { SegmentStore } from './segment-store.js';
import { TusMetrics } from './tus-metrics.js';
import { rememberTusRequest, type TusRequest, tusRequestOf } from './tus-request.js';

export interface TusEndpointDeps {
  platform: Platform;
  guards: Guards;
  leases: Leases<OpenFile>;
  dedupeSecret: Buffer;
  removeBytes: RemoveBytes;
}

/**
 * The tus 1.0.0 endpoint at `/files`: the access check in front, the protocol engine behind it, and every error
 * answered as a problem document.
 */
export function createTusEndpoint({
  platform,
  guards,
  leases,
  dedupeSecret,
  removeBytes,
}: TusEndpointDeps): Router {
  const { config, db, transact } = platform;
  const metrics = new TusMetrics(platform.metrics, leases);

  async function finish(request: TusRequest, fileId: string, size: number): Promise<void> {
    const { abandoned, problem } = await finishFile(platform, request, fileId, size);
    await removeBytes(abandoned);
    if (problem) throw problem;
  }

  const engine = new TusEngine({
    store: new SegmentStore(platform, metrics),
    locker: new LeaseLocker(leases, metrics),
    maxBytes: config.uploads.maxBytes,
    finish,
    async create(request, id, size) {
      const { tusMetadata, isPartial } = request;
      const metadata = readFileMetadata(tusMetadata ?? undefined);
      await removeBytes(await createFile(platform, request, { id, size, metadata, tusMetadata, isPartial }));
    },
  });

  const announce: RequestHandler = async (req, res) => {
    const answer = await engine.handle(req, res, undefined);
    copyHeaders(answer.headers, res);
    res.setHeader('Tus-Checksum-Algorithm', CHECKSUM_ALGORITHMS);
    res.status(answer.status).end();
  };

  const serve: RequestHandler = async (req, res) => {
    const request = tusRequestOf(req);
    const answer = await engine.handle(req, res, request);
    copyHeaders(answer.headers, res);
    const { ending } = request.body;
    if (!answer.problem && (ending === 'stopped' || ending === 'idle')) {
      return answerEarly(req, res, answer.status);
    }
    // What was refused, and a creation that was repeated, is answered before its body is read.
    request.body.abandon();
    await drain(req);
    if (!req.complete) res.setHeader('Connection', 'close');
    if (answer.problem) {
      res.removeHeader('Upload-Expires');
      throw withOffset(answer.problem, request);
    }
    res.status(answer.status).end();
  };

  /** A creation that was answered before, whose answer got lost: goes on with the file it made. */
  const repeatCreation: RequestHandler = async (req, res, next) => {
    const request = tusRequestOf(req);
    const { clientId } = readFileMetadata(request.tusMetadata ?? undefined);
    if (clientId === undefined) return next();
    const length = req.get('upload-length');
    const size = length === undefined ? undefined : Number(length);
    const found = await findEarlierCreation(db, request, clientId, size);
    if (!found) return next();
    assertTakesBytes(found.upload);
    rememberTusRequest(req, { ...request, ...found, implicit: undefined });
    describeFile(req, res, next);
  };

  /** What the engine does not say by itself. */
  const describeFile: RequestHandler = (req, res, next) => {
    const { upload, file, baseUrl } = tusRequestOf(req);
    res.setHeader('Upload-Expires', upload.expiresAt.toUTCString());
    if (req.method === 'HEAD' && file) {
      if (file.tusMetadata) res.setHeader('Upload-Metadata', file.tusMetadata);
      if (file.isPartial) res.setHeader('Upload-Concat', 'partial');
      const slices = file.joinedFrom?.map((id) => fileUrl({ baseUrl }, id));
      if (slices) res.setHeader('Upload-Concat', `final;${slices.join(' ')}`);
    }
    next();
  };

  /** A server that was killed after the last byte and before the record: the client comes back and asks. */
  const finishInterrupted: RequestHandler = async (req, _res, next) => {
    const request = tusRequestOf(req);
    const { file } = request;
    if (file?.status === 'uploading' && file.bytesReceived === file.size) {
      await finish(request, file.id, file.size);
    }
    next();
  };

  const join: RequestHandler = async (req, res, next) => {
    if (!isFinalCreation(req)) return next();
    const request = tusRequestOf(req);
    const { tusMetadata } = request;
    const metadata = readFileMetadata(tusMetadata ?? undefined);
    const ids = sliceIds(slicesNamed(req));
    const { fileId, abandoned, problem } = await joinSlices(platform, request, ids, {
      metadata,
      tusMetadata,
    });
    await removeBytes(abandoned);
    if (problem) throw problem;
    res.status(201).setHeader('Location', fileUrl(request, fileId)).end();
  };

  /** tus, Concatenation: a join has all its bytes. */
  const refuseJoined: RequestHandler = (req, _res, next) => {
    if (tusRequestOf(req).file?.joinedFrom) {
      throw new HttpProblem('FORBIDDEN', 'This file was joined from slices and takes no more bytes.');
    }
    next();
  };

  const terminate: RequestHandler = async (req, res) => {
    const request = tusRequestOf(req);
    if (!request.file) throw notFound('file');
    await removeBytes(await deleteFile(transact, request, request.file.id));
    res.status(204).end();
  };

  const routes = Router();
  const pace = createPacing(config.rateLimits, metrics.pace);
  const authorize = [guards.requireUserOrUpload, authorizeTus({ db, config, dedupeSecret }), describeFile];
  routes.use(metrics.count, overrideMethod);
  routes.options(['/', '/:fileId'], announce);
  routes.post('/', requireProtocol, authorize, pace, join, repeatCreation, serve);
  routes.head('/:fileId', requireProtocol, authorize, finishInterrupted, serve);
  routes.patch('/:fileId', requireProtocol, authorize, refuseJoined, pace, serve);
  routes.delete('/:fileId', requireProtocol, authorize, terminate);
  // The engine would read files out, and crashes on finished ones: what was sent is not handed out again.
  routes.all(['/', '/:fileId'], (_req, res) => {
    res.setHeader('Allow', 'OPTIONS, POST, HEAD, PATCH, DELETE');
    throw new HttpProblem(
      'METHOD_NOT_ALLOWED',
      'Files are sent here by the tus protocol (POST, HEAD, PATCH, DELETE); they cannot be read back or replaced.',
    );
  });
  routes.use(() => {
    throw notFound('file');
  });
  return routes;
}

/** An offset that is not right: says which is. */
function withOffset(problem: Error, { lease, file }: TusRequest): Error {
  if (!(problem instanceof HttpProblem) || problem.code !== 'OFFSET_CONFLICT') return problem;
  const offset = (lease?.resource?.row ?? file)?.bytesReceived;
  return new HttpProblem(
    'OFFSET_CONFLICT',
    `The file ends at ${offset} here, and what has arrived is safe. Ask with HEAD and go on from there.`,
    { offset },
  );
}

const FORWARDED = /^(tus-|upload-|location$|cache-control$)/;

function copyHeaders(headers: Headers, res: ExpressResponse): void {
  for (const [name, value] of headers) {
    if (FORWARDED.test(name)) res.setHeader(name, value);
  }
}
