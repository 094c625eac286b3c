import type { Database } from '@relaypacs/core/db/database.js';
import {
  holderLock,
  LEASE_CHANNEL,
  type LeaseRow,
  releaseLeases,
  releaseUnknown,
  renewLeases,
  requestRelease,
  takeLease,
} from '@relaypacs/core/db/file-leases.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { PostgresListener } from '@relaypacs/core/db/postgres-listener.js';
import type { Logger } from '@relaypacs/core/observability/logger.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { batched } from './batched.js';

const LEASE_SECONDS = 10;
const RENEW_MS = 3000;
/** How long a lease stays here for the client's next request, unless somebody else wants it. */
const IDLE_MS = 3000;
/** How long a request waits for a file that another one does not let go. */
const WAIT_MS = 5000;
/** A wish that got lost, because the file changed hands meanwhile, delays a hand-over by no more than this. */
const RETRY_MS = 250;

/** What a request leaves open for the next one under the same lease. */
export interface LeasedResource {
  close(): Promise<void>;
}

/**
 * Where a lease was before a request got it: nowhere; still here, from the request before; at another server, which
 * handed it over; at one that is gone or did not renew it.
 */
export type LeaseOrigin = 'free' | 'here' | 'elsewhere' | 'dead';

/** The right to write one file, for the time of one request. */
export interface Lease<Resource extends LeasedResource> {
  /** What was read when the lease was taken. */
  readonly row: LeaseRow;
  readonly from: LeaseOrigin;
  /** Left by the request before, under the same lease. */
  resource: Resource | undefined;
  /** Closes what is open, because its state is not certain: the next request reads anew. */
  forget(): Promise<void>;
  /** Ends the request's turn; `keep: false` also ends the lease itself. */
  release(options: { keep: boolean }): Promise<void>;
}

/** A file this process holds, or is about to. */
class Held<Resource extends LeasedResource> {
  row: LeaseRow | undefined;
  /** Milliseconds of `performance.now()` until which the lease certainly holds. */
  validUntil = 0;
  /** What was read with the lease is no longer so: it must be taken anew, even when it was renewed meanwhile. */
  isStale = false;
  resource: Resource | undefined;
  /** Ends the request whose turn it is. */
  stop: (() => void) | undefined;
  busy = false;
  wantedElsewhere = false;
  idle: NodeJS.Timeout | undefined;
  readonly waiting: (() => void)[] = [];

  get isValid(): boolean {
    return this.row !== undefined && !this.isStale && performance.now() < this.validUntil;
  }

  async closeResource(): Promise<void> {
    const resource = this.resource;
    this.resource = undefined;
    await resource?.close();
  }
}

function busy(): HttpProblem {
  return new HttpProblem(
    'FILE_LOCKED',
    'Another request is writing this file. What has arrived is safe; try again.',
  );
}

/** The row of a lease refers to its file's: one that was removed in the meantime has none. */
function noSuchFile(error: unknown): never {
  const isMissing = error instanceof Error && 'code' in error && error.code === '23503';
  throw isMissing ? notFound('file') : error;
}

/**
 * Who writes which file, over all servers: a lease per file in PostgreSQL, no transaction held. A new request gets
 * the file at once: the one before is told to stop (by a call in the same process, by NOTIFY in another), records
 * what it has received, and hands over. Between two requests of a client the lease stays where it is.
 */
export class Leases<Resource extends LeasedResource> {
  readonly holder = newId();
  private readonly db: Database;
  private readonly logger: Logger;
  private readonly held = new Map<string, Held<Resource>>();
  private readonly waitingElsewhere = new Map<string, Set<() => void>>();
  private readonly renewal: NodeJS.Timeout;
  private readonly releaseRow: (lease: { fileId: string; token: number }) => Promise<unknown>;
  private listener: PostgresListener | undefined;

  private constructor(db: Database, logger: Logger) {
    this.db = db;
    this.logger = logger;
    this.releaseRow = batched(async (leases: readonly { fileId: string; token: number }[]) => {
      await releaseLeases(db, leases);
      return leases;
    });
    this.renewal = setInterval(() => void this.renew(), RENEW_MS);
    this.renewal.unref();
  }

  /** @param url - database the listening connection is made to; it also shows that this process is alive */
  static async open<Resource extends LeasedResource>(
    db: Database,
    url: string,
    logger: Logger,
  ): Promise<Leases<Resource>> {
    const leases = new Leases<Resource>(db, logger);
    leases.listener = await PostgresListener.open({
      url,
      channel: LEASE_CHANNEL,
      name: 'relaypacs leases',
      logger,
      receive: (payload) => leases.notice(payload),
      // Shared: the connection before may not have ended everywhere when this one is made.
      prepare: (client) =>
        client.query(`SELECT pg_advisory_lock_shared(${holderLock.replace('?', '$1')})`, [leases.holder]),
    });
    return leases;
  }

  /**
   * Takes the file for a request.
   *
   * @param stop - ends the request early, because another wants the file; it must then release soon
   * @throws HttpProblem FILE_LOCKED when the one before does not let go, NOT_FOUND when the file was removed
   */
  async acquire(fileId: string, stop: () => void): Promise<Lease<Resource>> {
    const deadline = performance.now() + WAIT_MS;
    const held = this.held.get(fileId) ?? new Held<Resource>();
    this.held.set(fileId, held);
    if (held.busy) {
      held.stop?.();
      await this.waitForTurn(held, deadline);
    }
    held.busy = true;
    held.stop = stop;
    clearTimeout(held.idle);
    let from: LeaseOrigin = 'here';
    try {
      if (!held.isValid) {
        await held.closeResource();
        from = await this.take(fileId, held, deadline);
      }
    } catch (error) {
      await this.passOn(fileId, held, false);
      throw error;
    }
    // Those who wait told only the request before.
    if (held.waiting.length > 0) stop();
    return {
      row: held.row as LeaseRow,
      from,
      get resource() {
        return held.resource;
      },
      set resource(resource) {
        held.resource = resource;
      },
      async forget() {
        held.isStale = true;
        await held.closeResource();
      },
      release: ({ keep }) => this.passOn(fileId, held, keep),
    };
  }

  private waitForTurn(held: Held<Resource>, deadline: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        held.waiting.splice(held.waiting.indexOf(turn), 1);
        reject(busy());
      }, deadline - performance.now());
      held.waiting.push(turn);
    });
  }

  private async take(fileId: string, held: Held<Resource>, deadline: number): Promise<LeaseOrigin> {
    for (let waited = false; ; waited = true) {
      const wasOurs = held.row !== undefined;
      const freed = this.awaitFreed(fileId);
      try {
        const begun = performance.now();
        held.row = await takeLease(this.db, fileId, this.holder, LEASE_SECONDS).catch(noSuchFile);
        held.validUntil = begun + LEASE_SECONDS * 1000;
        held.isStale = false;
        held.wantedElsewhere = false;
        if (held.row?.takenOver) return wasOurs ? 'here' : 'dead';
        if (held.row) return waited ? 'elsewhere' : 'free';
        const left = deadline - performance.now();
        if (left <= 0) throw busy();
        if (await requestRelease(this.db, fileId)) await freed.within(Math.min(left, RETRY_MS));
      } finally {
        freed.forget();
      }
    }
  }

  /** Waits for the notification that a file was given back; begun before asking, so that none is missed. */
  private awaitFreed(fileId: string): { within(ms: number): Promise<void>; forget(): void } {
    let resolve = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    const others = this.waitingElsewhere.get(fileId) ?? new Set();
    this.waitingElsewhere.set(fileId, others.add(resolve));
    let timer: NodeJS.Timeout | undefined;
    return {
      within(ms) {
        timer = setTimeout(resolve, ms);
        return promise;
      },
      forget: () => {
        clearTimeout(timer);
        others.delete(resolve);
        if (others.size === 0) this.waitingElsewhere.delete(fileId);
      },
    };
  }

  private notice(payload: string): void {
    const [what, fileId = ''] = payload.split(' ');
    if (what === 'freed') for (const resolve of this.waitingElsewhere.get(fileId) ?? []) resolve();
    if (what === 'wanted') this.wanted(fileId);
  }

  /** Another server waits for the file. */
  private wanted(fileId: string): void {
    const held = this.held.get(fileId);
    if (!held) {
      // A lease that was given to this process and could not be given back, or of which it never heard.
      releaseUnknown(this.db, fileId, this.holder).catch(() => {});
      return;
    }
    // We are among those who want it.
    if (!held.row) return;
    held.wantedElsewhere = true;
    if (held.busy) held.stop?.();
    else void this.letGo(fileId, held);
  }

  /** The turn of a request has ended: the next one here goes on, or the lease waits, or it is given back. */
  private async passOn(fileId: string, held: Held<Resource>, keep: boolean): Promise<void> {
    held.stop = undefined;
    if (!keep || held.wantedElsewhere) await this.giveBack(fileId, held);
    const next = held.waiting.shift();
    if (next) return next();
    held.busy = false;
    if (!held.row) {
      this.held.delete(fileId);
      return;
    }
    held.idle = setTimeout(() => void this.letGo(fileId, held), IDLE_MS);
    held.idle.unref();
  }

  /** Gives an idle file back. */
  private async letGo(fileId: string, held: Held<Resource>): Promise<void> {
    if (held.busy) return;
    clearTimeout(held.idle);
    // A request that comes now waits for its turn.
    held.busy = true;
    await this.passOn(fileId, held, false);
  }

  private async giveBack(fileId: string, held: Held<Resource>): Promise<void> {
    const row = held.row;
    held.row = undefined;
    held.wantedElsewhere = false;
    try {
      await held.closeResource();
      if (!row) return;
      const lease = { fileId, token: row.token };
      await this.releaseRow(lease).catch(() => this.releaseRow(lease));
    } catch (error) {
      this.logger.warn('A file was not given back; its lease runs out', { error, fileId });
    }
  }

  private async renew(): Promise<void> {
    if (this.held.size === 0) return;
    const begun = performance.now();
    const asked = [...this.held].map(([fileId, held]) => ({ fileId, held, token: held.row?.token }));
    try {
      const fileIds = asked.map(({ fileId }) => fileId);
      const renewed = await renewLeases(this.db, this.holder, fileIds, LEASE_SECONDS);
      const rows = new Map(renewed.map((row) => [row.fileId, row]));
      for (const { fileId, held, token } of asked) {
        // Given back, or taken anew, since the question was asked.
        if (token === undefined || held.row?.token !== token) continue;
        const row = rows.get(fileId);
        if (row?.token === token) {
          held.validUntil = begun + LEASE_SECONDS * 1000;
          if (row.releaseRequestedAt) this.wanted(fileId);
        } else {
          held.validUntil = 0;
          held.stop?.();
          if (!held.busy) void this.letGo(fileId, held);
        }
      }
    } catch (error) {
      this.logger.warn('Leases were not renewed', { error, count: this.held.size });
    }
  }

  /** How many resources are open, in use or left for a next request. */
  get openResources(): number {
    let open = 0;
    for (const { resource } of this.held.values()) if (resource) open += 1;
    return open;
  }

  /** Tells every request that is writing to end with what it has. */
  stopRequests(): void {
    for (const held of this.held.values()) held.stop?.();
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    clearInterval(this.renewal);
    await Promise.all([...this.held].map(([fileId, held]) => this.letGo(fileId, held)));
    await this.listener?.close();
  }
}
