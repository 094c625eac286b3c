import { claimNextStudy, isMoreUrgentWaiting } from '@relaypacs/core/db/delivery-queue.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { HOLD_SECONDS, RowClaim } from '../row-claim.js';
import { type DeliveryDeps, deliverStudy } from './deliver-study.js';
import type { UnderWay } from './delivery-run.js';

/** How often the database is asked for what nobody rang the bell for: a wait that is over, a killed worker's study. */
const POLL_MS = 1000;

/**
 * Delivers studies, `slots` at once, in the order the database gives. Jobs of the queue only wake it: losing one costs
 * a second. While all slots are taken, a delivery makes room for a more urgent study between two of its requests.
 */
export class DeliveryDispatcher {
  private readonly deps: Omit<DeliveryDeps, 'makesRoom'>;
  private readonly slots: number;
  private readonly running = new Set<Promise<void>>();
  private readonly poll: NodeJS.Timeout;
  private filling: Promise<void> | undefined;
  private again = false;
  /** A delivery is giving up its slot: one is enough. */
  private isMakingRoom = false;
  private isFailing = false;

  /** @param slots - studies at once in this process */
  constructor(deps: Omit<DeliveryDeps, 'makesRoom'>, slots: number) {
    this.deps = deps;
    this.slots = slots;
    this.poll = setInterval(() => this.wake(), POLL_MS);
  }

  /** Looks for studies that can be delivered now; returns at once. */
  wake(): void {
    if (this.filling) {
      this.again = true;
      return;
    }
    this.filling = this.fill().finally(() => {
      this.filling = undefined;
      if (this.again) {
        this.again = false;
        this.wake();
      }
    });
  }

  private async fill(): Promise<void> {
    const { deps } = this;
    try {
      while (this.running.size < this.slots && !deps.stopping.aborted) {
        const holder = newId();
        const id = await claimNextStudy(
          deps.db,
          deps.config.pacs.all,
          holder,
          HOLD_SECONDS,
          deps.config.delivery.eager,
        );
        if (id === undefined) break;
        this.start(RowClaim.adopt(deps.db, deps.transact, 'studies', id, holder));
      }
      this.isFailing = false;
    } catch (error) {
      // Said once per outage of the database: the poll would repeat it every second.
      if (!this.isFailing) deps.logger.error('The next study cannot be looked for', { error });
      this.isFailing = true;
    }
  }

  private start(claim: RowClaim): void {
    this.isMakingRoom = false;
    const run = deliverStudy({ ...this.deps, makesRoom: this.roomMaker() }, claim)
      .catch((error: unknown) => {
        // Not even that could be written down: the claim runs out, and whoever is free takes the study up.
        this.deps.logger.error('A delivery ended without a word', { studyId: claim.id, error });
      })
      .finally(() => {
        this.running.delete(run);
        this.wake();
      });
    this.running.add(run);
  }

  /** What one delivery asks; its requests that ask at the same moment get the same answer. */
  private roomMaker(): DeliveryDeps['makesRoom'] {
    let looking: Promise<boolean> | undefined;
    return async (underWay) => {
      looking ??= this.makesRoom(underWay).finally(() => {
        looking = undefined;
      });
      return looking;
    };
  }

  /** True when a delivery is to be put off now, because a more urgent study finds no free slot. */
  private async makesRoom(underWay: UnderWay): Promise<boolean> {
    const { db, config } = this.deps;
    const isWaiting = () => isMoreUrgentWaiting(db, config.pacs.all, underWay, config.delivery.eager);
    if (this.isMakingRoom || !(await isWaiting())) return false;
    if (this.running.size < this.slots || this.filling) {
      // It may find a free slot: then it is claimed, and waits no more.
      this.wake();
      await this.filling;
      if (!(await isWaiting())) return false;
    }
    if (this.isMakingRoom) return false;
    this.isMakingRoom = true;
    return true;
  }

  /** Begins nothing more and waits for what runs; deliveries hand back what they have not sent. */
  async close(): Promise<void> {
    clearInterval(this.poll);
    await this.filling;
    await Promise.all(this.running);
  }
}
