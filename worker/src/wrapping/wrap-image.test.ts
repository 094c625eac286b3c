import type { DicomElement } from '@relaypacs/core/dicom/encode.js';
import { encodeElements } from '@relaypacs/core/dicom/encode.js';
import { EXPLICIT_LITTLE } from '@relaypacs/core/dicom/encoding.js';
import { TAG } from '@relaypacs/core/dicom/tags.js';
import { afterAll, expect, test } from 'vitest';
import { IsolatedTasks } from '../isolation/isolated-tasks.js';
import {
  CONTEXT,
  makeJpeg,
  makePng,
  makeRgbPng,
  SECRET,
  withFrame,
  withMetadata,
} from './testing/pictures.js';
import { wrapImage } from './wrap-image.js';
import type { WrappedObject } from './wrapped-object.js';

const tasks = new IsolatedTasks();
afterAll(() => tasks.close());

async function wrap(kind: 'jpeg' | 'png', bytes: Uint8Array): Promise<WrappedObject> {
  const result = await wrapImage(tasks, bytes, kind, CONTEXT);
  if ('refused' in result) throw new Error(result.refused.message);
  return result;
}

/** Whether the file has this element, with this value. */
const holds = ({ bytes }: WrappedObject, element: DicomElement) =>
  Buffer.from(bytes).includes(Buffer.from(encodeElements([element], EXPLICIT_LITTLE)));

test('makes a photograph of what a camera took', async () => {
  const exif = { make: 'Phone', orientation: 6, takenAt: '2026:01:04 09:08:07' };
  const object = await wrap('jpeg', withMetadata(makeJpeg(), exif));
  expect(object).toMatchObject({
    sopInstanceUid: CONTEXT.sopInstanceUid,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.77.1.4',
    transferSyntaxUid: '1.2.840.10008.1.2.4.50',
    modality: 'XC',
  });
  expect(holds(object, { tag: TAG.rows, vr: 'US', value: 24 })).toBe(true);
  expect(holds(object, { tag: 0x00080022, vr: 'DA', value: '20260104' })).toBe(true);
  expect(holds(object, { tag: 0x00282114, vr: 'CS', value: 'ISO_10918_1\\ISO_10918_1' })).toBe(true);
  for (const text of [SECRET, 'Exif', 'Phone', 'GPS']) {
    expect(Buffer.from(object.bytes).includes(text)).toBe(false);
  }
});

test('makes a secondary capture of everything else', async () => {
  const object = await wrap('png', makeRgbPng());
  expect(object).toMatchObject({
    sopClassUid: '1.2.840.10008.5.1.4.1.1.7',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    modality: 'OT',
  });
  expect(holds(object, { tag: TAG.patientName, vr: 'PN', value: 'Doe^Jane' })).toBe(true);
  expect(Buffer.from(object.bytes).includes(SECRET)).toBe(false);
});

test('asks for the context when it knows where the picture comes from', async () => {
  const origins: string[] = [];
  const contextOf = (origin: string) => {
    origins.push(origin);
    return CONTEXT;
  };
  await wrapImage(tasks, withMetadata(makeJpeg(), { make: 'Phone' }), 'jpeg', contextOf);
  await wrapImage(tasks, makeJpeg(), 'jpeg', contextOf);
  expect(origins).toEqual(['camera', 'screen']);
});

test('holds a compressed frame behind an empty offset table, padded to an even length', async () => {
  const odd = [24, 25, 26, 27].map((columns) => makeJpeg(columns)).find(({ length }) => length % 2 === 1);
  const object = await wrap('jpeg', odd ?? new Uint8Array(0));
  const bytes = Buffer.from(object.bytes);
  const at = bytes.indexOf(Buffer.of(0xe0, 0x7f, 0x10, 0x00));
  const offsetTable = bytes.subarray(at + 12, at + 20);
  expect([...offsetTable]).toEqual([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
  const length = bytes.readUInt32LE(at + 24);
  expect(length).toBe((odd?.length ?? 0) + 1);
  const frame = bytes.subarray(at + 28, at + 28 + length);
  expect([...frame.subarray(0, 2)]).toEqual([0xff, 0xd8]);
  expect(frame.lastIndexOf(Buffer.of(0xff, 0xd9))).toBe(length - 3);
});

test.each([
  ['jpeg', makeJpeg().subarray(0, 300), 'IMAGE_DAMAGED'],
  ['jpeg', withFrame(makeJpeg(), { marker: 0xc9 }), 'IMAGE_UNSUPPORTED'],
  [
    'png',
    makePng({ columns: 60_000, rows: 60_000, depth: 8, colourType: 2, lines: [[0]] }),
    'IMAGE_TOO_LARGE',
  ],
  ['png', new Uint8Array(64 * 1024 * 1024 + 1), 'IMAGE_TOO_LARGE'],
] as const)('gives back why a %s is refused, in words for its sender', async (kind, bytes, code) => {
  expect(await wrapImage(tasks, bytes, kind, CONTEXT)).toEqual({
    refused: { code, message: expect.stringMatching(/^(This picture|A JPEG) .+\. .+ add .+\.$/) },
  });
});

test('takes a picture that hangs or hoards as too large', async () => {
  const cramped = new IsolatedTasks({ memoryMb: 40 });
  const large = withMetadata(makeJpeg(3000, 2000), { orientation: 6 });
  const result = await wrapImage(cramped, large, 'jpeg', CONTEXT);
  await cramped.close();
  expect(result).toMatchObject({ refused: { code: 'IMAGE_TOO_LARGE' } });
}, 30_000);
