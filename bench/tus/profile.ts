// npm run bench:profile
// Where the processor time of the tus endpoint and of stock @tus/server goes: 100 uploads of 10 MiB in 1 MiB PATCHes,
// sampled every 0.5 ms. The .cpuprofile files can be opened in Chromium's developer tools.
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { machine } from '../measure.js';
import { type Contender, startOurs, startPeer } from './contenders.js';
import { load } from './load.js';

const MIB = 1024 * 1024;
const [FILES, CHUNKS] = [100, 10];

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  timeDeltas: number[];
}

/** What a sampled function belongs to, the first that fits. */
const AREAS: [string, RegExp][] = [
  ['waiting', /^\(idle\)/],
  ['garbage collection', /^\(garbage collector\)/],
  ['checksums', /^update |internal\/crypto\/hash/],
  ['web streams, fetch objects', /undici|webstreams|internal\/url|srvx/],
  ['@tus/server', /@tus\//],
  ['PostgreSQL', /node_modules\/(pg|knex|tarn|postgres)/],
  ['Express and middleware', /node_modules\/(express|router|helmet|cors|passport|winston|logform)/],
  ['our code', /\/(server|core)\/dist\//],
  [
    'files',
    /^(writeBuffers|writeBuffer|fdatasync|fsync|open|close|openFileHandle|fstat|stat) |node:internal\/fs|node:fs/,
  ],
  [
    'sockets and HTTP',
    /^(writev|writeLatin1String|writeUtf8String|readStart) |node:(net|_http|internal\/stream|internal\/streams|stream)/,
  ],
];

function areaOf({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): string {
  return AREAS.find(([, pattern]) => pattern.test(`${functionName} ${url}`))?.[0] ?? 'Node itself';
}

async function profile(file: string, start: (env: Record<string, string>) => Promise<Contender>) {
  const profiler = path.join(import.meta.dirname, 'profiler.cjs');
  const contender = await start({ NODE_OPTIONS: `--require "${profiler}"`, PROFILE_FILE: file });
  const target = await contender.target(FILES, FILES * CHUNKS * MIB);
  process.kill(contender.pid, 'SIGUSR2');
  await load(target, FILES, CHUNKS, 1);
  await contender.stop();
  const { nodes, samples, timeDeltas } = JSON.parse(await readFile(file, 'utf8')) as CpuProfile;
  const area = new Map(nodes.map(({ id, callFrame }) => [id, areaOf(callFrame)]));
  const milliseconds: Record<string, number> = {};
  samples.forEach((id, i) => {
    const name = area.get(id) ?? 'Node itself';
    milliseconds[name] = (milliseconds[name] ?? 0) + (timeDeltas[i] ?? 0) / 1000;
  });
  return milliseconds;
}

const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-profile-'));
const stock = await profile(path.join(dir, 'stock.cpuprofile'), (env) => startPeer('stock', dir, env));
const ours = await profile(path.join(dir, 'relaypacs.cpuprofile'), (env) => startOurs(env));
console.log(`${machine()}\n${FILES} × ${CHUNKS} MiB in 1 MiB PATCHes, milliseconds of the main thread`);
const names = [...new Set([...Object.keys(stock), ...Object.keys(ours)])];
console.table(
  Object.fromEntries(
    names
      .sort((a, b) => (ours[b] ?? 0) - (ours[a] ?? 0))
      .map((name) => [name, { stock: Math.round(stock[name] ?? 0), RelayPACS: Math.round(ours[name] ?? 0) }]),
  ),
);
console.log(dir);
