import { type FieldError, PROBLEMS, type ProblemCode } from '@relaypacs/core/contract/problem.js';

/** An answer other than success, thrown from anywhere below a route and rendered at one place. */
export class HttpProblem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  /** Further members of the problem document, for example `existing` of DUPLICATE_STUDY. */
  readonly members: Readonly<Record<string, unknown>>;

  /** @param detail - a sentence a clinician understands: what happened, is the study safe, what to do */
  constructor(code: ProblemCode, detail: string, members: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.name = 'HttpProblem';
    this.code = code;
    this.status = PROBLEMS[code].status;
    this.members = members;
  }
}

/** Fields that are missing, wrong or unknown. */
export function invalidFields(errors: FieldError[]): HttpProblem {
  const first = errors[0];
  const detail = first
    ? `${first.path === '' ? 'The request' : first.path}: ${first.message}. Nothing was changed; correct it and send again.`
    : 'The request does not have the expected form. Nothing was changed.';
  return new HttpProblem('VALIDATION_FAILED', detail, { errors });
}

/** One answer for "does not exist" and "not yours", so that existence is not revealed. */
export function notFound(what: string): HttpProblem {
  return new HttpProblem('NOT_FOUND', `There is no such ${what}, or it is not yours.`);
}
