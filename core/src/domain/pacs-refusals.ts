/**
 * Codes of what a PACS says of an image it does not store: it has nothing of it that was sent in that request. Of an image
 * that failed for any other reason and was sent, or was sent before without an answer, it may have a copy.
 */
export const PACS_REFUSALS: ReadonlySet<string> = new Set([
  'PACS_UNSUPPORTED_IMAGE',
  'PACS_UNSUPPORTED_COMPRESSION',
  'PACS_PATIENT_CONFLICT',
  'PACS_PATIENT_ID_MISSING',
  'PACS_REJECTED_BEFORE',
  'PACS_NOT_AUTHORIZED',
  'PACS_INVALID_IMAGE',
  'PACS_REFUSED',
  'PACS_TOO_LARGE',
]);
