import type { ContentStep } from '@relaypacs/core/archive/content-step.js';
import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import type { FileOpener, UploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';
import { expect, it } from 'vitest';
import { InstanceReader } from './instance-reader.js';
import { StoredBytesDamaged } from './multipart.js';

const stored = (offset: number, bytes: number): ContentStep => ({
  offset,
  storedBytes: bytes,
  bytes,
  deflated: false,
});

/** Files of a hundred zeros, and how many of them are open. */
function openFiles() {
  const files = {
    open: 0,
    opener: {
      open: async () => {
        files.open += 1;
        return {
          size: 100,
          read: async (_: number, length: number) => new Uint8Array(length),
          async *stream(_: number, length: number) {
            yield new Uint8Array(length);
          },
          close: async () => {
            files.open -= 1;
          },
        };
      },
    } as unknown as FileOpener,
  };
  return files;
}

const instance = (...steps: ContentStep[]) =>
  ({
    uploadFileId: 'f',
    sopInstanceUid: '1.2',
    steps,
    sourceOffset: 0,
    size: 10,
    pieces: null,
  }) as unknown as InstanceRow;

async function read(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of bytes) length += chunk.length;
  return length;
}

it('keeps an archive open for the next instance in it, and closes it in the end', async () => {
  const files = openFiles();
  const reader = new InstanceReader(files.opener as UploadedFiles);
  for (const at of [0, 10]) expect(await read(reader.read(instance(stored(0, 50), stored(at, 10))))).toBe(10);
  expect(files.open).toBe(1);
  await reader.close();
  expect(files.open).toBe(0);
});

it('closes an archive, too, in which an instance is not where it was', async () => {
  const files = openFiles();
  const reader = new InstanceReader(files.opener as UploadedFiles);
  const gone = instance(stored(0, 50), stored(45, 10));
  await expect(read(reader.read(gone))).rejects.toThrow(StoredBytesDamaged);
  await reader.close();
  expect(files.open).toBe(0);
});
