import type {
  ContentInspection,
  InspectedEntry,
  Inspection,
  Photo,
  UsableObject,
} from '../../workers/inspection.js';
import type { LeftOutFile } from './grouping.js';
import type { PickedFile } from './picked-files.js';

/** One DICOM object, in a picked file or in an archive. */
export interface FoundObject {
  path: string;
  size: number;
  inspection: UsableObject;
}

/** A picked file with what of it the PACS can take. */
export interface Part extends PickedFile {
  objects: FoundObject[];
  photo: Photo | undefined;
  photosWithin: number;
  isArchive: boolean;
  damaged: LeftOutFile[];
  unopened: LeftOutFile[];
  notTaken: LeftOutFile[];
  remark: string | undefined;
}

export const isInFolder = ({ photo, path }: Part) => photo !== undefined && path.includes('/');

export const PICTURE_BESIDE =
  'A picture in a folder or an archive of images mostly belongs to a viewer. Choose it by itself to send it.';

export function refusalOf(
  inspection: Extract<ContentInspection, { kind: 'other' | 'heic' }>,
  heicReason = 'This photo has to become a JPEG first.',
): { reason: string; wanted: boolean } {
  if (inspection.kind === 'heic') return { reason: heicReason, wanted: true };
  return { reason: inspection.reason, wanted: inspection.wanted ?? false };
}

/** Why an archive is left out: often one thing is the matter with everything in it, such as a password. */
export function nothingIn({ damaged, unopened, notTaken }: Part): string {
  const reasons = new Set([...damaged, ...unopened, ...notTaken].map(({ reason }) => reason));
  const [reason] = reasons;
  return reasons.size === 1
    ? `Nothing in it can be sent. ${reason}`
    : 'There is no image in it that can be sent.';
}

export function partOf(
  { file, path }: PickedFile,
  found: Extract<Inspection, { kind: 'usable' | 'image' | 'archive' }>,
): Part {
  const part: Part = {
    file,
    path,
    objects: [],
    photo: undefined,
    photosWithin: 0,
    isArchive: found.kind === 'archive',
    damaged: [],
    unopened: [],
    notTaken: [],
    remark: undefined,
  };
  if (found.kind === 'usable') part.objects.push({ path, size: file.size, inspection: found });
  else if (found.kind === 'image') part.photo = found;
  else {
    part.remark = found.remark;
    for (const entry of found.entries) addEntry(part, entry);
    if (part.objects.length > 0) withoutViewersPictures(part, found.entries);
  }
  return part;
}

function withoutViewersPictures(part: Part, entries: readonly InspectedEntry[]): void {
  part.photosWithin = 0;
  for (const { path, inspection } of entries) {
    if (inspection.kind === 'image')
      part.notTaken.push({ path: `${part.path}/${path}`, reason: PICTURE_BESIDE });
  }
}

function addEntry(part: Part, { path: within, size, inspection }: InspectedEntry): void {
  const path = within === '' ? part.path : `${part.path}/${within}`;
  switch (inspection.kind) {
    case 'usable':
      part.objects.push({ path, size, inspection });
      break;
    case 'image':
      part.photosWithin += 1;
      break;
    case 'damaged':
      part.damaged.push({ path, reason: inspection.reason });
      break;
    case 'refused':
      part.unopened.push({ path, reason: inspection.reason });
      break;
    default: {
      const { reason, wanted } = refusalOf(inspection, HEIC_WITHIN);
      (wanted ? part.unopened : part.notTaken).push({ path, reason });
    }
  }
}

const HEIC_WITHIN =
  'Photos in the HEIC format cannot be used within an archive. Unpack it and choose the photo itself.';
