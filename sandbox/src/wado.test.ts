import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attributes } from './dicom-json.js';
import { DEFLATED, JPEG_LOSSLESS, makeDicomFile, newUid } from './testing/dicom-file.js';
import { partsOf, TestSandbox } from './testing/sandbox-client.js';

const studyUid = newUid();
const pdf = Buffer.from('%PDF-1.4 report');
const slice = makeDicomFile({
  studyUid,
  elements: { '00080005': ['CS', 'ISO_IR 100'], '00100010': ['PN', Buffer.from('Gr\xfcn', 'latin1')] },
});
const jpeg = makeDicomFile({
  studyUid,
  seriesUid: slice.seriesUid,
  transferSyntax: JPEG_LOSSLESS,
  elements: {
    '7FE00010': ['OB', { fragments: [Buffer.alloc(0), Buffer.alloc(40_000, 5), Buffer.alloc(6, 6)] }],
  },
});
const report = makeDicomFile({
  studyUid,
  transferSyntax: DEFLATED,
  elements: {
    '00420011': ['OB', pdf],
    '54000100': ['SQ', [{}, { '54001010': ['OW', Buffer.from('wave')] }]],
    '7FE00010': undefined,
  },
});
const ANY = 'multipart/related; type="application/dicom"; transfer-syntax=*';

let sandbox: TestSandbox;
beforeAll(async () => {
  sandbox = await TestSandbox.start();
  await sandbox.stow([slice, jpeg, report].map(({ bytes }) => bytes));
});
afterAll(() => sandbox.stop());

const seriesPath = `/studies/${studyUid}/series/${slice.seriesUid}`;
const pathOf = ({ seriesUid, sopUid }: typeof slice) =>
  `/studies/${studyUid}/series/${seriesUid}/instances/${sopUid}`;
const sorted = (buffers: Buffer[]) => buffers.map((each) => each.toString('base64')).sort();

describe('retrieving', () => {
  it('gives an instance byte for byte, with the length announced', async () => {
    const response = await sandbox.get(pathOf(slice), { Accept: ANY });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(
      /^multipart\/related; type="application\/dicom"; boundary=/,
    );
    expect(Number(response.headers.get('content-length'))).toBe(
      (await response.clone().arrayBuffer()).byteLength,
    );
    expect(await partsOf(response)).toEqual([slice.bytes]);
  });

  it('gives whole series and studies', async () => {
    expect(sorted(await partsOf(await sandbox.get(seriesPath)))).toEqual(sorted([slice.bytes, jpeg.bytes]));
    const study = await partsOf(await sandbox.get(`/studies/${studyUid}/`, { Accept: ANY }));
    expect(sorted(study)).toEqual(sorted([slice.bytes, jpeg.bytes, report.bytes]));
  });

  it.each([
    '*/*',
    'multipart/related',
    'multipart/related; type=application/dicom',
    ANY,
    `${ANY.slice(0, -1)}"*"`,
  ])('accepts %s', async (accept) => {
    expect(await partsOf(await sandbox.get(pathOf(jpeg), { Accept: accept }))).toEqual([jpeg.bytes]);
  });

  it('gives the stored transfer syntax when it is asked for by name, and no other', async () => {
    const named = (uid: string) => ({ Accept: ANY.replace('*', uid) });
    expect(await partsOf(await sandbox.get(pathOf(jpeg), named(JPEG_LOSSLESS)))).toEqual([jpeg.bytes]);
    const refused = await sandbox.get(pathOf(jpeg), named('1.2.840.10008.1.2.1'));
    expect([refused.status, await refused.json()]).toMatchObject([
      400,
      { Details: 'Unsupported transfer syntax in WADO-RS: 1.2.840.10008.1.2.1' },
    ]);
  });

  it.each([
    'application/dicom',
    'text/html',
    'multipart/related; type="image/jpeg"',
    'application/dicom, */*;q=0.1',
  ])('answers 400 to Accept: %s, as Orthanc does', async (accept) => {
    expect((await sandbox.get(pathOf(slice), { Accept: accept })).status).toBe(400);
  });

  it.each([
    ['/studies/1.2.3', 'study with WADO-RS: 1.2.3'],
    [`/studies/${studyUid}/series/1.2`, 'series with WADO-RS: 1.2'],
    [`${seriesPath}/instances/1.2`, 'instance with WADO-RS: 1.2'],
    [`/studies/1.2.3/series/${slice.seriesUid}`, 'study with WADO-RS: 1.2.3'],
    ['/studies/1.2.3/metadata', 'study with WADO-RS: 1.2.3'],
    [`${seriesPath}/instances/1.2/metadata`, 'instance with WADO-RS: 1.2'],
  ])('answers 404 for %s', async (path, details) => {
    const response = await sandbox.get(path);
    expect([response.status, await response.json()]).toMatchObject([
      404,
      { Details: `Accessing an inexistent ${details}`, OrthancStatus: 7, Uri: `/dicom-web${path}` },
    ]);
  });
});

describe('metadata', () => {
  it('gives the header of an instance as JSON, in UTF-8, pixel data by reference', async () => {
    const response = await sandbox.get(`${pathOf(slice)}/metadata`, { Accept: 'application/dicom+json' });
    expect(response.headers.get('content-type')).toBe('application/dicom+json');
    const [metadata] = (await response.json()) as Attributes[];
    expect(metadata).toMatchObject({
      '00080005': { Value: ['ISO_IR 192'] },
      '00080018': { vr: 'UI', Value: [slice.sopUid] },
      '00100010': { Value: [{ Alphabetic: 'Grün' }] },
      '7FE00010': { vr: 'OW', BulkDataURI: `${sandbox.url}${pathOf(slice)}/bulk/7fe00010` },
    });
  });

  it('gives a series and a study, an entry per instance', async () => {
    const uids = async (path: string) =>
      (await sandbox.json(path)).map((each) => each['00080018']?.Value?.[0]).sort();
    expect(await uids(`${seriesPath}/metadata`)).toEqual([slice.sopUid, jpeg.sopUid].sort());
    expect(await uids(`/studies/${studyUid}/metadata`)).toEqual(
      [slice.sopUid, jpeg.sopUid, report.sopUid].sort(),
    );
  });

  it('gives no XML', async () => {
    expect((await sandbox.get(`${pathOf(slice)}/metadata`, { Accept: 'application/dicom+xml' })).status).toBe(
      400,
    );
  });
});

describe('bulk data', () => {
  const bulk = async (file: typeof slice, path: string) =>
    partsOf(await sandbox.get(`${pathOf(file)}/bulk/${path}`));

  it('gives values at the top level and in sequences, inflated where need be', async () => {
    expect((await bulk(report, '00420011'))[0]?.subarray(0, pdf.length)).toEqual(pdf);
    expect(await bulk(report, '54000100/2/54001010')).toEqual([Buffer.from('wave')]);
    expect(await bulk(slice, '7FE00010')).toEqual([Buffer.alloc(32, 7)]);
  });

  it('gives every fragment of encapsulated pixel data', async () => {
    expect((await bulk(jpeg, '7fe00010')).map(({ length }) => length)).toEqual([0, 40_000, 6]);
  });

  it.each(['00420099', 'nonsense', '54000100/9/54001010', '54000100'])('answers 404 for %s', async (path) => {
    expect((await sandbox.get(`${pathOf(report)}/bulk/${path}`)).status).toBe(404);
  });

  it('serves every address that metadata gives', async () => {
    const addresses = JSON.stringify(await sandbox.json(`/studies/${studyUid}/metadata`)).match(
      /http[^"]*\/bulk\/[^"]*/g,
    );
    expect(addresses?.length).toBe(3);
    for (const address of addresses ?? []) expect((await fetch(address)).status).toBe(200);
  });
});

it('ends only the one answer when a client goes away in the middle', async () => {
  const controller = new AbortController();
  const response = await fetch(`${sandbox.url}/studies/${studyUid}`, { signal: controller.signal });
  controller.abort();
  await expect(response.arrayBuffer()).rejects.toThrow();
  expect(await partsOf(await sandbox.get(pathOf(slice)))).toEqual([slice.bytes]);
});
