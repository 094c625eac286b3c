import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { buildDicom, makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { FileStorage } from '@relaypacs/core/storage/file-storage.js';
import type { UploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkFile, compareWithAnnounced, type ReadFile } from './check-file.js';
import { groupStudies } from './group-studies.js';

let directory: string;
let files: UploadedFiles;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs-intake-'));
  const storage = new FileStorage({ directory, fsync: false });
  const sizeOf = (name: string) =>
    stat(path.join(directory, name)).then(
      ({ size }) => size,
      () => 0,
    );
  files = { open: async (id) => storage.open(id, await sizeOf(id)) };
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function row(id: string, size: number): UploadFileRow {
  return {
    id,
    uploadId: 'upload',
    clientId: null,
    filename: `${id}.dcm`,
    relativePath: null,
    filetype: null,
    tusMetadata: null,
    size,
    bytesReceived: size,
    isPartial: false,
    joinedFrom: null,
    status: 'received',
    problem: null,
    findings: [],
    md5: null,
    sha256: null,
    announcedMd5: null,
    announcedSha256: null,
    createdAt: new Date(),
    finishedAt: new Date(),
  };
}

async function check(content: Uint8Array, id = 'f1'): Promise<ReadFile> {
  await writeFile(path.join(directory, id), content);
  const checked = await checkFile(files, row(id, content.length));
  if (checked.scan === null) throw new Error('The file was not read');
  return checked;
}

describe('the check of one file', () => {
  it('accepts a plain DICOM file and knows its digests', async () => {
    const checked = await check(makeSlice());
    expect(checked.problem).toBeUndefined();
    expect([checked.md5.length, checked.sha256.length]).toEqual([16, 32]);
  });

  it.each([
    ['not DICOM', new TextEncoder().encode('hello'), 'NOT_DICOM'],
    ['zero bytes', new Uint8Array(0), 'EMPTY_FILE'],
    ['nested 50 deep', buildDicom({ nesting: 50 }), 'NESTING_TOO_DEEP'],
    ['a pixel length that lies', buildDicom({ declaredPixelLength: 10_000_000 }), 'ELEMENT_BEYOND_END'],
    ['cut off in the pixels', buildDicom({ truncateTo: 4000 }), 'ELEMENT_BEYOND_END'],
    ['no rows', buildDicom({ rows: 0 }), 'ZERO_DIMENSION'],
    ['no study', buildDicom({ omit: [0x0020000d] }), 'MISSING_UID'],
  ])('refuses a file with %s, in words', async (_what, content, code) => {
    const { problem } = await check(content);
    expect(problem).toMatchObject({ code, title: expect.any(String) });
    expect(problem?.detail).toMatch(/\.$/);
  });

  it('refuses what could only be delivered after an edit, because bytes are passed on unchanged', async () => {
    const script = new TextEncoder().encode('#!/bin/sh\n'.padEnd(128, ' '));
    const { problem } = await check(buildDicom({ preamble: script }));
    expect(problem).toMatchObject({ code: 'PREAMBLE_EXECUTABLE' });
    expect(problem?.detail).toMatch(/delivered unchanged/);
  });

  it('refuses what is not, in size or digest, what the sender announced', async () => {
    const checked = await check(makeSlice());
    const announced = (more: Partial<UploadFileRow>) =>
      compareWithAnnounced(checked, { ...checked.file, ...more }).problem;
    expect(announced({})).toBeUndefined();
    expect(announced({ announcedMd5: checked.md5, announcedSha256: checked.sha256 })).toBeUndefined();
    expect(announced({ announcedMd5: Buffer.alloc(16) })).toMatchObject({ code: 'TRANSFER_DAMAGED' });
    expect(announced({ announcedSha256: Buffer.alloc(32) })).toMatchObject({ code: 'TRANSFER_DAMAGED' });
    expect(announced({ size: checked.size + 1 })).toMatchObject({ code: 'TRANSFER_DAMAGED' });
  });

  it('refuses a file of which not all that arrived is there any more, and keeps that verdict', async () => {
    await writeFile(path.join(directory, 'short'), makeSlice().subarray(0, 1000));
    for (const id of ['gone', 'short']) {
      const checked = await checkFile(files, row(id, 1001));
      const announced = { ...checked.file, announcedMd5: Buffer.alloc(16) };
      expect(compareWithAnnounced(checked, announced)).toMatchObject({
        md5: null,
        sha256: null,
        problem: { code: 'STORED_BYTES_DAMAGED', detail: expect.stringMatching(/Send this file again\.$/) },
      });
    }
  });

  it('fails, and does not judge, when the storage does', async () => {
    await mkdir(path.join(directory, 'unreadable'));
    await expect(checkFile(files, row('unreadable', 0))).rejects.toThrow(/EISDIR/);
  });
});

describe('the sorting into studies', () => {
  it('makes one study of each Study Instance UID, with its modalities and series', async () => {
    const study = { studyInstanceUid: newUid(), patientName: 'Roe^Mary', studyDate: '20260304' };
    const files = [
      await check(makeSlice({ ...study, modality: 'PT' }), 'a'),
      await check(makeSlice({ ...study, modality: 'CT' }), 'b'),
      await check(makeSlice({ modality: 'MR' }), 'c'),
    ];
    const { studies } = groupStudies('upload', files);
    expect(studies).toHaveLength(2);
    expect(studies[0]?.study).toMatchObject({
      studyInstanceUid: study.studyInstanceUid,
      patientName: 'Roe, Mary',
      studyDate: '2026-03-04',
      modalities: ['CT', 'PT'],
      seriesCount: 2,
    });
    expect(studies[0]?.instances.map(({ uploadFileId }) => uploadFileId)).toEqual(['a', 'b']);
  });

  it('takes the same image once and refuses another one with its identifier', async () => {
    const uids = { sopInstanceUid: newUid(), studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
    const files = [
      await check(makeSlice(uids), 'a'),
      await check(makeSlice(uids), 'b'),
      await check(makeSlice({ ...uids, patientId: 'another' }), 'c'),
    ];
    const { studies, files: judged } = groupStudies('upload', files);
    expect(studies.flatMap(({ instances }) => instances)).toHaveLength(1);
    expect(judged.map(({ problem }) => problem?.code)).toEqual([undefined, undefined, 'CONFLICTING_COPY']);
    expect(judged[1]?.findings.map(({ code }) => code)).toContain('DUPLICATE_FILE');
  });

  it('leaves refused files out, and keeps values that the database cannot hold out of it', async () => {
    const files = [
      await check(new TextEncoder().encode('notes'), 'a'),
      await check(
        makeSlice({ patientName: 'Doe^Jane', studyDate: '20261399', patientBirthDate: '00000000' }),
        'b',
      ),
    ];
    const { studies } = groupStudies('upload', files);
    expect(studies).toHaveLength(1);
    expect(studies[0]?.study).toMatchObject({ studyDate: null, patientBirthDate: null });
  });
});
