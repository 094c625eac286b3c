import { PROBLEM_MEDIA_TYPE, PROBLEMS, type Problem } from '@relaypacs/core/contract/problem.js';
import { StatusChangeRefused } from '@relaypacs/core/domain/upload-status.js';
import type { Logger } from '@relaypacs/core/observability/logger.js';
import { StorageUnavailable } from '@relaypacs/core/storage/object-storage.js';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { HttpProblem, invalidFields } from './http-problem.js';

/** The problem document (RFC 9457). */
export function problemBody(problem: HttpProblem, requestId: string): Problem {
  return {
    type: `urn:relaypacs:problem:${problem.code.toLowerCase().replaceAll('_', '-')}`,
    title: PROBLEMS[problem.code].title,
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    requestId,
    ...problem.members,
  };
}

/** Renders a problem as RFC 9457; Node itself leaves the body of a HEAD answer out. */
export function sendProblem(res: Response, problem: HttpProblem): void {
  const body = problemBody(problem, res.locals.requestId);
  res.status(problem.status);
  // Not among the statuses Node knows a phrase for (tus, Checksum).
  if (problem.status === 460) res.statusMessage = 'Checksum Mismatch';
  if (problem.status === 503 && !res.hasHeader('Retry-After')) res.setHeader('Retry-After', '5');
  if (problem.status === 401) res.setHeader('WWW-Authenticate', 'Bearer');
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Content-Type', PROBLEM_MEDIA_TYPE);
  res.end(JSON.stringify(body));
}

/** Of a request of which not more is known than that nobody can make sense of it. */
export const UNREADABLE =
  'The request could not be read: its address or its headers are not written as HTTP wants them. Nothing was changed; check the program that sends it.';

/** What body-parser and Express throw for requests they cannot read. */
function fromParser(error: { status?: unknown; type?: unknown }): HttpProblem | undefined {
  if (error.type === 'entity.too.large') {
    return new HttpProblem(
      'UPLOAD_TOO_LARGE',
      'The request body is too large. Files go through the tus endpoint.',
    );
  }
  if (error.type === 'encoding.unsupported' || error.type === 'charset.unsupported') {
    return new HttpProblem('UNSUPPORTED_MEDIA_TYPE', 'Send the body as JSON in UTF-8.');
  }
  if (error.type === 'entity.parse.failed') {
    return new HttpProblem(
      'MALFORMED_REQUEST',
      'The body of the request is no JSON object. Nothing was changed; correct it and send again.',
    );
  }
  if (error.type === 'request.aborted' || error.type === 'request.size.invalid') {
    return new HttpProblem(
      'MALFORMED_REQUEST',
      'The body of the request did not arrive as long as it was announced. Nothing was changed; send it again.',
    );
  }
  if (typeof error.status === 'number' && error.status >= 400 && error.status < 500) {
    return new HttpProblem('MALFORMED_REQUEST', UNREADABLE);
  }
  return undefined;
}

function toProblem(error: unknown): HttpProblem | undefined {
  if (error instanceof HttpProblem) return error;
  if (error instanceof StatusChangeRefused) {
    return new HttpProblem('UPLOAD_STATE_CONFLICT', `The upload is ${error.from}; this is not possible now.`);
  }
  return typeof error === 'object' && error !== null ? fromParser(error) : undefined;
}

// Network or resource trouble between us and the database; the client should simply try again.
const UNAVAILABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  '57P01',
  '57P03',
  // Two transactions waited for each other, or one for too long, and this one was ended.
  '40P01',
  '55P03',
  '53300',
  '08006',
]);

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return (
    UNAVAILABLE.has(code) ||
    error instanceof StorageUnavailable ||
    error.name === 'KnexTimeoutError' ||
    /Connection terminated|timeout exceeded when trying to connect|not queryable/.test(error.message)
  );
}

/** The SQLSTATE of class 22 (data exception): a value that looked right and is none to PostgreSQL. */
function refusedByDatabase(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^22[0-9A-Z]{3}$/.test(code) ? code : undefined;
}

/** The one place where errors become answers. What is not expected is logged and told without its inside. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    if (res.headersSent) {
      res.destroy();
      return;
    }
    const known = toProblem(error);
    if (known) {
      sendProblem(res, known);
      return;
    }
    const refused = refusedByDatabase(error);
    if (refused !== undefined) {
      // Only the code: the message would repeat the value, and that may be a patient's.
      logger.warn('The database refused a value', { code: refused, method: req.method, route: req.path });
      sendProblem(res, invalidFields([{ path: '', message: 'It holds a value that cannot be kept' }]));
      return;
    }
    logger.error('A request failed', { error, method: req.method, route: req.path });
    if (isUnavailable(error)) {
      sendProblem(
        res,
        new HttpProblem(
          'UNAVAILABLE',
          'The service is briefly not available. What has arrived is safe; try again.',
        ),
      );
      return;
    }
    sendProblem(
      res,
      new HttpProblem(
        'INTERNAL_ERROR',
        'Something went wrong on our side. What has arrived is safe; try again later.',
      ),
    );
  };
}

/** Answer for every path nobody serves. */
export const unknownRoute: RequestHandler = (req) => {
  throw new HttpProblem('NOT_FOUND', `There is nothing at ${req.path}.`);
};
