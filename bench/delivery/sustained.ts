import { rm } from 'node:fs/promises';
import path from 'node:path';
import { cpuSeconds, peakRssMb } from '../measure.js';
import { writeSlices } from './made-study.js';
import { assertHolds, startFreshOrthanc } from './pacs.js';
import { RelayPacs } from './relaypacs.js';

const SLICES = 200;
const SLICE = { rows: 512, columns: 512 };
/** Uploads under way at any time: each sender begins the next when the PACS has the last. */
const SENDERS = 4;
const SECONDS = 75;
/** What a busy site sends. */
const GOAL_GB_PER_HOUR = 50;

/** How much two workers bring into the PACS when there is always more: transfer, intake, delivery, verification. */
export async function measureSustained(dir: string): Promise<void> {
  const orthanc = await startFreshOrthanc();
  const ours = await RelayPacs.start(orthanc, dir);
  const workers = [ours.stack.worker, await ours.stack.addWorker()];
  let studies = 0;
  let bytes = 0;
  const waits: number[] = [];
  try {
    const begin = performance.now();
    const sender = async (nth: number) => {
      while (performance.now() - begin < SECONDS * 1000) {
        const study = await writeSlices(path.join(dir, `study-${nth}`), SLICES, SLICE);
        const { received, delivered } = await ours.deliver(study);
        waits.push((delivered - received) / 1000);
        studies += 1;
        bytes += study.bytes;
        await rm(study.folder, { recursive: true });
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, (_, nth) => sender(nth)));
    const took = (performance.now() - begin) / 1000;
    await assertHolds(orthanc, studies * SLICES);
    const [half, most] = [0.5, 0.95].map(
      (part) => waits.sort((a, b) => a - b)[Math.floor(waits.length * part)],
    );
    const perHour = (bytes / 1e9 / took) * 3600;
    console.log(`\nTwo workers, ${SENDERS} senders, studies of ${SLICES} × 512 KiB, ${took.toFixed(0)} s`);
    console.table({
      'GB/h': perHour.toFixed(0),
      [`times ${GOAL_GB_PER_HOUR} GB/h`]: (perHour / GOAL_GB_PER_HOUR).toFixed(1),
      studies,
      'seconds from received to delivered, median': half?.toFixed(2),
      'seconds from received to delivered, p95': most?.toFixed(2),
      'processor time of both workers, s': workers
        .reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
        .toFixed(0),
      'peak RSS of the workers, MB': workers.map(({ pid }) => peakRssMb(pid)).join(', '),
    });
  } finally {
    await ours.stop();
    await orthanc.dispose();
  }
}
