import { makeSlice, newUid, type SliceOptions } from '@relaypacs/core/dicom/testing/build.js';
import { sha256 } from './orthanc-contents.js';

/** A study made by code: its files and what must be found in the PACS afterwards. */
export interface MadeStudy {
  studyInstanceUid: string;
  files: Uint8Array[];
  /** SHA-256 by SOP Instance UID. */
  digests: Map<string, string>;
}

/** Makes a CT study of `slices` slices of one series, each of `rows` × `columns` 16-bit pixels. */
export function makeStudy(slices: number, options: SliceOptions = {}): MadeStudy {
  const studyInstanceUid = newUid();
  const seriesInstanceUid = newUid();
  const files: Uint8Array[] = [];
  const digests = new Map<string, string>();
  for (let i = 1; i <= slices; i += 1) {
    const sopInstanceUid = newUid();
    const file = makeSlice({
      studyInstanceUid,
      seriesInstanceUid,
      sopInstanceUid,
      instanceNumber: i,
      patientName: 'Doe^Jane',
      modality: 'CT',
      ...options,
    });
    files.push(file);
    digests.set(sopInstanceUid, sha256(file));
  }
  return { studyInstanceUid, files, digests };
}
