import type { Config } from '@relaypacs/core/config.js';
import type { Warning } from '@relaypacs/core/contract/uploads.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { fewerFilesThanAnnounced, findGaps } from '@relaypacs/core/studies/completeness.js';
import { instanceFacts } from '@relaypacs/core/studies/instance-facts.js';
import { mixedPatients, patientsOf } from '@relaypacs/core/studies/patients.js';
import { reconcile } from '@relaypacs/core/studies/reconciliation.js';
import { isOfAnnouncedPatient, PATIENT_CODES } from './announced-patient.js';
import type { CheckedFile, Subject } from './examined.js';
import type { StudyDraft } from './group-studies.js';

/** What a doubt is about, where it is a reason to ask the sender first. */
type DoubtKind = 'incomplete' | 'mismatch';

const DOUBT_KINDS: Readonly<Record<string, DoubtKind>> = {
  INSTANCE_NUMBER_GAP: 'incomplete',
  SLICE_GAP: 'incomplete',
  FEWER_THAN_STATED: 'incomplete',
  DICOMDIR_LISTS_MORE: 'incomplete',
  FILES_NOT_ACCEPTED: 'incomplete',
  PATIENT_NAME_MISMATCH: 'mismatch',
  PATIENT_ID_MISMATCH: 'mismatch',
  BIRTH_DATE_MISMATCH: 'mismatch',
  SEX_MISMATCH: 'mismatch',
  STUDY_DATE_MISMATCH: 'mismatch',
  MODALITY_MISMATCH: 'mismatch',
  STUDY_UID_MISMATCH: 'mismatch',
  SEVERAL_PATIENTS: 'mismatch',
};

/** Adds to each study what seems to be missing of it, and where its headers differ from what the sender entered. */
export function addStudyDoubts(
  upload: UploadRow,
  studies: readonly StudyDraft[],
  subjects: readonly Subject[],
): void {
  const listed = subjects.flatMap(({ examined }) => examined.dicomdir?.files ?? []);
  // With several studies what was entered is about those of its patient.
  const meant = studies.filter((study) => isOfAnnouncedPatient(upload, study));
  for (const study of studies) {
    const isMeant = meant.length === 0 || meant.includes(study);
    const found = study.members.map(({ object }) => object.attributes);
    study.warnings.push(
      ...findGaps(
        found.flatMap((attributes) => instanceFacts(attributes) ?? []),
        { dicomdir: listed },
      ).map(plain),
      ...patientsOf(found).warnings.map(plain),
      ...contradictions(upload, study, studies.length, isMeant),
    );
  }
}

/** Where the headers of a study differ from what was entered. */
function contradictions(
  upload: UploadRow,
  { attributes, members }: StudyDraft,
  studies: number,
  isMeant: boolean,
): Warning[] {
  const { studyInstanceUid, ...announced } = announcedOf(upload);
  const modalities = members.flatMap(({ object }) => object.attributes.modality ?? []);
  // One identifier was entered: of several studies all but one have another.
  const entered = studies > 1 ? announced : { studyInstanceUid, ...announced };
  const all = reconcile(entered, { ...attributes, modalities }).map(plain);
  if (isMeant) return all;
  // What was entered is about another study beside it: that it is of another patient is all there is to say.
  return all.filter(({ code }) => PATIENT_CODES.has(code)).slice(0, 1);
}

/** Doubts about the upload as a whole. */
export function uploadDoubts(
  upload: UploadRow,
  files: readonly CheckedFile[],
  subjects: readonly Subject[],
  studies: readonly StudyDraft[],
): Warning[] {
  const warnings: Warning[] = [];
  const patients = mixedPatients(studies.map(({ attributes }) => attributes));
  if (patients) {
    warnings.push({
      code: 'SEVERAL_PATIENTS',
      message: `This upload holds studies of ${patients.length} patients: ${patients.join('; ')}.`,
    });
  }
  const fewer = fewerFilesThanAnnounced({ announcedFiles: upload.fileCount, receivedFiles: files.length });
  if (fewer) warnings.push(plain(fewer));
  const refused = subjects.filter(({ examined }) => examined.status === 'rejected').length;
  if (refused > 0 && refused < subjects.length) {
    warnings.push({
      code: 'FILES_NOT_ACCEPTED',
      message: `${refused} of ${subjects.length} files ${refused === 1 ? 'was' : 'were'} not accepted; each says why.`,
    });
  }
  return warnings;
}

/** Whether the upload must wait for its sender's answer: the sender's own word comes before the operator's. */
export function asksSender(
  upload: Pick<UploadRow, 'onDoubt'>,
  policy: Pick<Config['intake'], 'incomplete' | 'mismatch'>,
  warnings: readonly Warning[],
): boolean {
  if (upload.onDoubt === 'send') return false;
  return warnings.some(({ code }) => {
    const kind = DOUBT_KINDS[code];
    return kind !== undefined && (upload.onDoubt === 'ask' || policy[kind] === 'hold');
  });
}

const plain = ({ code, message }: Warning): Warning => ({ code, message });

/** What the sender entered; an upload nobody announced has only stand-ins. */
export function announcedOf(upload: UploadRow): Parameters<typeof reconcile>[0] {
  const { patientName, patientId, patientBirthDate, patientSex, studyDate, modality, studyInstanceUid } =
    upload;
  if (upload.isImplicit) return { patientName };
  const announced = {
    patientName,
    patientId,
    patientBirthDate,
    patientSex,
    studyDate,
    modality,
    studyInstanceUid,
  };
  return Object.fromEntries(Object.entries(announced).filter(([, value]) => value !== null));
}
