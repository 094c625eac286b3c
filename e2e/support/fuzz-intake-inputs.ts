/** Files as they may arrive, and the same spoilt: every input is made from a seed and its number, to be repeated. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import { buildZip, type ZipFile, type ZipOptions } from '@relaypacs/core/archive/testing/build-zip.js';
import { mixedBytes, randomFrom } from '@relaypacs/core/archive/testing/seeded-random.js';
import { concatBytes } from '@relaypacs/core/dicom/encode.js';
import { buildDicom, type DicomElement, type DicomOptions } from '@relaypacs/core/dicom/testing/build.js';

type Random = ReturnType<typeof randomFrom>;

const MIB = 1024 * 1024;
/** One input in this many is larger than what is kept in memory while it is looked at. */
const LARGE_EVERY = 500;
const LARGE_BYTES = 9 * MIB;

const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const SMALL = {
  rows: 16,
  columns: 16,
  studyInstanceUid: '1.2.4',
  seriesInstanceUid: '1.2.5',
  sopInstanceUid: '1.2.3',
};
const IMPLICIT = '1.2.840.10008.1.2';
const IDENTIFIERS = [0x00080018, 0x0020000d, 0x0020000e];
const DEFLATED = '1.2.840.10008.1.2.1.99';
const programPreamble = new Uint8Array(128);
programPreamble.set(ascii('MZ'));

const DICOM_OPTIONS: readonly DicomOptions[] = [
  // Every way to write a data set.
  { nesting: 3 },
  { nesting: 3, nestingLengths: 'defined' },
  { transferSyntaxUid: IMPLICIT, nesting: 4, nestingLengths: 'defined' },
  { transferSyntaxUid: IMPLICIT, nesting: 2 },
  { transferSyntaxUid: '1.2.840.10008.1.2.2', nesting: 4 },
  { transferSyntaxUid: DEFLATED, nesting: 2 },
  { transferSyntaxUid: '1.2.840.10008.1.2.4.50', frames: 5 },
  { transferSyntaxUid: '1.2.840.10008.1.2.4.70' },
  { transferSyntaxUid: '1.2.840.10008.1.2.4.80', frames: 2 },
  { transferSyntaxUid: '1.2.840.10008.1.2.4.90' },
  { transferSyntaxUid: '1.2.840.10008.1.2.4.201' },
  { transferSyntaxUid: '1.2.840.10008.1.2.5', frames: 3 },
  { samplesPerPixel: 3, bitsAllocated: 8 },
  { frames: 4 },
  { patientName: 'Müller^Änne=山田^太郎' },
  // Every need of a repair.
  { preamble: null },
  { preamble: null, meta: null, transferSyntaxUid: IMPLICIT },
  { preamble: null, meta: null },
  { preamble: null, meta: null, transferSyntaxUid: '1.2.840.10008.1.2.2' },
  { meta: null },
  { preamble: programPreamble },
  { meta: { sopInstanceUid: '1.2.99' } },
  { meta: { transferSyntaxUid: null } },
  { meta: { groupLength: 17 } },
  { meta: { groupLength: null } },
  { meta: { groupLength: 300 } },
  { preamble: new Uint8Array(0) },
  { trailing: new Uint8Array(5) },
  { trailing: new Uint8Array(5), transferSyntaxUid: DEFLATED },
  { omit: IDENTIFIERS, preamble: null, meta: null },
  { omit: IDENTIFIERS, preamble: null, meta: null, transferSyntaxUid: IMPLICIT, nesting: 2 },
  { omit: IDENTIFIERS, preamble: null, transferSyntaxUid: DEFLATED },
];
const DICOM = DICOM_OPTIONS.map((options) => buildDicom({ ...SMALL, ...options }));

const record = (type: string, ...more: DicomElement[]): DicomElement[] => [
  { tag: 0x00041400, vr: 'UL', value: 0 },
  { tag: 0x00041420, vr: 'UL', value: 0 },
  { tag: 0x00041430, vr: 'CS', value: type },
  ...more,
];
const DICOMDIR = buildDicom({
  meta: { sopClassUid: '1.2.840.10008.1.3.10' },
  pixels: null,
  elements: [
    {
      tag: 0x00041220,
      vr: 'SQ',
      value: {
        items: [
          record('PATIENT', { tag: 0x00100020, vr: 'LO', value: 'P1' }),
          record('STUDY', { tag: 0x0020000d, vr: 'UI', value: '1.2.4' }),
          record('SERIES', { tag: 0x0020000e, vr: 'UI', value: '1.2.5' }),
          record(
            'IMAGE',
            { tag: 0x00041500, vr: 'CS', value: 'IMAGES\\IM1' },
            { tag: 0x00041511, vr: 'UI', value: '1.2.3' },
          ),
        ],
      },
    },
  ],
});

const JPEG = concatBytes([
  Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16),
  ascii('JFIF\0\x01\x01\0\0\x01\0\x01\0\0'),
  mixedBytes(300, 1),
]);
const PNG = concatBytes([
  ascii('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x01\x08\0\0\0\0'),
  mixedBytes(200, 2),
]);
const OTHERS = [
  JPEG,
  PNG,
  ascii('\0\0\0\x18ftypheic\0\0\0\0mif1heic and so on'),
  ascii('Rar!\x1a\x07\x01\0 and so on'),
  ascii("7z\xbc\xaf'\x1c and so on"),
  ascii('How to use the viewer\r\n'),
  new Uint8Array(0),
];

const pick = <T>(of: readonly T[], random: Random): T => of[random(of.length)] as T;

const NUMBERS = [0, 1, 7, 8, 20, 0xff, 0xffff, 0x10000, 0x7fffffff, 0xfffffffe, 0xffffffff];
const PIECES = [
  ...['SQ', 'UN', 'OB', 'UT', '\\', '\0', '\x1b$B', '\x1b$)C', 'DICM', '\xfe\xff\0\xe0', '\xfe\xff\xdd\xe0'],
  ...['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07', 'PK\x07\x08'],
  ...['\x1f\x8b\x08', '\xff\xd8\xff\xe0', '../', '\xed\xa0\x80'],
].map(ascii);

/** One change: a byte, a cut, another number, a splice of the file's own bytes, a gap, or a telling piece. */
function mutate(original: Uint8Array, random: Random): Uint8Array {
  if (original.length === 0) return original;
  const bytes = original.slice();
  const view = new DataView(bytes.buffer);
  // Most changes go where there is most to break: a header at the start, or a directory at the end.
  const places = [bytes.length, Math.min(900, bytes.length), Math.min(200, bytes.length)];
  const place = random(pick(places, random));
  const at = random(4) === 0 ? bytes.length - 1 - place : place;
  switch (random(8)) {
    case 0:
    case 1:
      bytes[at] = random(256);
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      if (at + 4 <= bytes.length) view.setUint32(at, pick(NUMBERS, random), random(8) !== 0);
      return bytes;
    case 4:
      if (at + 2 <= bytes.length) view.setUint16(at, pick(NUMBERS, random), random(8) !== 0);
      return bytes;
    case 5: {
      const from = random(bytes.length);
      return concatBytes([
        bytes.subarray(0, at),
        bytes.subarray(from, from + random(400)),
        bytes.subarray(at),
      ]);
    }
    case 6:
      return concatBytes([bytes.subarray(0, at), bytes.subarray(at + 1 + random(40))]);
    default:
      bytes.set(pick(PIECES, random).subarray(0, bytes.length - at), at);
      return bytes;
  }
}

/** None to three changes. */
function spoil(bytes: Uint8Array, random: Random): Uint8Array {
  let spoilt = bytes;
  for (let left = random(4); left > 0; left -= 1) spoilt = mutate(spoilt, random);
  return spoilt;
}

const ZIP_OPTIONS: readonly ZipOptions[] = [
  {},
  { zip64: true },
  { comment: ascii('made by a console') },
  { prefix: new Uint8Array(60) },
  { omitDirectory: true },
  { trailing: new Uint8Array(30) },
];

/** An archive of a few files, some spoilt before they were packed, at times with an archive among them. */
function makeZip(random: Random, depth: number): Uint8Array {
  const described = random(4) === 0;
  const zip64 = random(4) === 0;
  const files = Array.from({ length: 1 + random(4) }, (_, i): ZipFile => {
    const nests = depth < 2 && random(5) === 0;
    const content = nests ? makeZip(random, depth + 1) : spoil(pickFile(random), random);
    const places = [`IM${i}`, `DISC/IMAGES/IM${i}`, `DISC/IM${i}.DCM`, `Bäder/${i}`, 'DICOMDIR'];
    const path = random(12) === 0 ? '../etc/passwd' : pick(places, random);
    return { path, content, deflate: random(2) === 0, dataDescriptor: described, zip64 };
  });
  return buildZip(files, pick(ZIP_OPTIONS, random));
}

function pickFile(random: Random): Uint8Array {
  const which = random(20);
  if (which === 0) return DICOMDIR;
  if (which < 4) return pick(OTHERS, random);
  return pick(DICOM, random);
}

/** A slice that is never held in memory as a whole by intake, plain, in a ZIP and gzip'ed; made once. */
let large: readonly Uint8Array[] | undefined;

function largeFiles(): readonly Uint8Array[] {
  if (large) return large;
  const columns = 2048;
  const rows = Math.ceil(LARGE_BYTES / (2 * columns));
  const noise = mixedBytes(MIB, 3);
  const pixels = concatBytes(Array.from({ length: 10 }, () => noise)).subarray(0, 2 * rows * columns);
  const content = buildDicom({ ...SMALL, rows, columns, pixels });
  const stored = new Uint8Array(deflateRawSync(content, { level: 1 }));
  large = [
    content,
    buildZip([{ path: 'IM1', content, stored, deflate: true }]),
    new Uint8Array(gzipSync(content, { level: 1 })),
  ];
  return large;
}

/** The file with this number. */
export function makeIntakeInput(seed: number, input: number): Uint8Array {
  const random = randomFrom(seed * 1_000_003 + input);
  if (input % LARGE_EVERY === LARGE_EVERY - 1) return spoil(pick(largeFiles(), random), random);
  const kind = random(16);
  if (kind < 8) return spoil(pick(DICOM, random), random);
  if (kind < 12) return spoil(makeZip(random, 0), random);
  if (kind < 14) {
    const content = random(4) === 0 ? makeZip(random, 0) : spoil(pickFile(random), random);
    return spoil(new Uint8Array(gzipSync(content)), random);
  }
  return spoil(kind === 14 ? DICOMDIR : pick(OTHERS, random), random);
}
