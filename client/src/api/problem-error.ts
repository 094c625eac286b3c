import type { FieldError, Problem } from '@relaypacs/core/contract/problem.js';

/** The server answered with an error: `application/problem+json`, or something else with an error status. */
export class ProblemError extends Error {
  readonly status: number;
  /** Stable code, such as `DUPLICATE_STUDY`; empty when something other than RelayPACS answered. */
  readonly code: string;
  readonly fields: readonly FieldError[];
  /** Seconds the server asks to wait (Retry-After), or undefined. */
  readonly retryAfter: number | undefined;
  /** The whole body, for members that belong to one code only. */
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Partial<Problem>, retryAfter?: number) {
    super(typeof body.detail === 'string' && body.detail !== '' ? body.detail : generalSentence(status));
    this.name = 'ProblemError';
    this.status = status;
    this.code = typeof body.code === 'string' ? body.code : '';
    this.fields = Array.isArray(body.errors) ? body.errors : [];
    this.retryAfter = retryAfter;
    this.body = body;
  }
}

/** No answer came: no network, no server, or the connection broke. */
export class NetworkError extends Error {
  constructor(cause?: unknown) {
    super('RelayPACS cannot be reached. Check the network connection and try again.', { cause });
    this.name = 'NetworkError';
  }
}

/** What to tell a person about `error`. Never a stack trace or a technical code. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ProblemError || error instanceof NetworkError) return error.message;
  return 'Something went wrong in this page. Reload it and try again.';
}

/** For answers that carry no sentence of their own, such as those of a proxy. */
export function generalSentence(status: number): string {
  if (status === 401) return 'Please sign in again.';
  if (status === 403) return 'Your account is not allowed to do this.';
  if (status === 404) return 'This does not exist, or it belongs to somebody else.';
  if (status === 413) return 'This is larger than the server accepts.';
  if (status === 429) return 'Too many requests at once. Wait a moment and try again.';
  if (status >= 500) return 'RelayPACS has a problem at the moment. Try again in a moment.';
  return 'The server did not accept this.';
}

/** Reads an error answer. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const text = await response.text().catch(() => '');
  return new ProblemError(
    response.status,
    parseProblem(text),
    secondsOf(response.headers.get('Retry-After')),
  );
}

/** The members of a problem body; nothing when the text is no JSON object. */
export function parseProblem(text: string): Partial<Problem> {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Partial<Problem>) : {};
  } catch {
    return {};
  }
}

/** `Retry-After` in its form of seconds; the date form is not used by RelayPACS. */
export function secondsOf(retryAfter: string | null | undefined): number | undefined {
  const seconds = Number(retryAfter);
  return retryAfter && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
