/** mulberry32: a small generator with a seed, so that a failure can be repeated. Gives whole numbers below `below`. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Bytes that deflate to about half their size: runs of noise and of repetition in turn. */
export function mixedBytes(length: number, seed: number): Uint8Array {
  const random = randomFrom(seed);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const run = Math.min(1 + random(3000), length - at);
    if (random(2) === 0) bytes.fill(random(256), at, at + run);
    else for (let i = at; i < at + run; i += 1) bytes[i] = random(256);
    at += run;
  }
  return bytes;
}
