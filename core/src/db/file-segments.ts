import type { Segment } from '../storage/object-storage.js';
import type { Queryable } from './database.js';

interface SegmentRow extends Segment {
  fileId: string;
}

/** Where the acknowledged bytes of a file lie, in order. */
export async function listSegments(db: Queryable, fileId: string): Promise<Segment[]> {
  return db<SegmentRow>('fileSegments').where({ fileId }).orderBy('start').select('start', 'key');
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
