import { expect, it } from 'vitest';
import { filesOfDrop, filesOfInput } from './picked-files.js';

function fileEntry(fullPath: string): FileSystemEntry {
  const name = fullPath.slice(fullPath.lastIndexOf('/') + 1);
  const file = (done: (file: File) => void) => done(new File(['x'], name));
  return { isFile: true, isDirectory: false, fullPath, name, file } as unknown as FileSystemEntry;
}

/** Hands out its entries as Chromium does: 100 at a time, then none. */
function folderEntry(fullPath: string, entries: FileSystemEntry[]): FileSystemEntry {
  const createReader = () => {
    const left = [...entries];
    return { readEntries: (done: (batch: FileSystemEntry[]) => void) => done(left.splice(0, 100)) };
  };
  return { isFile: false, isDirectory: true, fullPath, createReader } as unknown as FileSystemEntry;
}

const dropped = (entry: FileSystemEntry) =>
  ({ kind: 'file', webkitGetAsEntry: () => entry }) as unknown as DataTransferItem;

it('reads dropped folders to the last file, whatever their depth and number of files', async () => {
  const slices = Array.from({ length: 250 }, (_, index) => fileEntry(`/CD/S1/IM${index}`));
  const folder = folderEntry('/CD', [folderEntry('/CD/S1', slices), fileEntry('/CD/DICOMDIR')]);
  const files = await filesOfDrop([dropped(folder), dropped(fileEntry('/single.dcm'))]);
  expect(files).toHaveLength(252);
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['CD/S1/IM249', 'CD/DICOMDIR', 'single.dcm']),
  );
});

it('passes over what operating systems leave in folders', () => {
  const names = ['IM1', '__MACOSX/IM1', '.DS_Store', 'Thumbs.db', '._IM1', 'desktop.ini'];
  const files = filesOfInput(names.map((name) => new File(['x'], name)));
  expect(files.map(({ path }) => path)).toEqual(['IM1']);
});
