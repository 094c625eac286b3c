import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { InstanceUids } from './archive.js';

/** An answer other than success, in Orthanc's words. */
export class HttpError extends Error {
  readonly status: number;
  readonly orthancStatus: number;
  readonly details: string | undefined;

  private constructor(status: number, orthancStatus: number, message: string, details?: string) {
    super(message);
    this.status = status;
    this.orthancStatus = orthancStatus;
    this.details = details;
  }

  static badRequest = (details: string) => new HttpError(400, 8, 'Bad request', details);
  static outOfRange = () => new HttpError(400, 3, 'Parameter out of range');
  static badFormat = () => new HttpError(400, 15, 'Bad file format');
  static inexistentItem = (details: string) => new HttpError(404, 7, 'Accessing an inexistent item', details);
  static unknownResource = () => new HttpError(404, 17, 'Unknown resource');
  static unsupportedMediaType = () => new HttpError(415, 3000, 'Unsupported media type');
  static internal = () => new HttpError(500, 1, 'Internal error');
}

/** Sends an error as Orthanc does: JSON without a Content-Type, which clients must cope with. */
export function sendError(request: IncomingMessage, response: ServerResponse, error: HttpError): void {
  const answer = {
    ...(error.details && { Details: error.details }),
    HttpError: STATUS_CODES[error.status],
    HttpStatus: error.status,
    Message: error.message,
    Method: request.method,
    OrthancError: error.message,
    OrthancStatus: error.orthancStatus,
    Uri: pathOf(request),
  };
  sendText(response, error.status, `${JSON.stringify(answer, null, 2)}\n`);
}

/** Sends a body of known length. */
export function sendText(response: ServerResponse, status: number, body: string, contentType?: string): void {
  response.writeHead(status, {
    ...(contentType && { 'Content-Type': contentType }),
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Streams a JSON array whose items come as JSON text, one at a time, as fast as the client takes them. */
export async function sendJsonArray(response: ServerResponse, items: AsyncIterable<string>): Promise<void> {
  async function* array() {
    let separator = '[';
    for await (const item of items) {
      yield separator + item;
      separator = ',';
    }
    yield separator === '[' ? '[]' : ']';
  }
  await sendChunks(response, { 'Content-Type': 'application/dicom+json' }, array());
}

/**
 * Streams a body. Nothing is sent before the first chunk is there, so that its failure can still be answered.
 * Stops when the client has gone.
 */
export async function sendChunks(
  response: ServerResponse,
  headers: Record<string, string | number>,
  chunks: AsyncIterable<Buffer | string>,
): Promise<void> {
  for await (const chunk of chunks) {
    if (response.destroyed) return;
    if (!response.headersSent) response.writeHead(200, headers);
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** The path of a request, without the query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/';
}

/** The DICOMweb root as the client addressed it, without a slash at the end. */
export function dicomWebRoot(request: IncomingMessage): string {
  const { localAddress, localPort } = request.socket;
  return `http://${request.headers.host ?? `${localAddress}:${localPort}`}/dicom-web`;
}

/** The WADO-RS address of a study, a series or an instance. */
export function retrieveUrl(root: string, uids: Partial<InstanceUids>): string {
  const { study = '', series, instance } = uids;
  const levels = [root, 'studies', encodeURIComponent(study)];
  if (series !== undefined) levels.push('series', encodeURIComponent(series));
  if (instance !== undefined) levels.push('instances', encodeURIComponent(instance));
  return levels.join('/');
}
