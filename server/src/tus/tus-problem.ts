import { PROBLEMS, type ProblemCode } from '@relaypacs/core/contract/problem.js';
import { HttpProblem } from '../http/http-problem.js';

/** What the protocol engine's statuses mean to a person, where no check of ours has spoken before. */
const BY_STATUS: Partial<Record<number, { code: ProblemCode; detail: string }>> = {
  400: {
    code: 'MALFORMED_REQUEST',
    detail: 'The tus request is not complete or not right. Nothing was changed.',
  },
  403: { code: 'MALFORMED_REQUEST', detail: 'The tus request lacks a header it needs. Nothing was changed.' },
  404: { code: 'NOT_FOUND', detail: 'There is no such file, or it is not yours.' },
  409: {
    code: 'OFFSET_CONFLICT',
    detail: 'The offset is not where the file ends here. Ask with HEAD and go on from there.',
  },
  410: { code: 'GONE', detail: 'This file is no longer kept here.' },
  412: { code: 'TUS_VERSION_REQUIRED', detail: 'Send the header Tus-Resumable: 1.0.0.' },
  413: {
    code: 'UPLOAD_TOO_LARGE',
    detail: 'This is more than was announced or allowed. What has arrived is safe.',
  },
  501: { code: 'NOT_SUPPORTED', detail: 'This part of the tus protocol is not supported here.' },
};

/** The problem for an error the engine reports; undefined for a fault of ours (5xx), which is logged. */
export function problemFromEngine(error: unknown): HttpProblem | undefined {
  if (error instanceof HttpProblem) return error;
  const status = error instanceof Object && 'status_code' in error ? Number(error.status_code) : 500;
  return problemFromStatus(status);
}

/** The problem for a bare status of the engine. */
export function problemFromStatus(status: number): HttpProblem | undefined {
  const known = BY_STATUS[status];
  if (known) return new HttpProblem(known.code, known.detail);
  const other = Object.entries(PROBLEMS).find(([, problem]) => problem.status === status);
  return other && status < 500
    ? new HttpProblem(other[0] as ProblemCode, 'The request was refused.')
    : undefined;
}
