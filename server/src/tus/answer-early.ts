import type { IncomingMessage, ServerResponse } from 'node:http';

/** For a client that still writes to read its answer and stop. */
const LINGER_MS = 2000;

/**
 * Answers before the body is at its end, and ends the connection. The answer goes out at once; what still comes is
 * read and thrown away for a moment, because closing a connection with unread bytes resets it, and the client would
 * lose the answer.
 */
export function answerEarly(req: IncomingMessage, res: ServerResponse, status: number): void {
  res.setHeader('Connection', 'close');
  // Or the answer would only be complete with the end of the connection.
  if (status !== 204) res.setHeader('Content-Length', '0');
  res.writeHead(status);
  res.flushHeaders();
  const close = () => {
    clearTimeout(timer);
    req.off('end', close).off('close', close);
    res.end();
  };
  const timer = setTimeout(close, LINGER_MS);
  req.on('end', close).on('close', close);
  req.resume();
}
