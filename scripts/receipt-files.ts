import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Receipt, ReceiptInstance } from '@relaypacs/core/contract/receipts.js';
import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import type { ByteSource } from '@relaypacs/core/dicom/source.js';

/** A file of the folder, by its path there, and the listed instance it has to do with. */
export interface FileOfInstance {
  file: string;
  instance: ReceiptInstance;
}

/** What a folder holds of what a receipt lists. Each listed instance stands in one of these, but for `unlisted`. */
export interface FolderComparison {
  /** There byte for byte as it was sent. */
  found: ReceiptInstance[];
  /** There byte for byte as it was uploaded: it was repaired before it was sent. */
  beforeRepair: FileOfInstance[];
  /** Under the same SOP Instance UID there are other bytes. */
  otherBytes: FileOfInstance[];
  /** Made by RelayPACS, and not there. */
  made: ReceiptInstance[];
  /** Not there. */
  missing: ReceiptInstance[];
  /** DICOM files that are not listed, by their path in the folder. */
  unlisted: string[];
}

/** Compares the files of a folder, and of those in it, with what a receipt lists. */
export async function compareFolder(folder: string, receipt: Receipt): Promise<FolderComparison> {
  // What was sent to two PACS is listed twice, and one file is enough.
  const bySent = new Map(
    receipt.deliveries.flatMap(({ instances }) => instances).map((instance) => [instance.sha256, instance]),
  );
  const listed = [...bySent.values()];
  const byUploaded = new Map(listed.map((instance) => [instance.uploadedSha256, instance]));
  const byUid = new Map(listed.map((instance) => [instance.sopInstanceUid, instance]));
  const found = new Set<ReceiptInstance>();
  const beforeRepair: FileOfInstance[] = [];
  const otherBytes: FileOfInstance[] = [];
  const unlisted: string[] = [];
  for (const each of await filesIn(folder)) {
    const file = path.relative(folder, each);
    const digest = await sha256(each);
    const [sent, uploaded] = [bySent.get(digest), byUploaded.get(digest)];
    if (sent) found.add(sent);
    else if (uploaded) beforeRepair.push({ file, instance: uploaded });
    else {
      const { isDicom, sopInstanceUid } = await identify(each);
      const instance = byUid.get(sopInstanceUid ?? '');
      if (instance) otherBytes.push({ file, instance });
      else if (isDicom) unlisted.push(file);
    }
  }
  const [uploaded, other] = [beforeRepair, otherBytes].map(
    (files) => new Set(files.map(({ instance }) => instance)),
  );
  const absent = listed.filter(
    (instance) => !found.has(instance) && !uploaded?.has(instance) && !other?.has(instance),
  );
  const byFile = (a: FileOfInstance, b: FileOfInstance) => (a.file < b.file ? -1 : 1);
  return {
    found: [...found],
    beforeRepair: beforeRepair.filter(({ instance }) => !found.has(instance)).sort(byFile),
    // One that is there as it should be may have a changed copy beside it.
    otherBytes: otherBytes.sort(byFile),
    made: absent.filter(({ origin }) => origin === 'made'),
    missing: absent.filter(({ origin }) => origin !== 'made'),
    unlisted: unlisted.sort(),
  };
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

/** What a file says it is, read as RelayPACS reads what is uploaded. */
async function identify(file: string): Promise<{ isDicom: boolean; sopInstanceUid: string | undefined }> {
  const handle = await open(file);
  try {
    const { isDicom, attributes } = await scanDicom(await fileSource(handle));
    return { isDicom, sopInstanceUid: attributes.sopInstanceUid };
  } finally {
    await handle.close();
  }
}

async function fileSource(handle: FileHandle): Promise<ByteSource> {
  const { size } = await handle.stat();
  return {
    size,
    read: async (offset, length) => {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await handle.read(bytes, 0, length, offset);
      return bytes.subarray(0, bytesRead);
    },
  };
}
