import type { Config } from '@relaypacs/core/config.js';
import type { CookieOptions, Request, Response } from 'express';
import { REFRESH_TOKEN_SECONDS } from './refresh-sessions.js';

const NAME = 'relaypacs_refresh';

type PublicAddress = Pick<Config, 'publicUrl'>;

/**
 * Out of reach of scripts and of other sites, sent to the session calls only; over TLS only, where people use TLS: a
 * proxy in front may end it without telling.
 */
function options(req: Request, { publicUrl }: PublicAddress): CookieOptions {
  const secure = req.secure || publicUrl?.startsWith('https:') === true;
  return { httpOnly: true, secure, sameSite: 'strict', path: '/api/v1/auth' };
}

export function setRefreshCookie(req: Request, res: Response, token: string, address: PublicAddress): void {
  res.cookie(NAME, token, { ...options(req, address), maxAge: REFRESH_TOKEN_SECONDS * 1000 });
}

export function clearRefreshCookie(req: Request, res: Response, address: PublicAddress): void {
  res.clearCookie(NAME, options(req, address));
}

export function readRefreshCookie(req: Request): string | undefined {
  for (const pair of (req.get('cookie') ?? '').split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === NAME && value) return value;
  }
  return undefined;
}
