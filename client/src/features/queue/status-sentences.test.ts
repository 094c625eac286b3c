import { UPLOAD_STATUSES } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import {
  hasGone,
  isToldAbove,
  retryHelps,
  statusWords,
  timelineWords,
  waitsForSender,
} from './status-sentences.js';

const facts = {
  status: 'delivered' as const,
  waitingFor: null,
  fileCount: 480,
  filesReceived: 480,
  filesRejected: 0,
  instances: {
    total: 480,
    stored: 480,
    verified: 480,
    verifiedBytes: 0,
    failed: 0,
    alreadyThere: 0,
    documents: 0,
  },
  warningCount: 0,
  problem: null,
  expiresAt: '2026-01-15T10:00:00.000Z',
};

it('says what happened and what to do, for every status', () => {
  for (const status of UPLOAD_STATUSES) {
    const { label, sentence } = statusWords({ ...facts, status });
    expect(label).not.toBe('');
    expect(sentence).toMatch(/^[A-Z0-9].*\.$/s);
    expect(sentence).toMatch(/nothing to do|nothing left to do|keep RelayPACS open|send|retry/i);
  }
});

it('says whether the study is safe once all of it has arrived', () => {
  for (const status of ['received', 'processing', 'delivering', 'failed'] as const) {
    expect(statusWords({ ...facts, status }).sentence).toMatch(/safe here/i);
  }
});

it('tells how far a delivery is by what the PACS has taken', () => {
  const going = (stored: number, verified: number) =>
    statusWords({ ...facts, status: 'delivering', instances: { ...facts.instances, stored, verified } })
      .sentence;
  expect(going(320, 0)).toBe(
    'Safe here and on its way into the PACS: 320 of 480 taken, 0 confirmed. Nothing to do.',
  );
  expect(going(480, 480)).toContain('480 of 480 confirmed');
});

it('says delivered only with the number the PACS confirmed', () => {
  expect(statusWords(facts)).toMatchObject({ tone: 'good', label: 'Delivered' });
  expect(statusWords(facts).sentence).toContain('Delivered, 480 of 480 confirmed');
});

it('does not make a delivery with rejected files look like a full success', () => {
  const words = statusWords({
    ...facts,
    filesRejected: 2,
    instances: { ...facts.instances, total: 478, verified: 478 },
  });
  expect(words).toMatchObject({ tone: 'caution', label: 'Delivered in part' });
  expect(words.sentence).toContain('478 of 478 confirmed');
  expect(words.sentence).toContain('2 files were not accepted: open the details to see which and why');
  expect(statusWords({ ...facts, instances: { ...facts.instances, failed: 1, verified: 479 } }).tone).toBe(
    'caution',
  );
});

it('calls waiting for the PACS waiting, not failing', () => {
  expect(statusWords({ ...facts, status: 'delivering', waitingFor: 'pacs' })).toEqual({
    tone: 'waiting',
    label: 'Waiting for the PACS',
    sentence: 'Safe here. Waiting for the PACS to answer; nothing to do.',
  });
});

it('gives the reason of a failure', () => {
  const problem = { code: 'X', title: 'x', detail: 'The PACS refused the patient ID.' };
  expect(statusWords({ ...facts, status: 'failed', problem }).sentence).toBe(problem.detail);
  expect(statusWords({ ...facts, status: 'rejected', problem }).sentence).toContain(problem.detail);
});

it('says what is wrong with the PACS while it waits for it, once that is known', () => {
  const detail = 'The PACS denies access: its administrator has to allow RelayPACS. The study is safe here.';
  const problem = { code: 'PACS_ACCESS_DENIED', title: 'Access denied', detail };
  const waiting = { ...facts, status: 'delivering', waitingFor: 'pacs', problem } as const;
  expect(statusWords(waiting)).toEqual({ tone: 'waiting', label: 'Waiting for the PACS', sentence: detail });
});

it('tells the timeline in plain words, known or not', () => {
  expect(timelineWords({ event: 'received' })).toBe('All files arrived');
  expect(timelineWords({ event: 'bytes_removed' })).toBe('The copy kept here was removed');
  expect(timelineWords({ event: 'receipt_issued' })).toBe('The receipt was issued');
  expect(timelineWords({ event: 'delivery_retried' })).toBe('Delivery retried');
  expect(timelineWords({ event: 'waiting_for_pacs', targetName: 'Archive' })).toBe(
    'Archive takes no images now: the delivery waits',
  );
  expect(timelineWords({ event: 'pacs_back', targetName: 'Archive' })).toBe(
    'Archive takes images again: the delivery goes on',
  );
});

it('does not let a delivery with a remark look like a full success, and gives the remark', () => {
  const detail = 'The PACS holds one image with other content.';
  const problem = { code: 'X', title: 'x', detail };
  expect(statusWords({ ...facts, problem })).toEqual({
    tone: 'caution',
    label: 'Delivered, with a remark',
    sentence: `Delivered, 480 of 480 confirmed by the PACS. ${detail}`,
  });
  const inPart = { ...facts, problem, instances: { ...facts.instances, verified: 479, failed: 1 } };
  expect(statusWords(inPart)).toMatchObject({ tone: 'caution', label: 'Delivered in part' });
  expect(statusWords(inPart).sentence).toContain(detail);
});

it('asks to keep the page open only where the study is being sent', () => {
  const half = { ...facts, status: 'uploading', fileCount: 40, filesReceived: 4 } as const;
  expect(statusWords(half, { sendingHere: true }).sentence).toMatch(
    /^4 of 40 files have arrived\. Keep RelayPACS open/,
  );
  expect(statusWords(half).sentence).toMatch(
    /^4 of 40 files have arrived\. What has arrived is safe until .*15 Jan 2026.*choose the same files again on the Send page/,
  );
  expect(statusWords(half).sentence).toMatch(/or go on with what has arrived\.$/);
  const none = statusWords({ ...half, status: 'created', filesReceived: 0 });
  expect(none.sentence).not.toMatch(/Keep RelayPACS open|what has arrived/);
});

it('says how much is in the PACS already while the rest still arrives', () => {
  const part = { ...facts.instances, total: 12, stored: 12, verified: 12 };
  const half = { ...facts, status: 'uploading', fileCount: 80, filesReceived: 40, instances: part } as const;
  expect(statusWords(half, { sendingHere: true }).sentence).toBe(
    '40 of 80 files have arrived, and 12 of them are in the PACS already. Keep RelayPACS open on the device that sends it, until all are here.',
  );
  expect(hasGone(half)).toBe(true);
  expect(hasGone({ instances: { ...part, alreadyThere: 12 } })).toBe(false);
  expect(timelineWords({ event: 'early_delivery' })).toBe('First images went ahead to the PACS');
});

it('says of an upload that was not finished what the PACS may have of it, also without its answer', () => {
  const problem = {
    code: 'UPLOAD_EXPIRED_IN_PART',
    title: 'x',
    detail: '3 images may be in the PACS already.',
  };
  const none = { ...facts.instances, stored: 0, verified: 0, alreadyThere: 0 };
  expect(statusWords({ ...facts, status: 'expired', problem, instances: none }).sentence).toBe(
    problem.detail,
  );
});

it('does not wait for the end of the delivery to say that something is in the PACS that should not be', () => {
  const problem = {
    code: 'FAULT_AFTER_EARLY_DELIVERY',
    title: 'x',
    detail: '2 images are in the PACS already.',
  };
  expect(statusWords({ ...facts, status: 'delivering', problem })).toMatchObject({
    tone: 'bad',
    sentence: '2 images are in the PACS already. The others are being delivered.',
  });
});

it('asks the sender, and nobody else, for an answer to the doubts of the checks', () => {
  const waiting = { ...facts, status: 'processing', waitingFor: 'sender' } as const;
  const words = statusWords(waiting);
  expect(words).toMatchObject({ tone: 'caution', label: 'Waiting for your answer' });
  expect(words.sentence).toMatch(
    /^Safe here, .* nothing goes to the PACS .* send it as it is, add files, or cancel/,
  );
  const other = statusWords(waiting, { isSender: false });
  expect(other).toMatchObject({ tone: 'waiting', label: 'Waiting for its sender' });
  expect(other.sentence).toMatch(/^Safe here.*nothing to do for you\.$/i);
});

it('does not ask again while the answer, more files, is on its way', () => {
  const waiting = { ...facts, status: 'processing', waitingFor: 'sender' } as const;
  const words = statusWords(waiting, { sendingHere: true });
  expect(words.tone).toBe('moving');
  expect(words.sentence).toMatch(/safe here.*Keep RelayPACS open/);
});

it('knows an upload that waits for its sender from one that is only being checked', () => {
  expect(waitsForSender({ status: 'processing', waitingFor: 'sender' })).toBe(true);
  expect(waitsForSender({ status: 'processing', waitingFor: null })).toBe(false);
  expect(waitsForSender({ status: 'delivering', waitingFor: 'pacs' })).toBe(false);
});

it('says how many images the PACS had already', () => {
  const had = (alreadyThere: number) =>
    statusWords({ ...facts, instances: { ...facts.instances, alreadyThere } }).sentence;
  expect(had(12)).toBe(
    'Delivered, 480 of 480 confirmed by the PACS (12 images were in the PACS already). Nothing left to do.',
  );
  expect(had(1)).toContain('(1 image was in the PACS already)');
});

it('tells of the question to the sender, and of the second opening as what it is', () => {
  expect(timelineWords({ event: 'waiting_for_sender' })).toBe('The checks have doubts: the sender was asked');
  expect(timelineWords({ event: 'uploading' }, ['created'])).toBe('First file began to arrive');
  expect(
    timelineWords({ event: 'uploading' }, ['created', 'uploading', 'received', 'waiting_for_sender']),
  ).toBe('Opened again for more files');
});

it('does not say that nothing is left to do while warnings stand below', () => {
  for (const status of ['delivering', 'delivered'] as const) {
    const doubted = { ...facts, status, warningCount: 2 };
    expect(statusWords({ ...doubted, studies: [] }).sentence).toMatch(
      /confirmed.* Read the warnings below\.$/,
    );
    // In a list, where they do not stand below.
    expect(statusWords(doubted).sentence).toMatch(/confirmed.* Open the details to read the 2 warnings\.$/);
    expect(statusWords({ ...facts, status }).sentence).toMatch(/nothing (left )?to do\.$/i);
  }
  expect(statusWords({ ...facts, warningCount: 1 })).toMatchObject({
    tone: 'caution',
    label: 'Delivered, with warnings',
  });
});

it('says to which PACS something was sent again, and that a correction was made', () => {
  expect(timelineWords({ event: 'study.resent', targetName: 'Archive' })).toBe(
    'Sent again to Archive by an administrator',
  );
  expect(timelineWords({ event: 'study.redirected', targetName: 'Archive' })).toBe(
    'Sent to Archive instead, by an administrator',
  );
  expect(timelineWords({ event: 'study.resend_delivered', targetName: 'Archive' })).toBe(
    'Archive confirmed what was sent again',
  );
  expect(timelineWords({ event: 'study.resend_failed' })).toBe('a PACS did not take what was sent again');
  expect(timelineWords({ event: 'corrected' })).toBe('What was entered was corrected');
});

it('sends nobody to a new upload where a correction helps', () => {
  const problem = { code: 'NO_USABLE_FILES', title: 'Nothing', detail: 'You can correct it here.' };
  const sentence = (more: object) =>
    statusWords({ ...facts, status: 'rejected', problem: { ...problem, ...more } }).sentence;
  expect(sentence({ remedy: 'correct' })).toBe('You can correct it here.');
  expect(sentence({ remedy: 'new_upload' })).toMatch(/as a new upload\.$/);
});

it('offers no retry where all that is wrong is in the PACS already', () => {
  const helps = (code: string, remedy: 'retry' | 'new_upload') =>
    retryHelps({ status: 'failed', problem: { code, title: '', detail: '', remedy } });
  expect(helps('FAULT_AFTER_EARLY_DELIVERY', 'new_upload')).toBe(false);
  expect(helps('FAULT_AFTER_EARLY_DELIVERY', 'retry')).toBe(true);
  expect(helps('PACS_REFUSED', 'new_upload')).toBe(true);
  expect(retryHelps({ status: 'rejected', problem: null })).toBe(false);
});

it('says of a closed upload what the server says the PACS has of it', () => {
  const detail = 'Closed by its sender after it had failed. 2 of 3 images are in the PACS and stay there.';
  const closed = (code: string) =>
    statusWords({ ...facts, status: 'cancelled', problem: { code, title: 'Closed', detail } });
  expect(closed('CLOSED_AFTER_FAILURE')).toEqual({
    tone: 'over',
    label: 'Closed, not delivered',
    sentence: detail,
  });
  expect(closed('FAULT_AFTER_EARLY_DELIVERY').tone).toBe('bad');
});

it('tells closing from cancelling, and what somebody else has done', () => {
  const failed = ['created', 'delivering', 'failed', 'study.resent'];
  expect(timelineWords({ event: 'cancelled' }, failed)).toBe('Closed without being delivered');
  expect(timelineWords({ event: 'cancelled' }, [...failed, 'processing'])).toBe('Cancelled');
  const by = 'administrator' as const;
  expect(timelineWords({ event: 'cancelled', by })).toBe('Cancelled, by an administrator');
  expect(timelineWords({ event: 'study.resent', targetName: 'Archive', by })).toBe(
    'Sent again to Archive by an administrator',
  );
  expect(timelineWords({ event: 'receipt_issued', by })).toBe('The receipt was issued');
});

it('knows what of a study the card of its upload says already', () => {
  const problem = { code: 'X', title: 'x', detail: 'The PACS refused the image. Press Retry.' };
  const failed = { ...facts, status: 'failed' as const, problem };
  expect(isToldAbove(failed, problem.detail)).toBe(true);
  expect(isToldAbove({ ...facts, status: 'delivering', problem }, problem.detail)).toBe(true);
  expect(isToldAbove(failed, 'The PACS refused another image.')).toBe(false);
  const both = { ...problem, detail: `${problem.detail} It is away.` };
  expect(isToldAbove({ ...failed, problem: both }, 'It is away.')).toBe(true);
});

it('speaks of the files that arrived, not of those that were announced, once it goes on with them', () => {
  const sentence = (filesReceived: number) =>
    statusWords({ ...facts, status: 'received', fileCount: 40, filesReceived }).sentence;
  expect(sentence(38)).toContain('All 38 files are safe here');
  expect(sentence(1)).toContain('The file is safe here');
});
