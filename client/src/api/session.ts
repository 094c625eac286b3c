import type {
  LoginRequest,
  RegisterRequest,
  RegisterResponse,
  Session as SessionAnswer,
  User,
} from '@relaypacs/core/contract/accounts.js';
import { NetworkError, ProblemError, problemOf } from './problem-error.js';
import { Store } from './store.js';

/** `left`: the person has signed out. `ended`: the server has ended the session of somebody who was at work. */
export type SignedOutWhy = 'neverSignedIn' | 'left' | 'ended';

export type SessionState =
  | { status: 'starting' }
  /** The server could not be asked whether somebody is signed in. */
  | { status: 'unreachable' }
  | { status: 'signedOut'; why: SignedOutWhy }
  | { status: 'signedIn'; user: User };

/** Runs `work` while nobody else, in this or another tab, runs theirs. */
export type Exclusively = <T>(work: () => Promise<T>) => Promise<T>;

export interface SessionOptions {
  /** Scheme, host and port of the server; empty for the page's own. */
  origin?: string;
  fetch?: typeof fetch;
  exclusively: Exclusively;
  now?: () => number;
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** An access token with less than this left (in milliseconds) is replaced before it is used. */
const RENEW_BEFORE_END_MS = 60_000;

/**
 * Who is signed in, and the access token, which stands in memory only. The refresh token is a cookie that no
 * script can read. The server revokes the whole session when a refresh token is used twice, so refreshes are
 * serialised in this tab by one promise and among tabs by `exclusively`.
 */
export class Session extends Store<SessionState> {
  readonly #origin: string;
  readonly #fetch: typeof fetch;
  readonly #exclusively: Exclusively;
  readonly #now: () => number;
  #access: { token: string; endsAt: number } | undefined;
  #refreshing: Promise<string> | undefined;

  constructor(options: SessionOptions) {
    super({ status: 'starting' });
    this.#origin = options.origin ?? '';
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#exclusively = options.exclusively;
    this.#now = options.now ?? Date.now;
  }

  get user(): User | undefined {
    return this.value.status === 'signedIn' ? this.value.user : undefined;
  }

  /** Takes up the session the cookie stands for, if there is one. Never rejects. */
  async restore(): Promise<void> {
    try {
      await this.refresh();
    } catch (error) {
      if (this.value.status === 'signedIn') return;
      const refused = error instanceof ProblemError && error.status < 500 && error.status !== 429;
      if (!refused) this.set({ status: 'unreachable' });
      else if (this.value.status !== 'signedOut') this.set({ status: 'signedOut', why: 'neverSignedIn' });
    }
  }

  /** @throws ProblemError, NetworkError */
  async signIn(credentials: LoginRequest): Promise<void> {
    await this.#exclusively(async () => {
      this.#adopt(await this.#json<SessionAnswer>('POST', '/api/v1/auth/login', { body: credentials }));
    });
  }

  /** @throws ProblemError, NetworkError */
  register(account: RegisterRequest): Promise<RegisterResponse> {
    return this.#json<RegisterResponse>('POST', '/api/v1/auth/register', { body: account });
  }

  /** @throws NetworkError when the server could not be told: the person is still signed in then. */
  async signOut(): Promise<void> {
    await this.#exclusively(async () => {
      try {
        await this.#send('POST', '/api/v1/auth/logout', { body: {} }, this.#access?.token);
      } catch (error) {
        if (!(error instanceof ProblemError) || error.status >= 500) throw error;
      }
      this.#end('left');
    });
  }

  /** The session ended in another tab. */
  signedOutElsewhere(): void {
    this.#end('left');
  }

  /** An access token that is good for at least a minute. @throws ProblemError, NetworkError */
  async accessToken(): Promise<string> {
    const access = this.#access;
    return access && access.endsAt - this.#now() > RENEW_BEFORE_END_MS ? access.token : this.refresh();
  }

  /** A new access token, by the refresh cookie. @throws ProblemError, NetworkError */
  refresh(): Promise<string> {
    this.#refreshing ??= this.#exclusively(() => this.#refreshNow()).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Calls the API as the person who is signed in. @throws ProblemError, NetworkError */
  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const response = await this.open(method, path, options);
    return (response.status === 204 ? undefined : await readJson(response)) as T;
  }

  /** As {@link call}, for answers that are read as they come. @throws ProblemError, NetworkError */
  async open(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const token = await this.accessToken();
    try {
      return await this.#send(method, path, options, token);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status !== 401) throw error;
      // Somebody else may have refreshed while this call was under way.
      const fresh = this.#access?.token === token ? await this.refresh() : await this.accessToken();
      return this.#send(method, path, options, fresh);
    }
  }

  async #refreshNow(): Promise<string> {
    try {
      const answer = await this.#json<SessionAnswer>('POST', '/api/v1/auth/refresh', { body: {} });
      this.#adopt(answer);
      return answer.accessToken;
    } catch (error) {
      if (error instanceof ProblemError && (error.status === 401 || error.status === 403)) this.#end('ended');
      throw error;
    }
  }

  #adopt(answer: SessionAnswer): void {
    this.#access = { token: answer.accessToken, endsAt: this.#now() + answer.expiresIn * 1000 };
    this.set({ status: 'signedIn', user: answer.user });
  }

  #end(why: 'left' | 'ended'): void {
    this.#access = undefined;
    const before = this.value.status;
    if (why === 'left' || before === 'signedIn') this.set({ status: 'signedOut', why });
    else if (before !== 'signedOut') this.set({ status: 'signedOut', why: 'neverSignedIn' });
  }

  async #json<T>(method: string, path: string, options: CallOptions): Promise<T> {
    return (await readJson(await this.#send(method, path, options))) as T;
  }

  async #send(method: string, path: string, options: CallOptions, token?: string): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json', ...options.headers };
    const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' };
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    if (options.signal) init.signal = options.signal;
    if (options.body !== undefined) {
      headers['Content-Type'] = 'application/json';
      init.body = JSON.stringify(options.body);
    }
    let response: Response;
    try {
      response = await this.#fetch(this.#origin + path, init);
    } catch (error) {
      throw new NetworkError(error);
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    // Cut off on the way, or a captive portal that answers every address with its own page.
    throw new NetworkError(error);
  }
}

/**
 * {@link Exclusively} by the Web Locks API, which reaches over all tabs of this origin; where it is missing
 * (Safari before 15.4) the calls of this tab still follow one another.
 */
export function exclusiveAmongTabs(name: string, locks: LockManager | undefined): Exclusively {
  if (locks) return async (work) => (await locks.request(name, work)) as Awaited<ReturnType<typeof work>>;
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };
}
