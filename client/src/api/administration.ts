import type { SystemStatus } from '@relaypacs/core/contract/admin.js';
import type { Session } from './session.js';

/** The calls under `/api/v1/admin`, for administrators. Each throws ProblemError or NetworkError. */
export class AdministrationApi {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  system(signal: AbortSignal): Promise<SystemStatus> {
    return this.#session.call('GET', '/api/v1/admin/system', { signal });
  }
}
