import type { EarlierInstance } from '@relaypacs/core/db/instances.js';
import type { KnownPatient, StudyRow } from '@relaypacs/core/db/studies.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import { patientsOf } from '@relaypacs/core/studies/patients.js';
import { reconcile } from '@relaypacs/core/studies/reconciliation.js';
import type { CheckedFile } from './examined.js';
import { isOfAnotherPatient, type StudyMember } from './group-studies.js';
import { announcedOf } from './study-doubts.js';

/** An object that arrived while the rest of its upload still does. */
export interface EarlyObject extends StudyMember {
  /** Could be delivered as it came, as far as it can be told by itself. */
  isSound: boolean;
}

/** What is known beside the objects themselves. */
export interface EarlyContext {
  upload: UploadRow;
  /** The upload's studies that were begun early. */
  studies: readonly StudyRow[];
  /** SOP Instance UIDs that were taken early from the upload. */
  taken: ReadonlySet<string>;
  /** Of other uploads. */
  instances: readonly EarlierInstance[];
  patients: readonly KnownPatient[];
}

/** @returns undefined where the file is no DICOM object at all */
export function toEarlyObject({ file, status, object, findings }: CheckedFile): EarlyObject | undefined {
  if (!object) return undefined;
  const isAsItCame = object.pieces === undefined;
  const isSound = status === 'accepted' && isAsItCame && findings.every(({ tier }) => tier === 'warn');
  return { fileId: file.id, object, isSound };
}

/**
 * Chooses what may be delivered whatever else arrives: sound objects that contradict neither what the sender entered
 * nor another object. A study whose objects, sound or not, leave a doubt about its patient goes no further early.
 *
 * @returns by Study Instance UID what is taken, and the studies that stop
 */
export function chooseEarly(
  objects: readonly EarlyObject[],
  context: EarlyContext,
): { taken: Map<string, EarlyObject[]>; stopped: Set<string> } {
  const groups = new Map<string, EarlyObject[]>();
  for (const each of objects) {
    const uid = each.object.attributes.studyInstanceUid;
    if (uid !== undefined) groups.set(uid, [...(groups.get(uid) ?? []), each]);
  }
  const ambiguous = ambiguousUids(objects);
  const taken = new Map<string, EarlyObject[]>();
  const stopped = new Set<string>();
  const seen = new Set(context.taken);
  for (const [uid, members] of groups) {
    const study = context.studies.find(({ studyInstanceUid }) => studyInstanceUid === uid);
    if (study?.earlyDelivery === 'stopped') continue;
    if (!isOfOnePatient(uid, study, members, context.patients)) {
      stopped.add(uid);
      continue;
    }
    const chosen = members.filter((each) => {
      const sop = each.object.attributes.sopInstanceUid ?? '';
      if (!each.isSound || ambiguous.has(sop) || seen.has(sop)) return false;
      if (contradictsAnnouncement(context.upload, each) || conflictsWithEarlier(each, context.instances))
        return false;
      seen.add(sop);
      return true;
    });
    if (chosen.length > 0) taken.set(uid, chosen);
  }
  return { taken, stopped };
}

/** SOP Instance UIDs that stand for two different objects. */
function ambiguousUids(objects: readonly EarlyObject[]): Set<string> {
  const first = new Map<string, Buffer>();
  const ambiguous = new Set<string>();
  for (const { object } of objects) {
    const uid = object.attributes.sopInstanceUid ?? '';
    const known = first.get(uid);
    if (!known) first.set(uid, object.sha256);
    else if (!known.equals(object.sha256)) ambiguous.add(uid);
  }
  return ambiguous;
}

/** Unlike in the intake of the whole upload a mere doubt is enough to say no. */
function isOfOnePatient(
  studyInstanceUid: string,
  study: StudyRow | undefined,
  members: readonly EarlyObject[],
  known: readonly KnownPatient[],
): boolean {
  const found = members.map(({ object }) => object.attributes);
  if (isOfAnotherPatient(studyInstanceUid, found, known)) return false;
  const { mixed, warnings } = patientsOf([...(study ? [factsOf(study)] : []), ...found]);
  return mixed === undefined && warnings.length === 0;
}

const factsOf = ({ patientName, patientId, patientBirthDate }: StudyRow): StudyAttributes => ({
  ...(patientName === null ? {} : { patientName }),
  ...(patientId === null ? {} : { patientId }),
  ...(patientBirthDate === null ? {} : { patientBirthDate }),
});

function contradictsAnnouncement(upload: UploadRow, { object }: EarlyObject): boolean {
  const { modality, ...attributes } = object.attributes;
  const modalities = modality === undefined ? [] : [modality];
  return reconcile(announcedOf(upload), { ...attributes, modalities }).length > 0;
}

/** Other contents under an identifier the PACS got before. */
function conflictsWithEarlier({ object }: EarlyObject, earlier: readonly EarlierInstance[]): boolean {
  const same = earlier.filter(({ sopInstanceUid }) => sopInstanceUid === object.attributes.sopInstanceUid);
  return same.length > 0 && !same.some(({ sha256 }) => sha256.equals(object.sha256));
}
