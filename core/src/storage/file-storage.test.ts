import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileStorage } from './file-storage.js';
import { ObjectMissing } from './object-storage.js';

let directory: string;
let storage: FileStorage;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relay storage-'));
  storage = new FileStorage(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('reads any range and stops at the end', async () => {
  await writeFile(path.join(directory, 'a1'), 'hello world');
  const object = await storage.open('a1');
  expect(object.size).toBe(11);
  expect(Buffer.from(await object.read(6, 3)).toString()).toBe('wor');
  expect(Buffer.from(await object.read(6, 300)).toString()).toBe('world');
  expect(await object.read(50, 3)).toHaveLength(0);
  expect((await buffer(object.stream(2, 4))).toString()).toBe('llo ');
  expect((await buffer(object.stream(0, 11))).toString()).toBe('hello world');
  expect(await buffer(object.stream(3, 0))).toHaveLength(0);
  await object.close();
});

it('serves two streams of one object side by side', async () => {
  await writeFile(path.join(directory, 'a1'), Buffer.alloc(1_000_000, 7));
  const object = await storage.open('a1');
  const [first, second] = await Promise.all([
    buffer(object.stream(0, 1_000_000)),
    buffer(object.stream(10, 500_000)),
  ]);
  expect([first.length, second.length]).toEqual([1_000_000, 500_000]);
  await object.close();
});

it('removes the bytes, and does not mind a second time', async () => {
  await writeFile(path.join(directory, 'a1'), 'x');
  await storage.remove('a1');
  await storage.remove('a1');
  expect(await readdir(directory)).toEqual([]);
});

it('lists what was last written before a time', async () => {
  await writeFile(path.join(directory, 'a1'), 'x');
  await writeFile(path.join(directory, 'not a key'), 'x');
  const keys = async (before: Date) => {
    const found: string[] = [];
    for await (const key of storage.listKeys(before)) found.push(key);
    return found;
  };
  expect(await keys(new Date(Date.now() + 60_000))).toEqual(['a1']);
  expect(await keys(new Date(Date.now() - 60_000))).toEqual([]);
});

it('says which object is missing and never leaves its folder', async () => {
  await expect(storage.open('a2')).rejects.toThrow(ObjectMissing);
  await expect(storage.open('../a2')).rejects.toThrow(ObjectMissing);
  await expect(storage.remove('../a2')).rejects.toThrow(ObjectMissing);
});

it('reports a folder that cannot be made', async () => {
  await writeFile(path.join(directory, 'file'), '');
  await expect(new FileStorage(path.join(directory, 'file', 'sub')).check()).rejects.toThrow();
});
