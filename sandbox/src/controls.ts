import type { Exchange } from './exchange.js';
import { FaultFormatError, parseFaults } from './faults/fault.js';
import { sendText } from './http-answers.js';
import { readText } from './request-text.js';

const MAX_BYTES = 4 * 1024 * 1024;

/** Answers `GET /faults`: what is switched on, with how often each has befallen a request. */
export function sendFaults({ board, response }: Exchange): void {
  sendJson({ response }, 200, { faults: board.list() });
}

/** Answers `PUT /faults`: the faults of the body take the place of all others. */
export async function putFaults(exchange: Exchange): Promise<void> {
  const { board, request } = exchange;
  const text = await readText(request, MAX_BYTES);
  try {
    board.set(parseFaults(text));
  } catch (error) {
    if (!(error instanceof FaultFormatError)) throw error;
    return sendJson(exchange, 400, { error: error.message });
  }
  return sendFaults(exchange);
}

/** Answers `DELETE /faults`: all goes well again, and searches show what was hidden. */
export function deleteFaults({ board, indexDelay, response }: Exchange): void {
  board.clear();
  indexDelay.end();
  response.writeHead(204).end();
}

/** Answers `GET /statistics`. */
export function sendStatistics({ statistics, response }: Exchange): void {
  sendJson({ response }, 200, statistics);
}

/** Answers `DELETE /statistics`: counting begins anew. */
export function resetStatistics({ statistics, response }: Exchange): void {
  statistics.reset();
  response.writeHead(204).end();
}

function sendJson({ response }: Pick<Exchange, 'response'>, status: number, value: unknown): void {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  sendText(response, { status, headers, body: `${JSON.stringify(value, null, 2)}\n` });
}
