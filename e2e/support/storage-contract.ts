import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ObjectMissing, type ObjectStorage, type Segment } from '@relaypacs/core/storage/object-storage.js';
import { openStoredFile } from '@relaypacs/core/storage/stored-file.js';
import { describe, expect, it } from 'vitest';
import { fileBytes, openStorage, type RecordedFile, type StorageSettings } from './storage-writer.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SCRIPT = path.join(import.meta.dirname, 'storage-writer-process.ts');

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of buffers that are still needed. */
function bufferBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/**
 * What every storage keeps to.
 *
 * @param settings - of an empty storage, once the tests run, that keeps at most 32 MiB in memory
 */
export function itKeepsTheContract(name: string, settings: () => StorageSettings): void {
  describe(name, () => {
    const storage = () => openStorage(settings());

    it('gives back what was written in many syncs by many writers', async () => {
      const file = newFile();
      const lengths = [1, 70_000, 5, 300_000, 65_536, 1 * MIB, 2];
      for (const length of lengths) {
        await write(storage(), file, [length, 3 * length]);
      }
      expect(file.segments.length).toBeGreaterThanOrEqual(lengths.length);
      await expectIntact(storage(), file);
    });

    it('keeps what another has written from a writer that was given up and still writes', async () => {
      const file = newFile();
      const slow = storage().write({ fileId: file.fileId, offset: 0 });
      await slow.append([fileBytes(0, 1000)]);
      file.segments.push(...(await slow.sync()));
      file.size = 1000;
      const idle = storage().write({ fileId: file.fileId, offset: 1000 });
      const dropped = storage().write({ fileId: file.fileId, offset: 1000 });
      await dropped.append([Buffer.alloc(500, 'x')]);
      await write(storage(), file, [2000, 3000]);

      for (const late of [slow, idle]) {
        await late.append([Buffer.alloc(9 * MIB, 'x')]);
        await late.sync();
        await expectIntact(storage(), file);
      }
      for (const late of [slow, idle, dropped]) await late.close();
      await expectIntact(storage(), file);
    });

    it('leaves nothing of what was discarded or not synced', async () => {
      const mine = storage();
      const file = newFile();
      const writer = mine.write({ fileId: file.fileId, offset: 0 });
      await writer.append([fileBytes(0, 100)]);
      file.segments.push(...(await writer.sync()));
      await writer.append([Buffer.alloc(10 * MIB, 'x')]);
      await writer.discard();
      await writer.append([fileBytes(100, 200)]);
      file.segments.push(...(await writer.sync()));
      file.size = 300;
      await writer.append([Buffer.alloc(9 * MIB, 'x')]);
      await writer.close();
      await expectIntact(mine, file);

      const dropped = mine.write({ fileId: randomUUID(), offset: 0 });
      await dropped.append([Buffer.alloc(9 * MIB, 'x')]);
      await dropped.close();
      const recorded = new Set(file.segments.map(({ key }) => key));
      const left = (await keysOf(mine)).filter((key) => !recorded.has(key));
      expect(left.filter((key) => key.startsWith(file.fileId))).toEqual([]);
    });

    it('stores nothing for nothing', async () => {
      const before = await keysOf(storage());
      const writer = storage().write({ fileId: randomUUID(), offset: 0 });
      await writer.append([]);
      await writer.append([Buffer.alloc(0)]);
      expect(await writer.sync()).toEqual([]);
      await writer.discard();
      await writer.close();
      expect(await keysOf(storage())).toEqual(before);
    });

    it('reads and streams any range, many at once', async () => {
      const file = newFile();
      await write(storage(), file, [300_000, 600_000]);
      await write(storage(), file, [MIB]);
      const stored = await openStoredFile(storage(), file.segments, file.size);
      await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          const offset = Math.floor(Math.random() * file.size);
          const length = Math.min(Math.floor(Math.random() ** 4 * file.size), file.size - offset);
          const expected = fileBytes(offset, length);
          const found =
            i % 2 ? await stored.read(offset, length) : await buffer(stored.stream(offset, length));
          expect(expected.equals(found), `${length} bytes at ${offset}`).toBe(true);
        }),
      );
      for await (const _ of stored.stream(0, file.size)) break;
      expect(fileBytes(0, 10).equals(await stored.read(0, 10))).toBe(true);
      expect(await stored.read(file.size, 10)).toHaveLength(0);
      await stored.close();
    });

    it('tells an object that is missing or too short', async () => {
      const mine = storage();
      const file = newFile();
      await write(mine, file, [1000]);
      const { key } = file.segments[0] as Segment;
      const readAll = async (length: number) => {
        const object = await mine.open(key, length);
        return object.read(0, length).finally(() => object.close());
      };
      const streamAll = async (length: number) => {
        const object = await mine.open(key, length);
        return buffer(object.stream(0, length)).finally(() => object.close());
      };
      expect(fileBytes(0, 1000).equals(await readAll(1000))).toBe(true);
      expect(fileBytes(0, 1000).equals(await streamAll(1000))).toBe(true);
      await expect(readAll(1001)).rejects.toThrow(ObjectMissing);
      await expect(streamAll(1001)).rejects.toThrow(ObjectMissing);
      await mine.remove([key]);
      await expect(readAll(1000)).rejects.toThrow(ObjectMissing);
      await expect(streamAll(1000)).rejects.toThrow(ObjectMissing);
      await expect(mine.open('../etc/passwd', 1)).rejects.toThrow(ObjectMissing);
    });

    it('removes and lists objects, more than fit one request, and none that is gone', async () => {
      const mine = storage();
      const files = Array.from({ length: 30 }, newFile);
      await Promise.all(files.map((file) => write(mine, file, [10])));
      const keys = files.flatMap(({ segments }) => segments.map(({ key }) => key));
      expect(await keysOf(mine)).toEqual(expect.arrayContaining(keys));
      expect(await keysOf(mine, new Date(Date.now() - 3_600_000))).toEqual([]);
      const gone = Array.from({ length: 1_100 }, () => randomUUID());
      await mine.remove([...keys.slice(0, 10), ...gone, ...keys.slice(10)]);
      await mine.remove(keys);
      await mine.remove(keys.slice(0, 1));
      await mine.remove([]);
      const left = new Set(await keysOf(mine));
      expect(keys.filter((key) => left.has(key))).toEqual([]);
    });

    it('takes a large file in bounded memory', async () => {
      const mine = storage();
      const file = newFile();
      const before = bufferBytes();
      let most = 0;
      const writer = mine.write({ fileId: file.fileId, offset: 0 });
      for (; file.size < 64 * MIB; file.size += 64 * KIB) {
        await writer.append([fileBytes(file.size, 64 * KIB)]);
        if (file.size % (4 * MIB) === 0) most = Math.max(most, bufferBytes() - before);
      }
      file.segments.push(...(await writer.sync()));
      await writer.close();
      expect(most).toBeLessThan(40 * MIB);
      await expectIntact(mine, file);
    });

    it('takes a hundred files at once in bounded memory', async () => {
      const mine = storage();
      const before = bufferBytes();
      let most = 0;
      const files = Array.from({ length: 100 }, newFile);
      const writers = files.map(({ fileId }) => mine.write({ fileId, offset: 0 }));
      await Promise.all(
        writers.map(async (writer, i) => {
          for (let offset = 0; offset < MIB; offset += 64 * KIB) {
            await writer.append([fileBytes(offset, 64 * KIB)]);
            if (i === 0) most = Math.max(most, bufferBytes() - before);
          }
        }),
      );
      await Promise.all(
        writers.map(async (writer, i) => {
          const file = files[i] as RecordedFile;
          file.segments.push(...(await writer.sync()));
          file.size = MIB;
          await writer.close();
        }),
      );
      // 32 MiB, the 64 KiB that each writer waits with, and what was just stored; there are 100 MiB.
      expect(most).toBeLessThan(64 * MIB);
      for (const file of files) {
        expect(file.segments.length).toBeLessThan(20);
        await expectIntact(mine, file);
      }
    });

    it('has every byte that was reported durable by a process that was killed', async () => {
      const files = [newFile(), newFile(), newFile()];
      for (let round = 0; round < 7; round++) {
        await Promise.all(files.map((file) => writeUntilKilled(settings(), file)));
        for (const file of files) await expectIntact(storage(), file);
      }
      for (const file of files) expect(file.size).toBeGreaterThan(0);
    });
  });
}

function newFile(): RecordedFile {
  return { fileId: randomUUID(), segments: [], size: 0 };
}

/** Appends and syncs runs of these lengths. */
async function write(storage: ObjectStorage, file: RecordedFile, lengths: number[]) {
  const writer = storage.write({ fileId: file.fileId, offset: file.size });
  for (const length of lengths) {
    const half = length >> 1;
    await writer.append([fileBytes(file.size, half)]);
    await writer.append([fileBytes(file.size + half, length - half)]);
    file.segments.push(...(await writer.sync()));
    file.size += length;
  }
  await writer.close();
}

export async function expectIntact(storage: ObjectStorage, file: RecordedFile): Promise<void> {
  const stored = await openStoredFile(storage, file.segments, file.size);
  try {
    let offset = 0;
    for await (const chunk of stored.stream(0, file.size) as AsyncIterable<Buffer>) {
      if (!fileBytes(offset, chunk.length).equals(chunk)) throw new Error(`Wrong bytes after ${offset}`);
      offset += chunk.length;
    }
    expect(offset).toBe(file.size);
  } finally {
    await stored.close();
  }
}

async function keysOf(storage: ObjectStorage, before = new Date(Date.now() + 60_000)): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of storage.listKeys(before)) keys.push(key);
  return keys.sort();
}

/** Lets a process go on with the file until kill -9 at a random moment; takes over what it reported. */
async function writeUntilKilled(settings: StorageSettings, file: RecordedFile): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--import', 'tsx', SCRIPT, JSON.stringify([settings, file])],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_NO_WARNINGS: '1' } },
  );
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = once(child, 'exit');
  let first = true;
  for await (const line of createInterface({ input: child.stdout })) {
    if (first) sleep(Math.random() * 150).then(kill);
    first = false;
    // The kill may cut a line off; what it says was then not reported.
    if (line.endsWith('}')) Object.assign(file, JSON.parse(line));
  }
  const [, signal] = await ended;
  process.off('exit', kill);
  if (signal !== 'SIGKILL') throw new Error('The writing process ended by itself');
}
