import type { UploadStatus, UploadSummary } from '@relaypacs/core/contract/uploads.js';
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
  | 'problem'
  | 'expiresAt'
>;

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
  'If nothing is sending it any more, choose the same files again on the Send page to continue.';

/**
 * What to tell a person about an upload.
 *
 * @param sendingHere - whether this page is sending it
 */
export function statusWords(upload: StatusFacts, sendingHere = false): StatusWords {
  const { status, fileCount, filesReceived, instances, problem } = upload;
  const label = LABELS[status];
  const has = filesReceived === 1 ? 'has' : 'have';
  const arrived = `${filesReceived} of ${count(fileCount, 'file')} ${has} arrived`;
  const until = formatMoment(upload.expiresAt);
  switch (status) {
    case 'created':
      return {
        tone: 'moving',
        label,
        sentence: sendingHere
          ? `Nothing has arrived yet. Keep RelayPACS open on the device that sends it, until ${until} at the latest.`
          : `Nothing has arrived yet; it can be sent until ${until}. ${CONTINUE}`,
      };
    case 'uploading':
      return {
        tone: 'moving',
        label,
        sentence: sendingHere
          ? `${arrived}. Keep RelayPACS open on the device that sends it, until all are here.`
          : `${arrived}. What has arrived is safe until ${until}. ${CONTINUE}`,
      };
    case 'received':
      return {
        tone: 'moving',
        label,
        sentence: `All ${count(fileCount, 'file')} are safe here and will be checked next. Nothing to do: you can close this page.`,
      };
    case 'processing':
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
      return {
        tone: 'moving',
        label,
        sentence: `Safe here and on its way into the PACS: ${instances.verified} of ${instances.total} confirmed. Nothing to do.`,
      };
    case 'delivered':
      return deliveredWords(upload);
    case 'rejected':
      return {
        tone: 'bad',
        label,
        sentence: `${problem?.detail ?? 'None of the files can go to the PACS.'} Send the corrected study as a new upload.`,
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
      return {
        tone: 'bad',
        label,
        sentence: `${arrived}. The rest did not come in time, so the upload was closed and nothing has gone to the PACS. Send the study again.`,
      };
    case 'cancelled':
      return {
        tone: 'over',
        label,
        sentence: 'Cancelled before anything went to the PACS. Send the study again if it is needed.',
      };
  }
}

function deliveredWords({ instances, filesRejected, problem }: StatusFacts): StatusWords {
  const confirmed = `Delivered, ${instances.verified} of ${instances.total} confirmed by the PACS.`;
  const allConfirmed = instances.failed === 0 && instances.verified >= instances.total;
  if (filesRejected === 0 && allConfirmed && !problem) {
    return { tone: 'good', label: LABELS.delivered, sentence: `${confirmed} Nothing left to do.` };
  }
  const missing = [
    filesRejected > 0
      ? `${count(filesRejected, 'file')} ${filesRejected === 1 ? 'was' : 'were'} left out`
      : '',
    instances.failed > 0 ? `${count(instances.failed, 'image')} did not get there` : '',
  ].filter((part) => part !== '');
  const sentences = [confirmed];
  if (problem) sentences.push(problem.detail);
  if (missing.length > 0)
    sentences.push(`But ${missing.join(' and ')}: open the details to see which and why.`);
  else if (!allConfirmed) sentences.push('Not all images are confirmed: check in the PACS.');
  return {
    tone: 'caution',
    label: problem && allConfirmed ? 'Delivered, with a remark' : 'Delivered in part',
    sentence: sentences.join(' '),
  };
}

const TIMELINE: Record<string, string> = {
  created: 'Announced',
  uploading: 'First file began to arrive',
  received: 'All files arrived',
  processing: 'Check of the files began',
  delivering: 'Delivery to the PACS began',
  delivered: 'The PACS confirmed the delivery',
  rejected: 'The files were not accepted',
  failed: 'Delivery failed',
  expired: 'The time to send ran out',
  cancelled: 'Cancelled',
  bytes_removed: 'The copy kept here was removed',
} satisfies Record<UploadStatus | 'bytes_removed', string>;

/** An entry of an upload's timeline in plain words. */
export function timelineWords(event: string): string {
  const known = TIMELINE[event];
  if (known !== undefined) return known;
  const words = event.replace(/[._-]+/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
