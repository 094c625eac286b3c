import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newId } from '../db/ids.js';
import { FileStorage } from './file-storage.js';
import { ObjectMissing } from './object-storage.js';
import { newSegmentKey } from './segment-key.js';

let directory: string;
let storage: FileStorage;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relay storage-'));
  storage = new FileStorage({ directory, fsync: true });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const bytes = (words: string) => Buffer.from(words);
const contents = async (key: string) => (await readFile(path.join(directory, key))).toString();

it('goes on in its file after a sync, over what it discarded', async () => {
  const writer = storage.write({ fileId: 'f', offset: 100 });
  await writer.append([bytes('hel'), bytes('lo')]);
  const [segment] = await writer.sync();
  expect(segment?.start).toBe(100);
  await writer.append([bytes('discarded words')]);
  await writer.discard();
  await writer.append([bytes(' wor')]);
  await writer.append([bytes('ld')]);
  expect(await writer.sync()).toEqual([]);
  await writer.close();
  expect(await readdir(directory)).toEqual([segment?.key]);
  expect((await contents(segment?.key ?? '')).slice(0, 11)).toBe('hello world');
});

it('makes files nobody else can read', async () => {
  const writer = storage.write({ fileId: 'f', offset: 0 });
  await writer.append([bytes('x')]);
  const [segment] = await writer.sync();
  await writer.close();
  expect((await stat(path.join(directory, segment?.key ?? ''))).mode & 0o777).toBe(0o600);
});

it('leaves nothing in the folder when nothing was synced', async () => {
  const idle = storage.write({ fileId: 'f', offset: 0 });
  await idle.append([]);
  expect(await idle.sync()).toEqual([]);
  await idle.close();
  const dropped = storage.write({ fileId: 'f', offset: 0 });
  await dropped.append([bytes('x')]);
  await dropped.discard();
  expect(await dropped.sync()).toEqual([]);
  await dropped.close();
  expect(await readdir(directory)).toEqual([]);
});

it('writes appends that were not waited for one after the other', async () => {
  const writer = storage.write({ fileId: 'f', offset: 0 });
  const letters = [...'abcdefghijklmnopqrstuvwxyz'];
  await Promise.all(letters.map((letter) => writer.append([Buffer.alloc(100_000, letter)])));
  const [segment] = await writer.sync();
  await writer.close();
  expect(await contents(segment?.key ?? '')).toBe(letters.map((letter) => letter.repeat(100_000)).join(''));
});

it('writes more chunks in one append than the system takes at once', async () => {
  const writer = storage.write({ fileId: 'f', offset: 0 });
  const chunks = Array.from({ length: 5000 }, (_, i) => bytes(`${i},`));
  await writer.append(chunks);
  const [segment] = await writer.sync();
  await writer.close();
  expect(await contents(segment?.key ?? '')).toBe(chunks.join(''));
});

it('keeps what was appended before the disk was full, and goes on when there is room again', async () => {
  // A limit on the size of files (here 64 KiB) fails a write the way a full disk does: after a part of it.
  const script = `
    import { FileStorage } from ${JSON.stringify(pathToFileURL(path.join(import.meta.dirname, 'file-storage.ts')).href)};
    process.on('SIGXFSZ', () => {});
    const storage = new FileStorage({ directory: process.argv[1], fsync: true });
    const writer = storage.write({ fileId: 'f', offset: 0 });
    await writer.append([Buffer.alloc(40_000, 'a')]);
    const failure = await writer.append([Buffer.alloc(10_000, 'b'), Buffer.alloc(20_000, 'b')]).catch((e) => e.code);
    await writer.append([Buffer.alloc(5_000, 'c')]);
    const segments = await writer.sync();
    await writer.close();
    console.log(JSON.stringify({ failure, segments }));`;
  const child = spawn(
    'bash',
    [
      '-c',
      'ulimit -S -f 64; exec "$@"',
      '-',
      process.execPath,
      '--import',
      'tsx',
      '--conditions=source',
    ].concat('--input-type=module', '-e', script, directory),
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TSX_DISABLE_CACHE: '1' } },
  );
  const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  const { failure, segments } = JSON.parse(said) as { failure: string; segments: { key: string }[] };
  expect(failure).toBe('EFBIG');
  expect(segments).toHaveLength(1);
  const written = await contents(segments[0]?.key ?? '');
  expect(written.slice(0, 45_000)).toBe('a'.repeat(40_000) + 'c'.repeat(5_000));
});

it('reads any range and stops at the length that counts', async () => {
  await writeFile(path.join(directory, 'a1'), 'hello world and what nobody was told of');
  const object = await storage.open('a1', 11);
  expect(object.size).toBe(11);
  expect(Buffer.from(await object.read(6, 3)).toString()).toBe('wor');
  expect(Buffer.from(await object.read(6, 300)).toString()).toBe('world');
  expect(await object.read(50, 3)).toHaveLength(0);
  expect((await buffer(object.stream(2, 4))).toString()).toBe('llo ');
  expect((await buffer(object.stream(0, 100))).toString()).toBe('hello world');
  expect(await buffer(object.stream(3, 0))).toHaveLength(0);
  await object.close();
});

it('serves two streams of one object side by side', async () => {
  await writeFile(path.join(directory, 'a1'), Buffer.alloc(1_000_000, 7));
  const object = await storage.open('a1', 1_000_000);
  const [first, second] = await Promise.all([
    buffer(object.stream(0, 1_000_000)),
    buffer(object.stream(10, 500_000)),
  ]);
  expect([first.length, second.length]).toEqual([1_000_000, 500_000]);
  await object.close();
});

it('breaks a stream off when the file loses bytes meanwhile', async () => {
  await writeFile(path.join(directory, 'a1'), Buffer.alloc(10_000));
  const object = await storage.open('a1', 10_000);
  await truncate(path.join(directory, 'a1'), 5_000);
  await expect(buffer(object.stream(0, 10_000))).rejects.toThrow(ObjectMissing);
  await object.close();
});

it('removes the bytes, and does not mind a second time', async () => {
  await writeFile(path.join(directory, 'a1'), 'x');
  await writeFile(path.join(directory, 'a2'), 'x');
  await storage.remove(['a1', 'a2']);
  await storage.remove(['a1', 'a2']);
  expect(await readdir(directory)).toEqual([]);
});

it('lists what was last written before a time, and nothing that is not its own', async () => {
  const key = newSegmentKey(newId());
  for (const name of [key, 'not a key', 'a1', newId()]) await writeFile(path.join(directory, name), 'x');
  const keys = async (before: Date) => {
    const found: string[] = [];
    for await (const key of storage.listKeys(before)) found.push(key);
    return found;
  };
  expect(await keys(new Date(Date.now() + 60_000))).toEqual([key]);
  expect(await keys(new Date(Date.now() - 60_000))).toEqual([]);
});

it('says which object is missing and never leaves its folder', async () => {
  await expect(storage.open('a2', 0)).rejects.toThrow(ObjectMissing);
  await expect(storage.open('../a2', 0)).rejects.toThrow(ObjectMissing);
  await expect(storage.remove(['../a2'])).rejects.toThrow(ObjectMissing);
});

it('makes its folder for itself alone, and reports one that cannot be made', async () => {
  const own = path.join(directory, 'deep', 'own');
  await new FileStorage({ directory: own, fsync: true }).check();
  expect((await stat(own)).mode & 0o777).toBe(0o700);
  await writeFile(path.join(directory, 'file'), '');
  const impossible = new FileStorage({ directory: path.join(directory, 'file', 'sub'), fsync: true });
  await expect(impossible.check()).rejects.toThrow();
});

it('lends memory for large chunks until the next is asked for, and to nobody else before', async () => {
  const size = 3 * 512 * 1024 + 1000;
  const content = (first: number) => Buffer.alloc(size).map((_, i) => (first + i / 4096) % 251);
  const [a, b] = [content(0), content(100)];
  await writeFile(path.join(directory, 'a'), a);
  await writeFile(path.join(directory, 'b'), b);
  const [objectA, objectB] = [await storage.open('a', size), await storage.open('b', size)];
  const read = async (object: typeof objectA) => {
    const pieces: Buffer[] = [];
    for await (const chunk of object.stream(0, size, { lent: true })) {
      // As long as it is lent, nobody else writes into it.
      const copy = Buffer.from(chunk);
      await buffer(objectB.stream(0, 10));
      expect(copy.equals(chunk)).toBe(true);
      pieces.push(copy);
    }
    return Buffer.concat(pieces);
  };
  const [readA, readB, again] = await Promise.all([read(objectA), read(objectB), read(objectA)]);
  expect([readA.equals(a), readB.equals(b), again.equals(a)]).toEqual([true, true, true]);

  const [kept, small] = [objectA.stream(0, size, { lent: true }), objectA.stream(0, 1000, { lent: true })];
  const first = (await kept[Symbol.asyncIterator]().next()).value as Uint8Array;
  const before = Buffer.from(first);
  await kept[Symbol.asyncIterator]().return?.(undefined);
  const few = (await small[Symbol.asyncIterator]().next()).value as Uint8Array;
  await small[Symbol.asyncIterator]().next();
  await Promise.all([read(objectB), read(objectB)]);
  // Who ended early keeps what it got, and small chunks are given away.
  expect(before.equals(first)).toBe(true);
  expect(Buffer.from(few).equals(a.subarray(0, 1000))).toBe(true);
  await Promise.all([objectA.close(), objectB.close()]);
});
