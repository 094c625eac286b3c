import type { UploadSummary } from '@relaypacs/core/contract/uploads.js';
import type { SendingStudy } from '../../sending/transfer.js';
import { count, formatBytes, formatTimeLeft, percent } from '../../ui/format.js';
import type { NoticeTone } from '../../ui/Notice.js';
import { statusWords } from '../queue/status-sentences.js';

interface SendingWords {
  tone: NoticeTone;
  words: string;
}

/**
 * What to tell a person about a study that is on its way from this device.
 *
 * @param delivery - what the server says of it, once everything has arrived there
 */
export function sendingWords(study: SendingStudy, delivery?: UploadSummary): SendingWords {
  switch (study.phase) {
    case 'sent': {
      if (!delivery || ['created', 'uploading'].includes(delivery.status)) {
        return { tone: 'good', words: 'All files are safe at RelayPACS. You can close this page.' };
      }
      const { tone, sentence } = statusWords(delivery);
      return { tone, words: sentence };
    }
    case 'failed':
      return { tone: 'bad', words: study.problem ?? 'The study could not be sent.' };
    case 'cancelled':
      return { tone: 'over', words: 'Cancelled. Nothing of this study goes to the PACS.' };
    case 'duplicate':
      return { tone: 'caution', words: 'The server knows this study already. Say what to do with it.' };
    case 'cancelling':
      return {
        tone: 'over',
        words: study.hindrance ? 'Will be cancelled when the server answers.' : 'Cancelling…',
      };
    default:
      return waitingWords(study) ?? movingWords(study);
  }
}

function waitingWords({ hindrance }: SendingStudy): SendingWords | undefined {
  switch (hindrance) {
    case 'offline':
      return {
        tone: 'waiting',
        words: 'Waiting for network. Sending goes on by itself; keep this page open.',
      };
    case 'unreachable':
      return {
        tone: 'waiting',
        words: 'The connection was lost. Trying again; what has arrived is safe. Keep this page open.',
      };
    case 'serverBusy':
      return { tone: 'waiting', words: 'The server is busy. Sending goes on by itself in a moment.' };
    case 'rateLimited':
      return {
        tone: 'waiting',
        words: 'Waiting a moment: many studies at once. Sending goes on by itself; keep this page open.',
      };
    case 'signIn':
      return { tone: 'caution', words: 'Your session has ended. Sign in again to go on.' };
    default:
      return undefined;
  }
}

function movingWords({ phase, queued }: SendingStudy): SendingWords {
  if (queued) return { tone: 'over', words: 'Waiting for its turn. Keep this page open.' };
  if (phase === 'announcing') return { tone: 'moving', words: 'Getting ready…' };
  if (phase === 'completing') return { tone: 'moving', words: 'Checking that everything has arrived…' };
  return { tone: 'moving', words: 'Sending. Keep this page open.' };
}

/** What to do about damaged images that stayed on the device, for as long as the study is on the list. */
export function leftOutWords({ damaged, phase }: SendingStudy): string | undefined {
  if (damaged === 0 || phase === 'cancelled' || phase === 'cancelling') return undefined;
  return damaged === 1
    ? '1 damaged image was left out. Export it again.'
    : `${count(damaged, 'damaged image')} were left out. Export them again.`;
}

/** `312 of 480 files · 160 of 251 MB · 5.2 MB/s · about 20 s left` */
export function sendingNumbers(study: SendingStudy): string {
  const speed = study.bytesPerSecond ? `${formatBytes(study.bytesPerSecond)}/s` : '';
  return [
    `${study.filesSent} of ${count(study.fileCount, 'file')}`,
    `${formatBytes(study.bytesSent)} of ${formatBytes(study.totalBytes)}`,
    speed,
    formatTimeLeft(study.secondsLeft),
  ]
    .filter((part) => part !== '')
    .join(' · ');
}

/** For screen readers: one sentence that changes every tenth of the way, not four times a second. */
export function spokenProgress(
  studies: readonly SendingStudy[],
  deliveries: ReadonlyMap<string, UploadSummary>,
): string {
  return studies
    .map((study) => {
      const said = sendingWords(study, deliveries.get(study.uploadId ?? '')).words;
      const words = [said, leftOutWords(study)].filter(Boolean).join(' ');
      if (study.phase !== 'sending' || study.hindrance) return `${study.patientName}: ${words}`;
      const tenths = Math.floor(percent(study.bytesSent, study.totalBytes) / 10) * 10;
      return `${study.patientName}: ${tenths} percent sent.`;
    })
    .join(' ');
}
