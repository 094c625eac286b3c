/** Somebody who keeps bytes in memory that a storage has yet to take. */
export interface BufferHolder {
  /** Bytes that are kept and not on their way to the storage. */
  readonly held: number;
  /** Sends all of them on their way. */
  spill(): void;
}

/**
 * Bounds the bytes that all writers together keep in memory. Up to half of it may wait to make up a large object: beyond
 * that, whoever holds most sends what it has, so that many writers make smaller objects. When all of it is taken,
 * writers wait for bytes to be stored.
 */
export class BufferBudget {
  private readonly limit: number;
  private used = 0;
  private onTheirWay = 0;
  private readonly holders = new Set<BufferHolder>();
  private waiting: { resolve: () => void; reject: (reason: unknown) => void }[] = [];

  /** @param limit - bytes */
  constructor(limit: number) {
    this.limit = limit;
  }

  /**
   * Counts these bytes when there is room for them. More than the limit get room once there is nothing else.
   *
   * @returns whether they may be held now; if not, {@link room} is to be waited for
   */
  take(holder: BufferHolder, bytes: number): boolean {
    if (this.used > 0 && this.used + bytes > this.limit) return false;
    this.used += bytes;
    this.holders.add(holder);
    return true;
  }

  /**
   * Resolves when there is more room than before.
   *
   * @throws the reason why the storage did not take the bytes that are in the way
   */
  room(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      if (this.onTheirWay === 0) this.spillLargest();
    });
  }

  /** To be called after bytes were taken and are held. */
  relieve(): void {
    while (this.used - this.onTheirWay > this.limit / 2) this.spillLargest();
  }

  /** These bytes are on their way to the storage. */
  sent(bytes: number): void {
    this.onTheirWay += bytes;
  }

  /** Bytes that were sent are stored, or given up. */
  arrived(bytes: number): void {
    this.onTheirWay -= bytes;
    this.give(bytes);
  }

  /** The storage did not take bytes that were sent: they are held again. */
  failed(bytes: number, reason: unknown): void {
    this.onTheirWay -= bytes;
    for (const { reject } of this.waiting.splice(0)) reject(reason);
  }

  /** Bytes are no longer held. */
  give(bytes: number): void {
    this.used -= bytes;
    for (const { resolve } of this.waiting.splice(0)) resolve();
  }

  /** This holder will not come back. */
  forget(holder: BufferHolder): void {
    this.holders.delete(holder);
  }

  private spillLargest(): void {
    let largest: BufferHolder | undefined;
    for (const holder of this.holders) if (holder.held > (largest?.held ?? 0)) largest = holder;
    if (!largest) throw new Error('Bytes are counted that nobody holds');
    largest.spill();
  }
}
