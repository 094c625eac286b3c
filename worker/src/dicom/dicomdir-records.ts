import dcmjs from 'dcmjs';

/** An object that a DICOMDIR lists (PS3.3 §F.3). */
export interface DicomdirFile {
  /** Path on the disc, with `/`. */
  path: string;
  sopInstanceUid?: string;
  studyInstanceUid?: string;
  seriesInstanceUid?: string;
}

export interface DicomdirRecords {
  files: DicomdirFile[];
}

const TAG = {
  records: '00041220',
  recordType: '00041430',
  referencedFileId: '00041500',
  referencedSopInstanceUid: '00041511',
  studyInstanceUid: '0020000D',
  seriesInstanceUid: '0020000E',
} as const;

/** Of a File ID (PS3.10 §8.2). */
const MOST_COMPONENTS = 8;
/** More records than any disc has. */
const MOST_RECORDS = 100_000;

/** Longer than a UID or a component of a File ID may be. */
const MOST_VALUE = 64;

type Item = Record<string, { Value?: unknown[] } | undefined>;

/**
 * Reads what a DICOMDIR lists. The records of one branch follow each other in nearly every writer's files: a file
 * belongs to the last study and series before it. To be run where it can be ended: dcmjs takes as much time and memory
 * as the file asks for.
 *
 * @param bytes - a file that our scanner has walked through
 * @throws whatever dcmjs throws on what it cannot read
 */
export function readDicomdirRecords(bytes: Uint8Array): DicomdirRecords {
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { dict } = dcmjs.data.DicomMessage.readFile(buffer);
  const files: DicomdirFile[] = [];
  let study: string | undefined;
  let series: string | undefined;
  for (const record of (dict[TAG.records]?.Value ?? []).slice(0, MOST_RECORDS) as Item[]) {
    const type = text(record, TAG.recordType);
    if (type === 'PATIENT') [study, series] = [undefined, undefined];
    if (type === 'STUDY') [study, series] = [text(record, TAG.studyInstanceUid), undefined];
    if (type === 'SERIES') series = text(record, TAG.seriesInstanceUid);
    const path = values(record, TAG.referencedFileId).slice(0, MOST_COMPONENTS).join('/');
    const sopInstanceUid = text(record, TAG.referencedSopInstanceUid);
    if (path === '' && sopInstanceUid === undefined) continue;
    files.push({
      path,
      ...(sopInstanceUid === undefined ? {} : { sopInstanceUid }),
      ...(study === undefined ? {} : { studyInstanceUid: study }),
      ...(series === undefined ? {} : { seriesInstanceUid: series }),
    });
  }
  return { files };
}

function values(record: Item, tag: string): string[] {
  return (record[tag]?.Value ?? []).flatMap((value) =>
    typeof value === 'string'
      ? [
          value
            .replace(/\p{Cc}/gu, ' ')
            .trim()
            .slice(0, MOST_VALUE),
        ]
      : [],
  );
}

function text(record: Item, tag: string): string | undefined {
  return values(record, tag)[0] || undefined;
}
