import { rm } from 'node:fs/promises';
import path from 'node:path';
import { peakRssMb } from '../measure.js';
import { type MadeStudy, writeLargeObject, writeSlices } from './made-study.js';
import { assertHolds, startFreshOrthanc } from './pacs.js';
import { RelayPacs } from './relaypacs.js';

/** Most bytes of an upload unless told otherwise (`MAX_UPLOAD_BYTES`). */
const LARGEST_UPLOAD = 2 * 1024 ** 3;

const STUDIES: Record<string, (folder: string) => Promise<MadeStudy>> = {
  '2,000 slices of 1 MiB': (folder) => writeSlices(folder, 2000, { rows: 512, columns: 1024 }),
  'one object of 2 GB': (folder) => writeLargeObject(folder, LARGEST_UPLOAD),
  '2,000 slices of 8 KiB': (folder) => writeSlices(folder, 2000, { rows: 64, columns: 64 }),
};

/** The most memory a worker has held when it has taken in and delivered one study, as its first. */
export async function measureMemory(dir: string): Promise<void> {
  const rows: Record<string, Record<string, string | number>> = {};
  for (const [name, write] of Object.entries(STUDIES)) {
    const orthanc = await startFreshOrthanc();
    const ours = await RelayPacs.start(orthanc, dir);
    try {
      const study = await write(path.join(dir, 'study'));
      const atRest = peakRssMb(ours.stack.worker.pid);
      const { received, delivered } = await ours.deliver(study);
      await assertHolds(orthanc, study.files.length);
      const seconds = (delivered - received) / 1000;
      rows[name] = {
        MB: Math.round(study.bytes / 1e6),
        'seconds from received to delivered': seconds.toFixed(1),
        'MB/s': (study.bytes / 1e6 / seconds).toFixed(0),
        'peak RSS of the worker, MB': peakRssMb(ours.stack.worker.pid),
        'of a worker at rest, MB': atRest,
        'peak RSS of the server, MB': peakRssMb(ours.stack.server.pid),
      };
    } finally {
      await ours.stop();
      await orthanc.dispose();
      await rm(path.join(dir, 'study'), { recursive: true, force: true });
    }
  }
  console.log('\nMemory');
  console.table(rows);
}
