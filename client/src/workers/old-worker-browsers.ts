export {};

/** What reading archives needs beyond `old-browsers.ts`, in the browsers named there. */
function define(target: object, name: string, value: unknown): void {
  if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
}

// Chrome 97, Firefox 104, Safari 15.4.
define(Array.prototype, 'findLast', function findLast<
  T,
>(this: T[], test: (item: T, index: number) => boolean): T | undefined {
  for (let index = this.length - 1; index >= 0; index -= 1) {
    const item = this[index] as T;
    if (test(item, index)) return item;
  }
  return undefined;
});

// Chrome 110, Firefox 115, Safari 16.
define(Array.prototype, 'toReversed', function toReversed<T>(this: T[]): T[] {
  return [...this].reverse();
});

// Safari 15.
define(
  DataView.prototype,
  'getBigUint64',
  function getBigUint64(this: DataView, offset: number, littleEndian?: boolean): bigint {
    const [low, high] = littleEndian ? [offset, offset + 4] : [offset + 4, offset];
    return (
      BigInt(this.getUint32(high, littleEndian)) * BigInt(2 ** 32) + BigInt(this.getUint32(low, littleEndian))
    );
  },
);
