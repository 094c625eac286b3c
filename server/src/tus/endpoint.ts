import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { findUploadFileByClientId } from '@relaypacs/core/db/upload-files.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { FileStore } from '@tus/file-store';
import { type Response as ExpressResponse, type RequestHandler, Router } from 'express';
import type { Guards } from '../auth/authenticate.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import type { RemoveBytes } from '../uploads/unneeded-bytes.js';
import { authorizeTus } from './access.js';
import { deleteFile } from './delete-file.js';
import { drain } from './drain.js';
import { fileUrl, TusEngine } from './engine.js';
import { FileRecords } from './file-records.js';
import { readFileMetadata } from './metadata.js';
import { overrideMethod, requireProtocol } from './protocol.js';
import { rememberTusRequest, type TusRequest, tusRequestOf } from './tus-request.js';

const HOUR_MS = 3_600_000;

export interface TusEndpoint {
  routes: Router;
  /** Bytes acknowledged of a file; 0 when nothing is there. */
  offsetOf(fileId: string): Promise<number>;
}

/**
 * The tus 1.0.0 endpoint at `/files`: the access check in front, the protocol engine behind it, and every error
 * answered as a problem document.
 */
export function createTusEndpoint(platform: Platform, guards: Guards, removeBytes: RemoveBytes): TusEndpoint {
  const { config, db, transact } = platform;
  const store = new FileStore({
    directory: config.storage.directory,
    configstore: new FileRecords(db),
    expirationPeriodInMilliseconds: config.uploads.ttlHours * HOUR_MS,
  });
  const engine = new TusEngine({ config, transact, store, removeBytes });

  /** Bytes that are stored of a file; undefined when the store has nothing of it. */
  async function storedBytes(fileId: string): Promise<number | undefined> {
    return store.getUpload(fileId).then(
      (file) => file.offset,
      () => undefined,
    );
  }

  /** A server that was killed after the last byte and before the record: the client comes back and asks. */
  async function finishInterrupted(request: TusRequest, file: UploadFileRow, offset: number): Promise<void> {
    if (file.status === 'uploading' && offset === file.size) await engine.finish(request, file.id, offset);
  }

  const serve: RequestHandler = async (req, res) => {
    const answer = await engine.handle(req, res);
    copyHeaders(answer.headers, res);
    if (answer.problem) {
      await drain(req);
      throw answer.problem;
    }
    if (req.method !== 'OPTIONS') {
      const request = tusRequestOf(req);
      // The engine counts from the file's creation; the upload ends for all its files at once.
      if (res.hasHeader('Upload-Expires'))
        res.setHeader('Upload-Expires', request.upload.expiresAt.toUTCString());
      if (req.method === 'HEAD' && request.file) {
        await finishInterrupted(request, request.file, Number(answer.headers.get('upload-offset')));
      }
    }
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
    const offset = await storedBytes(file.id);
    if (offset === undefined) {
      // A server that was killed between the row and the bytes: this creation goes on where that one ended.
      rememberTusRequest(req, { ...found, file });
      return next();
    }
    await drain(req);
    await finishInterrupted(found, file, offset);
    res.setHeader('Location', fileUrl(found, file.id));
    res.setHeader('Upload-Offset', String(offset));
    res.setHeader('Upload-Expires', found.upload.expiresAt.toUTCString());
    res.status(201).end();
  };

  const terminate: RequestHandler = async (req, res) => {
    const found = tusRequestOf(req);
    if (!found.file) throw notFound('file');
    await deleteFile(transact, found, found.file.id);
    await removeBytes([found.file.id]);
    res.status(204).end();
  };

  const routes = Router();
  const authorize = [guards.requireUserOrUpload, authorizeTus(db, config)];
  routes.use(overrideMethod);
  routes.options(['/', '/:fileId'], serve);
  routes.post('/', requireProtocol, authorize, repeatCreation, serve);
  routes.head('/:fileId', requireProtocol, authorize, serve);
  routes.patch('/:fileId', requireProtocol, authorize, serve);
  routes.delete('/:fileId', requireProtocol, authorize, terminate);
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
  return { routes, offsetOf: async (fileId) => (await storedBytes(fileId)) ?? 0 };
}

const FORWARDED = /^(tus-|upload-|location$|cache-control$)/;

function copyHeaders(headers: Headers, res: ExpressResponse): void {
  for (const [name, value] of headers) {
    if (FORWARDED.test(name)) res.setHeader(name, value);
  }
}
