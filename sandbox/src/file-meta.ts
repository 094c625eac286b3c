import { createReadStream } from 'node:fs';
import { withDataset } from './dicom-file.js';

/** dcm4che's Implementation Class UID and a Version Name of its kind. */
const IMPLEMENTATION_CLASS_UID = '1.2.40.0.13.1.3';
const IMPLEMENTATION_VERSION_NAME = 'dcm4che-sandbox';
const PREAMBLE = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]);

/**
 * The file with a file meta information of the archive's own (PS3.10 7.1) before its unchanged data set, which may
 * have been bare. Throws DicomFormatError when it cannot be read.
 */
export async function* withNewFileMeta(
  path: string,
  { sopClass, instance }: { sopClass: string; instance: string },
): AsyncGenerator<Buffer> {
  const found = await withDataset(path, async ({ start, transferSyntax }) => ({ start, transferSyntax }));
  const meta = Buffer.concat([
    element(0x0001, 'OB', Buffer.from([0, 1])),
    element(0x0002, 'UI', Buffer.from(sopClass, 'latin1')),
    element(0x0003, 'UI', Buffer.from(instance, 'latin1')),
    element(0x0010, 'UI', Buffer.from(found.transferSyntax, 'latin1')),
    element(0x0012, 'UI', Buffer.from(IMPLEMENTATION_CLASS_UID, 'latin1')),
    element(0x0013, 'SH', Buffer.from(IMPLEMENTATION_VERSION_NAME, 'latin1')),
  ]);
  const groupLength = Buffer.alloc(4);
  groupLength.writeUInt32LE(meta.length);
  yield Buffer.concat([PREAMBLE, element(0x0000, 'UL', groupLength), meta]);
  yield* createReadStream(path, { start: found.start }) as AsyncIterable<Buffer>;
}

/** An element of group 0002, explicit VR little endian. */
function element(number: number, vr: 'OB' | 'SH' | 'UI' | 'UL', value: Buffer): Buffer {
  const padding = Buffer.from(value.length % 2 === 0 ? '' : vr === 'SH' ? ' ' : '\0');
  const padded = Buffer.concat([value, padding]);
  const head = Buffer.alloc(vr === 'OB' ? 12 : 8);
  head.writeUInt16LE(0x0002, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, 'latin1');
  if (vr === 'OB') head.writeUInt32LE(padded.length, 8);
  else head.writeUInt16LE(padded.length, 6);
  return Buffer.concat([head, padded]);
}
