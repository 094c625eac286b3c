import { areNamesCompatible, isPlaceholder } from './patient-name.js';
import type { Warning } from './warning.js';

/** What the sender entered. Dates as `YYYY-MM-DD` or `YYYYMMDD`. */
export interface AnnouncedStudy {
  patientName?: string | undefined;
  patientId?: string | undefined;
  patientBirthDate?: string | undefined;
  patientSex?: string | undefined;
  studyDate?: string | undefined;
  modality?: string | undefined;
  studyInstanceUid?: string | undefined;
}

/** What the images of the study say. */
export interface FoundStudy extends Omit<AnnouncedStudy, 'modality'> {
  modalities: readonly string[];
}

/** Modalities of what goes with images, and of images of no certain kind: they contradict nothing. */
const SECONDARY_MODALITIES: ReadonlySet<string> = new Set(
  'OT SR PR KO DOC AU SEG REG PLAN FID RWV M3D SMR TEXTUREMAP RTSTRUCT RTPLAN RTDOSE RTRECORD ANN'.split(' '),
);

/** Names of one thing: an X-ray is announced as DX and stored as CR, or the other way round. */
const RADIOGRAPHY: ReadonlySet<string> = new Set(['CR', 'DX', 'RG']);

/** Longest part of a value that is repeated in a message, in characters. */
const MAX_QUOTED = 80;

/**
 * Compares what was entered with what the images say, where both say something. A mismatch is a warning: either side
 * may be the wrong one, so a person has to look.
 */
export function reconcile(announced: AnnouncedStudy, found: FoundStudy): Warning[] {
  const warnings: Warning[] = [];
  const compare = (
    code: string,
    label: string,
    file: string | undefined,
    entered: string | undefined,
    agree: (a: string, b: string) => boolean,
  ) => {
    const says = file?.trim() ?? '';
    const said = entered?.trim() ?? '';
    if (isPlaceholder(says) || isPlaceholder(said) || agree(says, said)) return;
    warnings.push({ code, message: `The file says ${label}${quote(says)}, you entered ${quote(said)}.` });
  };
  compare('PATIENT_NAME_MISMATCH', '', found.patientName, announced.patientName, areNamesCompatible);
  compare('PATIENT_ID_MISMATCH', 'patient ID ', found.patientId, announced.patientId, isSameText);
  compare(
    'BIRTH_DATE_MISMATCH',
    'date of birth ',
    found.patientBirthDate,
    announced.patientBirthDate,
    isSameDate,
  );
  compare('SEX_MISMATCH', 'sex ', found.patientSex, announced.patientSex, isSameText);
  compare('STUDY_DATE_MISMATCH', 'study date ', found.studyDate, announced.studyDate, isSameDate);
  const modality = modalityContradicted(found.modalities, announced.modality ?? '');
  compare('MODALITY_MISMATCH', 'modality ', modality, announced.modality, () => false);
  compare(
    'STUDY_UID_MISMATCH',
    'Study Instance UID ',
    found.studyInstanceUid,
    announced.studyInstanceUid,
    (a, b) => a === b,
  );
  return warnings;
}

function quote(value: string): string {
  const characters = [...value];
  return characters.length > MAX_QUOTED ? `${characters.slice(0, MAX_QUOTED).join('')}…` : value;
}

function isSameText(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function isSameDate(a: string, b: string): boolean {
  return a.replaceAll('-', '') === b.replaceAll('-', '');
}

/** The study's modalities, when the announced one is none of them and both sides speak of images. */
function modalityContradicted(modalities: readonly string[], announced: string): string | undefined {
  const kind = kindOf(announced);
  const images = [...new Set(modalities.map((modality) => modality.trim().toUpperCase()))].filter(
    (modality) => modality !== '' && !SECONDARY_MODALITIES.has(modality),
  );
  const agrees = SECONDARY_MODALITIES.has(kind) || images.some((modality) => kindOf(modality) === kind);
  return images.length === 0 || agrees ? undefined : images.join(', ');
}

function kindOf(modality: string): string {
  const code = modality.trim().toUpperCase();
  return RADIOGRAPHY.has(code) ? 'DX' : code;
}
