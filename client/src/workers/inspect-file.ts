import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import { blobSource } from '@relaypacs/core/dicom/source.js';

export type FileHeader = Pick<
  StudyAttributes,
  | 'studyInstanceUid'
  | 'seriesInstanceUid'
  | 'sopInstanceUid'
  | 'patientName'
  | 'patientId'
  | 'patientBirthDate'
  | 'patientSex'
  | 'studyDate'
  | 'studyDescription'
  | 'modality'
>;

/**
 * What a look into one file has shown. `usable` files can be sent; `damaged` ones are DICOM that no archive would
 * take; `other` is anything else. `reason` is a sentence for people.
 */
export type Inspection =
  | { kind: 'usable'; header: FileHeader }
  | { kind: 'damaged'; header: FileHeader; reason: string }
  | { kind: 'other'; reason: string };

/** Reads the header of a file in slices; the pixels are not read. Never rejects. */
export async function inspectFile(file: Blob, name: string): Promise<Inspection> {
  try {
    const scan = await scanDicom(blobSource(file));
    const fault =
      scan.findings.find((finding) => finding.tier === 'reject') ??
      // Files are delivered unchanged: what would have to be edited is not accepted by the server.
      scan.findings.find((finding) => finding.needsRewrite);
    if (!scan.isDicom) return { kind: 'other', reason: otherReason(name, file.size) };
    // The table of contents of a disc is DICOM, but nothing that could be damaged or sent.
    if (fault?.code === 'DICOMDIR') return { kind: 'other', reason: fault.message };
    const header = headerOf(scan.attributes);
    return fault ? { kind: 'damaged', header, reason: fault.message } : { kind: 'usable', header };
  } catch {
    return { kind: 'other', reason: 'The file cannot be read from this device.' };
  }
}

function otherReason(name: string, size: number): string {
  if (size === 0) return 'The file is empty.';
  if (/\.(zip|7z|rar|tgz|gz)$/i.test(name))
    return 'This is an archive: unpack it first and choose the folder.';
  if (/\.(jpe?g|png|heic|gif|bmp|tiff?)$/i.test(name)) return 'Photos and scans cannot be sent yet.';
  return 'This is not a DICOM file.';
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
