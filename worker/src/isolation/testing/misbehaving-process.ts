/** A process's program whose tasks do what a parser must not. */
import { serveTasks } from '../serve-tasks.js';

serveTasks({
  double: async () => (bytes: Uint8Array) => ({ bytes: bytes.map((byte) => byte * 2) }),
  hang: async () => () => {
    for (;;);
  },
  hoard: async () => () => {
    const kept: number[][] = [];
    for (;;) kept.push(new Array(10_000).fill(kept.length));
  },
  grow: async () => () => {
    const kept: number[] = [];
    for (;;) kept.push(kept.length);
  },
  overflow: async () => () => new Uint8Array(Number.MAX_SAFE_INTEGER),
  throw: async () => () => {
    throw new Error('Not a picture');
  },
  exit: async () => () => process.exit(3),
});
