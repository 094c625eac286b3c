import type { Warning } from '@relaypacs/core/contract/uploads.js';
import { newId } from '@relaypacs/core/db/ids.js';
import type { EarlierInstance, NewInstance } from '@relaypacs/core/db/instances.js';
import type { KnownPatient, NewStudy } from '@relaypacs/core/db/studies.js';
import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import { formatPersonName } from '@relaypacs/core/dicom/person-name.js';
import { mixedPatients, type PatientFacts } from '@relaypacs/core/studies/patients.js';
import { toStoredPieces } from '../contents/source-pieces.js';
import { type DeliverableObject, refuse, type Subject } from './examined.js';
import {
  CONFLICTING_COPY,
  CONFLICTING_INSTANCE,
  MIXED_PATIENTS,
  STUDY_OF_ANOTHER_PATIENT,
} from './intake-problems.js';

/** An object of a study, and the stored file it is in. */
export interface StudyMember {
  fileId: string;
  object: DeliverableObject;
  /** Made of the clinical history: it says nothing of what the study was taken with. */
  isNote?: true;
}

/** One study as it will be delivered. */
export interface StudyDraft {
  studyInstanceUid: string;
  /** Whose study it is and what it is about. */
  attributes: StudyAttributes;
  members: StudyMember[];
  warnings: Warning[];
}

/** Ends the warning of a study that was refused as a whole. */
export const NONE_SENT = 'None of them was sent.';

/** What is known of studies and instances from other uploads. */
export interface Earlier {
  instances: readonly EarlierInstance[];
  patients: readonly KnownPatient[];
}

/**
 * Sorts what can be delivered into studies by Study Instance UID, and takes verdicts back where objects contradict each
 * other: the same image twice is taken once, another image under the same identifier is not passed on (neither of this
 * upload nor beside what the PACS got before), and a study of several patients is refused as a whole.
 *
 * @returns the studies, Study Instance UIDs that were refused as a whole, and doubts about the upload as a whole
 */
export function groupStudies(
  subjects: readonly Subject[],
  earlier: Earlier,
): { studies: StudyDraft[]; refused: ReadonlySet<string>; warnings: Warning[] } {
  refuseConflicts(subjects, earlier.instances);
  const groups = new Map<string, Subject[]>();
  for (const subject of subjects) {
    const uid = subject.examined.object?.attributes.studyInstanceUid;
    if (uid !== undefined) append(groups, uid, subject);
  }
  const studies: StudyDraft[] = [];
  const refused = new Set<string>();
  const warnings: Warning[] = [];
  for (const [studyInstanceUid, members] of groups) {
    const found = members.flatMap(({ examined }) => examined.object?.attributes ?? []);
    const patients = mixedPatients(found);
    if (!patients && isOfAnotherPatient(studyInstanceUid, found, earlier.patients)) {
      for (const { examined } of members) refuse(examined, STUDY_OF_ANOTHER_PATIENT);
      refused.add(studyInstanceUid);
      continue;
    }
    if (patients) {
      for (const { examined } of members) refuse(examined, MIXED_PATIENTS);
      refused.add(studyInstanceUid);
      warnings.push({
        code: 'MIXED_PATIENTS',
        message: `One study holds images of different patients: ${patients.join('; ')}. ${NONE_SENT}`,
      });
      continue;
    }
    const objects = members.flatMap(({ file, examined }) =>
      examined.object ? [{ fileId: file.id, object: examined.object }] : [],
    );
    if (objects.length === 0) continue;
    studies.push({
      studyInstanceUid,
      attributes: fullestAttributes(objects),
      members: objects,
      warnings: sentBefore(objects, earlier.instances),
    });
  }
  return { studies, refused, warnings };
}

function append<K, V>(groups: Map<K, V[]>, key: K, value: V): void {
  const group = groups.get(key);
  if (group) group.push(value);
  else groups.set(key, [value]);
}

/** What the objects say of patient and study, each value from the first that has it: a report may lack what images have. */
export function fullestAttributes(members: readonly StudyMember[]): StudyAttributes {
  const fullest: StudyAttributes = {};
  for (const { object } of members) Object.assign(fullest, { ...object.attributes, ...fullest });
  return fullest;
}

function refuseConflicts(subjects: readonly Subject[], earlier: readonly EarlierInstance[]): void {
  const before = new Map<string, EarlierInstance[]>();
  for (const instance of earlier) {
    append(before, instance.sopInstanceUid, instance);
  }
  const taken = new Map<string, DeliverableObject>();
  for (const { examined } of subjects) {
    const { object } = examined;
    const uid = object?.attributes.sopInstanceUid;
    if (!object || uid === undefined) continue;
    const twin = taken.get(uid);
    const known = before.get(uid);
    if (twin?.sha256.equals(object.sha256)) {
      examined.findings.push({
        code: 'DUPLICATE_FILE',
        tier: 'warn',
        message: 'The same image is in this upload twice.',
      });
      delete examined.object;
    } else if (twin) refuse(examined, CONFLICTING_COPY);
    else if (known && !known.some(({ sha256 }) => sha256.equals(object.sha256))) {
      refuse(examined, CONFLICTING_INSTANCE);
    } else taken.set(uid, object);
  }
}

/** Whether the PACS got this study for somebody else. Who that is, is nobody's business who did not send it. */
export function isOfAnotherPatient(
  studyInstanceUid: string,
  found: readonly PatientFacts[],
  known: readonly KnownPatient[],
): boolean {
  const before = known
    .filter((patient) => patient.studyInstanceUid === studyInstanceUid)
    .map(({ patientName, patientId, patientBirthDate }) => ({
      patientName: patientName ?? undefined,
      patientId: patientId ?? undefined,
      patientBirthDate: patientBirthDate ?? undefined,
    }));
  return mixedPatients([...before, ...found]) !== undefined;
}

/** How much of a study went to the PACS by another upload. */
function sentBefore(members: readonly StudyMember[], earlier: readonly EarlierInstance[]): Warning[] {
  const last = new Map<string, Date>();
  for (const { sopInstanceUid, createdAt, isOwn } of earlier) {
    // What others have sent is theirs to know.
    if (!isOwn) continue;
    const known = last.get(sopInstanceUid);
    if (!known || known < createdAt) last.set(sopInstanceUid, createdAt);
  }
  const times = members.flatMap(({ object }) => last.get(object.attributes.sopInstanceUid ?? '') ?? []);
  if (times.length === 0) return [];
  const when = new Date(times.reduce((latest, time) => Math.max(latest, time.getTime()), 0))
    .toISOString()
    .slice(0, 10);
  const which =
    times.length === members.length
      ? 'What this upload holds of this study was'
      : `Of the ${members.length} images of this study in this upload, ${times.length} ${times.length === 1 ? 'was' : 'were'}`;
  return [
    {
      code: 'SENT_BEFORE',
      message: `${which} sent before, on ${when}. What the PACS still has is not sent again.`,
    },
  ];
}

/** Text as PostgreSQL can hold it and a page can show it. */
const clean = (value: string | undefined) => value?.replace(/\p{Cc}/gu, ' ').trim() || null;

/** A date PostgreSQL knows; the scanner has warned of any other. */
const date = (value: string | undefined) =>
  value !== undefined && /^(?!0000)\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value))
    ? value
    : null;

/** A number that fits the column; Integer String allows no other (PS3.5 table 6.2-1). */
const int32 = (value: number | undefined) =>
  value !== undefined && Math.abs(value) < 2 ** 31 ? value : null;

/** A study and its instances as rows. */
export function toRows(
  uploadId: string,
  { studyInstanceUid, attributes, members, warnings }: StudyDraft,
): { study: Omit<NewStudy, 'target'>; instances: NewInstance[] } {
  const studyId = newId();
  const instances = members.flatMap((member) => newInstance(studyId, member) ?? []);
  const modalities = members.flatMap(({ object, isNote }) =>
    isNote ? [] : (clean(object.attributes.modality) ?? []),
  );
  const study = {
    id: studyId,
    uploadId,
    studyInstanceUid,
    patientName:
      attributes.patientName === undefined ? null : clean(formatPersonName(attributes.patientName)),
    patientId: clean(attributes.patientId),
    patientBirthDate: date(attributes.patientBirthDate),
    patientSex: clean(attributes.patientSex),
    studyDate: date(attributes.studyDate),
    studyDescription: clean(attributes.studyDescription),
    accessionNumber: clean(attributes.accessionNumber),
    modalities: [...new Set(modalities)].sort(),
    seriesCount: new Set(
      members.flatMap(({ object, isNote }) => (isNote ? [] : (object.attributes.seriesInstanceUid ?? []))),
    ).size,
    warnings,
  };
  return { study, instances };
}

function newInstance(studyId: string, { fileId, object }: StudyMember): NewInstance | undefined {
  const { attributes: a, steps, pieces } = object;
  if (!a.sopInstanceUid || !a.seriesInstanceUid || !a.sopClassUid) return undefined;
  return {
    id: newId(),
    studyId,
    uploadFileId: fileId,
    sopInstanceUid: a.sopInstanceUid,
    seriesInstanceUid: a.seriesInstanceUid,
    sopClassUid: a.sopClassUid,
    transferSyntaxUid: object.transferSyntaxUid,
    modality: clean(a.modality),
    seriesNumber: int32(a.seriesNumber),
    instanceNumber: int32(a.instanceNumber),
    steps: steps.length > 0 ? [...steps] : null,
    sourceOffset: 0,
    pieces: pieces ? toStoredPieces(pieces) : null,
    size: object.size,
    sha256: object.sha256,
  };
}
