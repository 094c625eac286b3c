import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Attributes } from './dicom-json.js';
import {
  CT_IMAGE,
  EXPLICIT_LE,
  encodeElement,
  encodingOf,
  makeDicomFile,
  nestedSequence,
  newUid,
  type TestFile,
} from './testing/dicom-file.js';
import { BOUNDARY, multipartBody, partsOf, STOW_TYPE, TestSandbox } from './testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start();
});
afterEach(() => sandbox.stop());

const garbage = Buffer.from('garbage');
const otherType = { headers: ['Content-Type: text/plain'], bytes: Buffer.from('hello') };
const withTransferSyntax = (bytes: Buffer) => ({
  headers: [`Content-Type: application/dicom; transfer-syntax=${EXPLICIT_LE}`],
  bytes,
});
const without = (tag: string) => makeDicomFile({ elements: { [tag]: undefined } });
const withEmpty = (tag: string) => makeDicomFile({ elements: { [tag]: ['UI', ''] } });

async function storedBytes({ studyUid, seriesUid, sopUid }: TestFile): Promise<Buffer[]> {
  const response = await sandbox.get(`/studies/${studyUid}/series/${seriesUid}/instances/${sopUid}`);
  return response.status === 200 ? partsOf(response) : [];
}

describe('storing good instances', () => {
  it('answers 200 with what it stored and where it is', async () => {
    const { studyUid, seriesUid, sopUid, bytes } = makeDicomFile();
    const answer = await sandbox.stow([bytes]);
    const studyUrl = `${sandbox.url}/studies/${studyUid}`;
    expect(answer.status).toBe(200);
    expect(answer.contentType).toBe('application/dicom+json');
    expect(answer.body).toEqual({
      '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
      '00081190': { vr: 'UR', Value: [studyUrl] },
      '00081198': { vr: 'SQ' },
      '00081199': {
        vr: 'SQ',
        Value: [
          {
            '00081150': { vr: 'UI', Value: [CT_IMAGE] },
            '00081155': { vr: 'UI', Value: [sopUid] },
            '00081190': { vr: 'UR', Value: [`${studyUrl}/series/${seriesUid}/instances/${sopUid}`] },
          },
        ],
      },
    });
  });

  it('stores several studies at once, byte for byte', async () => {
    const files = [makeDicomFile(), makeDicomFile(), makeDicomFile({ transferSyntax: '1.2.840.10008.1.2' })];
    const answer = await sandbox.stow(files.map(({ bytes }) => bytes));
    expect(answer.stored).toEqual(files.map(({ sopUid }) => sopUid));
    for (const file of files) expect(await storedBytes(file)).toEqual([file.bytes]);
  });

  it('keeps the old content of an instance that comes again, and says success', async () => {
    const first = makeDicomFile();
    const second = makeDicomFile({ ...first, elements: { '00100010': ['PN', 'Other^Name'] } });
    await sandbox.stow([first.bytes]);
    expect(await sandbox.stow([second.bytes])).toMatchObject({ status: 200, stored: [first.sopUid] });
    expect(await storedBytes(first)).toEqual([first.bytes]);
    expect(await sandbox.files('instances')).toHaveLength(2);
  });

  it('stores one of two copies that come at the same time', async () => {
    const file = makeDicomFile();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => sandbox.stow([file.bytes, file.bytes])),
    );
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 200, stored: [file.sopUid, file.sopUid] });
    expect(await storedBytes(file)).toEqual([file.bytes]);
    expect(await sandbox.json('/instances')).toHaveLength(1);
    expect(await sandbox.files('incoming')).toEqual([]);
  });

  it('has the same SOP Instance UID in two studies as two instances, like Orthanc', async () => {
    const first = makeDicomFile();
    const second = makeDicomFile({ sopUid: first.sopUid });
    await sandbox.stow([first.bytes, second.bytes]);
    expect(await sandbox.json(`/instances?SOPInstanceUID=${first.sopUid}`)).toHaveLength(2);
    expect(await storedBytes(second)).toEqual([second.bytes]);
  });

  it('stores in a study named by the address, and refuses others there with 409', async () => {
    const file = makeDicomFile();
    const other = makeDicomFile();
    const answer = await sandbox.stow([file.bytes, other.bytes], `/studies/${file.studyUid}`);
    expect(answer).toMatchObject({ status: 409, stored: [file.sopUid], failed: { [other.sopUid]: 0x0110 } });
    expect(await storedBytes(other)).toEqual([]);
  });
});

describe('parts that cannot be stored', () => {
  it('answers 400 for garbage, stores the good ones around it and says so without a Content-Type', async () => {
    const [first, last] = [makeDicomFile(), makeDicomFile()];
    const answer = await sandbox.stow([first.bytes, garbage, last.bytes]);
    expect(answer).toMatchObject({
      status: 400,
      contentType: null,
      stored: [first.sopUid, last.sopUid],
      failed: {},
    });
    expect(await storedBytes(last)).toEqual([last.bytes]);
  });

  it.each([
    ['a part without bytes', Buffer.alloc(0)],
    ['garbage', garbage],
    ['a file without a SOP Instance UID', without('00080018').bytes],
    ['a file without a SOP Class UID', without('00080016').bytes],
    ['a truncated file', makeDicomFile().bytes.subarray(0, -5)],
    ['a file nested 200 deep', makeDicomFile({ elements: { '0040A730': nestedSequence(200) } }).bytes],
    [
      'a file with an absurd length',
      Buffer.concat([
        makeDicomFile().bytes,
        encodeElement('7FE00020', 'OW', garbage, encodingOf(EXPLICIT_LE), 0xfffffff0),
      ]),
    ],
  ])('answers 400 with empty lists for %s', async (_, bytes) => {
    expect(await sandbox.stow([bytes])).toMatchObject({ status: 400, stored: [], failed: {} });
    expect(await sandbox.files('incoming')).toEqual([]);
  });

  it.each(['0020000D', '0020000E'])('names a file without %s among the failed', async (tag) => {
    const [bad, good] = [without(tag), makeDicomFile()];
    expect(await sandbox.stow([bad.bytes, good.bytes])).toMatchObject({
      status: 400,
      stored: [good.sopUid],
      failed: { [bad.sopUid]: 0xc000 },
    });
  });

  it.each([
    ['another type', otherType],
    ['a transfer syntax', withTransferSyntax(makeDicomFile().bytes)],
    ['a type in capitals', { headers: ['Content-Type: APPLICATION/DICOM'], bytes: makeDicomFile().bytes }],
    ['an empty SOP Instance UID', withEmpty('00080018').bytes],
    ['an empty Study Instance UID', withEmpty('0020000D').bytes],
    ['an empty Series Instance UID', withEmpty('0020000E').bytes],
    [
      'a wrong Content-Length',
      { headers: ['Content-Type: application/dicom', 'Content-Length: 3'], bytes: garbage },
    ],
  ])('stops at a part with %s and answers 200 for those before it', async (_, part) => {
    const [before, behind] = [makeDicomFile(), makeDicomFile()];
    expect(await sandbox.stow([before.bytes, part, behind.bytes])).toMatchObject({
      status: 200,
      stored: [before.sopUid],
      failed: {},
    });
    expect(await storedBytes(behind)).toEqual([]);
    expect(await sandbox.stow([part])).toMatchObject({ status: 200, stored: [] });
  });

  it('passes over a part without a type', async () => {
    const file = makeDicomFile();
    const answer = await sandbox.stow([{ headers: [], bytes: makeDicomFile().bytes }, file.bytes]);
    expect(answer).toMatchObject({ status: 200, stored: [file.sopUid] });
  });
});

describe('bodies that are not as they should be', () => {
  const files = [makeDicomFile(), makeDicomFile()];
  const body = multipartBody(files.map(({ bytes }) => bytes));

  it.each([
    ['no boundary', 'multipart/related; type="application/dicom"'],
    ['an empty boundary', 'multipart/related; type="application/dicom"; boundary='],
    ['no type', `multipart/related; boundary=${BOUNDARY}`],
    ['another type', `multipart/related; type="application/dicom+json"; boundary=${BOUNDARY}`],
    ['form data', `multipart/form-data; boundary=${BOUNDARY}`],
    ['JSON', 'application/json'],
    ['nothing', ''],
  ])("answers 415 in Orthanc's words for a Content-Type with %s", async (_, contentType) => {
    const answer = await sandbox.stowBody(body, contentType);
    expect(answer).toMatchObject({
      status: 415,
      contentType: null,
      body: {
        HttpStatus: 415,
        OrthancStatus: 3000,
        Message: 'Unsupported media type',
        Uri: '/dicom-web/studies',
      },
    });
  });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['text', Buffer.from('hello')],
    ['only the closing boundary', Buffer.from(`--${BOUNDARY}--\r\n`)],
    ['one part, cut off', multipartBody([files[0]!.bytes]).subarray(0, -40)],
  ])('answers 200 and stores nothing when the body is %s', async (_, bytes) => {
    expect(await sandbox.stowBody(bytes)).toMatchObject({ status: 200, stored: [], failed: {} });
    expect(await sandbox.files('incoming')).toEqual([]);
    expect(await sandbox.json('/studies')).toEqual([]);
  });

  it('stores the parts before one that is cut off', async () => {
    expect(await sandbox.stowBody(body.subarray(0, -40))).toMatchObject({
      status: 200,
      stored: [files[0]!.sopUid],
    });
  });

  it('takes a quoted boundary and a body in chunks', async () => {
    const response = await fetch(`${sandbox.url}/studies`, {
      method: 'POST',
      headers: { 'Content-Type': STOW_TYPE.replace(BOUNDARY, `"${BOUNDARY}"`) },
      body: new Blob([new Uint8Array(body)]).stream(),
      duplex: 'half',
    });
    expect(response.status).toBe(200);
    expect(await sandbox.json('/instances')).toHaveLength(2);
  });

  it('leaves nothing behind of a client that goes away, not even the parts that had arrived', async () => {
    const socket = createConnection(sandbox.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: ${STOW_TYPE}\r\nContent-Length: ${body.length + 1}\r\n\r\n`,
    );
    socket.write(body.subarray(0, -30));
    await expect.poll(() => sandbox.files('incoming')).toHaveLength(2);
    socket.destroy();
    await expect.poll(() => sandbox.files('incoming')).toEqual([]);
    expect(await sandbox.files('instances')).toEqual([]);
    expect(await sandbox.json('/studies')).toEqual([]);
  });

  it('survives many hostile requests and goes on working', async () => {
    const hostile: [string, Buffer][] = [
      [STOW_TYPE, Buffer.from(`--${BOUNDARY}\r\n`.repeat(10_000))],
      [STOW_TYPE, Buffer.from(`--${BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n`.repeat(200))],
      [STOW_TYPE, Buffer.from(`--${BOUNDARY}\r\n${'X: y\r\n'.repeat(10_000)}`)],
      [`multipart/related; type="application/dicom"; boundary="${'b'.repeat(5000)}"`, body],
      ['multipart/related; type="application/dicom"; boundary="a', body],
    ];
    for (const [type, bytes] of hostile)
      expect((await sandbox.stowBody(bytes, type)).status).toBeLessThan(500);
    expect((await sandbox.stowBody(body)).stored).toHaveLength(2);
  });
});

it('keeps names from outside out of its paths, and gives addresses that lead to them', async () => {
  const file = makeDicomFile({ studyUid: '../../x', seriesUid: '/etc?#', sopUid: '..%2f' });
  const answer = await sandbox.stow([file.bytes]);
  expect(answer.stored).toEqual(['..%2f']);
  const names = await sandbox.files('instances');
  expect(names).toHaveLength(2);
  for (const name of names) expect(name).toMatch(/^[0-9a-f]{64}\.(dcm|json)$/);
  const [item] = (answer.body['00081199']?.Value ?? []) as Attributes[];
  expect(await partsOf(await fetch(String(item?.['00081190']?.Value?.[0])))).toEqual([file.bytes]);
});

it('takes a batch of several hundred instances', async () => {
  const [studyUid, seriesUid] = [newUid(), newUid()];
  const files = Array.from({ length: 300 }, () => makeDicomFile({ studyUid, seriesUid }));
  expect((await sandbox.stow(files.map(({ bytes }) => bytes))).stored).toHaveLength(300);
  expect((await sandbox.json('/studies'))[0]?.['00201208']?.Value).toEqual([300]);
});
