// npm run bench:pipeline
// A study of many slices and one of a single large object through the whole pipeline on the embedded default
// (PostgreSQL from npm, file storage, sandbox PACS), each beside its peers in the same run: a bare server that writes
// bodies to files, and a plain STOW-RS loop into the same kind of PACS.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildDicom } from '@relaypacs/core/dicom/testing/build.js';
import { ApiClient } from '../e2e/support/api-client.js';
import { ServiceProcess } from '../e2e/support/service-process.js';
import { startStack } from '../e2e/support/stack.js';
import { makeStudy } from '../e2e/support/studies.js';
import { freePort } from '../scripts/free-port.js';
import { projectRoot } from '../scripts/project-root.js';
import { machine, peakRssMb, seconds } from './measure.js';
import { postEach, startBareServer, stowLoop } from './peers.js';

const LIMIT_MS = 300_000;

const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-bench-'));
async function startSandbox(name: string) {
  const port = await freePort();
  const env = { PATH: process.env.PATH, SANDBOX_PORT: String(port), SANDBOX_DIR: path.join(dir, name) };
  const main = path.join(projectRoot, 'sandbox', 'dist', 'main.js');
  const sandbox = new ServiceProcess(name, main, env, path.join(dir, `${name}.log`));
  await sandbox.start();
  return { sandbox, root: `http://127.0.0.1:${port}/dicom-web` };
}

async function run(title: string, files: readonly Uint8Array[]): Promise<void> {
  const bytes = files.reduce((sum, file) => sum + file.length, 0);
  const [ours, peer] = [await startSandbox(`${title}-ours`), await startSandbox(`${title}-peer`)];
  const bare = await startBareServer();
  const stack = await startStack({ env: { PACS_URL: ours.root } });
  try {
    const client = await ApiClient.signUp(stack.baseUrl);
    let id = '';
    const bareTransfer = await seconds(() => postEach(bare.url, files));
    const transfer = await seconds(async () => {
      id = await client.send(files);
    });
    const delivery = await seconds(() =>
      client.waitFor(id, ({ status }) => status === 'delivered', LIMIT_MS),
    );
    const plainStow = await seconds(() => stowLoop(peer.root, files));
    const rate = (time: number) => `${(bytes / 1e6 / time).toFixed(0)} MB/s`;
    console.log(`\n${title}: ${files.length} objects, ${(bytes / 1e6).toFixed(0)} MB`);
    console.table({
      'transfer (tus, until the last byte is acknowledged)': row(transfer, bareTransfer, 'bare server'),
      'received to delivered (checked, sent, verified)': row(delivery, plainStow, 'plain STOW-RS loop'),
    });
    function row(time: number, peerTime: number, peerName: string) {
      const ratio = (peerTime / time).toFixed(2);
      return {
        seconds: time.toFixed(2),
        rate: rate(time),
        peer: peerName,
        'peer seconds': peerTime.toFixed(2),
        ratio,
      };
    }
    console.log(
      `peak RSS: server ${peakRssMb(stack.server.pid)} MB, worker ${peakRssMb(stack.worker.pid)} MB`,
    );
  } finally {
    await stack.stop();
    await bare.close();
    await Promise.all([ours.sandbox.stop(), peer.sandbox.stop()]);
  }
}

try {
  console.log(machine());
  await run('500 slices', makeStudy(500, { rows: 512, columns: 512 }).files);
  await run('one multi-frame object', [buildDicom({ rows: 1024, columns: 1024, frames: 250 })]);
} finally {
  await rm(dir, { recursive: true, force: true });
}
