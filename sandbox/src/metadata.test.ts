import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from './dicom-json.js';
import { DicomFormatError } from './dicom-walk.js';
import { readMetadata } from './metadata.js';
import { EXPLICIT_BE, makeDicomFile, type TestFileOptions } from './testing/dicom-file.js';

const URL = 'http://pacs/instances/1';
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'metadata-test-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function metadataOf(options: TestFileOptions) {
  const path = join(dir, 'file.dcm');
  await writeFile(path, makeDicomFile(options).bytes);
  return readMetadata(path, URL);
}

describe('readMetadata', () => {
  it('gives every kind of value as the DICOM JSON model has it', async () => {
    const double = Buffer.alloc(8);
    double.writeDoubleLE(-0.5);
    const metadata = await metadataOf({
      elements: {
        '00080008': ['CS', 'ORIGINAL\\PRIMARY\\ '],
        '00080090': ['PN', ''],
        '00189087': ['FD', double],
        '00200032': ['DS', '0\\-1.50\\+2e1'],
        '00200013': ['IS', ' 12 '],
        '00200011': ['IS', 'twelve'],
        '00204000': ['LT', ' a\\b '],
        '00209165': ['AT', Buffer.from('08002000', 'hex')],
        '00281052': ['DS', ''],
      },
    });
    expect(metadata).toMatchObject({
      '00080008': { vr: 'CS', Value: ['ORIGINAL', 'PRIMARY', null] },
      '00080090': { vr: 'PN' },
      '00189087': { vr: 'FD', Value: [-0.5] },
      '00200032': { vr: 'DS', Value: [0, -1.5, 20] },
      '00200013': { vr: 'IS', Value: [12] },
      '00200011': { vr: 'IS', Value: ['twelve'] },
      '00204000': { vr: 'LT', Value: [' a\\b'] },
      '00209165': { vr: 'AT', Value: ['00080020'] },
      '00281052': { vr: 'DS' },
      '7FE00010': { vr: 'OW', BulkDataURI: `${URL}/bulk/7fe00010` },
    });
    expect(metadata['00020010']).toBeUndefined();
  });

  it('gives sequences with their items, empty ones too, and bulk data inside by its path', async () => {
    const metadata = await metadataOf({
      elements: {
        '00081111': ['SQ', []],
        '54000100': [
          'SQ',
          [{ '003A0005': ['US', Buffer.from([2, 0])] }, {}, { '54001010': ['OW', Buffer.alloc(4)] }],
        ],
      },
    });
    expect(metadata['00081111']).toEqual({ vr: 'SQ' });
    expect(metadata['54000100']?.Value).toEqual([
      { '003A0005': { vr: 'US', Value: [2] } },
      {},
      { '54001010': { vr: 'OW', BulkDataURI: `${URL}/bulk/54000100/3/54001010` } },
    ]);
  });

  it('says UTF-8 and reads items in the character set around them or their own', async () => {
    const metadata = await metadataOf({
      elements: {
        '00080005': ['CS', 'ISO_IR 100'],
        '00100010': ['PN', Buffer.from('Gr\xfcn', 'latin1')],
        '0040A043': [
          'SQ',
          [
            { '00080104': ['LO', Buffer.from('\xe4', 'latin1')] },
            { '00080005': ['CS', 'ISO_IR 144'], '00080104': ['LO', Buffer.from([0xbb])] },
          ],
        ],
        '00102000': ['LO', Buffer.from('\xf6', 'latin1')],
      },
    });
    expect(metadata['00080005']?.Value).toEqual(['ISO_IR 192']);
    expect(metadata['00100010']?.Value).toEqual([{ Alphabetic: 'Grün' }]);
    expect(metadata['00102000']?.Value).toEqual(['ö']);
    expect(metadata['0040A043']?.Value).toMatchObject([
      { '00080104': { Value: ['ä'] } },
      { '00080104': { Value: ['Л'] } },
    ]);
  });

  it('reads big endian values', async () => {
    expect((await metadataOf({ transferSyntax: EXPLICIT_BE }))['00280100']).toEqual({
      vr: 'US',
      Value: [16],
    });
  });

  it('leaves encapsulated pixel data out', async () => {
    const metadata = await metadataOf({ elements: { '7FE00010': ['OB', { fragments: [Buffer.alloc(8)] }] } });
    expect(metadata['7FE00010']).toBeUndefined();
    expect(metadata['00280100']).toBeDefined();
  });

  it('gives long text by reference and refuses a header that is no header', async () => {
    const text = 'x'.repeat(1024 * 1024 + 2);
    expect((await metadataOf({ elements: { '00104000': ['UT', text] } }))['00104000']).toEqual({
      vr: 'UT',
      BulkDataURI: `${URL}/bulk/00104000`,
    });
    const items = Array.from({ length: 200_001 }, () => ({}));
    await expect(metadataOf({ elements: { '0040A730': ['SQ', items] } })).rejects.toBeInstanceOf(
      DicomFormatError,
    );
  });
});

describe('stringify', () => {
  it('orders attributes by tag at every level (PS3.18 F.2.2)', () => {
    const item = { '30060020': { vr: 'IS', Value: [1] }, '00080016': { vr: 'UI' } };
    const text = stringify({ '40100010': { vr: 'LO' }, '00081199': { vr: 'SQ', Value: [item] } });
    expect(text.match(/"[0-9A-F]{8}"/g)).toEqual(['"00081199"', '"00080016"', '"30060020"', '"40100010"']);
    expect(JSON.parse(text)).toEqual({ '40100010': { vr: 'LO' }, '00081199': { vr: 'SQ', Value: [item] } });
  });
});
