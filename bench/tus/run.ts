// npm run bench:tus
// The tus endpoint (accounts, records and all) beside @tus/server with its FileStore, and beside a bare Node server
// that appends bodies to files: the same load, the same machine, one after the other in one run.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ApiClient } from '../../e2e/support/api-client.js';
import { ServiceProcess } from '../../e2e/support/service-process.js';
import { startStack } from '../../e2e/support/stack.js';
import { cpuSeconds, machine, peakRssMb } from '../measure.js';
import { load, type Target } from './load.js';

const MIB = 1024 * 1024;
const SCENARIOS = [
  { name: '1 GiB in one PATCH', files: 1, chunks: 1024, perPatch: 1024 },
  { name: '256 MiB in 1 MiB PATCHes', files: 1, chunks: 256, perPatch: 1 },
  { name: '100 at once, 10 MiB each, 1 MiB PATCHes', files: 100, chunks: 10, perPatch: 1 },
] as const;

interface Contender {
  pid: number;
  target(files: number, bytes: number): Promise<Target>;
  stop(): Promise<unknown>;
}

const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-bench-'));

async function startPeer(name: 'stock' | 'bare'): Promise<Contender> {
  const folder = await mkdtemp(path.join(dir, `${name}-`));
  const script = path.join(import.meta.dirname, `${name}-server.ts`);
  const log = path.join(folder, '..', `${name}.log`);
  const peer = new ServiceProcess(name, script, process.env, log, {
    args: [folder],
    execArgv: ['--import', 'tsx'],
  });
  const endpoint = await peer.start();
  return {
    pid: peer.pid,
    target: async () => ({ endpoint, headers: {}, checksum: false }),
    stop: () => peer.stop(),
  };
}

async function startOurs(): Promise<Contender> {
  const stack = await startStack({
    worker: false,
    env: { MAX_UPLOAD_BYTES: String(4096 * MIB), LOG_LEVEL: 'warn' },
  });
  const client = await ApiClient.signUp(stack.baseUrl);
  return {
    pid: stack.server.pid,
    async target(files, bytes) {
      const upload = await client.announce({ fileCount: files, totalBytes: bytes });
      return {
        endpoint: upload.tusEndpoint,
        headers: { authorization: `Bearer ${upload.uploadToken}` },
        checksum: true,
      };
    },
    stop: () => stack.stop(),
  };
}

const starts = { bare: () => startPeer('bare'), stock: () => startPeer('stock'), RelayPACS: startOurs };

try {
  console.log(machine());
  for (const { name, files, chunks, perPatch } of SCENARIOS) {
    const rows: Record<string, Record<string, string>> = {};
    let stockSeconds = 0;
    for (const [who, start] of Object.entries(starts)) {
      const contender = await start();
      try {
        const target = await contender.target(files, files * chunks * MIB);
        const cpuBefore = cpuSeconds(contender.pid);
        const result = await load(target, files, chunks, perPatch);
        const cpu = cpuSeconds(contender.pid) - cpuBefore;
        if (who === 'stock') stockSeconds = result.seconds;
        const p95 = result.latencies[Math.floor(result.latencies.length * 0.95)] ?? 0;
        rows[who] = {
          seconds: result.seconds.toFixed(2),
          'MB/s': (result.bytes / 1e6 / result.seconds).toFixed(0),
          'p95 of a PATCH (ms)': p95.toFixed(0),
          'CPU of the server (s)': cpu.toFixed(2),
          'peak RSS (MB)': String(peakRssMb(contender.pid)),
          'speed, stock = 1': stockSeconds === 0 ? '' : (stockSeconds / result.seconds).toFixed(2),
        };
      } finally {
        await contender.stop();
      }
    }
    console.log(`\n${name}`);
    console.table(rows);
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}
