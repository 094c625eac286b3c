import type { Authorization } from './authorization.js';

/** What a token endpoint gave. */
export interface AccessToken {
  value: string;
  /** Seconds it is good for; undefined when the endpoint did not say. */
  expiresInSeconds: number | undefined;
}

/** Where tokens come from. */
export interface TokenSource {
  /** @throws PacsUnavailable */
  request(): Promise<AccessToken>;
}

/** Renewed this long before its end, so that it does not run out on the way; at most a quarter of its life. */
const SKEW_SECONDS = 30;
/** RFC 6749 §5.1 lets an endpoint leave `expires_in` out. What the PACS thinks of it, its 401 says. */
const UNSAID_LIFE_SECONDS = 300;

interface CachedToken {
  header: string;
  renewAt: number;
  endsAt: number;
}

/** The access token for one PACS: kept, renewed before its end, by one request at a time. */
export class OidcTokens implements Authorization {
  private readonly source: TokenSource;
  private readonly now: () => number;
  private token: CachedToken | undefined;
  private renewal: Promise<CachedToken> | undefined;

  /** @param now - milliseconds on a clock that is never set */
  constructor(source: TokenSource, now: () => number = () => performance.now()) {
    this.source = source;
    this.now = now;
  }

  async header(signal: AbortSignal): Promise<string> {
    const { token } = this;
    if (token && this.now() < token.renewAt) return token.header;
    try {
      return (await abortable(this.renew(), signal)).header;
    } catch (error) {
      signal.throwIfAborted();
      // The endpoint is away, and the old token still good: there is no need to stop yet.
      if (token && token === this.token && this.now() < token.endsAt) return token.header;
      throw error;
    }
  }

  refused(header: string): boolean {
    // By now it may be another one that is kept: requests side by side are refused one after the other.
    if (this.token?.header === header) this.token = undefined;
    return true;
  }

  /** All who wait share one request; none of them may end it for the others. */
  private renew(): Promise<CachedToken> {
    this.renewal ??= this.request().finally(() => {
      this.renewal = undefined;
    });
    return this.renewal;
  }

  private async request(): Promise<CachedToken> {
    // Its life counts from before it was asked for: never later than it was issued.
    const asked = this.now();
    const { value, expiresInSeconds = UNSAID_LIFE_SECONDS } = await this.source.request();
    const skew = Math.min(SKEW_SECONDS, expiresInSeconds / 4);
    this.token = {
      header: `Bearer ${value}`,
      renewAt: asked + (expiresInSeconds - skew) * 1000,
      endsAt: asked + expiresInSeconds * 1000,
    };
    return this.token;
  }
}

/** What `work` comes to, unless `signal` aborts before; the work goes on. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
