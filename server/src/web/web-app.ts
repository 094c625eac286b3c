import { existsSync } from 'node:fs';
import path from 'node:path';
import express, { Router } from 'express';

/** Prefixes that are never pages of the web application. */
const NOT_PAGES = /^\/(api|files|\.well-known|docs|redoc|metrics|healthz|readyz|assets)(\/|$)/;

/**
 * The built PWA. Hashed assets are kept for ever; the page and the service worker are asked for every time, so an
 * update arrives. Every other page address is the application's own routing.
 *
 * @param directory - the build's folder; nothing is served where it does not exist
 */
export function webApp(directory: string): Router {
  const router = Router();
  const page = path.join(directory, 'index.html');
  if (!existsSync(page)) return router;
  router.use(
    express.static(directory, {
      index: 'index.html',
      setHeaders(res, file) {
        const hashed = path.relative(directory, file).startsWith('assets');
        res.setHeader('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    }),
  );
  router.get('/{*path}', (req, res, next) => {
    if (NOT_PAGES.test(req.path) || path.extname(req.path) !== '') return next();
    res.setHeader('Cache-Control', 'no-cache');
    res.sendFile(page);
  });
  return router;
}
