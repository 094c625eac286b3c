// npm run bench:intake
// How fast the intake looks at files, and how much memory it takes: many slices, the same slices in ZIPs, and one very
// large object; each beside a loop that only reads and digests the same bytes, in the same run.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import { buildDicom, makeSlice } from '@relaypacs/core/dicom/testing/build.js';
import { machine } from '../measure.js';

interface Measured {
  accepted: number;
  elapsed: number;
  cpu: number;
  rssMb: number;
}

const SLICES = 1000;
/** 512 × 512 pixels of 16 bits: 512 KiB. */
const SLICE = { rows: 512, columns: 512 };
const ROUNDS = 3;

const program = fileURLToPath(new URL('examine.ts', import.meta.url));
const folder = await mkdtemp(path.join(tmpdir(), 'relaypacs-bench-intake-'));

function measure(name: string, what: 'examine' | 'digest'): Measured {
  const args = ['--conditions=source', '--import', 'tsx', program, path.join(folder, name), what];
  const rounds = Array.from(
    { length: ROUNDS },
    () => JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Measured,
  );
  const [, median = rounds[0]] = rounds.sort((a, b) => a.cpu - b.cpu);
  if (!median) throw new Error('Nothing was measured');
  return median;
}

/** A native object of about `gibibytes`, written frame by frame. */
async function writeLargeObject(file: string, gibibytes: number): Promise<void> {
  const frameBytes = 2048 * 2048 * 2;
  const frames = Math.floor((gibibytes * 1024 ** 3) / frameBytes);
  const size = { rows: 2048, columns: 2048 };
  const head = buildDicom({
    ...size,
    frames,
    pixels: new Uint8Array(0),
    declaredPixelLength: frames * frameBytes,
  });
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(head);
    const frame = Buffer.alloc(frameBytes, 0x15);
    for (let i = 0; i < frames; i += 1) await handle.write(frame);
  } finally {
    await handle.close();
  }
}

async function write(name: string, files: ReadonlyArray<Uint8Array>): Promise<void> {
  await mkdir(path.join(folder, name));
  for (const [i, file] of files.entries()) await writeFile(path.join(folder, name, `f${i}`), file);
}

try {
  console.log(machine());
  await write(
    'slices',
    Array.from({ length: SLICES }, () => makeSlice(SLICE)),
  );
  const entries = (deflate: boolean) =>
    Array.from({ length: SLICES / 4 }, (_, i) => ({ path: `IM${i}`, content: makeSlice(SLICE), deflate }));
  await write('stored ZIP', [buildZip(entries(false))]);
  await write('deflated ZIP', [buildZip(entries(true))]);
  await mkdir(path.join(folder, 'one object of 2 GB'));
  await writeLargeObject(path.join(folder, 'one object of 2 GB', 'large'), 1.9);
  const table: Record<string, object> = {};
  for (const name of ['slices', 'stored ZIP', 'deflated ZIP', 'one object of 2 GB']) {
    const [ours, peer] = [measure(name, 'examine'), measure(name, 'digest')];
    table[name] = {
      objects: ours.accepted,
      'objects/s of wall time': (ours.accepted / ours.elapsed).toFixed(0),
      'objects/s of one core': (ours.accepted / ours.cpu).toFixed(0),
      'speed, reading and digesting = 1': (peer.elapsed / ours.elapsed).toFixed(2),
      'peak RSS MB': ours.rssMb,
      'peak RSS MB of reading': peer.rssMb,
    };
  }
  console.table(table);
} finally {
  await rm(folder, { recursive: true, force: true });
}
