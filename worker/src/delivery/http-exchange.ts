import { once } from 'node:events';
import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { type SecureContext, TLSSocket } from 'node:tls';
import { LENT_BYTES } from '@relaypacs/core/storage/object-storage.js';
import { PacsUnavailable } from './pacs-unavailable.js';
import { tlsProblem } from './tls-problems.js';

/** A kept-alive socket is closed by us after this idle time: Orthanc closes its end after 1 s. */
const IDLE_SOCKET_MS = 500;
/** After a PACS went silent it may still be storing what it got: it is given this long before it is asked again. */
const AFTER_SILENCE_SECONDS = 30;

/**
 * A pool of connections to one address.
 *
 * @param secureContext - certificates for https; undefined for those Node trusts by itself
 */
export function openAgent(protocol: string, secureContext?: SecureContext): http.Agent {
  const options = { keepAlive: true, timeout: IDLE_SOCKET_MS };
  if (protocol !== 'https:') return new http.Agent(options);
  // Said, because NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise switch the verification off.
  return new https.Agent({ ...options, rejectUnauthorized: true, ...(secureContext && { secureContext }) });
}

/** Who is talked to, in words for the operator. */
export interface Peer {
  /** Such as `the PACS`. */
  name: string;
  /** The variable that names its address. */
  variable: string;
}

export const PACS: Peer = { name: 'the PACS', variable: 'PACS_URL' };

/** Longest times, in milliseconds. */
export interface Timeouts {
  /** Until a connection stands, TLS included. */
  connectMs: number;
  /** Silence of the other side: it takes none of what is written, or nothing comes of an answer that is due. */
  silenceMs: number;
  /** From the end of the body to the beginning of the answer. Not given: `silenceMs`. */
  answerMs?: number;
}

export interface Exchange {
  method: 'GET' | 'POST';
  url: URL;
  headers: OutgoingHttpHeaders;
  agent: http.Agent;
  peer: Peer;
  timeouts: Timeouts;
  signal: AbortSignal;
  /** Exactly `length` bytes; it is read no faster than the PACS takes them. The chunks may be lent. */
  body?: { length: number; chunks: AsyncIterable<Uint8Array> };
}

/**
 * One HTTP request and its answer, neither of them ever whole in memory.
 *
 * An answer that comes before the body is written ends the writing and the connection: going on would hang against
 * a PACS that no longer reads.
 *
 * @param read - consumes the answer
 * @throws PacsUnavailable when the connection fails or falls silent
 * @throws whatever the body or `read` throws; the reason of `signal` when it was aborted
 */
export async function exchange<T>(
  request: Exchange,
  read: (response: IncomingMessage) => Promise<T>,
): Promise<T> {
  const { method, url, agent, peer, timeouts, signal, body } = request;
  const headers = body ? { ...request.headers, 'Content-Length': body.length } : request.headers;
  const transport = url.protocol === 'https:' ? https : http;
  signal.throwIfAborted();
  const req = transport.request(url, { method, headers, agent, timeout: timeouts.silenceMs, signal });
  const connection = { failed: false, answered: false, written: false };
  const answered = new AbortController();
  req.on('error', () => {
    connection.failed = true;
  });
  const watch = new PhaseWatch(req, timeouts);
  try {
    const response = once(req, 'response').then(([message]: IncomingMessage[]) => {
      connection.answered = true;
      watch.answerBegan();
      answered.abort();
      return message as IncomingMessage;
    });
    const writing = writeBody(req, body?.chunks, answered.signal, watch).then((whole) => {
      connection.written = body !== undefined && whole;
      return whole;
    });
    const message = await Promise.race([response, writing.then(() => response)]);
    message.on('error', () => {
      connection.failed = true;
    });
    const result = await read(message);
    if (!(await writing)) req.destroy();
    return result;
  } catch (error) {
    req.destroy();
    signal.throwIfAborted();
    // What `read` made of an answer holds, also when the PACS then cut off the rest of a body it did not want.
    if (error instanceof PacsUnavailable || (!connection.failed && !watch.expired)) throw error;
    const problem = tlsProblem(error, peer.name, peer.variable);
    const notAsked = peer !== PACS || watch.neverConnected;
    if (problem !== undefined) {
      throw new PacsUnavailable('misconfigured', problem, { cause: error, notAsked });
    }
    const silent = watch.expired !== undefined && watch.expired !== 'connect';
    const why = watch.words ?? describe(error);
    throw new PacsUnavailable('unreachable', `The connection to ${peer.name} failed: ${why}`, {
      cause: error,
      notAsked,
      // A body that went out whole may have been received, and its answer lost.
      staleConnection: req.reusedSocket && !connection.answered && !watch.expired && !connection.written,
      ...(silent ? { settleSeconds: AFTER_SILENCE_SECONDS } : {}),
    });
  } finally {
    watch.end();
  }
}

type Phase = 'connect' | 'send' | 'answer' | 'receive';

/** Ends a request whose other side takes too long, by what it is to do at the time. */
class PhaseWatch {
  /** The phase that took too long. */
  expired: Phase | undefined;
  private phase: Phase = 'connect';
  /** Whether it is ours to wait: for bytes of the body that are read from storage. */
  private oursToGive = false;
  /** The body was handed over before the connection was known to stand. */
  private sentEarly = false;
  private readonly connecting: NodeJS.Timeout;
  private readonly req: ClientRequest;
  private readonly timeouts: Timeouts;

  constructor(req: ClientRequest, timeouts: Timeouts) {
    this.req = req;
    this.timeouts = timeouts;
    this.connecting = setTimeout(() => this.expire(), timeouts.connectMs);
    req.once('socket', (socket) => {
      if (req.reusedSocket) this.connected();
      else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => this.connected());
    });
    // The socket's own clock: it starts again with every byte the other side takes or gives.
    req.on('timeout', () => {
      if (this.phase === 'connect') return;
      if (this.phase === 'send' && this.oursToGive) this.rearm();
      else this.expire();
    });
  }

  /** No connection came about. */
  get neverConnected(): boolean {
    return this.phase === 'connect';
  }

  /** What took too long, in words, with the variable that says how long. */
  get words(): string | undefined {
    const { expired, timeouts } = this;
    if (expired === undefined) return undefined;
    if (expired === 'connect') {
      return `it was not made within ${timeouts.connectMs / 1000} s (PACS_CONNECT_TIMEOUT_SECONDS)`;
    }
    if (expired === 'answer' && timeouts.answerMs !== undefined) {
      return `no answer came within ${timeouts.answerMs / 1000} s (PACS_ANSWER_TIMEOUT_SECONDS)`;
    }
    const what = expired === 'send' ? 'nothing was taken' : 'nothing was heard';
    return `${what} for ${timeouts.silenceMs / 1000} s (PACS_TIMEOUT_SECONDS)`;
  }

  /** @param ours - the next bytes have yet to be read; otherwise the other side is to take what was written */
  sending(ours: boolean): void {
    this.oursToGive = ours;
  }

  bodySent(): void {
    this.oursToGive = false;
    if (this.phase === 'send') this.enter('answer');
    else if (this.phase === 'connect') this.sentEarly = true;
  }

  answerBegan(): void {
    this.enter('receive');
  }

  end(): void {
    clearTimeout(this.connecting);
  }

  private connected(): void {
    clearTimeout(this.connecting);
    if (this.phase === 'connect') this.enter(this.sentEarly ? 'answer' : 'send');
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    this.rearm();
  }

  private rearm(): void {
    const { answerMs, silenceMs } = this.timeouts;
    this.req.setTimeout(this.phase === 'answer' ? (answerMs ?? silenceMs) : silenceMs);
  }

  private expire(): void {
    this.expired = this.phase;
    this.req.destroy(new Error(this.words));
  }
}

/** @returns true when the whole body was written, false when an answer came first */
async function writeBody(
  req: ClientRequest,
  chunks: AsyncIterable<Uint8Array> | undefined,
  answered: AbortSignal,
  watch: PhaseWatch,
): Promise<boolean> {
  const over = new Promise<false>((resolve) => {
    answered.addEventListener('abort', () => resolve(false), { once: true });
    req.once('close', () => resolve(false));
  });
  watch.sending(true);
  for await (const chunk of chunks ?? []) {
    if (answered.aborted || req.destroyed) return false;
    const written = new Promise<boolean>((resolve) => req.write(chunk, (error) => resolve(!error)));
    // What is lent may still lie in the connection's queue, however much that takes.
    if (req.writableNeedDrain || chunk.length >= LENT_BYTES) {
      watch.sending(false);
      if (!(await Promise.race([written, over]))) return false;
    }
    watch.sending(true);
  }
  watch.sending(false);
  req.end(() => watch.bodySent());
  return true;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
