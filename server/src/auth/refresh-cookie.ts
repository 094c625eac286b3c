import type { CookieOptions, Request, Response } from 'express';
import { REFRESH_TOKEN_SECONDS } from './refresh-sessions.js';

const NAME = 'relaypacs_refresh';

/** Out of reach of scripts and of other sites, sent to the session calls only. */
function options(req: Request): CookieOptions {
  return { httpOnly: true, secure: req.secure, sameSite: 'strict', path: '/api/v1/auth' };
}

export function setRefreshCookie(req: Request, res: Response, token: string): void {
  res.cookie(NAME, token, { ...options(req), maxAge: REFRESH_TOKEN_SECONDS * 1000 });
}

export function clearRefreshCookie(req: Request, res: Response): void {
  res.clearCookie(NAME, options(req));
}

export function readRefreshCookie(req: Request): string | undefined {
  for (const pair of (req.get('cookie') ?? '').split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === NAME && value) return value;
  }
  return undefined;
}
