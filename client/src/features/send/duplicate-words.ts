import type { EarlierUpload } from '../../sending/transfer.js';
import { formatMoment } from '../../ui/format.js';
import { statusLabel } from '../queue/status-sentences.js';

interface DuplicateWords {
  /** `unfinished`: can be continued. `differs`: began with other files. `underWay`: this page is at it. */
  kind: 'unfinished' | 'differs' | 'underWay' | 'sent';
  title: string;
  sentence: string;
}

/**
 * What to ask about a study that the server has seen before.
 *
 * @param sendingHere - whether this page is sending the earlier upload at the moment
 */
export function duplicateWords(
  { createdAt, status, differs }: EarlierUpload,
  sendingHere: boolean,
  now = new Date(),
): DuplicateWords {
  const moment = createdAt === '' ? '' : formatMoment(createdAt, now);
  const when =
    moment === ''
      ? ''
      : moment.startsWith('today, ')
        ? ` at ${moment.slice('today, '.length)}`
        : ` on ${moment}`;
  if (sendingHere) {
    return {
      kind: 'underWay',
      title: 'Already being sent',
      sentence:
        'This page is sending a study of this patient with the same date and modality right now. ' +
        'Send this one only if it is another study.',
    };
  }
  if (differs) {
    return {
      kind: 'differs',
      title: 'These are other files',
      sentence:
        `The files you chose are not the same as those of the upload you began${when}, so it cannot be ` +
        'continued with them. Choose the same files again, or send these as a new upload.',
    };
  }
  if (status === 'created' || status === 'uploading') {
    return {
      kind: 'unfinished',
      title: 'Continue this study?',
      sentence: `You began to send this study${when} and it is not finished. Continue it?`,
    };
  }
  return {
    kind: 'sent',
    title: 'Send this study again?',
    sentence:
      `A study of a patient of this name, with the same date and modality, was sent before${moment && `: ${moment}`} ` +
      `(${statusLabel(status).toLowerCase()}). Send this one only if it is another study, or if something was missing.`,
  };
}
