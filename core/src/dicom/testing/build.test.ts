import { describe, expect, it } from 'vitest';
import { scanDicom } from '../scan.js';
import { bytesSource } from '../source.js';
import { buildDicom, makeSlice, newUid } from './build.js';

const scan = (bytes: Uint8Array) => scanDicom(bytesSource(bytes));

describe('makeSlice', () => {
  it('makes a valid slice with nothing but defaults', async () => {
    const result = await scan(makeSlice());
    expect(result).toMatchObject({ verdict: 'valid', findings: [] });
  });

  it('makes slices of one study that differ in instance and pixels', async () => {
    const study = { studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
    const files = [1, 2].map((instanceNumber) => makeSlice({ ...study, instanceNumber }));
    const [first, second] = await Promise.all(files.map(scan));
    expect(first?.attributes.studyInstanceUid).toBe(study.studyInstanceUid);
    expect(second?.attributes.studyInstanceUid).toBe(study.studyInstanceUid);
    expect(first?.attributes.sopInstanceUid).not.toBe(second?.attributes.sopInstanceUid);
    expect(files[0]?.slice(-1000)).not.toEqual(files[1]?.slice(-1000));
  });

  it('makes the size asked for', async () => {
    const { pixelData } = await scan(makeSlice({ rows: 512, columns: 512 }));
    expect(pixelData?.length).toBe(512 * 1024);
  });

  it('makes the same bytes for the same options', () => {
    const uids = { sopInstanceUid: '1.2', studyInstanceUid: '1.3', seriesInstanceUid: '1.4' };
    expect(makeSlice(uids)).toEqual(makeSlice(uids));
  });
});

describe('buildDicom', () => {
  it('replaces, adds and leaves out elements', async () => {
    const bytes = buildDicom({
      patientId: 'A',
      elements: [
        { tag: 0x00100020, vr: 'LO', value: 'B' },
        { tag: 0x00200010, vr: 'SH', value: 'STUDY-1' },
      ],
      omit: [0x00080060],
    });
    const { attributes } = await scan(bytes);
    expect(attributes).toMatchObject({ patientId: 'B', studyId: 'STUDY-1' });
    expect(attributes.modality).toBeUndefined();
  });

  it('nests as deep as asked', async () => {
    expect((await scan(buildDicom({ nesting: 9 }))).cost.depth).toBe(9);
    expect((await scan(buildDicom({ nesting: 9, nestingLengths: 'defined' }))).cost.depth).toBe(9);
  });

  it('writes UIDs that are new and valid', () => {
    expect(newUid()).toMatch(/^2\.25\.[1-9]\d{20,38}$/);
    expect(newUid()).not.toBe(newUid());
  });
});
