import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { expect, it } from 'vitest';
import { correctableFields } from './correctable-fields.js';

type Facts = Parameters<typeof correctableFields>[0];
const facts = (more: Partial<Facts>): Facts => ({
  status: 'failed',
  waitingFor: null,
  problem: null,
  studies: [],
  bytesRemovedAt: null,
  ...more,
});
const problem = {
  code: 'C',
  title: 'T',
  detail: 'D',
  remedy: 'correct' as const,
  fields: ['patientId' as const],
};
const doubts = (...codes: string[]) =>
  [{ warnings: codes.map((code) => ({ code, message: 'M' })) }] as UploadDetail['studies'];

it('offers what the server says helps, as long as the files are there', () => {
  expect(correctableFields(facts({ problem }))).toEqual(['patientId']);
  expect(correctableFields(facts({ problem, status: 'rejected' }))).toEqual(['patientId']);
  expect(correctableFields(facts({ problem, bytesRemovedAt: '2026-01-02T00:00:00Z' }))).toEqual([]);
  expect(correctableFields(facts({ problem, status: 'delivering' }))).toEqual([]);
});

it('offers nothing where something else helps, or nobody knows', () => {
  expect(correctableFields(facts({ problem: { ...problem, remedy: 'contact_pacs' } }))).toEqual([]);
  const { remedy, fields, ...old } = problem;
  expect(correctableFields(facts({ problem: old }))).toEqual([]);
});

it('offers to a sender who is asked what the files contradict', () => {
  const waiting = { status: 'processing', waitingFor: 'sender' } as const;
  const studies = doubts('SLICE_GAP', 'PATIENT_NAME_MISMATCH', 'SEX_MISMATCH', 'PATIENT_NAME_MISMATCH');
  expect(correctableFields(facts({ ...waiting, studies }))).toEqual(['patientName', 'patientSex']);
  expect(correctableFields(facts({ ...waiting, waitingFor: null, studies }))).toEqual([]);
});
