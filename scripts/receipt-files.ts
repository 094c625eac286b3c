import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Receipt, ReceiptInstance } from '@relaypacs/core/contract/receipts.js';

/** What a folder holds of what a receipt lists. */
export interface FolderComparison {
  /** Listed, and there byte for byte. */
  found: number;
  /** Listed, and not there. */
  missing: ReceiptInstance[];
  /** DICOM files that are not listed, by their path in the folder. */
  unlisted: string[];
}

/** Compares the files of a folder, and of those in it, with the SHA-256 digests of a receipt. */
export async function compareFolder(folder: string, receipt: Receipt): Promise<FolderComparison> {
  const instances = receipt.deliveries.flatMap((delivery) => delivery.instances);
  const listed = new Set(instances.map(({ sha256 }) => sha256));
  const there = new Set<string>();
  const unlisted: string[] = [];
  for (const file of await filesIn(folder)) {
    const digest = await sha256(file);
    if (listed.has(digest)) there.add(digest);
    else if (await isDicom(file)) unlisted.push(path.relative(folder, file));
  }
  // What was sent to two PACS is listed twice, and one file is enough.
  const distinct = new Map(instances.map((instance) => [instance.sha256, instance]));
  return {
    found: there.size,
    missing: [...distinct.values()].filter((instance) => !there.has(instance.sha256)),
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

/** By the prefix behind the preamble (PS3.10 §7.1). */
async function isDicom(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 128);
    return buffer.toString('latin1') === 'DICM';
  } finally {
    await handle.close();
  }
}
