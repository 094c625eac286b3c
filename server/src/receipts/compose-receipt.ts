import { findTarget, type PacsTargets } from '@relaypacs/core/config-targets.js';
import type { Receipt, ReceiptDelivery, ReceiptInstance } from '@relaypacs/core/contract/receipts.js';
import type { DeliveredInstance } from '@relaypacs/core/db/receipts.js';
import type { StudyRow } from '@relaypacs/core/db/studies.js';
import type { FileTotals } from '@relaypacs/core/db/upload-files.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { UserRow } from '@relaypacs/core/db/users.js';

/** The remark on what the PACS held before, with contents that nobody could compare. */
const HELD_NOT_COMPARED = 'HELD_NOT_COMPARED';

/** A study whose every instance the PACS has confirmed. */
export type DeliveredStudy = StudyRow & { status: 'delivered'; deliveredAt: Date };

/**
 * The deliveries a receipt is about, in their order.
 *
 * @returns none unless the upload is delivered, with each of its studies when it was first sent: a receipt about a part
 * would be taken for one about all, and one about an upload that is told as failed would contradict it
 */
export function deliveredStudies(
  upload: Pick<UploadRow, 'status'>,
  studies: readonly StudyRow[],
): DeliveredStudy[] {
  const delivered = studies.filter(isDelivered);
  const isWhole = studies.every((study) => study.resendOf !== null || isDelivered(study));
  if (upload.status !== 'delivered' || !isWhole) return [];
  return delivered.sort(
    (a, b) => a.deliveredAt.getTime() - b.deliveredAt.getTime() || (a.id < b.id ? -1 : 1),
  );
}

const isDelivered = (study: StudyRow): study is DeliveredStudy =>
  study.status === 'delivered' && study.deliveredAt !== null;

/** What a receipt is made of. */
export interface ReceiptFacts {
  id: string;
  issuer: string;
  issuedAt: Date;
  upload: UploadRow;
  sender: Pick<UserRow, 'username' | 'fullName' | 'facility'>;
  files: FileTotals | undefined;
  /** At least one. */
  studies: readonly DeliveredStudy[];
  instances: readonly DeliveredInstance[];
  pacs: Pick<PacsTargets, 'all'>;
}

/** Puts down what was delivered, in the words of the contract. */
export function composeReceipt(facts: ReceiptFacts): Receipt {
  const { upload, sender, files, studies } = facts;
  const byStudy = new Map<string, DeliveredInstance[]>(studies.map(({ id }) => [id, []]));
  for (const instance of facts.instances) byStudy.get(instance.studyId)?.push(instance);
  const last = Math.max(...studies.map(({ deliveredAt }) => deliveredAt.getTime()));
  return {
    version: 1,
    id: facts.id,
    issuer: facts.issuer,
    issuedAt: facts.issuedAt.toISOString(),
    uploadId: upload.id,
    sender: { username: sender.username, fullName: sender.fullName, facility: sender.facility },
    announcedAt: upload.createdAt.toISOString(),
    receivedAt: upload.receivedAt?.toISOString() ?? null,
    deliveredAt: new Date(last).toISOString(),
    files: {
      received: files?.received ?? 0,
      rejected: files?.rejected ?? 0,
      ignored: files?.ignored ?? 0,
    },
    deliveries: studies.map((study) => composeDelivery(study, byStudy.get(study.id) ?? [], facts.pacs)),
  };
}

function composeDelivery(
  study: DeliveredStudy,
  rows: readonly DeliveredInstance[],
  pacs: Pick<PacsTargets, 'all'>,
): ReceiptDelivery {
  const instances = rows.map(composeInstance);
  const compared = instances.filter(({ verification }) => verification === 'bytes').length;
  return {
    studyInstanceUid: study.studyInstanceUid,
    studyDescription: study.studyDescription,
    studyDate: study.studyDate,
    accessionNumber: study.accessionNumber,
    modalities: study.modalities,
    patient: {
      name: study.patientName,
      id: study.patientId,
      birthDate: study.patientBirthDate,
      sex: study.patientSex,
    },
    // Not its address: a receipt is handed around, and that is no business of others.
    target: { key: study.target, name: findTarget(pacs, study.target)?.name ?? study.target },
    isResend: study.resendOf !== null,
    deliveredAt: study.deliveredAt.toISOString(),
    verification: {
      level: compared === instances.length ? 'bytes' : compared > 0 ? 'sample' : 'uids',
      instances: instances.length,
      compared,
      remarks: instances.filter(({ remark }) => remark !== null).length,
    },
    instances,
  };
}

function originOf({
  isDerived,
  isRepaired,
  uploadedSha256,
}: DeliveredInstance): Pick<ReceiptInstance, 'origin' | 'uploadedSha256'> {
  if (isDerived) return { origin: 'made' };
  if (!isRepaired) return { origin: 'as_uploaded' };
  if (uploadedSha256 === null) return { origin: 'repaired' };
  return { origin: 'repaired', uploadedSha256: uploadedSha256.toString('hex') };
}

function composeInstance(row: DeliveredInstance): ReceiptInstance {
  return {
    sopInstanceUid: row.sopInstanceUid,
    seriesInstanceUid: row.seriesInstanceUid,
    sopClassUid: row.sopClassUid,
    transferSyntaxUid: row.transferSyntaxUid,
    seriesNumber: row.seriesNumber,
    instanceNumber: row.instanceNumber,
    size: row.size,
    sha256: row.sha256.toString('hex'),
    ...originOf(row),
    verification: row.verification,
    verifiedAt: row.verifiedAt.toISOString(),
    alreadyThere: row.alreadyThere,
    sent: !row.alreadyThere && row.problem?.code !== HELD_NOT_COMPARED,
    remark: row.problem?.code ?? null,
  };
}
