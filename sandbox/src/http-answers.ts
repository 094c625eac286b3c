import type { IncomingMessage, ServerResponse } from 'node:http';
import type { InstanceUids } from './archive.js';
import type { Exchange } from './exchange.js';
import { pause } from './faults/connection.js';
import type { TextAnswer } from './personalities/personality.js';

/** An answer other than success, in Orthanc's words; other personalities say it in their own form. */
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
  static tooLarge = () => new HttpError(413, 3000, 'The body is too large');
  static notAcceptable = () => new HttpError(406, 3000, 'Not acceptable');
  /** The whole request failed on the archive's side. */
  static serverFailure = (message: string) => new HttpError(500, 1, message);
  static internal = () => new HttpError(500, 1, 'Internal error');
}

/** Sends an error as the archive played does. */
export function sendError({ personality, request, response }: Exchange, error: HttpError): void {
  const { method = '' } = request;
  sendText(response, personality.errorAnswer(error, { method, path: pathOf(request) }));
}

/** Sends a body of known length. */
export function sendText(response: ServerResponse, { status, headers, body }: TextAnswer): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

/** Streams a JSON array whose items come as JSON text, one at a time, as fast as the client takes them. */
export async function sendJsonArray(exchange: Exchange, items: AsyncIterable<string>): Promise<void> {
  async function* array() {
    let separator = '[';
    for await (const item of items) {
      yield separator + item;
      separator = ',';
    }
    yield separator === '[' ? '[]' : ']';
  }
  await sendChunks(exchange, { 'Content-Type': 'application/dicom+json' }, array());
}

/**
 * Streams a body. Nothing is sent before the first chunk is there, so that its failure can still be answered.
 * Stops when the client has gone. Throws Abandoned when a fault ends it.
 */
export async function sendChunks(
  exchange: Exchange,
  headers: Record<string, string | number>,
  chunks: AsyncIterable<Buffer | string>,
): Promise<void> {
  const { response } = exchange;
  await pause(exchange, exchange.answerDelayMs);
  for await (const chunk of exchange.outgoing(chunks)) {
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
export function dicomWebRoot({ personality, request }: Exchange): string {
  const { localAddress, localPort } = request.socket;
  return `http://${request.headers.host ?? `${localAddress}:${localPort}`}${personality.root}`;
}

/** The WADO-RS address of a study, a series or an instance. */
export function retrieveUrl(root: string, uids: Partial<InstanceUids>): string {
  const { study = '', series, instance } = uids;
  const levels = [root, 'studies', encodeURIComponent(study)];
  if (series !== undefined) levels.push('series', encodeURIComponent(series));
  if (instance !== undefined) levels.push('instances', encodeURIComponent(instance));
  return levels.join('/');
}
