import type { Config } from '@relaypacs/core/config.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import {
  deleteEarlyStudies,
  growEarlyStudy,
  listTakenEarly,
  lockEarlyStudies,
  noteEarlyPatients,
  stopEarlyStudy,
} from '@relaypacs/core/db/early-studies.js';
import { findEarlierInstances, insertInstances } from '@relaypacs/core/db/instances.js';
import { findKnownPatients, insertStudy, type StudyRow } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { isAsAnnounced, listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { announceUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { findUser } from '@relaypacs/core/db/users.js';
import type { EarlyDelivery } from '@relaypacs/core/domain/early-delivery.js';
import { deliveryJob } from '@relaypacs/core/queue/jobs.js';
import type { PatientFacts } from '@relaypacs/core/studies/patients.js';
import { chooseEarly, type EarlyObject, toEarlyObject } from './early-choice.js';
import type { CheckedFile } from './examined.js';
import { fullestAttributes, toRows } from './group-studies.js';
import { targetOfStudy } from './target-of-study.js';

type EarlyConfig = Pick<Config, 'uploads' | 'pacs'>;

const DAY_MS = 86_400_000;

/**
 * Writes down which of the files that were looked at go early, and hands their studies to delivery. What was removed
 * meanwhile is left alone.
 *
 * @param upload - one that may go early, which the transaction must hold
 */
export async function recordEarly(
  unit: UnitOfWork,
  config: EarlyConfig,
  upload: UploadRow,
  checked: readonly CheckedFile[],
): Promise<void> {
  const { trx } = unit;
  const { id: uploadId } = upload;
  const objects = await findAsAnnounced(unit, uploadId, checked);
  if (objects.length === 0) return;
  const studies = await lockEarlyStudies(trx, uploadId);
  const since = new Date(Date.now() - config.uploads.duplicateWindowDays * DAY_MS);
  const sopUids = objects.flatMap(({ object }) => object.attributes.sopInstanceUid ?? []);
  const studyUids = objects.flatMap(({ object }) => object.attributes.studyInstanceUid ?? []);
  const { taken, stopped, patients } = chooseEarly(objects, {
    upload,
    studies,
    taken: await listTakenEarly(trx, studies),
    instances: await findEarlierInstances(trx, sopUids, upload, since),
    patients: await findKnownPatients(trx, [...new Set(studyUids)], uploadId),
  });
  const begun = new Map(studies.map((study) => [study.studyInstanceUid, study]));
  for (const uid of stopped) {
    const study = begun.get(uid);
    if (study) await stopEarlyStudy(trx, study.id);
    else await beginStudy(unit, upload, { uid, members: [], patients: [], earlyDelivery: 'stopped' }, config);
  }
  for (const [uid, known] of patients) {
    const members = taken.get(uid) ?? [];
    const study = begun.get(uid);
    if (study && members.length === 0) await noteEarlyPatients(trx, study.id, known);
    else if (study && (await listTakenEarly(trx, [study])).size > 0) {
      await growStudy(unit, upload, study, members, known);
    } else {
      // Where it goes is decided by the first images that go.
      if (study) await deleteEarlyStudies(trx, [study]);
      const earlyDelivery = members.length > 0 ? 'going' : 'waiting';
      await beginStudy(unit, upload, { uid, members, patients: known, earlyDelivery }, config);
    }
  }
  if (taken.size + stopped.size > 0) announceUpload(unit, upload);
}

/** What is still there and, as far as the sender has said by now, what was sent. */
async function findAsAnnounced(
  { trx }: UnitOfWork,
  uploadId: string,
  checked: readonly CheckedFile[],
): Promise<EarlyObject[]> {
  const rows = new Map((await listUploadFiles(trx, uploadId)).map((row) => [row.id, row]));
  return checked.flatMap((each) => {
    const { file, md5, sha256 } = each;
    const row = rows.get(file.id);
    const isSame = row !== undefined && isAsAnnounced({ ...row, md5, sha256 });
    return isSame ? (toEarlyObject(each) ?? []) : [];
  });
}

const draftOf = (studyInstanceUid: string, members: readonly EarlyObject[]) => ({
  studyInstanceUid,
  attributes: fullestAttributes(members),
  members: [...members],
  warnings: [],
});

/** A study of an upload that still arrives. */
interface EarlyBeginning {
  uid: string;
  /** What goes of it; none: it was only looked at, or is stopped before anything of it goes. */
  members: readonly EarlyObject[];
  patients: readonly PatientFacts[];
  earlyDelivery: EarlyDelivery;
}

async function beginStudy(
  unit: UnitOfWork,
  upload: UploadRow,
  { uid, members, patients, earlyDelivery }: EarlyBeginning,
  { pacs }: EarlyConfig,
): Promise<void> {
  const { trx } = unit;
  const { study, instances } = toRows(upload.id, draftOf(uid, members));
  const facility = (await findUser(trx, upload.userId))?.facility ?? null;
  const target = targetOfStudy(upload, study, facility, pacs);
  await insertStudy(trx, { ...study, target, earlyDelivery, earlyPatients: [...patients] });
  if (members.length === 0) return;
  await insertInstances(trx, instances);
  unit.enqueue(deliveryJob({ id: study.id, attempts: 0, nextAttemptAt: null }, upload.serviceLevel));
  unit.audit({
    actor: SYSTEM_ACTOR,
    action: 'upload.early_delivery',
    objectType: 'upload',
    objectId: upload.id,
    detail: { study: study.id, target },
  });
}

async function growStudy(
  unit: UnitOfWork,
  upload: UploadRow,
  study: StudyRow,
  members: readonly EarlyObject[],
  patients: readonly PatientFacts[],
): Promise<void> {
  const more = toRows(upload.id, draftOf(study.studyInstanceUid, members));
  await growEarlyStudy(unit.trx, study, more.study, more.instances, patients);
  unit.enqueue(deliveryJob(study, upload.serviceLevel));
}
