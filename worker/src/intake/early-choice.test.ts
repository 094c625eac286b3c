import { createHash } from 'node:crypto';
import type { StudyRow } from '@relaypacs/core/db/studies.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import { buildDicom } from '@relaypacs/core/dicom/testing/build.js';
import type { PatientFacts } from '@relaypacs/core/studies/patients.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chooseEarly, type EarlyContext, type EarlyObject, toEarlyObject } from './early-choice.js';
import { ReceivedFiles } from './testing/received-files.js';

const jane: StudyAttributes = {
  patientName: 'Doe^Jane',
  patientId: '4711',
  patientBirthDate: '1980-02-03',
  studyInstanceUid: '1.2.1',
  studyDate: '2026-01-02',
  modality: 'CT',
};
const john: StudyAttributes = {
  ...jane,
  patientName: 'Roe^John',
  patientId: '815',
  patientBirthDate: '1970-01-02',
};

let count = 0;
function object(attributes: StudyAttributes = jane, isSound = true): EarlyObject {
  count += 1;
  const sopInstanceUid = attributes.sopInstanceUid ?? `1.2.3.${count}`;
  const sha256 = createHash('sha256').update(String(count)).digest();
  const found = { ...attributes, sopInstanceUid };
  return {
    fileId: `f${count}`,
    isSound,
    object: { attributes: found, transferSyntaxUid: '1.2', size: 1, sha256, steps: [], pieces: undefined },
  };
}

const upload = {
  patientName: 'Doe, Jane',
  patientId: null,
  patientBirthDate: null,
  patientSex: null,
  studyDate: '2026-01-02',
  modality: 'CT',
  studyInstanceUid: null,
  isImplicit: false,
} as UploadRow;

function choose(objects: readonly EarlyObject[], more: Partial<EarlyContext> = {}) {
  const context = { upload, studies: [], taken: new Set<string>(), instances: [], patients: [], ...more };
  const { taken, stopped } = chooseEarly(objects, context);
  return { taken: [...taken.values()].flat(), stopped: [...stopped] };
}

const begun = (attributes: Partial<StudyRow> = {}) =>
  ({
    studyInstanceUid: '1.2.1',
    patientName: 'Doe, Jane',
    patientId: '4711',
    patientBirthDate: '1980-02-03',
    earlyDelivery: 'waiting',
    earlyPatients: [],
    ...attributes,
  }) as StudyRow;

describe('what goes early', () => {
  it('is every sound object that contradicts nothing', () => {
    const objects = [object(), object({ ...jane, studyInstanceUid: '1.2.2' }), object()];
    expect(choose(objects)).toEqual({ taken: [objects[0], objects[2], objects[1]], stopped: [] });
  });

  it('is nothing that is not sound', () => {
    expect(choose([object(jane, false)])).toEqual({ taken: [], stopped: [] });
  });

  it.each<[string, Partial<UploadRow>]>([
    ['study date', { studyDate: '2026-01-03' }],
    ['modality', { modality: 'MR' }],
    ['Study Instance UID', { studyInstanceUid: '1.2.9' }],
  ])('is nothing that has another %s than the sender entered', (_, entered) => {
    expect(choose([object()], { upload: { ...upload, ...entered } })).toEqual({ taken: [], stopped: [] });
  });

  it.each<[string, Partial<UploadRow>]>([
    ['patient', { patientName: 'Roe, Mary' }],
    ['patient ID', { patientId: '4712' }],
    ['date of birth', { patientBirthDate: '1980-02-04' }],
  ])('is nothing of a study of which one image, sound or not, has another %s than entered', (_, entered) => {
    const silent = object({ studyInstanceUid: '1.2.1' });
    for (const isSound of [true, false]) {
      const context = { upload: { ...upload, ...entered } };
      expect(choose([silent, object(jane, isSound)], context)).toEqual({ taken: [], stopped: ['1.2.1'] });
    }
  });

  it('is nothing of a study whose images name another patient than one that was looked at before', () => {
    const before = (earlyPatients: PatientFacts[]) => ({ studies: [begun({ earlyPatients })] });
    const doe = { patientName: 'Doe' };
    expect(choose([object()], before([doe])).taken).toHaveLength(1);
    const other = { patientName: 'Doe^John', patientId: '4711' };
    expect(choose([object()], before([doe, other])).stopped).toEqual(['1.2.1']);
    const spellings = Array.from({ length: 20 }, (_, i) => ({ ...doe, patientId: ' '.repeat(i) }));
    expect(choose([object()], before(spellings)).stopped).toEqual(['1.2.1']);
  });

  it('leaves behind what every image says of its patient, each once', () => {
    const objects = [object(), object(jane, false), object({ ...jane, patientName: 'Doe' }, false)];
    const context = { upload, studies: [], taken: new Set<string>(), instances: [], patients: [] };
    const { patientName, patientId, patientBirthDate } = jane;
    const facts = { patientName, patientId, patientBirthDate };
    expect([...chooseEarly(objects, context).patients]).toEqual([
      ['1.2.1', [facts, { ...facts, patientName: 'Doe' }]],
    ]);
  });

  it('is nothing of a study in which another patient turns up, sound or not, in one look or later', () => {
    expect(choose([object(), object(john)])).toEqual({ taken: [], stopped: ['1.2.1'] });
    expect(choose([object(), object(john, false)])).toEqual({ taken: [], stopped: ['1.2.1'] });
    expect(choose([object(john)], { studies: [begun()] })).toEqual({ taken: [], stopped: ['1.2.1'] });
    const otherId = object({ ...jane, patientId: '4712' });
    expect(choose([otherId], { studies: [begun()] })).toEqual({ taken: [], stopped: ['1.2.1'] });
    expect(choose([object()], { studies: [begun()] }).taken).toHaveLength(1);
    expect(choose([object()], { studies: [begun({ earlyDelivery: 'stopped' })] })).toEqual({
      taken: [],
      stopped: [],
    });
  });

  it('is nothing of a study the PACS has for another patient', () => {
    const known = {
      studyInstanceUid: '1.2.1',
      patientName: 'Roe, John',
      patientId: '815',
      patientBirthDate: null,
    };
    expect(choose([object()], { patients: [known] })).toEqual({ taken: [], stopped: ['1.2.1'] });
  });

  it('is no image whose identifier stands for another one, here or in the PACS', () => {
    const sopInstanceUid = '1.2.3.4';
    const twins = [object({ ...jane, sopInstanceUid }), object({ ...jane, sopInstanceUid })];
    expect(choose(twins).taken).toEqual([]);
    const [image] = twins as [EarlyObject];
    expect(choose([image], { taken: new Set([sopInstanceUid]) }).taken).toEqual([]);
    const earlier = (sha256: Buffer) => ({
      sopInstanceUid,
      sha256,
      studyInstanceUid: '1.2.1',
      createdAt: new Date(),
      isOwn: true,
    });
    expect(choose([image], { instances: [earlier(Buffer.alloc(32))] }).taken).toEqual([]);
    expect(choose([image], { instances: [earlier(image.object.sha256)] }).taken).toEqual([image]);
    expect(choose([image, { ...image, fileId: 'again' }]).taken).toEqual([image]);
  });
});

describe('a sound object', () => {
  let received: ReceivedFiles;
  beforeAll(async () => {
    received = await ReceivedFiles.open();
  });
  afterAll(() => received.close());

  it('is one that is delivered as it came, and of which nothing has to be assumed', async () => {
    const whole = buildDicom({ patientName: 'Doe^Jane' });
    const look = async (content: Uint8Array) => toEarlyObject(await received.examine(content))?.isSound;
    expect(await look(whole)).toBe(true);
    // Another instance in the file header: it is sent unchanged, and the data set is believed.
    expect(await look(buildDicom({ meta: { sopInstanceUid: '1.2.3' } }))).toBe(false);
    expect(await look(whole.subarray(0, 300))).toBeUndefined();
    const { object, ...checked } = await received.examine(whole);
    const repaired = object && { ...checked, object: { ...object, pieces: [] } };
    expect(repaired && toEarlyObject(repaired)?.isSound).toBe(false);
  });
});
