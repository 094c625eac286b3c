import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { newId } from '@relaypacs/core/db/ids.js';
import type { NewInstance } from '@relaypacs/core/db/instances.js';
import type { NewStudy } from '@relaypacs/core/db/studies.js';
import { formatPersonName } from '@relaypacs/core/dicom/person-name.js';
import type { CheckedFile, ReadFile } from './check-file.js';

export interface GroupedStudy {
  study: NewStudy;
  instances: NewInstance[];
}

export interface Grouping {
  studies: GroupedStudy[];
  /** Every file with its final verdict: what two files say of each other is known only here. */
  files: CheckedFile[];
}

const CONFLICT: UploadProblem = {
  code: 'CONFLICTING_COPY',
  title: 'Two different images with one identifier',
  detail:
    'Another file of this upload has the same identifier and other contents. Only the first was taken; check which is right.',
};

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

const UNIDENTIFIED: UploadProblem = {
  code: 'MISSING_UID',
  title: 'Not identified',
  detail:
    'The file lacks an identifier the archive needs to tell where it belongs. Export it again and send it anew.',
};

function newStudy(uploadId: string, { scan }: ReadFile, studyInstanceUid: string): NewStudy {
  const a = scan.attributes;
  return {
    id: newId(),
    uploadId,
    studyInstanceUid,
    patientName: a.patientName === undefined ? null : clean(formatPersonName(a.patientName)),
    patientId: clean(a.patientId),
    patientBirthDate: date(a.patientBirthDate),
    patientSex: clean(a.patientSex),
    studyDate: date(a.studyDate),
    studyDescription: clean(a.studyDescription),
    accessionNumber: clean(a.accessionNumber),
    modalities: [],
    seriesCount: 0,
  };
}

function newInstance(studyId: string, checked: ReadFile): NewInstance | undefined {
  const { scan, file, size, sha256 } = checked;
  const a = scan.attributes;
  if (!a.sopInstanceUid || !a.seriesInstanceUid || !a.sopClassUid || !scan.transferSyntaxUid)
    return undefined;
  return {
    id: newId(),
    studyId,
    uploadFileId: file.id,
    sopInstanceUid: a.sopInstanceUid,
    seriesInstanceUid: a.seriesInstanceUid,
    sopClassUid: a.sopClassUid,
    transferSyntaxUid: scan.transferSyntaxUid,
    modality: clean(a.modality),
    seriesNumber: int32(a.seriesNumber),
    instanceNumber: int32(a.instanceNumber),
    sourceOffset: 0,
    size,
    sha256,
  };
}

/**
 * Sorts accepted files into studies by Study Instance UID. A file that is there twice becomes one instance; two
 * files that claim one SOP Instance UID with different bytes do not both pass.
 */
export function groupStudies(uploadId: string, checkedFiles: readonly CheckedFile[]): Grouping {
  const studies = new Map<string, GroupedStudy>();
  const instances = new Map<string, NewInstance>();
  const files = checkedFiles.map((checked): CheckedFile => {
    if (checked.scan === null || checked.problem) return checked;
    const { studyInstanceUid } = checked.scan.attributes;
    if (studyInstanceUid === undefined) return { ...checked, problem: UNIDENTIFIED };
    const group = studies.get(studyInstanceUid) ?? {
      study: newStudy(uploadId, checked, studyInstanceUid),
      instances: [],
    };
    const instance = newInstance(group.study.id, checked);
    if (!instance) return { ...checked, problem: UNIDENTIFIED };
    const twin = instances.get(instance.sopInstanceUid);
    if (twin) {
      const same = twin.sha256.equals(instance.sha256);
      const finding = {
        code: 'DUPLICATE_FILE',
        tier: 'warn',
        message: 'The same image is in this upload twice.',
      } as const;
      return same
        ? { ...checked, findings: [...checked.findings, finding] }
        : { ...checked, problem: CONFLICT };
    }
    instances.set(instance.sopInstanceUid, instance);
    studies.set(studyInstanceUid, group);
    group.instances.push(instance);
    return checked;
  });
  for (const { study, instances: own } of studies.values()) {
    study.modalities = [
      ...new Set(own.flatMap(({ modality }) => (modality === null ? [] : [modality]))),
    ].sort();
    study.seriesCount = new Set(own.map(({ seriesInstanceUid }) => seriesInstanceUid)).size;
  }
  return { studies: [...studies.values()], files };
}
