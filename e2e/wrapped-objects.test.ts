import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../scripts/test-services.js';
import { IsolatedTasks } from '../worker/src/isolation/isolated-tasks.js';
import type { ImageKind } from '../worker/src/wrapping/prepared-image.js';
import { ENCODED_JPEGS } from '../worker/src/wrapping/testing/encoded-jpegs.js';
import {
  adobe,
  CONTEXT,
  makeExif,
  makeJpeg,
  makePng,
  makeRgbPng,
  SECRET,
  withMetadata,
  withOrientation,
  withoutJfif,
  withSegment,
} from '../worker/src/wrapping/testing/pictures.js';
import type { WrapContext } from '../worker/src/wrapping/wrap-context.js';
import { wrapImage } from '../worker/src/wrapping/wrap-image.js';

let folder: string;
const tasks = new IsolatedTasks();

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaypacs wrapped-'));
});
afterAll(async () => {
  await tasks.close();
  await rm(folder, { recursive: true, force: true });
});

/** What a program says about a file; the exit code of dciodvfy does not tell whether it found errors. */
function run(name: string, packageName: string, args: string[]): { output: string; status: number | null } {
  const program = findProgram(name);
  if (!program) throw new Error(`This test needs ${name} (Debian package ${packageName}).`);
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'latin1' });
  return { output: `${stdout}${stderr}`, status };
}

/** The faults that David Clunie's validator and DCMTK's parser find in an object. */
async function faultsOf(object: { bytes: Uint8Array }): Promise<string[]> {
  const file = path.join(folder, `${crypto.randomUUID()}.dcm`);
  await writeFile(file, object.bytes);
  const validated = run('dciodvfy', 'dicom3tools', [file]).output.split('\n');
  const dumped = run('dcmdump', 'dcmtk', ['--quiet', file]);
  return [
    ...validated.filter((line) => line.startsWith('Error')),
    ...(dumped.status === 0 ? [] : [dumped.output]),
  ];
}

const camera = { make: 'Phone', takenAt: '2026:01:04 09:08:07' };
const rgb = withSegment(withoutJfif(makeJpeg()), 0xee, adobe(0));
const pixel = { columns: 2, rows: 1, depth: 8, colourType: 0 };

const PICTURES: [string, ImageKind, Uint8Array][] = [
  ['a photograph', 'jpeg', withMetadata(makeJpeg(), camera)],
  ['a photograph without a time', 'jpeg', withMetadata(makeJpeg(), { make: 'Phone' })],
  ['a photograph that is turned', 'jpeg', withMetadata(makeJpeg(), { ...camera, orientation: 6 })],
  ['a photograph in grey', 'jpeg', withMetadata(ENCODED_JPEGS.grey, camera)],
  [
    'a photograph in grey that is turned',
    'jpeg',
    withMetadata(ENCODED_JPEGS.grey, { ...camera, orientation: 8 }),
  ],
  ['a progressive photograph', 'jpeg', withMetadata(ENCODED_JPEGS.progressive, camera)],
  ['a scan', 'jpeg', makeJpeg()],
  ['a scan that is turned', 'jpeg', withOrientation(makeJpeg(), 3)],
  ['a scan in RGB', 'jpeg', rgb],
  ['a scan in grey', 'jpeg', ENCODED_JPEGS.grey],
  ['a progressive scan', 'jpeg', ENCODED_JPEGS.progressive],
  ['a progressive scan in grey', 'jpeg', ENCODED_JPEGS.progressiveGrey],
  ['a scan in CMYK', 'jpeg', ENCODED_JPEGS.cmyk],
  ['a JPEG of 12 bits', 'jpeg', ENCODED_JPEGS.extended12Bit],
  ['a lossless JPEG', 'jpeg', ENCODED_JPEGS.losslessFirstOrder],
  ['a lossless JPEG with another predictor', 'jpeg', ENCODED_JPEGS.losslessPredictor6],
  ['a PNG in RGB', 'png', makeRgbPng()],
  ['a PNG that is turned', 'png', makeRgbPng({ exif: makeExif({ orientation: 5 }) })],
  ['a PNG with an odd number of bytes', 'png', makePng({ ...pixel, columns: 3, lines: [[1, 2, 3]] })],
  ['a PNG in grey of 1 bit', 'png', makePng({ ...pixel, depth: 1, lines: [[64]] })],
  ['a PNG in grey of 16 bits', 'png', makePng({ ...pixel, depth: 16, lines: [[1, 2, 3, 4]] })],
  ['a PNG with a palette', 'png', makePng({ ...pixel, colourType: 3, palette: [1, 2, 3], lines: [[0, 0]] })],
];

const { sopInstanceUid, seriesInstanceUid, studyInstanceUid, seriesNumber, instanceNumber, madeAt } = CONTEXT;
const CONTEXTS: [string, WrapContext][] = [
  [
    'everything',
    { ...CONTEXT, accessionNumber: 'A-1', referringPhysicianName: 'Roe^Richard', studyDescription: 'CT' },
  ],
  [
    'only what must be known',
    {
      ...{ sopInstanceUid, seriesInstanceUid, studyInstanceUid, seriesNumber, instanceNumber, madeAt },
      seriesDescription: 'Photos',
      patientName: 'Doe',
      studyDate: '2026-01-05',
    },
  ],
  [
    'other scripts',
    { ...CONTEXT, patientName: 'Иванова^Анна', seriesDescription: '写真', studyDescription: 'Übersicht' },
  ],
  [
    // Of ASCII, because dciodvfy counts bytes where PS3.5 table 6.2-1 counts characters.
    'texts that are too long or have line breaks and backslashes',
    {
      ...CONTEXT,
      patientName: `Doe^${'Jane'.repeat(50)}`,
      seriesDescription: 'Photos '.repeat(20),
      studyDescription: 'Left\\right\nabove\tbelow',
      accessionNumber: 'A'.repeat(30),
      studyId: 'S'.repeat(30),
      referringPhysicianName: 'Roe\\Richard',
    },
  ],
];

describe.each(CONTEXTS)('with %s about the study', (_, context) => {
  it.each(PICTURES)('%s becomes a valid object', async (_name, kind, bytes) => {
    const object = await wrapImage(tasks, bytes, kind, context);
    if ('refused' in object) throw new Error(object.refused.message);
    expect(await faultsOf(object)).toEqual([]);
    expect(Buffer.from(object.bytes).includes(SECRET)).toBe(false);
  });
});
