import { once } from 'node:events';
import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { PacsUnavailable } from './pacs-unavailable.js';

/** A kept-alive socket is closed by us after this idle time: Orthanc closes its end after 1 s. */
const IDLE_SOCKET_MS = 500;
/** After a PACS went silent it may still be storing what it got: it is given this long before it is asked again. */
const AFTER_SILENCE_SECONDS = 30;

/** A pool of connections to one PACS. */
export function openAgent(protocol: string): http.Agent {
  const options = { keepAlive: true, timeout: IDLE_SOCKET_MS };
  return protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
}

export interface Exchange {
  method: 'GET' | 'POST';
  url: URL;
  headers: OutgoingHttpHeaders;
  agent: http.Agent;
  /** Longest silence on the connection, in milliseconds. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Exactly `length` bytes; it is read no faster than the PACS takes them. */
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
  const { method, url, agent, timeoutMs, signal, body } = request;
  const headers = body ? { ...request.headers, 'Content-Length': body.length } : request.headers;
  const transport = url.protocol === 'https:' ? https : http;
  signal.throwIfAborted();
  const req = transport.request(url, { method, headers, agent, timeout: timeoutMs, signal });
  const connection = { failed: false, silent: false, answered: false, written: false };
  const answered = new AbortController();
  req.on('error', () => {
    connection.failed = true;
  });
  req.on('timeout', () => {
    connection.silent = true;
    req.destroy(new Error(`nothing was heard for ${timeoutMs / 1000} s`));
  });
  try {
    const response = once(req, 'response').then(([message]: IncomingMessage[]) => {
      connection.answered = true;
      answered.abort();
      return message as IncomingMessage;
    });
    const writing = writeBody(req, body?.chunks, answered.signal).then((whole) => {
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
    if (!connection.failed && !connection.silent) throw error;
    throw new PacsUnavailable('unreachable', `The connection to the PACS failed: ${describe(error)}`, {
      cause: error,
      // A body that went out whole may have been received, and its answer lost.
      staleConnection: req.reusedSocket && !connection.answered && !connection.silent && !connection.written,
      ...(connection.silent ? { retryAfterSeconds: AFTER_SILENCE_SECONDS } : {}),
    });
  }
}

/** @returns true when the whole body was written, false when an answer came first */
async function writeBody(
  req: ClientRequest,
  chunks: AsyncIterable<Uint8Array> | undefined,
  answered: AbortSignal,
): Promise<boolean> {
  for await (const chunk of chunks ?? []) {
    if (answered.aborted || req.destroyed) return false;
    if (!req.write(chunk)) {
      const flowing = await once(req, 'drain', { signal: answered }).then(
        () => true,
        () => false,
      );
      if (!flowing) return false;
    }
  }
  req.end();
  return true;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
