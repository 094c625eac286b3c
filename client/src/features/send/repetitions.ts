import type { Part } from './file-parts.js';
import type { InspectedFile } from './grouping.js';

/** The same file from two folders, or picked a second time. A camera gives one name to all of its photos. */
export function withoutRepetitions(files: readonly InspectedFile[]): InspectedFile[] {
  const first = new Map<string, InspectedFile>();
  for (const file of files) {
    const { inspection } = file;
    const uid = inspection.kind === 'usable' ? inspection.header.sopInstanceUid : undefined;
    const taken = inspection.kind === 'image' ? `|${file.file.lastModified}` : '';
    const key = `${uid ?? file.path}|${file.file.size}${taken}`;
    if (!first.has(key)) first.set(key, file);
  }
  return withPathsOfTheirOwn([...first.values()]);
}

/** Two files of one path and size could not be told apart when an interrupted upload is continued. */
function withPathsOfTheirOwn(files: readonly InspectedFile[]): InspectedFile[] {
  const taken = new Set<string>();
  return files.map((file) => {
    let { path } = file;
    if (file.inspection.kind === 'image') {
      for (let number = 2; taken.has(path); number += 1) path = numbered(file.path, number);
    }
    taken.add(path);
    return path === file.path ? file : { ...file, path };
  });
}

const numbered = (path: string, number: number) =>
  /\.[^./]*$/.test(path) ? path.replace(/(\.[^./]*)$/, ` (${number})$1`) : `${path} (${number})`;

/** An image that lies in an archive, which is sent as it is, is not sent a second time beside it. */
export function withoutRepeatedObjects(parts: readonly Part[]): Part[] {
  const first = new Map<string, Part>();
  const keep = (part: Part): Part => {
    const objects = part.objects.filter(({ inspection, path, size }) => {
      const key = `${inspection.header.sopInstanceUid ?? path}|${size}`;
      const there = first.has(key);
      if (!there) first.set(key, part);
      return !there;
    });
    return objects.length === part.objects.length ? part : { ...part, objects };
  };
  const archives = parts.filter(({ isArchive }) => isArchive).map(keep);
  const loose = parts.filter(({ isArchive }) => !isArchive).map(keep);
  return [...archives, ...loose].filter(({ objects }) => objects.length > 0);
}
