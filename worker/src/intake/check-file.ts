import { createHash } from 'node:crypto';
import type { FileFinding, UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { isAsAnnounced, type UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { type DicomScan, scanDicom } from '@relaypacs/core/dicom/scan.js';
import { ObjectMissing, type StoredObject } from '@relaypacs/core/storage/object-storage.js';
import type { UploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';

/** A file that was read, and what the checks say of it. */
export interface ReadFile {
  file: UploadFileRow;
  size: number;
  md5: Buffer;
  sha256: Buffer;
  scan: DicomScan;
  findings: FileFinding[];
  /** Set when the file cannot be delivered. */
  problem: UploadProblem | undefined;
}

/** A file of which not all that arrived is there any more: nothing can be said of its contents. */
export interface LostFile {
  file: UploadFileRow;
  md5: null;
  sha256: null;
  scan: null;
  findings: FileFinding[];
  problem: UploadProblem;
}

export type CheckedFile = ReadFile | LostFile;

/** True when the bytes of the file are not there any more. */
export function isLost(file: CheckedFile): file is LostFile {
  return file.sha256 === null;
}

async function digests(object: StoredObject): Promise<{ md5: Buffer; sha256: Buffer }> {
  const md5 = createHash('md5');
  const sha256 = createHash('sha256');
  for await (const chunk of object.stream(0, object.size)) {
    md5.update(chunk);
    sha256.update(chunk);
  }
  return { md5: md5.digest(), sha256: sha256.digest() };
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

function lost(file: UploadFileRow): LostFile {
  const problem: UploadProblem = {
    code: 'STORED_BYTES_DAMAGED',
    title: 'Damaged after it was received',
    detail: 'What arrived of this file can no longer be read here. Send this file again.',
  };
  return { file, md5: null, sha256: null, scan: null, findings: [], problem };
}

/**
 * Looks at one received file: its digests, and whether it is DICOM that an archive takes. Content of any sort, and
 * content that is gone, leads to a verdict; only faults of the storage are thrown.
 */
export async function checkFile(files: UploadedFiles, file: UploadFileRow): Promise<CheckedFile> {
  const object = await files.open(file.id).catch((error: unknown) => {
    if (error instanceof ObjectMissing) return undefined;
    throw error;
  });
  if (!object) return lost(file);
  try {
    if (object.size < (file.size ?? 0)) return lost(file);
    // The scanner comes first: nothing else may touch a stranger's file before it.
    const scan = await scanDicom(object);
    return {
      file,
      size: object.size,
      ...(await digests(object)),
      scan,
      findings: scan.findings.map(({ code, tier, message }) => ({ code, tier, message })),
      problem: contentProblem(scan),
    };
  } finally {
    await object.close();
  }
}

/**
 * Compares a checked file with what the sender announced of it by now: digests may come while it is being checked.
 *
 * @param file - its row as it is now
 */
export function compareWithAnnounced(checked: CheckedFile, file: UploadFileRow): CheckedFile {
  if (checked.scan === null) return { ...checked, file };
  const { md5, sha256 } = checked;
  if (file.size === checked.size && isAsAnnounced({ ...file, md5, sha256 })) return { ...checked, file };
  const problem: UploadProblem = {
    code: 'TRANSFER_DAMAGED',
    title: 'Not what was sent',
    detail:
      'What arrived differs from what the sender announced, so it was not passed on. Send this file again.',
  };
  return { ...checked, file, problem };
}
