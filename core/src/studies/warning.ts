/**
 * Something about a study that a person should look at before it is read or delivered; never a reason to refuse it.
 * Codes are stable: they are stored, counted and translated. Messages may name the patient.
 */
export interface Warning {
  /** Stable UPPER_SNAKE code. */
  code: string;
  /** A sentence a clinician understands. */
  message: string;
  /** Set when one series is meant. */
  seriesInstanceUid?: string;
}
