import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '@relaypacs/core/config.js';
import { newId } from '@relaypacs/core/db/ids.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import type { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import type { ServerRequest } from 'srvx';
import { NodeRequest } from 'srvx/node';
import { HttpProblem } from '../http/http-problem.js';
import type { RemoveBytes } from '../uploads/unneeded-bytes.js';
import { createFile } from './create-file.js';
import { finishFile } from './finish-file.js';
import { readFileMetadata } from './metadata.js';
import { EngineProblem, problemFromEngine, problemFromStatus } from './tus-problem.js';
import { type TusRequest, tusRequestInEngine } from './tus-request.js';

export const TUS_PATH = '/files';
// Long enough for a write to end, short enough that a phone whose connection died half-open can go on at once.
const LOCK_DRAIN_MS = 400;

export interface TusEngineDeps {
  config: Config;
  transact: Transact;
  store: FileStore;
  removeBytes: RemoveBytes;
}

/** An answer of the protocol engine: the headers of a success, or what went wrong. */
export type EngineAnswer =
  | { status: number; headers: Headers; problem?: undefined }
  | { status: number; headers: Headers; problem: HttpProblem | Error };

/** URL of a file as its client is told it. */
export function fileUrl({ baseUrl }: TusRequest, fileId: string): string {
  return `${baseUrl}${TUS_PATH}/${fileId}`;
}

/** Turns a problem of ours into the form the protocol engine carries. */
async function carried<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof HttpProblem ? new EngineProblem(error) : error;
  }
}

/** @tus/server as protocol engine, with RelayPACS' records behind its hooks. */
export class TusEngine {
  private readonly deps: TusEngineDeps;
  private readonly server: Server;
  /** What the engine's error handler found out, for the answer that follows. */
  private readonly failures = new WeakMap<object, unknown>();

  constructor(deps: TusEngineDeps) {
    this.deps = deps;
    this.server = new Server({
      path: TUS_PATH,
      datastore: deps.store,
      generateUrl: (request, { id }) => fileUrl(tusRequestInEngine(request as ServerRequest), id),
      // The engine would read an id out of the URL by itself; only the one that was checked may reach the store.
      getFileIdFromRequest: (request) => tusRequestInEngine(request as ServerRequest).file?.id,
      // A creation sent again, whose first try left a row and no bytes, goes on under the id of the row.
      namingFunction: (request) => tusRequestInEngine(request as ServerRequest).file?.id ?? newId(),
      maxSize: (request, id) => this.maxSize(request as ServerRequest, id),
      lockDrainTimeout: LOCK_DRAIN_MS,
      // CORS is answered by Express for the whole server.
      allowedOrigins: () => false,
      onUploadCreate: async (request, file) => {
        const found = tusRequestInEngine(request as ServerRequest);
        if (!found.file) await carried(this.create(found, request.headers, file.id, file.size ?? null));
        return {};
      },
      onUploadFinish: async (request, file) => {
        await carried(this.finish(tusRequestInEngine(request as ServerRequest), file.id, file.offset));
        return {};
      },
      onResponseError: (request, error) => {
        this.failures.set(request, error);
        return undefined;
      },
    });
  }

  private async create(found: TusRequest, headers: Headers, id: string, size: number | null): Promise<void> {
    const tusMetadata = headers.get('upload-metadata');
    const metadata = readFileMetadata(tusMetadata ?? undefined);
    const dropped = await createFile(this.deps.transact, found, { id, size, metadata, tusMetadata });
    await this.deps.removeBytes(dropped);
  }

  /** Records that a file's last byte is there. */
  async finish(request: TusRequest, fileId: string, size: number): Promise<void> {
    const { abandoned, problem } = await finishFile(this.deps.transact, request, fileId, size);
    await this.deps.removeBytes(abandoned);
    if (problem) throw problem;
  }

  /** No file may be larger than what its upload announced; 0 would mean "no limit" to the engine. */
  private maxSize(request: ServerRequest, fileId: string | null): number {
    const { maxBytes } = this.deps.config.uploads;
    if (fileId === null || request.method === 'OPTIONS') return maxBytes;
    // A creation that names its length is refused by createFile, in better words.
    if (request.headers.has('upload-length') && request.method === 'POST') return maxBytes;
    return Math.max(1, Math.min(maxBytes, tusRequestInEngine(request).upload.totalBytes));
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<EngineAnswer> {
    const request = new NodeRequest({ req, res });
    const { status, headers } = await this.server.handleWeb(request);
    if (status < 400) return { status, headers };
    const failure = this.failures.get(request);
    const known = failure === undefined ? problemFromStatus(status) : problemFromEngine(failure);
    const problem =
      known ?? (failure instanceof Error ? failure : new Error(`The tus engine answered ${status}`));
    return { status, headers, problem };
  }
}
