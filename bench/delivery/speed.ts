import { execFile, spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Orthanc } from '../../e2e/support/orthanc.js';
import { freePort } from '../../scripts/free-port.js';
import { cpuSeconds, seconds } from '../measure.js';
import { type MadeStudy, writeSlices } from './made-study.js';
import { assertHolds, startFreshOrthanc } from './pacs.js';
import { plainStow } from './plain-stow.js';
import { type Delivery, RelayPacs } from './relaypacs.js';

const SLICES = 500;
/** 512 × 512 pixels of 16 bits: 512 KiB. */
const SLICE = { rows: 512, columns: 512 };
/** Sent first, the same way, and not counted. */
const WARM_UP_SLICES = 50;
const ROUNDS = 3;

const OURS = 'RelayPACS, received to delivered';
const OUR_STOW = 'RelayPACS, its STOW-RS requests';
const DCMSEND = 'dcmsend, TCP_NODELAY';
const PLAIN = ['plain STOW-RS, 50 a request, 2 at once', 'plain STOW-RS, 20 a request, 4 at once'] as const;

/** Seconds of each run, by what was measured. */
type Runs = Map<string, number[]>;

/** Sends a study to a PACS and says what it took, in seconds by what was measured. */
type Contender = (study: MadeStudy, orthanc: Orthanc) => Promise<Record<string, number>>;

async function dcmsend({ folder }: MadeStudy, { dicomPort }: Orthanc): Promise<Record<string, number>> {
  const args = ['-aec', 'ORTHANC', '+sd', '127.0.0.1', String(dicomPort), folder];
  const env = { ...process.env, TCP_NODELAY: '1' };
  return { [DCMSEND]: await seconds(() => promisify(execFile)('dcmsend', args, { env })) };
}

const plain =
  (name: string, perRequest: number, atOnce: number): Contender =>
  async ({ files }, orthanc) => ({
    [name]: await seconds(() => plainStow(orthanc, files, { perRequest, atOnce })),
  });

const relayPacs =
  (ours: RelayPacs): Contender =>
  async (study) => {
    const worker = ours.stack.worker.pid;
    const before = cpuSeconds(worker);
    const begin = Date.now();
    const delivery = await ours.deliver(study);
    return {
      ...phases(delivery),
      [TRANSFER]: (delivery.received - begin) / 1000,
      [WORKER_CPU]: cpuSeconds(worker) - before,
    };
  };

/** While it lasts the worker checks what has arrived. */
const TRANSFER = 'before: transfer by tus';
const WORKER_CPU = 'processor time of the worker, from the first byte';
const PHASES = ['intake, until the first question', 'first question', 'last answer until delivered'];

function phases({ received, delivered, requests }: Delivery): Record<string, number> {
  const stows = requests.filter(({ method }) => method === 'POST');
  const first = Math.min(...stows.map(({ begin }) => begin));
  const last = Math.max(...stows.map(({ end }) => end));
  // Not those by which it is seen whether the PACS is there.
  const questions = requests.filter(({ path }) => path.includes('/instances'));
  const asked = Math.min(...questions.map(({ begin }) => begin));
  const [intake = '', question = '', verification = ''] = PHASES;
  return {
    [OURS]: (delivered - received) / 1000,
    [OUR_STOW]: (last - first) / 1000,
    [intake]: (asked - received) / 1000,
    [question]: (first - asked) / 1000,
    [verification]: (delivered - last) / 1000,
  };
}

/** One run against an Orthanc of its own, whose first study is not counted. */
async function run(contender: Contender, study: MadeStudy, warmUp: MadeStudy, port: number, runs: Runs) {
  const orthanc = await startFreshOrthanc(port);
  try {
    await contender(warmUp, orthanc);
    // What was written before must not be paid by this one.
    spawnSync('sync');
    const took = await contender(study, orthanc);
    await assertHolds(orthanc, study.files.length + warmUp.files.length);
    for (const [what, time] of Object.entries(took)) runs.set(what, [...(runs.get(what) ?? []), time]);
  } finally {
    await orthanc.dispose();
  }
}

/** 500 slices of 512 KiB: RelayPACS beside dcmsend and beside the plainest way to send them by STOW-RS. */
export async function measureSpeed(dir: string): Promise<void> {
  const port = await freePort();
  const orthanc = await startFreshOrthanc(port);
  const ours = await RelayPacs.start(orthanc, dir);
  await orthanc.dispose();
  const contenders = [dcmsend, plain(PLAIN[0], 50, 2), plain(PLAIN[1], 20, 4), relayPacs(ours)];
  const runs: Runs = new Map();
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      // In turns, so that a slow moment of the machine does not meet one of them alone.
      for (let turn = 0; turn < contenders.length; turn += 1) {
        const contender = contenders[(round + turn) % contenders.length] ?? dcmsend;
        const study = await writeSlices(path.join(dir, 'study'), SLICES, SLICE);
        const warmUp = await writeSlices(path.join(dir, 'warm-up'), WARM_UP_SLICES, SLICE);
        await run(contender, study, warmUp, port, runs);
        await Promise.all([study, warmUp].map(({ folder }) => rm(folder, { recursive: true })));
      }
    }
  } finally {
    await ours.stop();
  }
  print(runs);
}

function print(runs: Runs): void {
  const median = (what: string) =>
    [...(runs.get(what) ?? [])].sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
  const bestPlain = Math.min(...PLAIN.map(median));
  const rows = [OURS, OUR_STOW, DCMSEND, ...PLAIN].map((what) => {
    const time = median(what);
    const all = (runs.get(what) ?? []).map((each) => each.toFixed(2)).join(' ');
    return [
      what,
      {
        seconds: time.toFixed(2),
        'of each round': all,
        'speed, dcmsend = 1': (median(DCMSEND) / time).toFixed(2),
        'speed, best plain STOW-RS = 1': (bestPlain / time).toFixed(2),
      },
    ];
  });
  console.log(`\n${SLICES} slices of 512 KiB into Orthanc (medians of ${ROUNDS})`);
  console.table(Object.fromEntries(rows));
  console.log('Within RelayPACS, in seconds:');
  console.table(
    Object.fromEntries(
      [TRANSFER, ...PHASES, WORKER_CPU].map((what) => [what, { seconds: median(what).toFixed(2) }]),
    ),
  );
}
