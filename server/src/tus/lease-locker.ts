import type { Lock, Locker } from '@tus/utils';
import type { Leases } from './leases.js';
import type { OpenFile } from './open-file.js';
import { currentTusRequest } from './tus-request.js';

/** Gives the protocol engine leases for locks. */
export class LeaseLocker implements Locker {
  private readonly leases: Leases<OpenFile>;

  constructor(leases: Leases<OpenFile>) {
    this.leases = leases;
  }

  newLock(fileId: string): Lock {
    const { leases } = this;
    return {
      async lock() {
        const request = currentTusRequest();
        // A file whose bytes are all there is not written any more.
        if (request.file && request.file.status !== 'uploading') return;
        request.lease = await leases.acquire(fileId, () => request.body.stop());
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
