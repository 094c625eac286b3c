import type { IncomingMessage } from 'node:http';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { ServerRequest } from 'srvx';

/** What the access check found out about a request, for the hooks that run inside the protocol engine. */
export interface TusRequest {
  actor: Actor;
  /** Scheme and host the client came to; its file's URL begins with it. */
  baseUrl: string;
  upload: UploadRow;
  /** Undefined while the file is being created. */
  file: UploadFileRow | undefined;
}

const requests = new WeakMap<IncomingMessage, TusRequest>();

export function rememberTusRequest(req: IncomingMessage, found: TusRequest): void {
  requests.set(req, found);
}

/** @throws when the request did not pass the access check; then it must not reach the store either */
export function tusRequestOf(req: IncomingMessage | undefined): TusRequest {
  const found = req && requests.get(req);
  if (!found) throw new Error('A tus request came past the access check');
  return found;
}

/** The same, for the request object that the protocol engine hands to its hooks. */
export function tusRequestInEngine(request: ServerRequest): TusRequest {
  return tusRequestOf(request.runtime?.node?.req as IncomingMessage | undefined);
}
