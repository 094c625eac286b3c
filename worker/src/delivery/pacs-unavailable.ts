/**
 * Why the PACS takes nothing now. `denied` and `misconfigured` need somebody who runs the PACS or RelayPACS; the
 * others pass by themselves.
 */
export type UnavailableKind = 'unreachable' | 'busy' | 'denied' | 'misconfigured' | 'not-configured';

/**
 * Nothing is wrong with the study: it waits for the PACS. The message is for the log, that is for the operator; it
 * names no patient and holds no secret.
 */
export class PacsUnavailable extends Error {
  readonly kind: UnavailableKind;
  /** Seconds the PACS asked us to wait (Retry-After). */
  readonly retryAfterSeconds: number | undefined;
  /** Seconds for which it may still be storing what it got of this study. */
  readonly settleSeconds: number;
  readonly status: number | undefined;
  /** A kept-alive connection turned out to be closed. */
  readonly staleConnection: boolean;
  /** The PACS no longer took the access token, and the next request will bear another. */
  readonly staleToken: boolean;
  /** It is the token endpoint that is meant, or no connection came about: the PACS was not even asked. */
  readonly notAsked: boolean;

  constructor(
    kind: UnavailableKind,
    message: string,
    more: {
      retryAfterSeconds?: number;
      settleSeconds?: number;
      status?: number;
      staleConnection?: boolean;
      staleToken?: boolean;
      notAsked?: boolean;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = 'PacsUnavailable';
    this.kind = kind;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.settleSeconds = more.settleSeconds ?? 0;
    this.status = more.status;
    this.staleConnection = more.staleConnection ?? false;
    this.staleToken = more.staleToken ?? false;
    this.notAsked = more.notAsked ?? false;
  }

  /** Worth another try at once; where something was sent, after asking what of it arrived. */
  get worthRepeating(): boolean {
    return this.staleConnection || this.staleToken;
  }

  /** The PACS was there and broke down over this request: 500, or the connection ended in the middle. */
  get brokeDown(): boolean {
    return !this.notAsked && (this.kind === 'unreachable' || this.status === 500);
  }

  /** It ended the connection in the middle, rather than say that it failed or fall silent. */
  get droppedConnection(): boolean {
    return this.brokeDown && this.kind === 'unreachable' && this.settleSeconds === 0;
  }
}

const DENIED = [401, 403, 407];
/**
 * 424 is Azure's for a Data Lake or a key vault it cannot reach (its DICOM conformance statement v2, "Store response
 * status codes"): nothing the study is to blame for.
 */
const BUSY = [408, 424, 425, 429];
/** Wrong path, method or accepted types: the same for every study, so no fault of this one. */
const MISCONFIGURED = [404, 405, 406, 410, 501, 505];

/** What a status says about the PACS as a whole; undefined where it speaks of this one request. */
export function unavailableKind(status: number): UnavailableKind | undefined {
  if (DENIED.includes(status)) return 'denied';
  if (MISCONFIGURED.includes(status) || (status >= 300 && status < 400)) return 'misconfigured';
  if (BUSY.includes(status) || status >= 500) return 'busy';
  return undefined;
}

/** Longest wait a PACS can ask for: it must not be able to park a study for days. */
const MOST_RETRY_AFTER_SECONDS = 3600;

/** Seconds named by a Retry-After header, as seconds or as a date (RFC 9110 §10.2.3). */
export function retryAfterSeconds(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), MOST_RETRY_AFTER_SECONDS) : undefined;
}
