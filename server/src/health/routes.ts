import type { Platform } from '@relaypacs/core/platform.js';
import { Router } from 'express';

const CHECK_LIMIT_MS = 3000;

async function holds(check: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('too slow')), CHECK_LIMIT_MS);
  });
  return Promise.race([check, limit])
    .then(
      () => true,
      () => false,
    )
    .finally(() => clearTimeout(timer));
}

/**
 * `/healthz`: the process is alive. `/readyz`: it can take uploads, for which it needs database and storage; the
 * queue is reported and not fatal, because a study is safe without it.
 *
 * @param isStopping - readiness goes false first when the server stops
 */
export function healthRoutes({ db, storage, outbox, config }: Platform, isStopping: () => boolean): Router {
  const router = Router();
  router.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' });
  });
  router.get('/readyz', async (_req, res) => {
    const [database, bytes, queue] = await Promise.all([
      holds(Promise.resolve(db.raw('SELECT 1'))),
      holds(storage.check()),
      holds(outbox.depths()),
    ]);
    const ready = database && bytes && !isStopping();
    res.status(ready ? 200 : 503).json({
      status: ready ? 'ready' : 'not ready',
      checks: {
        database,
        storage: bytes,
        queue,
        pacs: config.pacs.all.length > 0 ? 'configured' : 'not configured',
      },
    });
  });
  return router;
}
