import { z } from 'zod';

/** Media type of every error answer (RFC 9457). */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/**
 * Every error an HTTP or tus client can meet: its stable code, its status and its short title.
 * Clients branch on `code`; people read `detail`.
 */
export const PROBLEMS = {
  MALFORMED_REQUEST: { status: 400, title: 'The request could not be read' },
  CHECKSUM_UNSUPPORTED: { status: 400, title: 'Unknown checksum algorithm' },
  UNAUTHENTICATED: { status: 401, title: 'Sign in needed' },
  INVALID_CREDENTIALS: { status: 401, title: 'Wrong username or password' },
  INVALID_TOKEN: { status: 401, title: 'The token is not valid' },
  TOTP_REQUIRED: { status: 401, title: 'Second factor needed' },
  ACCOUNT_PENDING: { status: 403, title: 'Account waits for approval' },
  ACCOUNT_DISABLED: { status: 403, title: 'Account disabled' },
  REGISTRATION_CLOSED: { status: 403, title: 'Registration is closed' },
  FORBIDDEN: { status: 403, title: 'Not allowed' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request took too long' },
  USERNAME_TAKEN: { status: 409, title: 'Username already in use' },
  EMAIL_TAKEN: { status: 409, title: 'Email address already in use' },
  API_TOKEN_LIMIT: { status: 409, title: 'Too many API tokens' },
  DUPLICATE_STUDY: { status: 409, title: 'This study was sent before' },
  FILES_INCOMPLETE: { status: 409, title: 'Some files have not arrived yet' },
  UPLOAD_NOT_OPEN: { status: 409, title: 'The upload no longer takes files' },
  UPLOAD_STATE_CONFLICT: { status: 409, title: 'Not possible in the present state' },
  RECEIPT_NOT_READY: { status: 409, title: 'There is no receipt yet' },
  OFFSET_CONFLICT: { status: 409, title: 'The offset does not match' },
  CLIENT_ID_TAKEN: { status: 409, title: 'This clientId belongs to another file' },
  CHECKSUM_CONFLICT: { status: 409, title: 'The announced file does not match what arrived' },
  GONE: { status: 410, title: 'No longer there' },
  TUS_VERSION_REQUIRED: { status: 412, title: 'Tus-Resumable header needed' },
  UPLOAD_TOO_LARGE: { status: 413, title: 'Too large' },
  TOO_MANY_FILES: { status: 413, title: 'More files than announced' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'Unsupported content type' },
  EXPECTATION_FAILED: { status: 417, title: 'Expectation not supported' },
  VALIDATION_FAILED: { status: 422, title: 'Some fields are not right' },
  FILE_LOCKED: { status: 423, title: 'The file is being written' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  CHECKSUM_MISMATCH: { status: 460, title: 'The bytes were damaged on the way' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The request headers are too large' },
  INTERNAL_ERROR: { status: 500, title: 'Something went wrong on our side' },
  NOT_SUPPORTED: { status: 501, title: 'Not supported' },
  UNAVAILABLE: { status: 503, title: 'Temporarily unavailable' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One wrong field of a request: where it stands (`a.b[2]`) and what is wrong with it. */
export const FieldErrorSchema = z.object({ path: z.string(), message: z.string() });
export type FieldError = z.infer<typeof FieldErrorSchema>;

/** The body of every error answer: RFC 9457 with a stable code and the request's id. */
export const ProblemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  requestId: z.string(),
  errors: z.array(FieldErrorSchema).optional(),
});
export type Problem = z.infer<typeof ProblemSchema>;
