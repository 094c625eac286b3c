import {
  CLOSED_AFTER_FAILURE,
  FAULT_AFTER_EARLY_DELIVERY,
  type UploadProblem,
} from '@relaypacs/core/contract/uploads.js';
import type { LeftInPacs } from '@relaypacs/core/db/left-in-pacs.js';

interface Closing {
  /** What each PACS has of it. */
  left: readonly LeftInPacs[];
  /** What people call the PACS with this key. */
  nameOf(target: string): string;
  /** The sender closed it; else an administrator did. */
  isSender: boolean;
  /** A PACS has something that is no longer part of the upload; a warning of the upload names it. */
  hasSuperseded: boolean;
}

/** What is told of an upload that was closed after it had failed. */
export function closedProblem({ left, nameOf, isSender, hasSuperseded }: Closing): UploadProblem {
  const places = left.map((each) => ({ ...each, place: placeName(nameOf(each.target)) }));
  const faults = places.filter(({ faulty }) => faulty > 0).map(faultWords);
  const something = places.flatMap((each) => thereWords(each) ?? []);
  const isMissing = left.length === 0 || left.some(({ images, there }) => there < images);
  const detail = [
    `Closed by ${isSender ? 'its sender' : 'an administrator'} after it had failed.`,
    'Nothing more of it is sent, and its files are removed here.',
    ...faults,
    ...something,
    ...(something.length === 0 && faults.length === 0 ? [nothingWords(places, hasSuperseded)] : []),
    ...(isMissing ? [adviceWords(something.length > 0)] : []),
  ].join(' ');
  if (faults.length > 0) {
    const title = 'Closed, with images in the PACS that should not be there';
    return { code: FAULT_AFTER_EARLY_DELIVERY, title, detail, remedy: 'contact_pacs' };
  }
  return {
    code: CLOSED_AFTER_FAILURE,
    title: 'Closed without being delivered',
    detail,
    remedy: 'new_upload',
  };
}

/**
 * What is told of a study of it that was not delivered.
 *
 * @param before - what was told until now
 * @param reasons - why images were not delivered, in a few words each
 */
export function closedStudyProblem(before: UploadProblem | null, reasons: readonly string[]): UploadProblem {
  const { code, title } = before ?? { code: CLOSED_AFTER_FAILURE, title: 'Not delivered' };
  const why = reasons.length > 0 ? reasons : [title];
  const detail = `${why.map((reason) => `${reason}.`).join(' ')} Nothing more of it is sent, because the upload was closed.`;
  return { code, title, detail, remedy: 'new_upload' };
}

type Place = LeftInPacs & { place: string };

function thereWords({ images, there, unsure, documents, place }: Place): string | undefined {
  const of = (count: number) => `${count} of ${images} ${images === 1 ? 'image' : 'images'}`;
  const also = unsure > 0 ? `, and ${unsure} more may be` : '';
  const history = documents > 0 ? ', with the clinical history' : '';
  if (there > 0) return `${of(there)} ${are(there)} in ${place} and ${stay(there)} there${history}${also}.`;
  if (unsure > 0) return `${of(unsure)} may be in ${place}${history}.`;
  return documents > 0 ? `The clinical history is in ${place} and stays there.` : undefined;
}

const faultWords = ({ faulty, place }: Place) =>
  `${faulty} ${faulty === 1 ? 'image' : 'images'} ${are(faulty)}, or may be, in ${place} and should not be: tell the people who run it to look at the study.`;

function nothingWords(places: readonly Place[], hasSuperseded: boolean): string {
  const names = [...new Set(places.map(({ place }) => place))];
  const where = names.length > 0 ? names.join(' or ') : 'the PACS';
  return hasSuperseded
    ? `Of what it is now nothing is in ${where}; what went there before it was corrected stays there.`
    : `Nothing of it is in ${where}.`;
}

const adviceWords = (isPart: boolean) =>
  isPart
    ? 'What is missing there can be sent as a new upload; what the PACS has is not stored twice.'
    : 'If the study is needed, send it as a new upload.';

const are = (count: number) => (count === 1 ? 'is' : 'are');
const stay = (count: number) => (count === 1 ? 'stays' : 'stay');

/** One that was given no name of its own is called what it is. */
const placeName = (name: string) => (name === 'PACS' ? 'the PACS' : name);
