import { randomUUID } from 'node:crypto';
import type { Config } from '@relaypacs/core/config.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { type Logger, withLogContext } from '@relaypacs/core/observability/logger.js';
import type { Request, RequestHandler, Response } from 'express';

const ACCEPTABLE_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Gives every request an id (the caller's, if it is harmless), every log line that id, and every answer a line. */
export function requestContext(logger: Logger): RequestHandler {
  return (req, res, next) => {
    const given = req.get('x-request-id');
    const requestId = given !== undefined && ACCEPTABLE_ID.test(given) ? given : randomUUID();
    res.locals.requestId = requestId;
    res.setHeader('X-Request-Id', requestId);
    const started = performance.now();
    withLogContext({ requestId }, () => {
      res.on('close', () => {
        logger.info('request', {
          method: req.method,
          // Only the path: query strings may hold what a person typed into a search box.
          path: req.originalUrl.split('?', 1)[0],
          status: res.statusCode,
          complete: res.writableFinished,
          ms: Math.round(performance.now() - started),
        });
      });
      next();
    });
  };
}

/** Who is acting in this request, for the audit trail. */
export function actorOf(req: Request, res: Response): Actor {
  return {
    userId: res.locals.principal?.userId ?? null,
    ip: req.ip ?? null,
    requestId: res.locals.requestId ?? null,
  };
}

/** Scheme and host that clients are told to come back to: PUBLIC_URL, or where this request came to. */
export function baseUrlOf(req: Request, config: Pick<Config, 'publicUrl'>): string {
  return config.publicUrl ?? `${req.protocol}://${req.get('host') ?? 'localhost'}`;
}
