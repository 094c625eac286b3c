import type { IncomingMessage, ServerResponse } from 'node:http';
import { newId } from '@relaypacs/core/db/ids.js';
import { Server } from '@tus/server';
import type { DataStore, Locker } from '@tus/utils';
import { NodeRequest } from 'srvx/node';
import type { HttpProblem } from '../http/http-problem.js';
import { problemFromEngine, problemFromStatus } from './tus-problem.js';
import { currentTusRequest, type TusRequest, withTusRequest } from './tus-request.js';

export const TUS_PATH = '/files';

export interface TusEngineOptions {
  store: DataStore;
  locker: Locker;
  /** `Tus-Max-Size`, in bytes. */
  maxBytes: number;
  /** Records a new file. */
  create(request: TusRequest, fileId: string, size: number | null): Promise<void>;
  /** Records that a file's last byte is there. */
  finish(request: TusRequest, fileId: string, size: number): Promise<void>;
}

/** An answer of the protocol engine: the headers of a success, or what went wrong. */
export type EngineAnswer =
  | { status: number; headers: Headers; problem?: undefined }
  | { status: number; headers: Headers; problem: HttpProblem | Error };

/** URL of a file as its client is told it. */
export function fileUrl({ baseUrl }: Pick<TusRequest, 'baseUrl'>, fileId: string): string {
  return `${baseUrl}${TUS_PATH}/${fileId}`;
}

/** @tus/server as protocol engine, with RelayPACS' records behind its hooks. */
export class TusEngine {
  private readonly server: Server;
  /** What the engine's error handler found out, for the answer that follows. */
  private readonly failures = new WeakMap<object, unknown>();

  constructor({ store, locker, maxBytes, create, finish }: TusEngineOptions) {
    this.server = new Server({
      path: TUS_PATH,
      datastore: store,
      locker,
      maxSize: maxBytes,
      generateUrl: (_request, { id }) => fileUrl(currentTusRequest(), id),
      // The engine would read an id out of the URL by itself; only the one that was checked may reach the store.
      getFileIdFromRequest: () => currentTusRequest().file?.id,
      // A creation that is sent again goes on under the id of the row that the first one made.
      namingFunction: () => currentTusRequest().file?.id ?? newId(),
      // CORS is answered by Express for the whole server.
      allowedOrigins: () => false,
      onUploadCreate: async (_request, { id, size }) => {
        const request = currentTusRequest();
        if (!request.file) await create(request, id, size ?? null);
        return {};
      },
      onUploadFinish: async (_request, { id, offset }) => {
        await finish(currentTusRequest(), id, offset);
        return {};
      },
      onResponseError: (request, error) => {
        this.failures.set(request, error);
        return undefined;
      },
    });
  }

  /** @param found - what the access check found out; undefined for OPTIONS, which needs nothing of it */
  async handle(
    req: IncomingMessage,
    res: ServerResponse,
    found: TusRequest | undefined,
  ): Promise<EngineAnswer> {
    const request = new NodeRequest({ req, res });
    // The store reads the body from the connection: the engine must not wrap it into a web stream, which costs more
    // than everything else it does.
    Object.defineProperty(request, 'body', { value: null });
    // The engine looks for the file's id in it, in vain: see `getFileIdFromRequest`. Parsing it costs more.
    Object.defineProperty(request, 'url', { value: TUS_PATH });
    const run = () => this.server.handleWeb(request);
    const { status, headers } = await (found ? withTusRequest(found, run) : run());
    if (status < 400) return { status, headers };
    const failure = this.failures.get(request);
    const known = failure === undefined ? problemFromStatus(status) : problemFromEngine(failure);
    const problem =
      known ?? (failure instanceof Error ? failure : new Error(`The tus engine answered ${status}`));
    return { status, headers, problem };
  }
}
