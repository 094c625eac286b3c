import { isJunk } from '../../workers/junk-names.js';

/** A file with the folder it was picked from: `DICOM/S1/IM0001`, or just its name. */
export interface PickedFile {
  file: File;
  path: string;
}

/** Files of an `<input type="file">`, with or without `webkitdirectory`. */
export function filesOfInput(files: FileList | readonly File[]): PickedFile[] {
  return withoutJunk([...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
}

/**
 * Files and folders dropped on the page. The entries are gone once the event handler has returned, so this must be
 * called within it; reading them may then take its time.
 */
export async function filesOfDrop(items: Iterable<DataTransferItem>): Promise<PickedFile[]> {
  const entries: FileSystemEntry[] = [];
  const plain: PickedFile[] = [];
  for (const item of items) {
    if (item.kind !== 'file') continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry) entries.push(entry);
    else {
      const file = item.getAsFile();
      if (file) plain.push({ file, path: file.name });
    }
  }
  for (const entry of entries) plain.push(...(await filesOfEntry(entry)));
  return withoutJunk(plain);
}

async function filesOfEntry(entry: FileSystemEntry): Promise<PickedFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [{ file, path: entry.fullPath.replace(/^\//, '') }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const files: PickedFile[] = [];
  for (;;) {
    // Chromium hands out at most 100 entries at a time; an empty answer is the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return files;
    for (const each of entries) files.push(...(await filesOfEntry(each)));
  }
}

function withoutJunk(files: PickedFile[]): PickedFile[] {
  return files.filter(({ path }) => !isJunk(path));
}
