import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import type { FileWithUpload } from '@relaypacs/core/db/upload-files.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { BodyReader } from './body-reader.js';
import type { Checksum } from './checksum.js';
import type { Lease } from './leases.js';
import type { OpenFile } from './open-file.js';

export type TusFile = FileWithUpload['file'];
export type TusUpload = FileWithUpload['upload'];

/** What is known of a request, for the hooks and the store that run inside the protocol engine. */
export interface TusRequest {
  method: string;
  actor: Actor & { userId: string };
  /** Scheme and host the client came to; its file's URL begins with it. */
  baseUrl: string;
  upload: TusUpload;
  /** An upload that is made together with its file, because the client named none. */
  implicit: UploadRow | undefined;
  /** Undefined while the file is being created. */
  file: TusFile | undefined;
  /** The `Upload-Metadata` header as it came. */
  tusMetadata: string | null;
  /** A creation of a slice (tus, Concatenation). */
  isPartial: boolean;
  body: BodyReader;
  checksum: Checksum | undefined;
  /** The right to write the file, while the engine holds its lock. */
  lease: Lease<OpenFile> | undefined;
}

const requests = new WeakMap<IncomingMessage, TusRequest>();
const current = new AsyncLocalStorage<TusRequest>();

export function rememberTusRequest(req: IncomingMessage, found: TusRequest): void {
  requests.set(req, found);
}

/** @throws when the request did not pass the access check; then it must not reach the store either */
export function tusRequestOf(req: IncomingMessage): TusRequest {
  const found = requests.get(req);
  if (!found) throw new Error('A tus request came past the access check');
  return found;
}

/** Runs the protocol engine for a request. */
export function withTusRequest<T>(request: TusRequest, run: () => Promise<T>): Promise<T> {
  return current.run(request, run);
}

/** The request the protocol engine is working on. */
export function currentTusRequest(): TusRequest {
  const found = current.getStore();
  if (!found) throw new Error('The protocol engine runs without a request');
  return found;
}
