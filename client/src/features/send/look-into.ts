import type { InspectedFile } from './grouping.js';
import { inspectFiles } from './inspect.js';
import type { PickedFile } from './picked-files.js';

/**
 * Finds out what picked files are, and makes JPEGs of those photos that nothing but a phone can read.
 *
 * @param tell - how many files have been looked into, of how many; files within archives count as well
 * @throws Error when files cannot be looked into at all
 */
export async function lookInto(
  picked: readonly PickedFile[],
  tell: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<InspectedFile[]> {
  const found: InspectedFile[] = [];
  let entries = 0;
  let looked = 0;
  let unread = 0;
  const tellNow = () => tell(found.length - unread + looked, picked.length + entries);
  await inspectFiles(
    picked.map(({ file }) => file),
    ({ inspected, entriesFound, entriesLooked }) => {
      for (const { index, inspection } of inspected) {
        const file = picked[index];
        if (file) found.push({ ...file, inspection });
        if (inspection.kind === 'heic') unread += 1;
      }
      entries = entriesFound;
      looked = entriesLooked;
      tellNow();
    },
    signal,
  );
  // One after the other: a decoded photo takes some fifty megabytes.
  for (const [position, file] of found.entries()) {
    if (file.inspection.kind !== 'heic' || signal.aborted) continue;
    found[position] = await withoutHeic(file, file.inspection.takenOn);
    unread -= 1;
    tellNow();
  }
  return found;
}

async function withoutHeic(photo: PickedFile, takenOn: string | undefined): Promise<InspectedFile> {
  const { HEIC_UNREADABLE, jpegOfHeic } = await import('./heic-photo.js');
  const jpeg = await jpegOfHeic(photo.file);
  if (!jpeg) return { ...photo, inspection: { kind: 'other', wanted: true, reason: HEIC_UNREADABLE } };
  const { file, width, height } = jpeg;
  const folder = photo.path.slice(0, photo.path.lastIndexOf('/') + 1);
  return {
    file,
    path: folder + file.name,
    inspection: {
      kind: 'image',
      format: 'jpeg',
      width,
      height,
      ...(takenOn === undefined ? {} : { takenOn }),
    },
  };
}
