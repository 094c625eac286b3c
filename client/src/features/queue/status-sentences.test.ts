import { UPLOAD_STATUSES } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import { statusWords, timelineWords } from './status-sentences.js';

const facts = {
  status: 'delivered' as const,
  waitingFor: null,
  fileCount: 480,
  filesReceived: 480,
  filesRejected: 0,
  instances: { total: 480, stored: 480, verified: 480, failed: 0 },
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
  expect(words.sentence).toContain('2 files were left out: open the details to see which and why');
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
  expect(timelineWords('received')).toBe('All files arrived');
  expect(timelineWords('bytes_removed')).toBe('The copy kept here was removed');
  expect(timelineWords('delivery_retried')).toBe('Delivery retried');
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
  expect(statusWords(half, true).sentence).toMatch(/^4 of 40 files have arrived\. Keep RelayPACS open/);
  expect(statusWords(half).sentence).toMatch(
    /^4 of 40 files have arrived\. What has arrived is safe until .*15 Jan 2026.*choose the same files again on the Send page/,
  );
  expect(statusWords({ ...half, status: 'created' }).sentence).not.toMatch(/Keep RelayPACS open/);
});
