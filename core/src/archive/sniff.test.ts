import { expect, it } from 'vitest';
import { buildDicom } from '../dicom/testing/build.js';
import { sniffContainer } from './sniff.js';
import { buildZip } from './testing/build-zip.js';

function head(...parts: (string | number[])[]): Uint8Array {
  const bytes = parts.flatMap((part) =>
    typeof part === 'string' ? [...part].map((character) => character.charCodeAt(0)) : part,
  );
  return Uint8Array.from([...bytes, ...new Array<number>(32).fill(0)]).subarray(0, 32);
}

it.each([
  ['zip', buildZip([{ path: 'a' }])],
  ['zip', buildZip([])],
  ['zip', head('PK\x07\x08PK\x03\x04')],
  ['zip', head('PK00PK\x03\x04')],
  ['gzip', head([0x1f, 0x8b, 8])],
  ['jpeg', head([0xff, 0xd8, 0xff, 0xe1])],
  ['png', head([0x89], 'PNG\r\n\x1a\n')],
  ['heic', head([0, 0, 0, 24], 'ftypheic', [0, 0, 0, 0], 'mif1heic')],
  ['heic', head([0, 0, 0, 24], 'ftypxxxx', [0, 0, 0, 0], 'miafmif1')],
  ['heic', head([0, 0, 0, 24], 'ftypavif', [0, 0, 0, 0])],
  [undefined, head([0, 0, 0, 24], 'ftypisom', [0, 0, 0, 0], 'isommp42mif1')],
  [undefined, head([0, 0, 0, 16], 'ftypqt  ', [0, 0, 0, 0], 'mif1')],
  [undefined, buildDicom()],
  [undefined, head('%PDF-1.7')],
  [undefined, new Uint8Array(0)],
  [undefined, Uint8Array.of(0x50, 0x4b)],
])('%s by its first bytes (%#)', (kind, bytes) => {
  expect(sniffContainer(bytes.subarray(0, 32))).toBe(kind);
});
