// npm run bench:tus
// The tus endpoint (accounts, records, leases, checksums and all) beside @tus/server with its FileStore, and beside a
// bare Node server that appends bodies to files: the same load, the same machine, one after the other in one run.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cpuSeconds, machine, peakRssMb } from '../measure.js';
import { startOurs, startPeer } from './contenders.js';
import { load } from './load.js';

const MIB = 1024 * 1024;
const SCENARIOS = [
  { name: '1 GiB in one PATCH', files: 1, chunks: 1024, perPatch: 1024 },
  { name: '256 MiB in 1 MiB PATCHes', files: 1, chunks: 256, perPatch: 1 },
  { name: '100 at once, 10 MiB each, 1 MiB PATCHes', files: 100, chunks: 10, perPatch: 1 },
] as const;
/** Each is measured so often; the median run counts, because the machine has other things to do. */
const ROUNDS = 3;

const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-bench-'));
const contenders = {
  bare: () => startPeer('bare', dir),
  stock: () => startPeer('stock', dir),
  RelayPACS: () => startOurs(),
  'RelayPACS, STORAGE_FSYNC=0': () => startOurs({ STORAGE_FSYNC: '0' }),
};

interface Run {
  seconds: number;
  p95: number;
  cpu: number;
  rss: number;
}

async function measure(
  start: (typeof contenders)[keyof typeof contenders],
  { files, chunks, perPatch }: (typeof SCENARIOS)[number],
): Promise<Run> {
  // What the one before left for the disk must not be paid by this one.
  spawnSync('sync');
  const contender = await start();
  try {
    const target = await contender.target(files, files * chunks * MIB);
    const before = cpuSeconds(contender.pid);
    const { seconds, latencies } = await load(target, files, chunks, perPatch);
    const p95 = latencies[Math.floor(latencies.length * 0.95)] ?? 0;
    return { seconds, p95, cpu: cpuSeconds(contender.pid) - before, rss: peakRssMb(contender.pid) };
  } finally {
    await contender.stop();
  }
}

try {
  console.log(machine());
  for (const scenario of SCENARIOS) {
    const runs = new Map<string, Run[]>();
    // In turns, so that a slow moment of the machine does not meet one of them alone.
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [who, start] of Object.entries(contenders)) {
        runs.set(who, [...(runs.get(who) ?? []), await measure(start, scenario)]);
      }
    }
    const median = (who: string) =>
      [...(runs.get(who) ?? [])].sort((a, b) => a.seconds - b.seconds)[Math.floor(ROUNDS / 2)] as Run;
    const rows: Record<string, Record<string, string>> = {};
    for (const who of runs.keys()) {
      const run = median(who);
      rows[who] = {
        seconds: run.seconds.toFixed(2),
        'p95 of a PATCH (ms)': run.p95.toFixed(0),
        'CPU of the server (s)': run.cpu.toFixed(2),
        'peak RSS (MB)': String(Math.max(...(runs.get(who) ?? []).map(({ rss }) => rss))),
        'speed, stock = 1': (median('stock').seconds / run.seconds).toFixed(2),
        'speed, bare = 1': (median('bare').seconds / run.seconds).toFixed(2),
      };
    }
    console.log(`\n${scenario.name} (median of ${ROUNDS})`);
    console.table(rows);
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}
