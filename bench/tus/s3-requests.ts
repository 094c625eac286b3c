// npm run bench:s3
// What an upload costs on S3: requests to a real Ceph radosgw, counted by a proxy before it, beside stock @tus/server
// with @tus/s3-store.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startRadosgw } from '../../e2e/support/radosgw.js';
import { S3Proxy } from '../../e2e/support/s3-proxy.js';
import { ServiceProcess } from '../../e2e/support/service-process.js';
import { machine } from '../measure.js';
import { type Contender, startOurs } from './contenders.js';
import { load } from './load.js';

const MIB = 1024 * 1024;
const SCENARIOS = [
  { name: '1 MiB in one PATCH', chunks: 1, perPatch: 1 },
  { name: '20 MiB in 1 MiB PATCHes', chunks: 20, perPatch: 1 },
  { name: '256 MiB in 8 MiB PATCHes', chunks: 256, perPatch: 8 },
] as const;

const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-bench-'));
const radosgw = await startRadosgw();
const proxy = await S3Proxy.start(radosgw.endpoint);
const { accessKeyId, secretAccessKey, region } = radosgw;

async function startStock(): Promise<Contender> {
  const bucket = await radosgw.createBucket();
  const script = path.join(import.meta.dirname, 'stock-s3-server.ts');
  const server = new ServiceProcess('stock', script, process.env, path.join(dir, 'stock.log'), {
    args: [bucket, proxy.endpoint, accessKeyId, secretAccessKey],
    execArgv: ['--import', 'tsx'],
  });
  const endpoint = await server.start();
  return {
    pid: server.pid,
    target: async () => ({ endpoint, headers: {}, checksum: false }),
    stop: () => server.stop(),
  };
}

const contenders = {
  stock: startStock,
  RelayPACS: async () =>
    startOurs({
      STORAGE: 's3',
      S3_BUCKET: await radosgw.createBucket(),
      S3_ENDPOINT: proxy.endpoint,
      S3_REGION: region,
      S3_SSE: 'none',
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    }),
};

try {
  console.log(machine());
  for (const { name, chunks, perPatch } of SCENARIOS) {
    const rows: Record<string, Record<string, string | number>> = {};
    for (const [who, start] of Object.entries(contenders)) {
      const contender = await start();
      const target = await contender.target(1, chunks * MIB);
      proxy.takeMethods();
      const { seconds } = await load(target, 1, chunks, perPatch);
      const methods = proxy.takeMethods();
      const count = (method: string) => methods.filter((each) => each === method).length;
      rows[who] = {
        requests: methods.length,
        'GET, HEAD': count('GET') + count('HEAD'),
        'PUT, POST': count('PUT') + count('POST'),
        DELETE: count('DELETE'),
        seconds: seconds.toFixed(2),
      };
      await contender.stop();
    }
    console.log(`\n${name}`);
    console.table(rows);
  }
} finally {
  await proxy.close();
  await radosgw.dispose();
  await rm(dir, { recursive: true, force: true });
}
