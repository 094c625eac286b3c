import { createHash } from 'node:crypto';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import { planRepair } from '@relaypacs/core/dicom/repair.js';
import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import { bytesSource } from '@relaypacs/core/dicom/source.js';
import { composedSource } from '@relaypacs/core/dicom/source-piece.js';
import { TAG } from '@relaypacs/core/dicom/tags.js';
import { buildDicom } from '@relaypacs/core/dicom/testing/build.js';
import { describe, expect, it } from 'vitest';
import { addAnnouncedPatientId, withPatientId } from './add-patient-id.js';
import { studiesOfAnnouncedPatient } from './announced-patient.js';
import type { DeliverableObject, Examined, Subject } from './examined.js';
import type { StudyDraft } from './group-studies.js';

const upload = (more: Partial<UploadRow> = {}) =>
  ({
    patientName: 'Doe, Jane',
    patientId: 'P-1',
    patientBirthDate: null,
    addsPatientId: true,
    ...more,
  }) as UploadRow;

function object(attributes: StudyAttributes, rewritten = true): DeliverableObject {
  const plain = {
    attributes,
    transferSyntaxUid: '1.2',
    size: 1,
    sha256: Buffer.alloc(32),
    steps: [],
    pieces: undefined,
  };
  const withId = {
    attributes: { ...attributes, patientId: 'P-1' },
    size: 13,
    sha256: Buffer.alloc(32, 1),
    pieces: [],
  };
  return rewritten ? { ...plain, withPatientId: withId } : plain;
}

function study(...objects: DeliverableObject[]): { draft: StudyDraft; subjects: Subject[] } {
  const attributes = Object.assign({}, ...objects.map((each) => each.attributes)) as StudyAttributes;
  const members = objects.map((each) => ({ fileId: 'f', object: each }));
  const examined = objects.map(
    (each): Examined => ({
      kind: 'dicom',
      status: 'accepted',
      problem: undefined,
      findings: [],
      object: each,
    }),
  );
  return {
    draft: { studyInstanceUid: '1.2.3', attributes, members, warnings: [] },
    subjects: examined.map((each) => ({ file: {} as Subject['file'], path: undefined, examined: each })),
  };
}

const codes = (subjects: readonly Subject[]) =>
  subjects.map(({ examined }) => examined.findings.map(({ code }) => code).join());
const sizes = ({ members }: StudyDraft) => members.map((member) => member.object.size);

describe('the ID that was entered', () => {
  it('goes into the objects that have none, and stands at their files and their study', () => {
    const { draft, subjects } = study(object({ patientName: 'Doe^Jane' }), object({ patientId: 'P-1' }));
    addAnnouncedPatientId(upload(), [draft], subjects);
    expect(sizes(draft)).toEqual([13, 1]);
    expect(codes(subjects)).toEqual(['PATIENT_ID_ADDED', '']);
    expect(draft.attributes.patientId).toBe('P-1');
  });

  it.each([
    ['unless it was asked for', upload({ addsPatientId: false })],
    ['unless there is one', upload({ patientId: null })],
    ["into another patient's study", upload({ patientName: 'Roe, Richard' })],
  ])('goes nowhere: %s', (_, given) => {
    const { draft, subjects } = study(object({ patientName: 'Doe^Jane' }));
    addAnnouncedPatientId(given, [draft], subjects);
    expect([sizes(draft), codes(subjects)]).toEqual([[1], ['']]);
  });

  it('is not made another spelling of the ID that other images of the study have', () => {
    const { draft, subjects } = study(object({ patientName: 'Doe^Jane' }), object({ patientId: 'p-1' }));
    addAnnouncedPatientId(upload(), [draft], subjects);
    expect([sizes(draft), codes(subjects)]).toEqual([
      [1, 1],
      ['PATIENT_ID_NOT_ADDED', ''],
    ]);
  });

  it('is not claimed for a study none of whose objects could take it', () => {
    const { draft, subjects } = study(object({ patientName: 'Doe^Jane' }, false));
    addAnnouncedPatientId(upload(), [draft], subjects);
    expect(codes(subjects)).toEqual(['PATIENT_ID_NOT_ADDED']);
    expect(draft.attributes.patientId).toBeUndefined();
  });
});

describe("the announced patient's studies", () => {
  const named = (patientName?: string) => study(object(patientName ? { patientName } : {})).draft;
  const names = (given: UploadRow, ...studies: StudyDraft[]) =>
    studiesOfAnnouncedPatient(given, studies).map(({ attributes }) => attributes.patientName ?? 'nobody');

  it('are all where nothing speaks of another one', () => {
    expect(names(upload(), named('Doe^Jane'), named())).toEqual(['Doe^Jane', 'nobody']);
    expect(names(upload({ patientName: 'Unknown' }), named('Doe^Jane'))).toEqual(['Doe^Jane']);
  });

  it('are those that name that patient where others came along', () => {
    expect(names(upload(), named('Doe^Jane'), named(), named('Roe^Richard'))).toEqual(['Doe^Jane']);
    expect(names(upload(), named(), named('Roe^Richard'))).toEqual([]);
    expect(names(upload({ patientName: 'Unknown' }), named('Doe^Jane'), named('Roe^Richard'))).toEqual([]);
  });
});

it('is put into what a repair has made, as one piece work of the file that arrived', async () => {
  const file = buildDicom({
    preamble: Buffer.concat([Buffer.from('MZ'), Buffer.alloc(126)]),
    trailing: new Uint8Array(3),
    omit: [TAG.patientId],
  });
  const source = bytesSource(file);
  const identity = { studyInstanceUid: '2.25.1', seriesInstanceUid: '2.25.2', sopInstanceUid: '2.25.3' };
  const repair = await planRepair(source, await scanDicom(source), identity);
  const repaired = { ...object({}, false), pieces: repair!.pieces };
  const rewritten = await withPatientId(source, repaired, 'P-1');
  const composed = composedSource(source, rewritten!.pieces!);
  const bytes = await composed.read(0, composed.size);
  expect(rewritten!.size).toBe(bytes.length);
  expect(rewritten!.sha256.equals(createHash('sha256').update(bytes).digest())).toBe(true);
  const scan = await scanDicom(bytesSource(bytes));
  expect([scan.verdict, scan.needsRewrite, scan.attributes.patientId]).toEqual(['valid', false, 'P-1']);
  expect(bytes.length).toBe(file.length - 3 + 12);
});
