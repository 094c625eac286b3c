import type { Config } from '@relaypacs/core/config.js';
import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import type { ArchiveEntry, UploadProblem, Warning } from '@relaypacs/core/contract/uploads.js';
import { replaceArchiveEntries } from '@relaypacs/core/db/archive-entries.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import {
  type DerivedFile,
  deleteDerivedFiles,
  insertDerivedFiles,
} from '@relaypacs/core/db/derived-files.js';
import { insertInstances } from '@relaypacs/core/db/instances.js';
import { deleteStudies, insertStudy } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  type FileVerdict,
  isAsAnnounced,
  listUploadFiles,
  recordFileVerdicts,
} from '@relaypacs/core/db/upload-files.js';
import {
  changeUploadStatus,
  recordUploadWarnings,
  type UploadRow,
  waitForSender,
} from '@relaypacs/core/db/uploads.js';
import { findUser } from '@relaypacs/core/db/users.js';
import { routeStudy } from '@relaypacs/core/domain/routing.js';
import { deliveryJob } from '@relaypacs/core/queue/jobs.js';
import { type CheckedFile, type ExaminedEntry, subjectsOf } from './examined.js';
import { type StudyDraft, toRows } from './group-studies.js';
import { TRANSFER_DAMAGED } from './intake-problems.js';
import { asksSender } from './study-doubts.js';
import { tellable } from './tellable-warnings.js';

/** What decides about a result. */
export interface RecordConfig {
  intake: Pick<Config['intake'], 'incomplete' | 'mismatch'>;
  pacs: Pick<Config['pacs'], 'rules'>;
}

/** Everything an intake has come to. */
export interface IntakeResult {
  files: readonly CheckedFile[];
  studies: readonly StudyDraft[];
  /** What was made of pictures and notes. */
  derived: readonly DerivedFile[];
  /** Doubts about the upload as a whole. */
  warnings: readonly Warning[];
}

/**
 * Writes down what an intake has come to, and what follows from it: delivery, an answer to wait for, or a rejection.
 *
 * @returns keys of objects an earlier intake has made, which may be removed once the transaction is committed
 */
export async function recordIntake(
  unit: UnitOfWork,
  upload: UploadRow,
  { files, studies, derived, warnings }: IntakeResult,
  { intake, pacs }: RecordConfig,
): Promise<string[]> {
  const { trx } = unit;
  await assertStillAnnounced(unit, files);
  await deleteStudies(trx, upload.id);
  const unneeded = await deleteDerivedFiles(trx, upload.id);
  await recordFileVerdicts(trx, files.map(toVerdict));
  await replaceArchiveEntries(
    trx,
    upload.id,
    new Map(files.map(({ file, entries }) => [file.id, entries.map(toArchiveEntry)])),
  );
  await insertDerivedFiles(trx, derived);
  await recordUploadWarnings(trx, upload.id, tellable(warnings));
  if (studies.length === 0) {
    const problem = rejection(files);
    await changeUploadStatus(unit, { uploadId: upload.id, to: 'rejected', actor: SYSTEM_ACTOR, problem });
    return unneeded;
  }
  const rows = studies.map((study) => toRows(upload.id, { ...study, warnings: tellable(study.warnings) }));
  const sender = await findUser(trx, upload.userId);
  for (const { study, instances } of rows) {
    const routed = { ...upload, modalities: study.modalities, facility: sender?.facility ?? null };
    const target = upload.target ?? routeStudy(pacs.rules, routed, DEFAULT_TARGET);
    await insertStudy(trx, { ...study, target });
    await insertInstances(trx, instances);
  }
  if (asksSender(upload, intake, [...warnings, ...studies.flatMap((study) => study.warnings)])) {
    const doubts = [...warnings, ...studies.flatMap((study) => study.warnings)].map(({ code }) => code);
    await waitForSender(unit, upload, SYSTEM_ACTOR, [...new Set(doubts)]);
    return unneeded;
  }
  for (const { study } of rows) {
    unit.enqueue(deliveryJob({ id: study.id, attempts: 0, nextAttemptAt: null }, upload.serviceLevel));
  }
  const verdicts = subjectsOf(files).map(({ examined }) => examined.status);
  await changeUploadStatus(unit, {
    uploadId: upload.id,
    to: 'delivering',
    actor: SYSTEM_ACTOR,
    detail: {
      studies: rows.length,
      instances: rows.reduce((sum, { instances }) => sum + instances.length, 0),
      rejectedFiles: verdicts.filter((status) => status === 'rejected').length,
      ignoredFiles: verdicts.filter((status) => status === 'ignored').length,
    },
  });
  return unneeded;
}

/** The sender announced digests after they were compared, and they are not those of what arrived. */
class AnnouncedMeanwhile extends Error {
  constructor() {
    super('Digests were announced while the files were being examined');
    this.name = 'AnnouncedMeanwhile';
  }
}

/**
 * Digests may be announced until the upload's row is held, and nobody compares them afterwards.
 *
 * @throws AnnouncedMeanwhile when the intake has to begin again
 */
async function assertStillAnnounced({ trx }: UnitOfWork, files: readonly CheckedFile[]): Promise<void> {
  const [first] = files;
  if (!first) return;
  const rows = new Map((await listUploadFiles(trx, first.file.uploadId)).map((row) => [row.id, row]));
  for (const { file, md5, sha256, problem } of files) {
    const row = rows.get(file.id);
    if (!row || problem?.code === TRANSFER_DAMAGED.code) continue;
    if (!isAsAnnounced({ ...row, md5, sha256 })) throw new AnnouncedMeanwhile();
  }
}

function toVerdict({ file, md5, sha256, kind, status, problem, findings }: CheckedFile): FileVerdict {
  return { id: file.id, md5, sha256, kind, status, problem: problem ?? null, findings };
}

/** PostgreSQL holds no NUL in a text. */
const withoutNul = (text: string) => text.replaceAll('\0', '\u2400');

function toArchiveEntry({ path, size, kind, status, problem, findings }: ExaminedEntry): ArchiveEntry {
  return { path: withoutNul(path), size, kind, status, ...(problem ? { problem } : {}), findings };
}

function rejection(files: readonly CheckedFile[]): UploadProblem {
  const reasons = new Set(subjectsOf(files).map(({ examined }) => examined.problem?.detail));
  const [only] = reasons;
  return {
    code: 'NO_USABLE_FILES',
    title: 'Nothing that can be delivered',
    detail:
      reasons.size === 1 && only !== undefined
        ? `None of the files can go to the PACS: ${only}`
        : 'None of the files can go to the PACS; each file says why. Nothing was sent.',
  };
}
