import {
  FAULT_AFTER_EARLY_DELIVERY,
  UPLOAD_EXPIRED_IN_PART,
  type UploadDetail,
  type UploadProblem,
  type UploadStatus,
  type UploadSummary,
} from '@relaypacs/core/contract/uploads.js';
import { count, formatMoment } from '../../ui/format.js';

/** How a status looks: the colour and sign that go with it. */
export type Tone = 'moving' | 'waiting' | 'good' | 'caution' | 'bad' | 'over';

export interface StatusWords {
  tone: Tone;
  /** Two or three words. */
  label: string;
  /** What happened, whether the study is safe, and what to do. */
  sentence: string;
}

type StatusFacts = Pick<
  UploadSummary,
  | 'status'
  | 'waitingFor'
  | 'fileCount'
  | 'filesReceived'
  | 'filesRejected'
  | 'instances'
  | 'warningCount'
  | 'problem'
  | 'expiresAt'
> &
  // Told on the page of one upload, where the details stand, and not in lists.
  Partial<Pick<UploadDetail, 'studies'>>;

const LABELS: Record<UploadStatus, string> = {
  created: 'Not started',
  uploading: 'Arriving',
  received: 'Received',
  processing: 'Being checked',
  delivering: 'Being delivered',
  delivered: 'Delivered',
  rejected: 'Not accepted',
  failed: 'Not delivered',
  expired: 'Timed out',
  cancelled: 'Cancelled',
};

/** The name of a status by itself, for filters. */
export function statusLabel(status: UploadStatus): string {
  return LABELS[status];
}

const CONTINUE =
  'If nothing is sending it any more, choose the same files again on the Send page to continue';

/** Who looks at an upload. */
export interface Viewer {
  /** This page is sending it. Default: it is not. */
  sendingHere?: boolean;
  /** It is the viewer's own. Default: it is. */
  isSender?: boolean;
}

/** True while the upload's checks have doubts that wait for the sender's answer. */
export function waitsForSender({
  status,
  waitingFor,
}: Pick<UploadSummary, 'status' | 'waitingFor'>): boolean {
  return status === 'processing' && waitingFor === 'sender';
}

/** What to tell a person about an upload. */
export function statusWords(
  upload: StatusFacts,
  { sendingHere = false, isSender = true }: Viewer = {},
): StatusWords {
  const { status, fileCount, filesReceived, instances, problem } = upload;
  const label = LABELS[status];
  const arrived =
    fileCount === 1 && filesReceived === 0
      ? 'Part of the file has arrived'
      : `${filesReceived} of ${count(fileCount, 'file')} ${filesReceived === 1 ? 'has' : 'have'} arrived${wentAhead(upload)}`;
  const until = formatMoment(upload.expiresAt);
  switch (status) {
    case 'created':
      return {
        tone: 'moving',
        label,
        sentence: sendingHere
          ? `Nothing has arrived yet. Keep RelayPACS open on the device that sends it, until ${until} at the latest.`
          : `Nothing has arrived yet; it can be sent until ${until}. ${CONTINUE}.`,
      };
    case 'uploading':
      return {
        tone: 'moving',
        label,
        sentence: sendingHere
          ? `${arrived}. Keep RelayPACS open on the device that sends it, until all are here.`
          : `${arrived}. What has arrived is safe until ${until}. ${CONTINUE}${filesReceived > 0 ? ', or go on with what has arrived' : ''}.`,
      };
    case 'received':
      return {
        tone: 'moving',
        label,
        sentence: `${filesReceived === 1 ? 'The file is' : `All ${count(filesReceived, 'file')} are`} safe here and will be checked next. Nothing to do: you can close this page.`,
      };
    case 'processing':
      if (waitsForSender(upload)) return doubtWords(sendingHere, isSender);
      return {
        tone: 'moving',
        label,
        sentence: 'All files are safe here and are being checked. Nothing to do: you can close this page.',
      };
    case 'delivering':
      if (upload.waitingFor === 'pacs') {
        return {
          tone: 'waiting',
          label: 'Waiting for the PACS',
          sentence: problem?.detail ?? 'Safe here. Waiting for the PACS to answer; nothing to do.',
        };
      }
      // Something is wrong already that somebody has to act on now.
      if (problem)
        return { tone: 'bad', label, sentence: `${problem.detail} The others are being delivered.` };
      return {
        tone: 'moving',
        label,
        sentence: `Safe here and on its way into the PACS: ${arrivalWords(instances)}. ${upload.warningCount > 0 ? readWarnings(upload) : 'Nothing to do.'}`,
      };
    case 'delivered':
      return deliveredWords(upload);
    case 'rejected':
      return {
        tone: 'bad',
        label,
        sentence:
          problem?.remedy === 'correct'
            ? problem.detail
            : `${problem?.detail ?? 'None of the files can go to the PACS.'} Send the corrected study as a new upload.`,
      };
    case 'failed':
      return {
        tone: 'bad',
        label,
        // The server's sentence says all three by itself.
        sentence:
          problem?.detail ??
          'The PACS did not take the study. It is still safe here. Press Retry, and tell your administrator if it fails again.',
      };
    case 'expired':
      // The server's sentence says all of it where something is, or may be, in the PACS.
      if (problem?.code === UPLOAD_EXPIRED_IN_PART) return { tone: 'bad', label, sentence: problem.detail };
      return {
        tone: 'bad',
        label,
        sentence: `${arrived}. The rest did not come in time, so the upload was closed and nothing has gone to the PACS. Send the study again.`,
      };
    case 'cancelled':
      // Closed after it had failed: the server's sentence says what the PACS has of it.
      if (problem) {
        const tone = isFaultAfterEarlyDelivery(problem) ? 'bad' : 'over';
        return { tone, label: 'Closed, not delivered', sentence: problem.detail };
      }
      return {
        tone: 'over',
        label,
        sentence: 'Cancelled before anything went to the PACS. Send the study again if it is needed.',
      };
  }
}

/** True when the status card of an upload says this already, so that it need not stand below once more. */
export function isToldAbove(upload: StatusFacts, sentence: string): boolean {
  return statusWords(upload).sentence.includes(sentence);
}

const isStatus = (event: string) => event in LABELS;

/** True when images went to the PACS that should not have: only the people there can put that right. */
export function isFaultAfterEarlyDelivery(problem: Pick<UploadProblem, 'code'> | null): boolean {
  return problem?.code === FAULT_AFTER_EARLY_DELIVERY;
}

/** True when trying a failed upload again can change something. */
export function retryHelps({ status, problem }: Pick<UploadSummary, 'status' | 'problem'>): boolean {
  return status === 'failed' && !(isFaultAfterEarlyDelivery(problem) && problem?.remedy === 'new_upload');
}

/** True when images were delivered that the PACS did not have: the upload cannot be taken back as a whole any more. */
export function hasGone({ instances }: Pick<UploadSummary, 'instances'>): boolean {
  return instances.stored > instances.alreadyThere;
}

/** What the PACS has while the rest still arrives: each such image is a file of its own. */
function wentAhead({ status, filesReceived, instances: { verified } }: StatusFacts): string {
  if (status !== 'uploading' || verified === 0 || verified > filesReceived) return '';
  return `, and ${verified} of them ${verified === 1 ? 'is' : 'are'} in the PACS already`;
}

function doubtWords(sendingHere: boolean, isSender: boolean): StatusWords {
  if (sendingHere) {
    return {
      tone: 'moving',
      label: 'More files on their way',
      sentence:
        'The study is safe here, and your further files are being sent. Keep RelayPACS open until they have arrived; then all of it is checked again.',
    };
  }
  if (!isSender) {
    return {
      tone: 'waiting',
      label: 'Waiting for its sender',
      sentence:
        'Safe here, but the checks have doubts: nothing goes to the PACS before its sender has looked at them. Nothing to do for you.',
    };
  }
  return {
    tone: 'caution',
    label: 'Waiting for your answer',
    sentence:
      'Safe here, but the checks have doubts, and nothing goes to the PACS before you say so. Read the warnings, then send it as it is, add files, or cancel it.',
  };
}

/** `12 images were in the PACS already`; empty when none was. */
export function alreadyThereWords(number: number): string {
  return number > 0 ? `${count(number, 'image')} ${number === 1 ? 'was' : 'were'} in the PACS already` : '';
}

function readWarnings({ studies, warningCount }: StatusFacts): string {
  if (studies) return 'Read the warnings below.';
  return `Open the details to read the ${warningCount === 1 ? 'warning' : `${warningCount} warnings`}.`;
}

/** `2 of them the clinical history`; empty when nothing was made of it. */
function documentWords({ documents }: StatusFacts['instances']): string {
  return documents > 0 ? `${documents} of them the clinical history` : '';
}

function deliveredWords(upload: StatusFacts): StatusWords {
  const { instances, filesRejected, problem } = upload;
  const more = [documentWords(instances), alreadyThereWords(instances.alreadyThere)]
    .filter(Boolean)
    .join('; ');
  const confirmed = `Delivered, ${instances.verified} of ${instances.total} confirmed by the PACS${more && ` (${more})`}.`;
  const allConfirmed = instances.failed === 0 && instances.verified >= instances.total;
  if (filesRejected === 0 && allConfirmed && !problem) {
    if (upload.warningCount === 0) {
      return { tone: 'good', label: LABELS.delivered, sentence: `${confirmed} Nothing left to do.` };
    }
    const sentence = `${confirmed} ${readWarnings(upload)}`;
    return { tone: 'caution', label: 'Delivered, with warnings', sentence };
  }
  const missing = [
    filesRejected > 0
      ? `${count(filesRejected, 'file')} ${filesRejected === 1 ? 'was' : 'were'} not accepted`
      : '',
    instances.failed > 0 ? `${count(instances.failed, 'image')} did not get there` : '',
  ].filter((part) => part !== '');
  const sentences = [confirmed];
  if (problem) sentences.push(problem.detail);
  if (missing.length > 0)
    sentences.push(
      `But ${missing.join(' and ')}: ${upload.studies ? 'see below' : 'open the details to see'} which and why.`,
    );
  else if (!allConfirmed) sentences.push('Not all images are confirmed: check in the PACS.');
  return {
    tone: 'caution',
    label: problem && allConfirmed ? 'Delivered, with a remark' : 'Delivered in part',
    sentence: sentences.join(' '),
  };
}

/** `{PACS}` is replaced by the name of the PACS. */
const TIMELINE: Record<string, string> = {
  created: 'Announced',
  uploading: 'First file began to arrive',
  early_delivery: 'First images went ahead to the PACS',
  received: 'All files arrived',
  processing: 'Check of the files began',
  waiting_for_sender: 'The checks have doubts: the sender was asked',
  delivering: 'Delivery to the PACS began',
  waiting_for_pacs: '{PACS} takes no images now: the delivery waits',
  pacs_back: '{PACS} takes images again: the delivery goes on',
  delivered: 'The PACS confirmed the delivery',
  rejected: 'The files were not accepted',
  failed: 'Delivery failed',
  expired: 'The time to send ran out',
  cancelled: 'Cancelled',
  corrected: 'What was entered was corrected',
  bytes_removed: 'The copy kept here was removed',
  receipt_issued: 'The receipt was issued',
  'study.resent': 'Sent again to {PACS} by an administrator',
  'study.redirected': 'Sent to {PACS} instead, by an administrator',
  'study.resend_delivered': '{PACS} confirmed what was sent again',
  'study.resend_failed': '{PACS} did not take what was sent again',
} satisfies Record<UploadStatus, string> & Record<string, string>;

/** What is told as somebody else's doing where it was. */
const DONE_BY_PEOPLE: readonly string[] = ['cancelled', 'corrected', 'processing', 'delivering'];

type TimelineEntry = Pick<UploadDetail['timeline'][number], 'event' | 'targetName' | 'by'>;

/** `320 of 480 taken, 0 confirmed`: the PACS takes images one by one, and confirms them at the end. */
export function arrivalWords({ total, stored, verified }: UploadDetail['instances']): string {
  if (stored <= verified) return `${verified} of ${total} confirmed`;
  return `${stored} of ${total} taken, ${verified} confirmed`;
}

/**
 * An entry of an upload's timeline in plain words.
 *
 * @param before - the events before it
 */
export function timelineWords(
  { event, targetName = 'a PACS', by }: TimelineEntry,
  before: readonly string[] = [],
): string {
  const words = eventWords(event, before, targetName);
  return by && DONE_BY_PEOPLE.includes(event) ? `${words}, by an administrator` : words;
}

function eventWords(event: string, before: readonly string[], targetName: string): string {
  if (event === 'uploading' && before.includes('waiting_for_sender')) return 'Opened again for more files';
  if (event === 'cancelled' && before.filter(isStatus).at(-1) === 'failed') {
    return 'Closed without being delivered';
  }
  const known = TIMELINE[event];
  if (known !== undefined) return known.replace('{PACS}', targetName);
  const words = event.replace(/[._-]+/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
