import type { CorrectUploadRequest } from '@relaypacs/core/contract/corrections.js';
import type { ResendRequest, ResendResponse } from '@relaypacs/core/contract/resends.js';
import type {
  CompleteUploadRequest,
  CreateUploadRequest,
  CreateUploadResponse,
  ReopenUploadRequest,
  TargetList,
  UploadDetail,
  UploadList,
  UploadStatus,
  UploadTokenResponse,
} from '@relaypacs/core/contract/uploads.js';
import { NetworkError } from './problem-error.js';
import type { Session } from './session.js';

export interface UploadListFilter {
  status?: UploadStatus | undefined;
  limit?: number;
  cursor?: string | undefined;
}

/** `pdf` for people, `json` for programs. */
export type ReceiptFormat = 'pdf' | 'json';

/** The calls under `/api/v1/uploads`, and what they may name. Each throws ProblemError or NetworkError. */
export class UploadsApi {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  announce(request: CreateUploadRequest): Promise<CreateUploadResponse> {
    return this.#session.call('POST', '/api/v1/uploads', { body: request });
  }

  list(filter: UploadListFilter, signal?: AbortSignal): Promise<UploadList> {
    const query = new URLSearchParams();
    if (filter.status) query.set('status', filter.status);
    if (filter.limit) query.set('limit', String(filter.limit));
    if (filter.cursor) query.set('cursor', filter.cursor);
    return this.#session.call('GET', `/api/v1/uploads?${query}`, signal ? { signal } : {});
  }

  detail(id: string, signal?: AbortSignal): Promise<UploadDetail> {
    return this.#session.call('GET', pathOf(id), signal ? { signal } : {});
  }

  /** A fresh upload token for an upload that is still open. */
  renewToken(id: string): Promise<UploadTokenResponse> {
    return this.#session.call('POST', `${pathOf(id)}/token`, { body: {} });
  }

  /** Says that every file has been sent; the server answers 409 `FILES_INCOMPLETE` when one is missing. */
  complete(id: string, request: CompleteUploadRequest = {}): Promise<void> {
    return this.#session.call('POST', `${pathOf(id)}/complete`, { body: request });
  }

  /** Sends an upload that waits for its sender as it is; 409 `UPLOAD_STATE_CONFLICT` when it does not wait. */
  confirm(id: string): Promise<void> {
    return this.#session.call('POST', `${pathOf(id)}/confirm`, { body: {} });
  }

  /** Has an upload that waits for its sender take more files; 409 `UPLOAD_STATE_CONFLICT` as with `confirm`. */
  reopen(id: string, more: ReopenUploadRequest): Promise<CreateUploadResponse> {
    return this.#session.call('POST', `${pathOf(id)}/reopen`, { body: more });
  }

  /** The PACS a sender may choose from; for an administrator all of them as well. */
  targets(signal?: AbortSignal): Promise<TargetList> {
    return this.#session.call('GET', '/api/v1/targets', signal ? { signal } : {});
  }

  /** Corrects what was announced; it takes effect with `retry`. */
  correct(id: string, fields: CorrectUploadRequest): Promise<UploadDetail> {
    return this.#session.call('PATCH', pathOf(id), { body: fields });
  }

  /** Has studies sent again, or elsewhere; for administrators. */
  resend(id: string, request: ResendRequest): Promise<ResendResponse> {
    return this.#session.call('POST', `${pathOf(id)}/resend`, { body: request });
  }

  retry(id: string): Promise<void> {
    return this.#session.call('POST', `${pathOf(id)}/retry`, { body: {} });
  }

  /** The signed receipt of a delivered upload; 409 `RECEIPT_NOT_READY` before that. */
  async receipt(id: string, format: ReceiptFormat): Promise<Blob> {
    const path = `${pathOf(id)}/receipt${format === 'pdf' ? '.pdf' : ''}`;
    const response = await this.#session.open('GET', path, { headers: { Accept: `application/${format}` } });
    return response.blob().catch((error: unknown) => {
      throw new NetworkError(error);
    });
  }

  cancel(id: string): Promise<void> {
    return this.#session.call('DELETE', pathOf(id));
  }

  /** Gives up an upload that failed: its files go. */
  close(id: string): Promise<void> {
    return this.#session.call('DELETE', `${pathOf(id)}?status=failed`);
  }
}

function pathOf(id: string): string {
  return `/api/v1/uploads/${encodeURIComponent(id)}`;
}
