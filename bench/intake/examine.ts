// One measurement in a process of its own: examines every file of a folder, or only reads and digests it (the peer).
// Arguments: folder, `examine` or `digest`. Prints what it took as JSON.
import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { DEFAULT_ARCHIVE_LIMITS } from '@relaypacs/core/archive/limits.js';
import { FileStorage } from '@relaypacs/core/storage/file-storage.js';
import { examineFile } from '../../worker/src/intake/examine-file.js';
import { receivedRow } from '../../worker/src/intake/testing/received-files.js';
import { IsolatedTasks } from '../../worker/src/isolation/isolated-tasks.js';
import { cpuSeconds, peakRssMb, seconds } from '../measure.js';

const [directory = '', what = 'examine'] = process.argv.slice(2);
const names = await readdir(directory);
const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(directory, name))).size));
const storage = new FileStorage({ directory, fsync: false });
const tasks = new IsolatedTasks();
let accepted = 0;

async function examine(name: string, size: number): Promise<void> {
  const checked = await examineFile(
    {
      files: { open: (id) => storage.open(id, size) },
      tasks,
      uploadId: 'bench',
      studyInstanceUid: undefined,
      patientId: undefined,
      limits: DEFAULT_ARCHIVE_LIMITS,
      spent: { entries: 0, bytes: 0, dicomdirs: 0 },
      signal: new AbortController().signal,
    },
    receivedRow(name, size),
  );
  const { entries, object } = checked;
  accepted += entries.length > 0 ? entries.filter((entry) => entry.object).length : object ? 1 : 0;
}

async function digest(name: string): Promise<void> {
  const hashes = [createHash('md5'), createHash('sha256')];
  const handle = await open(path.join(directory, name));
  const buffer = Buffer.alloc(1024 * 1024);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer);
      if (bytesRead === 0) break;
      for (const hash of hashes) hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
  for (const hash of hashes) hash.digest();
  accepted += 1;
}

const cpuBefore = cpuSeconds(process.pid);
const elapsed = await seconds(async () => {
  for (const [index, name] of names.entries()) {
    await (what === 'examine' ? examine(name, sizes[index] ?? 0) : digest(name));
  }
});
const cpu = cpuSeconds(process.pid) - cpuBefore;
await tasks.close();
console.log(JSON.stringify({ accepted, elapsed, cpu, rssMb: peakRssMb(process.pid) }));
