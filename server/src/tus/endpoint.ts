import type { Config } from '@relaypacs/core/config.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { deleteUploadFile, findUploadFileByClientId } from '@relaypacs/core/db/upload-files.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import { type Response as ExpressResponse, type RequestHandler, Router } from 'express';
import type { ServerRequest } from 'srvx';
import { NodeRequest } from 'srvx/node';
import type { Guards } from '../auth/authenticate.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { authorizeTus } from './access.js';
import { createFile } from './create-file.js';
import { drain } from './drain.js';
import { finishFile } from './finish-file.js';
import { readFileMetadata } from './metadata.js';
import { EngineProblem, problemFromEngine, problemFromStatus } from './tus-problem.js';
import { type TusRequest, tusRequestInEngine, tusRequestOf } from './tus-request.js';

export const TUS_PATH = '/files';
const HOUR_MS = 3_600_000;
// Long enough for a write to end, short enough that a phone whose connection died half-open can go on at once.
const LOCK_DRAIN_MS = 400;

export interface TusEndpoint {
  routes: Router;
  /** Bytes acknowledged of a file; 0 when nothing is there. */
  offsetOf(fileId: string): Promise<number>;
}

/** Turns a problem of ours into the form the protocol engine carries. */
async function carried<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof HttpProblem ? new EngineProblem(error) : error;
  }
}

/**
 * The tus 1.0.0 endpoint at `/files`: @tus/server as protocol engine, with the access check in front, RelayPACS'
 * records behind its hooks, and every error answered as a problem document.
 */
export function createTusEndpoint(platform: Platform, guards: Guards): TusEndpoint {
  const { config, db, transact, storage, logger } = platform;
  const store = new FileStore({
    directory: config.storage.directory,
    expirationPeriodInMilliseconds: config.uploads.ttlHours * HOUR_MS,
  });
  // What the engine's error handler found out, for the answer that follows.
  const failures = new WeakMap<ServerRequest, unknown>();

  async function removeBytes(fileIds: readonly string[]): Promise<void> {
    for (const id of fileIds) {
      await storage
        .remove(id)
        .catch((error: unknown) => logger.warn('Bytes were not removed yet', { error }));
    }
  }

  async function finish(request: TusRequest, fileId: string, size: number): Promise<void> {
    const { abandoned, problem } = await finishFile(transact, request, fileId, size);
    await removeBytes(abandoned);
    if (problem) throw problem;
  }

  /** A server that was killed after the last byte and before the record: the client comes back and asks. */
  async function finishInterrupted(request: TusRequest, size: number): Promise<void> {
    if (request.file?.status === 'uploading') await finish(request, request.file.id, size);
  }

  const engine = new Server({
    path: TUS_PATH,
    datastore: store,
    relativeLocation: false,
    generateUrl: (request, { id }) => fileUrl(tusRequestInEngine(request as ServerRequest), id),
    maxSize: (request, id) => maxSizeOf(config, request, id),
    lockDrainTimeout: LOCK_DRAIN_MS,
    // CORS is answered by Express for the whole server.
    allowedOrigins: () => false,
    namingFunction: () => newId(),
    onUploadCreate: async (request, file) => {
      const metadata = readFileMetadata(request.headers.get('upload-metadata') ?? undefined);
      await carried(createFile(transact, tusRequestInEngine(request), file.id, file.size ?? null, metadata));
      return {};
    },
    onUploadFinish: async (request, file) => {
      await carried(finish(tusRequestInEngine(request), file.id, file.offset));
      return {};
    },
    onResponseError: (request, error) => {
      failures.set(request as ServerRequest, error);
      return undefined;
    },
  });

  const serve: RequestHandler = async (req, res) => {
    const request = new NodeRequest({ req, res });
    const answer = await engine.handleWeb(request);
    if (answer.status >= 400) {
      const failure = failures.get(request);
      const problem = failure === undefined ? problemFromStatus(answer.status) : problemFromEngine(failure);
      copyHeaders(answer, res);
      await drain(req);
      throw problem ?? failure ?? new Error(`The tus engine answered ${answer.status}`);
    }
    const offset = answer.headers.get('upload-offset');
    if (req.method === 'HEAD' && offset !== null && offset === answer.headers.get('upload-length')) {
      await finishInterrupted(tusRequestOf(req), Number(offset));
    }
    if (req.method === 'DELETE' && typeof req.params.fileId === 'string')
      await deleteUploadFile(db, req.params.fileId);
    copyHeaders(answer, res);
    res.status(answer.status).end();
  };

  /** A creation that was answered before, whose answer got lost: says where the file is instead of making another. */
  const repeatCreation: RequestHandler = async (req, res, next) => {
    const { clientId } = readFileMetadata(req.get('upload-metadata'));
    if (clientId === undefined) return next();
    const found = tusRequestOf(req);
    const file = await findUploadFileByClientId(db, found.upload.id, clientId);
    if (!file) return next();
    if (file.size !== null && Number(req.get('upload-length')) !== file.size) {
      throw new HttpProblem(
        'CHECKSUM_CONFLICT',
        'This clientId belongs to a file of another size. Choose a new one.',
      );
    }
    await drain(req);
    const offset = await offsetOf(file.id);
    if (offset === file.size) await finishInterrupted({ ...found, file }, offset);
    res.setHeader('Tus-Resumable', '1.0.0');
    res.setHeader('Location', fileUrl(found, file.id));
    res.setHeader('Upload-Offset', String(offset));
    res.status(201).end();
  };

  async function offsetOf(fileId: string): Promise<number> {
    return store.getUpload(fileId).then(
      (file) => file.offset,
      () => 0,
    );
  }

  const routes = Router();
  const authorize = [guards.requireUserOrUpload, authorizeTus(db, config)];
  routes.options(['/', '/:fileId'], serve);
  routes.post('/', requireProtocol, authorize, repeatCreation, serve);
  routes.head('/:fileId', requireProtocol, authorize, serve);
  routes.patch('/:fileId', requireProtocol, authorize, serve);
  routes.delete('/:fileId', requireProtocol, authorize, serve);
  // The engine would read files out, and crashes on finished ones: what was sent is not handed out again.
  routes.all(['/', '/:fileId'], (_req, res) => {
    res.setHeader('Allow', 'OPTIONS, POST, HEAD, PATCH, DELETE');
    throw new HttpProblem(
      'METHOD_NOT_ALLOWED',
      'Files are sent here by the tus protocol and cannot be read back.',
    );
  });
  routes.use(() => {
    throw notFound('file');
  });
  return { routes, offsetOf };
}

const fileUrl = ({ baseUrl }: TusRequest, fileId: string) => `${baseUrl}${TUS_PATH}/${fileId}`;

/** tus, Core Protocol: 412 with Tus-Version for another version, 415 for a PATCH of another content type. */
const requireProtocol: RequestHandler = (req, res, next) => {
  res.setHeader('Tus-Resumable', '1.0.0');
  if (req.get('tus-resumable') !== '1.0.0') {
    res.setHeader('Tus-Version', '1.0.0');
    throw new HttpProblem('TUS_VERSION_REQUIRED', 'Send the header Tus-Resumable: 1.0.0.');
  }
  if (req.method === 'PATCH' && req.get('content-type') !== 'application/offset+octet-stream') {
    throw new HttpProblem(
      'UNSUPPORTED_MEDIA_TYPE',
      'A PATCH needs Content-Type: application/offset+octet-stream.',
    );
  }
  next();
};

/** No file may be larger than what its upload announced; 0 would mean "no limit" to the engine. */
function maxSizeOf(config: Config, request: ServerRequest, fileId: string | null): number {
  if (fileId === null || request.method === 'OPTIONS') return config.uploads.maxBytes;
  // A creation that names its length is refused by createFile, in better words.
  if (request.headers.has('upload-length') && request.method === 'POST') return config.uploads.maxBytes;
  return Math.max(1, Math.min(config.uploads.maxBytes, tusRequestInEngine(request).upload.totalBytes));
}

const FORWARDED = /^(tus-|upload-|location$|cache-control$)/;

function copyHeaders(answer: Response, res: ExpressResponse): void {
  for (const [name, value] of answer.headers) {
    if (FORWARDED.test(name)) res.setHeader(name, value);
  }
}
