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
  const [first] = errors;
  const others = new Set(errors.map(({ path }) => path)).size - 1;
  const more =
    others > 0 ? ` ${others} more ${others === 1 ? 'field is' : 'fields are'} not right either.` : '';
  const detail = first
    ? `Please check ${fieldName(first.path)}: ${first.message}.${more} Nothing was changed; correct ${more ? 'them' : 'it'} and send again.`
    : 'The request does not have the form that is needed here. Nothing was changed.';
  return new HttpProblem('VALIDATION_FAILED', detail, { errors });
}

/** `patient birth date` for `patientBirthDate`; what is no plain name is told as it is. */
function fieldName(path: string): string {
  if (path === '') return 'the request';
  if (!/^[a-z]+([A-Z][a-z]+)*$/.test(path)) return path;
  return path
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/\b(id|uid)\b/g, (id) => id.toUpperCase());
}

/** One answer for "does not exist" and "not yours", so that existence is not revealed. */
export function notFound(what: string): HttpProblem {
  return new HttpProblem('NOT_FOUND', `There is no such ${what}, or it is not yours.`);
}
