import type { Segment } from '../storage/object-storage.js';
import type { Queryable } from './database.js';

interface SegmentRow extends Segment {
  fileId: string;
}

/** The acknowledged bytes of a file: how many, and where they lie, in order. */
export interface FilePlace {
  bytesReceived: number;
  segments: Segment[];
}

/** Where the bytes of several files lie; a file that is gone has no entry. */
export async function findFilePlaces(
  db: Queryable,
  fileIds: readonly string[],
): Promise<Map<string, FilePlace>> {
  const rows: Array<{ id: string; bytesReceived: number; start: number | null; key: string | null }> =
    await db('uploadFiles as f')
      .leftJoin('fileSegments as s', 's.fileId', 'f.id')
      .whereRaw('f.id = ANY(?)', [[...fileIds]])
      .orderBy(['f.id', 's.start'])
      .select('f.id', 'f.bytesReceived', 's.start', 's.key');
  const places = new Map<string, FilePlace>();
  for (const { id, bytesReceived, start, key } of rows) {
    const place = places.get(id) ?? { bytesReceived, segments: [] };
    places.set(id, place);
    if (start !== null && key !== null) place.segments.push({ start, key });
  }
  return places;
}

/** Every object of these files. */
export async function listObjectKeys(db: Queryable, fileIds: readonly string[]): Promise<string[]> {
  return db<SegmentRow>('fileSegments')
    .whereIn('fileId', [...fileIds])
    .pluck('key');
}

/** Every object of an upload, slices that were never joined included. */
export async function listUploadObjectKeys(db: Queryable, uploadId: string): Promise<string[]> {
  return db('fileSegments')
    .join('uploadFiles', 'uploadFiles.id', 'fileSegments.fileId')
    .where({ uploadId })
    .pluck('key');
}

/** Which of these keys belong to a file. */
export async function findKnownKeys(db: Queryable, keys: readonly string[]): Promise<Set<string>> {
  const rows: string[] = await db<SegmentRow>('fileSegments')
    .whereIn('key', [...keys])
    .pluck('key');
  return new Set(rows);
}

/** Forgets objects that were removed. */
export async function deleteSegments(db: Queryable, keys: readonly string[]): Promise<void> {
  await db<SegmentRow>('fileSegments')
    .whereIn('key', [...keys])
    .delete();
}

/** Hands the segments of one file over to another, `offset` bytes further on. */
export async function moveSegments(db: Queryable, from: string, to: string, offset: number): Promise<void> {
  await db<SegmentRow>('fileSegments')
    .where({ fileId: from })
    .update({ fileId: to, start: db.raw('start + ?', [offset]) });
}
