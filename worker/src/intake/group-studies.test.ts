import type { EarlierInstance } from '@relaypacs/core/db/instances.js';
import { buildDicom, makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { subjectsOf } from './examined.js';
import { groupStudies, toRows } from './group-studies.js';
import { ReceivedFiles } from './testing/received-files.js';

const NOTHING = { instances: [], patients: [] };

let received: ReceivedFiles;
beforeEach(async () => {
  received = await ReceivedFiles.open();
});
afterEach(() => received.close());

async function subjects(...contents: Uint8Array[]) {
  const files = [];
  for (const [index, content] of contents.entries()) files.push(await received.examine(content, `f${index}`));
  return subjectsOf(files);
}

describe('the sorting into studies', () => {
  it('makes one study of each Study Instance UID, with its modalities and series', async () => {
    const study = { studyInstanceUid: newUid(), patientName: 'Roe^Mary', studyDate: '20260304' };
    const found = await subjects(
      makeSlice({ ...study, modality: 'PT' }),
      makeSlice({ ...study, modality: 'CT' }),
      makeSlice({ modality: 'MR' }),
    );
    const { studies } = groupStudies(found, NOTHING);
    expect(studies).toHaveLength(2);
    const [first] = studies.map((draft) => toRows('upload', draft));
    expect(first?.study).toMatchObject({
      studyInstanceUid: study.studyInstanceUid,
      patientName: 'Roe, Mary',
      studyDate: '2026-03-04',
      modalities: ['CT', 'PT'],
      seriesCount: 2,
    });
    expect(first?.instances.map(({ uploadFileId }) => uploadFileId)).toEqual(['f0', 'f1']);
  });

  it('takes the same image once and refuses another one with its identifier', async () => {
    const uids = { sopInstanceUid: newUid(), studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
    const found = await subjects(
      makeSlice(uids),
      makeSlice(uids),
      makeSlice({ ...uids, studyDescription: 'another' }),
    );
    const { studies } = groupStudies(found, NOTHING);
    expect(studies.flatMap(({ members }) => members)).toHaveLength(1);
    expect(found.map(({ examined }) => [examined.status, examined.problem?.code])).toEqual([
      ['accepted', undefined],
      ['accepted', undefined],
      ['rejected', 'CONFLICTING_COPY'],
    ]);
    expect(found[1]?.examined.findings.map(({ code }) => code)).toContain('DUPLICATE_FILE');
  });

  it('tells how much of a study was sent before, and stops other images under the same identifiers', async () => {
    const study = { studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
    const found = await subjects(makeSlice(study), makeSlice(study), makeSlice(study));
    const earlier = (index: number, sha256?: Buffer): EarlierInstance => {
      const object = found[index]?.examined.object;
      return {
        sopInstanceUid: object?.attributes.sopInstanceUid ?? '',
        sha256: sha256 ?? object?.sha256 ?? Buffer.alloc(32),
        studyInstanceUid: study.studyInstanceUid,
        createdAt: new Date('2026-03-04T10:00:00Z'),
        isOwn: true,
      };
    };
    const { studies } = groupStudies(found, {
      instances: [earlier(0), earlier(1, Buffer.alloc(32)), earlier(1, Buffer.alloc(32, 1))],
      patients: [],
    });
    expect(found.map(({ examined }) => examined.problem?.code)).toEqual([
      undefined,
      'CONFLICTING_INSTANCE',
      undefined,
    ]);
    expect(studies[0]?.warnings).toEqual([
      {
        code: 'SENT_BEFORE',
        message:
          'Of the 2 images of this study in this upload, 1 was sent before, on 2026-03-04. What the PACS still has is not sent again.',
      },
    ]);
  });

  it('refuses a study of two patients as a whole, also when the PACS has it of another one', async () => {
    const studyInstanceUid = newUid();
    const jane = { studyInstanceUid, patientName: 'Doe^Jane', patientId: '1' };
    const mary = { studyInstanceUid, patientName: 'Roe^Mary', patientId: '2' };
    const mixed = await subjects(makeSlice(jane), makeSlice(mary), makeSlice());
    const { studies, warnings } = groupStudies(mixed, NOTHING);
    expect(mixed.map(({ examined }) => examined.problem?.code)).toEqual([
      'MIXED_PATIENTS',
      'MIXED_PATIENTS',
      undefined,
    ]);
    expect(studies).toHaveLength(1);
    expect(warnings).toMatchObject([
      { code: 'MIXED_PATIENTS', message: expect.stringContaining('Doe, Jane') },
    ]);
    const known = { studyInstanceUid, patientName: 'Roe, Mary', patientId: '2', patientBirthDate: null };
    const alone = await subjects(makeSlice(jane));
    const { studies: none, warnings: told } = groupStudies(alone, { instances: [], patients: [known] });
    expect(none).toEqual([]);
    expect(alone[0]?.examined.problem?.code).toBe('STUDY_OF_ANOTHER_PATIENT');
    // Who the other patient is, may be another sender's to know.
    expect(JSON.stringify([told, alone[0]?.examined.problem])).not.toMatch(/Roe|Mary/);
  });

  it('leaves refused files out, and keeps values that the database cannot hold out of it', async () => {
    const found = await subjects(
      new TextEncoder().encode('notes'),
      makeSlice({ patientName: 'Doe^Jane', studyDate: '20261399', patientBirthDate: '00000000' }),
    );
    const { studies } = groupStudies(found, NOTHING);
    expect(studies.map((draft) => toRows('upload', draft).study)).toMatchObject([
      { studyDate: null, patientBirthDate: null },
    ]);
  });

  it('knows the patient from whichever image names one', async () => {
    const study = { studyInstanceUid: newUid() };
    const found = await subjects(
      makeSlice({ ...study, patientName: '', patientId: '' }),
      makeSlice({ ...study, patientName: 'Roe^Richard', patientId: 'P9' }),
    );
    const [draft] = groupStudies(found, NOTHING).studies;
    expect(draft && toRows('upload', draft).study).toMatchObject({
      patientName: 'Roe, Richard',
      patientId: 'P9',
    });
  });

  it('sorts 30,000 images in no time', async () => {
    const [one] = await subjects(makeSlice());
    const object = one?.examined.object;
    if (!one || !object) throw new Error('The slice was not accepted');
    const many = Array.from({ length: 30_000 }, (_, i) => {
      const attributes = { ...object.attributes, sopInstanceUid: `1.2.${i}` };
      return { ...one, examined: { ...one.examined, object: { ...object, attributes } } };
    });
    const startedAt = performance.now();
    expect(groupStudies(many, NOTHING).studies[0]?.members).toHaveLength(30_000);
    // 20 s of it would lose the worker its claim, again and again.
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it('keeps the pieces of a repaired object', async () => {
    const preamble = new TextEncoder().encode('#!/bin/sh\n'.padEnd(128, ' '));
    const { studies } = groupStudies(await subjects(buildDicom({ preamble })), NOTHING);
    const [draft] = studies;
    const instance = draft && toRows('upload', draft).instances[0];
    expect(instance?.pieces?.length).toBeGreaterThan(1);
  });
});
