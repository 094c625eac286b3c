import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Attributes } from '../dicom-json.js';
import {
  CT_IMAGE,
  DEFLATED,
  EXPLICIT_LE,
  fileMeta,
  makeDicomFile,
  type TestFile,
} from '../testing/dicom-file.js';
import { partsOf, TestSandbox } from '../testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start({ personality: 'dcm4chee' });
});
afterEach(() => sandbox.stop());

const garbage = Buffer.from('garbage');
const withoutPatientId = () => makeDicomFile({ elements: { '00100020': undefined } });
const retrieve = async ({ studyUid, seriesUid, sopUid }: TestFile) =>
  partsOf(await sandbox.get(`/studies/${studyUid}/series/${seriesUid}/instances/${sopUid}`));

describe('its address', () => {
  it('is below the AE title', () => {
    expect(sandbox.url).toBe(`${sandbox.origin}/dcm4chee-arc/aets/DCM4CHEE/rs`);
  });

  it('has another AE title when one is given, and 404 in its own words for others', async () => {
    const other = await TestSandbox.start({ personality: 'dcm4chee', aet: 'AS_RECEIVED' });
    try {
      expect(other.url).toBe(`${other.origin}/dcm4chee-arc/aets/AS_RECEIVED/rs`);
      const response = await fetch(`${other.origin}/dcm4chee-arc/aets/DCM4CHEE/rs/studies`);
      expect([response.status, await response.json()]).toEqual([404, { errorMessage: 'Unknown resource' }]);
    } finally {
      await other.stop();
    }
  });

  it('is also /dicom-web, whose answers lead to its own', async () => {
    const file = makeDicomFile();
    await sandbox.stow([file.bytes]);
    const [study] = (await (await fetch(`${sandbox.origin}/dicom-web/studies`)).json()) as Attributes[];
    expect(study?.['00081190']?.Value).toEqual([`${sandbox.url}/studies/${file.studyUid}`]);
  });
});

describe('storing', () => {
  it('answers 200 when all is stored, without an empty FailedSOPSequence', async () => {
    const { bytes, sopUid, studyUid, seriesUid } = makeDicomFile();
    const answer = await sandbox.stow([bytes]);
    const url = `${sandbox.url}/studies/${studyUid}`;
    expect(answer).toMatchObject({ status: 200, contentType: 'application/dicom+json' });
    expect(answer.headers.get('warning')).toBeNull();
    expect(answer.body).toEqual({
      '00081190': { vr: 'UR', Value: [url] },
      '00081199': {
        vr: 'SQ',
        Value: [
          {
            '00081150': { vr: 'UI', Value: [CT_IMAGE] },
            '00081155': { vr: 'UI', Value: [sopUid] },
            '00081190': { vr: 'UR', Value: [`${url}/series/${seriesUid}/instances/${sopUid}`] },
          },
        ],
      },
    });
  });

  it('answers 202 when some are, with only the last error in Warning', async () => {
    const [good, noId, noSeries] = [
      makeDicomFile(),
      withoutPatientId(),
      makeDicomFile({ elements: { '0020000E': undefined } }),
    ];
    const answer = await sandbox.stow([good.bytes, noId.bytes, noSeries.bytes]);
    expect(answer).toMatchObject({
      status: 202,
      stored: [good.sopUid],
      failed: { [noId.sopUid]: 0xa777, [noSeries.sopUid]: 0xa900 },
    });
    expect(answer.headers.get('warning')).toBe('299 dcm4chee-arc "Missing SeriesInstanceUID (0020,000E)"');
  });

  it('answers 409 when none is, without an empty ReferencedSOPSequence', async () => {
    const file = withoutPatientId();
    const answer = await sandbox.stow([file.bytes]);
    expect(answer).toMatchObject({ status: 409, failed: { [file.sopUid]: 42871 } });
    expect(answer.body).not.toHaveProperty('00081199');
  });

  it('refuses an instance of another study than the address names', async () => {
    const file = makeDicomFile();
    expect(await sandbox.stow([file.bytes], '/studies/1.2.3')).toMatchObject({
      status: 409,
      failed: { [file.sopUid]: 0xa900 },
    });
  });

  it('invents a UID for a part it cannot read and stores those around it', async () => {
    const [first, last] = [makeDicomFile(), makeDicomFile()];
    const answer = await sandbox.stow([first.bytes, garbage, last.bytes]);
    expect(answer).toMatchObject({ status: 202, stored: [first.sopUid, last.sopUid] });
    expect(Object.entries(answer.failed)).toEqual([[expect.stringMatching(/^2\.25\.\d+$/), 0x0110]]);
  });

  it('passes over parts of other types and takes a transfer syntax in the type', async () => {
    const [first, last] = [makeDicomFile(), makeDicomFile()];
    const answer = await sandbox.stow([
      { headers: ['Content-Type: text/plain'], bytes: garbage },
      { headers: [`Content-Type: application/dicom; transfer-syntax=${EXPLICIT_LE}`], bytes: first.bytes },
      last.bytes,
    ]);
    expect(answer).toMatchObject({ status: 200, stored: [first.sopUid, last.sopUid], failed: {} });
  });

  it('keeps the first content of an instance that comes again, and says success', async () => {
    const first = makeDicomFile();
    const second = makeDicomFile({ ...first, elements: { '00100010': ['PN', 'Other^Name'] } });
    await sandbox.stow([first.bytes]);
    expect(await sandbox.stow([second.bytes])).toMatchObject({ status: 200, stored: [first.sopUid] });
    expect((await retrieve(first))[0]?.toString('latin1')).toContain('Doe^Jane');
  });

  it.each([
    [undefined, 200],
    ['application/dicom+json', 200],
    ['application/dicom+xml, application/dicom+json;q=0.9', 200],
    ['text/html', 406],
    ['application/dicom+json;q=0', 406],
    ['multipart/related; type="application/dicom"', 406],
  ])('negotiates: Accept %s is %d', async (accept, status) => {
    const headers: Record<string, string> = accept === undefined ? {} : { Accept: accept };
    expect((await sandbox.post([makeDicomFile().bytes], headers)).status).toBe(status);
  });
});

describe('unreadable parts as an error', () => {
  beforeEach(async () => {
    await sandbox.stop();
    sandbox = await TestSandbox.start({ personality: 'dcm4chee', unreadable: 'error' });
  });

  it('answers 500 in plain text, with the parts before it stored and those behind it lost', async () => {
    const [first, last] = [makeDicomFile(), makeDicomFile()];
    const response = await sandbox.post([first.bytes, garbage, last.bytes]);
    expect([response.status, response.headers.get('content-type')]).toEqual([500, 'text/plain']);
    expect(await response.text()).toContain('DicomStreamException');
    expect(await sandbox.found()).toEqual([first.sopUid]);
  });
});

describe('file meta information', () => {
  const bodyOf = (file: TestFile, transferSyntax = EXPLICIT_LE) =>
    file.bytes.subarray(fileMeta(file.sopUid, transferSyntax).length);

  it.each([
    ['explicit little endian', EXPLICIT_LE],
    ['deflated', DEFLATED],
  ])('is its own, before an unchanged data set (%s)', async (_, transferSyntax) => {
    const file = makeDicomFile({ transferSyntax });
    await sandbox.stow([file.bytes]);
    const [bytes = Buffer.alloc(0)] = await retrieve(file);
    expect(bytes.equals(file.bytes)).toBe(false);
    expect(bytes.toString('latin1', 128, 132)).toBe('DICM');
    expect(bytes.toString('latin1', 132, 400)).toContain('1.2.40.0.13.1.3');
    const body = bodyOf(file, transferSyntax);
    expect(bytes.subarray(-body.length)).toEqual(body);
  });

  it('is given to a file without one, which can be read after a start', async () => {
    const file = makeDicomFile();
    expect(await sandbox.stow([bodyOf(file)])).toMatchObject({ status: 200, stored: [file.sopUid] });
    expect((await retrieve(file))[0]?.toString('latin1', 128, 132)).toBe('DICM');
    await sandbox.restart();
    expect(await sandbox.found()).toEqual([file.sopUid]);
  });
});

it('answers 204 without a body to a search that finds nothing', async () => {
  const response = await sandbox.get('/studies?PatientID=nobody');
  expect([response.status, await response.text()]).toEqual([204, '']);
});
