import { inflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { concatBytes, type DicomElement, encodeElements } from './encode.js';
import { EXPLICIT_LITTLE } from './encoding.js';
import { addPatientId } from './patient-id-addition.js';
import { scanDicom } from './scan.js';
import { bytesSource } from './source.js';
import { composedSource } from './source-piece.js';
import { TAG } from './tags.js';
import { buildDicom, type DicomOptions } from './testing/build.js';

const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';
const BIG = '1.2.840.10008.1.2.2';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const JPEG = '1.2.840.10008.1.2.4.50';

const UIDS = { sopInstanceUid: '2.25.1', studyInstanceUid: '2.25.2', seriesInstanceUid: '2.25.3' };
const build = (options: DicomOptions) => buildDicom({ ...UIDS, ...options });
const patientId = (value: DicomElement['value'], vr = 'LO'): DicomElement => ({
  tag: TAG.patientId,
  vr,
  value,
});
const without = (options: DicomOptions = {}) => build({ ...options, omit: [TAG.patientId] });
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** The file with the ID; undefined when none was added. */
async function added(file: Uint8Array, id = 'P-12'): Promise<Uint8Array | undefined> {
  const source = bytesSource(file);
  const addition = await addPatientId(source, id);
  if (!addition) return undefined;
  const composed = composedSource(source, addition.pieces);
  expect(addition.size).toBe(composed.size);
  const bytes = await composed.read(0, composed.size);
  expect(addition.attributes).toEqual((await scanDicom(bytesSource(bytes))).attributes);
  return bytes;
}

/** That the outcome is the file as it would have been with the ID from the beginning. */
async function expectAsIfBuilt(file: Uint8Array, options: DicomOptions, id = 'P-12'): Promise<void> {
  const bytes = await added(file, id);
  expect(hex(bytes ?? new Uint8Array())).toBe(hex(build({ ...options, patientId: id })));
}

describe('a Patient ID', () => {
  it.each([IMPLICIT, EXPLICIT, BIG, JPEG])(
    'is put in at its place where it is absent, in %s',
    async (syntax) => {
      await expectAsIfBuilt(without({ transferSyntaxUid: syntax }), { transferSyntaxUid: syntax });
    },
  );

  it.each([IMPLICIT, EXPLICIT, BIG])('takes the place of an empty one, in %s', async (syntax) => {
    await expectAsIfBuilt(build({ transferSyntaxUid: syntax, elements: [patientId('')] }), {
      transferSyntaxUid: syntax,
    });
  });

  it('takes the place of one that is padding alone, whatever its data type', async () => {
    for (const blank of [patientId('    '), patientId(new Uint8Array(2)), patientId('', 'UN')]) {
      await expectAsIfBuilt(build({ elements: [blank] }), {});
    }
  });

  it('is put into a deflated data set, which is deflated anew', async () => {
    const file = await added(without({ transferSyntaxUid: DEFLATED }));
    const { meta } = await scanDicom(bytesSource(file!));
    const dataset = (whole: Uint8Array) => hex(inflateSync(whole.subarray(meta!.datasetOffset)));
    expect(dataset(file!)).toBe(dataset(build({ transferSyntaxUid: DEFLATED, patientId: 'P-12' })));
  });

  it('is counted by the length of its group, where the group has one', async () => {
    const groupLength = (value: number): DicomElement => ({ tag: 0x00100000, vr: 'UL', value });
    const file = build({ elements: [groupLength(66)], omit: [TAG.patientId] });
    // Eight bytes of header and four of value; another empty one would be eight less.
    await expectAsIfBuilt(file, { elements: [groupLength(78)] });
    await expectAsIfBuilt(build({ elements: [groupLength(74), patientId('')] }), {
      elements: [groupLength(78)],
    });
  });

  it('is padded with a space, and written in the character set of the file', async () => {
    await expectAsIfBuilt(without(), {}, 'ODD');
    const latin1: DicomElement = { tag: TAG.specificCharacterSet, vr: 'CS', value: 'ISO_IR 100' };
    const file = await added(without({ elements: [latin1] }), 'Ü-1');
    expect(hex(file!)).toContain(
      hex(Uint8Array.of(0x10, 0, 0x20, 0, 0x4c, 0x4f, 4, 0, 0xdc, 0x2d, 0x31, 0x20)),
    );
  });
});

describe('nothing is added', () => {
  it.each<[string, DicomOptions]>([
    ['to a file that has one', {}],
    ['to one whose ID is several', { elements: [patientId('\\P-9')] }],
    ['to one whose ID is too long to be read', { elements: [patientId('x'.repeat(70_000), 'UT')] }],
    [
      'to one whose ID is written as a sequence',
      {
        elements: [
          { tag: TAG.patientId, vr: 'UN', value: { items: [[patientId('P-9')]], undefinedLength: true } },
        ],
      },
    ],
    ['to a broken file', { omit: [TAG.patientId], truncateTo: 600 }],
    ['to one that has to be repaired before', { omit: [TAG.patientId], trailing: new Uint8Array(3) }],
  ])('%s', async (_, options) => {
    expect(await added(build(options))).toBeUndefined();
  });

  it('to a file with two of them, one of which is empty', async () => {
    const file = without();
    const twice = encodeElements([patientId(''), patientId('P-9')], EXPLICIT_LITTLE);
    const next = encodeElements(
      [{ tag: TAG.patientBirthDate, vr: 'DA', value: '19700101' }],
      EXPLICIT_LITTLE,
    );
    const at = Buffer.from(file).indexOf(Buffer.from(next));
    expect(await added(concatBytes([file.subarray(0, at), twice, file.subarray(at)]))).toBeUndefined();
  });

  it('to a file whose elements are out of order, as another ID may stand anywhere', async () => {
    const behind = encodeElements([patientId('x'.repeat(70_000), 'UT')], EXPLICIT_LITTLE);
    expect(await added(concatBytes([without(), behind]))).toBeUndefined();
  });

  it('that the character set of the file cannot write', async () => {
    const latin1: DicomElement = { tag: TAG.specificCharacterSet, vr: 'CS', value: 'ISO_IR 100' };
    expect(await added(without({ elements: [latin1] }), 'Ж-7')).toBeUndefined();
  });

  it('and the fault is told when the storage fails', async () => {
    const read = async () => Promise.reject(new Error('EIO'));
    await expect(addPatientId({ size: 1000, read }, 'P-12')).rejects.toThrow('EIO');
  });
});

it('copies no pixels, and reads no more of them than a scan does', async () => {
  const file = without({ rows: 1024, columns: 1024 });
  let bytesRead = 0;
  const source = {
    size: file.length,
    read: async (offset: number, length: number) => {
      bytesRead += length;
      return file.subarray(offset, offset + length);
    },
  };
  const addition = await addPatientId(source, 'P-12');
  const copied = addition?.pieces.reduce(
    (sum, piece) => sum + ('bytes' in piece ? piece.bytes.length : 0),
    0,
  );
  expect(copied).toBe(12);
  expect(bytesRead).toBeLessThan(300_000);
});
