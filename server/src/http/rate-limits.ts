import type { Config } from '@relaypacs/core/config.js';
import type { RequestHandler, Response } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { HttpProblem } from './http-problem.js';

export interface RateLimits {
  login: RequestHandler;
  register: RequestHandler;
  uploadInit: RequestHandler;
}

const unlimited: RequestHandler = (_req, _res, next) => next();

/** The limits of NFR-SEC-03, answered as problems with `Retry-After` and the `RateLimit-*` headers. */
export function createRateLimits(config: Config['rateLimits']): RateLimits {
  if (config.disabled) return { login: unlimited, register: unlimited, uploadInit: unlimited };
  const perMinute = (limit: number, key: (ip: string, res: Response) => string, advice: string) =>
    rateLimit({
      windowMs: 60_000,
      limit,
      standardHeaders: 'draft-6',
      legacyHeaders: false,
      keyGenerator: (req, res) => key(ipKeyGenerator(req.ip ?? ''), res as Response),
      handler: (_req, _res, next) => next(new HttpProblem('RATE_LIMITED', advice)),
    });
  return {
    login: perMinute(
      config.loginPerMinute,
      (ip) => ip,
      'Too many sign-in attempts from this place. Wait a minute and try again.',
    ),
    register: perMinute(
      config.registerPerMinute,
      (ip) => ip,
      'Too many new accounts from this place. Wait a minute and try again.',
    ),
    uploadInit: perMinute(
      config.uploadInitPerMinute,
      (ip, res) => res.locals.principal?.userId ?? ip,
      'Too many new uploads in one minute. Nothing is lost; wait a minute and send again.',
    ),
  };
}
