import type { Lock, Locker } from '@tus/utils';
import type { Leases } from './leases.js';
import type { OpenFile } from './open-file.js';
import type { TusMetrics } from './tus-metrics.js';
import { currentTusRequest } from './tus-request.js';

/** Gives the protocol engine leases for locks. */
export class LeaseLocker implements Locker {
  private readonly leases: Leases<OpenFile>;
  private readonly metrics: TusMetrics;

  constructor(leases: Leases<OpenFile>, metrics: TusMetrics) {
    this.leases = leases;
    this.metrics = metrics;
  }

  newLock(fileId: string): Lock {
    const { leases, metrics } = this;
    return {
      async lock() {
        const request = currentTusRequest();
        // A file whose bytes are all there is not written any more.
        if (request.file && request.file.status !== 'uploading') return;
        request.lease = await leases.acquire(fileId, () => request.body.stop());
        metrics.leaseTaken(request.lease.from);
      },
      async unlock() {
        const { lease } = currentTusRequest();
        const row = lease?.resource?.row;
        const isFinished = row !== undefined && row.bytesReceived === row.size;
        const released = lease?.release({ keep: !isFinished });
        // Nobody waits for the lease of a file that is finished.
        if (!isFinished) await released;
      },
    };
  }
}
