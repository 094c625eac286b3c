import { formatPersonName } from '../dicom/person-name.js';
import { areNamesCompatible, isPlaceholder } from './patient-name.js';
import type { Warning } from './warning.js';

/** What an image says of its patient. Dates as `YYYY-MM-DD`, names with the DICOM delimiters or without. */
export interface PatientFacts {
  patientId?: string | undefined;
  patientName?: string | undefined;
  patientBirthDate?: string | undefined;
}

/** Whose images a study holds. */
export interface Patients {
  /** The patients as people read them, when there is certainly more than one. */
  mixed: string[] | undefined;
  /** What is odd, but may well be one patient. */
  warnings: Warning[];
}

type Relation =
  | 'same'
  | 'PATIENT_ID_DIFFERS'
  | 'PATIENT_NAME_DIFFERS'
  | 'PATIENT_BIRTH_DATE_DIFFERS'
  | 'different';

/** Different patients that are told apart: more would not fit on a screen, and a hostile study could name thousands. */
const MAX_PATIENTS = 10;

/**
 * Whether the images of one study name one patient. Only certainty counts as a mix: two persons under one Study
 * Instance UID would be read as one, but a corrected name or a second ID of the same person is daily routine.
 */
export function patientsOf(instances: readonly PatientFacts[]): Patients {
  const patients: PatientFacts[] = [];
  const doubts = new Map<Relation, Warning>();
  for (const facts of distinctFacts(instances)) {
    const relations = patients.map((patient) => relationOf(patient, facts));
    if (relations.includes('same')) continue;
    const doubtful = relations.findIndex((relation) => relation !== 'different');
    const patient = patients[doubtful];
    const relation = relations[doubtful];
    if (patient === undefined || relation === undefined) patients.push(facts);
    else if (!doubts.has(relation)) doubts.set(relation, warningOf(relation, patient, facts));
    if (patients.length === MAX_PATIENTS) break;
  }
  return {
    // In an order of their own: files come in any order.
    mixed: patients.length > 1 ? patients.map(labelOf).sort() : undefined,
    warnings: [...doubts.values()],
  };
}

/** Readable labels (`Doe, Jane (ID 1)`) when the images certainly name different patients. */
export function mixedPatients(instances: readonly PatientFacts[]): string[] | undefined {
  return patientsOf(instances).mixed;
}

/**
 * Each combination once, those that say most first: an image that only has a name must not be the one that the others
 * are compared with.
 */
function distinctFacts(instances: readonly PatientFacts[]): PatientFacts[] {
  const distinct = new Map<string, PatientFacts>();
  for (const { patientId, patientName, patientBirthDate } of instances) {
    const key = JSON.stringify([patientId, patientName, patientBirthDate]);
    if (!distinct.has(key)) distinct.set(key, { patientId, patientName, patientBirthDate });
  }
  return [...distinct.values()].sort((a, b) => weightOf(b) - weightOf(a));
}

function weightOf({ patientId, patientName, patientBirthDate }: PatientFacts): number {
  return (
    (idOf(patientId) === '' ? 0 : 4) +
    (isPlaceholder(patientName ?? '') ? 0 : 2) +
    (patientBirthDate === undefined ? 0 : 1)
  );
}

/** Leading zeros stay: in many hospitals 0012 and 12 are two patients. A placeholder identifies nobody. */
function idOf(patientId: string | undefined): string {
  return patientId === undefined || isPlaceholder(patientId) ? '' : patientId.trim().toLowerCase();
}

function relationOf(a: PatientFacts, b: PatientFacts): Relation {
  const ids = [idOf(a.patientId), idOf(b.patientId)] as const;
  const names = [a.patientName ?? '', b.patientName ?? ''] as const;
  const bothIds = ids[0] !== '' && ids[1] !== '';
  const namesFit = areNamesCompatible(...names);
  const bornApart = areBornApart(a.patientBirthDate, b.patientBirthDate);
  if (bothIds && ids[0] === ids[1]) {
    if (namesFit) return bornApart ? 'PATIENT_BIRTH_DATE_DIFFERS' : 'same';
    return bornApart ? 'different' : 'PATIENT_NAME_DIFFERS';
  }
  if (!namesFit || bornApart) return 'different';
  if (!bothIds) return 'same';
  return names.every(isPlaceholder) ? 'different' : 'PATIENT_ID_DIFFERS';
}

/** The first of January stands for a day that nobody knows, as with a patient who arrives unconscious. */
function areBornApart(a: string | undefined, b: string | undefined): boolean {
  const known = (date: string | undefined): date is string => date !== undefined && !/-01-01$/.test(date);
  return known(a) && known(b) && a !== b;
}

function labelOf({ patientId = '', patientName = '', patientBirthDate }: PatientFacts): string {
  const name = formatPersonName(patientName) || 'No name';
  const id = patientId.trim();
  if (id !== '') return `${name} (ID ${id})`;
  return patientBirthDate === undefined ? name : `${name} (born ${patientBirthDate})`;
}

function warningOf(relation: Relation, a: PatientFacts, b: PatientFacts): Warning {
  if (relation === 'PATIENT_ID_DIFFERS') {
    const message = `The images name one patient with two IDs: ${labelOf(a)} and ${labelOf(b)}.`;
    return { code: relation, message };
  }
  if (relation === 'PATIENT_NAME_DIFFERS') {
    const message = `The images give one patient ID two names: ${labelOf(a)} and ${labelOf(b)}.`;
    return { code: relation, message };
  }
  const dates = `${a.patientBirthDate} and ${b.patientBirthDate}`;
  return {
    code: 'PATIENT_BIRTH_DATE_DIFFERS',
    message: `The images give ${labelOf(a)} two dates of birth: ${dates}.`,
  };
}
