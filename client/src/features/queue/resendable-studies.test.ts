import type { Study } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import { resendableStudies } from './resendable-studies.js';

const study = (id: string, more: Partial<Study>) =>
  ({ id, resendOf: null, status: 'delivered', waitingFor: null, ...more }) as Study;
const upload = { status: 'delivered', waitingFor: null, bytesRemovedAt: null, studies: [] } as const;
const ids = (given: Parameters<typeof resendableStudies>[0]) => resendableStudies(given).map(({ id }) => id);

it('are all of a delivered upload, once each, while the files are kept', () => {
  const studies = [study('a', {}), study('b', {}), study('c', { resendOf: 'a' })];
  expect(ids({ ...upload, studies })).toEqual(['a', 'b']);
  expect(ids({ ...upload, studies, bytesRemovedAt: '2026-01-02T00:00:00Z' })).toEqual([]);
});

it('are those of another upload that are not delivered and that nothing moves', () => {
  const studies = [study('a', {}), study('b', { status: 'failed' }), study('c', { status: 'delivering' })];
  expect(ids({ ...upload, status: 'failed', studies: studies.slice(0, 2) })).toEqual(['b']);
  expect(ids({ ...upload, status: 'delivering', studies })).toEqual([]);
  const waiting = [...studies, study('d', { status: 'pending', waitingFor: 'pacs' })];
  expect(ids({ ...upload, status: 'delivering', waitingFor: 'pacs', studies: waiting })).toEqual(['b', 'd']);
  expect(ids({ ...upload, status: 'processing', waitingFor: 'sender', studies })).toEqual([]);
});
