import type { FileFinding } from '@relaypacs/core/contract/uploads.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { addPatientId } from '@relaypacs/core/dicom/patient-id-addition.js';
import type { ByteSource } from '@relaypacs/core/dicom/source.js';
import { composedSource, joinPieces, slicePieces } from '@relaypacs/core/dicom/source-piece.js';
import { areKeepable, digestPieces } from '../contents/source-pieces.js';
import { studiesOfAnnouncedPatient } from './announced-patient.js';
import type { DeliverableObject, RewrittenObject, Subject } from './examined.js';
import type { StudyDraft } from './group-studies.js';

const ADDED: FileFinding = {
  code: 'PATIENT_ID_ADDED',
  tier: 'repair',
  message: 'The images had no patient ID; the one you entered was added.',
};
const NOT_ADDED: FileFinding = {
  code: 'PATIENT_ID_NOT_ADDED',
  tier: 'warn',
  message:
    'The image has no patient ID, and the one you entered could not be added: it cannot be written in the character set of the image, or the image cannot be edited.',
};

/**
 * An object as it would be delivered with a Patient ID.
 *
 * @param source - the bytes the object was found in
 * @param object - one without a Patient ID, repaired or as it came
 * @throws only faults of the storage
 */
export async function withPatientId(
  source: ByteSource,
  object: DeliverableObject,
  patientId: string,
): Promise<RewrittenObject | undefined> {
  const { pieces: before } = object;
  const addition = await addPatientId(before ? composedSource(source, before) : source, patientId);
  if (!addition) return undefined;
  const pieces = before
    ? joinPieces(
        addition.pieces.flatMap((piece) =>
          'bytes' in piece ? [piece] : slicePieces(before, piece.offset, piece.length),
        ),
      )
    : addition.pieces;
  if (!areKeepable(pieces)) return undefined;
  const { attributes, size } = addition;
  return { attributes, size, sha256: await digestPieces(source, pieces), pieces };
}

/**
 * Gives the objects of the announced patient's studies that have no Patient ID the one the sender entered, and says so
 * at their files. Nothing happens unless the sender, or what the PACS refused, has asked for it.
 */
export function addAnnouncedPatientId(
  upload: UploadRow,
  studies: readonly StudyDraft[],
  subjects: readonly Subject[],
): void {
  const { patientId, addsPatientId } = upload;
  if (patientId === null || !addsPatientId) return;
  const examined = new Map(
    subjects.flatMap(({ examined: each }) => (each.object ? [[each.object, each]] : [])),
  );
  for (const study of studiesOfAnnouncedPatient(upload, studies)) {
    const { patientId: known = patientId } = study.attributes;
    // Another spelling of it in the other images (the two may differ in case) must not make two patients of one.
    const isSame = known === patientId;
    for (const { object } of study.members) {
      if (object.attributes.patientId !== undefined) continue;
      const rewritten = isSame ? object.withPatientId : undefined;
      examined.get(object)?.findings.push(rewritten ? ADDED : NOT_ADDED);
      if (!rewritten) continue;
      Object.assign(object, rewritten);
      study.attributes = { ...study.attributes, patientId };
    }
  }
}
