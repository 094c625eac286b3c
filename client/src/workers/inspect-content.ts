import { SNIFF_BYTES, sniffContainer } from '@relaypacs/core/archive/sniff.js';
import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import type { ByteSource } from '@relaypacs/core/dicom/source.js';
import { instanceFacts } from '@relaypacs/core/studies/instance-facts.js';
import { findExifDate } from './exif-date.js';
import type { ContentInspection, FileHeader, NothingToSend } from './inspection.js';
import { MOST_PHOTO_BYTES, PHOTO_HEAD_BYTES, readPhotoFacts } from './photo-facts.js';
import { OTHER_HEAD_BYTES, refusalOf, startsWith } from './sniff-other.js';

const TOO_LARGE: NothingToSend = {
  kind: 'other',
  wanted: true,
  reason: 'This picture has more than 64 MiB. Save a smaller copy of it and choose that.',
};

/**
 * Looks into bytes that may be anything, in slices; the pixels are not read. What they are is told by the first of
 * them, never by a name.
 *
 * @returns the kind of archive, for one that has to be opened
 * @throws what `source.read` rejects with
 */
export async function inspectContent(source: ByteSource): Promise<ContentInspection | 'zip' | 'gzip'> {
  const head = await source.read(0, Math.min(OTHER_HEAD_BYTES, source.size));
  // A preamble may look like anything (PS3.10 §7.1): the prefix behind it decides.
  const container = startsWith(head, 'DICM', 128) ? undefined : sniffContainer(head.subarray(0, SNIFF_BYTES));
  if (container === 'zip' || container === 'gzip') return container;
  if (container === undefined) return inspectDicom(source, head);
  const start = await source.read(0, Math.min(PHOTO_HEAD_BYTES, source.size));
  if (container === 'heic') {
    const takenOn = findExifDate(start);
    return { kind: 'heic', ...(takenOn === undefined ? {} : { takenOn }) };
  }
  if (source.size > MOST_PHOTO_BYTES) return TOO_LARGE;
  return { kind: 'image', format: container, ...readPhotoFacts(container, start) };
}

async function inspectDicom(source: ByteSource, head: Uint8Array): Promise<ContentInspection> {
  const { isDicom, findings, attributes } = await scanDicom(source);
  if (!isDicom) return refusalOf(head);
  const fault = findings.find(({ tier }) => tier === 'reject');
  // The table of contents of a disc is DICOM, but nothing that could be damaged or sent.
  if (fault?.code === 'DICOMDIR') return { kind: 'other', reason: fault.message };
  const header = headerOf(attributes);
  if (fault) return { kind: 'damaged', header, reason: fault.message };
  const facts = instanceFacts(attributes);
  const repair = findings.find(({ needsRewrite }) => needsRewrite)?.message;
  return {
    kind: 'usable',
    header,
    ...(facts === undefined ? {} : { facts }),
    ...(repair === undefined ? {} : { repair }),
  };
}

/** Only what the page needs crosses from the worker. */
function headerOf(attributes: StudyAttributes): FileHeader {
  const { studyInstanceUid, seriesInstanceUid, sopInstanceUid, patientName, patientId } = attributes;
  const { patientBirthDate, patientSex, studyDate, studyDescription, modality } = attributes;
  const header = { studyInstanceUid, seriesInstanceUid, sopInstanceUid, patientName, patientId };
  const more = { patientBirthDate, patientSex, studyDate, studyDescription, modality };
  return Object.fromEntries(
    Object.entries({ ...header, ...more }).filter(([, value]) => value !== undefined),
  );
}
