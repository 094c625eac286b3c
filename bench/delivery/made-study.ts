import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildDicom, newUid } from '@relaypacs/core/dicom/testing/build.js';

/** Objects of one new study, each a file of a folder. */
export interface MadeStudy {
  folder: string;
  files: readonly string[];
  /** Bytes. */
  bytes: number;
}

/** Bytes of one frame of a large object: 2048 × 2048 pixels of 16 bits. */
const FRAME = { rows: 2048, columns: 2048 };
const FRAME_BYTES = FRAME.rows * FRAME.columns * 2;
const MOST_HEAD_BYTES = 4096;

/** Writes a study of `count` slices of rows × columns 16-bit pixels into a new folder. */
export async function writeSlices(
  folder: string,
  count: number,
  size: { rows: number; columns: number },
): Promise<MadeStudy> {
  await mkdir(folder, { recursive: true });
  const uids = { studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
  const files: string[] = [];
  let bytes = 0;
  for (let i = 1; i <= count; i += 1) {
    const content = buildDicom({ ...size, ...uids, instanceNumber: i });
    const file = path.join(folder, `IM${i}`);
    await writeFile(file, content);
    files.push(file);
    bytes += content.length;
  }
  return { folder, files, bytes };
}

/** Writes a study of one native object of as many frames as fit `bytes` bytes. */
export async function writeLargeObject(folder: string, bytes: number): Promise<MadeStudy> {
  await mkdir(folder, { recursive: true });
  const frames = Math.floor((bytes - MOST_HEAD_BYTES) / FRAME_BYTES);
  const head = buildDicom({
    ...FRAME,
    frames,
    pixels: new Uint8Array(0),
    declaredPixelLength: frames * FRAME_BYTES,
  });
  const file = path.join(folder, 'IM1');
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(head);
    const frame = Buffer.alloc(FRAME_BYTES, 0x15);
    for (let i = 0; i < frames; i += 1) await handle.write(frame);
  } finally {
    await handle.close();
  }
  return { folder, files: [file], bytes: head.length + frames * FRAME_BYTES };
}
