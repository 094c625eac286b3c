import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findProgram } from '../scripts/test-services.js';
import type { ClinicalNote } from '../worker/src/wrapping/clinical-note.js';
import { buildNotePdfObject, buildNoteSrObject } from '../worker/src/wrapping/note-objects.js';
import { renderNotePdf } from '../worker/src/wrapping/note-pdf.js';
import type { WrapContext } from '../worker/src/wrapping/wrap-context.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs-notes-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const LEAST: WrapContext = {
  sopInstanceUid: '2.25.1',
  seriesInstanceUid: '2.25.2',
  studyInstanceUid: '2.25.3',
  seriesNumber: 9101,
  instanceNumber: 1,
  seriesDescription: 'Clinical history',
  patientName: 'Doe^Jane',
  studyDate: '2026-03-04',
  madeAt: new Date('2026-03-04T10:11:12Z'),
};
const FULL: WrapContext = {
  ...LEAST,
  patientName: 'Müller^Änne=山田^太郎',
  patientId: 'M-1',
  patientBirthDate: '1970-01-02',
  patientSex: 'F',
  studyTime: '08:09:10',
  studyId: 'S1',
  studyDescription: 'CT Schädel',
  accessionNumber: 'A-1',
  referringPhysicianName: 'Chen^Sarah',
};
const note = (text: string): ClinicalNote => ({
  text,
  patientName: 'Müller, Änne',
  studyDate: '2026-03-04',
  serviceLevel: 'stat',
  author: 'Sarah Chen',
  sentAt: new Date('2026-03-04T10:11:12Z'),
});

/** What dciodvfy calls an error, of a file. */
async function errorsOf(bytes: Uint8Array): Promise<string[]> {
  const file = path.join(directory, 'object.dcm');
  await writeFile(file, bytes);
  const dciodvfy = findProgram('dciodvfy');
  if (!dciodvfy) throw new Error('dciodvfy is missing (Debian: dicom3tools)');
  const { stdout, stderr } = await promisify(execFile)(dciodvfy, [file]).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return `${stdout}${stderr}`.split('\n').filter((line) => /^Error/.test(line));
}

it.each([
  ['the least that is known', LEAST, 'Fell from a ladder.'],
  ['everything that can be known', FULL, 'Sturz von der Leiter.\nKein Bewusstseinsverlust.'],
  ['10,000 characters in several scripts', FULL, 'Боль в груди – 胸の痛み – ألم\n'.repeat(344)],
])('a clinical history with %s passes dciodvfy as PDF and as text', async (_what, context, text) => {
  const given = note(text);
  const pdf = await renderNotePdf(given);
  expect(await errorsOf(buildNotePdfObject(given, pdf, context).bytes)).toEqual([]);
  expect(await errorsOf(buildNoteSrObject(given, context).bytes)).toEqual([]);
});
