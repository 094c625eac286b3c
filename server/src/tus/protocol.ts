import type { Request, RequestHandler } from 'express';
import { HttpProblem } from '../http/http-problem.js';

const VERSION = '1.0.0';
const BYTES = /^\d{1,15}$/;

function malformed(detail: string): HttpProblem {
  return new HttpProblem('MALFORMED_REQUEST', `${detail} Nothing was changed.`);
}

const FINAL = 'final;';

/** A slice that will be joined with others (tus, Concatenation). */
export function isPartialCreation(req: Request): boolean {
  return req.get('upload-concat') === 'partial';
}

/** The join of slices (tus, Concatenation). */
export function isFinalCreation(req: Request): boolean {
  return req.get('upload-concat')?.startsWith(FINAL) ?? false;
}

/** The URLs of the slices a join names, as the client wrote them. */
export function slicesNamed(req: Request): string[] {
  return (req.get('upload-concat') ?? '')
    .slice(FINAL.length)
    .split(' ')
    .filter((url) => url !== '');
}

/** tus, Creation: exactly one of Upload-Length and Upload-Defer-Length: 1; neither for a join. */
function assertCreation(req: Request): void {
  const length = req.get('upload-length');
  const deferred = req.get('upload-defer-length');
  const concat = req.get('upload-concat');
  if (concat !== undefined && concat !== 'partial' && !isFinalCreation(req)) {
    throw malformed('Upload-Concat is "partial", or "final;" and the URLs of the slices.');
  }
  if (isFinalCreation(req)) {
    if (length === undefined && deferred === undefined) return;
    throw malformed('A join has the length of its slices: leave Upload-Length and Upload-Defer-Length out.');
  }
  if (length === undefined && deferred === undefined) {
    throw malformed(
      'A creation needs Upload-Length, the size of the file in bytes, or Upload-Defer-Length: 1.',
    );
  }
  if (length !== undefined && deferred !== undefined) {
    throw malformed('A creation has either Upload-Length or Upload-Defer-Length, not both.');
  }
  if (length !== undefined && !BYTES.test(length)) {
    throw malformed('Upload-Length must be the size of the file in bytes, a whole number.');
  }
  if (deferred !== undefined && deferred !== '1') throw malformed('Upload-Defer-Length can only be 1.');
}

/** tus, Core Protocol, PATCH: the content type and the offset. */
function assertPatch(req: Request): void {
  if (req.get('content-type') !== 'application/offset+octet-stream') {
    throw new HttpProblem(
      'UNSUPPORTED_MEDIA_TYPE',
      'A PATCH needs Content-Type: application/offset+octet-stream. Nothing was changed.',
    );
  }
  const offset = req.get('upload-offset');
  if (offset === undefined || !BYTES.test(offset)) {
    throw malformed(
      'A PATCH needs Upload-Offset, the number of bytes that are here already (ask with HEAD).',
    );
  }
}

const OVERRIDABLE = ['HEAD', 'PATCH', 'DELETE'];

/**
 * tus, Core Protocol: X-HTTP-Method-Override stands for the method of clients that can only POST (the official Java
 * client, some proxies).
 */
export const overrideMethod: RequestHandler = (req, _res, next) => {
  const method = req.get('x-http-method-override')?.toUpperCase();
  if (method !== undefined && method !== req.method) {
    if (req.method !== 'POST' || !OVERRIDABLE.includes(method)) {
      throw malformed('X-HTTP-Method-Override can turn a POST into HEAD, PATCH or DELETE.');
    }
    req.method = method;
  }
  next();
};

/** What tus asks of every request, told in words where it is missing; 412 carries Tus-Version. */
export const requireProtocol: RequestHandler = (req, res, next) => {
  res.setHeader('Tus-Resumable', VERSION);
  if (req.get('tus-resumable') !== VERSION) {
    res.setHeader('Tus-Version', VERSION);
    throw new HttpProblem(
      'TUS_VERSION_REQUIRED',
      `Send the header Tus-Resumable: ${VERSION}; no other version is understood. Nothing was changed.`,
    );
  }
  if (req.method === 'POST') assertCreation(req);
  if (req.method === 'PATCH') assertPatch(req);
  next();
};
