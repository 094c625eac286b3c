import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import type { PacsStatus, SystemStatus } from '@relaypacs/core/contract/admin.js';
import { countDeliveries } from '@relaypacs/core/db/delivery-queue.js';
import { listCircuits } from '@relaypacs/core/db/pacs-circuits.js';
import { listFailedUploads } from '@relaypacs/core/db/uploads.js';
import type { Platform } from '@relaypacs/core/platform.js';

const LISTED = 50;

/** What is going on: each PACS, the queues, and what failed lately. */
export async function readSystemStatus({
  db,
  config,
  outbox,
  logger,
}: Pick<Platform, 'db' | 'config' | 'outbox' | 'logger'>): Promise<SystemStatus> {
  const { all } = config.pacs;
  const [circuits, deliveries, failed, queues] = await Promise.all([
    listCircuits(
      db,
      all.map(({ key }) => key),
    ),
    countDeliveries(db, config.delivery.eager),
    listFailedUploads(db, LISTED),
    outbox.depths().catch((error: unknown) => {
      logger.warn('The queue cannot be asked for its depth', { error });
      return null;
    }),
  ]);
  const pacs = all.map(({ key, name }): PacsStatus => {
    const circuit = circuits.find((each) => each.key === key);
    return {
      key,
      name,
      isDefault: key === DEFAULT_TARGET,
      circuit: circuit?.state ?? 'closed',
      since: circuit?.openedAt?.toISOString() ?? null,
      kind: circuit?.kind ?? null,
      reason: circuit?.reason ?? null,
      checkedAt: circuit?.checkedAt?.toISOString() ?? null,
      latencyMs: circuit?.latencyMs ?? null,
      waiting: deliveries.get(key)?.waiting ?? 0,
      running: deliveries.get(key)?.running ?? 0,
    };
  });
  const unknown = [...deliveries].filter(([key]) => all.every((target) => target.key !== key));
  return {
    pacs,
    unknownTargets: unknown.map(([key, { waiting }]) => ({ key, waiting })),
    queues,
    failedUploads: failed.map(({ id, status, serviceLevel, endedAt, problem }) => ({
      id,
      status,
      serviceLevel,
      endedAt: endedAt?.toISOString() ?? null,
      problem,
    })),
  };
}
