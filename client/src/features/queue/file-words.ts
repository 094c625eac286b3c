import type {
  ArchiveContents,
  ArchiveEntry,
  FileKind,
  UploadFile,
} from '@relaypacs/core/contract/uploads.js';
import { count, formatBytes } from '../../ui/format.js';

/** A file as it was sent, or one inside an archive. */
type Checked = Pick<UploadFile | ArchiveEntry, 'kind' | 'status' | 'size' | 'problem' | 'findings'>;

const STATUS: Record<UploadFile['status'], string> = {
  uploading: 'Arriving',
  received: 'Received',
  accepted: 'Accepted',
  rejected: 'Not accepted',
  ignored: 'Left out',
};

const KIND: Record<FileKind, string> = {
  dicom: 'DICOM image',
  archive: 'archive',
  image: 'photo',
  dicomdir: 'table of contents',
  other: 'other file',
};

/** `Accepted, DICOM image, 512 KB` */
export function fileWords({ status, kind, size }: Omit<Checked, 'problem' | 'findings'>): string {
  const parts = [STATUS[status], kind === null ? '' : KIND[kind], size === null ? '' : formatBytes(size)];
  return parts.filter((part) => part !== '').join(', ');
}

/** Why a file does not go on; undefined when it does, or nothing is known yet. */
export function reasonOf({ status, problem, findings }: Checked): string | undefined {
  if (status !== 'rejected' && status !== 'ignored' && !problem) return undefined;
  const found = findings.find(({ tier }) => tier === 'reject');
  if (problem || found) return problem?.detail ?? found?.message;
  return status === 'ignored' ? 'It does not belong to the images.' : 'The file was not accepted.';
}

/** What was repaired of a file that went on, and what else is to be said of it. */
export function remarksOf({ status, findings }: Pick<Checked, 'status' | 'findings'>): {
  repairs: string[];
  warnings: string[];
} {
  const went = status !== 'rejected' && status !== 'ignored';
  const messagesOf = (tier: string) =>
    went ? findings.filter((finding) => finding.tier === tier).map(({ message }) => message) : [];
  return { repairs: messagesOf('repair'), warnings: messagesOf('warn') };
}

/** True when what is wrong with a file is wrong with it alone, so that another export of it can help. */
export function isDamaged({ problem }: Pick<Checked, 'problem'>): boolean {
  return !OWN_ADVICE.includes(problem?.code ?? '');
}

// These say by themselves what to do; copies of an image that is there already are whole.
const OWN_ADVICE = [
  'ARCHIVE_UNSUPPORTED',
  'ARCHIVE_WITHOUT_IMAGES',
  'CONFLICTING_COPY',
  'CONFLICTING_INSTANCE',
  'DUPLICATE',
  'IMAGE_UNSUPPORTED',
  'MIXED_PATIENTS',
];

/** `3 files were left out: they are no images` */
export function leftOutWords(files: ReadonlyArray<Pick<Checked, 'kind'>>): string {
  const one = files.length === 1;
  const why = files.some(({ kind }) => kind === 'image' || kind === 'dicom')
    ? `${one ? 'it does' : 'they do'} not belong to the study`
    : `${one ? 'it is no image' : 'they are no images'}`;
  return `${count(files.length, 'file')} ${one ? 'was' : 'were'} left out: ${why}`;
}

/** `120 accepted, 2 not accepted, 5 left out`, without what there is none of. */
export function contentsWords({ accepted, rejected, ignored }: Omit<ArchiveContents, 'entries'>): string {
  const number = (value: number, word: string) => (value > 0 ? count(value, word, word) : '');
  const parts = [
    number(accepted, 'accepted'),
    number(rejected, 'not accepted'),
    number(ignored, 'left out'),
  ].filter((part) => part !== '');
  return parts.join(', ') || 'nothing';
}

/** How many files of an archive are neither accepted nor listed with their reason. */
export function unlisted({ rejected, ignored, entries }: ArchiveContents): number {
  const listed = entries.filter(({ status }) => status !== 'accepted').length;
  return Math.max(0, rejected + ignored - listed);
}
