/** CRC-32 of each byte value (polynomial 0xEDB88320, reflected), as ZIP (APPNOTE 4.4.7) and gzip (RFC 1952 §8) use it. */
const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  let crc = value;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** A CRC-32 that grows with the chunks of a stream. */
export class Crc32 {
  #crc = 0xffffffff;

  /** Takes in the next bytes. @returns itself, for chaining */
  update(chunk: Uint8Array): this {
    let crc = this.#crc;
    for (const byte of chunk) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
    this.#crc = crc;
    return this;
  }

  /** The checksum of all bytes so far, as an unsigned 32-bit number. */
  get value(): number {
    return (this.#crc ^ 0xffffffff) >>> 0;
  }
}
