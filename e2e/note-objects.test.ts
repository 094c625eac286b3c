import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
  patientName: '',
  studyDate: '',
  madeAt: new Date('2026-03-04T10:11:12Z'),
};
const FULL: WrapContext = {
  ...LEAST,
  patientName: 'Müller^Änne=山田^太郎',
  patientId: 'M-1',
  patientBirthDate: '1970-01-02',
  patientSex: 'F',
  studyDate: '2026-03-04',
  studyTime: '08:09:10',
  studyId: 'S1',
  studyDescription: 'CT Schädel',
  accessionNumber: 'A-1',
  referringPhysicianName: 'Chen^Sarah',
};
const CONTEXTS: [string, WrapContext][] = [
  ['nothing', LEAST],
  ['everything', FULL],
];

const LINE_OF_SCRIPTS = 'Боль в груди – 胸の痛み – ألم – 👩‍⚕️\n';
const TEXTS: [string, string][] = [
  ['of one character', '?'],
  ['with line breaks, tabs and backslashes', 'Sturz von der Leiter.\r\n\tC:\\Bilder\\1\n\nKein Schwindel.'],
  ['in several scripts', LINE_OF_SCRIPTS],
  ['of 10,000 characters', 'Lorem ipsum\n'.repeat(833)],
  ['of 10,000 characters in several scripts', LINE_OF_SCRIPTS.repeat(270)],
  ['of one word of 10,000 characters', 'W'.repeat(10_000)],
];

function noteWith(more: Partial<ClinicalNote>): ClinicalNote {
  return {
    text: 'Fell from a ladder.',
    patientName: 'Müller, Änne',
    studyDate: '2026-03-04',
    serviceLevel: 'stat',
    author: 'Sarah Chen',
    sentAt: new Date('2026-03-04T10:11:12Z'),
    ...more,
  };
}

/** What a program says about a file; the exit code of dciodvfy does not tell whether it found errors. */
async function run(name: string, packageName: string, bytes: Uint8Array, args: string[] = []) {
  const program = findProgram(name);
  if (!program) throw new Error(`This test needs ${name} (Debian package ${packageName}).`);
  const file = path.join(directory, crypto.randomUUID());
  await writeFile(file, bytes);
  const { stdout, stderr, status } = spawnSync(
    program,
    [...args, file, ...(name === 'pdftotext' ? ['-'] : [])],
    {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return { output: stdout, faults: stderr, status };
}

/** The faults that David Clunie's validator and DCMTK's parser find in an object. */
async function faultsOf({ bytes }: { bytes: Uint8Array }): Promise<string[]> {
  const validated = await run('dciodvfy', 'dicom3tools', bytes);
  const dumped = await run('dcmdump', 'dcmtk', bytes, ['--quiet']);
  return [
    ...`${validated.output}${validated.faults}`.split('\n').filter((line) => line.startsWith('Error')),
    ...(dumped.status === 0 && dumped.faults === '' ? [] : [`dcmdump: ${dumped.faults}`]),
  ];
}

describe.each(CONTEXTS)('with %s known of patient and study, a clinical history', (_, context) => {
  it.each(TEXTS)('%s is valid as a document and as a structured report', async (_name, text) => {
    const note = noteWith({ text });
    const pdf = await renderNotePdf(note);
    expect(await faultsOf(buildNotePdfObject(note, pdf, context))).toEqual([]);
    expect(await faultsOf(buildNoteSrObject(note, context))).toEqual([]);
  });
});

it('DCMTK reads the whole history in a structured report, in every script', async () => {
  const text = LINE_OF_SCRIPTS.trim();
  const { bytes } = buildNoteSrObject(noteWith({ text }), FULL);
  const { output } = await run('dcmdump', 'dcmtk', bytes, ['--print-all', '--search', '0040,a160']);
  expect(output).toContain(`UT [${text}]`);
});

it('prints who it is about, who sent it and what it says', async () => {
  const text = '?fracture\n\n  - on apixaban\nБоль, πόνος, 12\u202fmg, co\u0302te\u0301';
  const pdf = await renderNotePdf(noteWith({ text, patientId: 'M-1', patientSex: 'F' }));
  const { output } = await run('pdftotext', 'poppler-utils', pdf, ['-layout']);
  const lines = output.split(/[\n\f]/).map((line) => line.trim().replace(/\s+/g, ' '));
  expect(lines).toEqual(
    expect.arrayContaining(['Clinical history', 'Patient Müller, Änne', 'Patient ID M-1']),
  );
  expect(lines).toEqual(
    expect.arrayContaining([
      'Sex Female',
      'Study date 2026-03-04',
      'Service level STAT',
      'Sent by Sarah Chen',
    ]),
  );
  expect(lines).toContain('Sent 2026-03-04 10:11 UTC');
  const from = lines.indexOf('?fracture');
  expect(lines.slice(from, from + 4)).toEqual(['?fracture', '', '- on apixaban', 'Боль, πόνος, 12 mg, côté']);
  expect(output).not.toContain('cannot be printed');
});

it('marks what it cannot print, and says where it can be read', async () => {
  const pdf = await renderNotePdf(noteWith({ text: 'Pain: 胸の痛み ok?' }));
  const { output } = await run('pdftotext', 'poppler-utils', pdf, ['-layout']);
  expect(output).toContain('Pain: ���� ok?');
  expect(output.replace(/\s+/g, ' ')).toContain('The full text is kept with the study in RelayPACS.');
});

it('keeps the longest words on the page, and names the patient on every page', async () => {
  const wide = 'W'.repeat(200);
  const note = noteWith({ text: `${wide} `.repeat(49), author: wide, patientId: wide.slice(0, 59) });
  const { output } = await run('pdftotext', 'poppler-utils', await renderNotePdf(note), ['-bbox']);
  const rightEdges = [...output.matchAll(/<word .*xMax="([\d.]+)"/g)].map((match) => Number(match[1]));
  expect(Math.max(...rightEdges)).toBeLessThan(540);
  const pages = output.split('<page ').slice(1);
  expect(pages.length).toBeGreaterThan(1);
  for (const page of pages) expect(page).toContain('>Müller,</word>');
});
