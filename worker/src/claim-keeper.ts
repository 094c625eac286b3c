import { type ClaimedTable, claim, releaseClaim } from '@relaypacs/core/db/claims.js';
import type { Database } from '@relaypacs/core/db/database.js';

/** A killed worker's row is free after this time. */
const CLAIM_SECONDS = 20;
const RENEW_MS = 5000;

/**
 * Does `work` while holding the claim on a row, renewing it all the while. The signal aborts when the claim is
 * lost or cannot be renewed; the work must then stop without writing anything.
 *
 * @returns false when another worker has the row
 */
export async function whileClaimed(
  db: Database,
  table: ClaimedTable,
  id: string,
  holder: string,
  work: (lost: AbortSignal) => Promise<void>,
): Promise<boolean> {
  if (!(await claim(db, table, id, holder, CLAIM_SECONDS))) return false;
  const lost = new AbortController();
  let renewed = Date.now();
  const renewal = setInterval(() => {
    claim(db, table, id, holder, CLAIM_SECONDS).then(
      (held) => {
        if (held) renewed = Date.now();
        else lost.abort(new Error('Another worker has taken over'));
      },
      () => {
        if (Date.now() - renewed > CLAIM_SECONDS * 1000)
          lost.abort(new Error('The claim could not be renewed'));
      },
    );
  }, RENEW_MS);
  try {
    await work(lost.signal);
  } finally {
    clearInterval(renewal);
    await releaseClaim(db, table, id, holder);
  }
  return true;
}
