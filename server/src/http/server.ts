import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE } from '@relaypacs/core/contract/problem.js';
import type { Logger } from '@relaypacs/core/observability/logger.js';
import type { Express, Request, RequestHandler, Response } from 'express';
import { HttpProblem } from './http-problem.js';
import { problemBody, sendProblem, UNREADABLE } from './problem-responses.js';
import { requestContext } from './request-context.js';

/** What Node could not read as HTTP, by the code of its error. */
function fromNode(code: string | undefined): HttpProblem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HttpProblem(
        'HEADERS_TOO_LARGE',
        'The request headers are too large. Nothing was changed; send fewer or shorter ones.',
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HttpProblem('REQUEST_TIMEOUT', 'The request did not arrive in time. Send it again.');
    default:
      return new HttpProblem('MALFORMED_REQUEST', UNREADABLE);
  }
}

function rawAnswer(problem: HttpProblem): string {
  const requestId = randomUUID();
  const body = JSON.stringify(problemBody(problem, requestId));
  return [
    `HTTP/1.1 ${problem.status} ${http.STATUS_CODES[problem.status]}`,
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Cache-Control: no-store',
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

/** RFC 9112 §3.2: a request of HTTP/1.1 without a Host is refused. */
export const requireHost: RequestHandler = (req, _res, next) => {
  if (req.httpVersion === '1.1' && req.headers.host === undefined) {
    throw new HttpProblem(
      'MALFORMED_REQUEST',
      'The request names no host. Nothing was changed; send it again with a Host header.',
    );
  }
  next();
};

/** The HTTP server around the application: what never gets to a route is answered as a problem too. */
export function createHttpServer(app: Express, logger: Logger): http.Server {
  const context = requestContext(logger);
  const answers = new WeakMap<object, http.ServerResponse>();

  // Node's own answer to a missing Host is an empty 400; `requireHost` does it with a problem.
  const server = http.createServer({ requireHostHeader: false }, (req, res) => {
    answers.set(req.socket, res);
    const [request, response] = [req as Request, res as Response];
    // What comes back from Express is an address it cannot parse, for which it has run no middleware: such a request
    // gets its id and its log line here. Everything else ends in the problem handler.
    app(request, response, () => {
      if (res.headersSent) return void res.destroy();
      context(request, response, () =>
        sendProblem(response, new HttpProblem('MALFORMED_REQUEST', UNREADABLE)),
      );
    });
  });

  // Node's own answer to an unknown expectation is an empty 417; Express has not seen the request yet.
  server.on('checkExpectation', (_req, res) => {
    const problem = new HttpProblem(
      'EXPECTATION_FAILED',
      'Only "Expect: 100-continue" is understood. Nothing was changed.',
    );
    const requestId = randomUUID();
    logger.info('A request could not be read', { requestId, status: problem.status });
    const body = Buffer.from(JSON.stringify(problemBody(problem, requestId)));
    res.writeHead(problem.status, {
      'Content-Type': PROBLEM_MEDIA_TYPE,
      'Content-Length': body.length,
      'X-Request-Id': requestId,
      'Cache-Control': 'no-store',
      Connection: 'close',
    });
    res.end(body);
  });

  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const begun = answers.get(socket);
    const isAnswering = begun?.headersSent && !begun.writableFinished;
    if (error.code === 'ECONNRESET' || !socket.writable || isAnswering || !(socket instanceof Socket)) {
      socket.destroy();
      return;
    }
    const problem = fromNode(error.code);
    logger.info('A request could not be read', { status: problem.status, code: error.code });
    socket.write(rawAnswer(problem));
    socket.destroySoon();
  });
  return server;
}
