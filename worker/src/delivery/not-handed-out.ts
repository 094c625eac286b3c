import type { PacsUnavailable } from './pacs-unavailable.js';

/** The PACS answered a request for an instance, but not with the whole of it. */
export class NotHandedOut extends Error {
  /** Where it refuses whoever asks, which says nothing of the instance: what somebody has to put right. */
  readonly refusal: PacsUnavailable | undefined;

  constructor(message: string, refusal?: PacsUnavailable) {
    super(message);
    this.name = 'NotHandedOut';
    this.refusal = refusal;
  }
}
