import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attributes } from './dicom-json.js';
import { makeDicomFile, newUid, type TestFileOptions } from './testing/dicom-file.js';
import { TestSandbox } from './testing/sandbox-client.js';

const CT = { studyUid: newUid(), seriesUid: newUid() };
const SR_SERIES = newUid();
const SR_CLASS = '1.2.840.10008.5.1.4.1.1.88.11';
const JAPANESE = newUid();
const CHINESE = newUid();

const file = (options: TestFileOptions) => makeDicomFile(options).bytes;
const slices = [1, 2, 3].map((number) =>
  makeDicomFile({
    ...CT,
    elements: {
      '00080008': ['CS', 'ORIGINAL\\PRIMARY\\AXIAL'],
      '00081030': ['LO', 'Chest'],
      '00200013': ['IS', String(number)],
      '0040A043': ['SQ', [{}]],
    },
  }),
);

let sandbox: TestSandbox;
beforeAll(async () => {
  sandbox = await TestSandbox.start();
  await sandbox.stow([
    ...slices.map(({ bytes }) => bytes),
    file({
      studyUid: CT.studyUid,
      seriesUid: SR_SERIES,
      elements: {
        '00080016': ['UI', SR_CLASS],
        '00080060': ['CS', 'SR'],
        '00200011': ['IS', '900'],
        '00280010': undefined,
      },
    }),
    file({
      studyUid: JAPANESE,
      elements: {
        '00080005': ['CS', '\\ISO 2022 IR 87'],
        '00080020': ['DA', '20230615'],
        '00080050': ['SH', 'ACC2'],
        '00080060': ['CS', 'MR'],
        '00100010': ['PN', Buffer.from('Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B', 'latin1')],
        '00100020': ['LO', 'P2'],
      },
    }),
    file({
      studyUid: CHINESE,
      elements: {
        '00080005': ['CS', 'GB18030'],
        '00080020': ['DA', ''],
        '00100010': ['PN', Buffer.from('cdf55ed0a1b6ab', 'hex')],
        '00100020': undefined,
        '00100040': ['CS', ''],
      },
    }),
  ]);
});
afterAll(() => sandbox.stop());

const values = (results: Attributes[], tag: string) => results.map((result) => result[tag]?.Value?.[0]);
const studiesBy = async (query: string) => values(await sandbox.json(`/studies?${query}`), '0020000D');

describe('searching for studies', () => {
  it('returns the attributes Orthanc does, what is counted, and the availability', async () => {
    expect(await sandbox.json(`/studies?StudyInstanceUID=${CT.studyUid}`)).toEqual([
      {
        '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
        '00080020': { vr: 'DA', Value: ['20240131'] },
        '00080030': { vr: 'TM', Value: ['101500'] },
        '00080050': { vr: 'SH', Value: ['ACC1'] },
        '00080056': { vr: 'CS', Value: ['ONLINE'] },
        '00080061': { vr: 'CS', Value: ['CT', 'SR'] },
        '00080090': { vr: 'PN' },
        '00081190': { vr: 'UR', Value: [`${sandbox.url}/studies/${CT.studyUid}`] },
        '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Doe^Jane' }] },
        '00100020': { vr: 'LO', Value: ['P1'] },
        '00100030': { vr: 'DA', Value: ['19700101'] },
        '00100040': { vr: 'CS', Value: ['F'] },
        '0020000D': { vr: 'UI', Value: [CT.studyUid] },
        '00200010': { vr: 'SH', Value: ['1'] },
        '00201206': { vr: 'IS', Value: [2] },
        '00201208': { vr: 'IS', Value: [4] },
      },
    ]);
  });

  it('answers 200 with an empty list when there is nothing', async () => {
    const response = await sandbox.get('/studies?PatientID=nobody');
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'application/dicom+json',
      '[]',
    ]);
  });

  it.each([
    ['StudyInstanceUID', () => CT.studyUid, 1],
    ['0020000D', () => CT.studyUid, 1],
    ['0020000d', () => CT.studyUid, 1],
    ['StudyInstanceUID', () => `${CT.studyUid},1.2.3,${JAPANESE}`, 2],
    ['StudyInstanceUID', () => `${CT.studyUid}\\${JAPANESE}`, 2],
    ['PatientID', () => 'P2', 1],
    ['PatientName', () => 'Doe^Jane', 1],
    ['PatientName', () => 'Doe*', 1],
    ['PatientName', () => 'D?e^*', 1],
    ['PatientName', () => '山田*', 1],
    ['PatientName', () => '*', 3],
    ['PatientName', () => '', 3],
    ['PatientID', () => '*', 2],
    ['AccessionNumber', () => 'ACC2', 1],
    ['StudyDate', () => '20240131', 1],
    ['StudyDate', () => '20230101-20231231', 1],
    ['StudyDate', () => '20230616-', 1],
    ['StudyDate', () => '-20230615', 1],
    ['ModalitiesInStudy', () => 'SR', 1],
    ['ModalitiesInStudy', () => 'SR,MR', 2],
    ['StudyDescription', () => 'Ch*', 1],
    ['SOPClassUID', () => '1.2.840.10008.5.1.4.1.1.2', 3],
    ['UnknownKey', () => 'x', 3],
    ['99990010', () => 'x', 3],
    ['RequestAttributesSequence.ScheduledProcedureStepID', () => 'x', 3],
    ['fuzzymatching', () => 'true', 3],
  ])('by %s finds the right ones', async (key, value, count) => {
    expect(await studiesBy(`${key}=${encodeURIComponent(value())}`)).toHaveLength(count);
  });

  it('asks all keys to match', async () => {
    expect(await studiesBy('PatientID=P1&ModalitiesInStudy=MR')).toEqual([]);
    expect(await studiesBy('PatientID=P1&ModalitiesInStudy=CT')).toEqual([CT.studyUid]);
  });

  it('finds no study by attributes of series and instances, as Orthanc does not', async () => {
    for (const query of [
      'Modality=CT',
      `SeriesInstanceUID=${CT.seriesUid}`,
      `SOPInstanceUID=${slices[0]?.sopUid}`,
    ]) {
      expect(await studiesBy(query)).toEqual([]);
    }
  });

  it('gives names as people write them', async () => {
    const [japanese] = await sandbox.json(`/studies?StudyInstanceUID=${JAPANESE}`);
    const [chinese] = await sandbox.json(`/studies?StudyInstanceUID=${CHINESE}`);
    expect(japanese?.['00100010']?.Value).toEqual([{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎' }]);
    expect(chinese?.['00100010']?.Value).toEqual([{ Alphabetic: '王^小东' }]);
    expect(chinese?.['00100040']).toEqual({ vr: 'CS' });
    expect(chinese?.['00100020']).toBeUndefined();
  });

  it('pages by limit and offset; a limit of 0 is none', async () => {
    const all = await studiesBy('');
    expect(await studiesBy('limit=2')).toEqual(all.slice(0, 2));
    expect(await studiesBy('limit=2&offset=2')).toEqual(all.slice(2));
    expect(await studiesBy('limit=0')).toEqual(all);
    expect(await studiesBy('offset=99')).toEqual([]);
  });

  it.each(['limit=x', 'limit=', 'limit=-1', 'offset=1.5', 'StudyDate=2024*', 'StudyInstanceUID=1.2*'])(
    'answers 400 for %s',
    async (query) => {
      const response = await sandbox.get(`/studies?${query}`);
      expect([response.status, await response.json()]).toMatchObject([
        400,
        { HttpStatus: 400, Uri: '/dicom-web/studies' },
      ]);
    },
  );

  it('takes garbage in the query without harm', async () => {
    for (const query of [
      '%',
      '%zz=%',
      '&&==&',
      'PatientName=%FF',
      `PatientName=${'*a'.repeat(500)}`,
      'a[b]=c',
      '0'.repeat(5000),
    ]) {
      expect((await sandbox.get(`/studies?${query}`)).status).toBe(200);
    }
  });

  it('includes fields on request: indexed, from a lower level, from the file, all', async () => {
    const include = async (fields: string) =>
      (await sandbox.json(`/studies?StudyInstanceUID=${CT.studyUid}&${fields}`))[0];
    expect(await include('includefield=00081030,Modality')).toMatchObject({
      '00081030': { vr: 'LO', Value: ['Chest'] },
      '00080060': { vr: 'CS', Value: ['CT'] },
    });
    expect(await include('includefield=Rows&includefield=ImageType')).toMatchObject({
      '00280010': { vr: 'US', Value: [4] },
      '00080008': { vr: 'CS', Value: ['ORIGINAL', 'PRIMARY', 'AXIAL'] },
    });
    expect((await include('includefield=all'))?.['00081030']).toBeDefined();
    expect((await include('includefield=7FE00010,0040A043,nonsense'))?.['7FE00010']).toBeUndefined();
  });
});

describe('searching for series', () => {
  it('returns series with their counts and their study', async () => {
    const series = await sandbox.json(`/studies/${CT.studyUid}/series`);
    expect(values(series, '0020000E')).toEqual([CT.seriesUid, SR_SERIES]);
    expect(values(series, '00201209')).toEqual([3, 1]);
    expect(values(series, '00080060')).toEqual(['CT', 'SR']);
    expect(values(series, '00100020')).toEqual(['P1', 'P1']);
    expect(values(series, '00081190')[1]).toBe(`${sandbox.url}/studies/${CT.studyUid}/series/${SR_SERIES}`);
  });

  it('searches all studies, by modality and by others', async () => {
    expect(await sandbox.json('/series')).toHaveLength(4);
    expect(values(await sandbox.json('/series?Modality=SR'), '0020000E')).toEqual([SR_SERIES]);
    expect(await sandbox.json('/series?Modality=SR,CT')).toHaveLength(3);
    expect(await sandbox.json('/series?SeriesNumber=900')).toHaveLength(1);
    expect(await sandbox.json(`/series?SeriesInstanceUID=${SR_SERIES}`)).toHaveLength(1);
    expect(await sandbox.json(`/series?SOPInstanceUID=${slices[0]?.sopUid}`)).toEqual([]);
    expect(await sandbox.json(`/series?StudyInstanceUID=${JAPANESE}`)).toHaveLength(1);
  });
});

describe('searching for instances', () => {
  const uids = slices.map(({ sopUid }) => sopUid).sort();

  it('returns instances of a series, of a study and of all', async () => {
    const found = await sandbox.json(`/studies/${CT.studyUid}/series/${CT.seriesUid}/instances`);
    expect(values(found, '00080018').sort()).toEqual(uids);
    expect(found[0]).toMatchObject({
      '00080016': { vr: 'UI' },
      '00280010': { vr: 'US', Value: [4] },
      '00280100': { vr: 'US', Value: [16] },
      '00080056': { vr: 'CS', Value: ['ONLINE'] },
    });
    expect(await sandbox.json(`/studies/${CT.studyUid}/instances`)).toHaveLength(4);
    expect(await sandbox.json('/instances')).toHaveLength(6);
  });

  it('finds them by UID, SOP class, number and attributes that are not indexed', async () => {
    expect(await sandbox.json(`/instances?SOPInstanceUID=${uids[0]},${uids[1]}`)).toHaveLength(2);
    expect(await sandbox.json(`/instances?SOPClassUID=${SR_CLASS}`)).toHaveLength(1);
    expect(await sandbox.json(`/studies/${CT.studyUid}/instances?InstanceNumber=2`)).toHaveLength(1);
    expect(await sandbox.json('/instances?ImageType=AXIAL')).toHaveLength(3);
    expect(await sandbox.json('/instances?Modality=SR')).toHaveLength(1);
  });

  it('finds nothing in places that are not there', async () => {
    for (const path of [
      '/studies/1.2.3/series',
      '/studies/1.2.3/instances',
      `/studies/${CT.studyUid}/series/1.2/instances`,
    ]) {
      expect(await sandbox.json(path)).toEqual([]);
    }
  });
});

it('gives no more rows than it was told, whatever limit is asked for', async () => {
  const tight = await TestSandbox.start({ mostRows: 2 });
  try {
    await tight.stow(slices.map(({ bytes }) => bytes));
    for (const query of ['', '?limit=1000']) expect(await tight.json(`/instances${query}`)).toHaveLength(2);
    expect(await tight.json('/instances?limit=1000&offset=2')).toHaveLength(1);
    expect(await tight.found()).toHaveLength(3);
  } finally {
    await tight.stop();
  }
});

it('lists two thousand instances fast', async () => {
  const large = await TestSandbox.start();
  try {
    const uid = { studyUid: newUid(), seriesUid: newUid() };
    const slice = () => makeDicomFile({ ...uid, elements: { '7FE00010': undefined } }).bytes;
    const batch = () => large.stow(Array.from({ length: 500 }, slice));
    for (const { stored } of await Promise.all([batch(), batch(), batch(), batch()]))
      expect(stored).toHaveLength(500);
    const start = performance.now();
    expect(await large.json(`/studies/${uid.studyUid}/instances`)).toHaveLength(2000);
    expect(performance.now() - start).toBeLessThan(2000);
  } finally {
    await large.stop();
  }
}, 60_000);
