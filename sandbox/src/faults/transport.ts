import { STATUS_CODES } from 'node:http';
import type { Exchange } from '../exchange.js';
import { Abandoned, answerWithoutReading, hold, pause, reset, resetAfterFlush } from './connection.js';
import type { Fault } from './fault.js';

/**
 * Lets a request meet the faults of its connection. Returns whether it is answered by that; otherwise it goes on, with
 * its body and its answer as slow and as broken as they are to be. Throws Abandoned when there is to be no answer.
 */
export async function meetTransportFaults(exchange: Exchange): Promise<boolean> {
  const slow = exchange.faults.take('slow');
  if (slow) slowDown(exchange, slow);
  const fault = exchange.faults.take('refuse', 'hang', 'dropMidBody', 'status');
  if (!fault) return false;
  if (fault.kind === 'refuse') return reset(exchange);
  if (fault.kind === 'hang') return hang(exchange, fault);
  if (fault.kind === 'status') {
    await answerStatus(exchange, fault);
    return true;
  }
  dropMidBody(exchange, fault);
  return false;
}

function slowDown(exchange: Exchange, { bytesPerSecond, delayMs = 0 }: Fault): void {
  exchange.answerDelayMs = delayMs;
  if (bytesPerSecond === undefined) return;
  exchange.incoming = throttled(exchange, exchange.incoming, bytesPerSecond);
  exchange.outgoing = (chunks) => throttled(exchange, asBytes(chunks), bytesPerSecond);
}

/** The same bytes in small pieces, each given time for. */
async function* throttled(
  exchange: Exchange,
  chunks: AsyncIterable<Buffer>,
  bytesPerSecond: number,
): AsyncGenerator<Buffer> {
  const most = Math.max(1, Math.ceil(bytesPerSecond / 20));
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += most) {
      const piece = chunk.subarray(at, at + most);
      yield piece;
      await pause(exchange, (piece.length / bytesPerSecond) * 1000);
    }
  }
}

/** Reads the body, or so much of it, and never answers. */
async function hang(exchange: Exchange, { afterBytes }: Fault): Promise<never> {
  const { request } = exchange;
  if (afterBytes === undefined) request.resume();
  else void readAndStop(exchange, afterBytes).catch(() => undefined);
  return hold(exchange);
}

async function readAndStop({ incoming }: Exchange, bytes: number): Promise<void> {
  const chunks = incoming[Symbol.asyncIterator]();
  for (let left = bytes; left > 0; ) {
    const { done, value } = await chunks.next();
    if (done) return;
    left -= value.length;
  }
  // The iterator is not ended: that would end the connection.
}

/** Of a request that brings a body that much is read, of another's answer that much is sent. */
function dropMidBody(exchange: Exchange, { afterBytes = 1 }: Fault): void {
  const { incoming, outgoing } = exchange;
  exchange.incoming = cutOff(exchange, incoming, afterBytes);
  exchange.outgoing = (chunks) => cutOff(exchange, asBytes(outgoing(chunks)), afterBytes);
}

async function* cutOff(
  exchange: Exchange,
  chunks: AsyncIterable<Buffer>,
  afterBytes: number,
): AsyncGenerator<Buffer> {
  let left = afterBytes;
  for await (const chunk of chunks) {
    if (left > 0) yield chunk.subarray(0, left);
    left -= chunk.length;
    // Within the loop: leaving it would end the connection, but politely.
    if (left <= 0) await resetAfterFlush(exchange);
  }
  // Also when the body was shorter: it is lost before it can be answered.
  await resetAfterFlush(exchange);
}

async function* asBytes(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk as string);
}

async function answerStatus(exchange: Exchange, fault: Fault): Promise<void> {
  const { response } = exchange;
  const { status = 500, early = false } = fault;
  const retryAfter = fault.retryAfterSeconds ?? (status === 429 ? 1 : undefined);
  const headers = {
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
    ...(status === 401 && { 'WWW-Authenticate': 'Bearer realm="sandbox"' }),
  };
  const body = `${status} ${STATUS_CODES[status] ?? 'Unknown'}, as the sandbox was told\n`;
  if (early) {
    await pause(exchange, exchange.answerDelayMs);
    return answerWithoutReading(exchange, status, headers, body);
  }
  for await (const _ of exchange.incoming);
  await pause(exchange, exchange.answerDelayMs);
  if (response.destroyed) throw new Abandoned('the client has gone');
  response.writeHead(status, {
    'Content-Type': 'text/plain',
    ...headers,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}
