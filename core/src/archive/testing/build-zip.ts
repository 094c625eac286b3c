/**
 * ZIP archives made by code, for the tests of every package: valid by default, and broken in any way that is asked
 * for. Layout and field names follow PKWARE's APPNOTE 6.3.10.
 */
import { deflateSync } from 'fflate';
import { concatBytes } from '../../dicom/encode.js';
import { Crc32 } from '../crc32.js';

/** Values to write in place of the right ones. */
export interface HeaderLies {
  flags?: number;
  method?: number;
  crc32?: number;
  storedBytes?: number;
  bytes?: number;
  nameBytes?: Uint8Array;
  extra?: Uint8Array;
}

export interface ZipFile {
  /** Written in UTF-8, with flag bit 11 where it is not plain ASCII. A trailing `/` makes it a folder. */
  path: string;
  /** Raw name in place of the path, without flag bit 11. */
  nameBytes?: Uint8Array;
  content?: Uint8Array;
  /** Method 8 instead of 0. */
  deflate?: boolean;
  /** Bytes to write as they are in place of the stored or deflated content. */
  stored?: Uint8Array;
  /** Flag bit 0; the data is not really encrypted. */
  encrypted?: boolean;
  /** Sizes and checksum behind the data (flag bit 3), and zeros in the local header. */
  dataDescriptor?: boolean;
  /** Sizes, and the offset in the directory, as 64-bit numbers in the extra field. */
  zip64?: boolean;
  /** Further extra fields (header and data), in both headers. */
  extra?: Uint8Array;
  /** Upper byte of "version made by"; 3 is Unix. */
  hostSystem?: number;
  /** What the local header says instead. */
  local?: HeaderLies;
  /** What the directory says instead. */
  directory?: HeaderLies & { headerOffset?: number; disk?: number };
  /** Writes no data of its own: its directory record points to the local header of the entry with this index. */
  sharesDataOf?: number;
}

export interface ZipOptions {
  comment?: Uint8Array;
  /** Bytes before the archive; the offsets in it do not count them. */
  prefix?: Uint8Array;
  /** Let the offsets count the prefix, as `zip -A` does. */
  offsetsCountPrefix?: boolean;
  /** Write the ZIP64 end record and its locator. */
  zip64?: boolean;
  /** What the end record says instead. */
  entries?: number;
  directoryBytes?: number;
  directoryOffset?: number;
  disk?: number;
  /** Leave out the directory and all that follows. */
  omitDirectory?: boolean;
  /** Leave out the end record and all that follows. */
  omitEnd?: boolean;
  /** Bytes behind the archive. */
  trailing?: Uint8Array;
  /** Cut the archive to this many bytes. */
  truncateTo?: number;
}

/** An archive of these files, in their order; valid unless the options break it. */
export function buildZip(files: readonly ZipFile[], options: ZipOptions = {}): Uint8Array {
  const { prefix = new Uint8Array(0) } = options;
  const origin = options.offsetsCountPrefix ? prefix.length : 0;
  const locals: Uint8Array[] = [];
  const records: Uint8Array[] = [];
  const offsets: number[] = [];
  let offset = origin;
  for (const file of files) {
    const headerOffset = file.sharesDataOf === undefined ? offset : (offsets[file.sharesDataOf] ?? 0);
    const headers = buildEntry(file, headerOffset);
    offsets.push(headerOffset);
    records.push(headers.record);
    if (file.sharesDataOf !== undefined) continue;
    locals.push(headers.local);
    offset += headers.local.length;
  }
  const directory = concatBytes(records);
  const end = buildEnd(files.length, directory.length, offset, offset + directory.length, options);
  const archive = concatBytes([
    prefix,
    ...locals,
    ...(options.omitDirectory ? [] : [directory]),
    ...(options.omitDirectory || options.omitEnd ? [] : [end]),
    options.trailing ?? new Uint8Array(0),
  ]);
  return options.truncateTo === undefined ? archive : archive.slice(0, options.truncateTo);
}

/** One extra field: its id, its length and its data (APPNOTE 4.5.1). */
export function extraField(id: number, data: Uint8Array): Uint8Array {
  return concatBytes([numbers([2, id], [2, data.length]), data]);
}

/** Info-ZIP's Unicode Path extra field (APPNOTE 4.6.9), made out to the raw name that it replaces. */
export function unicodePathField(path: string, rawName: Uint8Array): Uint8Array {
  const head = numbers([1, 1], [4, new Crc32().update(rawName).value]);
  return extraField(0x7075, concatBytes([head, new TextEncoder().encode(path)]));
}

function buildEntry(file: ZipFile, headerOffset: number): { local: Uint8Array; record: Uint8Array } {
  const content = file.content ?? new Uint8Array(0);
  const data = file.stored ?? (file.deflate ? deflateSync(content) : content);
  const utf8 = file.nameBytes === undefined && /[^\x20-\x7e]/.test(file.path);
  const fields = {
    flags: (file.encrypted ? 1 : 0) | (file.dataDescriptor ? 8 : 0) | (utf8 ? 0x800 : 0),
    method: file.deflate ? 8 : 0,
    crc32: new Crc32().update(content).value,
    storedBytes: data.length,
    bytes: content.length,
    nameBytes: file.nameBytes ?? new TextEncoder().encode(file.path),
    extra: file.extra ?? new Uint8Array(0),
  };
  const described = file.dataDescriptor ? { crc32: 0, storedBytes: 0, bytes: 0 } : {};
  const local = { ...fields, ...described, ...file.local };
  const listed = { ...fields, headerOffset, disk: 0, ...file.directory };
  const descriptor = file.dataDescriptor ? buildDescriptor(fields, file.zip64 ?? false) : new Uint8Array(0);
  return {
    local: concatBytes([buildLocalHeader(local, file.zip64 ?? false), data, descriptor]),
    record: buildRecord(listed, file.zip64 ?? false, file.hostSystem ?? 0),
  };
}

type Fields = Required<HeaderLies>;

function buildLocalHeader(fields: Fields, zip64: boolean): Uint8Array {
  const sizes = numbers([8, fields.bytes], [8, fields.storedBytes]);
  const extra = zip64 ? concatBytes([extraField(1, sizes), fields.extra]) : fields.extra;
  return concatBytes([
    numbers([4, 0x04034b50], [2, zip64 ? 45 : 20], ...commonFields(fields, zip64)),
    numbers([2, fields.nameBytes.length], [2, extra.length]),
    fields.nameBytes,
    extra,
  ]);
}

function buildRecord(
  fields: Fields & { headerOffset: number; disk: number },
  zip64: boolean,
  hostSystem: number,
): Uint8Array {
  const wide = numbers([8, fields.bytes], [8, fields.storedBytes], [8, fields.headerOffset]);
  const extra = zip64 ? concatBytes([extraField(1, wide), fields.extra]) : fields.extra;
  return concatBytes([
    numbers([4, 0x02014b50], [1, 63], [1, hostSystem], [2, zip64 ? 45 : 20]),
    numbers(...commonFields(fields, zip64)),
    numbers([2, fields.nameBytes.length], [2, extra.length], [2, 0], [2, fields.disk], [2, 0], [4, 0]),
    numbers([4, zip64 ? 0xffffffff : fields.headerOffset]),
    fields.nameBytes,
    extra,
  ]);
}

/** Flags, method, 1 January 2026 00:00, checksum and sizes: the same in both headers. */
function commonFields(fields: Fields, zip64: boolean): [number, number][] {
  return [
    [2, fields.flags],
    [2, fields.method],
    [4, 0x5c210000],
    [4, fields.crc32],
    [4, zip64 ? 0xffffffff : fields.storedBytes],
    [4, zip64 ? 0xffffffff : fields.bytes],
  ];
}

function buildDescriptor(fields: Fields, zip64: boolean): Uint8Array {
  const width = zip64 ? 8 : 4;
  return numbers([4, 0x08074b50], [4, fields.crc32], [width, fields.storedBytes], [width, fields.bytes]);
}

function buildEnd(
  files: number,
  bytes: number,
  offset: number,
  endOffset: number,
  options: ZipOptions,
): Uint8Array {
  const { comment = new Uint8Array(0), zip64 = false, disk = 0, entries = files } = options;
  const { directoryBytes = bytes, directoryOffset = offset } = options;
  const end = numbers(
    [4, 0x06054b50],
    [2, disk],
    [2, disk],
    [2, zip64 ? 0xffff : entries],
    [2, zip64 ? 0xffff : entries],
    [4, zip64 ? 0xffffffff : directoryBytes],
    [4, zip64 ? 0xffffffff : directoryOffset],
    [2, comment.length],
  );
  if (!zip64) return concatBytes([end, comment]);
  const record = numbers(
    [4, 0x06064b50],
    [8, 44],
    [2, 45],
    [2, 45],
    [4, disk],
    [4, disk],
    [8, entries],
    [8, entries],
    [8, directoryBytes],
    [8, directoryOffset],
  );
  const locator = numbers([4, 0x07064b50], [4, 0], [8, endOffset], [4, 1]);
  return concatBytes([record, locator, end, comment]);
}

/** Little-endian numbers, each as `[width in bytes, value]`; a value too large for its width is cut off. */
export function numbers(...fields: readonly (readonly [number, number])[]): Uint8Array {
  return concatBytes(
    fields.map(([width, value]) => {
      const whole = new Uint8Array(8);
      new DataView(whole.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
      return whole.subarray(0, width);
    }),
  );
}
