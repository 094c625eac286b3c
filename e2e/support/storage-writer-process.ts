/**
 * Writes a file without end: appends, syncs and discards at random, and says what is durable, one line of JSON each
 * time, once it is. Meant to be killed at any moment.
 */
import { writeSync } from 'node:fs';
import { fileBytes, openStorage, type RecordedFile, type StorageSettings } from './storage-writer.js';

const [settings, recorded] = JSON.parse(process.argv[2] ?? '') as [StorageSettings, RecordedFile];
const storage = openStorage(settings);
const { fileId, segments } = recorded;
let { size } = recorded;

for (;;) {
  const writer = storage.write({ fileId, offset: size });
  for (let syncs = 0; syncs < 5; syncs++) {
    let offset = size;
    for (let appends = Math.ceil(Math.random() * 5); appends > 0; appends--) {
      const length = Math.ceil(Math.random() * 200_000);
      await writer.append([fileBytes(offset, length)]);
      offset += length;
    }
    if (Math.random() < 0.2) {
      await writer.append([Buffer.alloc(100_000, 'x')]);
      await writer.discard();
      continue;
    }
    segments.push(...(await writer.sync()));
    size = offset;
    writeSync(1, `${JSON.stringify({ fileId, segments, size })}\n`);
  }
  await writer.close();
}
