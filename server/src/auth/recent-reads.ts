interface Entry<V> {
  readAt: number;
  value: Promise<V | undefined>;
}

/**
 * Remembers for a while what was read, so that what many requests ask for is read once. What was not found and what
 * failed is not remembered: strangers who guess cannot fill it.
 */
export class RecentReads<V> {
  private readonly entries = new Map<string, Entry<V>>();
  private readonly maxAgeMs: number;
  private readonly maxEntries: number;

  /**
   * @param maxAgeMs - how old an answer may be, counted from when its reading began
   * @param maxEntries - beyond it, what was read longest ago goes
   */
  constructor({ maxAgeMs, maxEntries }: { maxAgeMs: number; maxEntries: number }) {
    this.maxAgeMs = maxAgeMs;
    this.maxEntries = maxEntries;
  }

  /** The value as it was at most `maxAgeMs` ago; those who ask while it is being read get the same answer. */
  get(key: string, read: () => Promise<V | undefined>): Promise<V | undefined> {
    const now = performance.now();
    const known = this.entries.get(key);
    if (known && now - known.readAt < this.maxAgeMs) return known.value;
    const entry: Entry<V> = { readAt: now, value: read() };
    const forget = () => {
      if (this.entries.get(key) === entry) this.entries.delete(key);
    };
    entry.value.then((value) => {
      if (value === undefined) forget();
    }, forget);
    // A Map keeps the order of insertion: the newest goes to its end.
    this.entries.delete(key);
    this.entries.set(key, entry);
    const [oldest] = this.entries.keys();
    if (oldest !== undefined && this.entries.size > this.maxEntries) this.entries.delete(oldest);
    return entry.value;
  }
}
