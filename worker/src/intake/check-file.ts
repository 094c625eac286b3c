import { createHash } from 'node:crypto';
import type { FileFinding, UploadProblem } from '@relaypacs/core/contract/uploads.js';
import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { type DicomScan, scanDicom } from '@relaypacs/core/dicom/scan.js';
import type { ObjectStorage, StoredObject } from '@relaypacs/core/storage/object-storage.js';

/** What the checks say of one file. */
export interface CheckedFile {
  file: UploadFileRow;
  size: number;
  sha256: Buffer;
  scan: DicomScan;
  findings: FileFinding[];
  /** Set when the file cannot be delivered. */
  problem: UploadProblem | undefined;
}

async function digests(
  object: StoredObject,
  withMd5: boolean,
): Promise<{ sha256: Buffer; md5: Buffer | undefined }> {
  const sha256 = createHash('sha256');
  const md5 = withMd5 ? createHash('md5') : undefined;
  for await (const chunk of object.stream(0, object.size)) {
    sha256.update(chunk);
    md5?.update(chunk);
  }
  return { sha256: sha256.digest(), md5: md5?.digest() };
}

/** The file is not, to the last bit, what the sender said it is. */
function transferProblem(
  file: UploadFileRow,
  size: number,
  found: { sha256: Buffer; md5: Buffer | undefined },
): UploadProblem | undefined {
  const sameSize = file.size === null || file.size === size;
  const sameSha256 = file.announcedSha256 === null || file.announcedSha256.equals(found.sha256);
  const sameMd5 =
    file.announcedMd5 === null || (found.md5 !== undefined && file.announcedMd5.equals(found.md5));
  if (sameSize && sameSha256 && sameMd5) return undefined;
  return {
    code: 'TRANSFER_DAMAGED',
    title: 'Not what was sent',
    detail:
      'What arrived differs from what the sender announced, so it was not passed on. Send this file again.',
  };
}

/** Why the file cannot be delivered, from what the scan found; undefined when it can. */
function contentProblem(scan: DicomScan): UploadProblem | undefined {
  const rejecting = scan.findings.find((finding) => finding.tier === 'reject');
  if (rejecting) {
    return {
      code: rejecting.code,
      title: scan.isDicom ? 'Damaged file' : 'Not a DICOM file',
      detail: rejecting.message,
    };
  }
  const repair = scan.findings.find((finding) => finding.needsRewrite);
  if (!repair) return undefined;
  return {
    code: repair.code,
    title: 'Cannot be delivered as it is',
    detail: `${repair.message} Files are delivered unchanged, so export it again and send it in a new upload.`,
  };
}

/**
 * Looks at one received file: its digests, whether it is what the sender announced, and whether it is DICOM that
 * an archive takes. Content of any sort leads to a verdict; only faults of the storage are thrown.
 */
export async function checkFile(storage: ObjectStorage, file: UploadFileRow): Promise<CheckedFile> {
  const object = await storage.open(file.id);
  try {
    // The scanner comes first: nothing else may touch a stranger's file before it.
    const scan = await scanDicom(object);
    const found = await digests(object, file.announcedMd5 !== null);
    return {
      file,
      size: object.size,
      sha256: found.sha256,
      scan,
      findings: scan.findings.map(({ code, tier, message }) => ({ code, tier, message })),
      problem: transferProblem(file, object.size, found) ?? contentProblem(scan),
    };
  } finally {
    await object.close();
  }
}
