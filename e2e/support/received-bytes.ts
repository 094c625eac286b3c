import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import type { Stack } from './stack.js';

interface Segment {
  start: string;
  key: string;
  end: string;
}

/** Every segment of a file with where it ends: at the next one, or where the file does. */
const SEGMENTS = `
  SELECT s.start, s.key,
         coalesce(lead(s.start) OVER (ORDER BY s.start),
                  CASE WHEN f.status = 'uploading' THEN f.bytes_received ELSE f.size END) AS end
  FROM file_segments s JOIN upload_files f ON f.id = s.file_id
  WHERE s.file_id = $1 ORDER BY s.start`;

/**
 * What is stored of a file, as the database tells where it lies (file storage).
 *
 * @param file - its id, or its tus URL
 */
export async function receivedBytes(stack: Stack, file: string): Promise<Buffer> {
  const database = new pg.Client({ connectionString: stack.databaseUrl });
  await database.connect();
  try {
    const { rows } = await database.query<Segment>(SEGMENTS, [file.split('/').at(-1)]);
    const parts = rows.map(async ({ key, start, end }) => {
      const object = await readFile(path.join(stack.dataDir, 'storage', key));
      return object.subarray(0, Number(end) - Number(start));
    });
    return Buffer.concat(await Promise.all(parts));
  } finally {
    await database.end();
  }
}
