/** Why one attempt at sending did not succeed. Without `status`, no answer came. */
export interface Failure {
  status?: number | undefined;
  code?: string | undefined;
  /** The server's sentence for people. */
  detail?: string | undefined;
  /** Seconds the server asks to wait. */
  retryAfter?: number | undefined;
}

/**
 * `retry`: wait and try the same again. `renewToken`: get a fresh upload token first. `askServer`: the upload or
 * the file is not open any more; look up what became of the upload. `giveUp`: trying again cannot help.
 */
export type NextStep = 'retry' | 'renewToken' | 'askServer' | 'giveUp';

export function nextStep({ status, code }: Failure): NextStep {
  if (status === undefined || status === 0) return 'retry';
  if (status === 401) return 'renewToken';
  if (status === 404 || status === 410 || code === 'UPLOAD_NOT_OPEN') return 'askServer';
  // 409 and 423: another request of ours still holds the file (tus 1.0.0, PATCH); 460: the bytes came over
  // damaged (tus checksum extension).
  if ([408, 409, 423, 425, 429, 460].includes(status)) return 'retry';
  return status >= 500 && status !== 501 ? 'retry' : 'giveUp';
}
