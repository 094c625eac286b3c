import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileStorage } from './file-storage.js';
import { ObjectMissing, type Segment } from './object-storage.js';
import { openStoredFile } from './stored-file.js';

let directory: string;
let storage: FileStorage;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relay file-'));
  storage = new FileStorage({ directory, fsync: false });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A file of these parts, each in an object that holds bytes beyond it, as a writer that was cut off leaves them. */
async function store(...parts: string[]): Promise<{ segments: Segment[]; size: number }> {
  const segments: Segment[] = [];
  let size = 0;
  for (const [i, part] of parts.entries()) {
    await writeFile(path.join(directory, `part-${i}`), `${part}?????`);
    segments.push({ start: size, key: `part-${i}` });
    size += part.length;
  }
  return { segments, size };
}

it('reads and streams every range across the borders of segments', async () => {
  const words = 'the quick brown fox jumps';
  const { segments, size } = await store('the q', 'u', 'ick brown', ' fox jumps');
  const file = await openStoredFile(storage, segments, size);
  expect(file.size).toBe(words.length);
  for (let from = 0; from <= size; from++) {
    for (let length = 0; length <= size - from + 2; length++) {
      const expected = words.slice(from, from + length);
      expect(Buffer.from(await file.read(from, length)).toString()).toBe(expected);
      expect((await buffer(file.stream(from, length))).toString()).toBe(expected);
    }
  }
  await file.close();
});

it('keeps few of many objects open, and none after close', async () => {
  const { segments, size } = await store(...Array.from({ length: 60 }, (_, i) => `part ${i} `));
  let open = 0;
  let most = 0;
  const counting = {
    async open(key: string, length: number) {
      const object = await storage.open(key, length);
      most = Math.max(most, ++open);
      const close = object.close.bind(object);
      object.close = async () => {
        open--;
        await close();
      };
      return object;
    },
  };
  const file = await openStoredFile(counting, segments, size);
  const whole = (await buffer(file.stream(0, size))).toString();
  await Promise.all(
    Array.from({ length: size }, async (_, i) => {
      expect(Buffer.from(await file.read(i, 1)).toString()).toBe(whole[i]);
    }),
  );
  expect(open).toBeLessThanOrEqual(5);
  await file.close();
  expect(open).toBe(0);
  await expect(file.read(0, 1)).rejects.toThrow('closed');
  expect(most).toBeGreaterThan(5);
});

it('gives a stream that is broken off no reason to keep an object', async () => {
  const { segments, size } = await store('a'.repeat(600_000), 'b'.repeat(600_000));
  const file = await openStoredFile(storage, segments, size);
  for await (const chunk of file.stream(500_000, 300_000)) {
    expect((chunk as Buffer).length).toBeGreaterThan(0);
    break;
  }
  expect(Buffer.from(await file.read(599_999, 2)).toString()).toBe('ab');
  await file.close();
});

it('finds a missing first segment at once and a later one when it is read', async () => {
  const { segments, size } = await store('one', 'two', 'three');
  await storage.remove(['part-2']);
  const file = await openStoredFile(storage, segments, size);
  expect(Buffer.from(await file.read(0, 6)).toString()).toBe('onetwo');
  await expect(file.read(4, 4)).rejects.toThrow(ObjectMissing);
  await expect(buffer(file.stream(0, size))).rejects.toThrow(ObjectMissing);
  await file.close();

  await storage.remove(['part-0']);
  await expect(openStoredFile(storage, segments, size)).rejects.toThrow(ObjectMissing);
});

it('takes a segment that is too short for a missing one', async () => {
  await writeFile(path.join(directory, 'part-0'), 'shor');
  await expect(openStoredFile(storage, [{ start: 0, key: 'part-0' }], 5)).rejects.toThrow(ObjectMissing);
});

it('opens an empty file, which has no segments', async () => {
  const file = await openStoredFile(storage, [], 0);
  expect(file.size).toBe(0);
  expect(await file.read(0, 10)).toHaveLength(0);
  expect(await buffer(file.stream(0, 10))).toHaveLength(0);
  await file.close();
});

it.each([
  ['none for bytes', [], 4],
  ['some for no bytes', [0], 0],
  ['a gap at the beginning', [1], 4],
  ['out of order', [0, 3, 2], 4],
  ['twice the same', [0, 2, 2], 4],
  ['one behind the end', [0, 4], 4],
])('refuses segments that cannot be right: %s', async (_, starts, size) => {
  await store('1234', '1234', '1234');
  const segments = starts.map((start, i) => ({ start, key: `part-${i}` }));
  await expect(openStoredFile(storage, segments, size)).rejects.toThrow('segments');
});
