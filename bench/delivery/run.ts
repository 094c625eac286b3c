// npm run bench:delivery [speed | memory | sustained]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { machine } from '../measure.js';
import { measureMemory } from './memory.js';
import { measureSpeed } from './speed.js';
import { measureSustained } from './sustained.js';

const PARTS: Record<string, (dir: string) => Promise<void>> = {
  speed: measureSpeed,
  memory: measureMemory,
  sustained: measureSustained,
};

const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-bench-'));
try {
  console.log(machine());
  const wanted = process.argv.slice(2);
  for (const [name, measure] of Object.entries(PARTS)) {
    if (wanted.length === 0 || wanted.includes(name)) await measure(dir);
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}
