import type { UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import type { SendingStudy } from '../../sending/transfer.js';
import { leftOutWords, sendingNumbers, sendingWords, spokenProgress } from './sending-words.js';

const study: SendingStudy = {
  id: '1',
  uploadId: 'u1',
  patientName: 'Doe, Jane',
  studyDate: '2026-01-14',
  modality: 'CT',
  serviceLevel: 'routine',
  phase: 'sending',
  damaged: 0,
  queued: false,
  hindrance: undefined,
  filesSent: 312,
  fileCount: 480,
  bytesSent: 163_000_000,
  totalBytes: 251_000_000,
  bytesPerSecond: 5_200_000,
  secondsLeft: 17,
  problem: undefined,
  earlier: undefined,
};
const delivery = {
  status: 'delivered',
  filesRejected: 0,
  instances: { total: 480, stored: 480, verified: 480, failed: 0 },
} as UploadSummary;

it('gives files, bytes, speed and time left', () => {
  expect(sendingNumbers(study)).toBe('312 of 480 files · 163 MB of 251 MB · 5.2 MB/s · about 15 s left');
  const unknown = { ...study, bytesPerSecond: undefined, secondsLeft: undefined };
  expect(sendingNumbers(unknown)).toBe('312 of 480 files · 163 MB of 251 MB');
});

it('says waiting, not failing, while there is no network', () => {
  expect(sendingWords({ ...study, hindrance: 'offline' })).toMatchObject({ tone: 'waiting' });
  expect(sendingWords({ ...study, hindrance: 'offline' }).words).toMatch(/^Waiting for network/);
});

it('says that it is safe once sent, and delivered only when the PACS has confirmed', () => {
  const sent = { ...study, phase: 'sent' as const };
  expect(sendingWords(sent).words).toMatch(/safe at RelayPACS/);
  expect(sendingWords(sent, delivery).words).toMatch(/^Delivered, 480 of 480 confirmed/);
});

it('does not show a delivery with files left out, or a PACS that is closed to us, as plain success', () => {
  const sent = { ...study, phase: 'sent' as const };
  const inPart = sendingWords(sent, { ...delivery, filesRejected: 2 });
  expect(inPart.tone).toBe('caution');
  expect(inPart.words).toContain('2 files were not accepted');
  const problem = { code: 'X', title: 'x', detail: 'The PACS denies access.' };
  const waiting = { ...delivery, status: 'delivering' as const, waitingFor: 'pacs' as const, problem };
  expect(sendingWords(sent, waiting)).toEqual({ tone: 'waiting', words: problem.detail });
});

it('speaks of progress in tenths only', () => {
  const none = new Map<string, UploadSummary>();
  const spoken = spokenProgress([study], none);
  expect(spoken).toBe('Doe, Jane: 60 percent sent.');
  expect(spokenProgress([{ ...study, bytesSent: 170_000_000, filesSent: 330 }], none)).toBe(spoken);
  expect(spokenProgress([{ ...study, phase: 'sent' }], new Map([['u1', delivery]]))).toMatch(
    /Delivered, 480/,
  );
});

it('goes on saying that damaged images stayed behind, until the study is cancelled', () => {
  const damaged = { ...study, damaged: 1 };
  const words = '1 damaged image was left out. Export it again.';
  expect(leftOutWords(damaged)).toBe(words);
  expect(leftOutWords({ ...damaged, phase: 'sent' })).toBe(words);
  expect(spokenProgress([{ ...damaged, phase: 'sent' }], new Map([['u1', delivery]]))).toContain(words);
  expect(leftOutWords({ ...damaged, damaged: 3 })).toMatch(/^3 damaged images were/);
  expect(leftOutWords(study)).toBeUndefined();
  expect(leftOutWords({ ...damaged, phase: 'cancelled' })).toBeUndefined();
});

it('says that a study waits for its turn, before and after it is announced', () => {
  for (const phase of ['announcing', 'sending'] as const) {
    expect(sendingWords({ ...study, phase, queued: true }).words).toMatch(/^Waiting for its turn/);
  }
  expect(sendingWords({ ...study, phase: 'announcing' }).words).toMatch(/^Getting ready/);
});

it('does not blame the server for the limit of studies a minute', () => {
  expect(sendingWords({ ...study, phase: 'announcing', hindrance: 'rateLimited' }).words).toMatch(
    /^Waiting a moment: many studies at once/,
  );
});
