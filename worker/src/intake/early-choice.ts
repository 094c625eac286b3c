import type { EarlierInstance } from '@relaypacs/core/db/instances.js';
import type { KnownPatient, StudyRow } from '@relaypacs/core/db/studies.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { type PatientFacts, patientsOf } from '@relaypacs/core/studies/patients.js';
import { reconcile } from '@relaypacs/core/studies/reconciliation.js';
import { PATIENT_CODES } from './announced-patient.js';
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

/** What is delivered early of what was looked at; studies by their Study Instance UID. */
export interface EarlyChoice {
  taken: Map<string, EarlyObject[]>;
  /** Go no further early. */
  stopped: Set<string>;
  /** What all that was looked at of the other studies says of their patient, now and before. */
  patients: Map<string, PatientFacts[]>;
}

/** Ways to name one patient in one study; what has more is looked at as a whole. */
const MOST_SPELLINGS = 20;

/**
 * Chooses what may be delivered whatever else arrives: sound objects that contradict neither what the sender entered
 * nor another object. A study whose objects, sound or not, leave a doubt about its patient goes no further early.
 */
export function chooseEarly(objects: readonly EarlyObject[], context: EarlyContext): EarlyChoice {
  const groups = new Map<string, EarlyObject[]>();
  for (const each of objects) {
    const uid = each.object.attributes.studyInstanceUid;
    if (uid !== undefined) groups.set(uid, [...(groups.get(uid) ?? []), each]);
  }
  const ambiguous = ambiguousUids(objects);
  const choice: EarlyChoice = { taken: new Map(), stopped: new Set(), patients: new Map() };
  const seen = new Set(context.taken);
  for (const [uid, members] of groups) {
    const study = context.studies.find(({ studyInstanceUid }) => studyInstanceUid === uid);
    if (study?.earlyDelivery === 'stopped') continue;
    const patients = distinctPatients([...patientsBefore(study), ...members.map(patientOf)]);
    if (!isOfOnePatient(uid, patients, members, context)) {
      choice.stopped.add(uid);
      continue;
    }
    choice.patients.set(uid, patients);
    const chosen = members.filter((each) => {
      const sop = each.object.attributes.sopInstanceUid ?? '';
      if (!each.isSound || ambiguous.has(sop) || seen.has(sop)) return false;
      if (contradictions(context.upload, each).length > 0 || conflictsWithEarlier(each, context.instances))
        return false;
      seen.add(sop);
      return true;
    });
    if (chosen.length > 0) choice.taken.set(uid, chosen);
  }
  return choice;
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
  patients: readonly PatientFacts[],
  members: readonly EarlyObject[],
  { upload, patients: known }: EarlyContext,
): boolean {
  if (patients.length > MOST_SPELLINGS) return false;
  if (isOfAnotherPatient(studyInstanceUid, patients, known)) return false;
  const { mixed, warnings } = patientsOf(patients);
  if (mixed !== undefined || warnings.length > 0) return false;
  const codes = members.flatMap((each) => contradictions(upload, each));
  return !codes.some((code) => PATIENT_CODES.has(code));
}

/** As PostgreSQL can hold it. */
const clean = (text: string | undefined) => text?.replaceAll('\0', ' ');

function patientOf({ object }: EarlyObject): PatientFacts {
  const { patientName, patientId, patientBirthDate } = object.attributes;
  return {
    patientName: clean(patientName),
    patientId: clean(patientId),
    patientBirthDate: clean(patientBirthDate),
  };
}

function patientsBefore(study: StudyRow | undefined): PatientFacts[] {
  if (!study) return [];
  if (study.earlyPatients.length > 0) return study.earlyPatients;
  const { patientName, patientId, patientBirthDate } = study;
  return [
    {
      patientName: patientName ?? undefined,
      patientId: patientId ?? undefined,
      patientBirthDate: patientBirthDate ?? undefined,
    },
  ];
}

function distinctPatients(all: readonly PatientFacts[]): PatientFacts[] {
  const keyOf = ({ patientName, patientId, patientBirthDate }: PatientFacts) =>
    JSON.stringify([patientName ?? null, patientId ?? null, patientBirthDate ?? null]);
  return [...new Map(all.map((facts) => [keyOf(facts), facts])).values()];
}

/** Codes of what an object says otherwise than the sender. */
function contradictions(upload: UploadRow, { object }: EarlyObject): string[] {
  const { modality, ...attributes } = object.attributes;
  const modalities = modality === undefined ? [] : [modality];
  return reconcile(announcedOf(upload), { ...attributes, modalities }).map(({ code }) => code);
}

/** Other contents under an identifier the PACS got before. */
function conflictsWithEarlier({ object }: EarlyObject, earlier: readonly EarlierInstance[]): boolean {
  const same = earlier.filter(({ sopInstanceUid }) => sopInstanceUid === object.attributes.sopInstanceUid);
  return same.length > 0 && !same.some(({ sha256 }) => sha256.equals(object.sha256));
}
