import { type PacsTargets, targetName } from '@relaypacs/core/config-targets.js';
import {
  type ArchiveContents,
  type InstanceCounts,
  type Sender,
  type Study,
  UNNAMED_PATIENT,
  type UploadDetail,
  type UploadFile,
  type UploadProblem,
  type UploadSummary,
  type Warning,
} from '@relaypacs/core/contract/uploads.js';
import { readArchiveContents } from '@relaypacs/core/db/archive-entries.js';
import { listAuditEvents } from '@relaypacs/core/db/audit-events.js';
import type { Queryable } from '@relaypacs/core/db/database.js';
import {
  countInstances,
  countRemarks,
  isFirstDelivery,
  listFirstDeliveries,
  listStudies,
  NO_INSTANCES,
  type StudyRow,
} from '@relaypacs/core/db/studies.js';
import { toldFinding } from '@relaypacs/core/db/told-findings.js';
import {
  type FileTotals,
  listUploadFiles,
  sumUploadFiles,
  type UploadFileRow,
} from '@relaypacs/core/db/upload-files.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { listUsersById } from '@relaypacs/core/db/users.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';

/** For whom it is presented. */
export interface Viewer {
  /** An administrator, who sees other people's uploads and may know whose they are. */
  seesSenders: boolean;
}

/** Unlike what merely tells what happened. */
const isDoubt = ({ code }: Warning) => code !== 'SENT_BEFORE';

/** Its upload still arrives, or was not checked as a whole: what becomes of it is not what becomes of the upload. */
const isEarly = ({ earlyDelivery }: StudyRow) => earlyDelivery !== null;

const iso = (date: Date | null) => date?.toISOString() ?? null;

function addCounts(counts: Iterable<InstanceCounts>): InstanceCounts {
  const sum = { ...NO_INSTANCES };
  for (const each of counts) {
    sum.total += each.total;
    sum.stored += each.stored;
    sum.verified += each.verified;
    sum.verifiedBytes += each.verifiedBytes;
    sum.failed += each.failed;
    sum.alreadyThere += each.alreadyThere;
    sum.documents += each.documents;
  }
  return sum;
}

const waitsForPacs = (study: StudyRow) => !isEarly(study) && study.waitingFor === 'pacs';

/** How far the instances of studies are, and on how many of them there is a remark. */
interface Progress {
  counts: ReadonlyMap<string, InstanceCounts>;
  remarks: ReadonlyMap<string, number>;
}

async function readProgress(db: Queryable, studies: readonly StudyRow[]): Promise<Progress> {
  const ids = studies.map((study) => study.id);
  const [counts, remarks] = await Promise.all([countInstances(db, ids), countRemarks(db, ids)]);
  return { counts, remarks };
}

/** What the sender should know beyond the status: a problem, why a study waits, or a doubt about what was delivered. */
function problemOf(
  row: UploadRow,
  studies: readonly StudyRow[],
  { remarks }: Progress,
): UploadProblem | null {
  if (row.problem) return row.problem;
  const waiting = studies.find((study) => !isEarly(study) && study.waitingFor !== null && study.problem);
  if (waiting?.problem) return waiting.problem;
  const doubtful = studies.reduce((sum, study) => sum + (remarks.get(study.id) ?? 0), 0);
  if (row.status !== 'delivered' || doubtful === 0) return null;
  return {
    code: 'DELIVERED_WITH_REMARKS',
    title: 'Delivered, with a remark',
    detail: `The PACS has all images, but it said something about ${doubtful} of them or holds them in a form that could not be compared bit by bit. Look at the study in the PACS.`,
  };
}

type Described = Pick<
  UploadRow,
  | 'patientName'
  | 'patientId'
  | 'patientBirthDate'
  | 'patientSex'
  | 'studyDate'
  | 'modality'
  | 'studyDescription'
>;

/** Whose study it is: what was announced, or where nobody said, what the files tell. */
function describe(row: UploadRow, [study]: readonly StudyRow[]): Described {
  if (!row.isImplicit || row.patientName !== UNNAMED_PATIENT || !study) return row;
  return {
    patientName: study.patientName ?? row.patientName,
    // What was entered later, to correct it, comes first.
    patientId: row.patientId ?? study.patientId,
    patientBirthDate: row.patientBirthDate ?? study.patientBirthDate,
    patientSex: row.patientSex ?? study.patientSex,
    studyDate: study.studyDate ?? row.studyDate,
    modality: study.modalities[0] ?? row.modality,
    studyDescription: row.studyDescription ?? study.studyDescription,
  };
}

/** The senders of uploads by their ids, for a viewer who may know them. */
async function readSenders(
  db: Queryable,
  rows: readonly UploadRow[],
  { seesSenders }: Viewer,
): Promise<ReadonlyMap<string, Sender>> {
  if (!seesSenders || rows.length === 0) return new Map();
  const users = await listUsersById(
    db,
    rows.map(({ userId }) => userId),
  );
  return new Map(users.map(({ id, username, fullName, facility }) => [id, { username, fullName, facility }]));
}

/** @param studies - the first delivery of each: what was sent again changes nothing about the upload */
function presentSummary(
  row: UploadRow,
  sender: Sender | undefined,
  files: FileTotals | undefined,
  studies: readonly StudyRow[],
  progress: Progress,
): UploadSummary {
  const delivered = row.status === 'delivered';
  const named = describe(row, studies);
  return {
    id: row.id,
    userId: row.userId,
    ...(sender ? { sender } : {}),
    status: row.status,
    waitingFor: row.waitingFor ?? (studies.some(waitsForPacs) ? 'pacs' : null),
    serviceLevel: row.serviceLevel,
    patientName: named.patientName,
    patientId: named.patientId,
    patientBirthDate: named.patientBirthDate,
    patientSex: named.patientSex,
    studyDate: named.studyDate,
    modality: named.modality,
    studyInstanceUid: row.studyInstanceUid,
    studyDescription: named.studyDescription,
    clinicalHistory: row.clinicalHistory,
    fileCount: row.fileCount,
    totalBytes: row.totalBytes,
    filesReceived: files?.received ?? 0,
    bytesReceived: files?.receivedBytes ?? 0,
    filesRejected: files?.rejected ?? 0,
    filesIgnored: files?.ignored ?? 0,
    instances: addCounts(studies.map((study) => progress.counts.get(study.id) ?? NO_INSTANCES)),
    warningCount: [row, ...studies].flatMap(({ warnings }) => warnings).filter(isDoubt).length,
    problem: problemOf(row, studies, progress),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    receivedAt: iso(row.receivedAt),
    deliveredAt: delivered ? iso(row.endedAt) : null,
    bytesRemovedAt: iso(row.bytesRemovedAt),
  };
}

function presentStudy(row: StudyRow, counts: InstanceCounts | undefined, pacs: PacsTargets): Study {
  return {
    id: row.id,
    studyInstanceUid: row.studyInstanceUid,
    resendOf: row.resendOf,
    target: row.target,
    targetName: targetName(pacs, row.target),
    patientName: row.patientName,
    patientId: row.patientId,
    patientBirthDate: row.patientBirthDate,
    patientSex: row.patientSex,
    studyDate: row.studyDate,
    studyDescription: row.studyDescription,
    modalities: row.modalities,
    seriesCount: row.seriesCount,
    status: row.status,
    incomplete: isEarly(row),
    waitingFor: row.waitingFor,
    instances: counts ?? NO_INSTANCES,
    problem: row.problem,
    warnings: row.warnings,
    deliveredAt: iso(row.deliveredAt),
  };
}

function presentFile(
  row: UploadFileRow,
  upload: UploadRow,
  contents: ArchiveContents | undefined,
): UploadFile {
  const isDropped = row.status === 'uploading' && !takesFiles(upload.status);
  return {
    id: row.id,
    filename: row.filename,
    relativePath: row.relativePath,
    size: row.size,
    offset: isDropped ? 0 : row.bytesReceived,
    status: row.status,
    kind: row.kind,
    ...(row.problem ? { problem: row.problem } : {}),
    findings: row.findings.map(toldFinding),
    ...(contents ? { contents } : {}),
  };
}

/** Uploads as a list shows them; five queries at most, whatever their number. */
export async function presentUploads(
  db: Queryable,
  rows: readonly UploadRow[],
  viewer: Viewer,
): Promise<UploadSummary[]> {
  const ids = rows.map((row) => row.id);
  const [files, studies, senders] = await Promise.all([
    sumUploadFiles(db, ids),
    listFirstDeliveries(db, ids),
    readSenders(db, rows, viewer),
  ]);
  const progress = await readProgress(db, studies);
  return rows.map((row) =>
    presentSummary(
      row,
      senders.get(row.userId),
      files.get(row.id),
      studies.filter((study) => study.uploadId === row.id),
      progress,
    ),
  );
}

/** One upload with its files, studies and timeline. */
export async function presentUpload(
  db: Queryable,
  pacs: PacsTargets,
  row: UploadRow,
  viewer: Viewer,
): Promise<UploadDetail> {
  const [totals, files, studies, events, senders] = await Promise.all([
    sumUploadFiles(db, [row.id]),
    listUploadFiles(db, row.id),
    listStudies(db, [row.id]),
    listAuditEvents(db, 'upload', row.id),
    readSenders(db, [row], viewer),
  ]);
  const archives = files.filter(({ kind }) => kind === 'archive').map(({ id }) => id);
  const [progress, contents] = await Promise.all([
    readProgress(db, studies),
    readArchiveContents(db, archives),
  ]);
  return {
    ...presentSummary(
      row,
      senders.get(row.userId),
      totals.get(row.id),
      studies.filter(isFirstDelivery),
      progress,
    ),
    warnings: row.warnings,
    files: files.map((file) => presentFile(file, row, contents.get(file.id))),
    studies: studies
      // One that was stopped before anything of it went early is told when all of the upload was checked.
      .filter((study) => !isEarly(study) || progress.counts.has(study.id))
      .map((study) => presentStudy(study, progress.counts.get(study.id), pacs)),
    timeline: events.map(({ at, actorId, action, detail }) => ({
      at: at.toISOString(),
      event: action.replace(/^upload\./, ''),
      ...(typeof detail.target === 'string' ? { targetName: targetName(pacs, detail.target) } : {}),
      // Nobody else may touch what is not their own.
      ...(actorId !== null && actorId !== row.userId ? { by: 'administrator' as const } : {}),
    })),
  };
}
