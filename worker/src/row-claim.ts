import { type ClaimedTable, claim, holdsClaim, releaseClaim, renewClaim } from '@relaypacs/core/db/claims.js';
import type { Database } from '@relaypacs/core/db/database.js';
import { newId } from '@relaypacs/core/db/ids.js';
import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';

/** How long a claim holds without being renewed: a killed worker's row is free after it. */
export const HOLD_SECONDS = 20;
/** How often a claim is renewed. */
export const RENEW_MS = 5000;

/** Another worker has the row now, or may have it: everything this one does for it ends. */
export class ClaimLost extends Error {
  constructor() {
    super('Another worker has taken over');
    this.name = 'ClaimLost';
  }
}

/** This process's hold on an upload or a study, renewed until {@link RowClaim.stopRenewing}. */
export class RowClaim {
  readonly table: ClaimedTable;
  readonly id: string;
  readonly holder: string;
  private readonly db: Database;
  private readonly transact: Transact;
  private readonly losing = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private renewing: Promise<void> | undefined;
  private renewedAt = performance.now();

  private constructor(db: Database, transact: Transact, table: ClaimedTable, id: string, holder: string) {
    this.db = db;
    this.transact = transact;
    this.table = table;
    this.id = id;
    this.holder = holder;
    this.timer = setInterval(() => {
      // Without an answer of the database: from the moment the claim ran out, somebody else may hold it.
      if (performance.now() - this.renewedAt > HOLD_SECONDS * 1000) this.losing.abort(new ClaimLost());
      this.renewing ??= this.renew().finally(() => {
        this.renewing = undefined;
      });
    }, RENEW_MS);
  }

  /** @returns undefined when another worker has the row, or there is no such row */
  static async take(
    db: Database,
    transact: Transact,
    table: ClaimedTable,
    id: string,
  ): Promise<RowClaim | undefined> {
    const holder = newId();
    const taken = await claim(db, table, id, holder, HOLD_SECONDS);
    return taken ? new RowClaim(db, transact, table, id, holder) : undefined;
  }

  /** Keeps a claim that was taken for {@link HOLD_SECONDS} a moment ago. */
  static adopt(db: Database, transact: Transact, table: ClaimedTable, id: string, holder: string): RowClaim {
    return new RowClaim(db, transact, table, id, holder);
  }

  /** Aborted with {@link ClaimLost} when the claim is gone. */
  get lost(): AbortSignal {
    return this.losing.signal;
  }

  private async renew(): Promise<void> {
    const askedAt = performance.now();
    const { db, table, id, holder } = this;
    const held = await renewClaim(db, table, id, holder, HOLD_SECONDS).catch(() => undefined);
    if (held === true) this.renewedAt = askedAt;
    if (held === false) this.losing.abort(new ClaimLost());
  }

  /**
   * Runs a unit of work that writes only while the row is ours.
   *
   * @param first - holds rows that others hold before they hold this one
   * @throws ClaimLost and writes nothing when it is not
   */
  async write<T>(
    work: (unit: UnitOfWork) => Promise<T>,
    first?: (unit: UnitOfWork) => Promise<unknown>,
  ): Promise<T> {
    return this.transact(async (unit) => {
      await first?.(unit);
      if (!(await holdsClaim(unit.trx, this.table, this.id, this.holder))) {
        this.losing.abort(new ClaimLost());
        throw new ClaimLost();
      }
      return work(unit);
    });
  }

  /**
   * Runs one statement that itself writes only while the row is ours: it saves the transaction around it.
   *
   * @param statement - resolves with the number of rows it wrote, none when the row is not ours
   * @throws ClaimLost then
   */
  async writeOnce(statement: (db: Database) => Promise<number>): Promise<void> {
    if ((await statement(this.db)) > 0) return;
    this.losing.abort(new ClaimLost());
    throw new ClaimLost();
  }

  /** To be called before the claim is given back, so that no renewal finds it gone and calls it lost. */
  async stopRenewing(): Promise<void> {
    clearInterval(this.timer);
    await this.renewing;
  }

  /** Gives the row back, if it is still ours. */
  async release(): Promise<void> {
    await this.stopRenewing();
    await releaseClaim(this.db, this.table, this.id, this.holder);
  }
}
