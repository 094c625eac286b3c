import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { Exchange } from '../exchange.js';

/** The exchange is over without an answer, as a fault wanted it. */
export class Abandoned extends Error {}

/** Long enough for what was written to leave the machine, so that a reset does not overtake it. */
const FLUSH_MS = 20;
/** How long a client may go on writing to a socket that nobody reads. */
const UNREAD_MS = 30_000;

/** Resets the connection (RST): the client sees ECONNRESET. Throws {@link Abandoned}. */
export function reset({ request }: Exchange): never {
  request.socket.resetAndDestroy();
  throw new Abandoned('reset');
}

/** Resets the connection once what was written has left. Throws {@link Abandoned}. */
export async function resetAfterFlush(exchange: Exchange): Promise<never> {
  await pause(exchange, FLUSH_MS);
  return reset(exchange);
}

/** Waits, but no longer than the client does or the sandbox runs. Throws {@link Abandoned} when it ends early. */
export async function pause(
  { response, stopping }: Pick<Exchange, 'response' | 'stopping'>,
  ms: number,
): Promise<void> {
  if (ms <= 0) return;
  const gone = goneSignal(response);
  try {
    await setTimeout(ms, undefined, { signal: AbortSignal.any([gone.signal, stopping]) });
  } catch {
    response.destroy();
    throw new Abandoned('nobody waits any more');
  } finally {
    gone.forget();
  }
}

/** Keeps the connection open, silent, for as long as the client does. Throws {@link Abandoned}. */
export async function hold(exchange: Exchange): Promise<never> {
  const { response, stopping } = exchange;
  if (!response.destroyed) await once(response, 'close', { signal: stopping }).catch(() => undefined);
  response.destroy();
  throw new Abandoned('held until the client went away');
}

function goneSignal(response: ServerResponse) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (response.destroyed) abort();
  response.once('close', abort);
  return { signal: controller.signal, forget: () => response.off('close', abort) };
}

/**
 * Answers before the body is read, and reads nothing of it ever: a client that goes on writing, instead of reading
 * its answer, stalls. `body` must not be empty.
 */
export async function answerWithoutReading(
  exchange: Exchange,
  status: number,
  headers: Record<string, string>,
  body: string,
): Promise<void> {
  const { request, response } = exchange;
  const hasBody =
    'transfer-encoding' in request.headers || Number(request.headers['content-length'] ?? 0) > 0;
  response.writeHead(status, {
    'Content-Type': 'text/plain',
    ...headers,
    ...(hasBody && { Connection: 'close' }),
    'Content-Length': Buffer.byteLength(body),
  });
  if (!hasBody) {
    response.end(body);
    return;
  }
  // Not ended: Node.js would then read the rest of the request and throw it away.
  response.write(body);
  await pause(exchange, UNREAD_MS);
  response.destroy();
}
